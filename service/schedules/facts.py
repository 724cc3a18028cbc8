"""What a schedule is, point by point, so that two of them can be compared and shown."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, TypeAlias

from temporalio.api.common.v1 import Payload
from temporalio.client import (
    Client,
    ScheduleActionStartWorkflow,
    ScheduleDescription,
    ScheduleSpec,
)
from temporalio.converter import WorkflowSerializationContext

from flowspec.durations import format_duration
from flowspec.schedules import Schedule as Written
from flowspec.values import Json, JsonObject
from service.errors import InputWrong
from service.runs.failures import VALUE_ERRORS, mapped
from service.schedules.wanted import Wanted, recurrence_of
from service.settings.sizes import format_size

__all__ = ["Change", "Facts", "changes", "facts_of", "facts_wanted", "input_of", "times_of"]

_NONE = "none"
_SHORT = 60


@dataclass(frozen=True, kw_only=True)
class _Fact:
    """Compared by `value`, shown as `text`."""

    value: object
    text: str


Facts: TypeAlias = dict[str, _Fact]


@dataclass(frozen=True, kw_only=True)
class Change:
    """A point in which two schedules differ."""

    point: str
    old: str
    new: str

    def __str__(self) -> str:
        return f"{self.point} {self.old} -> {self.new}"

    def as_json(self) -> JsonObject:
        return {"point": self.point, "old": self.old, "new": self.new}


def changes(old: Facts, new: Facts) -> list[Change]:
    """What of `new` is not so in `old`."""
    return [
        Change(point=point, old=old[point].text, new=fact.text)
        for point, fact in new.items()
        if old[point].value != fact.value
    ]


def facts_wanted(wanted: Wanted, *, paused: bool) -> Facts:
    """What the document says; nothing of what it leaves to Temporal and to those who use it.

    `paused` is how the schedule stands: a note then may be why, and stays.
    """
    written = wanted.written
    facts = {
        "times": _Fact(value=_written_times(written), text="; ".join(_told(written))),
        "timezone": _plain(written.timezone),
        "jitter": _length(written.jitter),
        "from": _moment(written.begins),
        "until": _moment(written.ends),
        "overlap": _plain(written.overlap),
        "catch_up": _length(written.catch_up),
        "pause_on_failure": _plain(written.pause_on_failure),
        "flow": _plain(wanted.flow),
        "task_queue": _plain(wanted.task_queue),
        "input": _input(wanted.arguments),
    }
    if written.paused is not None:
        facts["paused"] = _plain(written.paused)
    if written.note is not None and (written.paused is not None or not paused):
        facts["note"] = _plain(written.note)
    return facts


async def facts_of(client: Client, found: ScheduleDescription) -> Facts:
    """What Temporal has. Raises `InputWrong` if it does not start a workflow."""
    schedule, action = found.schedule, _action(found)
    spec, policy = schedule.spec, schedule.policy
    return {
        "times": _Fact(value=_known_times(spec), text="; ".join(times_of(spec))),
        "timezone": _plain(spec.time_zone_name or "UTC"),
        "jitter": _length(_seconds(spec.jitter)),
        "from": _moment(spec.start_at),
        "until": _moment(spec.end_at),
        "overlap": _plain(policy.overlap.name.lower()),
        "catch_up": _length(_seconds(policy.catchup_window)),
        "pause_on_failure": _plain(policy.pause_on_failure),
        "flow": _plain(action.workflow),
        "task_queue": _plain(action.task_queue),
        "input": await _known_input(client, found),
        "paused": _plain(schedule.state.paused),
        "note": _plain(schedule.state.note or ""),
    }


async def input_of(client: Client, found: ScheduleDescription) -> list[Any]:
    """The arguments of its runs, fetched and decrypted. Raises `VALUE_ERRORS`."""
    action = _action(found)
    payloads = [each for each in action.args if isinstance(each, Payload)]
    context = WorkflowSerializationContext(namespace=client.namespace, workflow_id=action.id)
    with mapped():
        return await client.data_converter.with_context(context).decode(payloads)


def times_of(spec: ScheduleSpec) -> Iterator[str]:
    """Its times as they were written, or as near as Temporal tells them."""
    for calendar in spec.calendars:
        yield calendar.comment or str(recurrence_of(calendar))
    for each in spec.intervals:
        offset = f" offset {format_duration(_seconds(each.offset))}" if each.offset else ""
        yield f"every {format_duration(_seconds(each.every))}{offset}"


# -- points ----------------------------------------------------------------------------------------


def _plain(value: object) -> _Fact:
    text = str(value).lower() if isinstance(value, bool) else str(value) or _NONE
    return _Fact(value=value, text=text)


def _length(seconds: float | None) -> _Fact:
    value = round(seconds or 0.0, 3)
    return _Fact(value=value, text=format_duration(value) if value else _NONE)


def _moment(moment: datetime | None) -> _Fact:
    return _Fact(value=moment, text=moment.isoformat() if moment else _NONE)


def _seconds(length: timedelta | None) -> float:
    return length.total_seconds() if length else 0.0


def _told(written: Written) -> list[str]:
    return [*written.recurrences, *([str(written.every)] if written.every else [])]


def _written_times(written: Written) -> object:
    every = written.every
    intervals = [(every.interval, every.offset)] if every else []
    return (sorted(map(str, written.recurrences.values())), intervals)


def _known_times(spec: ScheduleSpec) -> object:
    recurrences = sorted(str(recurrence_of(each)) for each in spec.calendars)
    return (recurrences, [(_seconds(each.every), _seconds(each.offset)) for each in spec.intervals])


def _action(found: ScheduleDescription) -> ScheduleActionStartWorkflow:
    action = found.schedule.action
    if not isinstance(action, ScheduleActionStartWorkflow):
        raise InputWrong(f"schedule {found.id!r} does not start a workflow")
    return action


async def _known_input(client: Client, found: ScheduleDescription) -> _Fact:
    try:
        return _input(await input_of(client, found))
    except VALUE_ERRORS:
        return _Fact(value=object(), text="what cannot be read")


def _input(arguments: list[Json]) -> _Fact:
    if not arguments:
        return _Fact(value=[], text=_NONE)
    text = json.dumps(arguments[0], ensure_ascii=False)
    return _Fact(value=arguments, text=text if len(text) <= _SHORT else format_size(len(text)))
