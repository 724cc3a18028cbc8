"""Performs the machine's operations with Temporal, and brings their answers back."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from datetime import timedelta
from functools import lru_cache
from typing import Any, cast

from temporalio import workflow
from temporalio.common import Priority, RawValue, RetryPolicy
from temporalio.exceptions import TemporalError
from temporalio.workflow import (
    ActivityCancellationType,
    ChildWorkflowCancellationType,
    ParentClosePolicy,
)

from flowspec.machine import (
    SHARD_ARGUMENT,
    Call,
    Child,
    Evaluate,
    ForeignCall,
    Machine,
    Operation,
    Sleep,
    Stop,
    make_error,
)
from flowspec.plan import RetryPlan
from flowspec.values import Json, JsonObject, Opaque
from workflows.failures import as_error, node_of
from workflows.names import EVALUATE, KEEP, KEEPS_LARGE
from workflows.payloads import inline, plain_json, size_of

__all__ = ["LEAN", "MAX_FOREIGN", "MAX_INLINE", "MAX_VALUE", "Performer", "keep", "too_large"]

MAX_INLINE = 2 * 1024 * 1024 - 64 * 1024
"""What a payload may measure that cannot go to the store: Temporal's own limit of 2 MB, less room
for its envelope."""

MAX_VALUE = 64 * 1024 * 1024
"""What workflow code may write as one payload within its deadline. A claim counts little."""

_LARGEST_LEFT_INLINE = 1024 * 1024
"""The highest threshold of the claim check: what is larger leaves only a reference here."""

MAX_FOREIGN = 256 * 1024
"""What may be written plainly into the history for an activity that knows no claims: from there
on Temporal itself warns."""

LEAN = 16 * 1024
"""What a shard takes or gives inline; of very many shards all of that comes together."""

_ROOMY = 512 * 1024
_MAX_TASK = 3 * 1024 * 1024
"""What the commands of one workflow task may measure together; gRPC ends at 4 MB."""

_ATTEMPT_TIMEOUT = 60.0
_TIMEOUT_ERRORS = ("TemporalTimeout:StartToClose", "TemporalTimeout:Heartbeat")


class Performer:
    """Keeps what is under way, by operation id."""

    def __init__(self, machine: Machine, wake: Callable[[], None]) -> None:
        self._machine = machine
        self._wake = wake
        self._tasks: dict[str, asyncio.Task[Any]] = {}
        self._outbox: deque[Operation] = deque()

    async def perform(self, operations: list[Operation]) -> None:
        """Start the operations in order; too many bytes for one workflow task are spread.

        If this is cancelled half-way, the next call starts the rest.
        """
        self._outbox.extend(operations)
        sent = 0
        while self._outbox:
            operation = self._outbox[0]
            size = 0 if isinstance(operation, Stop) else size_of(_payload(operation))
            counted = min(size, _LARGEST_LEFT_INLINE)
            if sent and sent + counted > _MAX_TASK:
                await workflow.sleep(0.001, summary="spreading large arguments over tasks")
                sent = 0
            self._outbox.popleft()
            if isinstance(operation, Stop):
                self._stop(operation)
            elif size > _most(operation):
                self._refuse(operation, size)
            else:
                sent += counted
                self._follow(operation, self._start(operation))

    def _stop(self, operation: Stop) -> None:
        task = self._tasks.get(operation.id)
        if task is not None:
            task.cancel()

    def _refuse(self, operation: Operation, size: int) -> None:
        message = too_large("its arguments measure", size, _most(operation))
        if isinstance(operation, ForeignCall) and not operation.claims:
            message += (
                " in plain JSON. With `claims: true` they go through the object store, for a "
                "worker that has the claim check's plugin; else put them where that worker can "
                "get them, and pass on the address"
            )
        self._machine.fail(operation.id, make_error("TooLarge", message, node=node_of(operation)))
        self._wake()

    def _follow(self, operation: Operation, task: asyncio.Task[Any]) -> None:
        self._tasks[operation.id] = task
        task.add_done_callback(lambda done: self._done(operation, done))

    def _done(self, operation: Operation, task: asyncio.Task[Any]) -> None:
        if self._tasks.get(operation.id) is task:
            del self._tasks[operation.id]
        if task.cancelled():
            failure: BaseException | None = asyncio.CancelledError()
        else:
            failure = task.exception()
        if failure is None:
            self._machine.answer(operation.id, task.result())
        elif isinstance(failure, TemporalError | asyncio.CancelledError):
            self._machine.fail(operation.id, as_error(failure, operation))
        else:
            message = f"{type(failure).__name__}: {failure}"
            error = make_error("InterpreterError", message, node=node_of(operation))
            self._machine.fail(operation.id, error)
        self._wake()

    # -- one operation -------------------------------------------------------------------------

    def _start(self, operation: Operation) -> asyncio.Task[Any]:
        match operation:
            case Call(local=True):
                return _local(operation)
            case Call():
                return _remote(operation, [operation.argument])
            case ForeignCall():
                return asyncio.create_task(_foreign(operation))
            case Evaluate():
                return _evaluate(operation)
            case Sleep():
                return asyncio.create_task(_sleep(operation))
            case Child():
                return asyncio.create_task(_child(operation))
            case Stop():
                raise AssertionError("a stop is not started")


def too_large(what: str, size: int, limit: int) -> str:
    return f"{what} {size:,} bytes; at most {limit:,} are possible"


async def keep(values: list[Json]) -> list[Opaque]:
    """Have values put into the store, in groups that a worker takes easily."""
    kept: list[Opaque] = []
    group: list[Json] = []
    size = 0
    for value in values:
        group.append(value)
        size += size_of(value)
        if size > _LARGEST_LEFT_INLINE:
            kept += await _kept(group)
            group, size = [], 0
    return kept + (await _kept(group) if group else [])


async def _kept(values: list[Json]) -> list[Opaque]:
    claims: list[Opaque] = await workflow.execute_local_activity(
        KEEP, values, start_to_close_timeout=timedelta(seconds=_ATTEMPT_TIMEOUT)
    )
    return claims


def _payload(operation: Operation) -> Json:
    match operation:
        case Call() | Child():
            return operation.argument
        case ForeignCall():
            return operation.arguments
        case Evaluate():
            return [operation.source, operation.scope]
        case _:
            return None


def _most(operation: Operation) -> int:
    """What the operation's arguments may measure."""
    plainly = isinstance(operation, ForeignCall) and not operation.claims
    return MAX_FOREIGN if plainly else MAX_VALUE


