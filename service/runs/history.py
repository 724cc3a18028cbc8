"""What happened in a run, node by node, read from its Temporal history."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from temporalio.api.enums.v1 import EventType, RetryState, TimeoutType
from temporalio.api.history.v1 import HistoryEvent

from flowspec.values import Json, JsonObject
from service.runs.payloads import PLAIN, PayloadReader

__all__ = ["HistoryReader", "LogEntry"]

_INTERNAL = re.compile(
    r".*~(vars|when|foreach|params|key|cache|store|repeat|details|output|edge\d+"
    r"|lock|lockname|ratename\d+|unlock( .*)?)?(~s\d+)?"
)
"""The id of an activity that the interpreter made for a node or a graph, and not the node itself:
what is asked again has `~s2` and so on behind it."""

_RESOLVE = "flowrunner.resolve"
_KEEP = "flowrunner.keep"
_RESERVE = "flowrunner.rate.reserve"


@dataclass(frozen=True, kw_only=True)
class LogEntry:
    """One thing that happened.

    `kind` is `run.…`, `node.…`, `timer.…`, `signal`, `update.…`, `flow.…` or `worker.…`.
    `seconds` is how long what ended had taken, `bytes` the size of its result, wherever that is
    kept.
    """

    time: datetime
    event: int
    kind: str
    node: str | None = None
    type: str | None = None
    title: str | None = None
    attempt: int | None = None
    seconds: float | None = None
    bytes: int | None = None
    error: str | None = None
    name: str | None = None
    data: Json = None

    def as_json(self) -> JsonObject:
        """What `--json` prints on one line: these keys, all of them, always."""
        return {
            "time": self.time.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "event": self.event,
            "kind": self.kind,
            "node": self.node,
            "type": self.type,
            "title": self.title,
            "attempt": self.attempt,
            "seconds": self.seconds,
            "bytes": self.bytes,
            "error": self.error,
            "name": self.name,
            "data": self.data,
        }


@dataclass(frozen=True, kw_only=True)
class _Begun:
    """What a later event refers to by the number of this one."""

    node: str
    type: str
    title: str | None
    time: datetime
    attempt: int = 1


class HistoryReader:
    """Turns events into entries, in order; keeps what later events refer to."""

    def __init__(self, payloads: PayloadReader = PLAIN) -> None:
        self._payloads = payloads
        self._begun: dict[int, _Begun] = {}
        self._updates: dict[str, str] = {}
        self._readers: dict[int, Callable[[HistoryEvent], Iterator[LogEntry]]] = {
            EventType.EVENT_TYPE_WORKFLOW_EXECUTION_STARTED: self._run_started,
            EventType.EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED: self._run_completed,
            EventType.EVENT_TYPE_WORKFLOW_EXECUTION_FAILED: self._run_failed,
            EventType.EVENT_TYPE_WORKFLOW_EXECUTION_CANCELED: self._run("run.cancelled"),
            EventType.EVENT_TYPE_WORKFLOW_EXECUTION_TIMED_OUT: self._run("run.timed_out"),
            EventType.EVENT_TYPE_WORKFLOW_EXECUTION_CONTINUED_AS_NEW: self._run("run.continued"),
            EventType.EVENT_TYPE_WORKFLOW_EXECUTION_TERMINATED: self._run_terminated,
            EventType.EVENT_TYPE_WORKFLOW_EXECUTION_CANCEL_REQUESTED: self._cancel_requested,
            EventType.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED: self._signal,
            EventType.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_ACCEPTED: self._update_accepted,
            EventType.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_COMPLETED: self._update_completed,
            EventType.EVENT_TYPE_WORKFLOW_TASK_FAILED: self._task_failed,
            EventType.EVENT_TYPE_WORKFLOW_TASK_TIMED_OUT: self._task_timed_out,
            EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED: self._node_scheduled,
            EventType.EVENT_TYPE_ACTIVITY_TASK_STARTED: self._node_taken,
            EventType.EVENT_TYPE_ACTIVITY_TASK_COMPLETED: self._node_succeeded,
            EventType.EVENT_TYPE_ACTIVITY_TASK_FAILED: self._node_failed,
            EventType.EVENT_TYPE_ACTIVITY_TASK_TIMED_OUT: self._node_timed_out,
            EventType.EVENT_TYPE_ACTIVITY_TASK_CANCELED: self._node_cancelled,
            EventType.EVENT_TYPE_MARKER_RECORDED: self._marker,
            EventType.EVENT_TYPE_TIMER_STARTED: self._timer_started,
            EventType.EVENT_TYPE_TIMER_FIRED: self._timer_fired,
            EventType.EVENT_TYPE_TIMER_CANCELED: self._timer_cancelled,
            **self._children(),
        }

    def read(self, event: HistoryEvent) -> tuple[LogEntry, ...]:
        """The entries an event stands for; most of Temporal's book-keeping stands for none."""
        reader = self._readers.get(event.event_type)
        return tuple(reader(event)) if reader else ()

    # -- the run -------------------------------------------------------------------------------

    def _run(self, kind: str) -> Callable[[HistoryEvent], Iterator[LogEntry]]:
        def read(event: HistoryEvent) -> Iterator[LogEntry]:
            yield _entry(event, kind)

        return read

    def _run_started(self, event: HistoryEvent) -> Iterator[LogEntry]:
        started = event.workflow_execution_started_event_attributes
        continued = bool(started.continued_execution_run_id)
        kind = "run.resumed" if continued else "run.started"
        yield _entry(
            event, kind, type=started.workflow_type.name, bytes=self._payloads.size(started.input)
        )

    def _run_completed(self, event: HistoryEvent) -> Iterator[LogEntry]:
        result = event.workflow_execution_completed_event_attributes.result
        yield _entry(event, "run.completed", bytes=self._payloads.size(result))

    def _run_failed(self, event: HistoryEvent) -> Iterator[LogEntry]:
        failure = event.workflow_execution_failed_event_attributes.failure
        yield _entry(event, "run.failed", error=self._payloads.error(failure))

    def _run_terminated(self, event: HistoryEvent) -> Iterator[LogEntry]:
        reason = event.workflow_execution_terminated_event_attributes.reason
        yield _entry(event, "run.terminated", error=reason or None)

    def _cancel_requested(self, event: HistoryEvent) -> Iterator[LogEntry]:
        cause = event.workflow_execution_cancel_requested_event_attributes.cause
        yield _entry(event, "run.cancel_requested", name=cause or None)

    # -- messages ------------------------------------------------------------------------------

    def _signal(self, event: HistoryEvent) -> Iterator[LogEntry]:
        signal = event.workflow_execution_signaled_event_attributes
        yield _entry(
            event,
            "signal",
            name=signal.signal_name,
            data=self._payloads.first(signal.input),
            title=None,
        )

    def _update_accepted(self, event: HistoryEvent) -> Iterator[LogEntry]:
        accepted = event.workflow_execution_update_accepted_event_attributes
        request = accepted.accepted_request
        self._updates[accepted.protocol_instance_id] = request.input.name
        data = self._payloads.first(request.input.args)
        node = data.get("node") if isinstance(data, dict) else None
        yield _entry(
            event,
            "update.accepted",
            name=request.input.name,
            node=node if isinstance(node, str) else None,
            data=data,
        )

    def _update_completed(self, event: HistoryEvent) -> Iterator[LogEntry]:
        completed = event.workflow_execution_update_completed_event_attributes
        outcome = completed.outcome
        if not outcome.HasField("failure"):
            return
        name = self._updates.get(completed.meta.update_id)
        yield _entry(event, "update.failed", name=name, error=self._payloads.error(outcome.failure))

    # -- the worker ----------------------------------------------------------------------------

    def _task_failed(self, event: HistoryEvent) -> Iterator[LogEntry]:
        failure = event.workflow_task_failed_event_attributes.failure
        if failure.message:
            yield _entry(event, "worker.failed", error=self._payloads.error(failure))

    def _task_timed_out(self, event: HistoryEvent) -> Iterator[LogEntry]:
        timed_out = event.workflow_task_timed_out_event_attributes
        if timed_out.timeout_type == TimeoutType.TIMEOUT_TYPE_START_TO_CLOSE:
            yield _entry(event, "worker.lost", error="a worker took the run up and fell silent")

    # -- nodes ---------------------------------------------------------------------------------

    def _node_scheduled(self, event: HistoryEvent) -> Iterator[LogEntry]:
        scheduled = event.activity_task_scheduled_event_attributes
        if scheduled.activity_type.name == _RESERVE:
            return
        begun = self._begin(event, scheduled.activity_id, scheduled.activity_type.name)
        yield _of(event, "node.started", begun)

    def _node_taken(self, event: HistoryEvent) -> Iterator[LogEntry]:
        """Temporal writes this only when the node ends, with the attempt it ended in."""
        taken = event.activity_task_started_event_attributes
        begun = self._begun.get(taken.scheduled_event_id)
        if begun is None:
            return
        if taken.attempt > 1:
            self._begun[taken.scheduled_event_id] = _Begun(
                node=begun.node,
                type=begun.type,
                title=begun.title,
                time=begun.time,
                attempt=taken.attempt,
            )
            yield _of(
                event,
                "node.attempt_failed",
                begun,
                attempt=taken.attempt - 1,
                error=self._payloads.error(taken.last_failure),
            )

    def _node_succeeded(self, event: HistoryEvent) -> Iterator[LogEntry]:
        completed = event.activity_task_completed_event_attributes
        yield from self._node_ended(
            event,
            "node.succeeded",
            completed.scheduled_event_id,
            bytes=self._payloads.size(completed.result),
        )

    def _node_failed(self, event: HistoryEvent) -> Iterator[LogEntry]:
        failed = event.activity_task_failed_event_attributes
        yield from self._node_ended(
            event,
            "node.failed",
            failed.scheduled_event_id,
            error=self._payloads.error(failed.failure),
        )

    def _node_timed_out(self, event: HistoryEvent) -> Iterator[LogEntry]:
        timed_out = event.activity_task_timed_out_event_attributes
        error = self._payloads.error(timed_out.failure)
        if timed_out.failure.HasField("cause"):
            error = f"{error}; the last attempt: {self._payloads.error(timed_out.failure.cause)}"
        if timed_out.retry_state == RetryState.RETRY_STATE_TIMEOUT:
            error = f"{error}; no time was left to try again"
        yield from self._node_ended(
            event, "node.timed_out", timed_out.scheduled_event_id, error=error
        )

    def _node_cancelled(self, event: HistoryEvent) -> Iterator[LogEntry]:
        cancelled = event.activity_task_canceled_event_attributes
        yield from self._node_ended(event, "node.cancelled", cancelled.scheduled_event_id)

    def _node_ended(
        self, event: HistoryEvent, kind: str, scheduled: int, **more: Any
    ) -> Iterator[LogEntry]:
        begun = self._begun.pop(scheduled, None)
        if begun is not None:
            seconds = (_time(event) - begun.time).total_seconds()
            yield _of(event, kind, begun, attempt=begun.attempt, seconds=seconds, **more)

    def _marker(self, event: HistoryEvent) -> Iterator[LogEntry]:
        """A local activity leaves nothing but its end."""
        marker = event.marker_recorded_event_attributes
        if marker.marker_name != "core_local_activity":
            return
        data = self._payloads.first(marker.details["data"])
        told: JsonObject = data if isinstance(data, dict) else {}
        node, kind = str(told.get("activity_id", "?")), str(told.get("activity_type", ""))
        failed = marker.HasField("failure")
        if kind == _RESOLVE:
            if failed:
                yield _entry(event, "flow.refused", error=self._payloads.error(marker.failure))
            return
        if (_INTERNAL.fullmatch(node) or kind == _KEEP) and not failed:
            return
        attempt = told.get("attempt")
        yield _entry(
            event,
            "node.failed" if failed else "node.succeeded",
            node=node,
            type=kind,
            title=self._summary(event),
            attempt=attempt if isinstance(attempt, int) else None,
            error=self._payloads.error(marker.failure) if failed else None,
            bytes=None if failed else self._payloads.size(marker.details["result"]),
        )

    # -- timers and sub-flows ------------------------------------------------------------------

    def _timer_started(self, event: HistoryEvent) -> Iterator[LogEntry]:
        timer = event.timer_started_event_attributes
        begun = self._begin(event, timer.timer_id, "timer")
        seconds = timer.start_to_fire_timeout.ToMilliseconds() / 1000
        if begun.title:
            yield _entry(event, "timer.started", title=begun.title, seconds=seconds)

    def _timer_fired(self, event: HistoryEvent) -> Iterator[LogEntry]:
        yield from self._timer_ended(
            event, "timer.fired", event.timer_fired_event_attributes.started_event_id
        )

    def _timer_cancelled(self, event: HistoryEvent) -> Iterator[LogEntry]:
        yield from self._timer_ended(
            event, "timer.cancelled", event.timer_canceled_event_attributes.started_event_id
        )

    def _timer_ended(self, event: HistoryEvent, kind: str, started: int) -> Iterator[LogEntry]:
        begun = self._begun.pop(started, None)
        if begun is not None and begun.title:
            yield _entry(event, kind, title=begun.title)

    def _children(self) -> dict[int, Callable[[HistoryEvent], Iterator[LogEntry]]]:
        ended = {
            EventType.EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_COMPLETED: "flow.completed",
            EventType.EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_FAILED: "flow.failed",
            EventType.EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_CANCELED: "flow.cancelled",
            EventType.EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_TERMINATED: "flow.terminated",
            EventType.EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_TIMED_OUT: "flow.timed_out",
            EventType.EVENT_TYPE_START_CHILD_WORKFLOW_EXECUTION_FAILED: "flow.not_started",
        }
        return {
            EventType.EVENT_TYPE_START_CHILD_WORKFLOW_EXECUTION_INITIATED: self._child_started,
            **{type_: self._child_ended(kind) for type_, kind in ended.items()},
        }

    def _child_started(self, event: HistoryEvent) -> Iterator[LogEntry]:
        child = event.start_child_workflow_execution_initiated_event_attributes
        begun = self._begin(event, child.workflow_id, child.workflow_type.name)
        yield _entry(
            event, "flow.started", type=begun.type, title=begun.title, name=child.workflow_id
        )

    def _child_ended(self, kind: str) -> Callable[[HistoryEvent], Iterator[LogEntry]]:
        def read(event: HistoryEvent) -> Iterator[LogEntry]:
            child: Any = getattr(event, str(event.WhichOneof("attributes")))
            begun = self._begun.pop(child.initiated_event_id, None)
            if begun is None:
                return
            failure = getattr(child, "failure", None)
            yield _entry(
                event,
                kind,
                type=begun.type,
                title=begun.title,
                name=begun.node,
                seconds=(_time(event) - begun.time).total_seconds(),
                error=self._payloads.error(failure) if failure is not None else None,
            )

        return read

    def _begin(self, event: HistoryEvent, node: str, kind: str) -> _Begun:
        begun = _Begun(node=node, type=kind, title=self._summary(event), time=_time(event))
        self._begun[event.event_id] = begun
        return begun

    def _summary(self, event: HistoryEvent) -> str | None:
        if not event.user_metadata.HasField("summary"):
            return None
        return self._payloads.text(event.user_metadata.summary)


def _time(event: HistoryEvent) -> datetime:
    return event.event_time.ToDatetime(UTC)


def _entry(event: HistoryEvent, kind: str, **more: Any) -> LogEntry:
    return LogEntry(time=_time(event), event=event.event_id, kind=kind, **more)


def _of(event: HistoryEvent, kind: str, begun: _Begun, **more: Any) -> LogEntry:
    return _entry(event, kind, node=begun.node, type=begun.type, title=begun.title, **more)
