"""A store of vectors in memory: for tests, and to see what a store is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

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
)
from activities.rag.passages import Passage

__all__ = ["MemoryVectorStore"]

_Passages = Sequence[tuple[Passage, Vector]]


@dataclass(kw_only=True)
class _Collection:
    made_by: MadeBy
    documents: dict[str, tuple[Document, _Passages]] = field(default_factory=dict)


class MemoryVectorStore(VectorStore):
    """Everything is lost with the process."""

    name = "memory"

    def __init__(self) -> None:
        self._collections: dict[tuple[str, str], _Collection] = {}

    async def made_by(self, space: str, collection: str) -> MadeBy | None:
        found = self._collections.get((space, collection))
        return found.made_by if found else None

    async def fingerprints(self, space: str, collection: str, ids: Sequence[str]) -> dict[str, str]:
        documents = self._documents(space, collection)
        return {id: documents[id][0].fingerprint for id in ids if id in documents}

    async def put(
        self,
        space: str,
        collection: str,
        made_by: MadeBy,
        documents: Sequence[Filled],
        *,
        rebuild: bool = False,
    ) -> None:
        there = self._collections.get((space, collection))
        if there is None or (rebuild and there.made_by != made_by):
            there = _Collection(made_by=made_by)
        if there.made_by != made_by:
            raise MadeByAnother(there.made_by)
        for each in documents:
            _, before = there.documents.get(each.document.id, (None, None))
            passages = before if each.passages is None else each.passages
            if passages is not None:
                there.documents[each.document.id] = (each.document, passages)
        if there.documents:
            self._collections[space, collection] = there

    async def delete(
        self, space: str, collection: str, ids: Sequence[str] | None, chooses: Chooses
    ) -> Deleted:
        documents = self._documents(space, collection)
        wanted = documents if ids is None else documents.keys() & set(ids)
        chosen = [id for id in wanted if chooses(documents[id][0])]
        gone = [documents.pop(id) for id in chosen]
        if not documents:
            self._collections.pop((space, collection), None)
        return Deleted(documents=len(gone), passages=sum(len(passages) for _, passages in gone))

    async def nearest(
        self, space: str, collection: str, vector: Vector, *, limit: int, chooses: Chooses | None
    ) -> list[Found]:
        found = [
            Found(document=document, number=number, passage=passage, score=_product(vector, one))
            for document, passages in self._documents(space, collection).values()
            if chooses is None or chooses(document)
            for number, (passage, one) in enumerate(passages)
        ]
        return sorted(found, key=lambda each: -each.score)[:limit]

    def _documents(self, space: str, collection: str) -> dict[str, tuple[Document, _Passages]]:
        found = self._collections.get((space, collection))
        return found.documents if found else {}


def _product(one: Vector, other: Vector) -> float:
    return sum(a * b for a, b in zip(one, other, strict=True))
