"""Asking how a run stands."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from time import monotonic
from typing import Any

from temporalio.api.enums.v1 import PendingActivityState, PendingWorkflowTaskState
from temporalio.api.history.v1 import HistoryEvent
from temporalio.api.workflow.v1 import PendingActivityInfo
from temporalio.client import (
    Client,
    WorkflowExecution,
    WorkflowExecutionDescription,
    WorkflowExecutionStatus,
    WorkflowFailureError,
    WorkflowHandle,
)
from temporalio.common import SearchAttributeKey
from temporalio.service import RPCError, RPCStatusCode

from claimcheck.codec import ClaimCodec
from claimcheck.errors import ClaimCheckError
from claimcheck.payloads import data_converter
from service.errors import NoWorker, ServiceError
from service.runs.failures import NO_WORKER_STATUSES, mapped, read_failure, value_error
from service.runs.history import HistoryReader, LogEntry
from service.runs.outcome import RunError, RunOutcome, RunState
from service.runs.payloads import PayloadReader, reader_for
from service.runs.view import NodeView, PendingAttempt, RunView, read_view

__all__ = [
    "ask_status",
    "describe",
    "events_of",
    "first_run_id",
    "flow_of",
    "outcome_of",
    "pending_attempts",
    "query",
    "state_of",
    "unclaimed_since",
    "view_from_history",
]

_QUERY_TIMEOUT = timedelta(seconds=5)
_BREATH = 0.05
_INLINE_TYPE = "flow"
_FLOW_NAME = SearchAttributeKey.for_keyword("FlowName")
_FLOW_VERSION = SearchAttributeKey.for_keyword("FlowVersion")

_STATES: dict[WorkflowExecutionStatus, RunState] = {
    WorkflowExecutionStatus.RUNNING: "running",
    WorkflowExecutionStatus.COMPLETED: "completed",
    WorkflowExecutionStatus.FAILED: "failed",
    WorkflowExecutionStatus.CANCELED: "cancelled",
    WorkflowExecutionStatus.TERMINATED: "terminated",
    WorkflowExecutionStatus.TIMED_OUT: "timed_out",
    WorkflowExecutionStatus.CONTINUED_AS_NEW: "running",
}

Handle = WorkflowHandle[Any, Any]


async def describe(handle: Handle) -> WorkflowExecutionDescription:
    """Raises `RunNotFound`."""
    with mapped(handle.id):
        return await handle.describe()


def state_of(status: WorkflowExecutionStatus | None) -> RunState:
    return _STATES[status] if status is not None else "running"


def first_run_id(run: WorkflowExecution) -> str:
    """A run keeps this id over all that it continues as; flows know it as `run.id`."""
    return run.raw_info.first_run_id or run.run_id


def flow_of(run: WorkflowExecution) -> str | None:
    """The flow of a listed or described run; None for a flow whose name is nowhere to be seen."""
    name = run.typed_search_attributes.get(_FLOW_NAME)
    if name is None and run.workflow_type != _INLINE_TYPE:
        return run.workflow_type
    return name


async def ask_status(handle: Handle) -> RunView:
    """What the run says of itself; works for one that has ended too.

    Raises `NoWorker`, and `VALUE_ERRORS` for an answer that cannot be read.
    """
    with mapped(handle.id):
        return read_view(await query(handle, "status"))


async def query(handle: Handle, name: str, *, within: timedelta = _QUERY_TIMEOUT) -> Any:
    """What the run answers. Raises `NoWorker`.

    Asked again as long as there is time: a busy server may drop a question that a worker is
    just taking, with the same «cancelled» that our own time limit ends with.
    """
    until = monotonic() + within.total_seconds()
    while True:
        left = max(until - monotonic(), _BREATH)
        try:
            return await handle.query(name, rpc_timeout=timedelta(seconds=left))
        except RPCError as error:
            if error.status is not RPCStatusCode.CANCELLED or monotonic() + _BREATH >= until:
                if error.status in NO_WORKER_STATUSES:
                    raise NoWorker.of(handle.id) from error
                raise
        await asyncio.sleep(_BREATH)


async def outcome_of(client: Client, handle: Handle, *, flow: str | None = None) -> RunOutcome:
    """Wait for the end of a run and of whatever it continues as."""
    with mapped(handle.id):
        try:
            ending = await _ending(handle)
        except ClaimCheckError as error:
            ending = await _ending_unfetched(client, handle, value_error(error))
        description = await handle.describe()
    return RunOutcome(
        workflow_id=handle.id,
        run_id=first_run_id(description),
        flow=flow or flow_of(description),
        **ending,
    )


async def _ending(handle: Handle) -> dict[str, Any]:
    try:
        return {"status": "completed", "output": await handle.result()}
    except WorkflowFailureError as failure:
        status, error = read_failure(failure)
        return {"status": status, "error": error}


async def _ending_unfetched(client: Client, handle: Handle, why: ServiceError) -> dict[str, Any]:
    """What can be told of the end without the store, or without a key, that it wants."""
    part = _unfetching(client).get_workflow_handle(handle.id, run_id=handle.run_id)
    try:
        ending = await _ending(part)
    except ClaimCheckError:
        status = state_of((await handle.describe()).status)
        error = replace(RunError.of(why), message=f"why it ended so cannot be read: {why}")
        ending = {"status": status, "error": error}
    if ending["status"] != "completed":
        return ending
    return {"status": "completed", "unread": why}


def _unfetching(client: Client) -> Client:
    """The same client, for which claims stay claims."""
    codec = client.data_converter.payload_codec
    assert isinstance(codec, ClaimCodec)
    converter = data_converter(ClaimCodec(codec.cloakroom, role="replay"))
    return Client(client.service_client, namespace=client.namespace, data_converter=converter)


def pending_attempts(
    client: Client, description: WorkflowExecutionDescription
) -> dict[str, PendingAttempt]:
    """The activities under way, by activity id."""
    found = description.raw_description.pending_activities
    payloads = reader_for(client)
    return {info.activity_id: _pending(info, payloads) for info in found}


def _pending(info: PendingActivityInfo, payloads: PayloadReader) -> PendingAttempt:
    queued = info.state == PendingActivityState.PENDING_ACTIVITY_STATE_SCHEDULED
    return PendingAttempt(
        path=info.activity_id,
        attempt=max(info.attempt, 1),
        queued_at=info.scheduled_time.ToDatetime(UTC) if queued else None,
        task_queue=info.activity_options.task_queue.name,
        failure=payloads.error(info.last_failure) or None,
    )


def unclaimed_since(description: WorkflowExecutionDescription) -> datetime | None:
    """From when on the run has had work for a worker that none has taken up."""
    raw = description.raw_description
    task = raw.pending_workflow_task
    scheduled = PendingWorkflowTaskState.PENDING_WORKFLOW_TASK_STATE_SCHEDULED
    if not raw.HasField("pending_workflow_task") or task.state != scheduled:
        return None
    return task.scheduled_time.ToDatetime(UTC)


async def events_of(
    client: Client, handle: Handle, *, follow: bool = False
) -> AsyncIterator[HistoryEvent]:
    """All events of a run, those of the runs it continued from first.

    With `follow` it goes on, into the runs it continues as, until the last one ends.
    """
    with mapped(handle.id):
        chain = await _chain(client, handle)
    while chain:
        part = client.get_workflow_handle(handle.id, run_id=chain.pop(0))
        last: HistoryEvent | None = None
        with mapped(handle.id):
            async for event in part.fetch_history_events(wait_new_event=follow):
                last = event
                yield event
        if last is not None and follow and not chain:
            chain += _continued_as(last)


def _continued_as(last: HistoryEvent) -> list[str]:
    next_id = last.workflow_execution_continued_as_new_event_attributes.new_execution_run_id
    return [next_id] if next_id else []


async def _chain(client: Client, handle: Handle) -> list[str]:
    run_id: str | None = (await handle.describe()).run_id
    chain: list[str] = []
    while run_id:
        chain.insert(0, run_id)
        part = client.get_workflow_handle(handle.id, run_id=run_id)
        try:
            first = await anext(aiter(part.fetch_history_events(page_size=1)))
        except RPCError as error:
            if error.status != RPCStatusCode.NOT_FOUND:
                raise
            return chain[1:]  # an earlier part that the server no longer keeps
        run_id = first.workflow_execution_started_event_attributes.continued_execution_run_id
    return chain


async def view_from_history(
    client: Client, handle: Handle, description: WorkflowExecutionDescription
) -> RunView:
    """How the run stands as far as its history tells: no worker is needed, inline nodes lack."""
    reader = HistoryReader(reader_for(client))
    nodes: dict[str, NodeView] = {}
    async for event in events_of(client, handle):
        for entry in reader.read(event):
            _note(nodes, entry)
    return RunView(
        status=state_of(description.status),
        flow=flow_of(description) or "",
        version=description.typed_search_attributes.get(_FLOW_VERSION) or "",
        started=description.start_time,
        nodes=tuple(nodes.values()),
    )


_NODE_STATES = {
    "node.started": "running",
    "node.attempt_failed": "running",
    "node.succeeded": "success",
    "node.failed": "failure",
    "node.timed_out": "failure",
    "node.cancelled": "cancelled",
}


def _note(nodes: dict[str, NodeView], entry: LogEntry) -> None:
    state = _NODE_STATES.get(entry.kind)
    if state is None or entry.node is None:
        return
    before = nodes.get(entry.node)
    nodes[entry.node] = NodeView(
        path=entry.node,
        type=entry.type or "",
        title=entry.title or "",
        state=state,
        attempt=entry.attempt,
        started=before.started if before else entry.time,
        ended=entry.time if state != "running" else None,
        error=entry.error,
    )
