"""What a flow's document asks of Temporal: each schedule with its id, its times and its action."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from datetime import timedelta

from temporalio.client import (
    Schedule,
    ScheduleActionStartWorkflow,
    ScheduleCalendarSpec,
    ScheduleIntervalSpec,
    ScheduleOverlapPolicy,
    SchedulePolicy,
    ScheduleRange,
    ScheduleSpec,
    ScheduleState,
)

from flowspec.model import Flow
from flowspec.recurrence import PARTS, Recurrence, Values, ranges
from flowspec.schedules import Schedule as Written
from flowspec.values import Json

__all__ = [
    "MEMO",
    "Wanted",
    "flow_and_name",
    "overlap_named",
    "recurrence_of",
    "schedule_id",
    "wanted_by",
]

MEMO = "flowrunner.schedule"
"""The key in a schedule's memo by which ours are known: keys stay readable, whatever encrypts."""

_TEMPORAL = {"day": "day_of_month", "weekday": "day_of_week"}
_LONGEST_COMMENT = 200


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """One schedule of a flow, for the workers of one task queue."""

    flow: str
    name: str
    task_queue: str
    written: Written

    @property
    def id(self) -> str:
        return schedule_id(self.flow, self.name)

    @property
    def arguments(self) -> list[Json]:
        return [] if self.written.input is None else [self.written.input]

    def as_temporal(self, state: ScheduleState) -> Schedule:
        """The whole schedule; `state` is what Temporal keeps beside what is written."""
        return Schedule(
            action=ScheduleActionStartWorkflow(
                self.flow,
                args=self.arguments,
                # Temporal appends the time. The input is kept under this id for all runs.
                id=self.id,
                task_queue=self.task_queue,
            ),
            spec=_spec(self.written),
            policy=SchedulePolicy(
                overlap=overlap_named(self.written.overlap),
                catchup_window=timedelta(seconds=self.written.catch_up),
                pause_on_failure=self.written.pause_on_failure,
            ),
            state=state,
        )


def wanted_by(flow: Flow, task_queue: str) -> Iterator[Wanted]:
    """The schedules of a flow, in the order of its document."""
    for name, written in flow.schedules.items():
        yield Wanted(flow=flow.name, name=name, task_queue=task_queue, written=written)


def schedule_id(flow: str, name: str) -> str:
    """No flow has a dot in its name, so two flows' schedules never share an id. Neither a path of
    an address nor the key of a blob has to quote it."""
    return f"{flow}.{name}"


def flow_and_name(id: str) -> tuple[str, str]:
    """The flow and the name in the id of a schedule of ours."""
    flow, _, name = id.partition(".")
    return flow, name


def overlap_named(name: str) -> ScheduleOverlapPolicy:
    return ScheduleOverlapPolicy[name.upper()]


# -- times -----------------------------------------------------------------------------------------


def _spec(written: Written) -> ScheduleSpec:
    # Cron expressions are sent as what they say, for that is all Temporal gives back.
    every = written.every
    return ScheduleSpec(
        calendars=[_calendar(each, text) for text, each in written.recurrences.items()],
        intervals=[
            ScheduleIntervalSpec(
                every=timedelta(seconds=every.interval), offset=timedelta(seconds=every.offset)
            )
        ]
        if every
        else [],
        start_at=written.begins,
        end_at=written.ends,
        jitter=timedelta(seconds=written.jitter) if written.jitter else None,
        time_zone_name=written.timezone,
    )


def _calendar(recurrence: Recurrence, text: str) -> ScheduleCalendarSpec:
    def part(name: str) -> list[ScheduleRange]:
        values: Values = getattr(recurrence, name)
        if name == "year" and values == PARTS["year"].all:
            return []  # how Temporal says every year
        return [ScheduleRange(first, last, step) for first, last, step in ranges(values)]

    return ScheduleCalendarSpec(
        second=part("second"),
        minute=part("minute"),
        hour=part("hour"),
        day_of_month=part("day"),
        month=part("month"),
        year=part("year"),
        day_of_week=part("weekday"),
        comment=text[:_LONGEST_COMMENT],
    )


def recurrence_of(calendar: ScheduleCalendarSpec) -> Recurrence:
    """The values of a calendar that Temporal tells of."""
    values = {
        each.name: _values(getattr(calendar, _TEMPORAL.get(each.name, each.name)))
        for each in fields(Recurrence)
    }
    return Recurrence(**{name: found for name, found in values.items() if found})


def _values(spans: Iterator[ScheduleRange] | tuple[ScheduleRange, ...]) -> Values:
    found = {
        value: None
        for span in spans
        for value in range(span.start, max(span.end, span.start) + 1, max(span.step, 1))
    }
    return tuple(sorted(found))
