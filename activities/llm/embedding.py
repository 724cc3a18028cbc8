"""Vectors of texts, for whoever needs them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pydantic import BaseModel

from activities.attempt import Attempt
from activities.llm.asking import ask, malformed, read
from activities.llm.dialect import url_at
from activities.llm.embed import EmbeddingModel
from activities.llm.endpoint import Spent
from activities.llm.openai import BASE_URL, OpenAiUsage, headers
from flowspec.values import JsonObject

__all__ = ["Embedded", "embed"]


@dataclass(frozen=True, kw_only=True)
class Embedded:
    """A vector for each text, all of the same length; `spent` holds what attempts before took."""

    vectors: list[list[float]]
    model: str
    spent: Spent

    @property
    def dimensions(self) -> int:
        return len(self.vectors[0]) if self.vectors else 0


class _Vector(BaseModel):
    index: int
    embedding: list[float]


class _Answer(BaseModel):
    data: list[_Vector]
    model: str | None = None
    usage: OpenAiUsage | None = None


async def embed(texts: Sequence[str], model: EmbeddingModel, attempt: Attempt) -> Embedded:
    """The vectors, in the order of the texts; fails with one of `ENDPOINT_ERRORS`.

    Asks for `model.batch` at a time, and tells by heartbeats how far it is.
    """
    url = url_at(model.base_url or BASE_URL, "embeddings")
    vectors: list[list[float]] = []
    name, spent = model.model, Spent.of_progress(attempt.progress)
    for start in range(0, len(texts), model.batch):
        some = texts[start : start + model.batch]
        answer = await _asked(some, model, url, attempt)
        found = {each.index: each.embedding for each in answer.data}
        if found.keys() != set(range(len(some))):
            raise malformed(url, f"{len(found)} vectors for {len(some)} texts")
        vectors += [found[index] for index in range(len(some))]
        spent += answer.usage.spent() if answer.usage else Spent(calls=1, told=False)
        name = answer.model or name
        attempt.heartbeat({"texts": len(vectors), "of": len(texts), **spent.progress()})
    if len({len(each) for each in vectors}) > 1:
        raise malformed(url, "vectors of different lengths")
    return Embedded(vectors=vectors, model=name, spent=spent)


async def _asked(some: Sequence[str], model: EmbeddingModel, url: str, attempt: Attempt) -> _Answer:
    body: JsonObject = {"model": model.model, "input": [*some]}
    if model.dimensions is not None:
        body["dimensions"] = model.dimensions
    found = await ask(model, url, headers(model.api_key), {**body, **model.extra}, attempt)
    return await read(url, found, _Answer.model_validate)
