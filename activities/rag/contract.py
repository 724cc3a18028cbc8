"""What a store of vectors promises: five methods, and the same tests for every store."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from array import array
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Self, TypeAlias

from activities.rag.passages import Passage
from flowspec.values import JsonObject

__all__ = [
    "MOST_DIMENSIONS",
    "Chooses",
    "Deleted",
    "Document",
    "Filled",
    "Found",
    "MadeBy",
    "MadeByAnother",
    "Vector",
    "VectorStore",
    "VectorStoreError",
    "VectorsUnsupported",
    "direction_of",
]

MOST_DIMENSIONS: Final = 16_000
"""As many as pgvector takes."""

Vector: TypeAlias = "array[float]"
"""Numbers of 32 bits, of length 1 as a vector, or all 0."""


class VectorStoreError(Exception):
    """The store cannot be used now; the message has no credentials in it."""


class VectorsUnsupported(Exception):
    """The store will not work before the operator has done something, which the message says."""


@dataclass(frozen=True, kw_only=True)
class MadeBy:
    """What made the vectors of a collection: vectors of others cannot be compared with them."""

    model: str
    dimensions: int


class MadeByAnother(Exception):
    """The vectors that are there were made by `there`."""

    def __init__(self, there: MadeBy) -> None:
        super().__init__(there)
        self.there = there


@dataclass(frozen=True, kw_only=True)
class Document:
    """What is known of a document. `fingerprint` stands for its text and how it was cut."""

    id: str
    fingerprint: str
    title: str | None = None
    source: str | None = None
    metadata: JsonObject


Chooses: TypeAlias = Callable[[Document], bool]


@dataclass(frozen=True, kw_only=True)
class Filled:
    """A document with its passages, each with its vector; None leaves those that are there."""

    document: Document
    passages: Sequence[tuple[Passage, Vector]] | None


@dataclass(frozen=True, kw_only=True)
class Found:
    """A passage: the one of that `number` of its document, counted from 0. `score` is the cosine
    of the angle between its vector and what was looked for; 0 if one of them is all 0."""

    document: Document
    number: int
    passage: Passage
    score: float


@dataclass(frozen=True, kw_only=True)
class Deleted:
    """How many there were."""

    documents: int
    passages: int


class VectorStore(ABC):
    """Documents by space, collection and id. No method sees anything of another space.

    Every method may be called from many tasks and processes at once, sees at once what any other
    has written, and raises `VectorStoreError` and `VectorsUnsupported` alone beside what is said
    of it, in bounded time. A store opens itself at its first use, and makes the tables it needs.
    A collection is there as long as there are documents in it.
    """

    name: str
    """What kind of store this is, for people."""

    @abstractmethod
    async def made_by(self, space: str, collection: str) -> MadeBy | None:
        """What made its vectors; None if there is no such collection."""

    @abstractmethod
    async def fingerprints(self, space: str, collection: str, ids: Sequence[str]) -> dict[str, str]:
        """Of those of the documents that are there."""

    @abstractmethod
    async def put(
        self,
        space: str,
        collection: str,
        made_by: MadeBy,
        documents: Sequence[Filled],
        *,
        rebuild: bool = False,
    ) -> None:
        """Write all of it as one: each document replaces the one of its id with its passages.

        Once it returns, what was written survives a crash. One without passages that is not there
        is left out. If the vectors there were made by another, raises `MadeByAnother`, or with
        `rebuild` deletes everything in the collection first.
        """

    @abstractmethod
    async def delete(
        self, space: str, collection: str, ids: Sequence[str] | None, chooses: Chooses
    ) -> Deleted:
        """Delete those of the documents, None for all of them, that `chooses` chooses, as one."""

    @abstractmethod
    async def nearest(
        self, space: str, collection: str, vector: Vector, *, limit: int, chooses: Chooses | None
    ) -> list[Found]:
        """The passages with the best scores, the best first, of documents that are chosen.

        The vector is as long as those of the collection. Empty if there is none.
        """

    async def close(self) -> None:  # noqa: B027 - a store may have nothing to give back
        """Give back what was opened; may be called twice."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()


def direction_of(numbers: Sequence[float]) -> Vector:
    """The vector of length 1 that points where the numbers do; raises ValueError for infinite
    ones. What is all 0 points nowhere, and stays so."""
    length = math.hypot(*numbers)
    if not math.isfinite(length):
        raise ValueError("not all numbers are finite")
    return array("f", [each / length for each in numbers] if length else numbers)
