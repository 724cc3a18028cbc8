"""When a flow starts by itself, as it is written under `schedules`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, tzinfo
from typing import Annotated, Literal, Self, TypeAlias, TypeVar

from pydantic import Field, PlainValidator, ValidationError, model_validator
from pydantic_core import InitErrorDetails, PydanticCustomError

from flowspec.durations import format_duration
from flowspec.fields import (
    Duration,
    Flag,
    Maybe,
    PositiveDuration,
    Text,
    choice,
    duration,
    shorthand,
)
from flowspec.moments import MomentInvalid, ZoneUnknown, in_zone, read_moment, zone_named
from flowspec.recurrence import PARTS, Recurrence, RecurrenceInvalid, Values, read_cron, read_part
from flowspec.refusals import refuse, wrong_kind
from flowspec.strict import Strict
from flowspec.values import Json, JsonObject
from flowspec.wording import did_you_mean

__all__ = ["OVERLAPS", "Calendar", "Cron", "Every", "Overlap", "Schedule"]

T = TypeVar("T")

Overlap: TypeAlias = Literal[
    "skip", "buffer_one", "buffer_all", "cancel_other", "terminate_other", "allow_all"
]
OVERLAPS: tuple[Overlap, ...] = (
    *("skip", "buffer_one", "buffer_all"),
    *("cancel_other", "terminate_other", "allow_all"),
)

SHORTEST_INTERVAL = 1.0
SHORTEST_CATCH_UP = 10.0
DEFAULT_CATCH_UP = 365 * 86_400.0
"""Seconds; all three are Temporal's own."""


# -- single values ---------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Cron:
    """A cron expression as it is written, and what it says."""

    text: str
    recurrence: Recurrence


def _cron(value: Json) -> Cron:
    expected = 'a cron expression such as "0 2 * * *", or @daily'
    if not isinstance(value, str):
        raise wrong_kind(value, expected)
    try:
        return Cron(text=value.strip(), recurrence=read_cron(value))
    except RecurrenceInvalid as error:
        raise refuse(
            "FR218",
            f"{value!r} cannot be used: {error}{did_you_mean(error.suggestion)}",
            expected=expected,
            suggestion=error.suggestion,
        ) from None


def _part(name: str) -> PlainValidator:
    part = PARTS[name]
    expected = f"a number {part.span}, a range such as {part.low + 1}-{part.low + 3}, or a list"

    def one(value: Json) -> Values:
        if isinstance(value, bool) or not isinstance(value, (int, str)):
            raise wrong_kind(value, expected)
        try:
            return read_part(str(value), part)
        except RecurrenceInvalid as error:
            message = f"{error}{did_you_mean(error.suggestion)}"
            raise refuse("FR204", message, expected=expected, suggestion=error.suggestion) from None

    def check(value: Json) -> Values:
        if value == [] or value is None:
            raise wrong_kind(value, expected)
        entries = value if isinstance(value, list) else [value]
        return tuple(sorted({number: None for entry in entries for number in one(entry)}))

    return PlainValidator(check)


def _zone_name(value: Json) -> str:
    expected = "a time zone such as Europe/Vienna or UTC"
    if not isinstance(value, str):
        raise wrong_kind(value, expected)
    try:
        zone_named(value)
    except ZoneUnknown as error:
        advice = did_you_mean(error.suggestion) or "; zones are named like Europe/Vienna, or UTC"
        raise refuse(
            "FR219", f"{error}{advice}", expected=expected, suggestion=error.suggestion
        ) from None
    return value


def _moment(value: Json) -> datetime:
    expected = "a date such as 2026-11-21, or a time such as 2026-11-21T09:30"
    if not isinstance(value, str):
        raise wrong_kind(value, expected)
    try:
        return read_moment(value)
    except MomentInvalid as error:
        raise refuse("FR220", str(error), expected=expected) from None


def _at_least(shortest: float) -> PlainValidator:
    expected = f"at least {format_duration(shortest)}"

    def check(value: Json) -> float:
        seconds = duration(value)
        if seconds < shortest:
            message = f"expected a duration of {expected}, found {value!r}"
            raise refuse("FR204", message, expected=expected)
        return seconds

    return PlainValidator(check)


def _one_or_many(read: Callable[[Json], T], expected: str) -> PlainValidator:
    """A list, or its only entry; each problem is told at its own place."""

    def check(value: Json) -> tuple[T, ...]:
        if not isinstance(value, list):
            return (read(value),)
        if not value:
            raise wrong_kind(value, expected)
        found: list[T] = []
        errors: list[InitErrorDetails] = []
        for index, entry in enumerate(value):
            try:
                found.append(read(entry))
            except PydanticCustomError as error:
                errors.append(InitErrorDetails(type=error, loc=(index,), input=entry))
            except ValidationError as error:
                errors += _moved(error, index)
        if errors:
            raise ValidationError.from_exception_data("schedule", errors)
        return tuple(found)

    return PlainValidator(check)


def _moved(error: ValidationError, index: int) -> list[InitErrorDetails]:
    return [
        InitErrorDetails(
            type=PydanticCustomError(found["type"], "{message}", found.get("ctx") or {}),
            loc=(index, *found["loc"]),
            input=found["input"],
        )
        for found in error.errors(include_url=False)
    ]


# -- mappings --------------------------------------------------------------------------------------


