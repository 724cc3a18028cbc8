"""A key-value store in a PostgreSQL database."""

from __future__ import annotations

import asyncio
import hashlib
import json
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, Final, TypeAlias, TypeVar

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
from flowspec.values import JsonObject

__all__ = ["PostgresKeyValueStore"]

T = TypeVar("T")
_Connection: TypeAlias = "asyncpg.Connection[Any] | asyncpg.pool.PoolConnectionProxy[Any]"

_SECONDS: Final = 15.0
_CONNECTIONS: Final = 8
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
    """In tables of its own, `flowrunner_…`, in the schema that the user's search path begins with.

    Works through a pooler of connections as well, also one that shares them by transactions.
    """

    name = "postgresql"

    def __init__(self, url: str, *, clock: Clock = time.time) -> None:
        super().__init__(clock=clock)
        self._url = url
        self._pool: asyncpg.Pool[Any] | None = None
        self._opening = asyncio.Lock()

    async def read(self, space: str, key: str) -> Item | None:
        return await self._run(lambda db: _read(db, space, key, self.clock()))

    async def change(self, space: str, key: str, decide: Decide, *, once: str) -> JsonObject:
        async def work(db: _Connection) -> JsonObject:
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
        pool, self._pool = self._pool, None
        if pool is None:
            return
        try:
            await asyncio.wait_for(pool.close(), _SECONDS)
        except (TimeoutError, OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
            pool.terminate()

    async def _change(
        self, db: _Connection, space: str, key: str, decide: Decide, once: str
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

    async def _run(self, work: Callable[[_Connection], Awaitable[T]]) -> T:
        what = "the store in PostgreSQL"
        try:
            async with asyncio.timeout(_SECONDS), self._connection() as db:
                return await work(db)
        except TimeoutError as error:
            raise KeyValueStoreError(f"{what} does not answer in time") from error
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            raise KeyValueStoreError(f"{what}: {error}") from error

    @asynccontextmanager
    async def _connection(self) -> AsyncGenerator[_Connection]:
        async with self._opening:
            if self._pool is None:
                self._pool = await _open(self._url)
            pool = self._pool
        db = await _acquired(pool)
        try:
            yield db
        finally:
            await pool.release(db)


async def _open(url: str) -> asyncpg.Pool[Any]:
    # Without a cache of statements, which would be of another connection behind a pooler.
    pool = await asyncpg.create_pool(
        url,
        min_size=0,
        max_size=_CONNECTIONS,
        timeout=_SECONDS,
        statement_cache_size=0,
        server_settings={"application_name": "flowrunner"},
    )
    try:
        db = await _acquired(pool)
        await _make_tables(db)
        await pool.release(db)
    except BaseException:
        pool.terminate()
        raise
    return pool


async def _acquired(pool: asyncpg.Pool[Any]) -> asyncpg.pool.PoolConnectionProxy[Any]:
    try:
        return await pool.acquire()
    except ValueError:
        # Without what it says, which may be the password.
        raise KeyValueStoreError("the URL of FLOWRUNNER_STORE is not understood") from None


async def _make_tables(db: _Connection) -> None:
    async with db.transaction(isolation="read_committed"):
        await db.execute("SELECT pg_advisory_xact_lock($1)", _MAKING_TABLES)
        if await db.fetchval("SELECT to_regclass('flowrunner_store')") is None:
            await db.execute(_TABLES)
        found = await db.fetchval("SELECT max(version) FROM flowrunner_store")
    if found != _SCHEMA:
        raise KeyValueStoreError(
            f"the tables of the store in PostgreSQL are of version {found}, which this Flowrunner "
            "does not know"
        )


def _lock_of(space: str, key: str) -> int:
    """A number for a key: two that have the same one merely wait for each other."""
    digest = hashlib.sha256(json.dumps([space, key]).encode()).digest()
    return int.from_bytes(digest[:8], signed=True)


async def _read(db: _Connection, space: str, key: str, now: float) -> Item | None:
    query = f"SELECT {_COLUMNS} FROM flowrunner_items WHERE space = $1 AND key = $2"
    row = await db.fetchrow(query, space, key)
    item = None if row is None else _item(row)
    return item if item is not None and item.lives(now) else None


async def _write(db: _Connection, space: str, key: str, item: Item | None) -> None:
    if item is None:
        query = "DELETE FROM flowrunner_items WHERE space = $1 AND key = $2"
        await db.execute(query, space, key)
        return
    await db.execute(_WRITE, space, key, item.text, item.version, item.expires)


def _item(row: asyncpg.Record) -> Item:
    key, text, version, expires = row
    return Item(key=key, text=text, version=version, expires=expires)
