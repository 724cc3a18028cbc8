"""Calling a tool, and what is made of its answer."""

from __future__ import annotations

from typing import Final

from mcp import Client, MCPError
from mcp_types import (
    HEADER_MISMATCH,
    INVALID_PARAMS,
    METHOD_NOT_FOUND,
    CallToolRequest,
    CallToolRequestParams,
    CallToolResult,
    InputRequiredResult,
)
from pydantic import TypeAdapter

from activities.attempt import Attempt
from activities.errors import NodeFailed
from activities.mcp.call import CallParams, CallResult
from activities.mcp.content import check_size, parts_of, text_of
from activities.mcp.conversation import conversation
from activities.mcp.errors import MCP_REFUSED, NOT_ALLOWED, TOOL_FAILED, TOOL_UNKNOWN
from activities.mcp.listing import every_tool

__all__ = ["called"]

_SHOWN: Final = 500
_MAY_BE_UNKNOWN: Final = (INVALID_PARAMS, METHOD_NOT_FOUND)

_Answer = CallToolResult | InputRequiredResult
_ANSWER: Final[TypeAdapter[_Answer]] = TypeAdapter(_Answer)


async def called(params: CallParams, attempt: Attempt) -> CallResult:
    if not params.allows(params.tool):
        allowed = ", ".join(params.allow or ())
        raise NodeFailed(NOT_ALLOWED, f"allow has {allowed}: not the tool {params.tool!r}")
    answer = await conversation(params, attempt, lambda client: _answer(client, params, attempt))
    if isinstance(answer, NodeFailed):
        raise answer
    check_size(answer)
    return {
        "content": await parts_of(answer, attempt),
        "text": text_of(answer),
        "data": answer.structured_content,
    }


async def _answer(
    client: Client, params: CallParams, attempt: Attempt
) -> CallToolResult | NodeFailed:
    """What the tool says, or why it says nothing."""
    try:
        answer = await _sent(client, params, attempt)
    except MCPError as error:
        if error.code not in _MAY_BE_UNKNOWN:
            raise
        unknown = await _unknown(client, params)
        if unknown is None:
            raise
        return unknown
    if isinstance(answer, InputRequiredResult):
        return NodeFailed(
            MCP_REFUSED,
            f"the tool {params.tool!r} asks for something in between, which nobody here can answer",
        )
    if not answer.is_error:
        return answer
    return await _unknown(client, params) or _failed(answer, params)


async def _sent(client: Client, params: CallParams, attempt: Attempt) -> _Answer:
    asked = {
        "name": params.tool,
        "arguments": params.arguments,
        "_meta": {"idempotency-key": attempt.key},
    }
    request = CallToolRequest(params=CallToolRequestParams.model_validate(asked))

    async def beat(progress: float, total: float | None, message: str | None) -> None:
        attempt.heartbeat({"progress": progress, "total": total, "message": message})

    async def send() -> _Answer:
        # not `call_tool`, which asks for the list of tools each time, and checks what the tool
        # says by schemas of the server's making
        return await client.session.send_request(request, _ANSWER, progress_callback=beat)

    try:
        return await send()
    except MCPError as error:
        if error.code != HEADER_MISMATCH:
            raise
    await every_tool(client)  # says which arguments are to stand in headers as well
    return await send()


async def _unknown(client: Client, params: CallParams) -> NodeFailed | None:
    """Servers tell of tools they do not have in one way or the other, or as failures of it."""
    try:
        names = [tool.name for tool in await every_tool(client)]
    except MCPError:
        return None
    if params.tool in names:
        return None
    return NodeFailed(
        TOOL_UNKNOWN,
        f"{params.name} has no tool {params.tool!r}; it has {', '.join(names) or 'none'}",
        details={"tools": [*names]},
    )


def _failed(answer: CallToolResult, params: CallParams) -> NodeFailed:
    text = text_of(answer)
    return NodeFailed(
        TOOL_FAILED,
        f"the tool {params.tool!r} failed: {' '.join(text[:_SHOWN].split()) or 'it says no more'}",
        details={"tool": params.tool, "text": text, "data": answer.structured_content},
    )
