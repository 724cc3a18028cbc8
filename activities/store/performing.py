"""What the node types of the key-value store do."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
from collections.abc import AsyncGenerator, Generator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, Final

from activities.attempt import Attempt
from activities.declaration import Acted
from activities.errors import INVALID_PARAMS, NodeFailed
from activities.store import changes
from activities.store.contract import Decide, Item, KeyValueStore, KeyValueStoreError
from activities.store.filters import Place, after_in_order, fits, in_order, order_of
from activities.store.options import KEY_STORE_UNAVAILABLE, space_of, store_of
from activities.store.params import (
    AppendParams,
    CompareAndSetParams,
    DeleteParams,
    Entry,
    GetParams,
    GetResult,
    IncrementParams,
    ListParams,
    ListResult,
    QueryParams,
    QueryResult,
    SetParams,
    SpaceParams,
)
from flowspec.catalogue import ErrorType
from flowspec.values import JsonObject

__all__ = [
    "QUERY_TOO_LARGE",
    "append",
    "compare_and_set",
    "delete",
    "get",
    "increment",
    "list_",
    "query",
    "set_",
]

QUERY_TOO_LARGE = ErrorType(
    name="QueryTooLarge",
    permanent=True,
    meaning="A query with `sort` has more than 10,000 items or 32 MB to look at",
)

_PAGE: Final = 100
_MOST_LISTED: Final = 8 * 1024 * 1024
_MOST_EXAMINED: Final = 32 * 1024 * 1024
_MOST_ITEMS: Final = 10_000


async def get(params: GetParams, attempt: Attempt) -> Acted[GetResult]:
    space, store = space_of(attempt, params.shared), await store_of(attempt)
    with _told():
        item = await store.read(space, params.key)
    if item is None:
        missing: GetResult = {
            "found": False,
            "value": params.default,
            "version": None,
            "expires": None,
        }
        return Acted(output=missing, action="missing")
    return Acted(
        output={
            "found": True,
            "value": item.value,
            "version": item.version,
            "expires": _moment(item.expires),
        },
        action="found",
    )


async def set_(params: SetParams, attempt: Attempt) -> Any:
    decide = changes.replacing(params.key, params.value, params.ttl)
    return await _change(params, params.key, attempt, decide)


async def delete(params: DeleteParams, attempt: Attempt) -> Any:
    return await _change(params, params.key, attempt, changes.deleting())


async def increment(params: IncrementParams, attempt: Attempt) -> Any:
    decide = changes.incrementing(params.key, params.by, params.start, params.ttl)
    return await _change(params, params.key, attempt, decide)


async def append(params: AppendParams, attempt: Attempt) -> Any:
    decide = changes.appending(
        params.key, params.value, limit=params.limit, unique=params.unique, ttl=params.ttl
    )
    return await _change(params, params.key, attempt, decide)


async def compare_and_set(params: CompareAndSetParams, attempt: Attempt) -> Any:
    expected = changes.Expectation(
        absent=params.absent is True, version=params.version, value=params.expected
    )
    decide = changes.swapping(params.key, params.value, expected, params.ttl)
    told = await _change(params, params.key, attempt, decide)
    return Acted(output=told, action="swapped" if told["swapped"] else "conflict")


async def list_(params: ListParams, attempt: Attempt) -> ListResult:
    space, store = space_of(attempt, params.shared), await store_of(attempt)
    entries: list[Entry] = []
    size, more = 0, False
    with _told():
        async for item in _items(store, space, params.prefix, params.cursor or ""):
            size += len(item.text.encode()) if params.values else 0
            if len(entries) == params.limit or (entries and size > _MOST_LISTED):
                more = True
                break
            entries.append(_entry(item, values=params.values))
    return {"items": entries, "cursor": entries[-1]["key"] if more else None}


async def query(params: QueryParams, attempt: Attempt) -> QueryResult:
    space, store = space_of(attempt, params.shared), await store_of(attempt)
    search = _sorted if params.sort else _by_key
    with _told():
        return await search(store, space, params)


async def _by_key(store: KeyValueStore, space: str, params: QueryParams) -> QueryResult:
    """What fits, as it is come by; the cursor is the last key that was looked at."""
    after = _read_cursor(params)
    found: list[Entry] = []
    count, size, listed, last = 0, 0, 0, str(after[-1]) if after else ""
    async for item in _items(store, space, params.prefix, last):
        bytes_ = len(item.text.encode())
        if len(found) == params.limit or _is_much(count, size + bytes_):
            return {"items": found, "cursor": _cursor([last])}
        if _fits(item, params):
            if found and listed + bytes_ > _MOST_LISTED:
                return {"items": found, "cursor": _cursor([last])}
            listed += bytes_
            found.append(_entry(item, values=True))
        count, size, last = count + 1, size + bytes_, item.key
    return {"items": found, "cursor": None}


async def _sorted(store: KeyValueStore, space: str, params: QueryParams) -> QueryResult:
    """All that fits, of which the cursor's place says where to go on."""
    cursor = _read_cursor(params)
    fitting: dict[str, Item] = {}
    count, size = 0, 0
    async for item in _items(store, space, params.prefix, ""):
        count, size = count + 1, size + len(item.text.encode())
        if _is_much(count - 1, size):
            raise _too_large(params)
        if _fits(item, params):
            fitting[item.key] = item
    places = [order_of(item.value, item.key, params.sort) for item in fitting.values()]
    left = [one for one in places if not cursor or after_in_order(one, cursor, params.sort)]
    ordered = await asyncio.to_thread(in_order, left, params.sort)
    page = ordered[: _that_fit(ordered[: params.limit], fitting)]
    entries = [_entry(fitting[str(place[-1])], values=True) for place in page]
    return {"items": entries, "cursor": _cursor(page[-1]) if len(page) < len(ordered) else None}


