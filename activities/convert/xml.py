"""Node types `xml.read` and `xml.write`: XML as text, and as objects."""

from __future__ import annotations

import asyncio
from typing import Annotated

from pydantic import Field
from typing_extensions import TypedDict

from activities.attempt import Attempt
from activities.blobs import Blob
from activities.declaration import AnyImplementation, Params, declare
from activities.pieces import CONTENT_TOO_LARGE, charset_of, read_aside
from flowspec.catalogue import ErrorType, RetryDefaults
from flowspec.values import Json

__all__ = [
    "INVALID_XML",
    "NODE_TYPES",
    "NOT_XML",
    "XmlReadParams",
    "XmlReadResult",
    "XmlWriteParams",
    "XmlWriteResult",
]

_MOST_BYTES = 64_000_000

INVALID_XML = ErrorType(
    name="InvalidXml",
    permanent=True,
    meaning="The text is not well-formed XML, or has a document type; the message says where",
)
NOT_XML = ErrorType(
    name="NotXml", permanent=True, meaning="The value has a shape that XML cannot have"
)


class XmlReadParams(Params):
    """What to read, and how."""

    content: Blob
    """The text, or bytes that were kept by `save`."""
    lists: list[str] = Field(default_factory=list, max_length=1_000)
    """Elements that are lists even where there is one of them only."""


class XmlReadResult(TypedDict):
    """What was read."""

    value: Annotated[
        dict[str, Json], Field(description="An object whose one key is the outermost element")
    ]


class XmlWriteParams(Params):
    """What to write, and how."""

    value: dict[str, Json] = Field(min_length=1, max_length=1)
    """An object whose one key is the outermost element."""
    indent: int | None = Field(default=None, ge=0, le=8)
    """Write elements on lines of their own, each level indented by so many spaces."""
    declaration: bool = True
    """Begin with `<?xml version="1.0" encoding="UTF-8"?>`."""


class XmlWriteResult(TypedDict):
    """What was written."""

    text: Annotated[str, Field(description="The XML")]


async def read(params: XmlReadParams, _attempt: Attempt) -> XmlReadResult:
    from activities.convert.xml_trees import read_tree

    charset = await charset_of(params.content)
    lists = frozenset(params.lists)
    value = await read_aside(
        params.content, lambda file: read_tree(file, charset, lists), most=_MOST_BYTES
    )
    return {"value": value}


async def write(params: XmlWriteParams, _attempt: Attempt) -> XmlWriteResult:
    from activities.convert.xml_trees import written

    return {"text": await asyncio.to_thread(written, params)}


_MAPPING = (
    "An element is a key; one that comes several times is a list. An element with text alone is "
    "that text, and an empty one null. Else it is an object: attributes are keys that begin with "
    "`@`, and text is under `#text`. "
)

XML_READ = declare(
    name="xml.read",
    summary="Read XML",
    description=(
        f"{_MAPPING}All values are text. Names keep their prefixes. Comments and the places of "
        "text between elements are left away. A document type (`<!DOCTYPE`) is refused, so no "
        "entity is replaced and nothing is fetched. At most 64 MB, a million elements, 80 deep."
    ),
    example="""\
flow: read-order
input: {required: [xml], properties: {xml: {type: string}}}
nodes:
  order: {type: xml.read, params: {content: "${input.xml}", lists: [item]}}
output:
  id: ${nodes.order.output.value.order['@id']}
  titles: "${[item.title for item in nodes.order.output.value.order.item]}"
""",
    params=XmlReadParams,
    result=XmlReadResult,
    handler=read,
    errors=(INVALID_XML, CONTENT_TOO_LARGE),
    retry=RetryDefaults(attempts=3),
    attempt_timeout=300,
    heartbeat=30,
)

XML_WRITE = declare(
    name="xml.write",
    summary="Write XML",
    description=f"{_MAPPING}Numbers and booleans are written as JSON writes them.",
    example="""\
flow: write-order
input: {required: [id, titles], properties: {id: {type: string}, titles: {type: array}}}
nodes:
  order:
    type: xml.write
    params:
      value:
        order:
          "@id": ${input.id}
          item: "${[{'title': title} for title in input.titles]}"
      indent: 2
output: ${nodes.order.output.text}
""",
    params=XmlWriteParams,
    result=XmlWriteResult,
    handler=write,
    errors=(NOT_XML, CONTENT_TOO_LARGE),
    tier="local",
    retry=RetryDefaults(attempts=3),
    attempt_timeout=60,
)

NODE_TYPES: tuple[AnyImplementation, ...] = (XML_READ, XML_WRITE)