def _delta(seconds: float | None) -> timedelta | None:
    return None if seconds is None else timedelta(seconds=seconds)


@lru_cache(maxsize=1024)
def _policy(retry: RetryPlan) -> RetryPolicy:
    """`only` is kept by the activity itself, except for timeouts, which it cannot see."""
    never = list(retry.never)
    if retry.excludes("Timeout"):
        never += _TIMEOUT_ERRORS
    return RetryPolicy(
        initial_interval=timedelta(seconds=retry.interval),
        backoff_coefficient=retry.factor,
        maximum_interval=timedelta(seconds=max(retry.max_interval, retry.interval)),
        maximum_attempts=retry.attempts or 0,
        non_retryable_error_types=never,
    )


def _attempt_timeout(call: Call | ForeignCall) -> timedelta | None:
    """Temporal wants one of the two; an attempt may take as long as the whole."""
    if call.attempt_timeout is None and call.timeout is not None:
        return None
    return _delta(call.attempt_timeout or _ATTEMPT_TIMEOUT)


def _remote(
    call: Call | ForeignCall, arguments: list[Any], result_type: type | None = None
) -> asyncio.Task[Any]:
    return workflow.start_activity(
        call.activity,
        args=arguments,
        result_type=result_type,
        activity_id=call.id,
        task_queue=call.queue,
        summary=call.title or None,
        schedule_to_close_timeout=_delta(call.timeout),
        start_to_close_timeout=_attempt_timeout(call),
        heartbeat_timeout=_delta(call.heartbeat),
        retry_policy=_policy(call.retry),
        cancellation_type=ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
        priority=Priority(priority_key=call.priority),
    )


async def _foreign(call: ForeignCall) -> JsonObject:
    """Without claims the arguments are what any SDK would send."""
    arguments = call.arguments if call.claims else [inline(each) for each in call.arguments]
    result: RawValue = await _remote(call, arguments, RawValue)
    return {"output": plain_json(result, f"what {call.activity!r} returned")}


def _local(call: Call) -> asyncio.Task[Any]:
    return workflow.start_local_activity(
        call.activity,
        call.argument,
        activity_id=call.id,
        summary=call.title or None,
        schedule_to_close_timeout=_delta(call.timeout),
        start_to_close_timeout=_attempt_timeout(call),
        retry_policy=_policy(call.retry),
        cancellation_type=ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
    )


def _evaluate(evaluate: Evaluate) -> asyncio.Task[Any]:
    argument: JsonObject = {
        "source": evaluate.source,
        "want": evaluate.want,
        "loose": None if evaluate.loose is None else list(evaluate.loose),
        "deferred": None if evaluate.deferred is None else list(evaluate.deferred),
        "scope": evaluate.scope,
    }
    return workflow.start_local_activity(
        EVALUATE,
        argument,
        activity_id=evaluate.id,
        start_to_close_timeout=timedelta(seconds=_ATTEMPT_TIMEOUT),
    )


async def _sleep(sleep: Sleep) -> None:
    left = max(0.0, sleep.until - workflow.time())
    await workflow.sleep(left, summary=sleep.title or None)


async def _child_argument(argument: Json) -> Any:
    """A shard reads itself what it is to do; its items may be put away."""
    if not (isinstance(argument, dict) and SHARD_ARGUMENT in argument):
        return argument
    shard = cast(JsonObject, argument[SHARD_ARGUMENT])
    items = shard["items"]
    apart = shard.get("apart") is True
    most = LEAN if apart else _ROOMY
    if isinstance(items, list) and size_of(items) > most and _keeps(apart):
        shard = {**shard, "items": cast(Json, (await keep([items]))[0]), "count": len(items)}
    return inline({SHARD_ARGUMENT: shard})


def _keeps(apart: bool) -> bool:
    return apart or workflow.patched(KEEPS_LARGE)


async def _child(child: Child) -> Any:
    info = workflow.info()
    handle = await workflow.start_child_workflow(
        child.flow,
        await _child_argument(child.argument),
        id=child.workflow_id or f"{info.workflow_id}/{child.id}",
        task_queue=child.queue,
        static_summary=child.title or None,
        cancellation_type=ChildWorkflowCancellationType.WAIT_CANCELLATION_COMPLETED,
        parent_close_policy=(
            ParentClosePolicy.REQUEST_CANCEL if child.wait else ParentClosePolicy.ABANDON
        ),
        priority=Priority(priority_key=child.priority),
    )
    if not child.wait:
        return {"id": handle.id, "run_id": handle.first_execution_run_id}
    return await handle
