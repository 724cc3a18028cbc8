"""Finding passages, and deleting documents."""

from __future__ import annotations

from collections.abc import Sequence

from activities.attempt import Attempt
from activities.errors import INVALID_PARAMS, NodeFailed
from activities.llm.embedding import embed
from activities.llm.endpoint import Spent
from activities.rag.contract import Chooses, Document, Found, MadeBy, Vector, direction_of
from activities.rag.directions import direction
from activities.rag.options import COLLECTION_MISSING, other_model, told, vectors_of
from activities.rag.params import (
    CollectionParams,
    DeleteParams,
    DeleteResult,
    Match,
    SearchParams,
    SearchResult,
)
from activities.store.filters import Condition, fits
from activities.store.options import space_of
from flowspec.values import JsonObject

__all__ = ["deleted", "searched"]


async def searched(params: SearchParams, attempt: Attempt) -> SearchResult:
    """What `rag.search` gives."""
    space, store = space_of(attempt, params.shared), await vectors_of(attempt)
    with told():
        there = await store.made_by(space, params.collection)
        if there is None:
            raise _missing(params)
        vector, spent = await _sought(params, there, attempt)
        chooses = _chooses(params.where) if params.where else None
        found = await store.nearest(
            space, params.collection, vector, limit=params.limit, chooses=chooses
        )
    matches = _matches(found, params)
    return {
        "matches": matches,
        "context": "\n\n".join(map(_numbered, matches)),
        "usage": spent.usage(),
        "cost": spent.cost(params.embedding.price if params.embedding else None),
    }


async def deleted(params: DeleteParams, attempt: Attempt) -> DeleteResult:
    """What `rag.delete` gives."""
    space, store = space_of(attempt, params.shared), await vectors_of(attempt)
    with told():
        gone = await store.delete(
            space, params.collection, params.ids, _chooses(params.where or [])
        )
    return {"documents": gone.documents, "chunks": gone.passages}


def _missing(params: CollectionParams) -> NodeFailed:
    if params.shared is None:
        where, hint = "of this flow", "; what another flow indexes has to be `shared` by both"
    else:
        where, hint = f"in the shared space {params.shared!r}", ""
    return NodeFailed(
        COLLECTION_MISSING,
        f"there is no collection {params.collection!r} {where}: rag.index makes it{hint}",
    )


async def _sought(params: SearchParams, there: MadeBy, attempt: Attempt) -> tuple[Vector, Spent]:
    """The vector to look for, and what it took to make it."""
    if params.vector is not None:
        return _given(params.vector, there), Spent()
    model = params.embedding
    assert model is not None
    assert params.query is not None
    if model.model != there.model:
        raise other_model(params.collection, there, model.model, model.dimensions)
    made = await embed([params.query], model, attempt)
    if made.dimensions != there.dimensions:
        raise other_model(params.collection, there, model.model, made.dimensions)
    return direction(made.vectors[0], model), made.spent


def _given(numbers: Sequence[float], there: MadeBy) -> Vector:
    if len(numbers) != there.dimensions:
        raise NodeFailed(
            INVALID_PARAMS,
            f"the vector has {len(numbers)} numbers, those of the collection {there.dimensions}: "
            f"let {there.model!r} make it",
        )
    try:
        return direction_of(numbers)
    except ValueError as error:
        raise NodeFailed(INVALID_PARAMS, f"the vector: {error}") from error


def _chooses(where: Sequence[Condition]) -> Chooses:
    def chooses(document: Document) -> bool:
        known: JsonObject = {
            "id": document.id,
            "title": document.title,
            "source": document.source,
            "metadata": document.metadata,
        }
        return all(fits(known, condition) for condition in where)

    return chooses


def _matches(found: Sequence[Found], params: SearchParams) -> list[Match]:
    matches: list[Match] = []
    size = 0
    for each in found:
        size += len(each.passage.text)
        if each.score < params.min_score or (matches and size > params.max_chars):
            break
        matches.append(_match(len(matches) + 1, each))
    return matches


def _match(number: int, found: Found) -> Match:
    document, passage = found.document, found.passage
    return {
        "number": number,
        "text": passage.text,
        "score": round(found.score, 6),
        "citation": {
            "id": document.id,
            "title": document.title,
            "source": document.source,
            "start": passage.start,
            "end": passage.end,
            "chunk": found.number,
        },
        "metadata": document.metadata,
    }


def _numbered(match: Match) -> str:
    about = match["citation"]
    name = about["title"] or about["id"]
    source = f" ({about['source']})" if about["source"] else ""
    return f"[{match['number']}] {name}{source}\n{match['text']}"
