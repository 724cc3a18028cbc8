"""Temporal's ways of saying that something went wrong, in this package's words."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from temporalio.client import (
    RPCTimeoutOrCancelledError,
    WorkflowFailureError,
    WorkflowQueryFailedError,
    WorkflowUpdateFailedError,
)
from temporalio.exceptions import (
    ApplicationError,
    CancelledError,
    FailureError,
    TerminatedError,
    TimeoutError,
)
from temporalio.service import RPCError, RPCStatusCode

from claimcheck.errors import ClaimCheckError, KeyUnknown, StoreUnavailable
from flowspec.values import Json
from service.errors import (
    InputWrong,
    KeyMissing,
    NoWorker,
    RequestRefused,
    RunEnded,
    RunNotFound,
    ServiceError,
    StoreFailed,
    TemporalFailed,
    TemporalUnreachable,
    ValueLost,
)
from service.runs.outcome import RunError, RunState
from service.runs.payloads import shown

__all__ = ["NO_WORKER_STATUSES", "VALUE_ERRORS", "mapped", "read_failure", "value_error"]

_LOST = (RPCStatusCode.UNAVAILABLE, RPCStatusCode.DEADLINE_EXCEEDED)
_DENIED = (RPCStatusCode.PERMISSION_DENIED, RPCStatusCode.UNAUTHENTICATED)

NO_WORKER_STATUSES = (
    RPCStatusCode.FAILED_PRECONDITION,
    RPCStatusCode.DEADLINE_EXCEEDED,
    RPCStatusCode.CANCELLED,
)
"""How a query ends that no worker answers: the server's own answer, or our own time limit."""


VALUE_ERRORS = (StoreFailed, KeyMissing, ValueLost)
"""Why a value that is in the store, or encrypted, cannot be shown."""


def read_failure(failure: WorkflowFailureError) -> tuple[RunState, RunError]:
    """How a run ended that did not complete, and why."""
    cause = failure.cause
    if isinstance(cause, CancelledError):
        return "cancelled", RunError(type="Cancelled", message="the run was cancelled")
    if isinstance(cause, TerminatedError):
        reason = cause.message or "no reason given"
        return "terminated", RunError(type="Terminated", message=f"terminated: {reason}")
    if isinstance(cause, TimeoutError):
        message = "Temporal ended the run: it had reached its time limit"
        return "timed_out", RunError(type="Timeout", message=message)
    return "failed", _run_error(cause)


def _run_error(cause: BaseException) -> RunError:
    if not isinstance(cause, ApplicationError):
        text = cause.message if isinstance(cause, FailureError) else str(cause)
        return RunError(type=type(cause).__name__, message=text)
    first = shown(cause.details[0]) if cause.details else None
    # What a flow's own failure tells; anything else with details keeps them as they are.
    told = first if isinstance(first, dict) and "node" in first else {}
    return RunError(
        type=cause.type or "Error",
        message=cause.message,
        node=_text(told.get("node")),
        attempt=_count(told.get("attempt")),
        attempts=_count(told.get("attempts")),
        details=told.get("details") if told else first,
    )


def _text(value: Json) -> str | None:
    return value if isinstance(value, str) else None


def _count(value: Json) -> int | None:
    return value if isinstance(value, int) else None


@contextmanager
def mapped(workflow_id: str | None = None) -> Iterator[None]:
    """Raise Temporal's errors as ours; each says what to do."""
    try:
        yield
    except ClaimCheckError as error:
        raise value_error(error) from error
    except RPCError as error:
        raise _rpc_error(error, workflow_id) from error
    except WorkflowUpdateFailedError as error:
        cause = error.cause
        text = cause.message if isinstance(cause, FailureError) else str(cause)
        raise RequestRefused(f"run {workflow_id!r} did not accept it: {text}") from error
    except WorkflowQueryFailedError as error:
        raise RequestRefused(
            f"run {workflow_id!r} cannot say; is it a run of Flowrunner? {error}"
        ) from error
    except RPCTimeoutOrCancelledError as error:
        if isinstance(error.__cause__, asyncio.CancelledError):  # by Ctrl-C, not by Temporal
            raise error.__cause__ from None
        raise NoWorker.of(workflow_id or "") from error


def value_error(error: ClaimCheckError) -> ServiceError:
    """The claim check's error as one of `VALUE_ERRORS`."""
    if isinstance(error, StoreUnavailable):
        return StoreFailed(str(error))
    return (KeyMissing if isinstance(error, KeyUnknown) else ValueLost)(str(error))


def _rpc_error(error: RPCError, workflow_id: str | None) -> Exception:
    if error.status == RPCStatusCode.NOT_FOUND and workflow_id:
        if "already completed" in error.message:
            return RunEnded.of(workflow_id)
        return RunNotFound(f"there is no run {workflow_id!r}: see `flowrunner list`")
    if error.status in _LOST:
        return TemporalUnreachable(f"the connection to Temporal was lost: {error.message}")
    if error.status in _DENIED:
        return TemporalUnreachable(f"Temporal refused access: {error.message}")
    if error.status == RPCStatusCode.INVALID_ARGUMENT:
        return InputWrong(f"Temporal refused it: {error.message}")
    return TemporalFailed(f"Temporal answered {error.status.name}: {error.message}")
