"""Functions over objects."""

from __future__ import annotations

from functools import partial

from flowspec.expressions.budget import Budget
from flowspec.expressions.errors import ExpressionError
from flowspec.expressions.function import Function, function
from flowspec.expressions.values import kind
from flowspec.values import Json

__all__ = ["OBJECTS"]

_objects = partial(function, "Objects")


@_objects(example='keys({"a": 1, "b": 2})', result=["a", "b"])
def keys(object_: dict[str, Json]) -> list[Json]:
    """The keys, in their order."""
    return list(object_)


@_objects(example='values({"a": 1, "b": 2})', result=[1, 2])
def values(object_: dict[str, Json]) -> list[Json]:
    """The values, in their order."""
    return list(object_.values())


@_objects(
    example='items({"a": 1, "b": 2})', result=[{"key": "a", "value": 1}, {"key": "b", "value": 2}]
)
def items(budget: Budget, object_: dict[str, Json]) -> list[Json]:
    """A list of `{key, value}`, which is also how `foreach` goes over an object."""
    budget.items(2 * len(object_))
    return [{"key": key, "value": value} for key, value in object_.items()]


@_objects(example='merge({"a": 1, "b": 2}, {"b": 3})', result={"a": 1, "b": 3})
def merge(object_: dict[str, Json], *more: dict[str, Json]) -> dict[str, Json]:
    """One object of several; of a key that several have, the last value counts."""
    merged = dict(object_)
    for other in more:
        merged.update(other)
    return merged


@_objects(example='pick({"a": 1, "b": 2}, ["a", "c"])', result={"a": 1})
def pick(object_: dict[str, Json], keys: list[Json]) -> dict[str, Json]:
    """The object with these keys alone, as far as it has them."""
    return {key: object_[key] for key in _texts("pick", keys) if key in object_}


@_objects(example='omit({"a": 1, "b": 2}, ["a"])', result={"b": 2})
def omit(object_: dict[str, Json], keys: list[Json]) -> dict[str, Json]:
    """The object without these keys."""
    dropped = dict.fromkeys(_texts("omit", keys))
    return {key: value for key, value in object_.items() if key not in dropped}


def _texts(name: str, keys: list[Json]) -> list[str]:
    for key in keys:
        if kind(key) != "text":
            raise ExpressionError(f"{name}() needs a list of keys, which are texts")
    return [key for key in keys if isinstance(key, str)]


OBJECTS: tuple[Function, ...] = (keys, values, items, merge, pick, omit)
