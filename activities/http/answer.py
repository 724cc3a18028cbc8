"""What comes back of an HTTP exchange: a result, or the error that a status means."""

from __future__ import annotations

import base64
import math
import time
from collections.abc import AsyncIterator, Callable
from email.utils import parsedate_to_datetime

import httpx2
from pydantic_core import from_json
from typing_extensions import TypedDict

from activities.aside import aside
from activities.attempt import Attempt
from activities.blobs import is_textual
from activities.errors import NodeFailed
from activities.http.errors import (
    CLIENT_ERROR,
    INVALID_RESPONSE,
    REDIRECT,
    RESPONSE_TOO_LARGE,
    SERVER_ERROR,
    TRY_LATER,
    UNEXPECTED_STATUS,
)
from activities.http.request import HttpParams, HttpResult
from flowspec.catalogue import ErrorType
from flowspec.values import Json, JsonObject

__all__ = ["check_status", "excerpt", "read_answer", "shown_url"]

_EXCERPT = 2048
"""How much of an error's body goes into its details, in characters."""
_READ_OF_ERROR = 64 * 1024
_SHOWN_IN_MESSAGE = 200
_TRY_LATER_STATUSES = (408, 425, 429)


async def check_status(
    response: httpx2.Response, params: HttpParams, name: str, attempt: Attempt
) -> None:
    """Fails with the error that the status means, unless it is a success."""
    if not _expected(response.status_code, params):
        raise await _refusal(response, name, attempt)


async def excerpt(response: httpx2.Response, attempt: Attempt) -> str:
    """The beginning of the body as text, without secrets, which go before it is cut short."""
    raw = (await _read_body(response, _READ_OF_ERROR))[:_READ_OF_ERROR]
    text = _decode(raw, response.charset_encoding) or raw.decode("utf-8", "replace")
    return attempt.redactor.text(text)[:_EXCERPT]


async def read_answer(
    response: httpx2.Response,
    params: HttpParams,
    name: str,
    attempt: Attempt,
    *,
    ended: Callable[[], None],
) -> HttpResult:
    """`ended` is called once nothing more is waited for that the server has to send."""
    await check_status(response, params, name, attempt)
    result: HttpResult = {
        "status": response.status_code,
        "headers": {key: text for key, text in response.headers.items() if key != "set-cookie"},
        "url": str(response.url),
    }
    if params.save:
        pieces = _pieces(response, params, name, ended)
        kept = await attempt.keep(pieces, content_type=response.headers.get("content-type"))
        return {**result, "body": kept, "bytes": kept.size}
    body = await _read_body(response, params.most)
    if len(body) > params.most:
        raise _too_large(response, params, name)
    return await aside(lambda: {**result, **_body(body, response, name)}, over=body)


async def _pieces(
    response: httpx2.Response, params: HttpParams, name: str, ended: Callable[[], None]
) -> AsyncIterator[bytes]:
    size = 0
    async for piece in response.aiter_bytes():
        size += len(piece)
        if size > params.most:
            raise _too_large(response, params, name)
        yield piece
    ended()


def _too_large(response: httpx2.Response, params: HttpParams, name: str) -> NodeFailed:
    otherwise = "" if params.save else ", or keep it in the object store with save: true"
    return NodeFailed(
        RESPONSE_TOO_LARGE,
        f"{name} answered with more than max_bytes: {params.most}; ask for less, raise "
        f"max_bytes{otherwise}",
        details={"status": response.status_code, "max_bytes": params.most},
    )


async def _read_body(response: httpx2.Response, limit: int) -> bytes:
    """At most one piece more than `limit`: the decoders give pieces of 1 MiB at the most."""
    pieces = bytearray()
    async for piece in response.aiter_bytes():
        pieces += piece
        if len(pieces) > limit:
            break
    return bytes(pieces)


class _Body(TypedDict, total=False):
    json: Json
    text: str
    body_base64: str


def _body(body: bytes, response: httpx2.Response, name: str) -> _Body:
    kind = response.headers.get("content-type", "").partition(";")[0].strip().lower()
    text = _decode(body, response.charset_encoding)
    if body and (kind in ("application/json", "text/json") or kind.endswith("+json")):
        return {"json": _parse_json(text, name)}
    if text is not None and _is_textual(kind, text):
        return {"text": text}
    return {"body_base64": base64.b64encode(body).decode()}


def _parse_json(text: str | None, name: str) -> Json:
    try:
        if text is None:
            raise ValueError("it is not text in its character set")
        value: Json = from_json(text.removeprefix("\ufeff"), allow_inf_nan=False)
    except ValueError as error:
        raise NodeFailed(
            INVALID_RESPONSE,
            f"{name} answered with a body that says it is JSON and is not: {error}",
            details={"body": (text or "")[:_EXCERPT]},
        ) from error
    return value


def _is_textual(kind: str, text: str) -> bool:
    if not kind or not text:
        return "\0" not in text
    return is_textual(kind)


def _decode(body: bytes, charset: str | None) -> str | None:
    try:
        return body.decode(charset or "utf-8")
    except (UnicodeDecodeError, LookupError):
        return None


def _expected(status: int, params: HttpParams) -> bool:
    return any(
        status == wanted if isinstance(wanted, int) else status // 100 == int(wanted[0])
        for wanted in params.expect
    )


def _error_of(response: httpx2.Response) -> ErrorType:
    if response.status_code in _TRY_LATER_STATUSES:
        return TRY_LATER
    if response.is_client_error:
        return CLIENT_ERROR
    if response.is_server_error:
        return SERVER_ERROR
    return REDIRECT if response.has_redirect_location else UNEXPECTED_STATUS


async def _refusal(response: httpx2.Response, name: str, attempt: Attempt) -> NodeFailed:
    """What a status that is no success means."""
    error = _error_of(response)
    body = await excerpt(response, attempt)
    details: JsonObject = {
        "status": response.status_code,
        "url": shown_url(response.url),
        "body": body,
    }
    message = f"{name} answered {response.status_code} {response.reason_phrase}".rstrip()
    if error is REDIRECT:
        details["location"] = response.headers["location"]
        message += "; to follow it: follow_redirects: true, or give the new URL"
    elif shown := " ".join(body[:_SHOWN_IN_MESSAGE].split()):
        message += f": {shown}"
    return NodeFailed(error, message, details=details, retry_after=_retry_after(response))


def _retry_after(response: httpx2.Response) -> float | None:
    text = response.headers.get("retry-after", "").strip()
    try:
        seconds = float(text) if text.isdigit() else _seconds_until(text)
    except (ValueError, TypeError):
        return None
    return seconds if math.isfinite(seconds) and seconds > 0 else None


def _seconds_until(date: str) -> float:
    return parsedate_to_datetime(date).timestamp() - time.time()


def shown_url(url: httpx2.URL) -> str:
    """The URL for people: its query may hold a key that no redactor knows."""
    return str(url.copy_with(query=None, fragment=None, userinfo=b""))
