"""How asking an MCP server fails."""

from __future__ import annotations

from activities.addresses import ADDRESS_REFUSED
from activities.errors import EXTRA_MISSING
from activities.http.errors import (
    CLIENT_ERROR,
    INVALID_RESPONSE,
    INVALID_URL,
    NETWORK_ERROR,
    REDIRECT,
    RESPONSE_TOO_LARGE,
    SERVER_ERROR,
    TIMEOUT,
    TLS_ERROR,
    TRY_LATER,
)
from flowspec.catalogue import ErrorType

__all__ = [
    "CONNECTION_ERRORS",
    "CONNECTION_LOST",
    "MCP_ERROR",
    "MCP_REFUSED",
    "NOT_ALLOWED",
    "SERVER_NOT_STARTED",
    "SERVER_UNKNOWN",
    "TOOL_FAILED",
    "TOOL_UNKNOWN",
]

TOOL_FAILED = ErrorType(
    name="ToolFailed",
    permanent=True,
    meaning="The tool says that it failed; the details hold its `text` and its `data`",
)
TOOL_UNKNOWN = ErrorType(
    name="ToolUnknown",
    permanent=True,
    meaning="The server has no tool of that name; the details hold those it has",
)
NOT_ALLOWED = ErrorType(
    name="ToolNotAllowed", permanent=True, meaning="`allow` does not list the tool"
)
MCP_REFUSED = ErrorType(
    name="McpRefused",
    permanent=True,
    meaning="The server refuses the request: parameters it does not take, a version of the "
    "protocol it does not speak, or it asks for something in between",
)
MCP_ERROR = ErrorType(
    name="McpError", permanent=False, meaning="The server answers that it failed in itself"
)
CONNECTION_LOST = ErrorType(
    name="McpConnectionLost",
    permanent=False,
    meaning="The server ended before it had answered, or has forgotten the session",
)
SERVER_UNKNOWN = ErrorType(
    name="McpServerUnknown",
    permanent=True,
    meaning="The worker's FLOWRUNNER_MCP_SERVERS declares no server of that name",
)
SERVER_NOT_STARTED = ErrorType(
    name="McpServerNotStarted",
    permanent=True,
    meaning="The command of the declared server cannot be run",
)

CONNECTION_ERRORS = (
    MCP_REFUSED,
    MCP_ERROR,
    CONNECTION_LOST,
    SERVER_UNKNOWN,
    SERVER_NOT_STARTED,
    CLIENT_ERROR,
    TRY_LATER,
    SERVER_ERROR,
    REDIRECT,
    NETWORK_ERROR,
    TIMEOUT,
    TLS_ERROR,
    INVALID_URL,
    INVALID_RESPONSE,
    RESPONSE_TOO_LARGE,
    ADDRESS_REFUSED,
    EXTRA_MISSING,
)
"""What any question to a server can fail with."""
