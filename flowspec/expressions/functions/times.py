"""Dates over times that are given; nothing here knows what time it is.

A time is an ISO 8601 text. Zones are offsets from UTC: rules of zones change, and a replay
must find what the first run found.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from functools import partial

from flowspec.durations import DurationInvalid, parse_duration
from flowspec.expressions.errors import ExpressionError, did_you_mean
from flowspec.expressions.function import Function, function
from flowspec.expressions.functions.time_formats import format_as, parse_as, parse_format
from flowspec.expressions.values import Number

__all__ = ["TIMES"]

_ISO = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)"
    r"(?:[T ](\d\d):(\d\d)(?::(\d\d)(?:[.,](\d{1,9}))?)? ?(Z|[+-]\d\d:?\d\d)?)?",
    re.ASCII | re.IGNORECASE,
)
_OFFSET = re.compile(r"([+-])(\d\d):?([0-5]\d)", re.ASCII)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_HOURS_A_DAY = 24


def _read(text: str) -> datetime:
    match = _ISO.fullmatch(text)
    if match is None:
        raise ExpressionError(
            "this is not an ISO 8601 time such as 2026-11-21T09:30:00Z; "
            "parse_time(text, format) reads other forms"
        )
    *numbers, fraction, zone = match.groups()
    micro = int((fraction or "").ljust(6, "0")[:6])
    try:
        return datetime(*(int(n or 0) for n in numbers), micro, tzinfo=_zone(zone))  # type: ignore[misc,arg-type]
    except ValueError as error:
        raise ExpressionError(f"there is no such time: {error}") from error


def _zone(text: str | None) -> timezone:
    if text is None or text in ("Z", "z", "UTC"):
        return UTC
    match = _OFFSET.fullmatch(text)
    if match is None or int(match[2]) >= _HOURS_A_DAY:
        raise ExpressionError(
            "a zone is Z or an offset from UTC such as +02:00; names of zones are not known, "
            "for their rules change"
        )
    offset = timedelta(hours=int(match[2]), minutes=int(match[3]))
    return timezone(-offset if match[1] == "-" else offset)


def _show(time: datetime) -> str:
    return time.isoformat().replace("+00:00", "Z")


def _moved(change: Callable[[], datetime]) -> datetime:
    try:
        return change()
    except (OverflowError, ValueError) as error:
        raise ExpressionError("this leaves the years 1 to 9999") from error


def _seconds(length: timedelta) -> Number:
    whole = length // timedelta(seconds=1)
    return length.total_seconds() if length.microseconds else whole


def _duration(text: str) -> timedelta:
    try:
        length = timedelta(seconds=parse_duration(text.removeprefix("-")))
    except DurationInvalid as error:
        raise ExpressionError(
            "a length of time is a text such as 30s, 5m, 1h30m or 3d, with - before it to go back"
        ) from error
    return -length if text.startswith("-") else length


_STARTS: dict[str, Callable[[datetime], datetime]] = {
    "year": lambda time: time.replace(month=1, day=1, hour=0, minute=0, second=0, microsecond=0),
    "month": lambda time: time.replace(day=1, hour=0, minute=0, second=0, microsecond=0),
    "week": lambda time: _STARTS["day"](time) - timedelta(days=time.weekday()),
    "day": lambda time: time.replace(hour=0, minute=0, second=0, microsecond=0),
    "hour": lambda time: time.replace(minute=0, second=0, microsecond=0),
    "minute": lambda time: time.replace(second=0, microsecond=0),
}


def _start(unit: str) -> Callable[[datetime], datetime]:
    if unit not in _STARTS:
        raise ExpressionError(f"start_of() knows {', '.join(_STARTS)}{did_you_mean(unit, _STARTS)}")
    return _STARTS[unit]


_times = partial(
    function,
    "Times",
    literal={
        "time": _read,
        "start": _read,
        "end": _read,
        "format": parse_format,
        "duration": _duration,
        "unit": _start,
        "offset": _zone,
    },
)


@_times(example='parse_time("21/11/2026 09:30", "%d/%m/%Y %H:%M")', result="2026-11-21T09:30:00Z")
def parse_time(text: str, format: str | None = None) -> str:
    """A time from a text, ISO 8601 or as the format says. Without an offset it is in UTC."""
    return _show(_read(text) if format is None else parse_as(text, format))


@_times(example='format_time("2026-11-21T09:30:00Z", "%d %B %Y")', result="21 November 2026")
def format_time(time: str, format: str) -> str:
    """A time written as the format says."""
    return format_as(_read(time), format)


@_times(example='add_time("2026-11-21T09:30:00Z", "1d12h")', result="2026-11-22T21:30:00Z")
def add_time(time: str, duration: str) -> str:
    """The time that much later; earlier with `-` before the duration."""
    start, length = _read(time), _duration(duration)
    return _show(_moved(lambda: start + length))


@_times(example='diff_seconds("2026-11-21T09:30:00Z", "2026-11-21T10:00:00+00:00")', result=1800)
def diff_seconds(start: str, end: str) -> Number:
    """The seconds from one time to another; negative if the second is earlier."""
    return _seconds(_read(end) - _read(start))


@_times(example='start_of("2026-11-21T09:30:00Z", "month")', result="2026-11-01T00:00:00Z")
def start_of(time: str, unit: str) -> str:
    """Where the year, month, week (Monday), day, hour or minute of a time begins, in its offset."""
    found, start = _read(time), _start(unit)
    return _show(_moved(lambda: start(found)))


@_times(example='weekday("2026-11-21T09:30:00Z")', result=6)
def weekday(time: str) -> int:
    """The day of the week, 1 for Monday to 7 for Sunday."""
    return _read(time).isoweekday()


@_times(example='at_offset("2026-11-21T09:30:00Z", "+02:00")', result="2026-11-21T11:30:00+02:00")
def at_offset(time: str, offset: str) -> str:
    """The same moment on clocks that are so far from UTC."""
    found, zone = _read(time), _zone(offset)
    return _show(_moved(lambda: found.astimezone(zone)))


@_times(example='to_epoch("2026-11-21T09:30:00Z")', result=1795253400)
def to_epoch(time: str) -> Number:
    """The seconds since the beginning of 1970."""
    return _seconds(_read(time) - _EPOCH)


@_times(example="from_epoch(1795253400)", result="2026-11-21T09:30:00Z")
def from_epoch(seconds: Number) -> str:
    """The time so many seconds after the beginning of 1970."""
    return _show(_moved(lambda: _EPOCH + timedelta(seconds=seconds)))


TIMES: tuple[Function, ...] = (
    parse_time,
    format_time,
    add_time,
    diff_seconds,
    start_of,
    weekday,
    at_offset,
    to_epoch,
    from_epoch,
)
