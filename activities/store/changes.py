"""What the node types do to an item, as functions from what is there to what is to be."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from activities.errors import INVALID_PARAMS, NodeFailed
from activities.store.contract import Decide, Item, Outcome
from flowspec.catalogue import ErrorType
from flowspec.values import Json

__all__ = [
    "MOST_BYTES",
    "VALUE_TOO_LARGE",
    "WRONG_TYPE",
    "Expectation",
    "appending",
    "deleting",
    "incrementing",
    "json_of",
    "replacing",
    "same",
    "swapping",
]

MOST_BYTES: Final = 256 * 1024
_MOST_NUMBER: Final = 2**53

VALUE_TOO_LARGE = ErrorType(
    name="ValueTooLarge",
    permanent=True,
    meaning="The JSON of the value has more than 256 KB, or the number is beyond what is exact",
)
WRONG_TYPE = ErrorType(
    name="WrongType",
    permanent=True,
    meaning="What is kept under the key is no number to add to, or no list to append to",
)


def json_of(value: Json, key: str) -> str:
    """The text that is kept for a value; fails with `ValueTooLarge`."""
    try:
        text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        size = len(text.encode())
    except (ValueError, RecursionError) as error:
        raise NodeFailed(INVALID_PARAMS, f"the value for {key!r} is not JSON: {error}") from error
    if size > MOST_BYTES:
        raise NodeFailed(
            VALUE_TOO_LARGE,
            f"the value for {key!r} has {size} bytes as JSON, more than the {MOST_BYTES} that are "
            "kept under one key; put it into a file or a bucket and keep its name here, or keep "
            "its parts under keys of their own",
        )
    return text


def _item(key: str, value: Json, old: Item | None, now: float, expires: float | None) -> Item:
    # By the time, so that a key that is made anew goes on from where it was.
    version = max(int(now * 1e6), old.version + 1 if old else 0)
    return Item(key=key, text=json_of(value, key), version=version, expires=expires)


def _until(ttl: float | None, now: float) -> float | None:
    return None if ttl is None else now + ttl


def replacing(key: str, value: Json, ttl: float | None) -> Decide:
    """The value, whatever was there."""

    def decide(old: Item | None, now: float) -> Outcome:
        item = _item(key, value, old, now, _until(ttl, now))
        return Outcome(item=item, result={"version": item.version, "created": old is None})

    return decide


def deleting() -> Decide:
    """No item."""

    def decide(old: Item | None, _now: float) -> Outcome:
        return Outcome(result={"deleted": old is not None}, writes=old is not None)

    return decide


def incrementing(key: str, by: float, start: float, ttl: float | None) -> Decide:
    """The sum. `ttl` counts from when the key is made."""

    def decide(old: Item | None, now: float) -> Outcome:
        before = start if old is None else old.value
        if isinstance(before, bool) or not isinstance(before, int | float):
            raise NodeFailed(WRONG_TYPE, f"{key!r} holds {_kind(before)}, not a number to add to")
        total = _sum(key, before, by)
        item = _item(key, total, old, now, old.expires if old else _until(ttl, now))
        return Outcome(item=item, result={"value": total, "version": item.version})

    return decide


def _sum(key: str, one: float, other: float) -> float:
    """In decimals, as they are written: 0.1 and 0.2 are 0.3."""
    total = Decimal(str(one)) + Decimal(str(other))
    whole = isinstance(one, int) and isinstance(other, int)
    if not math.isfinite(float(total)) or (whole and abs(total) > _MOST_NUMBER):
        raise NodeFailed(VALUE_TOO_LARGE, f"the sum for {key!r} is beyond what is exact: {total}")
    return int(total) if whole else float(total)


def appending(
    key: str, value: Json, *, limit: int | None, unique: bool, ttl: float | None
) -> Decide:
    """The list with one item more at its end, without its first ones beyond `limit`."""

    def decide(old: Item | None, now: float) -> Outcome:
        before = [] if old is None else old.value
        if not isinstance(before, list):
            raise NodeFailed(WRONG_TYPE, f"{key!r} holds {_kind(before)}, not a list to append to")
        if old is not None and unique and any(same(value, each) for each in before):
            told: dict[str, Json] = {"length": len(before), "appended": False}
            return Outcome(result={**told, "version": old.version}, writes=False)
        longer = [*before, value][-(limit or 0) :]
        item = _item(key, longer, old, now, old.expires if old else _until(ttl, now))
        result: dict[str, Json] = {"length": len(longer), "appended": True}
        return Outcome(item=item, result={**result, "version": item.version})

    return decide


@dataclass(frozen=True, kw_only=True)
class Expectation:
    """What has to be there: nothing, a version, or otherwise a value."""

    absent: bool = False
    version: int | None = None
    value: Json = None

    def fits(self, item: Item | None) -> bool:
        if self.absent or item is None:
            return self.absent and item is None
        if self.version is not None:
            return item.version == self.version
        return same(item.value, self.value)


def swapping(key: str, value: Json, expected: Expectation, ttl: float | None) -> Decide:
    """The value if what is expected is there; otherwise nothing is written, and it is told."""

    def decide(old: Item | None, now: float) -> Outcome:
        if not expected.fits(old):
            version = None if old is None else old.version
            current = None if old is None else old.value
            told: dict[str, Json] = {"swapped": False, "version": version, "current": current}
            return Outcome(result=told, writes=False)
        item = _item(key, value, old, now, _until(ttl, now))
        return Outcome(item=item, result={"swapped": True, "version": item.version})

    return decide


def same(one: Json, other: Json) -> bool:
    """Whether two values are the same JSON: 1 is 1.0, but true is no number."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    return one == other


def _kind(value: Json) -> str:
    if value is None or isinstance(value, bool):
        return json.dumps(value)
    kinds: dict[type, str] = {str: "a text", list: "a list", dict: "an object"}
    return kinds.get(type(value), "a number")