def _that_fit(places: list[Place], items: dict[str, Item]) -> int:
    """How many of them are told at once: one at least."""
    size = 0
    for count, place in enumerate(places):
        size += len(items[str(place[-1])].text.encode())
        if count and size > _MOST_LISTED:
            return count
    return len(places)


def _fits(item: Item, params: QueryParams) -> bool:
    value = item.value
    return all(fits(value, condition) for condition in params.where)


def _is_much(count: int, size: int) -> bool:
    return count >= _MOST_ITEMS or (count > 0 and size > _MOST_EXAMINED)


def _too_large(params: QueryParams) -> NodeFailed:
    return NodeFailed(
        QUERY_TOO_LARGE,
        f"there is more under the prefix {params.prefix!r} than is sorted at once: "
        f"{_MOST_ITEMS} items, or {_MOST_EXAMINED // 2**20} MB; narrow it by `prefix`, or leave "
        "out `sort` and follow the cursor",
    )


async def _change(params: SpaceParams, key: str, attempt: Attempt, decide: Decide) -> JsonObject:
    space, store = space_of(attempt, params.shared), await store_of(attempt)
    once = hashlib.sha256(attempt.key.encode()).hexdigest()
    with _told():
        return await store.change(space, key, decide, once=once)


async def _items(store: KeyValueStore, space: str, prefix: str, after: str) -> AsyncGenerator[Item]:
    while True:
        page = await store.page(space, prefix, after=after, limit=_PAGE)
        for item in page:
            yield item
        if len(page) < _PAGE:
            return
        after = page[-1].key


@contextmanager
def _told() -> Generator[None]:
    try:
        yield
    except KeyValueStoreError as error:
        raise NodeFailed(KEY_STORE_UNAVAILABLE, str(error)) from error


def _entry(item: Item, *, values: bool) -> Entry:
    entry: Entry = {
        "key": item.key,
        "version": item.version,
        "expires": _moment(item.expires),
    }
    if values:
        entry["value"] = item.value
    return entry


def _moment(seconds: float | None) -> str | None:
    if seconds is None:
        return None
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")


def _cursor(place: Place) -> str:
    return base64.urlsafe_b64encode(json.dumps(place).encode()).decode()


def _read_cursor(params: QueryParams) -> Place:
    if params.cursor is None:
        return []
    try:
        place = json.loads(base64.urlsafe_b64decode(params.cursor))
    except ValueError:
        place = None
    if not isinstance(place, list) or not _is_place(place, len(params.sort)):
        raise NodeFailed(
            INVALID_PARAMS, "the cursor is not one that a query with the same `sort` has given"
        )
    return place


def _is_place(place: Place, orders: int) -> bool:
    *parts, key = place or [None]
    listed = all(isinstance(part, list) and len(part) <= 1 for part in parts)
    return isinstance(key, str) and listed and len(parts) == orders
