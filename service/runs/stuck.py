"""Why a worker that is there cannot go on with a run."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import HistoryEvent
from temporalio.api.workflowservice.v1 import GetWorkflowExecutionHistoryReverseRequest
from temporalio.client import Client, WorkflowHandle

from service.runs.failures import mapped
from service.runs.payloads import PayloadReader, reader_for

__all__ = ["error_after", "why_stuck"]

_LAST_EVENTS = 100
_TIMEOUT = timedelta(seconds=5)


def error_after(event: HistoryEvent, before: str | None, payloads: PayloadReader) -> str | None:
    """What keeps the worker from going on, once this has happened; `before` if that is the same."""
    if event.event_type == EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED:
        return None
    if event.event_type != EventType.EVENT_TYPE_WORKFLOW_TASK_FAILED:
        return before
    # Temporal fails a task of its own accord, with no word, where there is news for a worker.
    return payloads.error(event.workflow_task_failed_event_attributes.failure) or None


async def why_stuck(client: Client, handle: WorkflowHandle[Any, Any]) -> str | None:
    """Why the last attempt to go on with the run failed; None if it did not, or there was none."""
    request = GetWorkflowExecutionHistoryReverseRequest(
        namespace=client.namespace,
        execution=WorkflowExecution(workflow_id=handle.id, run_id=handle.run_id or ""),
        maximum_page_size=_LAST_EVENTS,
    )
    with mapped(handle.id):
        answer = await client.workflow_service.get_workflow_execution_history_reverse(
            request, timeout=_TIMEOUT
        )
    error: str | None = None
    payloads = reader_for(client)
    for event in reversed(answer.history.events):
        error = error_after(event, error, payloads)
    return error
