"""Indexing documents: what has changed is cut, embedded and written, some of it at a time."""

from __future__ import annotations

import hashlib
import json
from collections.abc import AsyncGenerator, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Final

from activities.aside import aside
from activities.attempt import Attempt
from activities.errors import INVALID_PARAMS, NodeFailed
from activities.llm.embedding import embed
from activities.llm.endpoint import Spent
from activities.pieces import CONTENT_TOO_LARGE, charset_of
from activities.rag.contract import Document, Filled, MadeBy, MadeByAnother, Vector, VectorStore
from activities.rag.directions import direction
from activities.rag.options import other_model, told, vectors_of
from activities.rag.params import Chunking, IndexParams, IndexResult, SourceDocument
from activities.rag.passages import Passage, passages_of
from activities.store.options import space_of
from flowspec.values import Json

__all__ = ["indexed"]

_MOST_BYTES: Final = 10_000_000
_MOST_PASSAGES: Final = 10_000
_CUTTING: Final = 1
"""Grows when passages are made otherwise of the same text."""


@dataclass(frozen=True, kw_only=True)
class _Counts:
    """How far it is: the first `done` documents are written."""

    done: int = 0
    unchanged: int = 0
    chunks: int = 0
    embedded: int = 0

    @classmethod
    def of_progress(cls, progress: Json) -> _Counts:
        counts = progress.get("counts") if isinstance(progress, dict) else None
        return cls(**counts) if isinstance(counts, dict) else cls()  # type: ignore[arg-type]


@dataclass(frozen=True, kw_only=True)
class _Cut:
    """A document with its passages; None if they are there already."""

    document: Document
    passages: Sequence[Passage] | None


async def indexed(params: IndexParams, attempt: Attempt) -> IndexResult:
    """What `rag.index` gives."""
    space, store = space_of(attempt, params.shared), await vectors_of(attempt)
    work = _Indexing(params, attempt, store, space)
    with told():
        await work.run()
    return {
        "documents": len(params.documents),
        "unchanged": work.counts.unchanged,
        "chunks": work.counts.chunks,
        "embedded": work.counts.embedded,
        "usage": work.spent.usage(),
        "cost": work.spent.cost(params.embedding.price),
    }


