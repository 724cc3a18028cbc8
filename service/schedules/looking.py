"""Which schedules there are, and how each stands."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from temporalio.client import (
    Client,
    ScheduleActionExecutionStartWorkflow,
    ScheduleActionStartWorkflow,
    ScheduleDescription,
    ScheduleListDescription,
)

from flowspec.durations import format_duration
from flowspec.values import Json, JsonObject
from service.runs.failures import VALUE_ERRORS, mapped
from service.schedules.errors import mapped_schedule
from service.schedules.facts import input_of, times_of
from service.schedules.wanted import MEMO, flow_and_name

__all__ = [
    "ScheduleView",
    "StartedRun",
    "describe",
    "is_ours",
    "iso",
    "list_schedules",
    "look_at",
    "started_by",
]

_TIMEOUT = timedelta(seconds=30)


@dataclass(frozen=True, kw_only=True)
class StartedRun:
    """A run that a schedule has started, and the time it was to start."""

    scheduled: datetime
    workflow_id: str
    run_id: str

    def as_json(self) -> JsonObject:
        return {
            "scheduled": iso(self.scheduled),
            "workflow_id": self.workflow_id,
            "run_id": self.run_id,
        }


@dataclass(frozen=True, kw_only=True)
class ScheduleView:
    """A schedule as it stands; `name` is None for one that is not ours.

    What begins with `input` only one that is looked at by itself has.
    """

    id: str
    flow: str
    name: str | None
    times: tuple[str, ...]
    timezone: str
    paused: bool
    note: str
    next: tuple[datetime, ...]
    last: tuple[StartedRun, ...]
    input: Json = None
    unread: str | None = None
    details: Mapping[str, Json] | None = None

    def as_json(self) -> JsonObject:
        shown: JsonObject = {
            "id": self.id,
            "flow": self.flow,
            "name": self.name,
            "times": list[Json](self.times),
            "timezone": self.timezone,
            "paused": self.paused,
            "note": self.note or None,
            "next": [iso(each) for each in self.next],
            "last": [each.as_json() for each in self.last],
        }
        if self.details is None:
            return shown
        return {**shown, **self.details, "input": self.input, "input_error": self.unread}


def iso(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


async def list_schedules(client: Client, *, all: bool = False) -> list[ScheduleView]:
    """Those that Flowrunner has made, or really all, by id.

    Temporal lists a schedule a moment after it has been created.
    """
    found: list[ScheduleView] = []
    with mapped():
        async for entry in await client.list_schedules(rpc_timeout=_TIMEOUT):
            ours = MEMO in entry.raw_entry.memo.fields
            if ours or all:
                found.append(_listed(entry, ours=ours))
    return sorted(found, key=lambda view: view.id)


async def describe(client: Client, id: str) -> ScheduleDescription:
    """Raises `ScheduleNotFound`."""
    with mapped_schedule(id):
        return await client.get_schedule_handle(id).describe(rpc_timeout=_TIMEOUT)


def is_ours(found: ScheduleDescription) -> bool:
    return MEMO in found.raw_description.memo.fields


async def look_at(client: Client, id: str) -> ScheduleView:
    """Raises `ScheduleNotFound`."""
    found = await describe(client, id)
    spec, policy, action = found.schedule.spec, found.schedule.policy, found.schedule.action
    ours = is_ours(found)
    given, unread = await _input(client, found)
    starts = action if isinstance(action, ScheduleActionStartWorkflow) else None
    details: dict[str, Json] = {
        "task_queue": starts.task_queue if starts else None,
        "overlap": policy.overlap.name.lower(),
        "catch_up": _length(policy.catchup_window),
        "jitter": _length(spec.jitter),
        "from": iso(spec.start_at) if spec.start_at else None,
        "until": iso(spec.end_at) if spec.end_at else None,
        "pause_on_failure": policy.pause_on_failure,
        "missed": found.info.num_actions_missed_catchup_window,
        "skipped": found.info.num_actions_skipped_overlap,
    }
    return ScheduleView(
        id=id,
        flow=starts.workflow if starts else "",
        name=flow_and_name(id)[1] if ours else None,
        times=tuple(times_of(spec)),
        timezone=spec.time_zone_name or "UTC",
        paused=found.schedule.state.paused,
        note=found.schedule.state.note or "",
        next=tuple(found.info.next_action_times),
        last=started_by(found),
        input=given,
        unread=unread,
        details=details,
    )


def _length(length: timedelta | None) -> str | None:
    return format_duration(length.total_seconds()) if length else None


async def _input(client: Client, found: ScheduleDescription) -> tuple[Any, str | None]:
    try:
        arguments = await input_of(client, found)
    except VALUE_ERRORS as error:
        return None, str(error)
    return (arguments[0] if arguments else None), None


def started_by(found: ScheduleDescription) -> tuple[StartedRun, ...]:
    """The last runs, the newest first."""
    return _runs(found.info.recent_actions)


def _runs(actions: Any) -> tuple[StartedRun, ...]:
    runs = [
        StartedRun(
            scheduled=each.scheduled_at,
            workflow_id=each.action.workflow_id,
            run_id=each.action.first_execution_run_id,
        )
        for each in actions
        if isinstance(each.action, ScheduleActionExecutionStartWorkflow)
    ]
    return tuple(reversed(runs))


def _listed(entry: ScheduleListDescription, *, ours: bool) -> ScheduleView:
    told = entry.raw_entry.info
    schedule = entry.schedule
    return ScheduleView(
        id=entry.id,
        flow=told.workflow_type.name,
        name=flow_and_name(entry.id)[1] if ours else None,
        times=tuple(times_of(schedule.spec)) if schedule else (),
        timezone=told.spec.timezone_name or "UTC",
        paused=told.paused,
        note=told.notes,
        next=tuple(entry.info.next_action_times) if entry.info else (),
        last=_runs(entry.info.recent_actions) if entry.info else (),
    )
