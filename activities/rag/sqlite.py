"""A store of vectors in one SQLite file, which all workers of a machine share."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, TypeVar

import apsw
import sqlite_vec  # type: ignore[import-untyped]

from activities.rag.contract import (
    Chooses,
    Deleted,
    Document,
    Filled,
    Found,
    MadeBy,
    MadeByAnother,
    Vector,
    VectorStore,
    VectorStoreError,
    VectorsUnsupported,
)
from activities.rag.passages import Passage
from activities.store.sqlite_file import make_file, transaction, use_wal
from claimcheck.stores.threads import OutOfTime, Threads, allow, check_time

__all__ = ["SqliteVectorStore"]

T = TypeVar("T")

_SECONDS: Final = 60.0
"""For one operation; others that write are waited for half of it."""
_READERS: Final = 4
_SCHEMA: Final = 1
_STEPS: Final = 100_000
_BYTES: Final = 5
"""What a vector's number counts for, that a write of many may take longer."""

_TABLES: Final = f"""
    CREATE TABLE collections (id INTEGER PRIMARY KEY, space TEXT NOT NULL, name TEXT NOT NULL,
        model TEXT NOT NULL, dimensions INTEGER NOT NULL, UNIQUE (space, name));
    CREATE TABLE documents (id INTEGER PRIMARY KEY, collection INTEGER NOT NULL, name TEXT NOT NULL,
        fingerprint TEXT NOT NULL, title TEXT, source TEXT, metadata TEXT NOT NULL,
        UNIQUE (collection, name));
    CREATE TABLE passages (id INTEGER PRIMARY KEY, collection INTEGER NOT NULL,
        document INTEGER NOT NULL, number INTEGER NOT NULL, first INTEGER NOT NULL,
        last INTEGER NOT NULL, vector BLOB NOT NULL, text TEXT NOT NULL);
    CREATE INDEX passages_collection ON passages (collection);
    CREATE INDEX passages_document ON passages (document);
    PRAGMA user_version = {_SCHEMA};
"""
_COLLECTION: Final = "SELECT id, model, dimensions FROM collections WHERE space = ? AND name = ?"
_DOCUMENT: Final = "id, name, fingerprint, title, source, metadata"
_NAMED: Final = "collection = ? AND name IN (SELECT value FROM json_each(?))"
_NEAREST: Final = """
    SELECT id, document, coalesce(vec_distance_cosine(vector, ?), 1) AS distance
    FROM passages WHERE collection = ? ORDER BY distance, id LIMIT ?
"""


