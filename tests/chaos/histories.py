"""What Temporal has written down of a round: that it replays, and that nothing it names is lost."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from dataclasses import replace

from temporalio.api.enums.v1 import EventType, WorkflowTaskFailedCause
from temporalio.client import Client, WorkflowExecution, WorkflowHistory
from temporalio.worker import Replayer

from activities.claims import FlowClaim
from claimcheck.cloakroom import Cloakroom
from claimcheck.codec import ClaimCodec
from claimcheck.payloads import data_converter
from claimcheck.stores.contract import BlobStore
from tests.payloads import payloads_of
from workflows.cache import CacheEntry
from workflows.flow import FlowWorkflow
from workflows.lock import LockWorkflow
from workflows.rate import RateWorkflow
from workflows.reading import reads_whatever

__all__ = ["history_findings"]

_STANDING = ("flowrunner.lock", "flowrunner.rate", "flowrunner.cache")
_CLOSED = ("_COMPLETED", "_FAILED", "_CANCELED", "_CONTINUED_AS_NEW", "_TIMED_OUT", "_TERMINATED")
_HARMLESS = ("ResetSticky", "ForceCloseCommand", "UnhandledCommand", "TMPRL1101")
"""What the server or a worker that was frozen says where the task is simply done again."""


async def history_findings(
    client: Client, task_queue: str, blobs: BlobStore, *, old: bool
) -> list[str]:
    """All that is wrong with the executions of a task queue.

    With workers of an `old` version beside, tasks may have failed on those, and been done here.
    """
    found: list[str] = []
    cloakroom = Cloakroom(blobs, namespace=client.namespace)
    replayer = _replayer(client.namespace, cloakroom)
    reader = ClaimCodec(cloakroom, role="client")
    async for execution in _executions(client, task_queue):
        name = f"{execution.id} ({execution.workflow_type})"
        handle = client.get_workflow_handle(execution.id, run_id=execution.run_id)
        history = await handle.fetch_history()
        if execution.workflow_type not in _STANDING and not _is_closed(history):
            found.append(f"{name} is still open")
        found += [f"{name}: {each}" for each in _failed_tasks(history)] if not old else []
        found += [f"{name}: {each}" async for each in _lost(history, reader)]
        result = await replayer.replay_workflow(history, raise_on_replay_failure=False)
        if result.replay_failure is not None:
            found.append(f"{name}: does not replay: {result.replay_failure}")
    return found


async def _executions(client: Client, task_queue: str) -> AsyncIterator[WorkflowExecution]:
    query = f"TaskQueue = '{task_queue}'"
    async for execution in client.list_workflows(query):
        yield execution


def _is_closed(history: WorkflowHistory) -> bool:
    """By its last event, for what is listed may be a little old."""
    last = EventType.Name(history.events[-1].event_type)
    return last.startswith("EVENT_TYPE_WORKFLOW_EXECUTION_") and last.endswith(_CLOSED)


def _failed_tasks(history: WorkflowHistory) -> Iterator[str]:
    for event in history.events:
        if event.event_type != EventType.EVENT_TYPE_WORKFLOW_TASK_FAILED:
            continue
        told = event.workflow_task_failed_event_attributes
        cause = WorkflowTaskFailedCause.Name(told.cause).replace("_", "")
        said = f"{cause} {told.failure.message}"
        if not any(each.lower() in said.lower() for each in _HARMLESS):
            yield f"a workflow task failed: {said}"


async def _lost(history: WorkflowHistory, reader: ClaimCodec) -> AsyncIterator[str]:
    for event in history.events:
        for payload in payloads_of(event):
            try:
                await reader.decode([payload])
            except Exception as error:  # whatever it is, the value cannot be had
                yield f"event {event.event_id}: {type(error).__name__}: {error}"


def _replayer(namespace: str, cloakroom: Cloakroom) -> Replayer:
    """As the worker is made, save that whatever is in the store stays there."""
    codec = ClaimCodec(cloakroom, role="replay")
    converter = data_converter(codec, claim_type=FlowClaim)
    failures = reads_whatever(converter.failure_converter_class)
    return Replayer(
        workflows=[FlowWorkflow, CacheEntry, LockWorkflow, RateWorkflow],
        namespace=namespace,
        data_converter=replace(converter, failure_converter_class=failures),
    )
