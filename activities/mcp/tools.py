"""Node type `mcp.tools`: its parameters, its result and its errors."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field
from typing_extensions import TypedDict

from activities.attempt import Attempt
from activities.declaration import AnyImplementation, declare
from activities.errors import needing_extra
from activities.mcp.errors import CONNECTION_ERRORS
from activities.mcp.server import SECRET_PARAMS, McpServer
from flowspec.catalogue import RetryDefaults
from flowspec.values import Json

__all__ = ["MCP_TOOLS", "NODE_TYPES", "About", "FoundTool", "ToolsParams", "ToolsResult"]


class ToolsParams(McpServer):
    """Which server is asked for its tools."""


class FoundTool(TypedDict):
    """A tool, as `llm.chat` takes it."""

    name: str
    description: Annotated[str | None, Field(description="What it does, if the server says so")]
    parameters: Annotated[dict[str, Json], Field(description="A JSON Schema of its arguments")]


class About(TypedDict):
    """What the server calls itself, if it does."""

    name: str | None
    version: str | None


class ToolsResult(TypedDict):
    """What the server offers."""

    tools: Annotated[
        list[FoundTool], Field(description="Those that `allow` lists, as the server has them")
    ]
    server: About


async def tools(params: ToolsParams, attempt: Attempt) -> ToolsResult:
    with needing_extra("mcp"):
        from activities.mcp.listing import listed

    return await listed(params, attempt)


MCP_TOOLS = declare(
    name="mcp.tools",
    summary="List the tools of an MCP server",
    description=(
        "Asks for all pages of the list, up to 1,000 tools. It takes the parameters of "
        "`mcp.call` but for `tool` and `arguments`."
    ),
    example="""\
flow: what-can-it-do
nodes:
  ask:
    type: mcp.tools
    params: {url: "https://weather.example/mcp", allow: ["fore*"]}
output: ${nodes.ask.output.tools}
""",
    params=ToolsParams,
    result=ToolsResult,
    handler=tools,
    errors=CONNECTION_ERRORS,
    exclusive=(("url", "server"),),
    require_one=(("url", "server"),),
    secret_params=SECRET_PARAMS,
    retry=RetryDefaults(attempts=5, interval=1, factor=2, max_interval=60, jitter=0.1),
    attempt_timeout=600,
    heartbeat=30,
)

NODE_TYPES: tuple[AnyImplementation, ...] = (MCP_TOOLS,)
