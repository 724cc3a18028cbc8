"""What happened in a run is read from Temporal's history, event by event."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from temporalio.api.common.v1 import ActivityType, Payload, Payloads, WorkflowType
from temporalio.api.enums.v1 import EventType, RetryState, TimeoutType
from temporalio.api.failure.v1 import (
    ActivityFailureInfo,
    ApplicationFailureInfo,
    Failure,
    TimeoutFailureInfo,
)
from temporalio.api.history.v1 import HistoryEvent
from temporalio.api.sdk.v1 import UserMetadata
from temporalio.api.update.v1 import Input, Meta, Outcome, Request

from claimcheck.claim import Claim
from claimcheck.keys import digest_of, folder_of
from claimcheck.payloads import reference_payload
from flowspec.values import Json, JsonObject
from service.cli.log_lines import log_line
from service.runs.history import HistoryReader, LogEntry
from service.runs.payloads import PayloadReader

START = datetime(2026, 11, 21, 10, 0, 0, tzinfo=UTC)


def _payload(value: Json) -> Payload:
    return Payload(metadata={"encoding": b"json/plain"}, data=json.dumps(value).encode())


def _payloads(*values: Json) -> Payloads:
    return Payloads(payloads=[_payload(value) for value in values])


def _failure(type: str, message: str, **more: Any) -> Failure:
    info = ApplicationFailureInfo(type=type)
    return Failure(message=message, application_failure_info=info, **more)


def _event(number: int, name: str, *, summary: str | None = None, **fields: Any) -> HistoryEvent:
    """Event `number`, at as many seconds."""
    moment = Timestamp()
    moment.FromDatetime(START + timedelta(seconds=number))
    attributes: Any = {f"{name.lower()}_event_attributes": fields}
    event = HistoryEvent(
        event_id=number,
        event_time=moment,
        event_type=EventType.Value(f"EVENT_TYPE_{name}"),
        **attributes,
    )
    if summary is not None:
        event.user_metadata.CopyFrom(UserMetadata(summary=_payload(summary)))
    return event


def _read(*events: HistoryEvent) -> list[LogEntry]:
    reader = HistoryReader()
    return [entry for event in events for entry in reader.read(event)]


def _told(entry: LogEntry) -> JsonObject:
    skipped = ("time", "event")
    return {
        key: value
        for key, value in entry.as_json().items()
        if value is not None and key not in skipped
    }


def _scheduled(number: int = 5, node: str = "fetch") -> HistoryEvent:
    return _event(
        number,
        "ACTIVITY_TASK_SCHEDULED",
        activity_id=node,
        activity_type=ActivityType(name="http.request"),
        summary="Fetch it",
    )


def _taken(number: int, attempt: int = 1, failure: Failure | None = None) -> HistoryEvent:
    return _event(
        number,
        "ACTIVITY_TASK_STARTED",
        scheduled_event_id=5,
        attempt=attempt,
        last_failure=failure,
    )


NODE = {"node": "fetch", "type": "http.request", "title": "Fetch it"}


def test_a_node_that_succeeds() -> None:
    completed = _event(
        7, "ACTIVITY_TASK_COMPLETED", scheduled_event_id=5, result=_payloads({"output": 1})
    )
    entries = _read(_scheduled(), _taken(6), completed)
    assert [_told(entry) for entry in entries] == [
        {"kind": "node.started", **NODE},
        {"kind": "node.succeeded", **NODE, "attempt": 1, "seconds": 2.0, "bytes": 13},
    ]


def test_an_attempt_that_failed_before_is_told_with_its_error() -> None:
    completed = _event(9, "ACTIVITY_TASK_COMPLETED", scheduled_event_id=5)
    entries = _read(_scheduled(), _taken(8, 3, _failure("HttpStatus", "503")), completed)
    assert [_told(entry) for entry in entries][1:] == [
        {"kind": "node.attempt_failed", **NODE, "attempt": 2, "error": "HttpStatus: 503"},
        {"kind": "node.succeeded", **NODE, "attempt": 3, "seconds": 4.0, "bytes": 0},
    ]


def test_a_node_that_fails() -> None:
    failed = _event(
        7, "ACTIVITY_TASK_FAILED", scheduled_event_id=5, failure=_failure("HttpStatus", "404")
    )
    assert _told(_read(_scheduled(), _taken(6), failed)[-1]) == {
        "kind": "node.failed",
        **NODE,
        "attempt": 1,
        "seconds": 2.0,
        "error": "HttpStatus: 404",
    }


def test_a_node_that_runs_out_of_time_tells_the_last_attempts_error_too() -> None:
    timeout = Failure(
        message="activity ScheduleToClose timeout",
        timeout_failure_info=TimeoutFailureInfo(
            timeout_type=TimeoutType.TIMEOUT_TYPE_SCHEDULE_TO_CLOSE
        ),
        cause=_failure("HttpStatus", "503"),
    )
    ended = _event(
        9,
        "ACTIVITY_TASK_TIMED_OUT",
        scheduled_event_id=5,
        failure=timeout,
        retry_state=RetryState.RETRY_STATE_TIMEOUT,
    )
    last = _read(_scheduled(), ended)[-1]
    assert last.kind == "node.timed_out"
    assert last.error == (
        "Timeout: activity ScheduleToClose timeout; the last attempt: HttpStatus: 503; "
        "no time was left to try again"
    )


def test_a_node_that_is_cancelled() -> None:
    ended = _event(7, "ACTIVITY_TASK_CANCELED", scheduled_event_id=5)
    assert _read(_scheduled(), ended)[-1].kind == "node.cancelled"


def _local(number: int, node: str, kind: str, failure: Failure | None = None) -> HistoryEvent:
    data: JsonObject = {"activity_id": node, "activity_type": kind, "attempt": 1}
    return _event(
        number,
        "MARKER_RECORDED",
        marker_name="core_local_activity",
        details={"data": _payloads(data), "result": _payloads({"output": 1})},
        failure=failure,
        summary="Say it",
    )


def test_a_local_node_leaves_its_end_alone() -> None:
    assert [_told(entry) for entry in _read(_local(4, "note", "log"))] == [
        {
            "kind": "node.succeeded",
            "node": "note",
            "type": "log",
            "title": "Say it",
            "attempt": 1,
            "bytes": 13,
        }
    ]
    failed = _read(_local(4, "note", "log", _failure("Broken", "no")))
    assert [(entry.kind, entry.error) for entry in failed] == [("node.failed", "Broken: no")]


def test_what_the_interpreter_does_for_itself_is_left_out_unless_it_fails() -> None:
    assert _read(_local(4, "a~params", "flowrunner.evaluate")) == []
    assert _read(_local(4, "resolve", "flowrunner.resolve")) == []
    failed = _read(_local(4, "a~params", "flowrunner.evaluate", _failure("Broken", "no")))
    assert [entry.node for entry in failed] == ["a~params"]


def test_a_flow_that_is_refused() -> None:
    refused = _local(4, "1", "flowrunner.resolve", _failure("FlowNotFound", "no flow 'x'"))
    assert [_told(entry) for entry in _read(refused)] == [
        {"kind": "flow.refused", "error": "FlowNotFound: no flow 'x'"}
    ]


def test_patch_markers_are_no_news() -> None:
    assert _read(_event(4, "MARKER_RECORDED", marker_name="core_patch")) == []


def test_a_timer_with_a_title_is_told_and_one_without_is_not() -> None:
    started = _event(5, "TIMER_STARTED", timer_id="1", summary="timeout of ask")
    started.timer_started_event_attributes.start_to_fire_timeout.FromSeconds(90)
    fired = _event(6, "TIMER_FIRED", started_event_id=5)
    assert [_told(entry) for entry in _read(started, fired)] == [
        {"kind": "timer.started", "title": "timeout of ask", "seconds": 90.0},
        {"kind": "timer.fired", "title": "timeout of ask"},
    ]
    cancelled = _event(6, "TIMER_CANCELED", started_event_id=5)
    assert _read(started, cancelled)[-1].kind == "timer.cancelled"
    untitled = _event(5, "TIMER_STARTED", timer_id="1")
    assert _read(untitled, fired) == []


def test_a_signal_with_what_it_carries() -> None:
    signal = _event(
        3, "WORKFLOW_EXECUTION_SIGNALED", signal_name="payment", input=_payloads({"amount": 99})
    )
    assert [_told(entry) for entry in _read(signal)] == [
        {"kind": "signal", "name": "payment", "data": {"amount": 99}}
    ]


def test_a_decision_and_one_that_fails() -> None:
    decision: JsonObject = {"node": "ask", "action": "approved", "by": "ann"}
    request = Request(input=Input(name="complete", args=_payloads(decision)))
    accepted = _event(
        3,
        "WORKFLOW_EXECUTION_UPDATE_ACCEPTED",
        protocol_instance_id="u1",
        accepted_request=request,
    )

    def completed(**outcome: Any) -> HistoryEvent:
        return _event(
            4,
            "WORKFLOW_EXECUTION_UPDATE_COMPLETED",
            meta=Meta(update_id="u1"),
            outcome=Outcome(**outcome),
        )

    assert [_told(entry) for entry in _read(accepted, completed(success=_payloads(1)))] == [
        {"kind": "update.accepted", "node": "ask", "name": "complete", "data": decision}
    ]
    last = _read(accepted, completed(failure=_failure("Broken", "no")))[-1]
    assert _told(last) == {"kind": "update.failed", "name": "complete", "error": "Broken: no"}


def test_a_sub_flow() -> None:
    initiated = _event(
        3,
        "START_CHILD_WORKFLOW_EXECUTION_INITIATED",
        workflow_id="hire-1/mail",
        workflow_type=WorkflowType(name="mail"),
        summary="Send mail",
    )
    failed = _event(
        8,
        "CHILD_WORKFLOW_EXECUTION_FAILED",
        initiated_event_id=3,
        failure=_failure("HttpStatus", "503"),
    )
    sub = {"type": "mail", "title": "Send mail", "name": "hire-1/mail"}
    assert [_told(entry) for entry in _read(initiated, failed)] == [
        {"kind": "flow.started", **sub},
        {"kind": "flow.failed", **sub, "seconds": 5.0, "error": "HttpStatus: 503"},
    ]


@pytest.mark.parametrize(
    ("name", "fields", "kind", "error"),
    [
        ("COMPLETED", {"result": _payloads("x")}, "run.completed", None),
        ("FAILED", {"failure": _failure("T", "m")}, "run.failed", "T: m"),
        ("CANCELED", {}, "run.cancelled", None),
        ("TIMED_OUT", {}, "run.timed_out", None),
        ("TERMINATED", {"reason": "enough"}, "run.terminated", "enough"),
        ("CONTINUED_AS_NEW", {"new_execution_run_id": "r"}, "run.continued", None),
        ("CANCEL_REQUESTED", {}, "run.cancel_requested", None),
    ],
)
def test_the_ends_of_a_run(name: str, fields: dict[str, Any], kind: str, error: str | None) -> None:
    (entry,) = _read(_event(9, f"WORKFLOW_EXECUTION_{name}", **fields))
    assert (entry.kind, entry.error) == (kind, error)


def test_the_start_of_a_run_and_of_one_that_continues() -> None:
    fresh = _event(1, "WORKFLOW_EXECUTION_STARTED", workflow_type=WorkflowType(name="hire"))
    later = _event(1, "WORKFLOW_EXECUTION_STARTED", continued_execution_run_id="r")
    assert [entry.kind for entry in _read(fresh, later)] == ["run.started", "run.resumed"]


def test_a_worker_that_cannot_go_on_is_told() -> None:
    failed = _event(4, "WORKFLOW_TASK_FAILED", failure=Failure(message="KeyError: 'x'"))
    lost = _event(
        6, "WORKFLOW_TASK_TIMED_OUT", timeout_type=TimeoutType.TIMEOUT_TYPE_START_TO_CLOSE
    )
    assert [entry.kind for entry in _read(failed, lost)] == ["worker.failed", "worker.lost"]


def test_book_keeping_is_left_out() -> None:
    assert _read(_event(2, "WORKFLOW_TASK_SCHEDULED"), _event(3, "WORKFLOW_TASK_STARTED")) == []
    assert _read(_local(4, "3", "flowrunner.keep")) == []


def test_a_result_in_the_store_has_the_size_of_what_is_kept() -> None:
    claim = Claim(key=f"{folder_of('default', 'w')}/{digest_of(b'x')}", size=5_000_000)
    result = Payloads(payloads=[reference_payload(claim)])
    completed = _event(7, "ACTIVITY_TASK_COMPLETED", scheduled_event_id=5, result=result)
    signal = _event(8, "WORKFLOW_EXECUTION_SIGNALED", signal_name="go", input=result)
    _, succeeded, signalled = _read(_scheduled(), completed, signal)
    assert succeeded.bytes == 5_000_000
    assert signalled.data == "<4.8 MB in the store>"


def test_what_is_encrypted_is_opened_with_the_keys() -> None:
    def unsealed(payload: Payload) -> Payload:
        return Payload.FromString(payload.data[::-1])

    def sealed(value: Json) -> Payload:
        return Payload(data=_payload(value).SerializeToString()[::-1])

    scheduled = _scheduled()
    scheduled.user_metadata.summary.CopyFrom(sealed("Fetch it, secretly"))
    result = Payloads(payloads=[sealed({"output": 1})])
    completed = _event(7, "ACTIVITY_TASK_COMPLETED", scheduled_event_id=5, result=result)
    reader = HistoryReader(PayloadReader(unsealed))
    entries = [entry for event in (scheduled, completed) for entry in reader.read(event)]
    assert [entry.title for entry in entries] == ["Fetch it, secretly"] * 2
    assert entries[1].bytes == 13


def test_an_end_whose_beginning_was_not_read_is_left_out() -> None:
    assert _read(_event(7, "ACTIVITY_TASK_COMPLETED", scheduled_event_id=5)) == []


def test_the_failure_inside_a_wrapper_is_the_one_that_is_told() -> None:
    wrapped = Failure(
        message="Activity task failed",
        activity_failure_info=ActivityFailureInfo(activity_id="a"),
        cause=_failure("HttpStatus", "503"),
    )
    (entry,) = _read(_event(9, "WORKFLOW_EXECUTION_FAILED", failure=wrapped))
    assert entry.error == "HttpStatus: 503"


def test_json_of_an_entry_always_has_the_same_keys() -> None:
    keys = ["time", "event", "kind", "node", "type", "title", "attempt", "seconds", "bytes"]
    keys += ["error", "name", "data"]
    for entry in _read(_scheduled(), _event(9, "WORKFLOW_EXECUTION_CANCELED")):
        assert list(entry.as_json()) == keys
    assert _read(_scheduled())[0].as_json()["time"] == "2026-11-21T10:00:05.000Z"


def test_entries_as_lines() -> None:
    failure = _failure("HttpStatus", "503")
    completed = _event(
        9, "ACTIVITY_TASK_COMPLETED", scheduled_event_id=5, result=_payloads("x" * 20_000)
    )
    signal = _event(10, "WORKFLOW_EXECUTION_SIGNALED", signal_name="go", input=_payloads([1]))
    entries = _read(
        _event(1, "WORKFLOW_EXECUTION_STARTED", workflow_type=WorkflowType(name="hire")),
        _scheduled(),
        _taken(8, 2, failure),
        completed,
        signal,
        _event(11, "WORKFLOW_EXECUTION_COMPLETED", result=_payloads(None)),
    )
    assert [log_line(entry, entries[0].time) for entry in entries] == [
        "10:00:01.000     +0.00 s  run started                     hire",
        "10:00:05.000      +4.0 s  fetch           started         Fetch it  http.request",
        "10:00:08.000      +7.0 s  fetch           attempt failed  Fetch it  http.request  "
        "attempt 1  HttpStatus: 503",
        "10:00:09.000      +8.0 s  fetch           succeeded       Fetch it  http.request  "
        "attempt 2  4.0 s  19.5 KB",
        "10:00:10.000      +9.0 s  signal                          go  [1]",
        "10:00:11.000     +10.0 s  run completed                   4 B",
    ]


@pytest.mark.parametrize("id", ["note", "note~s2", "note~2", "each~2/note", "note#2~2~s3"])
def test_a_local_node_is_told_however_often_it_was_asked(id: str) -> None:
    [entry] = _read(_local(4, id, "log"))
    assert (entry.kind, entry.node) == ("node.succeeded", id)


@pytest.mark.parametrize("id", ["a~params", "a~params~s2", "~vars", "blk/output~", "a~edge0"])
def test_what_the_interpreter_asks_for_itself_is_not_told(id: str) -> None:
    assert _read(_local(4, id, "flowrunner.evaluate")) == []
