"""What the operators do: numbers with numbers, texts with texts, no quiet conversions."""

from __future__ import annotations

import math
from collections.abc import Callable

from flowspec.expressions.budget import Budget
from flowspec.expressions.errors import ExpressionError
from flowspec.expressions.functions.numbers import fit
from flowspec.expressions.values import Number, Value, equal, kind, with_article
from flowspec.values import Opaque

__all__ = ["ARITHMETIC", "COMPARISONS", "negate", "slice_of"]

Operator = Callable[[Value, Value, Budget], Value]
_NUMBERS = frozenset({int, float})


def _add(left: Value, right: Value, budget: Budget) -> Value:
    if type(left) in _NUMBERS and type(right) in _NUMBERS:
        return fit(left + right)  # type: ignore[operator,arg-type]
    if isinstance(left, str) and isinstance(right, str):
        budget.text(len(left) + len(right))
        return left + right
    if isinstance(left, list) and isinstance(right, list):
        budget.items(len(left) + len(right))
        return left + right
    kinds = kind(left), kind(right)
    hint = ""
    if "text" in kinds:
        hint = "; str() makes a text of a number, or put ${…} into the text around"
    elif kinds == ("object", "object"):
        hint = "; use merge(a, b)"
    raise ExpressionError(f"+ cannot join {kinds[0]} and {kinds[1]}{hint}")


def _numeric(symbol: str, compute: Callable[[Number, Number], Number]) -> Operator:
    def operate(left: Value, right: Value, _budget: Budget) -> Value:
        if type(left) not in _NUMBERS or type(right) not in _NUMBERS:
            raise ExpressionError(
                f"{symbol} needs two numbers, these are {kind(left)} and {kind(right)}"
            )
        try:
            return fit(compute(left, right))  # type: ignore[arg-type]
        except ZeroDivisionError:
            raise ExpressionError(
                "this divides by zero; test for it: a / b if b != 0 else 0"
            ) from None
        except OverflowError:
            raise ExpressionError("the result is too large for a number") from None

    return operate


def _floor_divide(left: Number, right: Number) -> Number:
    quotient = left // right
    return math.floor(fit(quotient))


ARITHMETIC: dict[str, Operator] = {
    "+": _add,
    "-": _numeric("-", lambda left, right: left - right),
    "*": _numeric("*", lambda left, right: left * right),
    "/": _numeric("/", lambda left, right: left / right),
    "//": _numeric("//", _floor_divide),
    "%": _numeric("%", lambda left, right: left % right),
}


def negate(value: Value, negative: bool) -> Value:
    if type(value) not in _NUMBERS:
        raise ExpressionError(f"a sign stands before a number, this is {with_article(kind(value))}")
    return fit(-value) if negative else value  # type: ignore[operator]


def _ordering(symbol: str, compare: Callable[[Number, Number], bool]) -> Operator:
    def operate(left: Value, right: Value, budget: Budget) -> Value:
        if type(left) in _NUMBERS and type(right) in _NUMBERS:
            return compare(left, right)  # type: ignore[arg-type]
        if isinstance(left, str) and isinstance(right, str):
            budget.spend(min(len(left), len(right)) >> 8)
            return compare(left, right)  # type: ignore[arg-type]
        raise ExpressionError(
            f"{symbol} compares two numbers or two texts, these are {kind(left)} and {kind(right)}"
        )

    return operate


def _contains(part: Value, whole: Value, budget: Budget) -> bool:
    if isinstance(whole, list):
        return any(equal(item, part, budget) for item in whole)
    if isinstance(part, Opaque):
        kind(part)
    if isinstance(whole, str | dict):
        if not isinstance(part, str):
            raise ExpressionError(f"'in' looks for a text in {kind(whole)}, not for {kind(part)}")
        if isinstance(whole, str):
            budget.spend(len(whole) >> 8)
        return part in whole
    raise ExpressionError(f"'in' looks into a list, a text or an object, not into {kind(whole)}")


COMPARISONS: dict[str, Operator] = {
    "==": lambda left, right, budget: equal(left, right, budget),
    "!=": lambda left, right, budget: not equal(left, right, budget),
    "<": _ordering("<", lambda left, right: left < right),
    "<=": _ordering("<=", lambda left, right: left <= right),
    ">": _ordering(">", lambda left, right: left > right),
    ">=": _ordering(">=", lambda left, right: left >= right),
    "in": _contains,
    "not in": lambda left, right, budget: not _contains(left, right, budget),
}


def slice_of(value: Value, start: Value, stop: Value, budget: Budget) -> Value:
    """`value[start:stop]` of a list or text; an end that is null is the value's own."""
    part = slice(_end(start), _end(stop))
    if isinstance(value, list):
        budget.items(len(range(*part.indices(len(value)))))
        return value[part]
    if isinstance(value, str):
        budget.text(len(range(*part.indices(len(value)))))
        return value[part]
    raise ExpressionError(f"[from:to] takes a part of a list or a text, not of {kind(value)}")


def _end(value: Value) -> int | None:
    if value is None or type(value) is int:
        return value
    raise ExpressionError(f"[from:to] needs whole numbers, this is {with_article(kind(value))}")
