"""A real MCP server, made with the official SDK, as a process of its own.

    python -m tests.mcp_server [--http PORT] [--legacy] [--pages] [--json] [--events FILE]

speaks over standard input and output unless it is given a port. With `--legacy` it knows, over
HTTP, only the versions of the protocol that begin with `initialize`; `--pages` lists two tools a
page, `--json` answers without event streams. A line is added to the events' file for each message
that arrives, and for a few things that tools see. Tests start it by `serving` and `declared`, whose
imports the server, which is to start soon, does without.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import json
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from mcp import MCPError
from mcp.server import MCPServer, ServerRequestContext
from mcp.server.context import CallNext, HandlerResult
from mcp.server.mcpserver import Context
from mcp.server.mcpserver.exceptions import ToolError
from mcp_types import (
    METHOD_NOT_FOUND,
    AudioContent,
    BlobResourceContents,
    CallToolResult,
    EmbeddedResource,
    ImageContent,
    ResourceLink,
    TextContent,
    TextResourceContents,
)

if TYPE_CHECKING:
    from tests.server.support import Running

__all__ = ["PNG", "Serving", "declared", "serving"]

PNG: Final = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=="
)


@dataclass(frozen=True, kw_only=True)
class Serving:
    """A server that runs."""

    url: str
    process: Running
    log: Path

    def events(self) -> list[str]:
        return _lines(self.log)


@contextmanager
def serving(folder: Path, *flags: str) -> Iterator[Serving]:
    """The server over HTTP, on a free port of loopback; what it leaves is in the folder."""
    from tests.server.support import Running, clean_environment, free_port, until

    port = free_port()
    log = folder / f"mcp-{port}.events"
    argv = [*_COMMAND, "--http", str(port), "--events", str(log), *flags]
    environment = clean_environment(PYTHONPATH=_ROOT)
    process = Running("mcp", argv, env=environment, log=folder / f"mcp-{port}.log")
    try:
        until(
            lambda: "Uvicorn running" in process.output() or process.exit_code is not None,
            what="the MCP server",
        )
        assert process.exit_code is None, process.output()
        yield Serving(url=f"http://127.0.0.1:{port}/mcp", process=process, log=log)
    finally:
        process.stop(seconds=10)


def declared(log: Path, *flags: str) -> dict[str, Any]:
    """The server over standard input and output, as an operator declares it."""
    return {
        "command": [*_COMMAND, "--events", str(log), *flags],
        "env": {"PYTHONPATH": _ROOT, "GREETING": "hello"},
        "secrets": {"PASSWORD": "c0rrect horse"},
    }


_ROOT: Final = str(Path(__file__).parents[1])
_COMMAND: Final = [sys.executable, "-m", "tests.mcp_server"]


def _lines(log: Path) -> list[str]:
    return log.read_text().splitlines() if log.exists() else []


# -- the server ----------------------------------------------------------------------------------


class _Sight:
    """Sees every message; keeps back what an older server does not know, and gives pages."""

    def __init__(self, log: Path | None, *, legacy: bool, pages: bool) -> None:
        self._log = log
        self._legacy = legacy
        self._pages = pages

    def note(self, event: str) -> None:
        if self._log is not None:
            with self._log.open("a") as file:
                file.write(f"{event}\n")

    async def __call__(
        self, ctx: ServerRequestContext[Any, Any], call_next: CallNext
    ) -> HandlerResult:
        self.note(ctx.method)
        if self._legacy and ctx.method == "server/discover":
            raise MCPError(METHOD_NOT_FOUND, "Method not found")
        result = await call_next(ctx)
        if self._pages and ctx.method == "tools/list":
            return _page(result, ctx.params)
        return result


def _page(result: HandlerResult, params: Mapping[str, Any] | None) -> HandlerResult:
    found: Any = (
        result
        if isinstance(result, dict)
        else result.model_dump(  # type: ignore[union-attr]
            by_alias=True, mode="json", exclude_none=True
        )
    )
    start = int((params or {}).get("cursor") or 0)
    more = start + 2 < len(found["tools"])
    tools = found["tools"][start : start + 2]
    return {**found, "tools": tools, **({"nextCursor": str(start + 2)} if more else {})}


def _server(sight: _Sight) -> MCPServer:
    server = MCPServer("tests", version="1.2", log_level="WARNING", middleware=[sight])

    @server.tool(description="Adds two numbers")
    def add(a: int, b: int) -> int:
        return a + b

    @server.tool(description="Says what the weather will be", structured_output=False)
    def forecast(city: str) -> str:
        return f"Sun in {city}"

    @server.tool(description="Says what it is told", structured_output=False)
    def echo(value: Any) -> str:
        return value if isinstance(value, str) else json.dumps(value)

    @server.tool(description="Says what it was asked with")
    def asked(ctx: Context) -> dict[str, Any]:
        meta = ctx.request_context.meta or {}
        return {
            "headers": dict(ctx.headers or {}),
            "key": meta.get("idempotency-key"),
            "protocol": ctx.request_context.protocol_version,
        }

    @server.tool(description="The environment")
    def environment() -> dict[str, str]:
        return dict(os.environ)

    @server.tool(description="Says one thing in several ways")
    def show() -> CallToolResult:
        return _everything()

    @server.tool(description="Fails, as it was told to", structured_output=False)
    def fail(why: str) -> str:
        raise ToolError(why)

    @server.tool(description="Refuses, by an error of the protocol", structured_output=False)
    def refuse(code: int) -> str:
        raise MCPError(code, "not like that", {"hint": "otherwise"})

    @server.tool(description="Says so much", structured_output=False)
    def much(size: int) -> str:
        return "x" * size

    @server.tool(description="Ends the server at once", structured_output=False)
    def crash(last_words: str) -> str:
        print(last_words, file=sys.stderr, flush=True)
        os._exit(3)

    @server.tool(description="Takes its time, and says how far it is", structured_output=False)
    async def wait(steps: int, ctx: Context) -> str:
        try:
            for step in range(steps):
                await ctx.report_progress(step + 1, steps, f"step {step + 1}")
                await asyncio.sleep(0.05)
        except asyncio.CancelledError:
            sight.note("cancelled")
            raise
        return "done"

    return server


def _everything() -> CallToolResult:
    data = base64.b64encode(PNG).decode()
    text = TextResourceContents(uri="file:///a.txt", text="second", mime_type="text/plain")
    blob = BlobResourceContents(uri="file:///b", blob=base64.b64encode(b"\0\1").decode())
    return CallToolResult(
        content=[
            TextContent(text="first"),
            ImageContent(data=data, mime_type="image/png"),
            AudioContent(data=data, mime_type="audio/wav"),
            EmbeddedResource(resource=text),
            EmbeddedResource(resource=blob),
            ResourceLink(uri="https://a.example/c", name="c", description="see there"),
        ],
        structured_content={"n": 1},
    )


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--http", type=int)
    parser.add_argument("--events", type=Path)
    for flag in ("--legacy", "--pages", "--json"):
        parser.add_argument(flag, action="store_true")
    given = parser.parse_args()
    server = _server(_Sight(given.events, legacy=given.legacy, pages=given.pages))
    if given.http is None:
        server.run()
        return
    app = server.streamable_http_app(json_response=given.json)
    import uvicorn

    uvicorn.run(app, host="127.0.0.1", port=given.http, log_level="info")


if __name__ == "__main__":
    main()
