"""The codec server: Temporal's UI and its CLI ask it for the values behind what Temporal holds.

`POST …/decode`, `…/encode` and `…/download`, with the `Payloads` of Temporal's API as JSON both
ways, and as many back as came. Every answer is JSON, and an error has a `message`.
"""

from __future__ import annotations

import asyncio
import base64
import hmac
import ipaddress
import json
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field
from typing import TypeAlias

from google.protobuf.json_format import MessageToDict, Parse, ParseError
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response, StreamingResponse
from starlette.types import ASGIApp, Receive, Scope, Send
from temporalio.api.common.v1 import Payload, Payloads

from claimcheck.cloakroom import Cloakroom
from claimcheck.errors import BlobMissing, BlobTooLarge, ClaimCheckError
from claimcheck.payloads import payload_of
from claimcheck.showing import GLANCE, WHOLE, Download, Showing

__all__ = ["HEALTH", "Guard", "codec_app", "is_loopback"]

_logger = logging.getLogger(__name__)

HEALTH = ("/health", "/healthz")
"""Answered to everybody: whether the server is there, not whether the store is."""

_MEGABYTE = 1024 * 1024
_LARGEST_REQUEST = 16 * _MEGABYTE
_MOST_PAYLOADS = 10_000

_AT_ONCE = 8
_READ_SECONDS = 20.0
_WAIT_SECONDS = 5.0
_DOWNLOAD_SECONDS = 600.0

_CORS = {
    "Access-Control-Allow-Methods": "POST, GET, OPTIONS",
    "Access-Control-Allow-Headers": (
        "Content-Type, X-Namespace, Authorization, Authorization-Extras"
    ),
    "Access-Control-Allow-Credentials": "true",
    "Access-Control-Max-Age": "600",
}


