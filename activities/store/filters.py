"""Which values a query means, and in which order: the same for every store."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import cmp_to_key
from typing import Annotated, Final, Self

from pydantic import Field, model_validator

from activities.declaration import Params
from activities.store.changes import same
from flowspec.values import Json

__all__ = ["Condition", "Order", "after_in_order", "fits", "in_order", "order_of"]

_MOST_CONDITIONS: Final = 100
_OPERATORS: Final = ("eq", "ne", "lt", "lte", "gt", "gte", "in_", "contains", "exists", "prefix")
_GROUPS: Final = ("and_", "or_", "not_")

_Path = Annotated[str, Field(min_length=1, max_length=500)]
_Ordered = int | float | str


class Condition(Params):
    """What a value has to be: all that is said has to hold."""

    field: _Path | None = None
    """Which part of the value, such as `customer.city` or `items.0.price`; left out, all of it."""
    eq: Json = None
    """It is this."""
    ne: Json = None
    """It is not this, or there is none."""
    lt: _Ordered | None = None
    """It is less: a number than a number, a text than a text."""
    lte: _Ordered | None = None
    """It is less, or the same."""
    gt: _Ordered | None = None
    """It is more."""
    gte: _Ordered | None = None
    """It is more, or the same."""
    in_: list[Json] | None = Field(default=None, alias="in", max_length=1_000)
    """It is one of these."""
    contains: Json = None
    """It is a list with this item, a text with this text in it, or an object with this key."""
    exists: bool | None = None
    """Whether there is one; null is one."""
    prefix: str | None = None
    """It is a text that begins so."""
    and_: list[Condition] | None = Field(default=None, alias="and", max_length=_MOST_CONDITIONS)
    """All of these hold."""
    or_: list[Condition] | None = Field(
        default=None, alias="or", min_length=1, max_length=_MOST_CONDITIONS
    )
    """One of these holds."""
    not_: Condition | None = Field(default=None, alias="not")
    """This does not hold."""

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        given = self.model_fields_set
        if not given & {*_OPERATORS, *_GROUPS}:
            names = ", ".join(name.rstrip("_") for name in (*_OPERATORS, *_GROUPS))
            raise ValueError(f"expected one of {names}")
        return self


class Order(Params):
    """By what to sort."""

    field: _Path | None = None
    """Which part of the value; left out, all of it."""
    descending: bool = False
    """The greatest first."""


_MISSING: Final = object()


def fits(value: Json, condition: Condition) -> bool:
    """Whether all that the condition says holds."""
    part = _part(value, condition.field)
    return (
        all(_holds(name, part, condition) for name in _OPERATORS if _says(condition, name))
        and all(fits(value, each) for each in condition.and_ or ())
        and (condition.or_ is None or any(fits(value, each) for each in condition.or_))
        and (condition.not_ is None or not fits(value, condition.not_))
    )


def _says(condition: Condition, name: str) -> bool:
    return name in condition.model_fields_set


def _holds(name: str, part: object, condition: Condition) -> bool:
    wanted = getattr(condition, name)
    if name == "exists":
        return (part is not _MISSING) is wanted
    if part is _MISSING:
        return name == "ne"
    return _TESTS[name](part, wanted)


def _contains(part: Json, wanted: Json) -> bool:
    if isinstance(part, list):
        return any(same(each, wanted) for each in part)
    return isinstance(part, str | dict) and isinstance(wanted, str) and wanted in part


def _compares(test: Callable[[int], bool]) -> Callable[..., bool]:
    def compare(part: Json, wanted: Json) -> bool:
        kind = _rank(part)
        return kind == _rank(wanted) and kind in (_NUMBER, _TEXT) and test(_compare(part, wanted))

    return compare


_TESTS: Final[dict[str, Callable[..., bool]]] = {
    "eq": same,
    "ne": lambda part, wanted: not same(part, wanted),
    "lt": _compares(lambda order: order < 0),
    "lte": _compares(lambda order: order <= 0),
    "gt": _compares(lambda order: order > 0),
    "gte": _compares(lambda order: order >= 0),
    "in_": lambda part, wanted: any(same(part, each) for each in wanted or ()),
    "contains": _contains,
    "prefix": lambda part, wanted: isinstance(part, str) and part.startswith(wanted or ""),
}


def _part(value: Json, path: str | None) -> object:
    part: object = value
    for name in [] if path is None else path.split("."):
        if isinstance(part, dict) and name in part:
            part = part[name]
        elif isinstance(part, list) and name.isdecimal() and int(name) < len(part):
            part = part[int(name)]
        else:
            return _MISSING
    return part


# -- order -----------------------------------------------------------------------------------------

_NUMBER: Final = 3
_TEXT: Final = 4

Place = list[Json]
"""Where a value stands in an order: what it is sorted by, each in a list that is empty if there is
none, and its key."""


def order_of(value: Json, key: str, orders: Sequence[Order]) -> Place:
    """Its place."""
    parts = (_part(value, order.field) for order in orders)
    return [*(_shown(part) for part in parts), key]


def _shown(part: object) -> Json:
    """As it can be compared: of a list or an object only that it is one."""
    if part is _MISSING:
        return []
    if isinstance(part, list | dict):
        return [[]]
    assert part is None or isinstance(part, str | int | float)
    return [part]


def in_order(places: Sequence[Place], orders: Sequence[Order]) -> list[Place]:
    """The places, sorted: what has none first, then null, false, true, numbers, texts, lists and
    objects; those that are alike by their keys."""

    def between(one: Place, other: Place) -> int:
        return _between(one, other, orders)

    return sorted(places, key=cmp_to_key(between))


def after_in_order(place: Place, cursor: Place, orders: Sequence[Order]) -> bool:
    """Whether the place comes after that of the cursor."""
    return _between(place, cursor, orders) > 0


def _between(one: Place, other: Place, orders: Sequence[Order]) -> int:
    for order, compared in zip([*orders, Order()], _comparisons(one, other), strict=True):
        if compared:
            return -compared if order.descending else compared
    return 0


def _comparisons(one: Place, other: Place) -> Iterator[int]:
    for left, right in zip(one[:-1], other[:-1], strict=True):
        assert isinstance(left, list)
        assert isinstance(right, list)
        if left and right:
            yield _compare(left[0], right[0])
        else:
            yield len(left) - len(right)
    yield _compare(one[-1], other[-1])


def _compare(one: Json, other: Json) -> int:
    ranks = _rank(one), _rank(other)
    if ranks[0] != ranks[1] or ranks[0] not in (_NUMBER, _TEXT):
        return ranks[0] - ranks[1]
    left, right = (one, other)
    return (left > right) - (left < right)  # type: ignore[operator]  # both numbers or both texts


def _rank(value: Json) -> int:
    if value is None or isinstance(value, bool):
        return 0 if value is None else 1 + value
    return _NUMBER if isinstance(value, int | float) else _TEXT if isinstance(value, str) else 5
