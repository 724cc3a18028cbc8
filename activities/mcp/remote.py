"""Servers reached over HTTP, through the worker's own client, which guards its addresses."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Final

import httpx2
from mcp.client import Transport
from mcp.client.streamable_http import streamable_http_client
from pydantic_core import from_json

from activities.attempt import Attempt
from activities.errors import NodeFailed
from activities.http.answer import check_status, shown_url
from activities.http.building import read_url
from activities.http.client import ClientOpener
from activities.http.errors import CLIENT_ERROR, INVALID_RESPONSE, RESPONSE_TOO_LARGE
from activities.http.fields import Timeouts, text_of
from activities.http.request import HttpParams
from activities.http.trouble import mapped_errors
from activities.mcp.errors import CONNECTION_LOST
from activities.mcp.line import MOST_BYTES
from activities.mcp.server import McpServer

__all__ = ["RemoteLine", "remote_line"]

_CONNECT: Final = 10.0
_FAREWELL: Final = 5.0
_MOST_OF_ERROR: Final = 64 * 1024
_SUCCESSES: Final = range(200, 300)
_NO_ACCESS: Final = (401, 403)
_NOT_FOUND: Final = 404
_EMPTY: Final = (202, 204)
_KINDS: Final = ("application/json", "text/event-stream")
_ENCODED: Final = ("content-encoding", "content-length", "transfer-encoding")


@asynccontextmanager
async def remote_line(params: McpServer, attempt: Attempt) -> AsyncGenerator[RemoteLine]:
    url = read_url(params.url or "")
    pooled = await attempt.resources.get(ClientOpener(policy=attempt.addresses))
    limits = Timeouts.all_of(params.timeout).model_copy(
        update={"connect": min(_CONNECT, params.timeout)}
    )
    seam = _Seam(pooled, limits, attempt)
    headers = {name: text_of(value) for name, value in params.headers.items()}
    if params.bearer is not None:
        headers["Authorization"] = f"Bearer {params.bearer}"
    async with httpx2.AsyncClient(
        transport=seam,
        headers=[
            (b"User-Agent", b"flowrunner"),
            *((name.encode("ascii"), value.encode()) for name, value in headers.items()),
        ],
        timeout=httpx2.Timeout(
            connect=limits.connect, read=limits.read, write=limits.write, pool=limits.pool
        ),
    ) as client:
        yield RemoteLine(str(url), client, seam)


class RemoteLine:
    def __init__(self, url: str, client: httpx2.AsyncClient, seam: _Seam) -> None:
        self._url = url
        self._client = client
        self._seam = seam

    def transport(self) -> Transport:
        return streamable_http_client(
            self._url, http_client=self._client, max_sse_event_size=MOST_BYTES
        )

    async def explained(self, failed: NodeFailed) -> NodeFailed:
        return self._seam.trouble or failed


class _Seam(httpx2.AsyncBaseTransport):
    """Sends by the pooled client, and remembers what went wrong with the last message: the
    library tells of it in a code, or not at all."""

    def __init__(self, client: httpx2.AsyncClient, limits: Timeouts, attempt: Attempt) -> None:
        self._client = client
        self._limits = limits
        self._attempt = attempt
        self.trouble: NodeFailed | None = None

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        name = f"{request.method} {shown_url(request.url)}"
        if request.method == "DELETE":
            request.extensions["timeout"] = httpx2.Timeout(_FAREWELL).as_dict()
        with self.noting(request, name):
            response = await self._client.send(request, stream=True, follow_redirects=False)
        if response.status_code not in _SUCCESSES:
            return await self._refused(response, name)
        self.note(request, _of_another_kind(response, name))
        return _again(response, stream=_Measured(response, name, self))

    def note(self, request: httpx2.Request, trouble: NodeFailed | None) -> None:
        if request.method == "POST":  # the others are not waited for
            self.trouble = trouble

    @contextmanager
    def noting(self, request: httpx2.Request, name: str) -> Iterator[None]:
        try:
            with mapped_errors(name, self._limits):
                yield
        except NodeFailed as failed:
            self.note(request, failed)
            raise

    async def _refused(self, response: httpx2.Response, name: str) -> httpx2.Response:
        """The same answer, read."""
        body = bytearray()
        try:
            with self.noting(response.request, name):
                async for piece in response.aiter_bytes():
                    body += piece
                    if len(body) > _MOST_OF_ERROR:
                        break
        finally:
            await response.aclose()
        read = _again(response, content=bytes(body))
        self.note(response.request, await _meaning(read, name, self._attempt))
        return read


class _Measured(httpx2.AsyncByteStream):
    """The body as it comes, as long as it is not too large."""

    def __init__(self, response: httpx2.Response, name: str, seam: _Seam) -> None:
        self._response = response
        self._name = name
        self._seam = seam

    async def __aiter__(self) -> AsyncIterator[bytes]:
        size = 0
        with self._seam.noting(self._response.request, self._name):
            async for piece in self._response.aiter_bytes():
                size += len(piece)
                if size > MOST_BYTES:
                    raise NodeFailed(
                        RESPONSE_TOO_LARGE,
                        f"{self._name} answered with more than {MOST_BYTES:,} bytes",
                    )
                yield piece

    async def aclose(self) -> None:
        await self._response.aclose()


def _again(
    response: httpx2.Response,
    *,
    stream: httpx2.AsyncByteStream | None = None,
    content: bytes | None = None,
) -> httpx2.Response:
    """The answer with this body, which is decoded."""
    headers = [pair for pair in response.headers.multi_items() if pair[0] not in _ENCODED]
    return httpx2.Response(
        response.status_code,
        headers=headers,
        stream=stream,
        content=content,
        request=response.request,
    )


def _of_another_kind(response: httpx2.Response, name: str) -> NodeFailed | None:
    """What it means if the answer is none of the protocol: the URL of a web page, mostly."""
    kind = response.headers.get("content-type", "").partition(";")[0].strip().lower()
    if response.status_code in _EMPTY or kind in _KINDS:
        return None
    return NodeFailed(
        INVALID_RESPONSE, f"{name} answered with {kind or 'no content type'}: is it an MCP server?"
    )


async def _meaning(response: httpx2.Response, name: str, attempt: Attempt) -> NodeFailed | None:
    """What an answer that is no success means; None if its body is an error of the protocol, which
    says it better."""
    if response.status_code == _NOT_FOUND and "mcp-session-id" in response.request.headers:
        return NodeFailed(CONNECTION_LOST, f"{name}: the server has forgotten the session")
    wanted = HttpParams(url=str(response.request.url))
    try:
        await check_status(response, wanted, name, attempt)
    except NodeFailed as failed:
        is_plain = failed.error is CLIENT_ERROR and response.status_code not in _NO_ACCESS
        return None if is_plain and _is_of_protocol(response.content) else failed
    return None


def _is_of_protocol(body: bytes) -> bool:
    try:
        told = from_json(body)
    except ValueError:
        return False
    error = told.get("error") if isinstance(told, dict) else None
    return isinstance(error, dict) and isinstance(error.get("code"), int)
