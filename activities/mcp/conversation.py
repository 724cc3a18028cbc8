"""One session with a server: it begins, something is asked, and it ends, whatever happens."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from typing import TypeVar

from mcp import Client, MCPError
from mcp_types import (
    CONNECTION_CLOSED,
    INTERNAL_ERROR,
    PARSE_ERROR,
    REQUEST_TIMEOUT,
    Implementation,
)
from pydantic import ValidationError

from activities.attempt import Attempt
from activities.errors import NodeFailed
from activities.http.errors import INVALID_RESPONSE, TIMEOUT
from activities.mcp.errors import CONNECTION_LOST, MCP_ERROR, MCP_REFUSED, SERVER_NOT_STARTED
from activities.mcp.local import local_line
from activities.mcp.remote import remote_line
from activities.mcp.server import McpServer
from flowspec.catalogue import ErrorType
from flowspec.durations import format_duration

__all__ = ["conversation"]

T = TypeVar("T")

_US = Implementation(name="flowrunner", version="1")
_KINDS: dict[int, ErrorType] = {
    CONNECTION_CLOSED: CONNECTION_LOST,
    INTERNAL_ERROR: MCP_ERROR,
    REQUEST_TIMEOUT: MCP_ERROR,
    PARSE_ERROR: INVALID_RESPONSE,
}


async def conversation(
    params: McpServer, attempt: Attempt, talk: Callable[[Client], Awaitable[T]]
) -> T:
    """What `talk` gives. If this is cancelled, or out of time, the server is told."""
    opened = local_line if params.server is not None else remote_line
    async with opened(params, attempt) as line:
        try:
            async with (
                asyncio.timeout(params.timeout) as limit,
                Client(line.transport(), client_info=_US, cache=None) as client,
            ):
                answer = await talk(client)
                limit.reschedule(None)  # an answer that is there is not lost by a slow farewell
        except Exception as error:
            causes = [*_causes(error)]
            failed = next(filter(None, (_failure(one, params) for one in causes)), None)
            if failed is None:
                raise causes[0] from error
            raise await line.explained(failed) from error
        return answer


def _causes(error: Exception) -> Iterator[Exception]:
    """Those that a group of tasks has put together."""
    if not isinstance(error, ExceptionGroup):
        yield error
        return
    for one in error.exceptions:
        yield from _causes(one)


def _failure(error: Exception, params: McpServer) -> NodeFailed | None:
    """None for what nobody expects."""
    match error:
        case NodeFailed():
            return error
        case TimeoutError():
            return NodeFailed(
                TIMEOUT, f"{params.name} took longer than {format_duration(params.timeout)}"
            )
        case MCPError():
            return NodeFailed(
                _KINDS.get(error.code, MCP_REFUSED),
                f"{params.name}: {error.message}",
                details={"code": error.code, "message": error.message, "data": error.data},
            )
        case ValidationError():
            return NodeFailed(
                INVALID_RESPONSE, f"{params.name} broke the protocol: {_first(error)}"
            )
        case OSError() if params.server is not None:
            return NodeFailed(
                SERVER_NOT_STARTED, f"{params.name} cannot be started: {error.strerror or error}"
            )
        case _:
            return None


def _first(error: ValidationError) -> str:
    """What is wrong, without the value, which may be large."""
    problem = error.errors(include_input=False, include_url=False)[0]
    return f"{'.'.join(map(str, problem['loc']))}: {problem['msg']}"
