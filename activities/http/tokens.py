"""Tokens of OAuth 2 client credentials: got once, and kept by the worker while they are valid."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections import OrderedDict
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote_plus

from activities.addresses import ADDRESS_REFUSED
from activities.attempt import Attempt
from activities.errors import NodeFailed
from activities.http.auth import Auth, Basic, OAuth2
from activities.http.errors import INVALID_URL, TLS_ERROR, TOKEN_REFUSED, TOKEN_UNAVAILABLE
from activities.http.fields import Scalar, Timeouts, check_headers
from activities.http.request import HttpParams, HttpResult

__all__ = ["Taken", "Tokens", "open_tokens"]

_LONGEST = 30.0
_LARGEST = 1_000_000
_MOST_KEPT = 1000
_USUAL_LIFE = 300.0
"""Seconds, where the token server does not say."""
_SKEW = 60.0
_SKEW_SHARE = 0.1
"""A token is not used in the last minute of its life, nor in the last tenth if that is less."""

Exchange = Callable[[HttpParams, Attempt], Awaitable[HttpResult]]


@dataclass(frozen=True, kw_only=True)
class Taken:
    """A token, and whether it was there already."""

    token: str
    was_kept: bool


@dataclass(frozen=True, kw_only=True)
class _Token:
    text: str
    good_until: float


class Tokens:
    """One token for equal parameters. Whoever asks while it is being fetched waits for that."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._kept: OrderedDict[str, _Token] = OrderedDict()
        self._fetching: dict[str, asyncio.Task[_Token]] = {}

    async def get(self, asked: OAuth2, attempt: Attempt, exchange: Exchange) -> Taken:
        """Fails with `HttpTokenRefused`, `HttpTokenUnavailable`, or as any request may."""
        key = _key(asked)
        kept = self._kept.get(key)
        if kept is not None and self._clock() < kept.good_until:
            self._kept.move_to_end(key)
            return Taken(token=kept.text, was_kept=True)
        task = self._fetching.get(key)
        if task is None:
            task = asyncio.create_task(self._fetch(key, asked, attempt, exchange))
            self._fetching[key] = task
            task.add_done_callback(lambda done: self._fetched(key, done))
        fetched = await asyncio.shield(task)  # others wait for it as well
        return Taken(token=fetched.text, was_kept=False)

    def drop(self, asked: OAuth2, token: str) -> None:
        """Do not give this token any more."""
        kept = self._kept.get(_key(asked))
        if kept is not None and kept.text == token:
            del self._kept[_key(asked)]

    async def close(self) -> None:
        tasks = list(self._fetching.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._kept.clear()

    async def _fetch(self, key: str, asked: OAuth2, attempt: Attempt, exchange: Exchange) -> _Token:
        began = self._clock()
        text, life = await _ask(asked, attempt, exchange)
        token = _Token(text=text, good_until=began + life - min(_SKEW, life * _SKEW_SHARE))
        self._kept[key] = token
        while len(self._kept) > _MOST_KEPT:
            self._kept.popitem(last=False)
        return token

    def _fetched(self, key: str, task: asyncio.Task[_Token]) -> None:
        self._fetching.pop(key, None)
        if not task.cancelled():
            task.exception()  # seen, also if whoever asked has gone


@asynccontextmanager
async def open_tokens() -> AsyncGenerator[Tokens]:
    """The worker's tokens."""
    tokens = Tokens()
    try:
        yield tokens
    finally:
        await tokens.close()


def _key(asked: OAuth2) -> str:
    return asked.model_dump_json()


async def _ask(asked: OAuth2, attempt: Attempt, exchange: Exchange) -> tuple[str, float]:
    """The token, and how many seconds it lives."""
    try:
        result = await exchange(_request(asked), attempt)
    except NodeFailed as failed:
        raise _no_token(failed) from failed
    where = asked.token_url.partition("?")[0]
    body = result.get("json")
    found = body if isinstance(body, dict) else {}
    token, kind = found.get("access_token"), found.get("token_type", "bearer")
    if not isinstance(token, str) or not token or not _fits_a_header(token):
        raise NodeFailed(TOKEN_REFUSED, f"{where} answered without an access_token")
    if str(kind).lower() != "bearer":
        raise NodeFailed(
            TOKEN_REFUSED, f"{where} answered with a token of type {kind!r}, not Bearer"
        )
    return token, _life(found.get("expires_in"))


def _request(asked: OAuth2) -> HttpParams:
    form: dict[str, Scalar | list[Scalar]] = {"grant_type": "client_credentials", **asked.more}
    if asked.scopes:
        form["scope"] = " ".join(asked.scopes)
    if asked.audience is not None:
        form["audience"] = asked.audience
    if asked.resource is not None:
        form["resource"] = asked.resource
    auth = None
    if asked.send_credentials == "body":
        form |= {"client_id": asked.client_id, "client_secret": asked.client_secret}
    else:  # RFC 6749, 2.3.1
        name, password = quote_plus(asked.client_id), quote_plus(asked.client_secret)
        auth = Auth(basic=Basic(username=name, password=password))
    return HttpParams(
        method="POST",
        url=asked.token_url,
        # one of its own: whoever asks again wants a new token
        headers={"Accept": "application/json", "Idempotency-Key": str(uuid.uuid4())},
        form=form,
        auth=auth,
        timeouts=Timeouts.all_of(_LONGEST),
        max_bytes=_LARGEST,
    )


def _no_token(failed: NodeFailed) -> NodeFailed:
    error = TOKEN_REFUSED if failed.error.permanent else TOKEN_UNAVAILABLE
    if failed.error in (ADDRESS_REFUSED, INVALID_URL, TLS_ERROR):
        error = failed.error
    return NodeFailed(
        error,
        f"no token for the request: {failed.message}",
        details=failed.details,
        retry_after=failed.retry_after,
    )


def _fits_a_header(token: str) -> bool:
    try:
        check_headers({"Authorization": token})
    except ValueError:
        return False
    return True


def _life(said: Any) -> float:
    try:
        seconds = float(said)
    except (TypeError, ValueError):
        return _USUAL_LIFE
    return seconds if 0 <= seconds < float("inf") else _USUAL_LIFE