class Refused(Exception):
    """An answer that is an error, in words for people."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True, kw_only=True)
class Guard:
    """Who may ask. Without a token, only this machine itself, by a name of its own."""

    namespace: str
    origins: frozenset[str] = frozenset()
    token: str | None = field(default=None, repr=False)

    def refuse_stranger(self, request: Request) -> None:
        """What is wrong with where the request comes from, before anything is answered.

        A page of the web can make a browser ask here, even under a name of its own that it has
        given this machine's address; such a name, and the page's origin, give it away.
        """
        host, origin = request.headers.get("host", ""), request.headers.get("origin")
        if self.token is None and not is_loopback(_host_alone(host)):
            raise Refused(403, f"host {host[:100]!r} is not this machine: ask by 127.0.0.1")
        if origin is not None and origin not in self.origins:
            raise Refused(
                403,
                f"pages of {origin[:100]!r} may not ask here; FLOWRUNNER_CODEC_ORIGINS lists "
                "those that may",
            )

    def refuse_caller(self, request: Request) -> None:
        namespace = request.headers.get("x-namespace", self.namespace)
        if not self._has_token(request.headers.get("authorization", "")):
            raise Refused(401, "send the token: Authorization: Bearer …")
        if namespace != self.namespace:
            raise Refused(
                403,
                f"this codec server is for namespace {self.namespace!r}, not for "
                f"{namespace[:100]!r}",
            )

    def _has_token(self, authorization: str) -> bool:
        if self.token is None:
            return True
        scheme, _, given = authorization.partition(" ")
        same = hmac.compare_digest(given.strip().encode(), self.token.encode())
        return same and scheme.lower() == "bearer"


def is_loopback(host: str) -> bool:
    """Whether only this machine itself is reached by that name or address."""
    try:
        return host.lower() == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def codec_app(cloakroom: Cloakroom, guard: Guard) -> ASGIApp:
    """The server as an ASGI application, for one namespace."""
    server = _Server(Showing(cloakroom), guard)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        request = Request(scope, receive)
        try:
            response = await server.answer(request)
        except ClientDisconnect:
            return
        await response(scope, receive, send)

    return app


_Handler: TypeAlias = Callable[[Request], Awaitable[Response]]


class _Server:
    def __init__(self, showing: Showing, guard: Guard) -> None:
        self._showing = showing
        self._guard = guard
        self._places = asyncio.Semaphore(_AT_ONCE)
        self._downloads = asyncio.Semaphore(_AT_ONCE)
        self._handlers: dict[str, _Handler] = {
            "decode": self._decode,
            "encode": self._encode,
            "download": self._download,
        }

    async def answer(self, request: Request) -> Response:
        try:
            response = await self._answer(request)
        except Refused as refused:
            # The CLI shows no answer that is an error: it tries again for 10 s and gives up.
            _logger.warning("a request to the codec server is refused: %s", refused)
            response = _json({"message": str(refused)}, refused.status)
        except ClaimCheckError as error:
            response = _json({"message": str(error)}, _status(error))
        except ClientDisconnect:
            raise
        except Exception:
            # A browser shows an answer only with the headers below, so none may go without.
            _logger.exception("the codec server has met what it does not foresee")
            response = _json({"message": "an error that the codec server does not foresee"}, 500)
        return self._with_headers(request, response)

    def _with_headers(self, request: Request, response: Response) -> Response:
        response.headers["Cache-Control"] = "no-store"
        response.headers["X-Content-Type-Options"] = "nosniff"
        response.headers["Vary"] = "Origin"
        origin = request.headers.get("origin")
        if origin in self._guard.origins:
            response.headers["Access-Control-Allow-Origin"] = origin
            response.headers.update(_CORS)
        return response

    async def _answer(self, request: Request) -> Response:
        self._guard.refuse_stranger(request)
        if request.method == "OPTIONS":
            return Response(status_code=204)
        if request.url.path in HEALTH:
            return _json({"status": "ok", "namespace": self._guard.namespace})
        handler = self._handlers.get(request.url.path.rpartition("/")[2])
        if handler is None:
            raise Refused(404, "there are …/decode, …/encode and …/download")
        if request.method != "POST":
            raise Refused(405, "use POST")
        self._guard.refuse_caller(request)
        return await handler(request)

    async def _decode(self, request: Request) -> Response:
        keep = request.query_params.get("preserveStorageRefs", "").lower() == "true"
        async with self._place():
            payloads = await _read(request)
            shown = await self._showing.decoded(
                payloads, limits=GLANCE if keep else WHOLE, keep_references=keep
            )
            return await _payloads(shown)

    async def _encode(self, request: Request) -> Response:
        async with self._place():
            return await _payloads(await self._showing.encoded(await _read(request)))

    async def _download(self, request: Request) -> Response:
        async with self._place():
            payloads = await _read(request)
            if len(payloads) != 1:
                raise Refused(400, f"one payload is downloaded at a time, not {len(payloads)}")
            found = await self._showing.download(payloads[0])
        if isinstance(found, Payload):
            return await _payloads([found])
        return _InPieces(found, self._downloads)

    @asynccontextmanager
    async def _place(self) -> AsyncIterator[None]:
        try:
            async with asyncio.timeout(_WAIT_SECONDS):
                await self._places.acquire()
        except TimeoutError:
            raise Refused(503, "too many ask at once: try again in a moment") from None
        try:
            yield
        finally:
            self._places.release()


class _InPieces(StreamingResponse):
    """A payload larger than what should be held in memory.

    If the store fails on the way, the answer breaks off, so that nobody takes it for whole.
    """

    def __init__(self, download: Download, places: asyncio.Semaphore) -> None:
        super().__init__(_written(download), media_type="application/json")
        self._rest = download.rest
        self._places = places

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            async with aclosing(self._rest), asyncio.timeout(_DOWNLOAD_SECONDS), self._places:
                await super().__call__(scope, receive, send)
        except (ClaimCheckError, TimeoutError) as error:
            _logger.warning("a download has broken off: %s", str(error) or "it took too long")


async def _written(download: Download) -> AsyncIterator[bytes]:
    metadata = MessageToDict(payload_of(b"", download.metadata)).get("metadata", {})
    yield b'{"payloads":[{"metadata":%s,"data":"' % json.dumps(metadata).encode()
    left = b""
    async for piece in _pieces(download):
        piece = left + piece
        whole = len(piece) - len(piece) % 3  # base64 writes three bytes at a time
        left = piece[whole:]
        yield base64.b64encode(piece[:whole])
    yield base64.b64encode(left) + b'"}]}'


async def _pieces(download: Download) -> AsyncIterator[bytes]:
    """None so large that writing it would hold everybody else up."""
    for start in range(0, len(download.first), _MEGABYTE):
        yield download.first[start : start + _MEGABYTE]
    async for piece in download.rest:
        yield piece


async def _read(request: Request) -> list[Payload]:
    try:
        async with asyncio.timeout(_READ_SECONDS):
            body = await _body(request)
    except TimeoutError:
        raise Refused(408, "the request did not arrive in time") from None
    payloads = await asyncio.to_thread(_parsed, body)
    if len(payloads) > _MOST_PAYLOADS:
        raise Refused(413, f"at most {_MOST_PAYLOADS:,} payloads at a time")
    return payloads


async def _body(request: Request) -> bytes:
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > _LARGEST_REQUEST:
            raise Refused(413, f"a request has at most {_LARGEST_REQUEST // _MEGABYTE} MB")
    return bytes(body)


def _parsed(body: bytes) -> list[Payload]:
    try:
        # Newer senders may know more of a payload than we do; nothing of that is needed here.
        message: Payloads = Parse(body, Payloads(), ignore_unknown_fields=True)
    except (ParseError, ValueError):
        raise Refused(400, 'expected the JSON of Temporal\'s Payloads: {"payloads": […]}') from None
    return list(message.payloads)


def _status(error: ClaimCheckError) -> int:
    """The UI asks again after 5xx, and takes 404 for a server that has no downloads."""
    if isinstance(error, BlobMissing):
        return 410
    if isinstance(error, BlobTooLarge):
        return 413
    return 503 if error.passing else 422


async def _payloads(payloads: list[Payload]) -> Response:
    text = await asyncio.to_thread(_printed, payloads)
    return Response(text, media_type="application/json")


def _printed(payloads: list[Payload]) -> bytes:
    return json.dumps({"payloads": [MessageToDict(payload) for payload in payloads]}).encode()


def _json(value: dict[str, str], status: int = 200) -> Response:
    return Response(json.dumps(value), status_code=status, media_type="application/json")


def _host_alone(host: str) -> str:
    """Without the port: `[::1]:8234` as `::1`."""
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0]
