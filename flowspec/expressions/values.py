"""What expressions know of values: their kinds, their text, when two are equal."""

from __future__ import annotations

import json
import math
from typing import TypeAlias

from flowspec.expressions.budget import MAX_NESTING, Budget
from flowspec.expressions.errors import BudgetExceeded, ExpressionError
from flowspec.values import Json, NeedsWorker, Opaque

__all__ = [
    "Number",
    "Value",
    "equal",
    "identity",
    "json_text",
    "kind",
    "measure",
    "needs_worker",
    "text_of",
    "with_article",
]

Value: TypeAlias = Json | Opaque
"""What an expression handles. The items of a list or object may be opaque as well."""
Number: TypeAlias = int | float

_KINDS: dict[type, str] = {
    type(None): "null",
    bool: "boolean",
    int: "number",
    float: "number",
    str: "text",
    list: "list",
    dict: "object",
}
_SCALARS = frozenset({str, int, float, bool, type(None)})
_LONG_TEXT = 256


def needs_worker() -> NeedsWorker:
    return NeedsWorker("the expression looks inside a value that is kept in the object store")


def kind(value: Value) -> str:
    """`null`, `boolean`, `number`, `text`, `list` or `object`."""
    name = _KINDS.get(type(value))
    if name is not None:
        return name
    if isinstance(value, Opaque):
        raise needs_worker()
    raise ExpressionError(f"a Python {type(value).__name__} is not a JSON value")


def with_article(kind_name: str) -> str:
    """`a number`, `an object`, `text`: a kind as it stands in a sentence."""
    article = {"null": "", "text": "", "object": "an "}.get(kind_name, "a ")
    return article + kind_name


def equal(left: Value, right: Value, budget: Budget, depth: int = 0) -> bool:
    """Whether two values are the same JSON: 1 equals 1.0, true is no number."""
    kinds = type(left), type(right)
    if kinds[0] in _SCALARS and kinds[1] in _SCALARS:
        return _equal_scalars(left, right, budget)
    if kind(left) != kind(right):
        return False
    budget.spend()
    if depth > MAX_NESTING:
        raise BudgetExceeded(f"cannot compare values nested deeper than {MAX_NESTING} levels")
    if isinstance(left, list) and isinstance(right, list):
        return _equal_lists(left, right, budget, depth + 1)
    assert isinstance(left, dict)
    assert isinstance(right, dict)
    return _equal_objects(left, right, budget, depth + 1)


def _equal_lists(left: list[Json], right: list[Json], budget: Budget, depth: int) -> bool:
    if len(left) != len(right):
        return False
    for one, other in zip(left, right, strict=True):  # noqa: SIM110 - a frame less per level
        if not equal(one, other, budget, depth):
            return False
    return True


def _equal_objects(
    left: dict[str, Json], right: dict[str, Json], budget: Budget, depth: int
) -> bool:
    if left.keys() != right.keys():
        return False
    for key, item in left.items():  # noqa: SIM110 - a frame less per level
        if not equal(item, right[key], budget, depth):
            return False
    return True


def _equal_scalars(left: Value, right: Value, budget: Budget) -> bool:
    if isinstance(left, str) and len(left) > _LONG_TEXT:
        budget.spend(len(left) >> 8)
    else:
        budget.spend()
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    return left == right


def identity(value: Value, budget: Budget, depth: int = 0) -> tuple[object, ...]:
    """A hashable stand-in: two values have the same one exactly if they are equal."""
    budget.spend()
    if depth > MAX_NESTING:
        raise BudgetExceeded(f"cannot compare values nested deeper than {MAX_NESTING} levels")
    if isinstance(value, list):
        return ("list", *(identity(item, budget, depth + 1) for item in value))
    if isinstance(value, dict):
        entries = {key: identity(item, budget, depth + 1) for key, item in value.items()}
        return ("object", frozenset(entries.items()))
    if isinstance(value, str):
        budget.spend(len(value) >> 8)
    return (kind(value), value)


def text_of(value: Value, budget: Budget) -> str:
    """How a value reads inside a text; null has no text."""
    if isinstance(value, str):
        budget.text(len(value))
        return value
    if value is None:
        raise ExpressionError(
            'null has no text; say what to write instead, for example default(…, "")'
        )
    if isinstance(value, bool):
        return "true" if value else "false"
    return json_text(value, budget)


def json_text(value: Value, budget: Budget) -> str:
    """The value as compact JSON."""
    budget.text(measure(value, budget))
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def measure(value: Value, budget: Budget, depth: int = 0) -> int:
    """About the length of the JSON. Pays for every part, so a shared part costs each time."""
    budget.spend()
    if isinstance(value, str):
        budget.spend(len(value) >> 8)
        return len(value) + 2
    if depth > MAX_NESTING:
        raise BudgetExceeded(f"cannot write a value nested deeper than {MAX_NESTING} levels")
    length = 2
    if isinstance(value, list):
        for item in value:
            length += measure(item, budget, depth + 1)
    elif isinstance(value, dict):
        for key, item in value.items():
            length += len(key) + 4 + measure(item, budget, depth + 1)
    else:
        _check_scalar(value)
        length = 8
    return length


def _check_scalar(value: Value) -> None:
    if kind(value) == "number" and isinstance(value, float) and not math.isfinite(value):
        raise ExpressionError("this number is not finite, and JSON has no such number")
    if isinstance(value, int) and value.bit_length() > 4_096:
        raise ExpressionError("this number has too many digits to be written")
