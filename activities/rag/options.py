"""Where vectors are kept, and what goes wrong there."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from activities.attempt import Attempt
from activities.errors import NodeFailed, needing_extra
from activities.rag.contract import (
    MadeBy,
    VectorStore,
    VectorStoreError,
    VectorsUnsupported,
)
from activities.store.options import read_place
from flowspec.catalogue import ErrorType

__all__ = [
    "COLLECTION_MISSING",
    "OTHER_MODEL",
    "VECTORS_UNAVAILABLE",
    "VECTORS_UNSUPPORTED",
    "VectorOptions",
    "VectorPlace",
    "other_model",
    "read_vector_place",
    "told",
    "vectors_of",
]

VECTORS_UNAVAILABLE = ErrorType(
    name="VectorsUnavailable",
    permanent=False,
    meaning="The store of vectors cannot be reached, or is too busy",
)
VECTORS_UNSUPPORTED = ErrorType(
    name="VectorsUnsupported",
    permanent=True,
    meaning="The database has no pgvector, or the machine cannot use sqlite-vec; the message says "
    "what the operator can do",
)
OTHER_MODEL = ErrorType(
    name="OtherModel",
    permanent=True,
    meaning="The collection has vectors of another model, or of another length; the message names "
    "both",
)

COLLECTION_MISSING = ErrorType(
    name="CollectionMissing",
    permanent=True,
    meaning="There is no such collection, or it has no documents: each flow sees its own alone, "
    "but for those in a space that it names by `shared`",
)


@dataclass(frozen=True, kw_only=True)
class VectorPlace:
    """A file, or a database. What may hold credentials is not shown."""

    path: Path | None = None
    url: str = field(default="", repr=False)

    @asynccontextmanager
    async def __call__(self) -> AsyncGenerator[VectorStore]:
        """The store: for `Resources.get`."""
        async with self._store() as store:
            yield store

    def _store(self) -> VectorStore:
        with needing_extra("vector"):
            if self.path is not None:
                from activities.rag.sqlite import SqliteVectorStore

                return SqliteVectorStore(self.path)
            from activities.rag.postgres import PostgresVectorStore

            return PostgresVectorStore(self.url)


@dataclass(frozen=True, kw_only=True)
class VectorOptions:
    """What the operator has set."""

    place: VectorPlace | None = None


def read_vector_place(url: str) -> VectorPlace:
    """What a URL stands for; raises `ValueError`, which does not show it."""
    expected = "expected sqlite:///PATH or postgresql://USER:PASSWORD@HOST/DATABASE"
    if url.startswith("dynamodb:"):
        raise ValueError(expected)
    try:
        place = read_place(url)
    except ValueError as error:
        said = str(error)
        raise ValueError(expected if "dynamodb" in said else said) from error
    return VectorPlace(path=place.path) if place.kind == "sqlite" else VectorPlace(url=place.url)


async def vectors_of(attempt: Attempt) -> VectorStore:
    """The worker's store."""
    place = attempt.options.get(VectorOptions).place
    if place is None:
        raise NodeFailed(
            VECTORS_UNSUPPORTED,
            "this worker has no store of vectors, for its user has no home to keep it in; its "
            "setting FLOWRUNNER_VECTORS says where else",
        )
    return await attempt.resources.get(place)


@contextmanager
def told() -> Generator[None]:
    """Around what a store does: it fails in the words of these node types."""
    try:
        yield
    except VectorStoreError as error:
        raise NodeFailed(VECTORS_UNAVAILABLE, str(error)) from error
    except VectorsUnsupported as error:
        raise NodeFailed(VECTORS_UNSUPPORTED, str(error)) from error


def other_model(collection: str, there: MadeBy, model: str, dimensions: int | None) -> NodeFailed:
    """Vectors of one cannot be compared with those of the other."""
    wanted = repr(model) if dimensions is None else f"{model!r} with {dimensions} numbers each"
    return NodeFailed(
        OTHER_MODEL,
        f"the collection {collection!r} has vectors of {there.model!r} with {there.dimensions} "
        f"numbers each, not of {wanted}: use the model it was made with; or begin it anew, by "
        "rag.index with rebuild: true and all of its documents",
        details={
            "there": {"model": there.model, "dimensions": there.dimensions},
            "wanted": {"model": model, "dimensions": dimensions},
        },
    )
