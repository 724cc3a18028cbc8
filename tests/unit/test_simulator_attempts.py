"""The attempts that the simulator makes are those that Temporal would make."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from activities.catalogue import catalogue
from flowspec.machine import Call, ForeignCall
from flowspec.plan import RetryPlan
from flowspec.values import Json
from simulator.answers import Answer, read_mock
from simulator.attempts import Course, NeverEnds, course_of

HTTP = catalogue()["http.request"]


def _call(**more: Any) -> Call:
    retry = RetryPlan(**{"attempts": 4, **more.pop("retry", {})})
    settings = {"local": False, "retry": retry, **more}
    return Call(id="a", activity="http.request", argument={}, node="a", **settings)


def _course(call: Call | ForeignCall, *written: Any) -> Course:
    mock = read_mock(list(written))
    node_type = HTTP if isinstance(call, Call) else None
    return course_of(call, node_type, lambda attempt: mock.answer(1, attempt), 100.0)


def _starts(course: Course) -> Sequence[float]:
    return [round(attempt.started - 100.0, 6) for attempt in course.attempts]


def test_pauses_grow_up_to_the_longest() -> None:
    course = _course(
        _call(retry={"interval": 1.0, "max_interval": 3.0}), {"error": "HttpServerError"}
    )
    assert _starts(course) == [0, 1, 3, 6]
    assert course.error is not None
    assert course.error["attempt"] == 4


def test_a_permanent_error_is_not_tried_again_unless_the_flow_says_so() -> None:
    assert len(_course(_call(), {"error": "HttpClientError"}).attempts) == 1
    named = _call(retry={"only": ("HttpClientError",)})
    assert len(_course(named, {"error": "HttpClientError"}).attempts) == 4
    assert len(_course(named, {"error": "HttpServerError"}).attempts) == 1
    assert (
        len(
            _course(
                _call(retry={"never": ("HttpServerError",)}), {"error": "HttpServerError"}
            ).attempts
        )
        == 1
    )


def test_a_mock_may_say_itself_what_is_permanent() -> None:
    error = {"type": "HttpServerError", "permanent": True}
    assert len(_course(_call(), {"error": error}).attempts) == 1


def test_retry_after_puts_the_next_attempt_off() -> None:
    error = {"type": "HttpServerError", "retry_after": "30s"}
    assert _starts(_course(_call(), {"error": error}, {"output": 1})) == [0, 30]


def test_an_attempt_that_takes_too_long_is_ended_and_tried_again() -> None:
    course = _course(_call(attempt_timeout=5.0), {"delay": "6s"}, {"output": 1, "delay": "5s"})
    assert [attempt.ended - 100.0 for attempt in course.attempts] == [5, 11]
    assert course.answer is not None


def test_without_any_timeout_an_attempt_has_a_minute() -> None:
    course = _course(_call(retry={"attempts": 1}), {"delay": "61s"})
    assert course.ended == 160.0
    assert course.error is not None
    assert course.error["type"] == "Timeout"


def test_the_timeout_of_the_whole_ends_an_attempt_under_way() -> None:
    course = _course(
        _call(timeout=10.0), {"error": "HttpServerError", "delay": "3s"}, {"delay": "1h"}
    )
    assert course.ended == 110.0
    assert course.error is not None
    assert course.error["message"] == "not done within its timeout"


def test_a_timeout_tells_of_as_many_attempts_as_a_run_knows_of() -> None:
    def told(**call: Any) -> Json:
        error = _course(_call(retry={"attempts": 3}, **call), {"delay": "1h"}).error
        assert error is not None
        return error["attempt"]

    assert told(attempt_timeout=1.0) == 3
    assert told(timeout=10.0) == 1
    assert told(attempt_timeout=1.0, timeout=60.0) == 3
    assert told(attempt_timeout=1.0, timeout=60.0, local=True) == 1


def test_an_attempt_that_could_not_begin_in_time_is_not_made() -> None:
    call = _call(timeout=2.0, retry={"interval": 5.0})
    course = _course(call, {"error": {"type": "HttpServerError", "message": "down"}})
    assert (len(course.attempts), course.ended) == (1, 100.0)
    assert course.error is not None
    assert course.error["message"] == "down"


def test_an_activity_of_others_knows_nothing_of_only() -> None:
    retry = RetryPlan(attempts=3, only=("Other",))
    call = ForeignCall(id="a", activity="x", arguments=[], node="a", retry=retry)
    course = _course(call, {"error": "Mine"})
    assert len(course.attempts) == 3
    assert course.error is not None
    assert course.error["attempt"] == 3


def test_attempts_without_end_are_noticed() -> None:
    with pytest.raises(NeverEnds, match="again and again"):
        course_of(
            _call(retry={"attempts": None}),
            HTTP,
            lambda _: read_mock({"error": "HttpServerError"}).answer(1, 1),
            0.0,
        )


def test_mocks_answer_by_call_and_attempt_and_the_last_of_either_holds_on() -> None:
    mock = read_mock({"calls": [[{"error": "A"}, {"output": 1}], {"output": 2}]})
    outputs = [
        mock.answer(call, attempt).output for call, attempt in ((1, 2), (1, 9), (2, 1), (9, 9))
    ]
    assert outputs == [1, 1, 2, 2]
    assert mock.answer(1, 1) != Answer(output=1)
