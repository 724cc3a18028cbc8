"""Reading from a run's history what a test of its flow needs: who answered what, and when."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, cast

from temporalio.api.common.v1 import Payload
from temporalio.api.enums.v1 import EventType, RetryState, TimeoutType
from temporalio.api.failure.v1 import Failure
from temporalio.api.history.v1 import HistoryEvent
from temporalio.client import Client, WorkflowHandle
from temporalio.exceptions import ActivityError, ApplicationError, ChildWorkflowError

from flowspec.opening import read_opening
from flowspec.values import Json, JsonObject
from service.runs.failures import mapped
from service.runs.looking import events_of

__all__ = ["RecordedCall", "Recording", "Said", "record"]

Handle = WorkflowHandle[Any, Any]
_OURS = "flowrunner."
_SHARD = "~shard"
_FOREIGN = frozenset(("pause", "resume"))


@dataclass(kw_only=True)
class RecordedCall:
    """An activity or another flow, by the path of what asked for it.

    `answers` are as mocks are written, one for each attempt, with seconds for delays and with
    what an activity of ours gives as it gives it, `{output, action}`. Moments are seconds from
    the start of the run.
    """

    path: str
    type: str
    began: float
    ended: float | None = None
    attempts: int = 1
    attempt_began: float | None = None
    earlier: JsonObject | None = None
    limits: tuple[float, float] = (0.0, 0.0)
    answers: list[JsonObject] = field(default_factory=list)

    def overlaps(self, other: RecordedCall) -> bool:
        """Whether both were under way at some moment."""
        ends = [each.began if each.ended is None else each.ended for each in (self, other)]
        return other is not self and other.began < ends[0] and self.began < ends[1]


@dataclass(frozen=True, kw_only=True)
class Said:
    """What came from outside, as a test file writes it."""

    at: float
    word: JsonObject


@dataclass(kw_only=True)
class Recording:
    """`notes` are for the person: what could not be taken over."""

    input: Json = None
    started: datetime | None = None
    calls: list[RecordedCall] = field(default_factory=list)
    said: list[Said] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


async def record(client: Client, handle: Handle) -> Recording:
    """Everything in the history of a run and its shards. Raises `RunNotFound`."""
    recorder = _Recorder(client, handle.id)
    await recorder.read(handle)
    return recorder.recording


class _Recorder:
    def __init__(self, client: Client, workflow_id: str) -> None:
        self.recording = Recording()
        self._client = client
        self._id = workflow_id
        self._zero = datetime.now(UTC)
        self._open: dict[tuple[str, int], RecordedCall] = {}
        self._readers: dict[int, Any] = {
            EventType.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED: self._signal,
            EventType.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_ACCEPTED: self._update,
            EventType.EVENT_TYPE_WORKFLOW_EXECUTION_CANCEL_REQUESTED: self._cancel,
            EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED: self._scheduled,
            EventType.EVENT_TYPE_ACTIVITY_TASK_STARTED: self._taken,
            EventType.EVENT_TYPE_ACTIVITY_TASK_COMPLETED: self._completed,
            EventType.EVENT_TYPE_ACTIVITY_TASK_FAILED: self._failed,
            EventType.EVENT_TYPE_ACTIVITY_TASK_TIMED_OUT: self._timed_out,
            EventType.EVENT_TYPE_ACTIVITY_TASK_CANCELED: self._cancelled,
            EventType.EVENT_TYPE_MARKER_RECORDED: self._marker,
            EventType.EVENT_TYPE_START_CHILD_WORKFLOW_EXECUTION_INITIATED: self._child,
            EventType.EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_STARTED: self._child_started,
            EventType.EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_COMPLETED: self._child_completed,
            EventType.EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_FAILED: self._child_failed,
        }

    async def read(self, handle: Handle, *, shard: bool = False) -> None:
        shards: list[str] = []
        async for event in events_of(self._client, handle):
            if event.event_type == EventType.EVENT_TYPE_WORKFLOW_EXECUTION_STARTED:
                await self._began(event, shard=shard)
            elif event.event_type in self._readers:
                found = await self._readers[event.event_type](handle.id, event)
                shards += [found] if found else []
        for each in shards:
            await self.read(self._client.get_workflow_handle(each), shard=True)

    async def _began(self, event: HistoryEvent, *, shard: bool) -> None:
        started = event.workflow_execution_started_event_attributes
        if shard or started.continued_execution_run_id:
            return
        self._zero = event.event_time.ToDatetime(UTC)
        self.recording.started = self._zero
        values = await self._values(started.input.payloads)
        self.recording.input = read_opening(started.workflow_type.name, values).input

    def _at(self, event: HistoryEvent) -> float:
        return (event.event_time.ToDatetime(UTC) - self._zero).total_seconds()

    async def _values(self, payloads: Any) -> list[Any]:
        with mapped(self._id):
            return await self._client.data_converter.decode(list[Payload](payloads))

    async def _first(self, payloads: Any) -> Any:
        values = await self._values(payloads)
        return values[0] if values else None

    # -- what is said --------------------------------------------------------------------------

    async def _signal(self, run: str, event: HistoryEvent) -> None:
        signal = event.workflow_execution_signaled_event_attributes
        if run != self._id or signal.signal_name.startswith(_OURS):
            return
        if signal.signal_name in _FOREIGN:
            self._say(event, {signal.signal_name: True})
            return
        data = await self._first(signal.input.payloads)
        self._say(event, {"signal": signal.signal_name, "data": data})

    async def _update(self, run: str, event: HistoryEvent) -> None:  # noqa: ARG002
        accepted = event.workflow_execution_update_accepted_event_attributes
        told = await self._first(accepted.accepted_request.input.args.payloads)
        decision = cast("dict[str, Any]", told)
        word = {"approve": decision.get("node"), "action": decision.get("action")}
        more = {key: decision[key] for key in ("by", "comment", "data") if decision.get(key)}
        self._say(event, {**word, **more})

    async def _cancel(self, run: str, event: HistoryEvent) -> None:
        if run == self._id:
            cause = event.workflow_execution_cancel_requested_event_attributes.cause
            self._say(event, {"cancel": cause or True})

    def _say(self, event: HistoryEvent, word: JsonObject) -> None:
        self.recording.said.append(Said(at=self._at(event), word=word))

    # -- activities ----------------------------------------------------------------------------

    async def _scheduled(self, run: str, event: HistoryEvent) -> None:
        scheduled = event.activity_task_scheduled_event_attributes
        if scheduled.activity_type.name.startswith(_OURS):
            return
        call = RecordedCall(
            path=scheduled.activity_id,
            type=scheduled.activity_type.name,
            began=self._at(event),
            limits=(
                scheduled.start_to_close_timeout.ToMilliseconds() / 1000,
                scheduled.schedule_to_close_timeout.ToMilliseconds() / 1000,
            ),
        )
        self._open[run, event.event_id] = call
        self.recording.calls.append(call)

    async def _taken(self, run: str, event: HistoryEvent) -> None:
        taken = event.activity_task_started_event_attributes
        call = self._open.get((run, taken.scheduled_event_id))
        if call is None:
            return
        call.attempts = taken.attempt
        if taken.attempt > 1:
            call.attempt_began = self._at(event)
            call.earlier = await self._answer_of(taken.last_failure, call, known=True)

    async def _completed(self, run: str, event: HistoryEvent) -> None:
        completed = event.activity_task_completed_event_attributes
        call = self._end(run, completed.scheduled_event_id, event)
        if call is not None:
            result = await self._first(completed.result.payloads)
            call.answers = [*_earlier(call), {"output": result}]

    async def _failed(self, run: str, event: HistoryEvent) -> None:
        failed = event.activity_task_failed_event_attributes
        call = self._end(run, failed.scheduled_event_id, event)
        if call is not None:
            final = failed.retry_state == RetryState.RETRY_STATE_NON_RETRYABLE_FAILURE
            answer = await self._answer_of(failed.failure, call, known=not final)
            call.answers = [*_earlier(call), answer]

    async def _timed_out(self, run: str, event: HistoryEvent) -> None:
        timed_out = event.activity_task_timed_out_event_attributes
        call = self._end(run, timed_out.scheduled_event_id, event)
        if call is not None:
            kind = timed_out.failure.timeout_failure_info.timeout_type
            call.answers = [*_earlier(call), _too_long(kind, call)]

    async def _cancelled(self, run: str, event: HistoryEvent) -> None:
        cancelled = event.activity_task_canceled_event_attributes
        call = self._end(run, cancelled.scheduled_event_id, event)
        if call is not None:  # it would have gone on
            call.answers = [*_earlier(call), {"delay": call.limits[0] or 3600.0}]

    def _end(self, run: str, number: int, event: HistoryEvent) -> RecordedCall | None:
        call = self._open.pop((run, number), None)
        if call is not None:
            call.ended = self._at(event)
        return call

    async def _marker(self, run: str, event: HistoryEvent) -> None:  # noqa: ARG002
        marker = event.marker_recorded_event_attributes
        if marker.marker_name != "core_local_activity":
            return
        told = await self._first(marker.details["data"].payloads)
        type = str(told.get("activity_type", ""))
        if type.startswith(_OURS):
            return
        now = self._at(event)
        call = RecordedCall(path=str(told["activity_id"]), type=type, began=now, ended=now)
        if marker.HasField("failure"):
            call.answers = [await self._answer_of(marker.failure, call, known=False)]
        else:
            call.answers = [{"output": await self._first(marker.details["result"].payloads)}]
        self.recording.calls.append(call)

    async def _answer_of(self, failure: Failure, call: RecordedCall, *, known: bool) -> JsonObject:
        """`known` if it is plain whether it was tried again."""
        if failure.HasField("timeout_failure_info"):
            return _too_long(failure.timeout_failure_info.timeout_type, call)
        with mapped(self._id):
            error = await self._client.data_converter.decode_failure(failure)
        if isinstance(error, ActivityError | ChildWorkflowError) and error.cause is not None:
            error = error.cause
        told: JsonObject = {"type": type(error).__name__, "message": str(error)}
        if isinstance(error, ApplicationError):
            told = {"type": error.type or "Error", "message": error.message}
            details = _details(error)
            told |= {} if details is None else {"details": details}
        return {"error": told if known else {**told, "permanent": True}}

    # -- other flows ---------------------------------------------------------------------------

    async def _child(self, run: str, event: HistoryEvent) -> str | None:
        child = event.start_child_workflow_execution_initiated_event_attributes
        id = child.workflow_id
        if _SHARD in id.rpartition("/")[2]:
            return id
        if run != self._id:
            return None
        if not id.startswith(f"{self._id}/"):
            self.recording.notes.append(
                f"the flow {child.workflow_type.name!r} was started under an id of its own, "
                f"{id!r}: the test plays it, where it could have a mock"
            )
            return None
        path = id.removeprefix(f"{self._id}/")
        call = RecordedCall(path=path, type="flow", began=self._at(event))
        self._open[run, event.event_id] = call
        self.recording.calls.append(call)
        return None

    async def _child_started(self, run: str, event: HistoryEvent) -> None:
        child = event.child_workflow_execution_started_event_attributes
        call = self._open.get((run, child.initiated_event_id))
        if call is not None:  # what is answered if nobody waits for its end
            execution = child.workflow_execution
            ids: JsonObject = {"id": execution.workflow_id, "run_id": execution.run_id}
            call.answers = [{"output": ids}]

    async def _child_completed(self, run: str, event: HistoryEvent) -> None:
        child = event.child_workflow_execution_completed_event_attributes
        call = self._end(run, child.initiated_event_id, event)
        if call is not None:
            call.answers = [{"output": await self._first(child.result.payloads)}]

    async def _child_failed(self, run: str, event: HistoryEvent) -> None:
        child = event.child_workflow_execution_failed_event_attributes
        call = self._end(run, child.initiated_event_id, event)
        if call is not None:
            call.answers = [await self._answer_of(child.failure, call, known=True)]


def _earlier(call: RecordedCall) -> Iterator[JsonObject]:
    """The history keeps of earlier attempts the last one's failure alone."""
    for _ in range(call.attempts - 1):
        yield call.earlier or {"error": {"type": "Timeout"}}


def _too_long(kind: Any, call: RecordedCall) -> JsonObject:
    if kind == TimeoutType.TIMEOUT_TYPE_START_TO_CLOSE:
        return {"delay": call.limits[0] + 1}
    if kind == TimeoutType.TIMEOUT_TYPE_SCHEDULE_TO_CLOSE:
        return {"delay": call.limits[1] + 1}
    return {"error": {"type": "Timeout", "message": "no sign of life within its heartbeat time"}}


def _details(error: ApplicationError) -> Json:
    """What a node type of ours gives along stands beside what the interpreter needs."""
    details: Any = error.details[0] if error.details else None
    ours = isinstance(details, dict) and "node" in details and "attempt" in details
    return cast(Json, details.get("details") if ours else details)
