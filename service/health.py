"""The worker's health endpoint: two paths over HTTP, for orchestrators."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager

from service.settings import Address, SettingsInvalid

__all__ = ["LIVE", "READY", "Ready", "health_endpoint"]

LIVE = "/healthz"
READY = ("/readyz", "/health")

_SECONDS = 5.0
_LONGEST_REQUEST = 8192

Ready = Callable[[], Awaitable[str | None]]
"""Gives None when ready, else the reason why not."""


@asynccontextmanager
async def health_endpoint(at: Address | socket.socket, ready: Ready) -> AsyncGenerator[None]:
    """Answer while the block runs: `/healthz` 200; `/readyz` and `/health` 200 or 503 and why.

    A socket is one that listens already. Raises `SettingsInvalid` if nothing can listen there.
    """

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(_SECONDS):
                head = await reader.readuntil(b"\r\n\r\n")
                writer.write(await _answer(head, ready))
                await writer.drain()
        except (OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass  # the caller went away, or is none
        finally:
            writer.close()

    try:
        if isinstance(at, socket.socket):
            server = await asyncio.start_server(serve, sock=at, limit=_LONGEST_REQUEST)
        else:
            server = await asyncio.start_server(serve, *at, limit=_LONGEST_REQUEST)
    except OSError as error:
        raise SettingsInvalid(
            (f"FLOWRUNNER_HEALTH_ADDRESS: {at} cannot be listened on: {error.strerror}",)
        ) from error
    async with server:
        yield


async def _answer(head: bytes, ready: Ready) -> bytes:
    words = head.split(b"\r\n", 1)[0].decode("latin-1").split(" ")
    path = words[1].partition("?")[0] if len(words) == 3 else ""
    if len(words) != 3 or words[0] not in ("GET", "HEAD"):
        return _response("405 Method Not Allowed", "use GET", words[0])
    if path == LIVE:
        return _response("200 OK", "live", words[0])
    if path not in READY:
        return _response("404 Not Found", f"there are {LIVE} and {READY[0]}", words[0])
    reason = await ready()
    if reason is None:
        return _response("200 OK", "ready", words[0])
    return _response("503 Service Unavailable", reason, words[0])


def _response(status: str, text: str, method: str) -> bytes:
    body = f"{text}\n".encode()
    head = (
        f"HTTP/1.1 {status}\r\nContent-Type: text/plain; charset=utf-8\r\n"
        f"Content-Length: {len(body)}\r\nCache-Control: no-store\r\nConnection: close\r\n\r\n"
    )
    return head.encode() + (b"" if method == "HEAD" else body)
