"""Temporal's failures as a flow's errors, and a flow's error as the failure of its run."""

from __future__ import annotations

import asyncio
from typing import Any, cast

from temporalio import workflow
from temporalio.exceptions import (
    ActivityError,
    ApplicationError,
    CancelledError,
    ChildWorkflowError,
    RetryState,
    TemporalError,
    TerminatedError,
    TimeoutError,
    TimeoutType,
    WorkflowAlreadyStartedError,
)

from flowspec.machine import (
    Call,
    Finished,
    ForeignCall,
    Operation,
    Sleep,
    Stop,
    failure_message,
    make_error,
)
from flowspec.values import Json, JsonObject
from workflows.names import COUNTS_TIMEOUTS
from workflows.payloads import inline, size_of
from workflows.reading import UNREADABLE

__all__ = ["as_error", "node_of", "run_failure"]

_LONGEST_MESSAGE = 4_000
_LARGEST_DETAIL = 256 * 1024
"""Temporal refuses the end of a run whose failure is too large, again and again."""

_TIMEOUTS = {
    TimeoutType.START_TO_CLOSE: "an attempt took longer than its attempt_timeout",
    TimeoutType.SCHEDULE_TO_CLOSE: "not done within its timeout",
    TimeoutType.SCHEDULE_TO_START: "no worker took it up in time",
    TimeoutType.HEARTBEAT: "no sign of life within its heartbeat time",
}


def as_error(failure: BaseException, operation: Operation) -> JsonObject:
    """What a flow sees of a failed activity or child run."""
    node = node_of(operation)
    cause: BaseException = failure
    if isinstance(failure, ActivityError | ChildWorkflowError) and failure.cause is not None:
        cause = failure.cause
    if isinstance(cause, CancelledError | asyncio.CancelledError):
        return make_error("Cancelled", "it was cancelled", node=node)
    if isinstance(cause, ApplicationError) and isinstance(operation, ForeignCall):
        return make_error(
            cause.type or "Error",
            cause.message,
            node=node,
            attempt=_allowed(operation) if _spent(failure) else 1,
            details=_plain_details(cause),  # those of others are their own affair
        )
    if isinstance(cause, ApplicationError):
        return _application_error(cause, node)
    if isinstance(cause, TimeoutError):
        message = _TIMEOUTS.get(cause.type, str(cause)) if cause.type else str(cause)
        attempt = _timed_out(failure, cause, operation)
        return make_error("Timeout", message, node=node, attempt=attempt)
    if isinstance(cause, TerminatedError):
        return make_error("Terminated", "its run was terminated", node=node)
    if isinstance(cause, WorkflowAlreadyStartedError):
        message = f"a run with the id {cause.workflow_id!r} is open already"
        return make_error("AlreadyRunning", message, node=node)
    if isinstance(cause, TemporalError):
        return make_error(type(cause).__name__, str(cause), node=node)
    raise failure


def node_of(operation: Operation) -> str:
    return operation.id if isinstance(operation, Sleep | Stop) else operation.node


def _timed_out(failure: BaseException, cause: TimeoutError, operation: Operation) -> int:
    """How many attempts there were, as far as is known: Temporal does not count them."""
    allowed = _allowed(operation)
    if allowed == 1 or _spent(failure) or not workflow.patched(COUNTS_TIMEOUTS):
        return allowed
    assert isinstance(operation, Call | ForeignCall)
    tried_again = operation.timeout is None and not operation.retry.excludes("Timeout")
    return allowed if tried_again and cause.type == TimeoutType.START_TO_CLOSE else 1


def _allowed(operation: Operation) -> int:
    """Of how many attempts is known that there are no more."""
    attempts = operation.retry.attempts if isinstance(operation, Call | ForeignCall) else None
    return attempts or 1


def _spent(failure: BaseException) -> bool:
    """Said of a remote activity only."""
    reached = RetryState.MAXIMUM_ATTEMPTS_REACHED
    return isinstance(failure, ActivityError) and failure.retry_state == reached


def _application_error(cause: ApplicationError, node: str) -> JsonObject:
    details: Json = cast(Json, cause.details[0]) if cause.details else None
    attempt = 1
    if isinstance(details, dict):
        given = details.get("attempt")
        attempt = given if isinstance(given, int) else 1
        if "node" in details:
            details = details.get("details")
    return make_error(
        cause.type or "Error", cause.message, node=node, attempt=attempt, details=details
    )


def _plain_details(cause: ApplicationError) -> Json:
    """One detail as it is, more of them as a list; what is no JSON would break the run."""
    details: list[Any] = list(cause.details)
    try:
        size_of(details)
    except (TypeError, ValueError):
        return UNREADABLE
    return details[0] if len(details) == 1 else details or None


def run_failure(
    finished: Finished, node_type: str | None, attempts: int | None
) -> ApplicationError:
    """The failure a run ends with: the failing node, the type, the message and the attempts."""
    error: dict[str, Any] = dict(finished.error or {})
    message = failure_message(error, node_type)
    detail = {**error, "attempts": attempts}
    if size_of(detail) > _LARGEST_DETAIL:
        told = str(error.get("message", ""))[:_LONGEST_MESSAGE]
        left_out = "left out, for they are too large"
        detail = {**detail, "message": told, "details": left_out, "undo_failed": left_out}
    return ApplicationError(
        message, inline(detail), type=str(error.get("type", "Failed"))[:200], non_retryable=True
    )