class _Indexing:
    """Goes on after what the attempt before has written."""

    def __init__(
        self, params: IndexParams, attempt: Attempt, store: VectorStore, space: str
    ) -> None:
        self._params = params
        self._attempt = attempt
        self._store = store
        self._space = space
        self._made_by: MadeBy | None = None
        self.counts = _Counts.of_progress(attempt.progress)
        self.spent = Spent.of_progress(attempt.progress)

    async def run(self) -> None:
        self._made_by = await self._there()
        some: list[_Cut] = []
        async for cut in self._cuts():
            some.append(cut)
            if sum(len(each.passages or ()) for each in some) >= self._params.embedding.batch:
                await self._write(some)
                some = []
        if some:
            await self._write(some)

    async def _there(self) -> MadeBy | None:
        """What made the vectors that are there and stay; fails if they are another model's."""
        there = await self._store.made_by(self._space, self._params.collection)
        model, dimensions = self._params.embedding.model, self._params.embedding.dimensions
        if there is None or (there.model == model and dimensions in (None, there.dimensions)):
            return there
        if self._params.rebuild:
            return None
        raise other_model(self._params.collection, there, model, dimensions)

    async def _cuts(self) -> AsyncGenerator[_Cut]:
        known: dict[str, str] = {}
        left = self._params.documents[self.counts.done :]
        if self._made_by is not None:
            ids = [each.id for each in left]
            known = await self._store.fingerprints(self._space, self._params.collection, ids)
        for each in left:
            text = await _text(each)
            yield await aside(
                lambda each=each, text=text: _cut(  # type: ignore[misc]
                    each, text, self._params.chunking, known.get(each.id)
                ),
                over=text,
            )

    async def _write(self, some: Sequence[_Cut]) -> None:
        """Make the vectors of these documents, and write them as one."""
        passages = [one for each in some for one in each.passages or ()]
        vectors = iter(await self._embedded([one.text for one in passages]))
        if self._made_by is not None:  # otherwise there has been no text yet
            filled = [_filled(each, [next(vectors) for _ in each.passages or ()]) for each in some]
            await self._put(filled, self._made_by)
        self.counts = replace(
            self.counts,
            done=self.counts.done + len(some),
            unchanged=self.counts.unchanged + sum(each.passages is None for each in some),
            chunks=self.counts.chunks + len(passages),
        )
        self._tell()

    async def _embedded(self, texts: Sequence[str]) -> list[Vector]:
        """A batch at a time: before they are vectors, they take eight times the memory."""
        model = self._params.embedding
        vectors: list[Vector] = []
        for start in range(0, len(texts), model.batch):
            attempt = replace(self._attempt, progress=self.spent.progress(), beat=_unheard)
            made = await embed(texts[start : start + model.batch], model, attempt)
            self._check_length(made.dimensions)
            vectors += [direction(each, model) for each in made.vectors]
            self.spent = made.spent
            self.counts = replace(self.counts, embedded=self.counts.embedded + len(made.vectors))
            self._tell()
        return vectors

    def _check_length(self, dimensions: int) -> None:
        made_by = MadeBy(model=self._params.embedding.model, dimensions=dimensions)
        self._made_by = self._made_by or made_by
        if self._made_by != made_by:
            where = self._params.collection
            raise other_model(where, self._made_by, made_by.model, dimensions)

    async def _put(self, filled: Sequence[Filled], made_by: MadeBy) -> None:
        where, rebuild = self._params.collection, self._params.rebuild
        try:
            await self._store.put(self._space, where, made_by, filled, rebuild=rebuild)
        except MadeByAnother as error:  # who was quicker than this
            raise other_model(where, error.there, made_by.model, made_by.dimensions) from error

    def _tell(self) -> None:
        """For who watches, and for the next attempt."""
        self._attempt.heartbeat(
            {
                "documents": self.counts.done,
                "of": len(self._params.documents),
                "counts": asdict(self.counts),
                **self.spent.progress(),
            }
        )


def _unheard(progress: Json) -> None:
    """Of a batch nothing is told that the whole does not tell."""


async def _text(document: SourceDocument) -> str:
    size = await document.text.size()
    if size > _MOST_BYTES:
        raise NodeFailed(
            CONTENT_TOO_LARGE,
            f"the document {document.id!r} has {size:,} bytes, more than {_MOST_BYTES:,}: index "
            "its parts as documents of their own",
        )
    charset = await charset_of(document.text) or "utf-8"
    try:
        text = (await document.text.read()).decode(charset)
    except (UnicodeDecodeError, LookupError):
        text = "\0"
    if "\0" in text:
        raise NodeFailed(
            INVALID_PARAMS,
            f"the document {document.id!r} is not text in {charset}: make text of it first",
        )
    return text


def _cut(given: SourceDocument, text: str, chunking: Chunking, known: str | None) -> _Cut:
    fingerprint = _fingerprint(text, chunking)
    document = Document(
        id=given.id,
        fingerprint=fingerprint,
        title=given.title,
        source=given.source,
        metadata=given.metadata,
    )
    if known == fingerprint:
        return _Cut(document=document, passages=None)
    passages: list[Passage] = []
    for one in passages_of(text, chunking.size, chunking.overlap):
        passages.append(one)
        if len(passages) > _MOST_PASSAGES:
            raise NodeFailed(
                CONTENT_TOO_LARGE,
                f"the document {given.id!r} has more than {_MOST_PASSAGES:,} passages: let "
                "chunking.size be greater, or index its parts as documents of their own",
            )
    return _Cut(document=document, passages=passages)


def _fingerprint(text: str, chunking: Chunking) -> str:
    """The same for texts whose passages are the same."""
    cutting = json.dumps([_CUTTING, chunking.size, chunking.overlap])
    return hashlib.sha256(f"{cutting}\n{text}".encode()).hexdigest()


def _filled(cut: _Cut, vectors: Sequence[Vector]) -> Filled:
    if cut.passages is None:
        return Filled(document=cut.document, passages=None)
    return Filled(document=cut.document, passages=[*zip(cut.passages, vectors, strict=True)])
