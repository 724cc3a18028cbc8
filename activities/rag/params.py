"""Parameters and results of the node types `rag.*`."""

from __future__ import annotations

import json
from typing import Annotated, Self

from pydantic import AfterValidator, Field, model_validator
from typing_extensions import TypedDict

from activities.blobs import Blob
from activities.declaration import Params
from activities.llm.embed import EmbeddingModel
from activities.llm.endpoint import Usage
from activities.store.filters import Condition
from activities.store.params import SpaceParams
from flowspec.values import Json

__all__ = [
    "Chunking",
    "Citation",
    "CollectionParams",
    "DeleteParams",
    "DeleteResult",
    "IndexParams",
    "IndexResult",
    "Match",
    "SearchParams",
    "SearchResult",
    "SourceDocument",
]

_MOST_DOCUMENTS = 1_000
_MOST_MATCHES = 200
_MOST_METADATA = 16 * 1024

_Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]{1,64}$")]
_Id = Annotated[str, Field(pattern=r"^[^\x00-\x1f\x7f]{1,500}$")]
_Line = Annotated[str, Field(pattern=r"^[^\x00-\x1f\x7f]{1,2000}$")]


def _check_metadata(metadata: dict[str, Json]) -> dict[str, Json]:
    size = len(json.dumps(metadata).encode())
    if size > _MOST_METADATA:
        raise ValueError(f"expected at most {_MOST_METADATA} bytes as JSON, found {size}")
    return metadata


_Where = Annotated[list[Condition], Field(max_length=100)]


class CollectionParams(SpaceParams):
    """Which collection."""

    collection: _Name
    """The collection's name: each has documents of its own."""


class SourceDocument(Params):
    """A document."""

    id: _Id
    """What it is known by, such as its path; indexed again, it replaces itself."""
    text: Blob
    """The text: JSON as it is written, or what a node has kept, such as `content` of `file.read`
    with `save`. 10 MB at most."""
    title: _Line | None = None
    """What it is called, in one line."""
    source: _Line | None = None
    """Where it is from, such as a URL."""
    metadata: Annotated[dict[str, Json], AfterValidator(_check_metadata)] = Field(
        default_factory=dict
    )
    """Anything else to choose documents by, 16 KB at most."""


class Chunking(Params):
    """How texts are cut."""

    size: int = Field(default=1_200, ge=100, le=20_000)
    """The most characters of a passage; four are about a token."""
    overlap: int = Field(default=150, ge=0)
    """How many characters a passage may repeat of the one before, a fourth of `size` at most."""

    @model_validator(mode="after")
    def _moves_on(self) -> Self:
        if self.overlap > self.size // 4:
            raise ValueError(
                f"expected overlap to be at most a fourth of size, {self.size // 4}, found "
                f"{self.overlap}"
            )
        return self


class IndexParams(CollectionParams):
    """What to index."""

    documents: list[SourceDocument] = Field(max_length=_MOST_DOCUMENTS)
    """The documents, 1000 at most."""
    embedding: EmbeddingModel
    """The model that makes the vectors, and where it is asked: as for `llm.embed`."""
    chunking: Chunking = Field(default_factory=Chunking)
    """How texts are cut into passages."""
    rebuild: bool = False
    """If the collection has vectors of another model, delete everything in it first."""

    @model_validator(mode="after")
    def _names_each_once(self) -> Self:
        ids = [each.id for each in self.documents]
        if len(set(ids)) < len(ids):
            twice = next(id for id in ids if ids.count(id) > 1)
            raise ValueError(f"expected each document once, found {twice!r} twice")
        return self


class IndexResult(TypedDict):
    """What was done."""

    documents: Annotated[int, Field(description="How many documents were given")]
    unchanged: Annotated[
        int, Field(description="How many of them had the same text before: no vectors were made")
    ]
    chunks: Annotated[int, Field(description="How many passages the others were cut into")]
    embedded: Annotated[
        int, Field(description="How many vectors were made, also by attempts before")
    ]
    usage: Usage
    cost: Annotated[
        float | None,
        Field(description="By `price`; null without, or if the endpoint tells no usage"),
    ]


class SearchParams(CollectionParams):
    """What to look for."""

    query: Annotated[str, Field(min_length=1, max_length=20_000)] | None = None
    """What is asked, in words."""
    embedding: EmbeddingModel | None = None
    """The model that makes a vector of `query`: the one that made those of the collection."""
    vector: Annotated[list[float], Field(min_length=1, max_length=16_000)] | None = None
    """Instead of `query`, a vector of that model."""
    limit: int = Field(default=8, ge=1, le=_MOST_MATCHES)
    """The most passages that are given."""
    min_score: float = Field(default=-1, ge=-1, le=1)
    """What a passage has to score at least: 1 is the same direction, 0 nothing in common. What is
    a good one depends on the model."""
    where: _Where = Field(default_factory=list)
    """What the documents have to be, all of these: `id`, `title`, `source`, or
    `metadata.` and a name."""
    max_chars: int = Field(default=20_000, ge=100, le=1_000_000)
    """The most characters of text, all passages together; those beyond are left out, but for the
    first."""

    @model_validator(mode="after")
    def _can_be_compared(self) -> Self:
        if (self.query is None) == (self.vector is None):
            raise ValueError("expected one of query and vector")
        if (self.query is None) != (self.embedding is None):
            raise ValueError("expected query and embedding, or vector alone")
        return self


class Citation(TypedDict):
    """Where a passage stands."""

    id: Annotated[str, Field(description="The document's")]
    title: str | None
    source: str | None
    start: Annotated[int, Field(description="The character of the text it begins at, from 0")]
    end: Annotated[int, Field(description="The character after its last")]
    chunk: Annotated[int, Field(description="Which of the document's passages, from 0")]


class Match(TypedDict):
    """A passage."""

    number: Annotated[int, Field(description="Its number in `context`, from 1")]
    text: str
    score: Annotated[float, Field(description="From -1 to 1, the greater the nearer")]
    citation: Annotated[
        Citation,
        Field(description="Its document's `id`, `title` and `source`; `start`, `end`, `chunk`"),
    ]
    metadata: Annotated[dict[str, Json], Field(description="The document's")]


class SearchResult(TypedDict):
    """The passages, the nearest first."""

    matches: Annotated[
        list[Match],
        Field(description="`number`, `text`, `score`, `citation` and `metadata` of each"),
    ]
    context: Annotated[
        str, Field(description="All of them as a text for a prompt, each under its number: `[1]`")
    ]
    usage: Usage
    cost: Annotated[
        float | None,
        Field(description="By `price`; null without, or if the endpoint tells no usage"),
    ]


class DeleteParams(CollectionParams):
    """What to delete."""

    ids: list[_Id] | None = Field(default=None, max_length=_MOST_DOCUMENTS)
    """Documents, by their ids."""
    where: _Where | None = None
    """Documents of which all of these hold: `id`, `title`, `source`, or `metadata.` and a name."""
    all: bool | None = None
    """`true`: all of them, and with them the collection."""

    @model_validator(mode="after")
    def _says_which(self) -> Self:
        given = [self.ids is not None, self.where is not None, self.all is True]
        if sum(given) != 1:
            raise ValueError("expected one of ids, where and all: true")
        if self.where == []:
            raise ValueError("expected at least one condition; all: true deletes everything")
        return self


class DeleteResult(TypedDict):
    """What there was."""

    documents: Annotated[int, Field(description="How many documents were deleted")]
    chunks: Annotated[int, Field(description="How many passages they had")]