class SqliteVectorStore(VectorStore):
    """The file and its folders are made when they are missing. On a local disk: WAL, which lets
    others read while one writes, does not work over a network.

    A search looks at every vector of the collection.
    """

    name = "sqlite"

    def __init__(self, path: Path) -> None:
        self._path = path
        self._threads = Threads("vectors", seconds=_SECONDS, most=_READERS)
        self._own = threading.local()
        self._opened: list[apsw.Connection] = []

    async def made_by(self, space: str, collection: str) -> MadeBy | None:
        def work(db: apsw.Connection) -> MadeBy | None:
            found = _collection(db, space, collection)
            return found[1] if found else None

        return await self._run(work)

    async def fingerprints(self, space: str, collection: str, ids: Sequence[str]) -> dict[str, str]:
        query = (
            "SELECT d.name, d.fingerprint FROM documents d JOIN collections c "
            "ON c.id = d.collection WHERE c.space = ? AND c.name = ? "
            "AND d.name IN (SELECT value FROM json_each(?))"
        )
        given = (space, collection, json.dumps([*ids]))
        return dict(await self._run(lambda db: list(db.execute(query, given))))

    async def put(
        self,
        space: str,
        collection: str,
        made_by: MadeBy,
        documents: Sequence[Filled],
        *,
        rebuild: bool = False,
    ) -> None:
        def work(db: apsw.Connection) -> None:
            allow(_BYTES * made_by.dimensions * sum(len(each.passages or ()) for each in documents))
            with transaction(db):
                where = _made(db, space, collection, made_by, rebuild=rebuild)
                for each in documents:
                    _put(db, where, each)
                _drop_if_empty(db, where)

        await self._run(work)

    async def delete(
        self, space: str, collection: str, ids: Sequence[str] | None, chooses: Chooses
    ) -> Deleted:
        def work(db: apsw.Connection) -> Deleted:
            with transaction(db):
                found = _collection(db, space, collection)
                return _delete(db, found[0], ids, chooses) if found else _NOTHING

        return await self._run(work)

    async def nearest(
        self, space: str, collection: str, vector: Vector, *, limit: int, chooses: Chooses | None
    ) -> list[Found]:
        def work(db: apsw.Connection) -> list[Found]:
            with transaction(db, "DEFERRED"):  # all that is read is of one moment
                found = _collection(db, space, collection)
                return _nearest(db, found[0], vector, limit, chooses) if found else []

        return await self._run(work)

    async def close(self) -> None:
        self._threads.close()
        while self._opened:
            with suppress(apsw.ThreadingViolationError):  # it ends with what a thread still does
                self._opened.pop().close(force=True)

    async def _run(self, work: Callable[[apsw.Connection], T]) -> T:
        try:
            return await self._threads.run(lambda: work(self._connection()))
        except apsw.Error as error:
            raise VectorStoreError(f"the vectors in {self._path}: {error}") from error
        except OSError as error:
            raise VectorStoreError(f"the vectors in {self._path}: {error.strerror}") from error
        except OutOfTime as error:
            raise VectorStoreError(f"the vectors in {self._path}: it takes too long") from error

    def _connection(self) -> apsw.Connection:
        """The thread's own."""
        db: apsw.Connection | None = getattr(self._own, "db", None)
        if db is None:
            make_file(self._path)
            self._own.db = db = _connect(self._path)
            self._opened.append(db)
        return db


_NOTHING: Final = Deleted(documents=0, passages=0)


def _connect(path: Path) -> apsw.Connection:
    db = apsw.Connection(str(path))
    try:
        db.set_busy_timeout(int(_SECONDS / 2 * 1000))
        _load_extension(db)
        db.execute("PRAGMA page_size = 16384")  # of which a vector needs fewer
        use_wal(db, busy=apsw.BusyError, seconds=_SECONDS / 2)
        with transaction(db):
            _make_tables(db)
        db.set_progress_handler(_is_over, _STEPS)
    except BaseException:
        db.close()
        raise
    return db


def _load_extension(db: apsw.Connection) -> None:
    db.enable_load_extension(True)
    try:
        db.load_extension(sqlite_vec.loadable_path())
    except apsw.ExtensionLoadingError as error:
        raise VectorsUnsupported(
            f"sqlite-vec cannot be used on this machine ({error}): let FLOWRUNNER_VECTORS name a "
            "PostgreSQL database"
        ) from error
    finally:
        db.enable_load_extension(False)


def _is_over() -> bool:
    check_time()
    return False


def _make_tables(db: apsw.Connection) -> None:
    found = db.pragma("user_version")
    if found == 0:
        if db.execute("SELECT 1 FROM sqlite_schema").fetchall():
            raise apsw.SQLError("the file holds something else")
        db.execute(_TABLES)
    elif found != _SCHEMA:
        raise apsw.SQLError(
            f"its tables are of version {found}, which this Flowrunner does not know"
        )


def _row(db: apsw.Connection, query: str, given: Sequence[Any]) -> Any:
    return next(iter(db.execute(query, given).fetchall()), None)


def _collection(db: apsw.Connection, space: str, name: str) -> tuple[int, MadeBy] | None:
    row = _row(db, _COLLECTION, (space, name))
    return (row[0], MadeBy(model=row[1], dimensions=row[2])) if row else None


def _made(db: apsw.Connection, space: str, name: str, made_by: MadeBy, *, rebuild: bool) -> int:
    """The collection, made if it is missing or to be built anew."""
    found = _collection(db, space, name)
    if found and found[1] == made_by:
        return found[0]
    if found:
        if not rebuild:
            raise MadeByAnother(found[1])
        _drop(db, found[0])
    query = "INSERT INTO collections (space, name, model, dimensions) VALUES (?, ?, ?, ?)"
    db.execute(query, (space, name, made_by.model, made_by.dimensions))
    return db.last_insert_rowid()


