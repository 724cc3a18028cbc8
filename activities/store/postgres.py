"""A key-value store in a PostgreSQL database."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

import asyncpg

from activities.store.contract import (
    REMEMBERED,
    Clock,
    Decide,
    Item,
    KeyValueStore,
    KeyValueStoreError,
    after_all_with,
)
from activities.store.pool import Connection, Pool, PoolTrouble
from flowspec.values import JsonObject

__all__ = ["PostgresKeyValueStore"]

T = TypeVar("T")

_SCHEMA: Final = 1
_PURGED: Final = 4
"""With each change, so that what is swept away keeps up with what is written."""
_MAKING_TABLES: Final = 7_306_357_456_645_743_973
"""A lock that whoever makes the tables holds: any number that nobody else uses."""

# By bytes, which is by code points.
_TABLES: Final = f"""
    CREATE TABLE flowrunner_items (
        space text COLLATE "C" NOT NULL, key text COLLATE "C" NOT NULL, value text NOT NULL,
        version bigint NOT NULL, expires double precision, PRIMARY KEY (space, key));
    CREATE INDEX flowrunner_items_expire ON flowrunner_items (expires) WHERE expires IS NOT NULL;
    CREATE TABLE flowrunner_done (
        space text COLLATE "C" NOT NULL, once text COLLATE "C" NOT NULL, result text NOT NULL,
        expires double precision NOT NULL, PRIMARY KEY (space, once));
    CREATE INDEX flowrunner_done_expire ON flowrunner_done (expires);
    CREATE TABLE flowrunner_store (version integer NOT NULL);
    INSERT INTO flowrunner_store VALUES ({_SCHEMA});
"""
_COLUMNS: Final = "key, value, version, expires"
_WRITE: Final = """
    INSERT INTO flowrunner_items VALUES ($1, $2, $3, $4, $5) ON CONFLICT (space, key)
    DO UPDATE SET value = $3, version = $4, expires = $5
"""
_NOTE: Final = """
    INSERT INTO flowrunner_done VALUES ($1, $2, $3, $4) ON CONFLICT (space, once)
    DO UPDATE SET result = $3, expires = $4
"""
_PURGE: Final = """
    WITH items AS (DELETE FROM flowrunner_items WHERE ctid IN (
        SELECT ctid FROM flowrunner_items WHERE expires <= $1 LIMIT $2 FOR UPDATE SKIP LOCKED))
    DELETE FROM flowrunner_done WHERE ctid IN (
        SELECT ctid FROM flowrunner_done WHERE expires <= $1 LIMIT $2 FOR UPDATE SKIP LOCKED)
"""


class PostgresKeyValueStore(KeyValueStore):
    """In tables of its own, `flowrunner_…`, in the schema that the search path begins with."""

    name = "postgresql"

    def __init__(self, url: str, *, clock: Clock = time.time) -> None:
        super().__init__(clock=clock)
        self._pool = Pool(url, "FLOWRUNNER_STORE", _make_tables)

    async def read(self, space: str, key: str) -> Item | None:
        return await self._run(lambda db: _read(db, space, key, self.clock()))

    async def change(self, space: str, key: str, decide: Decide, *, once: str) -> JsonObject:
        async def work(db: Connection) -> JsonObject:
            # Not by a snapshot that was made before others were waited for.
            async with db.transaction(isolation="read_committed"):
                return await self._change(db, space, key, decide, once)

        return await self._run(work)

    async def page(self, space: str, prefix: str, *, after: str, limit: int) -> list[Item]:
        query = (
            f"SELECT {_COLUMNS} FROM flowrunner_items WHERE space = $1 AND key >= $2 AND key > $3 "
            "AND ($4::text IS NULL OR key < $4) AND (expires IS NULL OR expires > $5) "
            "ORDER BY key LIMIT $6"
        )
        given = (space, prefix, after, after_all_with(prefix), self.clock(), limit)
        return [_item(row) for row in await self._run(lambda db: db.fetch(query, *given))]

    async def close(self) -> None:
        await self._pool.close()

    async def _change(
        self, db: Connection, space: str, key: str, decide: Decide, once: str
    ) -> JsonObject:
        await db.execute("SELECT pg_advisory_xact_lock($1)", _lock_of(space, key))
        now = self.clock()
        query = "SELECT result FROM flowrunner_done WHERE space = $1 AND once = $2 AND expires > $3"
        if (done := await db.fetchval(query, space, once, now)) is not None:
            result: JsonObject = json.loads(done)
            return result
        outcome = decide(await _read(db, space, key, now), now)
        if outcome.writes:
            await _write(db, space, key, outcome.item)
            await db.execute(_NOTE, space, once, json.dumps(outcome.result), now + REMEMBERED)
            await db.execute(_PURGE, now, _PURGED)
        return outcome.result

    async def _run(self, work: Callable[[Connection], Awaitable[T]]) -> T:
        try:
            return await self._pool.run(work)
        except PoolTrouble as error:
            raise KeyValueStoreError(f"the store in PostgreSQL: {error}") from error


async def _make_tables(db: Connection) -> None:
    async with db.transaction(isolation="read_committed"):
        await db.execute("SELECT pg_advisory_xact_lock($1)", _MAKING_TABLES)
        if await db.fetchval("SELECT to_regclass('flowrunner_store')") is None:
            await db.execute(_TABLES)
        found = await db.fetchval("SELECT max(version) FROM flowrunner_store")
    if found != _SCHEMA:
        raise PoolTrouble(f"its tables are of version {found}, which this Flowrunner does not know")


def _lock_of(space: str, key: str) -> int:
    """A number for a key: two that have the same one merely wait for each other."""
    digest = hashlib.sha256(json.dumps([space, key]).encode()).digest()
    return int.from_bytes(digest[:8], signed=True)


async def _read(db: Connection, space: str, key: str, now: float) -> Item | None:
    query = f"SELECT {_COLUMNS} FROM flowrunner_items WHERE space = $1 AND key = $2"
    row = await db.fetchrow(query, space, key)
    item = None if row is None else _item(row)
    return item if item is not None and item.lives(now) else None


async def _write(db: Connection, space: str, key: str, item: Item | None) -> None:
    if item is None:
        query = "DELETE FROM flowrunner_items WHERE space = $1 AND key = $2"
        await db.execute(query, space, key)
        return
    await db.execute(_WRITE, space, key, item.text, item.version, item.expires)


def _item(row: asyncpg.Record) -> Item:
    key, text, version, expires = row
    return Item(key=key, text=text, version=version, expires=expires)
