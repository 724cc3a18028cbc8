"""A store of vectors in a PostgreSQL database with the extension pgvector."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final, TypeVar

import asyncpg

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
from activities.store.pool import Connection, Pool, PoolTrouble

__all__ = ["PostgresVectorStore"]

T = TypeVar("T")

_SECONDS: Final = 60.0
_NUMBERS_A_SECOND: Final = 200_000
_SCHEMA: Final = 1
_PAGE: Final = 100
_MAKING_TABLES: Final = 7_306_357_456_645_743_974
"""A lock that whoever makes the tables holds: any number that nobody else uses."""

_TABLES: Final = f"""
    CREATE TABLE flowrunner_vector_collections (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, space text NOT NULL,
        name text NOT NULL, model text NOT NULL, dimensions integer NOT NULL,
        UNIQUE (space, name));
    CREATE TABLE flowrunner_vector_documents (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        collection bigint NOT NULL REFERENCES flowrunner_vector_collections ON DELETE CASCADE,
        name text NOT NULL, fingerprint text NOT NULL, title text, source text,
        metadata text NOT NULL, UNIQUE (collection, name));
    CREATE TABLE flowrunner_vector_passages (
        document bigint NOT NULL REFERENCES flowrunner_vector_documents ON DELETE CASCADE,
        number integer NOT NULL, collection bigint NOT NULL, first integer NOT NULL,
        last integer NOT NULL, text text NOT NULL, vector vector NOT NULL,
        PRIMARY KEY (document, number));
    CREATE INDEX flowrunner_vector_passages_collection ON flowrunner_vector_passages (collection);
    CREATE TABLE flowrunner_vectors (version integer NOT NULL);
    INSERT INTO flowrunner_vectors VALUES ({_SCHEMA});
"""
_COLLECTION: Final = """
    SELECT id, model, dimensions FROM flowrunner_vector_collections WHERE space = $1 AND name = $2
"""
_NEW_COLLECTION: Final = """
    INSERT INTO flowrunner_vector_collections (space, name, model, dimensions)
    VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING
"""
_UPDATE: Final = """
    UPDATE flowrunner_vector_documents SET fingerprint = $3, title = $4, source = $5, metadata = $6
    WHERE collection = $1 AND name = $2 RETURNING id
"""
_INSERT: Final = """
    INSERT INTO flowrunner_vector_documents
    (collection, name, fingerprint, title, source, metadata) VALUES ($1, $2, $3, $4, $5, $6)
    RETURNING id
"""
_PASSAGE: Final = """
    INSERT INTO flowrunner_vector_passages
    (collection, document, number, first, last, text, vector)
    VALUES ($1, $2, $3, $4, $5, $6, $7::text::vector)
"""
_CHOICE: Final = """
    SELECT id, name, fingerprint, title, source, metadata FROM flowrunner_vector_documents
    WHERE collection = $1 AND ($2::text[] IS NULL OR name = ANY($2))
"""
_PASSAGES_OF: Final = "SELECT count(*) FROM flowrunner_vector_passages WHERE document = ANY($1)"
# The vectors have length 1, so that what pgvector calls the inner product is the cosine.
_NEAREST: Final = """
    WITH nearest AS (
        SELECT document, number, vector <#> $1::text::vector AS distance
        FROM flowrunner_vector_passages WHERE collection = $2
        ORDER BY distance, document, number LIMIT $3)
    SELECT d.id, d.name, d.fingerprint, d.title, d.source, d.metadata,
        p.number, p.first, p.last, p.text, -n.distance
    FROM nearest n JOIN flowrunner_vector_passages p USING (document, number)
    JOIN flowrunner_vector_documents d ON d.id = n.document
    ORDER BY n.distance, n.document, n.number
