"""The plays of all node types that take secrets, one module per family.

A node type that is new needs one; `test_secret_leaks.py` says so, runs them, and looks for the
secret wherever Flowrunner and Temporal leave anything.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from tests.server.plays import commands, models, network, servers, sql
from tests.server.plays.play import Setup

__all__ = ["PLAYS", "SETTINGS"]

PLAYS: Final[Mapping[str, Setup]] = {
    **network.PLAYS,
    **models.PLAYS,
    **servers.PLAYS,
    **commands.PLAYS,
    **sql.PLAYS,
}

SETTINGS: Final[Mapping[str, str]] = {**commands.SETTINGS, **models.SETTINGS}
"""What a worker is to be set to, for the plays."""
