"""One HTTP exchange: building the request, sending it safely, reading what comes back."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import ssl
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from urllib.parse import urlencode

import httpx2

from activities.aside import aside
from activities.attempt import Attempt
from activities.blobs import Blob
from activities.errors import INVALID_PARAMS, NodeFailed
from activities.http import (
    INVALID_RESPONSE,
    INVALID_URL,
    MAX_REDIRECTS,
    NETWORK_ERROR,
    REDIRECT,
    TIMEOUT,
    TLS_ERROR,
    Auth,
    HttpParams,
    HttpResult,
    Scalar,
)
from activities.http_answer import read_answer, shown_url
from activities.http_client import ClientOpener
from flowspec.durations import format_duration

__all__ = ["Answered", "answered", "exchange"]

_LONGEST_KEY = 255
_SAFE_ELSEWHERE = (
    "accept",
    "accept-encoding",
    "accept-language",
    "content-length",
    "host",
    "user-agent",
)


@dataclass(frozen=True, kw_only=True)
class Answered:
    """An answer whose body is not read yet.

    `name` is what the request is called in errors; `ended` is to be called once nothing more is
    waited for that the server has to send.
    """

    response: httpx2.Response
    name: str
    ended: Callable[[], None]


async def exchange(params: HttpParams, attempt: Attempt) -> HttpResult:
    async with answered(params, attempt) as answer:
        return await read_answer(answer.response, params, answer.name, attempt, ended=answer.ended)


@asynccontextmanager
async def answered(params: HttpParams, attempt: Attempt) -> AsyncGenerator[Answered]:
    """Send the request, and give the answer while it lasts, whatever its status.

    What goes wrong on the way, or inside, is told by the errors of `http.request`.
    """
    client = await attempt.resources.get(ClientOpener(policy=attempt.addresses))
    asked = await _build(client, params, attempt)
    name = f"{asked.method} {shown_url(asked.url)}"
    with _mapped_errors(name, params):
        async with asyncio.timeout(params.limits().total) as limit:
            response = await _follow(client, asked, params)
            try:
                yield Answered(response=response, name=name, ended=lambda: limit.reschedule(None))
            finally:
                await response.aclose()


async def _build(
    client: httpx2.AsyncClient, params: HttpParams, attempt: Attempt
) -> httpx2.Request:
    headers = {name: _text(value) for name, value in params.headers.items()}
    query: dict[str, Scalar | list[Scalar]] = {
        name: value for name, value in params.query.items() if value is not None
    }
    if params.auth is not None:
        _authenticate(params.auth, headers, query, attempt)
    if params.method in ("POST", "PATCH") and not params.header("idempotency-key"):
        headers["Idempotency-Key"] = _header_key(attempt.key)
    content, described = await _body(params)
    headers.update(
        {name: text for name, text in described.items() if not params.header(name.lower())}
    )
    url = _read_url(params.url)
    limits = params.limits()
    return client.build_request(
        params.method,
        url.copy_merge_params(query) if query else url,
        headers=[(name.encode("ascii"), value.encode()) for name, value in headers.items()],
        content=content,
        timeout=httpx2.Timeout(
            connect=limits.connect, read=limits.read, write=limits.write, pool=limits.pool
        ),
    )


async def _body(params: HttpParams) -> tuple[bytes | AsyncIterable[bytes] | None, dict[str, str]]:
    """The body, and the headers that describe it."""
    if params.has("json"):
        value = params.json_
        data = await aside(lambda: json.dumps(value, ensure_ascii=False).encode(), over=value)
        return data, {"Content-Type": "application/json"}
    if params.form is not None:
        fields = [
            (name, _text(item))
            for name, value in params.form.items()
            for item in (value if isinstance(value, list) else [value])
        ]
        data = urlencode(fields).encode()
        return data, {"Content-Type": "application/x-www-form-urlencoded"}
    if params.body is not None:
        kind, size = await params.body.content_type(), await params.body.size()
        return _Streamed(params.body), {"Content-Type": kind, "Content-Length": str(size)}
    return None, {}


class _Streamed:
    """A body that is read anew each time it is sent: once more after a redirect."""

    def __init__(self, blob: Blob) -> None:
        self._blob = blob

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self._blob.stream()


def _authenticate(
    auth: Auth, headers: dict[str, str], query: dict[str, Scalar | list[Scalar]], attempt: Attempt
) -> None:
    if auth.bearer is not None:
        headers["Authorization"] = f"Bearer {auth.bearer}"
    elif auth.basic is not None:
        pair = f"{auth.basic.username}:{auth.basic.password}"
        token = base64.b64encode(pair.encode()).decode()
        attempt.conceal(token)
        headers["Authorization"] = f"Basic {token}"
    elif auth.api_key is not None and auth.api_key.in_ == "header":
        headers[auth.api_key.name] = auth.api_key.value
    elif auth.api_key is not None:
        attempt.conceal(auth.api_key.value)
        query[auth.api_key.name] = auth.api_key.value


def _header_key(key: str) -> str:
    """The key itself where a header can hold it, else its hash."""
    if len(key) <= _LONGEST_KEY and key.isascii() and key.isprintable():
        return key
    return hashlib.sha256(key.encode()).hexdigest()


def _read_url(text: str) -> httpx2.URL:
    try:
        url = httpx2.URL(text)
    except httpx2.InvalidURL as error:
        raise NodeFailed(INVALID_URL, f"the url {text!r} cannot be read: {error}") from error
    if url.scheme not in ("http", "https") or not url.host:
        raise NodeFailed(
            INVALID_URL, f"the url {text!r} does not begin with http:// or https:// and a host"
        )
    if url.userinfo:
        raise NodeFailed(
            INVALID_URL,
            f"the url of {url.host} holds a user name or password: give them as "
            "auth: {basic: {username: …, password: …}}",
        )
    return url


async def _follow(
    client: httpx2.AsyncClient, asked: httpx2.Request, params: HttpParams
) -> httpx2.Response:
    """The last answer of a chain of redirects; its body is not read yet."""
    request, seen = asked, 0
    while True:
        response = await client.send(request, stream=True)
        following = response.next_request
        if following is None or not params.follow_redirects:
            return response
        await response.aclose()
        seen += 1
        if seen > MAX_REDIRECTS:
            raise NodeFailed(
                REDIRECT,
                f"{asked.method} {shown_url(asked.url)} was redirected more than {MAX_REDIRECTS} "
                f"times, last to {shown_url(following.url)}",
            )
        request = _checked_redirect(request, following)


def _checked_redirect(request: httpx2.Request, following: httpx2.Request) -> httpx2.Request:
    """The request to go on with; what was meant for one origin is not given to another."""
    old, new = request.url, following.url
    where = f"{shown_url(old)} redirects to {shown_url(new)}"
    if new.scheme not in ("http", "https") or not new.host or new.userinfo:
        raise NodeFailed(REDIRECT, f"{where}, which is not a plain http or https URL")
    if old.scheme == "https" and new.scheme == "http":
        raise NodeFailed(REDIRECT, f"{where}, which is not encrypted: not followed")
    if new.origin == old.origin or _is_upgrade(old, new):
        return following
    if following.headers.get("content-length", "0") != "0" or _is_chunked(following):
        raise NodeFailed(
            REDIRECT,
            f"{where}, another origin, and asks for the body to be sent there: not followed; if "
            "that is right, give the new URL",
        )
    for name in [name for name in following.headers if name not in _SAFE_ELSEWHERE]:
        del following.headers[name]
    return following


def _is_chunked(request: httpx2.Request) -> bool:
    return "transfer-encoding" in request.headers


def _is_upgrade(old: httpx2.URL, new: httpx2.URL) -> bool:
    ports = (old.port, new.port) == (None, None)
    return (old.scheme, new.scheme, new.host) == ("http", "https", old.host) and ports


def _text(value: Scalar) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


@contextmanager
def _mapped_errors(name: str, params: HttpParams) -> Iterator[None]:
    try:
        yield
    except TimeoutError as error:
        total = format_duration(params.limits().total or 0)
        raise NodeFailed(TIMEOUT, f"{name} took longer than {total}") from error
    except httpx2.TimeoutException as error:
        part = _TIMEOUT_PARTS.get(type(error), "read")
        limit = format_duration(getattr(params.limits(), part))
        raise NodeFailed(TIMEOUT, f"{name}: no progress in {limit} (timeouts.{part})") from error
    except httpx2.DecodingError as error:
        raise NodeFailed(INVALID_RESPONSE, f"{name}: the body is damaged: {error}") from error
    except httpx2.LocalProtocolError as error:
        raise NodeFailed(INVALID_PARAMS, f"{name} cannot be sent: {error}") from error
    except httpx2.TransportError as error:
        raise _network_trouble(name, error) from error


_TIMEOUT_PARTS: dict[type[Exception], str] = {
    httpx2.ConnectTimeout: "connect",
    httpx2.WriteTimeout: "write",
    httpx2.PoolTimeout: "pool",
}


def _network_trouble(name: str, error: httpx2.TransportError) -> NodeFailed:
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            why = cause.verify_message or str(cause)
            return NodeFailed(TLS_ERROR, f"{name}: the certificate is not trusted: {why}")
        cause = cause.__cause__ or cause.__context__
    return NodeFailed(NETWORK_ERROR, f"{name}: {str(error) or type(error).__name__}")
