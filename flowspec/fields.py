"""The kinds of value a flow document's keys take, each with an error that teaches."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Literal, TypeAlias, TypeVar

from pydantic import BeforeValidator, PlainValidator, SkipValidation

from flowspec.durations import DurationInvalid, parse_duration
from flowspec.refusals import refuse, wrong_kind
from flowspec.values import Json, JsonObject
from flowspec.wording import describe, did_you_mean, listed, nearest

__all__ = [
    "Attempts",
    "Condition",
    "Duration",
    "Flag",
    "Items",
    "Join",
    "JsonValue",
    "Limit",
    "Maybe",
    "Object",
    "PositiveDuration",
    "Priority",
    "Text",
    "TimeLimit",
    "Tolerance",
    "Tolerated",
    "choice",
    "duration",
    "mapping",
    "number",
    "shorthand",
    "whole",
]


def _text(value: Json) -> str:
    if isinstance(value, str):
        return value
    quotable = isinstance(value, (int, float)) and not isinstance(value, bool)
    raise wrong_kind(value, "text", f'"{value}"' if quotable else None)


def _flag(value: Json) -> bool:
    if isinstance(value, bool):
        return value
    words = {"yes": "true", "on": "true", "no": "false", "off": "false"}
    meant = words.get(value.lower()) if isinstance(value, str) else None
    raise wrong_kind(value, "true or false", meant)


def duration(value: Json) -> float:
    try:
        return parse_duration(value)
    except DurationInvalid as error:
        advice = f"; write {error.suggestion}" if error.suggestion else ""
        if not isinstance(value, (str, int, float)) or isinstance(value, bool):
            raise wrong_kind(value, "a duration such as 30s, 5m or 1h30m") from None
        raise refuse(
            "FR207",
            f"{error}{advice}" if advice else f"{error}; durations look like 30s, 5m or 1h30m",
            expected="a duration such as 30s, 5m or 1h30m",
            suggestion=error.suggestion,
        ) from None


def _positive_duration(value: Json) -> float:
    seconds = duration(value)
    if seconds < 0.001:
        raise refuse(
            "FR204",
            f"expected a duration longer than nothing, found {value!r}",
            expected="at least 1ms",
        )
    return seconds


def _time_limit(value: Json) -> float | str:
    """A template is kept as it is written: only a run knows what it gives."""
    return value if isinstance(value, str) and "${" in value else _positive_duration(value)


def whole(low: int, high: int | None = None) -> PlainValidator:
    """A validator for integers; what YAML reads as a float or true is none."""
    span = f"from {low} to {high}" if high is not None else f"of at least {low}"
    expected = f"a whole number {span}"

    def check(value: Json) -> int:
        if not isinstance(value, int) or isinstance(value, bool):
            raise wrong_kind(value, expected, _unquoted(value))
        if value < low or (high is not None and value > high):
            raise refuse("FR204", f"expected {expected}, found {value}", expected=expected)
        return value

    return PlainValidator(check)


def _unquoted(value: Json) -> str | None:
    return value if isinstance(value, str) and value.isascii() and value.isdigit() else None


def number(low: float, high: float | None = None) -> PlainValidator:
    """A validator for numbers, whole or not."""
    span = f"from {low:g} to {high:g}" if high is not None else f"of at least {low:g}"
    expected = f"a number {span}"

    def check(value: Json) -> float:
        if not isinstance(value, (int, float)) or isinstance(value, bool):
            raise wrong_kind(value, expected, _unquoted(value))
        if value < low or (high is not None and value > high):
            raise refuse("FR204", f"expected {expected}, found {value:g}", expected=expected)
        return float(value)

    return PlainValidator(check)


def choice(*words: str) -> PlainValidator:
    """A validator for one of some words."""
    expected = listed(words)

    def check(value: Json) -> str:
        if not isinstance(value, str):
            raise wrong_kind(value, expected)
        if value not in words:
            suggestion = nearest(value, words)
            raise refuse(
                "FR204",
                f"expected {expected}, found {value!r}{did_you_mean(suggestion)}",
                expected=expected,
                suggestion=suggestion,
            )
        return value

    return PlainValidator(check)


def _count_or_unlimited(value: Json) -> int | Literal["unlimited"]:
    expected = "a whole number of at least 1, or unlimited"
    if value == "unlimited":
        return "unlimited"
    if not isinstance(value, int) or isinstance(value, bool):
        raise wrong_kind(value, expected, _unquoted(value))
    if value < 1:
        raise refuse("FR204", f"expected {expected}, found {value}", expected=expected)
    return value


def _limit(value: Json) -> int | None:
    count = _count_or_unlimited(value)
    return None if count == "unlimited" else count


def _join(value: Json) -> Literal["all", "any", "race"] | int:
    expected = "all, any, race or how many edges (1 or more)"
    words: tuple[Literal["all", "any", "race"], ...] = ("all", "any", "race")
    for word in words:
        if value == word:
            return word
    if isinstance(value, int) and not isinstance(value, bool) and value >= 1:
        return value
    suggestion = nearest(value, words) if isinstance(value, str) else None
    code = "FR204" if isinstance(value, str) or value == 0 else "FR203"
    raise refuse(
        code,
        f"expected {expected}, found {describe(value)}{did_you_mean(suggestion)}",
        expected=expected,
        suggestion=suggestion,
    )


def _condition(value: Json) -> str | bool:
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.strip():
        return value
    raise wrong_kind(value, "a condition such as input.amount > 100, or true or false")


def _items(value: Json) -> Json:
    expected = "a list, or a template that gives one, such as ${input.names}"
    if isinstance(value, (list, dict)):
        return value
    if not isinstance(value, str):
        raise wrong_kind(value, expected)
    if not (value.startswith("${") and value.rstrip().endswith("}")):
        raise refuse(
            "FR204",
            f"expected {expected}, found {describe(value)}",
            expected=expected,
            suggestion=f"${{{value}}}" if re.fullmatch(r"[\w.]+", value, re.ASCII) else None,
        )
    return value


@dataclass(frozen=True, kw_only=True)
class Tolerance:
    """How many items may fail: a count, or with `percent` a share of them all."""

    amount: float = 0
    percent: bool = False


def _tolerance(value: Json) -> Tolerance:
    expected = 'how many items may fail, or a share such as "10%"'
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return Tolerance(amount=value)
    share = (
        re.fullmatch(r"([0-9]{1,3}(?:\.[0-9]+)?)\s*%", value) if isinstance(value, str) else None
    )
    if share is not None and float(share[1]) <= 100:
        return Tolerance(amount=float(share[1]), percent=True)
    if isinstance(value, (int, float, str)) and not isinstance(value, bool):
        raise refuse("FR204", f"expected {expected}, found {describe(value)}", expected=expected)
    raise wrong_kind(value, expected)


def shorthand(expand: Callable[[Json], Json], expected: str) -> BeforeValidator:
    """In front of a mapping that may be written shorter; what does not expand is refused."""

    def check(value: Json) -> JsonObject:
        expanded = expand(value)
        if not isinstance(expanded, dict):
            raise wrong_kind(value, expected)
        return expanded

    return BeforeValidator(check)


mapping = shorthand(lambda value: value, "a mapping")
"""In front of one that cannot be written shorter."""


def _given(value: Json) -> Json:
    if value is None:
        raise refuse("FR203", "the key has no value; write one after the colon, or remove the key")
    return value


T = TypeVar("T")
Maybe: TypeAlias = Annotated[T | None, BeforeValidator(_given)]
"""May be left out, which gives None; written as `null` it is refused."""

Text: TypeAlias = Annotated[str, PlainValidator(_text)]
Flag: TypeAlias = Annotated[bool, PlainValidator(_flag)]
JsonValue: TypeAlias = SkipValidation[Json]
Duration: TypeAlias = Annotated[float, PlainValidator(duration)]
PositiveDuration: TypeAlias = Annotated[float, PlainValidator(_positive_duration)]
TimeLimit: TypeAlias = Annotated[float | str, PlainValidator(_time_limit)]
Attempts: TypeAlias = Annotated[int | Literal["unlimited"], PlainValidator(_count_or_unlimited)]
Limit: TypeAlias = Annotated[int | None, PlainValidator(_limit)]
Join: TypeAlias = Annotated[Literal["all", "any", "race"] | int, PlainValidator(_join)]
Condition: TypeAlias = Annotated[str | bool, PlainValidator(_condition)]
Items: TypeAlias = Annotated[Json, PlainValidator(_items)]
Tolerated: TypeAlias = Annotated[Tolerance, PlainValidator(_tolerance)]
Priority: TypeAlias = Annotated[int, whole(1, 5)]
Object: TypeAlias = Annotated[dict[str, JsonValue], mapping]
