"""Node types `json.read` and `json.write`: JSON and JSON Lines as text, and as values."""

from __future__ import annotations

import asyncio
from typing import Annotated, Self

from pydantic import Field, model_validator
from typing_extensions import TypedDict

from activities.attempt import Attempt
from activities.blobs import Blob
from activities.declaration import AnyImplementation, Params, declare
from activities.pieces import CONTENT_TOO_LARGE, read_aside
from flowspec.catalogue import ErrorType, RetryDefaults
from flowspec.values import Json

__all__ = [
    "INVALID_JSON",
    "NODE_TYPES",
    "JsonReadParams",
    "JsonReadResult",
    "JsonWriteParams",
    "JsonWriteResult",
]

MOST_LINES = 1_000_000
_MOST_BYTES = 10_000_000_000

INVALID_JSON = ErrorType(
    name="InvalidJson",
    permanent=True,
    meaning="The text is not JSON; the message says in which line",
)
NOT_A_LIST = ErrorType(
    name="NotAList", permanent=True, meaning="With `lines` the value has to be a list"
)


class JsonReadParams(Params):
    """What to read, and how."""

    content: Blob
    """The text in UTF-8, or bytes that were kept by `save`."""
    lines: bool = False
    """Read JSON Lines (NDJSON): a value on each line. Empty lines are left out."""
    skip: int = Field(default=0, ge=0)
    """With `lines`: values to leave out at the beginning."""
    limit: int | None = Field(default=None, ge=1, le=MOST_LINES)
    """With `lines`: values to read at most; `more` says whether others follow. Left out, all of
    them, and more than 100,000 are an error."""

    @model_validator(mode="after")
    def _parts_of_lines(self) -> Self:
        if not self.lines and (self.skip or self.limit is not None):
            raise ValueError("expected skip and limit only with lines: true")
        return self


class JsonReadResult(TypedDict):
    """What was read."""

    value: Annotated[Json, Field(description="The value; with `lines` the list of them")]
    more: Annotated[bool, Field(description="Whether `limit` left values out")]


class JsonWriteParams(Params):
    """What to write, and how."""

    value: Json
    """The value."""
    lines: bool = False
    """Write the items of a list as JSON Lines (NDJSON), each on a line of its own."""
    indent: int | None = Field(default=None, ge=0, le=8)
    """Write it on several lines, each level indented by so many spaces."""
    sort_keys: bool = False
    """Write keys in the order of the alphabet instead of as they come."""

    @model_validator(mode="after")
    def _one_line_each(self) -> Self:
        if self.lines and self.indent is not None:
            raise ValueError("expected lines or indent, found both")
        return self


class JsonWriteResult(TypedDict):
    """What was written."""

    text: Annotated[str, Field(description="The JSON")]


async def read(params: JsonReadParams, _attempt: Attempt) -> JsonReadResult:
    from activities.convert.json_lines import read_lines, read_whole

    if params.lines:
        return await read_aside(
            params.content, lambda file: read_lines(file, params), most=_MOST_BYTES
        )
    value = await read_aside(params.content, read_whole, most=_MOST_BYTES)
    return {"value": value, "more": False}


async def write(params: JsonWriteParams, _attempt: Attempt) -> JsonWriteResult:
    from activities.convert.json_lines import written

    return {"text": await asyncio.to_thread(written, params)}


JSON_READ = declare(
    name="json.read",
    summary="Read JSON or JSON Lines",
    description=(
        "`json(…)` in an expression reads a short text; this reads up to 64 MB, and of JSON Lines "
        "so much out of up to 10 GB."
    ),
    example="""\
flow: read-events
input: {required: [url], properties: {url: {type: string}}}
nodes:
  get: {type: http.request, params: {url: "${input.url}", save: true}, next: events}
  events:
    type: json.read
    params: {content: "${nodes.get.output.body}", lines: true, limit: 1000}
output: ${nodes.events.output.value}
""",
    params=JsonReadParams,
    result=JsonReadResult,
    handler=read,
    errors=(INVALID_JSON, CONTENT_TOO_LARGE),
    retry=RetryDefaults(attempts=3),
    attempt_timeout=300,
    heartbeat=30,
)

JSON_WRITE = declare(
    name="json.write",
    summary="Write JSON or JSON Lines",
    description="A large text goes into the object store by itself.",
    example="""\
flow: export-events
input: {required: [events], properties: {events: {type: array}}}
nodes:
  text: {type: json.write, params: {value: "${input.events}", lines: true}}
output: ${nodes.text.output.text}
""",
    params=JsonWriteParams,
    result=JsonWriteResult,
    handler=write,
    errors=(NOT_A_LIST,),
    tier="local",
    retry=RetryDefaults(attempts=3),
    attempt_timeout=60,
)

NODE_TYPES: tuple[AnyImplementation, ...] = (JSON_READ, JSON_WRITE)
