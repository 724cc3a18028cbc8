"""An SQLite file that is the worker's own, whichever of the two drivers it is opened by."""

from __future__ import annotations

import time
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

__all__ = ["Database", "make_file", "transaction", "use_wal"]


class Database(Protocol):
    """A connection of sqlite3 or apsw that begins no transactions by itself."""

    @property
    def in_transaction(self) -> bool: ...

    def execute(self, statement: str, /) -> Iterable[Any]: ...


def make_file(path: Path) -> None:
    """The file and its folders, if they are missing."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    # Not by one who may read everything else of ours.
    path.touch(mode=0o600)


def use_wal(db: Database, *, busy: type[Exception], seconds: float) -> None:
    """Let others read while one writes, and lose nothing that was committed.

    Whoever is first changes the file, and does not wait for others who are about to: while the
    driver raises `busy`, this tries again, for so many seconds.
    """
    end = time.monotonic() + seconds
    while True:
        try:
            list(db.execute("PRAGMA journal_mode = WAL"))
            break
        except busy:
            if time.monotonic() > end:
                raise
            time.sleep(0.02)
    db.execute("PRAGMA synchronous = FULL")


@contextmanager
def transaction(db: Database, kind: str = "IMMEDIATE") -> Generator[None]:
    db.execute(f"BEGIN {kind}")
    try:
        yield
        db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise
