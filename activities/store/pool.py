"""Connections to a PostgreSQL database that the operator has set, where a worker keeps things."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, Final, TypeAlias, TypeVar

import asyncpg

__all__ = ["Connection", "Pool", "PoolTrouble"]

T = TypeVar("T")
Connection: TypeAlias = "asyncpg.Connection[Any] | asyncpg.pool.PoolConnectionProxy[Any]"

_SECONDS: Final = 15.0
_CONNECTIONS: Final = 8


class PoolTrouble(Exception):
    """The database cannot be used now; the message has no credentials in it."""


class Pool:
    """Opened by the first use, when `prepare` makes what tables it needs.

    Works through a pooler of connections as well, also one that shares them by transactions.
    `setting` is what the operator has set to the URL.
    """

    def __init__(
        self, url: str, setting: str, prepare: Callable[[Connection], Awaitable[None]]
    ) -> None:
        self._url = url
        self._setting = setting
        self._prepare = prepare
        self._pool: asyncpg.Pool[Any] | None = None
        self._opening = asyncio.Lock()

    async def run(
        self, work: Callable[[Connection], Awaitable[T]], *, seconds: float = _SECONDS
    ) -> T:
        """What the work gives; raises `PoolTrouble`, and what the work raises of its own."""
        try:
            async with asyncio.timeout(seconds), self._connection() as db:
                return await work(db)
        except TimeoutError as error:
            raise PoolTrouble("it does not answer in time") from error
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            raise PoolTrouble(str(error)) from error

    async def close(self) -> None:
        """May be called twice."""
        pool, self._pool = self._pool, None
        if pool is None:
            return
        try:
            await asyncio.wait_for(pool.close(), _SECONDS)
        except (TimeoutError, OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
            pool.terminate()

    @asynccontextmanager
    async def _connection(self) -> AsyncGenerator[Connection]:
        async with self._opening:
            if self._pool is None:
                self._pool = await self._open()
            pool = self._pool
        db = await self._acquired(pool)
        try:
            yield db
        finally:
            await pool.release(db)

    async def _open(self) -> asyncpg.Pool[Any]:
        # Without a cache of statements, which would be of another connection behind a pooler.
        pool = await asyncpg.create_pool(
            self._url,
            min_size=0,
            max_size=_CONNECTIONS,
            timeout=_SECONDS,
            statement_cache_size=0,
            server_settings={"application_name": "flowrunner"},
        )
        try:
            db = await self._acquired(pool)
            await self._prepare(db)
            await pool.release(db)
        except BaseException:
            pool.terminate()
            raise
        return pool

    async def _acquired(self, pool: asyncpg.Pool[Any]) -> asyncpg.pool.PoolConnectionProxy[Any]:
        try:
            return await pool.acquire()
        except ValueError:
            # Without what it says, which may be the password.
            raise PoolTrouble(f"the URL of {self._setting} is not understood") from None
