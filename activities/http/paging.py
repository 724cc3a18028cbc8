"""Asking for one page after the other, and going on where the attempt before was."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import httpx2
from pydantic_core import to_json

from activities.aside import aside
from activities.attempt import Attempt
from activities.errors import NodeFailed
from activities.http.building import read_url
from activities.http.errors import INVALID_RESPONSE, REDIRECT, RESPONSE_TOO_LARGE
from activities.http.exchange import exchange
from activities.http.pages import Paginate
from activities.http.request import MOST_IN_MEMORY, HttpParams, HttpResult
from flowspec.expressions import ExpressionError
from flowspec.expressions.budget import Budget
from flowspec.expressions.functions.queries import search
from flowspec.values import Json

__all__ = ["all_pages"]

_WORTH_KEEPING = 16 * 1024
"""Bytes of items that go into the object store, so that a heartbeat stays small."""


@dataclass(kw_only=True)
class _Progress:
    """What there is so far. `next` leads on; None is the first page of those that are not counted.

    `kept` are lists of items as claims, for the heartbeat, `rest` the items that are in none yet.
    """

    next: str | int | None
    pages: int = 0
    bytes: int = 0
    items: list[Json] = field(default_factory=list)
    kept: list[Any] = field(default_factory=list)
    rest: list[Json] = field(default_factory=list)


async def all_pages(params: HttpParams, attempt: Attempt) -> HttpResult:
    """The last page's answer, with the items of all."""
    paginate = params.paginate
    assert paginate is not None, "only asked for with paginate"
    progress = await _resumed(paginate, attempt)
    while True:
        result = await exchange(_page(params, paginate, progress), _own_key(attempt, progress))
        items = await _read(paginate, result, progress, attempt)
        before = progress.next
        await _add(progress, items, attempt)
        progress.next = _next(params, paginate, result, len(items), before)
        over = len(progress.items) > paginate.max_items
        if progress.next is None or over or _full(paginate, progress):
            complete = progress.next is None and not over
            return _whole(result, progress, paginate, complete=complete)
        _tell(progress, attempt)


def _full(paginate: Paginate, progress: _Progress) -> bool:
    return progress.pages >= paginate.max_pages or len(progress.items) >= paginate.max_items


def _whole(
    result: HttpResult, progress: _Progress, paginate: Paginate, *, complete: bool
) -> HttpResult:
    return {
        "status": result["status"],
        "headers": result["headers"],
        "url": result["url"],
        "items": progress.items[: paginate.max_items],
        "pages": progress.pages,
        "complete": complete,
    }


def _page(params: HttpParams, paginate: Paginate, progress: _Progress) -> HttpParams:
    """The request for the page that comes next."""
    at = progress.next
    if at is None:
        return params
    if paginate.by in ("link", "url"):
        return params.model_copy(update={"url": str(at), "query": {}})
    query = {**params.query, paginate.param or paginate.by: at}
    return params.model_copy(update={"query": query})


def _own_key(attempt: Attempt, progress: _Progress) -> Attempt:
    """Each page is a request of its own to who knows an `Idempotency-Key`."""
    if not progress.pages:
        return attempt
    return replace(attempt, key=f"{attempt.key}/page-{progress.pages + 1}")


# What a page says


async def _read(
    paginate: Paginate, result: HttpResult, progress: _Progress, attempt: Attempt
) -> list[Json]:
    """The page's items, without secrets, for they may outlast the attempt."""

    def read() -> list[Json]:
        items = _items(paginate, result, first=progress.pages == 0)
        return [attempt.redactor.value(item) for item in items]

    return await aside(read, over=result)


def _items(paginate: Paginate, result: HttpResult, *, first: bool) -> list[Json]:
    body = _body(result)
    found = body if paginate.items is None else _search(paginate.items, body, result)
    if found is None and not first:
        return []  # many a server writes an empty list so
    if not isinstance(found, list):
        where = "the answer" if paginate.items is None else f"{paginate.items} in the answer"
        raise NodeFailed(
            INVALID_RESPONSE, f"{where} of {_shown(result)} is not a list (paginate.items)"
        )
    return found


