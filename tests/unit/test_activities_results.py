"""What a handler returns, as the interpreter gets it; and when a failed attempt is repeated."""

from __future__ import annotations

from typing import Any

import pytest
from typing_extensions import TypedDict

from activities.attempt import Attempt
from activities.call import RetrySettings, read_call
from activities.declaration import Acted, Params, declare
from activities.errors import NodeFailed
from activities.redaction import Redactor
from activities.results import ResultWriter
from activities.retrying import LONGEST_WAIT, is_final, next_delay
from flowspec.catalogue import ErrorType
from flowspec.values import Json


class Nothing(Params):
    """No parameters."""


class Typed(TypedDict):
    count: int


def writer(result: Any, *, actions: tuple[str, ...] = ()) -> ResultWriter:
    async def handle(params: Nothing, attempt: Attempt) -> Any: ...

    return ResultWriter(
        declare(
            name="sample",
            summary="",
            description="",
            example="",
            params=Nothing,
            result=result,
            handler=handle,
            actions=actions,
        )
    )


def write(returned: object, result: Any = Any, **how: Any) -> Any:
    return writer(result, **how).write(returned, redactor=Redactor(["hunter22"]))


def test_output_and_action_are_wrapped_and_redacted() -> None:
    assert write({"b": 1, "a": "is hunter22"}) == {
        "output": {"b": 1, "a": "is ***"},
        "action": None,
    }
    acted = Acted(output=[1], action="found")
    assert write(acted, actions=("found",)) == {"output": [1], "action": "found"}


def test_keys_keep_their_order() -> None:
    assert list(write({"b": 1, "a": 2})["output"]) == ["b", "a"]


@pytest.mark.parametrize(
    ("returned", "result", "error"),
    [
        (Acted(output=1, action="lost"), Any, "InvalidResult"),
        ({"count": "three"}, Typed, "InvalidResult"),
        ({"x": float("nan")}, Any, "InvalidResult"),
        ({"x": object()}, Any, "InvalidResult"),
    ],
)
def test_a_result_that_cannot_travel_fails_for_good(
    returned: object, result: Any, error: str
) -> None:
    with pytest.raises(NodeFailed) as caught:
        write(returned, result)
    assert caught.value.error.name == error
    assert caught.value.error.permanent


TRANSIENT = ErrorType(name="Busy", permanent=False, meaning="")
PERMANENT = ErrorType(name="Gone", permanent=True, meaning="")


@pytest.mark.parametrize(
    ("error", "retry", "final"),
    [
        (TRANSIENT, RetrySettings(), False),
        (PERMANENT, RetrySettings(), True),
        (TRANSIENT, RetrySettings(never=("Busy",)), True),
        (TRANSIENT, RetrySettings(only=("Other",)), True),
        (TRANSIENT, RetrySettings(only=("Busy",)), False),
        (PERMANENT, RetrySettings(only=("Gone",)), False),
        (PERMANENT, RetrySettings(only=("Gone",), never=("Gone",)), True),
    ],
)
def test_only_and_never_decide_before_the_errors_own_kind(
    error: ErrorType, retry: RetrySettings, final: bool
) -> None:
    assert is_final(NodeFailed(error, ""), retry) is final


@pytest.mark.parametrize(
    ("attempt", "chance", "after", "delay"),
    [
        (1, 0.5, None, 2),
        (3, 0.5, None, 18),
        (3, 0.0, None, 9),
        (3, 1.0, None, 27),
        (9, 0.5, None, 60),
        (100_000, 0.5, None, 60),
        (1, 0.5, 45.0, 45),
        (9, 0.5, 45.0, 60),
        (1, 0.5, 1e12, LONGEST_WAIT),
    ],
)
def test_the_delay_grows_spreads_and_heeds_what_the_server_asks(
    attempt: int, chance: float, after: float | None, delay: float
) -> None:
    retry = RetrySettings(interval=2, factor=3, max_interval=60, jitter=0.5)
    assert next_delay(retry, attempt, after, chance) == pytest.approx(delay)


def test_after_the_last_attempt_there_is_no_delay() -> None:
    retry = RetrySettings(attempts=3, jitter=0.5)
    assert next_delay(retry, 2, None, 0.5) is not None
    assert next_delay(retry, 3, 10.0, 0.5) is None


def test_without_jitter_the_back_off_is_left_to_temporal() -> None:
    assert next_delay(RetrySettings(), 3, None, 0.5) is None


def test_a_call_of_a_newer_interpreter_is_understood() -> None:
    call: dict[str, Json] = {
        "node": "n",
        "flow": "f",
        "run_id": "r",
        "key": "k",
        "retry": {"only": ["A"], "later": 1},
        "unheard_of": {"x": 1},
    }
    assert read_call(call).retry == RetrySettings(only=("A",))
