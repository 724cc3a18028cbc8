"""Plays of the node types that ask MCP servers."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path

from flowspec.values import JsonObject
from tests.mcp_server import serving
from tests.server.plays.play import Plays, S, Setup
from tests.server.support import Answer, HttpService, Received

__all__ = ["PLAYS"]

_KEYS: JsonObject = {"bearer": S, "headers": {"X-Token": f"t {S}"}}


def _repeated(request: Received) -> str:
    return f"{request.query} {dict(request.headers)} {request.body.decode()}"


def _refusing(request: Received) -> Answer:
    return Answer(status=401, body=_repeated(request))


def _broken(request: Received) -> Answer:
    error = {"code": -32603, "message": _repeated(request), "data": _repeated(request)}
    return Answer(body={"jsonrpc": "2.0", "id": request.json().get("id"), "error": error})


def _nowhere(stack: ExitStack) -> tuple[JsonObject, ...]:
    """Servers that refuse, and say back what they were told."""
    service = stack.enter_context(HttpService())
    service.on("POST", "/refuse", _refusing)
    service.on("POST", "/broken", _broken)
    urls = (f"{service.url}/refuse?u={S}", f"{service.url}/broken?u={S}")
    return tuple({"url": url, **_KEYS} for url in (*urls, f"http://127.0.0.1:1/{S}", S))


def _mcp_call(stack: ExitStack, folder: Path) -> Plays:
    server: JsonObject = {"url": f"{stack.enter_context(serving(folder)).url}?u={S}", **_KEYS}
    told: JsonObject = {"tool": "echo", "arguments": {"value": [S, {"k": f"a {S} b"}]}}
    failing: JsonObject = {"tool": "fail", "arguments": {"why": f"no {S}"}}
    return Plays(
        succeed=({**server, "tool": "asked"}, {**server, **told}),
        fail=({**server, **failing}, *({**one, **told} for one in _nowhere(stack))),
    )


def _mcp_tools(stack: ExitStack, folder: Path) -> Plays:
    server: JsonObject = {"url": f"{stack.enter_context(serving(folder)).url}?u={S}", **_KEYS}
    return Plays(succeed=(server,), fail=_nowhere(stack))


PLAYS: Mapping[str, Setup] = {"mcp.call": _mcp_call, "mcp.tools": _mcp_tools}