class Every(Strict):
    """Times that are equally far apart, counted from 1970."""

    interval: Annotated[float, _at_least(SHORTEST_INTERVAL)] = Field(
        description="From one time to the next"
    )
    offset: Duration = Field(
        default=0.0, description="How long after the full interval; less than it"
    )

    @model_validator(mode="after")
    def _offset_inside(self) -> Self:
        if self.offset >= self.interval:
            raise refuse(
                "FR204",
                f"the offset, {format_duration(self.offset)}, has to be less than the interval, "
                f"{format_duration(self.interval)}",
                expected="an offset less than the interval",
            )
        return self

    def __str__(self) -> str:
        offset = f" offset {format_duration(self.offset)}" if self.offset else ""
        return f"every {format_duration(self.interval)}{offset}"


class Calendar(Strict):
    """Points in time of which each part is one of those written."""

    year: Maybe[Annotated[Values, _part("year")]] = Field(
        default=None, description="Every year if left out"
    )
    month: Maybe[Annotated[Values, _part("month")]] = Field(
        default=None, description="1 to 12, or january to december; every month if left out"
    )
    day: Maybe[Annotated[Values, _part("day")]] = Field(
        default=None, description="Of the month, 1 to 31; every day if left out"
    )
    weekday: Maybe[Annotated[Values, _part("weekday")]] = Field(
        default=None, description="0 to 6, or sunday to saturday; all of them if left out"
    )
    hour: Maybe[Annotated[Values, _part("hour")]] = Field(
        default=None, description="0 to 23; 0 if left out"
    )
    minute: Maybe[Annotated[Values, _part("minute")]] = Field(
        default=None, description="0 to 59; 0 if left out"
    )
    second: Maybe[Annotated[Values, _part("second")]] = Field(
        default=None, description="0 to 59; 0 if left out"
    )

    @property
    def recurrence(self) -> Recurrence:
        return Recurrence(**self.model_dump(exclude_none=True))


def _calendar(value: Json) -> Calendar:
    if not isinstance(value, dict):
        raise wrong_kind(value, "a mapping such as {weekday: mon-fri, hour: 9}")
    return Calendar.model_validate(value)


def _expand_every(value: Json) -> Json:
    plain = isinstance(value, (int, float, str)) and not isinstance(value, bool)
    return {"interval": value} if plain else value


_mapping = shorthand(lambda value: value, "a mapping")


class Schedule(Strict):
    """What starts a flow: at the times of `cron`, `every` and `calendar` together."""

    cron: Annotated[tuple[Cron, ...], _one_or_many(_cron, "one cron expression or more")] = Field(
        default=(),
        description="A cron expression of five fields, or @daily and such; or a list",
    )
    every: Annotated[
        Every | None, shorthand(_expand_every, "an interval, or a mapping with `interval`")
    ] = Field(default=None, description="An interval, or a mapping of `interval` and `offset`")
    calendar: Annotated[tuple[Calendar, ...], _one_or_many(_calendar, "one mapping or more")] = (
        Field(default=(), description="What the parts of a date and time are; or a list")
    )
    timezone: Annotated[str, PlainValidator(_zone_name)] = Field(
        default="UTC", description="The zone of all times here; UTC if left out"
    )
    jitter: Maybe[PositiveDuration] = Field(
        default=None, description="Start by chance up to so much later"
    )
    from_: Maybe[Annotated[datetime, PlainValidator(_moment)]] = Field(
        default=None, alias="from", description="Nothing is started before"
    )
    until: Maybe[Annotated[datetime, PlainValidator(_moment)]] = Field(
        default=None, description="Nothing is started after"
    )
    overlap: Annotated[Overlap, choice(*OVERLAPS)] = Field(
        default="skip", description="What happens while the run before is still open"
    )
    catch_up: Annotated[float, _at_least(SHORTEST_CATCH_UP)] = Field(
        default=DEFAULT_CATCH_UP,
        description="How late a start may be that Temporal could not make in time; a year if left "
        "out",
    )
    pause_on_failure: Flag = Field(
        default=False, description="Pause the schedule when a run of it fails or runs out of time"
    )
    paused: Maybe[Flag] = Field(
        default=None, description="Whether it is paused; left to `schedule pause` if left out"
    )
    input: Annotated[JsonObject | None, _mapping] = Field(
        default=None, description="What its runs are started with"
    )
    note: Maybe[Text] = Field(default=None, description="For people who look at the schedule")

    @model_validator(mode="after")
    def _has_times(self) -> Self:
        if not (self.cron or self.every or self.calendar):
            raise refuse(
                "FR221",
                "it has no times; add `cron`, `every` or `calendar`",
                expected="cron, every or calendar",
            )
        return self

    @property
    def zone(self) -> tzinfo:
        return zone_named(self.timezone)

    @property
    def begins(self) -> datetime | None:
        """`from` in UTC."""
        return in_zone(self.from_, self.zone) if self.from_ else None

    @property
    def ends(self) -> datetime | None:
        """`until` in UTC."""
        return in_zone(self.until, self.zone) if self.until else None

    @property
    def recurrences(self) -> dict[str, Recurrence]:
        """What `cron` and `calendar` say, each by how it is shown to people."""
        crons = {cron.text: cron.recurrence for cron in self.cron}
        return crons | {str(each.recurrence): each.recurrence for each in self.calendar}