def _next(
    params: HttpParams, paginate: Paginate, result: HttpResult, count: int, before: str | int | None
) -> str | int | None:
    """What leads to the page after this one; None if there is none."""
    if paginate.by in ("page", "offset"):
        assert isinstance(before, int), "pages and items are counted from a number"
        last = count == 0 or (paginate.size is not None and count < paginate.size)
        return None if last else before + (1 if paginate.by == "page" else count)
    found = _link(result) if paginate.by == "link" else _read_next(paginate, result)
    if found is None:
        return None
    if paginate.by != "cursor":
        found = _checked_url(params, result, str(found))
    if found == before:
        raise NodeFailed(INVALID_RESPONSE, f"the page after {_shown(result)} is the same again")
    return found


def _link(result: HttpResult) -> str | None:
    response = httpx2.Response(200, headers={"Link": result["headers"].get("link", "")})
    return response.links.get("next", {}).get("url")


def _read_next(paginate: Paginate, result: HttpResult) -> str | int | None:
    assert paginate.next is not None, "given with url and cursor"
    found = _search(paginate.next, _body(result), result)
    if found in (None, False, ""):
        return None
    if isinstance(found, str | int) and not isinstance(found, bool):
        return found
    raise NodeFailed(
        INVALID_RESPONSE,
        f"{paginate.next} in the answer of {_shown(result)} is neither text nor a whole number "
        "(paginate.next)",
    )


def _checked_url(params: HttpParams, result: HttpResult, text: str) -> str:
    """What was meant for one origin is not given to another."""
    try:
        url = httpx2.URL(result["url"]).join(text)
    except httpx2.InvalidURL as error:
        raise NodeFailed(
            INVALID_RESPONSE, f"the page after {_shown(result)} has no URL: {error}"
        ) from error
    if url.origin != read_url(params.url).origin or url.userinfo:
        raise NodeFailed(
            REDIRECT,
            f"the page after {_shown(result)} is at another origin, {url.scheme}://{url.host}: "
            "not followed",
        )
    return str(url)


def _body(result: HttpResult) -> Json:
    if "json" not in result:
        raise NodeFailed(INVALID_RESPONSE, f"the answer of {_shown(result)} is not JSON")
    return result["json"]


def _search(path: str, body: Json, result: HttpResult) -> Json:
    try:
        return search(Budget(), path, body)
    except ExpressionError as error:
        raise NodeFailed(
            INVALID_RESPONSE, f"{path} cannot be found in the answer of {_shown(result)}: {error}"
        ) from error


def _shown(result: HttpResult) -> str:
    return result["url"].partition("?")[0]


# What lasts


async def _add(progress: _Progress, items: list[Json], attempt: Attempt) -> None:
    progress.pages += 1
    progress.items += items
    progress.rest += items
    progress.bytes += len(await aside(lambda: to_json(items), over=items))
    if progress.bytes > MOST_IN_MEMORY:
        raise NodeFailed(
            RESPONSE_TOO_LARGE,
            f"the items of {progress.pages} pages are more than {MOST_IN_MEMORY} bytes, which is "
            "as much as is read into memory; ask for fewer",
        )
    await _put_away(progress, attempt)


async def _put_away(progress: _Progress, attempt: Attempt) -> None:
    rest = progress.rest
    large = len(await aside(lambda: to_json(rest), over=rest)) > _WORTH_KEEPING
    if large and attempt.claims is not None:
        progress.kept.append(await attempt.claims.kept(rest))
        progress.rest = []


def _tell(progress: _Progress, attempt: Attempt) -> None:
    """An attempt after this one goes on here, unless what leads on is a secret."""
    if attempt.redactor.value(progress.next) != progress.next:
        attempt.heartbeat({"pages": progress.pages})
        return
    attempt.heartbeat(
        {
            "pages": progress.pages,
            "next": progress.next,
            "items": [*progress.kept, list(progress.rest)],
        }
    )


async def _resumed(paginate: Paginate, attempt: Attempt) -> _Progress:
    """Where the attempt before was, or the beginning."""
    match attempt.progress:
        case {"pages": int(pages), "next": (str() | int()) as at, "items": [*lists]}:
            progress = _Progress(next=at)
            for each in lists:
                assert isinstance(each, list), "as it was told"
                await _add(progress, each, attempt)
            progress.pages = pages
            return progress
    return _Progress(next=paginate.begin)
