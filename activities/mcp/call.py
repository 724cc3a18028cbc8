"""Node type `mcp.call`: its parameters, its result and its errors."""

from __future__ import annotations

from typing import Annotated, Literal, NotRequired

from pydantic import Field
from typing_extensions import TypedDict

from activities.attempt import Attempt
from activities.blobs import Kept
from activities.declaration import AnyImplementation, declare
from activities.errors import needing_extra
from activities.mcp.errors import CONNECTION_ERRORS, NOT_ALLOWED, TOOL_FAILED, TOOL_UNKNOWN
from activities.mcp.server import SECRET_PARAMS, McpServer
from flowspec.catalogue import RetryDefaults
from flowspec.values import Json

__all__ = ["MCP_CALL", "NODE_TYPES", "CallParams", "CallResult", "Part"]


class CallParams(McpServer):
    """One call of one tool."""

    tool: str = Field(min_length=1, max_length=500)
    """The tool's name."""
    arguments: dict[str, Json] = Field(default_factory=dict)
    """What it is given, as the tool's schema says."""


class Part(TypedDict):
    """One part of what a tool says. Those of type `text` and `image` are as `llm.chat` takes
    them."""

    type: Literal["text", "image", "audio", "resource", "link"]
    text: NotRequired[Annotated[str, Field(description="Of a text, or of a resource that is one")]]
    image: NotRequired[
        Annotated[Kept, Field(description="The bytes of an image, kept in the object store")]
    ]
    data: NotRequired[
        Annotated[Kept, Field(description="The bytes of audio and other resources, likewise")]
    ]
    media_type: NotRequired[Annotated[str, Field(description="What the bytes are")]]
    uri: NotRequired[Annotated[str, Field(description="Of a resource or a link")]]
    name: NotRequired[Annotated[str, Field(description="Of a link")]]
    description: NotRequired[Annotated[str, Field(description="Of a link")]]


class CallResult(TypedDict):
    """What the tool says."""

    content: Annotated[list[Part], Field(description="All parts, in order")]
    text: Annotated[str, Field(description="The texts among them, a line break between two")]
    data: Annotated[Json, Field(description="The structured result; null if the tool has none")]


async def call(params: CallParams, attempt: Attempt) -> CallResult:
    with needing_extra("mcp"):
        from activities.mcp.calling import called

    return await called(params, attempt)


MCP_CALL = declare(
    name="mcp.call",
    summary="Call a tool of an MCP server",
    description=(
        "Speaks the [Model Context Protocol](https://modelcontextprotocol.io) over Streamable "
        "HTTP, or with a program that the operator has declared. Each attempt has a session of "
        "its own. What the tool says of its progress goes into heartbeats; when the node is "
        "cancelled or out of time, the server is told. A tool that says it failed is not called "
        "again; after trouble on the way it is, and may then have run twice: `_meta` has an "
        "`idempotency-key` that is the same for every attempt, and `retry: {attempts: 1}` calls "
        "once at most. For a `timeout` of more than ten minutes give the node an "
        "`attempt_timeout` as well. An answer may have 16 MB."
    ),
    example="""\
flow: look-up
input: {required: [city], properties: {city: {type: string}}}
secrets: [WEATHER_TOKEN]
nodes:
  ask:
    type: mcp.call
    params:
      url: https://weather.example/mcp
      bearer: ${secrets.WEATHER_TOKEN}
      tool: forecast
      arguments: {city: "${input.city}"}
output: ${nodes.ask.output.text}
""",
    params=CallParams,
    result=CallResult,
    handler=call,
    errors=(TOOL_FAILED, TOOL_UNKNOWN, NOT_ALLOWED, *CONNECTION_ERRORS),
    exclusive=(("url", "server"),),
    require_one=(("url", "server"),),
    secret_params=(*SECRET_PARAMS, "arguments"),
    retry=RetryDefaults(attempts=3, interval=1, factor=3, max_interval=60, jitter=0.1),
    attempt_timeout=600,
    heartbeat=30,
)

NODE_TYPES: tuple[AnyImplementation, ...] = (MCP_CALL,)
