"""Points in time as a flow document has them: with their zone, or as a clock on a wall shows."""

from __future__ import annotations

import re
from datetime import UTC, datetime, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from flowspec.wording import nearest

__all__ = ["MOMENT_PATTERN", "MomentInvalid", "ZoneUnknown", "in_zone", "read_moment", "zone_named"]

MOMENT_PATTERN = r"^\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d(\.\d{1,6})?)?(Z|[+-]\d\d:\d\d)?)?$"
_FORM = re.compile(MOMENT_PATTERN, re.ASCII)
_OF_THE_MACHINE = ("localtime", "posixrules", "Factory", "Local")
"""What zone databases have as well, and what is another zone everywhere."""


class MomentInvalid(Exception):
    """No point in time; the message says why."""


class ZoneUnknown(Exception):
    """No such time zone; `suggestion` is the one that was probably meant."""

    def __init__(self, name: str, suggestion: str | None) -> None:
        super().__init__(f"there is no time zone {name!r}")
        self.suggestion = suggestion


def read_moment(text: str) -> datetime:
    """`2026-11-21`, `2026-11-21T09:30` or with a zone; without one it has none.

    Raises `MomentInvalid`.
    """
    if not _FORM.match(text):
        raise MomentInvalid(
            f"{text!r} is no point in time; write a date such as 2026-11-21, or a time such as "
            "2026-11-21T09:30 or 2026-11-21T09:30:00Z"
        )
    try:
        return datetime.fromisoformat(text)
    except ValueError as error:
        raise MomentInvalid(f"there is no such time as {text!r}: {error}") from None


def in_zone(moment: datetime, zone: tzinfo) -> datetime:
    """The same moment in UTC; one without a zone is what clocks in `zone` show."""
    placed = moment if moment.tzinfo is not None else moment.replace(tzinfo=zone)
    return placed.astimezone(UTC)


def zone_named(name: str) -> tzinfo:
    """A zone of the IANA database, such as Europe/Vienna. Raises `ZoneUnknown`."""
    if name == "UTC":
        return UTC
    try:
        if name not in _OF_THE_MACHINE and not name.startswith(("posix/", "right/")):
            return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        pass
    raise ZoneUnknown(name, _meant(name))


def _meant(name: str) -> str | None:
    known = sorted(available_timezones() - {*_OF_THE_MACHINE})
    cities = {zone.rpartition("/")[2].lower(): zone for zone in reversed(known)}
    return cities.get(name.rpartition("/")[2].replace(" ", "_").lower()) or nearest(name, known)
