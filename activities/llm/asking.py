"""One question to an endpoint, over the worker's own client for HTTP.

Not by the SDKs of OpenAI and Anthropic: they are 30 MB each and take a second to load, and of
what they do, little would be left. Attempts are made again by Temporal, addresses are guarded,
times kept and answers bounded by the client that `http.request` uses, and what remains is a POST.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping
from typing import TypeVar

from pydantic import ValidationError
from pydantic_core import from_json, to_json

from activities.aside import aside
from activities.attempt import Attempt
from activities.errors import NodeFailed
from activities.http.answer import read_answer
from activities.http.errors import (
    CLIENT_ERROR,
    INVALID_RESPONSE,
    REDIRECT,
    RESPONSE_TOO_LARGE,
    SERVER_ERROR,
    TRY_LATER,
)
from activities.http.exchange import answered
from activities.http.request import MOST_IN_MEMORY, HttpParams
from activities.llm.endpoint import Endpoint
from activities.llm.errors import (
    AUTHENTICATION_FAILED,
    CONTENT_REFUSED,
    CONTEXT_TOO_LONG,
    INVALID_REQUEST,
    QUOTA_EXCEEDED,
    RATE_LIMITED,
)
from flowspec.catalogue import ErrorType
from flowspec.values import Json, JsonObject

__all__ = ["ask", "malformed", "read", "refusal"]

T = TypeVar("T")

_LATER = (408, 409, 425, 429, 529)
_SHOWN = 500
_NO_CREDIT = re.compile(r"insufficient_quota|credit balance", re.IGNORECASE)
_TOO_LONG = re.compile(
    r"context[ _](length|window|size)|(prompt|input) is too long|too many (input )?tokens"
    r"|maximum (context|prompt) length|input token count|reduce the length of the",
    re.IGNORECASE,
)
_REFUSED = re.compile(
    r"content[ _-]?(filter|policy|management)|moderation|ResponsibleAIPolicy|safety system",
    re.IGNORECASE,
)


async def ask(
    endpoint: Endpoint, url: str, headers: Mapping[str, str], body: JsonObject, attempt: Attempt
) -> JsonObject:
    """What the endpoint answers; fails with one of `ENDPOINT_ERRORS`."""
    key = await aside(lambda: _key(attempt, body), over=body)
    request = HttpParams(
        method="POST",
        url=url,
        headers={**headers, "Idempotency-Key": key},
        json=body,
        timeouts=endpoint.limits(),
        max_bytes=MOST_IN_MEMORY,
    )
    try:
        async with answered(request, attempt) as answer:
            result = await read_answer(
                answer.response, request, answer.name, attempt, ended=answer.ended
            )
    except NodeFailed as failed:
        raise _told(failed) from failed
    found = result.get("json")
    if not isinstance(found, dict):
        raise malformed(result["url"], "its answer is no JSON object")
    if found.get("error"):  # some gateways do not tell it by the status
        raise _said_inside(result["url"], found)
    return found


async def read(url: str, answer: JsonObject, reader: Callable[[JsonObject], T]) -> T:
    """What the reader makes of an answer, which it does not take if it lacks what one has."""
    try:
        return await aside(lambda: reader(answer), over=answer)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(str(step) for step in first["loc"])
        raise malformed(url, f"{place}: {first['msg']}") from error


def malformed(url: str, why: str) -> NodeFailed:
    """An answer that is not one of such an endpoint."""
    return NodeFailed(
        INVALID_RESPONSE,
        f"{url} does not answer as the API does: {why}; look at base_url and provider",
    )


def refusal(status: int, said: str) -> ErrorType:
    """What it means that an endpoint answers with this status, and says this."""
    if status == 402 or (status < 500 and _NO_CREDIT.search(said)):
        return QUOTA_EXCEEDED
    if status in _LATER:
        return RATE_LIMITED
    if status >= 500:
        return SERVER_ERROR
    if status == 413 or _TOO_LONG.search(said):
        return CONTEXT_TOO_LONG
    if _REFUSED.search(said):
        return CONTENT_REFUSED
    return AUTHENTICATION_FAILED if status in (401, 403) else INVALID_REQUEST


def _key(attempt: Attempt, body: JsonObject) -> str:
    """The same for the same question at any attempt; another one may not have the same key."""
    digest = hashlib.sha256(attempt.key.encode())
    digest.update(to_json(body))
    return digest.hexdigest()


def _told(failed: NodeFailed) -> NodeFailed:
    """What went wrong, in the words of these node types."""
    details = failed.details if isinstance(failed.details, dict) else {}
    if failed.error in (CLIENT_ERROR, TRY_LATER, SERVER_ERROR):
        body = str(details.get("body", ""))
        return _refused(
            str(details["url"]), int(str(details["status"])), body, details, failed.retry_after
        )
    if failed.error is REDIRECT:
        where = f"{details.get('url')} redirects to {details.get('location')}"
        message = f"{where}: not followed; if that is right, give it as base_url"
        return NodeFailed(REDIRECT, message, details=details)
    if failed.error is RESPONSE_TOO_LARGE:
        message = f"the answer has more than {MOST_IN_MEMORY:,} bytes: ask for less at once"
        return NodeFailed(RESPONSE_TOO_LARGE, message, details=details)
    return failed


def _said_inside(url: str, found: JsonObject) -> NodeFailed:
    error = found["error"]
    code = error.get("code") if isinstance(error, dict) else None
    status = code if isinstance(code, int) and 400 <= code < 600 else 500
    body = to_json(found).decode()[: 4 * _SHOWN]
    return _refused(url, status, body, {"status": status, "url": url, "body": body}, None)


def _refused(
    url: str, status: int, body: str, details: JsonObject, retry_after: float | None
) -> NodeFailed:
    error = refusal(status, body)
    message = f"{url} answered {status}: {_sentence(body)}"
    if error is INVALID_REQUEST and "response_format" in body:
        message += "; an endpoint that cannot keep to a schema is asked by structured: prompt"
    return NodeFailed(error, message, details=details, retry_after=retry_after)


def _sentence(body: str) -> str:
    """What an error's body says to people."""
    try:
        found: Json = from_json(body)
    except ValueError:
        found = None
    while isinstance(found, dict):
        found = found.get("error", found.get("message", found.get("detail")))
    said = found if isinstance(found, str) else body
    return " ".join(said[:_SHOWN].split()) or "nothing"
