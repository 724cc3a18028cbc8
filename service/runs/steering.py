"""Messages to a run: events, decisions, pause and resume, cancel."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from temporalio.client import WorkflowHandle
from temporalio.service import RPCError, RPCStatusCode

from claimcheck.payloads import Inline, write_json
from flowspec.machine.program import Program
from flowspec.plan import PlanInvalid, load_plan
from flowspec.values import Json, JsonObject
from service.errors import InputWrong, NoWorker, RunEnded, ServiceError
from service.runs.failures import mapped
from service.runs.looking import ask_status, describe, query, state_of
from service.runs.view import WaitView
from service.settings.sizes import format_size

__all__ = [
    "Decision",
    "cancel",
    "decide",
    "events_of_flow",
    "find_approval",
    "only_approval",
    "send_signal",
]

_UPDATE_TIMEOUT = timedelta(seconds=15)
_PATIENCE = timedelta(seconds=1)


@dataclass(frozen=True, kw_only=True)
class Decision:
    """What a person says to an approval."""

    node: str
    action: str
    data: Json = None
    by: str | None = None
    comment: str | None = None

    def as_json(self) -> JsonObject:
        return {
            "node": self.node,
            "action": self.action,
            "data": self.data,
            "by": self.by,
            "comment": self.comment,
        }


async def send_signal(handle: WorkflowHandle[Any, Any], name: str, data: Json = None) -> None:
    """Give a running run an event; without data the signal carries nothing."""
    async with _to_running(handle):
        await handle.signal(name, args=[] if data is None else [data])


async def events_of_flow(handle: WorkflowHandle[Any, Any]) -> frozenset[str] | None:
    """The events that the run's flow ever waits for; None if no worker tells, or the run alone
    will know."""
    try:
        with mapped(handle.id):
            plan = await query(handle, "plan", within=_PATIENCE)
        return None if plan is None else Program(load_plan(plan)).events
    except (ServiceError, PlanInvalid):
        return None


async def cancel(handle: WorkflowHandle[Any, Any]) -> None:
    """Ask the run to end: it undoes what is to be undone first. Raises `RunEnded`."""
    await _check_running(handle)  # Temporal would not object
    with mapped(handle.id):
        await handle.cancel()


async def _check_running(handle: WorkflowHandle[Any, Any]) -> None:
    """Raises `RunEnded`, which says how."""
    state = state_of((await describe(handle)).status)
    if state != "running":
        raise RunEnded.of(handle.id, state)


@asynccontextmanager
async def _to_running(handle: WorkflowHandle[Any, Any]) -> AsyncIterator[None]:
    """A message to a run; to one that has ended raises `RunEnded`, which says how."""
    try:
        with mapped(handle.id):
            yield
    except RunEnded:
        await _check_running(handle)
        raise


def find_approval(waiting: tuple[WaitView, ...], workflow_id: str) -> WaitView:
    """The one approval the run waits for; raises `InputWrong` naming all if it is not one."""
    approvals = [wait for wait in waiting if wait.kind == "approval"]
    if len(approvals) == 1:
        return approvals[0]
    if not approvals:
        others = ", ".join(f"{wait.path} ({wait.kind})" for wait in waiting) or "nothing"
        raise InputWrong(f"run {workflow_id!r} waits for no approval; it waits for: {others}")
    listed = "\n".join(f"  {wait.path}  {wait.title}".rstrip() for wait in approvals)
    raise InputWrong(
        f"run {workflow_id!r} waits for {len(approvals)} approvals; say which:\n{listed}"
    )


async def only_approval(handle: WorkflowHandle[Any, Any]) -> WaitView:
    """Ask the run what it waits for; raises `InputWrong`, `NoWorker`, `RunEnded`."""
    await _check_running(handle)  # one that has ended answers, too
    return find_approval((await ask_status(handle)).waiting, handle.id)


async def decide(handle: WorkflowHandle[Any, Any], decision: Decision, *, limit: int) -> JsonObject:
    """The run reads a decision itself, so it stays out of the store and has at most `limit` bytes.

    Raises `InputWrong` if it has more, `RequestRefused` with the run's objection, `NoWorker`,
    `RunEnded`.
    """
    size = len(write_json(decision.as_json())[0])
    if size > limit:
        raise InputWrong(
            f"the decision measures {format_size(size)}, and at most {format_size(limit)} are "
            "possible (CLAIM_CHECK_THRESHOLD).\n"
            "Give the run what is large as an event, with `flowrunner signal`, or put it where the "
            "flow can fetch it and give its address."
        )
    async with _to_running(handle):
        answer: JsonObject = await _update(handle, decision)
    return answer


async def _update(handle: WorkflowHandle[Any, Any], decision: Decision) -> JsonObject:
    try:
        answer: JsonObject = await handle.execute_update(
            "complete", Inline(decision.as_json()), rpc_timeout=_UPDATE_TIMEOUT
        )
    except RPCError as error:
        if error.status == RPCStatusCode.FAILED_PRECONDITION:
            raise NoWorker.of(handle.id) from error
        raise
    return answer
