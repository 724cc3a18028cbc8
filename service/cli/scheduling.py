"""What the commands of `schedule` do and print."""

from __future__ import annotations

import getpass
import json as json_text
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo

from temporalio.client import Client

from flowspec.catalogue import Catalogue
from flowspec.model import Flow, parse_flow
from flowspec.moments import ZoneUnknown, zone_named
from flowspec.schedules import Overlap
from flowspec.values import Json, JsonObject
from service.cli.checking import checked_plan
from service.cli.context import connected
from service.cli.flow_files import in_flows_dir
from service.cli.screen import columns, note, print_json, print_text
from service.errors import InputWrong
from service.pollers import is_polled
from service.schedules.applying import Action, Outlook, Step, perform, plan_steps
from service.schedules.looking import ScheduleView, iso, list_schedules, look_at
from service.schedules.steering import backfill, delete, pause, read_period, resume, trigger
from service.schedules.wanted import wanted_by
from service.settings import load_worker_settings

__all__ = [
    "Application",
    "make_up",
    "remove",
    "report_apply",
    "report_schedule",
    "report_schedules",
    "set_paused",
    "trigger_now",
]

_SHOWN_RUNS = 5
_LONGEST = 2000
_DONE: dict[Action, str] = {
    "create": "created",
    "update": "updated",
    "keep": "unchanged",
    "delete": "deleted",
}
_WOULD: dict[Action, str] = {
    "create": "to create",
    "update": "to update",
    "keep": "unchanged",
    "delete": "to delete",
}


@dataclass(frozen=True, kw_only=True)
class Application:
    """The command line of `schedule apply`."""

    targets: tuple[str, ...]
    prune: bool = False
    dry_run: bool = False
    json: bool = False


# -- apply -----------------------------------------------------------------------------------------


async def report_apply(wanted: Application, catalogue: Callable[[], Catalogue]) -> None:
    """Raises `FlowInvalid`, `InputWrong` before anything is done."""
    flows = _flows(wanted.targets, catalogue())
    task_queue = load_worker_settings().task_queue
    schedules = [each for flow in flows for each in wanted_by(flow, task_queue)]
    client = await connected()
    names = [flow.name for flow in flows]
    steps = await plan_steps(client, schedules, flows=names, prune=wanted.prune)
    told: list[Json] = []
    for step in steps:
        outlook = None if wanted.dry_run else await perform(client, step)
        next_time = outlook.next if outlook else None
        told.append({**step.as_json(), "next": iso(next_time) if next_time else None})
        if not wanted.json:
            print_text(_line(step, outlook, dry_run=wanted.dry_run))
    if wanted.json:
        print_json(told)
    elif not steps:
        note(f"nothing to do: no schedules in {', '.join(names)}")
    for warning in [warning async for warning in _warnings(client, task_queue, steps)]:
        note(warning)


async def _warnings(client: Client, task_queue: str, steps: Sequence[Step]) -> AsyncIterator[str]:
    """What will keep the runs from going on, as far as that can be told from here."""
    wanted = [step for step in steps if step.wanted is not None]
    if wanted and not await is_polled(client, task_queue):
        yield (
            f"no worker polls the task queue {task_queue!r}: until one does, runs are started and "
            "wait. Start one with `flowrunner worker`, or everything with `flowrunner dev`."
        )
    changed = [step.wanted.flow for step in wanted if step.wanted and step.action != "keep"]
    for flow in dict.fromkeys(changed):
        if not in_flows_dir(flow):
            yield (
                f"runs start the flow {flow!r} by its name, and fail where the worker does not "
                f"know it: put it into the FLOWS_DIR of every worker as {flow}.yaml "
                f"(here that is {str(load_worker_settings().flows_dir)!r}, which does not have it)"
            )


def _flows(targets: Sequence[str], catalogue: Catalogue) -> list[Flow]:
    found: dict[str, Flow] = {}
    for target in targets:
        checked = checked_plan(target, catalogue)
        if checked.problems:
            note(checked.text())
        flow = parse_flow(checked.source.text).flow
        assert flow is not None
        if flow.name in found:
            raise InputWrong(f"the flow {flow.name!r} is there twice: {', '.join(targets)}")
        found[flow.name] = flow
    return list(found.values())


def _line(step: Step, outlook: Outlook | None, *, dry_run: bool) -> str:
    done = (_WOULD if dry_run else _DONE)[step.action]
    parts = [f"{done:<9}  {step.id}"]
    parts += ["; ".join(map(str, step.changes))] if step.changes else []
    if outlook is not None and step.wanted is not None:
        parts.append(_prospect(outlook, step.wanted.written.zone))
    return "  ".join(parts)


