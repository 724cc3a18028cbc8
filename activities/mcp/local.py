"""Servers that the worker starts itself, and speaks to over their standard input and output."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from typing import Final, TextIO

from mcp.client import Transport
from mcp.client.stdio import StdioServerParameters, stdio_client

from activities.attempt import Attempt
from activities.errors import NodeFailed
from activities.mcp.errors import CONNECTION_LOST, SERVER_UNKNOWN
from activities.mcp.options import LocalServer, McpOptions
from activities.mcp.server import McpServer

__all__ = ["LocalLine", "local_line"]

_KEPT: Final = 64 * 1024
_SHOWN: Final = 4_000
_SHOWN_IN_MESSAGE: Final = 200
_LAST_WORDS: Final = 1.0
"""How long a program that has ended may keep us waiting for what it has written."""


@asynccontextmanager
async def local_line(params: McpServer, attempt: Attempt) -> AsyncGenerator[LocalLine]:
    servers = attempt.options.get(McpOptions).servers
    server = servers.get(params.server or "")
    if server is None:
        known = ", ".join(map(repr, sorted(servers))) or "none"
        raise NodeFailed(
            SERVER_UNKNOWN,
            f"this worker has no MCP server {params.server!r}: FLOWRUNNER_MCP_SERVERS declares "
            f"{known}",
        )
    for secret in server.secrets.values():
        attempt.conceal(secret)
    said = _Said()
    async with _pipe_to(said) as file:
        yield LocalLine(server, file, said, attempt)


class LocalLine:
    def __init__(self, server: LocalServer, file: TextIO, said: _Said, attempt: Attempt) -> None:
        self._server = server
        self._file = file
        self._said = said
        self._attempt = attempt

    def transport(self) -> Transport:
        program, *arguments = self._server.command
        asked = StdioServerParameters(
            command=program,
            args=arguments,
            env={**self._server.env, **self._server.secrets},
            cwd=self._server.folder,
        )
        return stdio_client(asked, errlog=self._file)

    async def explained(self, failed: NodeFailed) -> NodeFailed:
        """With what the program wrote to its standard error."""
        self._file.close()
        with suppress(TimeoutError):
            await asyncio.wait_for(self._said.ended.wait(), _LAST_WORDS)
        # secrets go before it is cut short
        text = self._attempt.redactor.text(self._said.tail.decode("utf-8", "replace"))[-_SHOWN:]
        last = text.strip().rpartition("\n")[2][:_SHOWN_IN_MESSAGE]
        if last and failed.error is CONNECTION_LOST:
            failed.message += f"; its last words: {last}"
        if text:
            known = failed.details if isinstance(failed.details, dict) else {}
            failed.details = {**known, "stderr": text}
        return failed


class _Said(asyncio.Protocol):
    """The end of what a program writes."""

    def __init__(self) -> None:
        self.tail = bytearray()
        self.ended = asyncio.Event()

    def data_received(self, data: bytes) -> None:
        self.tail += data
        del self.tail[:-_KEPT]

    def connection_lost(self, exc: Exception | None) -> None:
        del exc
        self.ended.set()


@asynccontextmanager
async def _pipe_to(said: _Said) -> AsyncGenerator[TextIO]:
    """A file for a program to write to."""
    reading, writing = os.pipe()
    with os.fdopen(writing, "w") as file:
        source = os.fdopen(reading, "rb", buffering=0)
        transport, _ = await asyncio.get_running_loop().connect_read_pipe(lambda: said, source)
        try:
            yield file
        finally:
            transport.close()
