"""Statements on PostgreSQL."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncGenerator, Generator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import Any, Final, TypeAlias

import asyncpg

from activities.attempt import Attempt
from activities.errors import NodeFailed
from activities.sql.placeholders import numbered
from activities.sql.pools import Database, open_pools, read_url
from activities.sql.query import (
    SQL_CONFLICT,
    SQL_CONSTRAINT,
    SQL_ERROR,
    SQL_LOGIN_FAILED,
    SQL_TIMEOUT,
    SQL_UNCONFIRMED,
    SQL_UNREACHABLE,
    Done,
    QueryParams,
    QueryResult,
    Statement,
)
from activities.sql.rows import Gathered, gathered, saved
from flowspec.catalogue import ErrorType
from flowspec.values import Json

__all__ = ["queried"]

_Connection: TypeAlias = "asyncpg.pool.PoolConnectionProxy[Any]"

_BATCH: Final = 500
_TO_ROLL_BACK: Final = 5.0
_KINDS: Final[tuple[tuple[str, ErrorType], ...]] = (
    ("23", SQL_CONSTRAINT),
    ("40001", SQL_CONFLICT),
    ("40P01", SQL_CONFLICT),
    ("55P03", SQL_CONFLICT),
    ("57014", SQL_TIMEOUT),
    ("28", SQL_LOGIN_FAILED),
    ("3D", SQL_LOGIN_FAILED),
    ("08", SQL_UNREACHABLE),
    ("53", SQL_UNREACHABLE),
    ("57", SQL_UNREACHABLE),
)
"""By how the code begins; the first that fits."""
_BROKEN: Final = (OSError, asyncpg.InterfaceError, asyncpg.PostgresConnectionError)


async def queried(params: QueryParams, attempt: Attempt) -> QueryResult:
    where = read_url(params.url)
    for secret in (where.password, *([where.user] if where.password else [])):
        attempt.conceal(secret)
    pools = await attempt.resources.get(open_pools)
    with _explained(where):
        async with asyncio.timeout(params.timeout):
            async with (
                pools.connection(where, attempt.addresses) as db,
                _transaction(db, params),
            ):
                return await _all(db, params, attempt)


async def _all(db: _Connection, params: QueryParams, attempt: Attempt) -> QueryResult:
    if params.save:
        return await _save(db, params.statements[0], attempt)
    done = [await _do(db, each, params.max_rows) for each in params.statements]
    count = sum(one["count"] for one in done)
    if params.transaction is not None:
        return {"results": done, "count": count}
    return {"rows": done[0]["rows"], "columns": done[0]["columns"], "count": count}


@asynccontextmanager
async def _transaction(db: _Connection, params: QueryParams) -> AsyncGenerator[None]:
    transaction = db.transaction(readonly=params.read_only)
    await transaction.start()
    try:
        # So that the server itself ends it, should nobody be left to say so.
        limit = str(max(1, int(params.timeout * 1000)))
        await db.execute("SELECT set_config('statement_timeout', $1, true)", limit)
        yield
    except BaseException:
        with suppress(TimeoutError, asyncpg.PostgresError, *_BROKEN):
            async with asyncio.timeout(_TO_ROLL_BACK):
                await transaction.rollback()
        raise
    try:
        await transaction.commit()
    except (TimeoutError, *_BROKEN) as error:
        if params.read_only:
            raise
        raise NodeFailed(
            SQL_UNCONFIRMED, f"whether it was committed is not known: {error}"
        ) from error


async def _do(db: _Connection, statement: Statement, most: int) -> Done:
    sql, names = numbered(statement.sql)
    prepared = await db.prepare(sql)
    into = Gathered(_columns(prepared), most)
    changed = 0
    given = statement.params if isinstance(statement.params, list) else [statement.params]
    for values in given:
        args = [values[name] for name in names]
        if into.columns:
            await gathered(_batches(prepared, args), into)
        else:
            await prepared.fetch(*args)
            changed += _changed(prepared.get_statusmsg())
        _check_still_inside(db)
    count = len(into.rows) if into.columns else changed
    return {"rows": into.rows, "columns": into.columns, "count": count}


async def _save(db: _Connection, statement: Statement, attempt: Attempt) -> QueryResult:
    sql, names = numbered(statement.sql)
    values = statement.params if isinstance(statement.params, dict) else {}
    prepared = await db.prepare(sql)
    columns, counted = _columns(prepared), list[int]()
    args = [values[name] for name in names]
    rows = await attempt.keep(saved(_batches(prepared, args), columns, counted), as_json=True)
    return {"rows": rows, "columns": columns, "count": counted[0]}


async def _batches(
    prepared: Any, args: Sequence[Json]
) -> AsyncGenerator[Sequence[Sequence[object]]]:
    cursor = await prepared.cursor(*args)
    while rows := await cursor.fetch(_BATCH):
        yield [tuple(row) for row in rows]


def _columns(prepared: Any) -> list[str]:
    return [column.name for column in prepared.get_attributes()]


def _changed(status: str | None) -> int:
    """Of `UPDATE 3` or `INSERT 0 3`."""
    last = (status or "").rpartition(" ")[2]
    return int(last) if last.isdecimal() else 0


def _check_still_inside(db: _Connection) -> None:
    if not db.is_in_transaction():
        raise NodeFailed(
            SQL_ERROR, "a statement has ended the transaction; sql.query begins and ends it itself"
        )


@contextmanager
def _explained(where: Database) -> Generator[None]:
    place = f"{where.host}:{where.port}"
    try:
        yield
    except TimeoutError as error:
        raise NodeFailed(SQL_TIMEOUT, "it took longer than timeout, and was cancelled") from error
    except ssl.SSLCertVerificationError as error:
        why = error.verify_message or str(error)
        raise NodeFailed(
            SQL_LOGIN_FAILED, f"{place}: the certificate is not trusted: {why}"
        ) from error
    except asyncpg.PostgresError as error:
        code = str(getattr(error, "sqlstate", None) or "")
        kind = next((kind for start, kind in _KINDS if code.startswith(start)), SQL_ERROR)
        raise NodeFailed(kind, str(error), details={"sqlstate": code or None}) from error
    except (OSError, asyncpg.InterfaceError) as error:
        if isinstance(error, ValueError) and not isinstance(error, OSError):  # of a value
            raise NodeFailed(SQL_ERROR, str(error)) from error
        raise NodeFailed(SQL_UNREACHABLE, f"no connection to {place}: {error}") from error
