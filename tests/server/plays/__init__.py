"""The plays of all node types that take secrets, one module per family.

A node type that is new needs one; `test_secret_leaks.py` says so, runs them, and looks for the
secret wherever Flowrunner and Temporal leave anything.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from tests.server.plays import models, network, servers
from tests.server.plays.play import Setup

__all__ = ["PLAYS"]

PLAYS: Final[Mapping[str, Setup]] = {**network.PLAYS, **models.PLAYS, **servers.PLAYS}
