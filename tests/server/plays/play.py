"""How a node type that takes secrets is made to succeed and to fail with one in it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from flowspec.values import JsonObject

__all__ = ["CANARY", "SECRET", "TOKEN", "Plays", "S", "Setup"]

CANARY: Final = "Zq7LeakCanary4Xw"
SECRET: Final = f"p@ss {CANARY}/+&é"
"""What is looked for is the part in the middle, which no way of quoting changes."""

TOKEN: Final = f"tok-{CANARY}-en"
"""What a node is given for the secret, and is to keep to itself as well."""

S: Final = "${secrets.LEAK}"


@dataclass(frozen=True, kw_only=True)
class Plays:
    """Parameters of nodes that succeed, and of nodes that fail.

    Each parameter that can hold any text has to have `S` in it in one of both kinds at least, and
    is better off in both; what the counterpart says should have the secret in it, as answers and
    errors of real ones may.
    """

    succeed: tuple[JsonObject, ...]
    fail: tuple[JsonObject, ...]
    only_fails: bool = False
    """Where a login succeeds, in tests of their own, nothing says the secret back."""


Setup = Callable[[ExitStack, Path], Plays]
"""Starts the counterpart, which the stack ends; the folder is empty and the play's own."""
