"""Asking a server for its tools."""

from __future__ import annotations

from typing import Final

from mcp import Client
from mcp_types import Tool

from activities.attempt import Attempt
from activities.errors import NodeFailed
from activities.http.errors import INVALID_RESPONSE
from activities.mcp.conversation import conversation
from activities.mcp.tools import ToolsParams, ToolsResult

__all__ = ["every_tool", "listed"]

_MOST_TOOLS: Final = 1_000
_MOST_PAGES: Final = 100


async def listed(params: ToolsParams, attempt: Attempt) -> ToolsResult:
    return await conversation(params, attempt, lambda client: _listed(client, params))


async def _listed(client: Client, params: ToolsParams) -> ToolsResult:
    found = await every_tool(client)
    about = client.server_info
    return {
        "tools": [
            {"name": tool.name, "description": tool.description, "parameters": tool.input_schema}
            for tool in found
            if params.allows(tool.name)
        ],
        "server": {
            "name": about.name if about else None,
            "version": about.version if about else None,
        },
    }


async def every_tool(client: Client) -> list[Tool]:
    """Those of all pages."""
    found: list[Tool] = []
    cursor = None
    for _ in range(_MOST_PAGES):
        page = await client.list_tools(cursor=cursor)
        found += page.tools
        cursor = page.next_cursor
        if cursor is None:
            return found
        if len(found) > _MOST_TOOLS:
            break
    raise NodeFailed(
        INVALID_RESPONSE,
        f"the server's list of tools does not end: more than {_MOST_TOOLS:,} tools or "
        f"{_MOST_PAGES} pages",
    )
