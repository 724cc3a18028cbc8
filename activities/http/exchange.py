"""One HTTP exchange: sending the request safely, and reading what comes back."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

import httpx2

from activities.attempt import Attempt
from activities.errors import NodeFailed
from activities.http.answer import read_answer, shown_url
from activities.http.auth import OAuth2
from activities.http.building import build
from activities.http.client import ClientOpener
from activities.http.errors import REDIRECT
from activities.http.request import MAX_REDIRECTS, HttpParams, HttpResult
from activities.http.tokens import Taken, open_tokens
from activities.http.trouble import mapped_errors

__all__ = ["Answered", "answered", "exchange"]

_UNAUTHORIZED = 401
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
    asked = await build(client, params, attempt)
    name = f"{asked.method} {shown_url(asked.url)}"
    with mapped_errors(name, params.limits()):
        async with asyncio.timeout(params.limits().total) as limit:
            response = await _sent(client, asked, params, attempt)
            try:
                yield Answered(response=response, name=name, ended=lambda: limit.reschedule(None))
            finally:
                await response.aclose()


async def _sent(
    client: httpx2.AsyncClient, asked: httpx2.Request, params: HttpParams, attempt: Attempt
) -> httpx2.Response:
    """The last answer; with a new token where one that was kept is taken no longer."""
    oauth2 = params.auth.oauth2 if params.auth is not None else None
    if oauth2 is None:
        return await _follow(client, asked, params)
    taken = await _authorize(asked, oauth2, attempt)
    response = await _follow(client, asked, params)
    if response.status_code != _UNAUTHORIZED or not taken.was_kept:
        return response
    await response.aclose()
    await _authorize(asked, oauth2, attempt, instead_of=taken)
    return await _follow(client, asked, params)


async def _authorize(
    asked: httpx2.Request, oauth2: OAuth2, attempt: Attempt, instead_of: Taken | None = None
) -> Taken:
    tokens = await attempt.resources.get(open_tokens)
    if instead_of is not None:
        tokens.drop(oauth2, instead_of.token)
    taken = await tokens.get(oauth2, attempt, exchange)
    attempt.conceal(taken.token)
    asked.headers["Authorization"] = f"Bearer {taken.token}"
    return taken


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