def _prospect(outlook: Outlook, zone: tzinfo) -> str:
    if outlook.next is None:
        return "no time to come"
    return "paused" if outlook.paused else f"next {_shown(outlook.next, zone)}"


# -- looking ---------------------------------------------------------------------------------------


async def report_schedules(*, flow: str | None, all: bool, json: bool) -> None:
    listed = await list_schedules(await connected(), all=all)
    found = [view for view in listed if flow is None or view.flow == flow]
    if json:
        print_json([view.as_json() for view in found])
    elif not found:
        note("there are no such schedules")
    else:
        rows = [("ID", "FLOW", "TIMES", "NEXT", "LAST", "STATE", "NOTE")]
        print_text(columns([*rows, *map(_row, found)]))


def _row(view: ScheduleView) -> tuple[str, ...]:
    zone = _zone(view.timezone)
    next_time = _shown(view.next[0], zone) if view.next and not view.paused else ""
    last = _shown(view.last[0].scheduled, zone) if view.last else ""
    state = "paused" if view.paused else "active"
    return (view.id, view.flow, "; ".join(view.times), next_time, last, state, view.note)


async def report_schedule(id: str, *, json: bool) -> None:
    view = await look_at(await connected(), id)
    if json:
        print_json(view.as_json())
    else:
        print_text("\n".join(_lines(view)))


def _lines(view: ScheduleView) -> list[str]:
    zone = _zone(view.timezone)
    told: dict[str, Json] = {
        "flow": view.flow,
        "times": "; ".join(view.times),
        "timezone": view.timezone,
        "state": "paused" if view.paused else "active",
        "note": view.note,
        **(view.details or {}),
        "input": view.unread or _input_shown(view.input),
    }
    rows = [
        (f"  {name}", _spelled(value)) for name, value in told.items() if value not in (None, "")
    ]
    lines = [view.id, columns(rows), f"Next times ({view.timezone}):"]
    lines += [f"  {_shown(each, zone)}" for each in view.next] or ["  none"]
    lines.append("Last runs:")
    lines += [
        f"  {_shown(run.scheduled, zone)}  {run.workflow_id}" for run in view.last[:_SHOWN_RUNS]
    ] or ["  none"]
    return lines


def _input_shown(value: Json) -> str:
    text = "" if value is None else json_text.dumps(value, ensure_ascii=False)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}… (--json shows all of it)"


def _spelled(value: Json) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _zone(name: str) -> tzinfo:
    try:
        return zone_named(name)
    except ZoneUnknown:
        return UTC


def _shown(moment: datetime, zone: tzinfo) -> str:
    return f"{moment.astimezone(zone):%Y-%m-%d %H:%M:%S %Z}"


# -- steering --------------------------------------------------------------------------------------


async def set_paused(id: str, paused: bool, *, note: str | None, json: bool) -> None:
    word = "paused" if paused else "resumed"
    why = note or f"{word} by {_user()}"
    await (pause if paused else resume)(await connected(), id, why)
    _say(f"{id}: {word}", {"id": id, "paused": paused, "note": why}, json=json)


async def trigger_now(id: str, *, overlap: Overlap | None, json: bool) -> None:
    run = await trigger(await connected(), id, overlap)
    if json:
        started: JsonObject = run.as_json() if run else {"workflow_id": None, "run_id": None}
        print_json({"id": id, **started})
    elif run is None:
        note(f"{id}: the run starts when the one that is open has ended")
    else:
        print_text(run.workflow_id)
        note(f"  see it  flowrunner status {run.workflow_id}")


async def make_up(id: str, begin: str, end: str, *, overlap: Overlap, json: bool) -> None:
    client = await connected()
    period = await read_period(client, id, begin, end)
    count = await backfill(client, id, period, overlap)
    told: JsonObject = {
        "id": id,
        "from": iso(period.begin),
        "to": iso(period.end),
        "overlap": overlap,
        "times": count,
    }
    times = "one time is" if count == 1 else f"{count} times are"
    _say(f"{id}: {times} made up for; see `flowrunner schedule show {id}`", told, json=json)


async def remove(id: str, *, json: bool) -> None:
    await delete(await connected(), id)
    _say(f"{id}: deleted", {"id": id, "deleted": True}, json=json)


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # a container's user need not have a name
        return "flowrunner"


def _say(text: str, told: JsonObject, *, json: bool) -> None:
    if json:
        print_json(told)
    else:
        note(text)
