"""Points of the calendar that come again: cron expressions, and ranges of each part of a date.

Everything becomes the values that each part may have, so that two ways of writing one thing are
the same thing.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import TypeAlias

from flowspec.wording import nearest

__all__ = [
    "PARTS",
    "Part",
    "Recurrence",
    "RecurrenceInvalid",
    "Values",
    "ranges",
    "read_cron",
    "read_part",
]

Values: TypeAlias = tuple[int, ...]
"""In order, each once."""

_MONTHS = (
    *("january", "february", "march", "april", "may", "june"),
    *("july", "august", "september", "october", "november", "december"),
)
_WEEKDAYS = ("sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday")
_SUNDAY_TOO = 7


class RecurrenceInvalid(Exception):
    """The text says no such thing; the message says why, `suggestion` what was probably meant."""

    def __init__(self, message: str, suggestion: str | None = None) -> None:
        super().__init__(message)
        self.suggestion = suggestion


@dataclass(frozen=True, kw_only=True)
class Part:
    """A part of a date or time: what it is called, and the values it can have."""

    name: str
    low: int
    high: int
    names: Mapping[str, int] = field(default_factory=dict)

    @property
    def all(self) -> Values:
        return tuple(range(self.low, self.high + 1))

    @property
    def span(self) -> str:
        words = [name for name in self.names if len(name) > 3]
        named = f", or {words[0]} to {words[-1]}" if words else ""
        return f"from {self.low} to {self.high}{named}"


def _named(words: tuple[str, ...], first: int) -> dict[str, int]:
    """By their whole names, and by the first three letters of them."""
    numbered = {word: number for number, word in enumerate(words, start=first)}
    return {**numbered, **{word[:3]: number for word, number in numbered.items()}}


PARTS: Mapping[str, Part] = {
    part.name: part
    for part in (
        Part(name="year", low=2000, high=2100),
        Part(name="month", low=1, high=12, names=_named(_MONTHS, 1)),
        Part(name="day", low=1, high=31),
        Part(name="weekday", low=0, high=6, names=_named(_WEEKDAYS, 0)),
        Part(name="hour", low=0, high=23),
        Part(name="minute", low=0, high=59),
        Part(name="second", low=0, high=59),
    )
}
_CRON = ("minute", "hour", "day", "month", "weekday")
_SHORT: Mapping[str, str] = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}


@dataclass(frozen=True, kw_only=True)
class Recurrence:
    """Every point in time of which each part has one of these values."""

    year: Values = PARTS["year"].all
    month: Values = PARTS["month"].all
    day: Values = PARTS["day"].all
    weekday: Values = PARTS["weekday"].all
    hour: Values = (0,)
    minute: Values = (0,)
    second: Values = (0,)

    def __str__(self) -> str:
        """What is not as it is where nothing is said, such as `weekday=1-5 hour=9`."""
        told = ((each, getattr(self, each.name)) for each in fields(self))
        said = [f"{each.name}={_spelled(v)}" for each, v in told if v != each.default]
        return " ".join(said) or "hour=0"


def read_cron(text: str) -> Recurrence:
    """Five fields, or a word such as @daily. Raises `RecurrenceInvalid`."""
    words = _SHORT.get(text.strip(), text).split()
    if text.lstrip().startswith("@") and text.strip() not in _SHORT:
        raise _unknown_word(text.strip())
    if words and words[0].startswith(("CRON_TZ=", "TZ=")):
        zone = words[0].partition("=")[2]
        raise RecurrenceInvalid(f"the time zone has a key of its own; write `timezone: {zone}`")
    if len(words) != len(_CRON):
        more = "; seconds and years go under `calendar`" if len(words) in (6, 7) else ""
        raise RecurrenceInvalid(
            "a cron expression has five fields (minute, hour, day of the month, month, day of "
            f"the week), found {len(words)}{more}"
        )
    return Recurrence(**{name: _field(word, name) for name, word in zip(_CRON, words, strict=True)})


def _field(word: str, name: str) -> Values:
    try:
        return read_part(word, PARTS[name])
    except RecurrenceInvalid as error:
        raise RecurrenceInvalid(f"{name}: {error}", error.suggestion) from None


def _unknown_word(text: str) -> RecurrenceInvalid:
    if text.startswith("@every"):
        interval = text.removeprefix("@every").strip() or "1h"
        return RecurrenceInvalid(f"intervals have a key of their own; write `every: {interval}`")
    meant = nearest(text, _SHORT)
    return RecurrenceInvalid(f"{text!r} is none of {', '.join(_SHORT)}", meant)


_ITEM = re.compile(
    r"(?:(?P<any>\*)|(?P<first>\w+)(?:-(?P<last>\w+))?)(?:/(?P<step>[0-9]{1,4}))?", re.ASCII
)


def read_part(text: str, part: Part) -> Values:
    """The values that `*`, `5`, `1-5`, `*/15`, `mon-fri` or several with commas stand for.

    Raises `RecurrenceInvalid`.
    """
    found: dict[int, None] = {}
    for item in text.split(","):
        found.update(dict.fromkeys(_item(item.strip(), part)))
    return tuple(sorted(found))


def _item(text: str, part: Part) -> list[int]:
    match = _ITEM.fullmatch(text)
    if match is None:
        raise RecurrenceInvalid(
            f"{text!r} is no value; write a number {part.span}, a range such as "
            f"{part.low + 1}-{part.low + 3}, * for all, or */2 for every other"
        )
    first, last = part.low, part.high
    if not match["any"]:
        first = _value(match["first"], part)
        ends_open = match["last"] is None and match["step"] is not None
        last = part.high if ends_open else _value(match["last"] or match["first"], part)
    if first > last:
        raise RecurrenceInvalid(
            f"the range {text!r} goes backwards; write it as two",
            f"{_run(first, part.high)},{_run(part.low, last)}",
        )
    values = range(first, last + 1, _step(match["step"], part))
    return [0 if part.name == "weekday" and value == _SUNDAY_TOO else value for value in values]


def _run(first: int, last: int) -> str:
    return f"{first}-{last}" if first < last else f"{first}"


def _value(word: str, part: Part) -> int:
    if not word.isdigit():
        if word.lower() in part.names:
            return part.names[word.lower()]
        meant = nearest(word, part.names)
        raise RecurrenceInvalid(f"{word!r} is not a value {part.span}", meant)
    value = int(word)
    is_sunday = part.name == "weekday" and value == _SUNDAY_TOO
    if not (part.low <= value <= part.high or is_sunday):
        raise RecurrenceInvalid(f"{value} is out of range: it goes {part.span}")
    return value


def _step(text: str | None, part: Part) -> int:
    if text is None:
        return 1
    step, longest = int(text), part.high - part.low
    if not 1 <= step <= longest:
        why = "" if step == 0 else "; for times further apart there is `every`"
        raise RecurrenceInvalid(f"a step is from 1 to {longest}, found {step}{why}")
    return step


def ranges(values: Values) -> list[tuple[int, int, int]]:
    """The same as few ranges: first, last (included) and step."""
    if len(values) > 2:
        step = values[1] - values[0]
        if values == tuple(range(values[0], values[-1] + 1, step)):
            return [(values[0], values[-1], step)]
    found: list[tuple[int, int, int]] = []
    for value in values:
        if found and value == found[-1][1] + 1:
            found[-1] = (found[-1][0], value, 1)
        else:
            found.append((value, value, 1))
    return found


def _spelled(values: Values) -> str:
    return ",".join(
        f"{first}" if first == last else f"{first}-{last}" + (f"/{step}" if step > 1 else "")
        for first, last, step in ranges(values)
    )
