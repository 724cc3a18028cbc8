"""A key-value store in one SQLite file, which all workers of a machine share."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final, TypeVar

from activities.store.contract import (
    REMEMBERED,
    Clock,
    Decide,
    Item,
    KeyValueStore,
    KeyValueStoreError,
    after_all_with,
)
from activities.store.sqlite_file import make_file, transaction, use_wal
from claimcheck.stores.threads import OutOfTime, Threads
from flowspec.values import JsonObject

__all__ = ["SqliteKeyValueStore"]

T = TypeVar("T")

_SECONDS: Final = 15.0
"""For one operation; others that write are waited for two thirds of it."""
_SCHEMA: Final = 1
_PURGED: Final = 4
"""With each change, so that what is swept away keeps up with what is written."""

_TABLES: Final = (
    """CREATE TABLE items (space TEXT NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL,
       version INTEGER NOT NULL, expires REAL, PRIMARY KEY (space, key))""",
    "CREATE INDEX items_expire ON items (expires) WHERE expires IS NOT NULL",
    """CREATE TABLE done (space TEXT NOT NULL, once TEXT NOT NULL, result TEXT NOT NULL,
       expires REAL NOT NULL, PRIMARY KEY (space, once))""",
    "CREATE INDEX done_expire ON done (expires)",
    f"PRAGMA user_version = {_SCHEMA}",
)
_COLUMNS: Final = "key, value, version, expires"


class SqliteKeyValueStore(KeyValueStore):
    """The file and its folders are made when they are missing. On a local disk: WAL, which lets
    others read while one writes, does not work over a network."""

    name = "sqlite"

    def __init__(self, path: Path, *, clock: Clock = time.time) -> None:
        super().__init__(clock=clock)
        self._path = path
        self._db: sqlite3.Connection | None = None
        # One, which owns the connection: writers would only wait for one another.
        self._thread = Threads("store", seconds=_SECONDS, most=1)

    async def read(self, space: str, key: str) -> Item | None:
        return await self._run(lambda db: _read(db, space, key, self.clock()))

    async def change(self, space: str, key: str, decide: Decide, *, once: str) -> JsonObject:
        def work(db: sqlite3.Connection) -> JsonObject:
            with transaction(db):
                return self._change(db, space, key, decide, once)

        return await self._run(work)

    async def page(self, space: str, prefix: str, *, after: str, limit: int) -> list[Item]:
        end = after_all_with(prefix)
        where = "space = ? AND key >= ? AND key > ? AND (? IS NULL OR key < ?)"
        query = (
            f"SELECT {_COLUMNS} FROM items WHERE {where} AND (expires IS NULL OR expires > ?) "
            "ORDER BY key LIMIT ?"
        )
        given = (space, prefix, after, end, end, self.clock(), limit)
        return await self._run(lambda db: [_item(row) for row in db.execute(query, given)])

    async def close(self) -> None:
        if self._db is not None:
            with suppress(OutOfTime):
                await self._thread.run(self._db.close)
            self._db = None
        self._thread.close()

    def _change(
        self, db: sqlite3.Connection, space: str, key: str, decide: Decide, once: str
    ) -> JsonObject:
        now = self.clock()
        query = "SELECT result FROM done WHERE space = ? AND once = ? AND expires > ?"
        if (done := db.execute(query, (space, once, now)).fetchone()) is not None:
            result: JsonObject = json.loads(done[0])
            return result
        outcome = decide(_read(db, space, key, now), now)
        if outcome.writes:
            _write(db, space, key, outcome.item)
            receipt = (space, once, json.dumps(outcome.result), now + REMEMBERED)
            db.execute("INSERT OR REPLACE INTO done VALUES (?, ?, ?, ?)", receipt)
            _purge(db, now)
        return outcome.result

    async def _run(self, work: Callable[[sqlite3.Connection], T]) -> T:
        try:
            return await self._thread.run(lambda: work(self._open()))
        except sqlite3.Error as error:
            raise KeyValueStoreError(f"the store in {self._path}: {error}") from error
        except OSError as error:
            raise KeyValueStoreError(f"the store in {self._path}: {error.strerror}") from error
        except OutOfTime as error:
            raise KeyValueStoreError(f"the store in {self._path} is too slow") from error

    def _open(self) -> sqlite3.Connection:
        if self._db is None:
            make_file(self._path)
            self._db = _connect(self._path)
        return self._db


def _connect(path: Path) -> sqlite3.Connection:
    db = sqlite3.connect(
        path, timeout=_SECONDS * 2 / 3, isolation_level=None, check_same_thread=False
    )
    try:
        use_wal(db, busy=sqlite3.OperationalError, seconds=_SECONDS / 2)
        with transaction(db):
            _make_tables(db)
    except BaseException:
        db.close()
        raise
    return db


def _make_tables(db: sqlite3.Connection) -> None:
    found = db.execute("PRAGMA user_version").fetchone()[0]
    if found == 0:
        for statement in _TABLES:
            db.execute(statement)
    elif found != _SCHEMA:
        raise sqlite3.DatabaseError(
            f"its tables are of version {found}, which this Flowrunner does not know"
        )


def _read(db: sqlite3.Connection, space: str, key: str, now: float) -> Item | None:
    query = f"SELECT {_COLUMNS} FROM items WHERE space = ? AND key = ?"
    row = db.execute(query, (space, key)).fetchone()
    item = None if row is None else _item(row)
    return item if item is not None and item.lives(now) else None


def _write(db: sqlite3.Connection, space: str, key: str, item: Item | None) -> None:
    if item is None:
        db.execute("DELETE FROM items WHERE space = ? AND key = ?", (space, key))
        return
    row = (space, key, item.text, item.version, item.expires)
    db.execute("INSERT OR REPLACE INTO items VALUES (?, ?, ?, ?, ?)", row)


def _purge(db: sqlite3.Connection, now: float) -> None:
    """Remove some of what nobody sees any more."""
    for table in ("items", "done"):
        old = f"SELECT rowid FROM {table} WHERE expires <= ? LIMIT ?"
        db.execute(f"DELETE FROM {table} WHERE rowid IN ({old})", (now, _PURGED))


def _item(row: tuple[str, str, int, float | None]) -> Item:
    key, text, version, expires = row
    return Item(key=key, text=text, version=version, expires=expires)
