"""Statements on an SQLite file in one of the folders that flows may use."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncGenerator, Callable, Generator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import Any, Final, TypeVar
from urllib.parse import quote, unquote

from activities.attempt import Attempt
from activities.errors import INVALID_PARAMS, NodeFailed
from activities.files.folders import explained, open_file, place_of
from activities.sql.query import (
    SQL_CONFLICT,
    SQL_CONSTRAINT,
    SQL_ERROR,
    SQL_TIMEOUT,
    Done,
    QueryParams,
    QueryResult,
    Statement,
)
from activities.sql.rows import Gathered, gathered, saved
from flowspec.values import Json

__all__ = ["queried"]

T = TypeVar("T")

_BATCH: Final = 500
_PATIENCE: Final = 10.0
"""Seconds that others who write are waited for."""
_BUSY: Final = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
_LOOKING: Final = frozenset(
    ("table_info", "table_xinfo", "table_list", "index_list", "index_info", "foreign_key_list")
)
_FORBIDDEN: Final = (sqlite3.SQLITE_ATTACH, sqlite3.SQLITE_DETACH, sqlite3.SQLITE_TRANSACTION)


async def queried(params: QueryParams, attempt: Attempt) -> QueryResult:
    path = _path(params, attempt)
    with _explained():
        async with _opened(path, params) as db:
            if params.save:
                return await _save(db, params.statements[0], attempt)
            done = [await _do(db, each, params.max_rows) for each in params.statements]
    count = sum(one["count"] for one in done)
    if params.transaction is not None:
        return {"results": done, "count": count}
    return {"rows": done[0]["rows"], "columns": done[0]["columns"], "count": count}


class _Database:
    """A connection whose work is done in threads, a piece at a time, and stops when nobody waits
    for it any more."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self.db = db

    async def run(self, work: Callable[[], T]) -> T:
        working = asyncio.ensure_future(asyncio.to_thread(work))
        try:
            return await asyncio.shield(working)
        except asyncio.CancelledError:
            while not working.done():
                self.db.interrupt()
                await asyncio.wait([working], timeout=0.05)
            with suppress(sqlite3.Error):
                working.result()
            raise

    async def batches(self, cursor: sqlite3.Cursor) -> AsyncGenerator[Sequence[Sequence[object]]]:
        while rows := await self.run(lambda: cursor.fetchmany(_BATCH)):
            yield rows


def _path(params: QueryParams, attempt: Attempt) -> Path:
    """Where the file is; it may be new unless it is only to be read."""
    given = unquote(params.url.partition(":")[2])
    if given.startswith("//"):
        given = "/" + given.lstrip("/")
    place = place_of(given, attempt.folders)
    with explained(given), place.folder() as folder:
        try:
            with open(open_file(folder, place.name), "rb"):
                pass
        except FileNotFoundError:
            if params.read_only:
                raise
    return place.root.joinpath(*place.names)


@asynccontextmanager
async def _opened(path: Path, params: QueryParams) -> AsyncGenerator[_Database]:
    """A transaction, which is committed at the end, unless something goes wrong."""
    mode = "rw" if params.read_only else "rwc"
    url = f"file:{quote(str(path))}?mode={mode}"
    patience = min(_PATIENCE, params.timeout)
    db = sqlite3.connect(
        url, uri=True, timeout=patience, isolation_level=None, check_same_thread=False
    )
    database = _Database(db)
    try:
        async with asyncio.timeout(params.timeout):
            await database.run(lambda: _begin(db, read_only=params.read_only))
            yield database
            db.set_authorizer(None)
            await database.run(lambda: db.execute("COMMIT"))
    finally:
        db.close()  # which takes back what was not committed


def _begin(db: sqlite3.Connection, *, read_only: bool) -> None:
    db.setlimit(sqlite3.SQLITE_LIMIT_ATTACHED, 0)  # no way to another file, VACUUM INTO included
    db.execute("PRAGMA trusted_schema = OFF")
    db.execute("PRAGMA foreign_keys = ON")
    db.execute(f"PRAGMA query_only = {'ON' if read_only else 'OFF'}")
    db.execute("BEGIN" if read_only else "BEGIN IMMEDIATE")
    db.set_authorizer(_authorized)


def _authorized(action: int, one: str | None, other: str | None, *_: str | None) -> int:
    changes = action == sqlite3.SQLITE_PRAGMA and other is not None and one not in _LOOKING
    forbidden = changes or action in _FORBIDDEN
    return sqlite3.SQLITE_DENY if forbidden else sqlite3.SQLITE_OK


async def _do(database: _Database, statement: Statement, most: int) -> Done:
    given = statement.params if isinstance(statement.params, list) else [statement.params]
    into = Gathered([], most)
    changed = 0
    for values in given:
        cursor = await database.run(lambda v=values: _execute(database.db, statement.sql, v))  # type: ignore[misc]  # a default
        into.columns = _columns(cursor)
        await gathered(database.batches(cursor), into)
        changed += max(cursor.rowcount, 0)
    count = len(into.rows) if into.columns else changed
    return {"rows": into.rows, "columns": into.columns, "count": count}


async def _save(database: _Database, statement: Statement, attempt: Attempt) -> QueryResult:
    values = statement.params if isinstance(statement.params, dict) else {}
    cursor = await database.run(lambda: _execute(database.db, statement.sql, values))
    columns, counted = _columns(cursor), list[int]()
    rows = await attempt.keep(saved(database.batches(cursor), columns, counted), as_json=True)
    return {"rows": rows, "columns": columns, "count": counted[0]}


def _execute(db: sqlite3.Connection, sql: str, values: dict[str, Json]) -> sqlite3.Cursor:
    for name, value in values.items():
        if isinstance(value, list | dict):
            raise NodeFailed(
                INVALID_PARAMS, f"SQLite has no lists and objects, found one for :{name}"
            )
    return db.execute(sql, values)


def _columns(cursor: sqlite3.Cursor) -> list[str]:
    return [column[0] for column in cursor.description or ()]


@contextmanager
def _explained() -> Generator[None]:
    try:
        yield
    except TimeoutError as error:
        raise NodeFailed(SQL_TIMEOUT, "it took longer than timeout, and was cancelled") from error
    except sqlite3.IntegrityError as error:
        raise NodeFailed(SQL_CONSTRAINT, str(error), details=_code(error)) from error
    except (sqlite3.Error, sqlite3.Warning, OverflowError) as error:
        busy = getattr(error, "sqlite_errorcode", 0) & 0xFF in _BUSY
        kind = SQL_CONFLICT if busy else SQL_ERROR
        raise NodeFailed(kind, str(error), details=_code(error)) from error


def _code(error: Any) -> Json:
    return {"sqlstate": getattr(error, "sqlite_errorname", None)}
