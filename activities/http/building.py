"""Making the request that the parameters of `http.request` describe."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import AsyncIterable, AsyncIterator
from urllib.parse import urlencode

import httpx2

from activities.aside import aside
from activities.attempt import Attempt
from activities.blobs import Blob
from activities.errors import NodeFailed
from activities.http.auth import Auth
from activities.http.errors import INVALID_URL
from activities.http.fields import Scalar, text_of
from activities.http.multipart import multipart
from activities.http.request import HttpParams

__all__ = ["build", "read_url"]

_LONGEST_KEY = 255


async def build(client: httpx2.AsyncClient, params: HttpParams, attempt: Attempt) -> httpx2.Request:
    """The request as it is first sent, but for a token that has to be asked for."""
    headers = {name: text_of(value) for name, value in params.headers.items()}
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
    url = read_url(params.url)
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
            (name, text_of(item))
            for name, value in params.form.items()
            for item in (value if isinstance(value, list) else [value])
        ]
        data = urlencode(fields).encode()
        return data, {"Content-Type": "application/x-www-form-urlencoded"}
    if params.multipart is not None:
        parts = await multipart(params.multipart)
        size = await parts.size()
        return parts, {"Content-Type": parts.content_type, "Content-Length": str(size)}
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


def read_url(text: str) -> httpx2.URL:
    """Fails with `HttpInvalidUrl` for anything but a plain http or https URL."""
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
            # Of a password with a slash in it, a part would stand where the host is looked for.
            "the url holds a user name or password: give them as "
            "auth: {basic: {username: …, password: …}}",
        )
    return url