"""


class PostgresVectorStore(VectorStore):
    """In tables of its own, `flowrunner_vector…`, in the schema that the search path begins with.

    A search looks at every vector of the collection.
    """

    name = "postgresql"

    def __init__(self, url: str) -> None:
        self._pool = Pool(url, "FLOWRUNNER_VECTORS", _make_tables)

    async def made_by(self, space: str, collection: str) -> MadeBy | None:
        async def work(db: Connection) -> MadeBy | None:
            found = await _collection(db, space, collection)
            return found[1] if found else None

        return await self._run(work)

    async def fingerprints(self, space: str, collection: str, ids: Sequence[str]) -> dict[str, str]:
        query = (
            "SELECT d.name, d.fingerprint FROM flowrunner_vector_documents d "
            "JOIN flowrunner_vector_collections c ON c.id = d.collection "
            "WHERE c.space = $1 AND c.name = $2 AND d.name = ANY($3)"
        )
        rows = await self._run(lambda db: db.fetch(query, space, collection, [*ids]))
        return dict(rows)

    async def put(
        self,
        space: str,
        collection: str,
        made_by: MadeBy,
        documents: Sequence[Filled],
        *,
        rebuild: bool = False,
    ) -> None:
        async def work(db: Connection) -> None:
            async with db.transaction(isolation="read_committed"):
                where = await _made(db, space, collection, made_by, rebuild=rebuild)
                for each in documents:
                    await _put(db, where, each)
                await _drop_if_empty(db, where)

        numbers = made_by.dimensions * sum(len(each.passages or ()) for each in documents)
        await self._run(work, seconds=_SECONDS + numbers / _NUMBERS_A_SECOND)

    async def delete(
        self, space: str, collection: str, ids: Sequence[str] | None, chooses: Chooses
    ) -> Deleted:
        async def work(db: Connection) -> Deleted:
            async with db.transaction(isolation="read_committed"):
                found = await _collection(db, space, collection, locked=True)
                if found is None:
                    return Deleted(documents=0, passages=0)
                return await _delete(db, found[0], ids, chooses)

        return await self._run(work)

    async def nearest(
        self, space: str, collection: str, vector: Vector, *, limit: int, chooses: Chooses | None
    ) -> list[Found]:
        async def work(db: Connection) -> list[Found]:
            async with db.transaction(isolation="repeatable_read", readonly=True):
                found = await _collection(db, space, collection)
                return await _nearest(db, found[0], vector, limit, chooses) if found else []

        return await self._run(work)

    async def close(self) -> None:
        await self._pool.close()

    async def _run(
        self, work: Callable[[Connection], Awaitable[T]], *, seconds: float = _SECONDS
    ) -> T:
        try:
            return await self._pool.run(work, seconds=seconds)
        except PoolTrouble as error:
            raise VectorStoreError(f"the vectors in PostgreSQL: {error}") from error


async def _make_tables(db: Connection) -> None:
    async with db.transaction(isolation="read_committed"):
        await db.execute("SELECT pg_advisory_xact_lock($1)", _MAKING_TABLES)
        await _make_extension(db)
        if await db.fetchval("SELECT to_regclass('flowrunner_vectors')") is None:
            await db.execute(_TABLES)
        found = await db.fetchval("SELECT max(version) FROM flowrunner_vectors")
    if found != _SCHEMA:
        raise PoolTrouble(f"its tables are of version {found}, which this Flowrunner does not know")


async def _make_extension(db: Connection) -> None:
    if await db.fetchval("SELECT 1 FROM pg_extension WHERE extname = 'vector'"):
        return
    try:
        await db.execute("CREATE EXTENSION vector")
    except asyncpg.InsufficientPrivilegeError as error:
        raise VectorsUnsupported(
            "the PostgreSQL database of FLOWRUNNER_VECTORS lacks the extension vector, and its "
            "user may not add it: have an administrator run CREATE EXTENSION vector there"
        ) from error
    except (asyncpg.FeatureNotSupportedError, asyncpg.UndefinedFileError) as error:
        raise VectorsUnsupported(
            "the PostgreSQL server of FLOWRUNNER_VECTORS does not have pgvector: install it there "
            "(on Debian the package postgresql-NN-pgvector), or let the setting name a file"
        ) from error


async def _collection(
    db: Connection, space: str, name: str, *, locked: bool = False
) -> tuple[int, MadeBy] | None:
    """Whoever writes locks it, so that it does not go, and documents are written one by one."""
    row = await db.fetchrow(_COLLECTION + (" FOR UPDATE" if locked else ""), space, name)
    return (row[0], MadeBy(model=row[1], dimensions=row[2])) if row else None


async def _made(db: Connection, space: str, name: str, made_by: MadeBy, *, rebuild: bool) -> int:
    """The collection, made if it is missing or to be built anew, and locked."""
    while True:
        await db.execute(_NEW_COLLECTION, space, name, made_by.model, made_by.dimensions)
        found = await _collection(db, space, name, locked=True)
        if found is None:  # somebody has just deleted it
            continue
        if found[1] == made_by:
            return found[0]
        if not rebuild:
            raise MadeByAnother(found[1])
        await _drop(db, found[0])


async def _put(db: Connection, where: int, filled: Filled) -> None:
    document = filled.document
    told = (document.fingerprint, document.title, document.source, json.dumps(document.metadata))
    there = await db.fetchval(_UPDATE, where, document.id, *told)
    if filled.passages is None:
        return
    if there is None:
        there = await db.fetchval(_INSERT, where, document.id, *told)
    await db.execute("DELETE FROM flowrunner_vector_passages WHERE document = $1", there)
    await db.executemany(
        _PASSAGE,
        (
            (where, there, number, one.start, one.end, one.text, _text(vector))
            for number, (one, vector) in enumerate(filled.passages)
        ),
    )


async def _delete(
    db: Connection, where: int, ids: Sequence[str] | None, chooses: Chooses
) -> Deleted:
    rows = await db.fetch(_CHOICE, where, None if ids is None else [*ids])
    chosen = [row[0] for row in rows if chooses(_document(row))]
    passages = await db.fetchval(_PASSAGES_OF, chosen)
    await db.execute("DELETE FROM flowrunner_vector_documents WHERE id = ANY($1)", chosen)
    await _drop_if_empty(db, where)
    return Deleted(documents=len(chosen), passages=passages)


async def _drop_if_empty(db: Connection, where: int) -> None:
    query = "SELECT 1 FROM flowrunner_vector_documents WHERE collection = $1 LIMIT 1"
    if await db.fetchval(query, where) is None:
        await _drop(db, where)


async def _drop(db: Connection, where: int) -> None:
    await db.execute("DELETE FROM flowrunner_vector_collections WHERE id = $1", where)


async def _nearest(
    db: Connection, where: int, vector: Vector, limit: int, chooses: Chooses | None
) -> list[Found]:
    most = limit if chooses is None else None
    found: list[Found] = []
    async for row in db.cursor(_NEAREST, _text(vector), where, most, prefetch=_PAGE):
        document = _document(row)
        if chooses is None or chooses(document):
            found.append(_found(row, document))
            if len(found) == limit:
                break
    return found


def _text(vector: Vector) -> str:
    """As pgvector reads it."""
    return f"[{','.join(format(each, '.9g') for each in vector)}]"


def _found(row: Any, document: Document) -> Found:
    number, first, last, text, score = row[6:]
    passage = Passage(text=text, start=first, end=last)
    return Found(document=document, number=number, passage=passage, score=score)


def _document(row: Any) -> Document:
    return Document(
        id=row[1],
        fingerprint=row[2],
        title=row[3],
        source=row[4],
        metadata=json.loads(row[5]),
    )
