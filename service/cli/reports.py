"""What `status`, `list`, `logs` and `result` print."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from temporalio.client import Client, WorkflowExecutionDescription, WorkflowHandle

from flowspec.values import Json, JsonObject
from service.cli.context import connected
from service.cli.ending import not_known, not_started, read_waiting
from service.cli.log_lines import log_line
from service.cli.progress import seconds, tree, view_lines
from service.cli.screen import columns, note, print_json, print_text, stdout
from service.cli.watching import watch_to_end
from service.errors import NoWorker, RequestRefused, RunNotFound, ServiceError
from service.runs.failures import VALUE_ERRORS
from service.runs.history import HistoryReader, LogEntry
from service.runs.listing import Listing, RunFilter, RunSummary, list_runs
from service.runs.looking import (
    ask_status,
    describe,
    events_of,
    first_run_id,
    flow_of,
    pending_attempts,
    state_of,
    view_from_history,
)
from service.runs.payloads import reader_for
from service.runs.stuck import why_stuck
from service.runs.view import RunView, with_pending
from service.settings import load_worker_settings

__all__ = ["report_list", "report_logs", "report_result", "report_status"]

Handle = WorkflowHandle[Any, Any]


async def report_status(workflow_id: str, *, json: bool) -> None:
    client = await connected()
    handle = client.get_workflow_handle(workflow_id)
    description = await describe(handle)
    view, unasked = await _view(client, handle, description)
    state = state_of(description.status)
    if state != "running":  # terminated runs, say, know nothing of their end
        view = replace(view, status=state)
    if json:
        print_json(_status_json(view, handle, description, unasked))
        return
    if unasked:
        note(f"{unasked}\nthis is what the run's history tells, without inline nodes")
    console = stdout()
    now = description.close_time or datetime.now(UTC)
    if console.is_terminal:
        console.print(tree(view, workflow_id, now))
    else:
        print_text(f"{workflow_id}  {view.flow}  {view.status}".rstrip())
        for line in view_lines(view, workflow_id, now):
            print_text(line)


async def _view(
    client: Client, handle: Handle, description: WorkflowExecutionDescription
) -> tuple[RunView, str | None]:
    """How the run stands; why it did not say so itself, if it did not."""
    try:
        view = await ask_status(handle)
    except NoWorker:
        error = await why_stuck(client, handle)
        unasked = "no worker answers"
        if error:
            unasked = f"the worker cannot go on with this run and will try again: {error}"
    except RequestRefused as error:
        unasked = str(error)
    except VALUE_ERRORS as error:
        unasked = f"what the run answers cannot be read ({error})"
    else:
        return with_pending(view, pending_attempts(client, description)), None
    return await view_from_history(client, handle, description), unasked


def _status_json(
    view: RunView, handle: Handle, description: WorkflowExecutionDescription, unasked: str | None
) -> JsonObject:
    return {
        "run_id": first_run_id(description),
        "workflow_id": handle.id,
        "flow": view.flow or flow_of(description),
        "version": view.version or None,
        "status": view.status,
        "paused": view.paused,
        "source": "history" if unasked else "worker",
        "trouble": unasked,
        "nodes": [_plain(node.__dict__) for node in view.nodes],
        "waiting": [_plain(wait.__dict__) for wait in view.waiting],
        "truncated": view.truncated,
    }


def _plain(fields: dict[str, Any]) -> JsonObject:
    return {name: _plain_value(value) for name, value in fields.items()}


def _plain_value(value: Any) -> Json:
    if isinstance(value, datetime):
        return value.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    found: Json = list(value) if isinstance(value, tuple) else value
    return found


async def report_list(
    *,
    flow: str | None,
    status: str | None,
    labels: tuple[str, ...],
    limit: int,
    json: bool,
) -> None:
    wanted = RunFilter(
        task_queue=load_worker_settings().task_queue,
        flow=flow,
        status=status,
        labels=labels,
        limit=limit,
    )
    listing = await list_runs(await connected(), wanted)
    if listing.note:
        note(listing.note)
    if json:
        print_json([run.as_json() for run in listing.runs])
    else:
        _print_listing(listing, wanted)


def _print_listing(listing: Listing, wanted: RunFilter) -> None:
    if not listing.runs:
        note(f"no runs on the task queue {wanted.task_queue!r} match")
        return
    rows = [("ID", "FLOW", "STATUS", "STARTED", "TOOK", "LABELS")]
    rows += [_row(run) for run in listing.runs]
    print_text(columns(rows))
    if listing.more:
        note(f"and more; --limit is {wanted.limit}")


def _row(run: RunSummary) -> tuple[str, str, str, str, str, str]:
    took = seconds((run.ended - run.started).total_seconds()) if run.ended else ""
    started = f"{run.started.astimezone():%Y-%m-%d %H:%M:%S}"
    labels = " ".join(run.labels)
    return (run.workflow_id, run.flow or "(as YAML)", run.status, started, took, labels)


async def report_logs(workflow_id: str, *, follow: bool, json: bool) -> None:
    client = await connected()
    handle = client.get_workflow_handle(workflow_id)
    started: list[datetime] = []

    def show(entry: LogEntry) -> None:
        started.append(entry.time) if not started else None
        if json:
            print_json(entry.as_json(), lines=True)
        else:
            print_text(log_line(entry, started[0]))

    await _print_entries(client, handle, follow, show)
    if not follow:
        _show_pending(client, await describe(handle), json=json)


async def _print_entries(
    client: Client, handle: Handle, follow: bool, show: Callable[[LogEntry], None]
) -> None:
    reader = HistoryReader(reader_for(client))
    async for event in events_of(client, handle, follow=follow):
        for entry in reader.read(event):
            show(entry)


def _show_pending(client: Client, description: WorkflowExecutionDescription, *, json: bool) -> None:
    """Attempts that failed leave no event before the node ends; Temporal knows of the last."""
    for one in pending_attempts(client, description).values():
        if one.failure and not json:
            note(f"{one.path}  attempt {one.attempt - 1} failed: {one.failure}; trying again")


async def report_result(
    workflow_id: str, *, json: bool, output: Path | None, longest: str | None
) -> None:
    """Wait for the end at `longest` for that time.

    Raises what keeps the run from being found; `json` says it on standard output as well.
    """
    try:
        waiting = read_waiting(json=json, output=output, timeout=longest)
        client = await connected()
        handle = client.get_workflow_handle(workflow_id)
        description = await describe(handle)
    except RunNotFound as error:
        if json:
            not_started(error)
        raise
    except ServiceError as error:
        if json:
            not_known(error, workflow_id)
        raise
    ended = state_of(description.status) != "running"
    await watch_to_end(client, handle, waiting, flow=flow_of(description), ended=ended)
