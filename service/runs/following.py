"""Following a run: its history wakes us, its status is what we show."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Hashable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import HistoryEvent
from temporalio.client import Client, WorkflowExecutionDescription, WorkflowHandle

from service.errors import NoWorker, RequestRefused
from service.runs.failures import VALUE_ERRORS, mapped
from service.runs.looking import ask_status, describe, pending_attempts, unclaimed_since
from service.runs.payloads import PayloadReader, reader_for
from service.runs.stuck import error_after
from service.runs.view import PendingAttempt, RunView, with_pending

__all__ = ["Snapshot", "follow"]

_LEAST_PAUSE = 0.1
_MOST_PAUSE = 1.0
_PATIENCE = 3.0
"""Seconds that a run may wait for a worker before that is worth a word."""


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    """One moment: `view` None before a worker has answered; `trouble` in words for people."""

    view: RunView | None = None
    trouble: str | None = None


@dataclass(kw_only=True)
class _Seen:
    """What has been seen so far."""

    news: asyncio.Event = field(default_factory=asyncio.Event)
    over: bool = False
    answered: bool = False
    worker_error: str | None = None
    unread: str | None = None
    queued: dict[Hashable, float] = field(default_factory=dict)

    def waiting_for(self, queued: Collection[Hashable], now: float) -> dict[Hashable, float]:
        """For how long we have seen each wait, by our own clock: the server's may differ."""
        self.queued = {key: self.queued.get(key, now) for key in queued}
        return {key: now - since for key, since in self.queued.items()}


async def follow(
    client: Client,
    handle: WorkflowHandle[Any, Any],
    show: Callable[[Snapshot], None],
    *,
    views: bool = True,
) -> None:
    """Call `show` whenever something has changed, until the run has ended.

    Costs the run nothing but a query now and then, and not even that without `views`.
    Cancelling it leaves the run alone.
    """
    seen = _Seen()
    watching = asyncio.create_task(_watch(client, handle, seen))
    showing = asyncio.create_task(_show(client, handle, seen, show, views))
    try:
        done, _ = await asyncio.wait({watching, showing}, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
        await showing
    finally:
        watching.cancel()
        showing.cancel()
        await asyncio.gather(watching, showing, return_exceptions=True)


async def _watch(client: Client, handle: WorkflowHandle[Any, Any], seen: _Seen) -> None:
    """Read events as they come, from each run that this one continues as, to the last."""
    run_id = (await describe(handle)).run_id
    payloads = reader_for(client)
    while run_id:
        part = client.get_workflow_handle(handle.id, run_id=run_id)
        run_id = ""
        with mapped(handle.id):
            async for event in part.fetch_history_events(wait_new_event=True):
                _note(event, seen, payloads)
                continued = event.workflow_execution_continued_as_new_event_attributes
                run_id = continued.new_execution_run_id
    seen.over = True
    seen.news.set()


def _note(event: HistoryEvent, seen: _Seen, payloads: PayloadReader) -> None:
    if event.event_type == EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED:
        seen.answered = True
    seen.worker_error = error_after(event, seen.worker_error, payloads)
    seen.news.set()


async def _show(
    client: Client,
    handle: WorkflowHandle[Any, Any],
    seen: _Seen,
    show: Callable[[Snapshot], None],
    views: bool,
) -> None:
    while not seen.over:
        with suppress(TimeoutError):
            # Not wait_for, which in Python 3.11 loses a cancellation that comes with the news.
            async with asyncio.timeout(_MOST_PAUSE):
                await seen.news.wait()
        seen.news.clear()
        if not seen.over:
            show(await _snapshot(client, handle, seen, views))
            await asyncio.sleep(_LEAST_PAUSE)
    if views:
        show(Snapshot(view=await _ask(handle, seen)))


async def _ask(handle: WorkflowHandle[Any, Any], seen: _Seen) -> RunView | None:
    """None where nobody answers, or what answers is no run of a flow, or the answer is not to be
    read: following goes on."""
    seen.unread = None
    try:
        return await ask_status(handle)
    except (NoWorker, RequestRefused):
        return None
    except VALUE_ERRORS as error:
        seen.unread = f"how the run stands is not to be seen: {error}"
        return None


async def _snapshot(
    client: Client, handle: WorkflowHandle[Any, Any], seen: _Seen, views: bool
) -> Snapshot:
    """Attempts at an activity leave no event until it ends, so Temporal is asked as well."""
    description = await describe(handle)
    pending = pending_attempts(client, description)
    trouble = _trouble(description, pending, seen)
    view = None
    if views and seen.answered and not (trouble and unclaimed_since(description)):
        view = await _ask(handle, seen)
    return Snapshot(
        view=with_pending(view, pending) if view else None, trouble=trouble or seen.unread
    )


def _trouble(
    description: WorkflowExecutionDescription, pending: Mapping[str, PendingAttempt], seen: _Seen
) -> str | None:
    run = unclaimed_since(description)
    nodes = [one for one in pending.values() if one.queued_at and one.attempt == 1]
    waited = seen.waiting_for(
        [run, *(one.path for one in nodes)], asyncio.get_running_loop().time()
    )
    if seen.worker_error:
        return f"the worker cannot go on with this run and will try again: {seen.worker_error}"
    if run is not None and waited[run] > _PATIENCE:
        return (
            f"no worker has taken this run up: none polls the task queue "
            f"{description.task_queue!r}. "
            "Start one with `flowrunner worker`, or everything with `flowrunner dev`."
        )
    late = next((one for one in nodes if waited[one.path] > _PATIENCE), None)
    if late is None:
        return None
    return (
        f"no worker has taken up node {late.path!r} yet: none polls the task queue "
        f"{late.task_queue!r}, or all are busy"
    )
