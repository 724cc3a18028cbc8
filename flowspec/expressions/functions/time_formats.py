"""Times written as a format says: the usual `%` letters, always in English, on every system."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from functools import lru_cache

from flowspec.expressions.errors import ExpressionError

__all__ = ["LETTERS", "format_as", "parse_as", "parse_format"]

_MONTHS = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
]
_DAYS = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]
_NOON = 12
_LONGEST_FORMAT = 200


def _any_of(names: list[str]) -> str:
    return "|".join(names)


def _short(names: list[str]) -> list[str]:
    return [name[:3] for name in names]


def _offset(time: datetime) -> str:
    text = time.strftime("%z")
    return f"{text[:3]}:{text[3:5]}"


LETTERS: dict[str, tuple[str, Callable[[datetime], str], str]] = {
    "Y": ("year, four digits", lambda time: f"{time.year:04}", r"\d{4}"),
    "m": ("month, 01 to 12", lambda time: f"{time.month:02}", r"\d\d?"),
    "B": ("month, January", lambda time: _MONTHS[time.month - 1], _any_of(_MONTHS)),
    "b": ("month, Jan", lambda time: _MONTHS[time.month - 1][:3], _any_of(_short(_MONTHS))),
    "d": ("day, 01 to 31", lambda time: f"{time.day:02}", r"\d\d?"),
    "A": ("weekday, Monday", lambda time: _DAYS[time.weekday()], _any_of(_DAYS)),
    "a": ("weekday, Mon", lambda time: _DAYS[time.weekday()][:3], _any_of(_short(_DAYS))),
    "H": ("hour, 00 to 23", lambda time: f"{time.hour:02}", r"\d\d?"),
    "I": ("hour, 01 to 12", lambda time: f"{(time.hour - 1) % _NOON + 1:02}", r"\d\d?"),
    "p": ("AM or PM", lambda time: "AM" if time.hour < _NOON else "PM", "AM|PM"),
    "M": ("minute, 00 to 59", lambda time: f"{time.minute:02}", r"\d\d?"),
    "S": ("second, 00 to 59", lambda time: f"{time.second:02}", r"\d\d?"),
    "f": ("millionths of a second, six digits", lambda time: f"{time.microsecond:06}", r"\d{1,6}"),
    "z": ("offset from UTC, +02:00", _offset, r"Z|[+-]\d\d:?\d\d"),
}


@lru_cache(maxsize=256)
def parse_format(text: str) -> tuple[str, ...]:
    """The format in turns: text, letter, text, letter, …, text."""
    if len(text) > _LONGEST_FORMAT:
        raise ExpressionError(f"a time format has at most {_LONGEST_FORMAT} characters")
    parts = [""]
    at = 0
    while at < len(text):
        letter = text[at + 1 : at + 2]
        if text[at] != "%":
            parts[-1] += text[at]
        elif letter == "%":
            parts[-1] += "%"
        elif letter in LETTERS:
            parts += letter, ""
        else:
            known = " ".join(f"%{known}" for known in LETTERS)
            raise ExpressionError(f"a time format knows {known} and %% for a per cent sign")
        at += 2 if text[at] == "%" else 1
    return tuple(parts)


def format_as(time: datetime, text: str) -> str:
    parts = parse_format(text)
    return "".join(
        LETTERS[part][1](time) if index % 2 else part for index, part in enumerate(parts)
    )


@lru_cache(maxsize=256)
def _reader(text: str) -> re.Pattern[str]:
    parts = parse_format(text)
    letters = parts[1::2]
    if len(set(letters)) < len(letters):
        raise ExpressionError("a format to read by can hold each letter once")
    pattern = "".join(
        f"(?P<{part}>{LETTERS[part][2]})" if index % 2 else re.escape(part)
        for index, part in enumerate(parts)
    )
    return re.compile(pattern, re.ASCII | re.IGNORECASE)


def parse_as(text: str, format: str) -> datetime:
    match = _reader(format).fullmatch(text)
    if match is None:
        raise ExpressionError("the text is not a time written in this format")
    found = match.groupdict()
    try:
        time = datetime(
            int(found.get("Y", "1970")),
            _month(found),
            int(found.get("d", "1")),
            _hour(found),
            int(found.get("M", "0")),
            int(found.get("S", "0")),
            int(found.get("f", "").ljust(6, "0")),
            tzinfo=UTC,
        )
        return _at_offset(time, found.get("z", "Z"))
    except (ValueError, OverflowError) as error:
        raise ExpressionError(f"there is no such time: {error}") from error


def _month(found: dict[str, str]) -> int:
    name = found.get("B", found.get("b"))
    if name is None:
        return int(found.get("m", "1"))
    return _short(_MONTHS).index(name[:3].capitalize()) + 1


def _hour(found: dict[str, str]) -> int:
    if "p" not in found:
        return int(found.get("H", found.get("I", "0")))
    return int(found.get("I", "12")) % _NOON + (_NOON if found["p"].upper() == "PM" else 0)


def _at_offset(time: datetime, offset: str) -> datetime:
    if offset.upper() == "Z":
        return time
    sign = -1 if offset[0] == "-" else 1
    length = timedelta(hours=int(offset[1:3]), minutes=int(offset[-2:]))
    return time.replace(tzinfo=timezone(sign * length))
