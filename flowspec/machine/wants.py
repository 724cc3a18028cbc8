"""What is wanted of an evaluation: the same wherever it happens, here or in an activity worker."""

from __future__ import annotations

import hashlib
from typing import cast

from flowspec.expressions import ExpressionError
from flowspec.machine.operations import Want
from flowspec.plan import canonical
from flowspec.values import Json, NeedsWorker, Opaque

__all__ = ["is_plain", "wanted"]

_SCALARS = frozenset({str, int, float, bool, type(None)})


def wanted(value: Json, want: Want, loose: tuple[str, ...] | None) -> Json:
    """What is wanted of a value: what `foreach` goes over as a list, lists joined to one, a digest,
    or the value.

    Raises `ExpressionError` if it cannot be had, and `NeedsWorker` if that takes a look at
    something opaque.
    """
    match want:
        case "members" if loose is not None and isinstance(value, dict):
            for name, member in value.items():
                if name not in loose:
                    _demand_plain(member)
        case "items":
            return _items(value)
        case "joined":
            return _joined(cast("list[list[Json] | Opaque]", value))
        case "digest":
            return _digest(value)
    return value


def is_plain(value: Json) -> bool:
    """Whether nothing in it is opaque."""
    if type(value) in _SCALARS:
        return True
    if isinstance(value, dict):
        return all(map(is_plain, value.values()))
    if isinstance(value, list):
        return all(map(is_plain, value))
    return not isinstance(value, Opaque)


def _demand_plain(value: Json) -> None:
    if not is_plain(value):
        raise NeedsWorker("this has to be read, and a part of it is kept elsewhere")


def _items(value: Json) -> list[Json]:
    if isinstance(value, list):
        return value
    if isinstance(value, dict):
        return [{"key": key, "value": entry} for key, entry in value.items()]
    _demand_plain(value)
    raise ExpressionError(f"foreach needs a list or a mapping, found {_kind(value)}")


def _joined(parts: list[list[Json] | Opaque]) -> list[Json]:
    whole: list[Json] = []
    for part in parts:
        if isinstance(part, Opaque):
            raise NeedsWorker("a part of the list is kept elsewhere")
        whole += part
    return whole


def _kind(value: Json) -> str:
    names = {type(None): "null", bool: "a boolean", int: "a number", float: "a number", str: "text"}
    return names.get(type(value), type(value).__name__)


def _digest(value: Json) -> str:
    try:
        text = canonical(value)
    except TypeError:  # an opaque value is no JSON
        _demand_plain(value)
        raise
    return hashlib.sha256(text.encode()).hexdigest()