def _put(db: apsw.Connection, where: int, filled: Filled) -> None:
    document = filled.document
    told = (
        document.fingerprint,
        document.title,
        document.source,
        json.dumps(document.metadata),
        where,
        document.id,
    )
    update = (
        "UPDATE documents SET fingerprint = ?, title = ?, source = ?, metadata = ? "
        "WHERE collection = ? AND name = ? RETURNING id"
    )
    there = _row(db, update, told)
    if filled.passages is None:
        return
    if there is None:
        columns = "(fingerprint, title, source, metadata, collection, name)"
        insert = f"INSERT INTO documents {columns} VALUES (?, ?, ?, ?, ?, ?) RETURNING id"
        there = _row(db, insert, told)
    db.execute("DELETE FROM passages WHERE document = ?", there)
    db.executemany(
        "INSERT INTO passages (collection, document, number, first, last, vector, text) "
        "VALUES (?, ?, ?, ?, ?, ?, ?)",
        (
            (where, there[0], number, one.start, one.end, vector.tobytes(), one.text)
            for number, (one, vector) in enumerate(filled.passages)
        ),
    )


def _delete(
    db: apsw.Connection, where: int, ids: Sequence[str] | None, chooses: Chooses
) -> Deleted:
    query = f"SELECT {_DOCUMENT} FROM documents WHERE collection = ?"
    if ids is None:
        rows = db.execute(query, (where,))
    else:
        rows = db.execute(f"SELECT {_DOCUMENT} FROM documents WHERE {_NAMED}", (where, _list(ids)))
    chosen = [(row[0],) for row in rows.fetchall() if chooses(_document(row))]
    before = db.total_changes()
    db.executemany("DELETE FROM passages WHERE document = ?", chosen)
    passages = db.total_changes() - before
    db.executemany("DELETE FROM documents WHERE id = ?", chosen)
    _drop_if_empty(db, where)
    return Deleted(documents=len(chosen), passages=passages)


def _list(ids: Sequence[str]) -> str:
    return json.dumps([*ids])


def _drop_if_empty(db: apsw.Connection, where: int) -> None:
    if not _row(db, "SELECT 1 FROM documents WHERE collection = ? LIMIT 1", (where,)):
        _drop(db, where)


def _drop(db: apsw.Connection, where: int) -> None:
    for table in ("passages", "documents"):
        db.execute(f"DELETE FROM {table} WHERE collection = ?", (where,))
    db.execute("DELETE FROM collections WHERE id = ?", (where,))


def _nearest(
    db: apsw.Connection, where: int, vector: Vector, limit: int, chooses: Chooses | None
) -> list[Found]:
    most = limit if chooses is None else -1
    found: list[Found] = []
    documents: dict[int, Document | None] = {}
    for id, document, distance in _each(db, _NEAREST, (vector.tobytes(), where, most)):
        if document not in documents:
            query = f"SELECT {_DOCUMENT} FROM documents WHERE id = ?"
            known = _document(_row(db, query, (document,)))
            documents[document] = known if chooses is None or chooses(known) else None
        if (chosen := documents[document]) is not None:
            found.append(_found(db, id, chosen, 1 - distance))
            if len(found) == limit:
                break
    return found


def _each(db: apsw.Connection, query: str, given: Sequence[Any]) -> Iterator[Any]:
    """Rows as they are asked for, in a cursor that is closed with them."""
    cursor = db.cursor()
    try:
        yield from cursor.execute(query, given)
    finally:
        cursor.close()


def _found(db: apsw.Connection, id: int, document: Document, score: float) -> Found:
    number, first, last, text = _row(
        db, "SELECT number, first, last, text FROM passages WHERE id = ?", (id,)
    )
    passage = Passage(text=text, start=first, end=last)
    return Found(document=document, number=number, passage=passage, score=score)


def _document(row: Sequence[Any]) -> Document:
    _, name, fingerprint, title, source, metadata = row
    return Document(
        id=name,
        fingerprint=fingerprint,
        title=title,
        source=source,
        metadata=json.loads(metadata),
    )
