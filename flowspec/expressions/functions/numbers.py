"""Functions over numbers, and the conversions between the scalar kinds."""

from __future__ import annotations

import math
from decimal import ROUND_HALF_UP, Decimal
from functools import partial

from flowspec.expressions.budget import MAX_INTEGER, MIN_INTEGER, Budget
from flowspec.expressions.errors import ExpressionError, MissingValue
from flowspec.expressions.function import Function, function
from flowspec.expressions.values import Number, Value, kind, text_of
from flowspec.values import Json

__all__ = ["CONVERSIONS", "NUMBERS", "fit"]

_numbers = partial(function, "Numbers")
_conversions = partial(function, "Conversions")

_MOST_DIGITS = 15
_LONGEST_NUMBER = 400


def fit(number: Number) -> Number:
    """The number, if JSON readers everywhere have it: 64 bits, or a finite float."""
    if isinstance(number, float):
        if not math.isfinite(number):
            raise ExpressionError("the result is too large for a number")
    elif not MIN_INTEGER <= number <= MAX_INTEGER:
        raise ExpressionError("the result is too large: whole numbers have 64 bits")
    return number


def _whole(number: float) -> int:
    return int(fit(int(fit(number))))


@_numbers(example="abs(-3)", result=3)
def abs_(number: Number) -> Number:
    """The number without its sign."""
    return fit(abs(number))


@_numbers(example="round(2.675, 2)", result=2.68)
def round_(number: Number, digits: int = 0) -> Number:
    """Rounded to so many digits after the point, halves away from zero; whole for 0."""
    if not 0 <= digits <= _MOST_DIGITS:
        raise ExpressionError(f"round() takes 0 to {_MOST_DIGITS} digits")
    if isinstance(number, int):
        return number
    rounded = _rounded(number, digits)
    return float(rounded) if digits else _whole(float(rounded))


def _rounded(number: Number, digits: int) -> Decimal:
    exact = Decimal(repr(fit(number)))
    if exact.adjusted() >= _MOST_DIGITS:
        return exact
    return exact.quantize(Decimal(1).scaleb(-digits), ROUND_HALF_UP)


@_numbers(example="floor(2.7)", result=2)
def floor(number: Number) -> int:
    """The next whole number below."""
    return _whole(math.floor(fit(number)))


@_numbers(example="ceil(2.1)", result=3)
def ceil(number: Number) -> int:
    """The next whole number above."""
    return _whole(math.ceil(fit(number)))


@_numbers(example="min([3, 1, 2])", result=1)
def min_(list_: list[Json]) -> Number | str:
    """The smallest of a list of numbers or of texts; missing if it is empty, see `default`."""
    return min(_sortable("min", list_))


@_numbers(example="max([3, 1, 2])", result=3)
def max_(list_: list[Json]) -> Number | str:
    """The largest of a list of numbers or of texts; missing if it is empty, see `default`."""
    return max(_sortable("max", list_))


def _sortable(name: str, items: list[Json]) -> list[Number | str]:
    if not items:
        raise MissingValue(
            f"{name}()",
            lambda: f"{name}() of an empty list; give a default: default({name}(…), 0)",
        )
    kinds = {kind(item) for item in items}
    if kinds != {"number"} and kinds != {"text"}:
        raise ExpressionError(f"{name}() needs a list of numbers, or a list of texts")
    return [item for item in items if isinstance(item, int | float | str)]


@_numbers(example="sum([1, 2, 3.5])", result=6.5)
def sum_(list_: list[Json]) -> Number:
    """The numbers of a list together; 0 if it is empty."""
    total: Number = 0
    for item in list_:
        if kind(item) != "number" or not isinstance(item, int | float):
            raise ExpressionError(f"sum() needs a list of numbers; this one holds {kind(item)}")
        total = fit(total + fit(item))
    return total


@_numbers(example="format_number(1234.5, 2)", result="1,234.50")
def format_number(number: Number, digits: int = 0, group: str = ",") -> str:
    """A number for people: rounded to so many digits, thousands set apart by `group`."""
    if not 0 <= digits <= _MOST_DIGITS:
        raise ExpressionError(f"format_number() takes 0 to {_MOST_DIGITS} digits")
    if len(group) > 1:
        raise ExpressionError('format_number() groups by one character, or by "" for none')
    return f"{_rounded(number, digits):,.{digits}f}".replace(",", group)


@_conversions(example="str(3)", result="3")
def str_(budget: Budget, value: Json) -> str:
    """The value as `${…}` inside a text writes it."""
    return text_of(value, budget)


@_conversions(example='int("42")', result=42)
def int_(value: str | Number) -> int:
    """A whole number from a text, or from a number by dropping what follows its point."""
    if not isinstance(value, str):
        return _whole(value)
    try:
        number = int(value) if _plain(value) else None
    except ValueError:
        number = None
    if number is None:
        raise ExpressionError("int() needs a text that holds a whole number, such as 42")
    return _whole(number)


@_conversions(example='float("1.5")', result=1.5)
def float_(value: str | Number) -> float:
    """A number with a point, from a text or a whole number."""
    if not isinstance(value, str):
        return float(fit(value))
    try:
        number = float(value) if _plain(value) else math.nan
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise ExpressionError("float() needs a text that holds a number, such as 1.5")
    return number


def _plain(text: str) -> bool:
    return len(text) <= _LONGEST_NUMBER and "_" not in text and text.isascii()


@_conversions(example='bool("true")', result=True)
def bool_(value: str | bool) -> bool:
    """A boolean from the text `true` or `false`."""
    if isinstance(value, bool):
        return value
    if value not in ("true", "false"):
        raise ExpressionError("bool() needs the text true or false; compare instead: x == 1")
    return value == "true"


@_conversions(example="type_of([1])", result="list", cheap=True)
def type_of(value: Value) -> str:
    """`null`, `boolean`, `number`, `text`, `list` or `object`."""
    return kind(value)


NUMBERS: tuple[Function, ...] = (abs_, round_, floor, ceil, min_, max_, sum_, format_number)
CONVERSIONS: tuple[Function, ...] = (str_, int_, float_, bool_, type_of)
