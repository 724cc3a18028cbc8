"""What the machine makes of `call`: an activity of somebody else's, as it is."""

from __future__ import annotations

from typing import Any

import pytest

from flowspec.machine import ForeignCall
from flowspec.plan import RetryPlan
from flowspec.values import Json, JsonObject
from tests.claims import Claim
from tests.stage import Played, Way, every_way, fails, play_text
from tests.world import Fail

CHARGE = """\
flow: charge
input: {required: [order, lines], properties: {order: {type: string}, lines: {}}}
nodes:
  charge:
    type: call
    queue: payments
    title: charge ${input.order}
    params: {activity: ChargeCard, args: ["${input.order}", {lines: "${input.lines}", cash: null}]}
    retry: {attempts: 5, interval: 2s, never: [CardDeclined]}
    attempt_timeout: 30s
    heartbeat: 5s
    timeout: 10m
    priority: 2
output: ${nodes.charge.output.receipt}
"""
INPUT: JsonObject = {"order": "o-1", "lines": ["tea", "cup"]}


def _receipt(told: JsonObject) -> Json:
    return {"receipt": told["args"]}


def _asked(played: Played) -> list[ForeignCall]:
    return [each for each in played.operations if isinstance(each, ForeignCall)]


@every_way
def test_the_activity_is_given_its_arguments_and_gives_the_nodes_output(way: Way) -> None:
    played = play_text(CHARGE, way, INPUT, answers={"ChargeCard": _receipt})
    (call,) = _asked(played)
    assert call.arguments == ["o-1", {"lines": ["tea", "cup"], "cash": None}]
    assert played.finished.output == call.arguments


def test_what_the_node_says_of_time_and_place_goes_along() -> None:
    (call,) = _asked(play_text(CHARGE, input=INPUT, answers={"ChargeCard": _receipt}))
    assert call == ForeignCall(
        id="charge",
        activity="ChargeCard",
        arguments=call.arguments,
        node="charge",
        title="charge o-1",
        timeout=600.0,
        attempt_timeout=30.0,
        heartbeat=5.0,
        retry=RetryPlan(attempts=5, interval=2.0, never=("CardDeclined",)),
        queue="payments",
        priority=2,
    )


@every_way
def test_a_failure_is_that_of_the_node(way: Way) -> None:
    text = CHARGE.replace("    timeout: 10m\n", "    next: {failure: sorry}\n").replace(
        "output: ${nodes.charge.output.receipt}",
        '  sorry: {type: log, params: {message: "${error.type}: ${error.message}"}}',
    )
    played = play_text(text, way, INPUT, answers={"ChargeCard": fails("CardDeclined", "no money")})
    assert played.messages == ["CardDeclined: no money"]


@every_way
def test_an_error_of_somebody_elses_is_never_taken_for_one_that_says_that_nothing_began(
    way: Way,
) -> None:
    asked: list[Json] = []

    def never(told: JsonObject) -> Json:
        asked.append(told)
        raise Fail("NotStarted", "mine")

    played = play_text(CHARGE, way, INPUT, answers={"ChargeCard": never})
    assert played.error["type"] == "NotStarted"
    assert len(asked) == 1


LARGE = """\
flow: large
input: {required: [report], properties: {report: {}}}
nodes:
  send:
    type: call
    queue: reports
    params: {activity: Print, args: ["${input.report}", 1]CLAIMS}
"""


def test_without_claims_the_arguments_are_read_and_with_them_they_are_handed_on() -> None:
    kept = Way(keeps="all")
    plain = play_text(LARGE.replace("CLAIMS", ""), kept, {"report": {"pages": 3}})
    (call,) = _asked(plain)
    assert call.arguments == [{"pages": 3}, 1]
    assert not call.claims
    told = play_text(LARGE.replace("CLAIMS", ", claims: true"), kept, {"report": {"pages": 3}})
    (call,) = _asked(told)
    assert call.claims
    first: Any = call.arguments[0]
    assert isinstance(first, Claim)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ('{activity: A, args: "${input.x}"}', "args: expected a list"),
    ],
)
def test_what_is_computed_and_does_not_fit_fails_the_node(params: str, message: str) -> None:
    text = f"""\
flow: odd
input: {{required: [x], properties: {{x: {{}}}}}}
nodes:
  odd: {{type: call, queue: q, params: {params}}}
"""
    played = play_text(text, Way(keeps="all"), {"x": 1})
    assert played.error["type"] == "InvalidParams"
    assert message in str(played.error["message"])


@every_way
def test_a_list_of_arguments_may_be_computed(way: Way) -> None:
    text = LARGE.replace('["${input.report}", 1]CLAIMS', '"${input.report}", claims: true')
    (call,) = _asked(play_text(text, way, {"report": [1, {"pages": 3}]}))
    assert call.arguments == [1, {"pages": 3}]


@every_way
def test_a_call_in_a_cache_is_made_once(way: Way) -> None:
    text = CHARGE.replace("    timeout: 10m\n", "    cache: 1h\n")
    known = {"hit": True, "value": {"output": {"receipt": "r-1"}}}
    looked: dict[str, Any] = {"flowrunner.cache.get": lambda _: known}
    played = play_text(text, way, INPUT, answers=looked)
    assert played.finished.output == "r-1"
    assert _asked(played) == []
    stored: list[Any] = []

    def store(told: JsonObject) -> Json:
        stored.append(told["value"])
        return {}

    played = play_text(
        text,
        way,
        INPUT,
        answers={
            "flowrunner.cache.get": lambda _: {"hit": False},
            "flowrunner.cache.put": store,
            "ChargeCard": lambda _: {"receipt": "r-2"},
        },
    )
    assert played.finished.output == "r-2"
    assert stored == [{"output": {"receipt": "r-2"}}]


@every_way
def test_a_call_that_is_no_longer_wanted_is_stopped(way: Way) -> None:
    text = """\
flow: race
nodes:
  slow: {type: call, queue: q, params: {activity: Slow}, next: end}
  quick: {type: wait, params: {for: 1s}, next: end}
  end: {type: noop, join: race}
output: ${nodes.slow.outcome}
"""
    played = play_text(text, way, slow=["slow"])
    assert played.stopped == ["slow"]
    assert played.finished.output == "cancelled"
