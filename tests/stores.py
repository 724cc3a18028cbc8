"""Key-value stores under test, each empty, with a clock that a test can set."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

from activities.store.contract import KeyValueStore

__all__ = ["NOW", "OpenStore", "SetClock", "open_sqlite"]

NOW = 1_800_000_000.0

OpenStore: TypeAlias = Callable[[], KeyValueStore]
"""A store at the same place, each time as another process would open it."""


@dataclass
class SetClock:
    """Says what it is told."""

    now: float = field(default=NOW)

    def __call__(self) -> float:
        return self.now


def open_sqlite(path: Path, clock: SetClock) -> OpenStore:
    from activities.store.sqlite import SqliteKeyValueStore

    return lambda: SqliteKeyValueStore(path, clock=clock)
