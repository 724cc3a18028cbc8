"""Lengths of time as people write them: `500ms`, `1h30m`, `3d`, `PT30S`."""

from __future__ import annotations

import re
from decimal import Decimal

__all__ = ["DURATION_PATTERN", "LONGEST", "DurationInvalid", "format_duration", "parse_duration"]

LONGEST = 100 * 365 * 86_400
"""A hundred years, in seconds: Temporal's timers reach no further."""

_SECONDS: dict[str, Decimal] = {
    "w": Decimal(604_800),
    "d": Decimal(86_400),
    "h": Decimal(3_600),
    "m": Decimal(60),
    "s": Decimal(1),
    "ms": Decimal("0.001"),
}
_NUMBER = r"[0-9]{1,15}(?:\.[0-9]{1,9})?"
_SHORT = "".join(rf"(?:({_NUMBER}){unit})?" for unit in _SECONDS)
_ISO = (
    rf"P(?:({_NUMBER})W)?(?:({_NUMBER})D)?"
    rf"(?:T(?=[0-9])(?:({_NUMBER})H)?(?:({_NUMBER})M)?(?:({_NUMBER})S)?)?"
)
_FORMS = (
    (re.compile(_SHORT, re.ASCII), ("w", "d", "h", "m", "s", "ms")),
    (re.compile(_ISO, re.ASCII), ("w", "d", "h", "m", "s")),
)
DURATION_PATTERN = rf"^(?:{_SHORT}|{_ISO.replace('(?=[0-9])', '')})$"
"""The same for editors, to be used with a length of at least 2; it knows no limits."""

_WORDS = {
    "w": ("w", "wk", "wks", "week", "weeks"),
    "d": ("d", "day", "days"),
    "h": ("h", "hr", "hrs", "hour", "hours"),
    "m": ("m", "min", "mins", "minute", "minutes"),
    "s": ("s", "sec", "secs", "second", "seconds"),
    "ms": ("ms", "msec", "msecs", "milli", "millis", "millisecond", "milliseconds"),
}
_AMOUNT = re.compile(rf"({_NUMBER})\s*([A-Za-z]+)[\s,]*(?:and\s+)?", re.ASCII)
_UNITS = {word: unit for unit, words in _WORDS.items() for word in words}


class DurationInvalid(ValueError):
    """Not a duration; the text says why, `suggestion` what to write instead, if that is clear."""

    def __init__(self, message: str, suggestion: str | None = None) -> None:
        super().__init__(message)
        self.suggestion = suggestion


def parse_duration(value: object) -> float:
    """The seconds that a duration lasts; never negative. Raises `DurationInvalid`."""
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        if value < 0:
            raise DurationInvalid("a duration is not negative")
        raise DurationInvalid(f"the number {value} lacks a unit", f"{value:g}s")
    if not isinstance(value, str):
        raise DurationInvalid("a duration is text such as '30s'")
    for form, units in _FORMS:
        match = form.fullmatch(value)
        if match is not None and any(match.groups()):
            return _sum(match.groups(), units)
    raise _refused(value)


def _sum(amounts: tuple[str | None, ...], units: tuple[str, ...]) -> float:
    pairs = zip(amounts, units, strict=True)
    seconds = sum((Decimal(n) * _SECONDS[unit] for n, unit in pairs if n), Decimal(0))
    if seconds > LONGEST:
        raise DurationInvalid("a duration is at most 100 years", "5200w")
    return float(seconds)


def _refused(value: str) -> DurationInvalid:
    written = value.strip()
    if "${" in written:
        return DurationInvalid("durations are fixed when the flow is written and take no ${…}")
    if re.fullmatch(_NUMBER, written):
        return DurationInvalid(f"{written!r} lacks a unit", f"{written}s")
    if written.startswith("-"):
        return DurationInvalid("a duration is not negative")
    if re.match(r"P[^T]*[0-9][YM]", written):
        return DurationInvalid("months and years differ in length; write days or weeks")
    clock = re.fullmatch(r"([0-9]{1,2}):([0-9]{2})(?::([0-9]{2}))?", written)
    if clock:
        hours, minutes, seconds = (int(part or 0) for part in clock.groups())
        meant = hours * 3600 + minutes * 60 + seconds
        return DurationInvalid(f"{written!r} is a time of day", format_duration(meant))
    return DurationInvalid(f"{written!r} is not a duration", _meant(written))


def _meant(written: str) -> str | None:
    """`90 seconds` and `1 hour and 5 min` are clear enough to be corrected."""
    parts = [match.groups() for match in _AMOUNT.finditer(written)]
    rest = _AMOUNT.sub("", written)
    if rest or not parts or any(word.lower() not in _UNITS for _, word in parts):
        return None
    seconds = sum(Decimal(amount) * _SECONDS[_UNITS[word.lower()]] for amount, word in parts)
    return format_duration(float(seconds))


def format_duration(seconds: float) -> str:
    """The shortest way to write it, which `parse_duration` reads back: `90` gives `1m30s`."""
    left = round(Decimal(repr(float(seconds))) * 1000)
    if left <= 0:
        return "0s"
    written = ""
    for unit, length in _SECONDS.items():
        if unit == "w" and left % (7 * 86_400_000):
            continue
        amount, left = divmod(left, int(length * 1000))
        written += f"{amount}{unit}" if amount else ""
    return written
