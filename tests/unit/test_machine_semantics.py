"""What the machine makes of edges, joins, conditions and failures."""

from __future__ import annotations

import pytest

from flowspec.values import Json
from tests.stage import Way, decide, every_way, fails, play_text

pytestmark = every_way

OUTCOMES = """\
flow: outcomes
input: {required: [go], properties: {go: {type: boolean}}}
nodes:
  first: {type: noop, next: [{to: second, when: input.go}]}
  second: {type: log, params: {message: second}, next: third}
  third: {type: log, params: {message: third}, next: {success: fourth, skipped: instead}}
  fourth: {type: log, params: {message: fourth}}
  instead: {type: log, params: {message: instead}}
output: ["${nodes.second.outcome}", "${nodes.third.outcome}", "${nodes.fourth.outcome}"]
"""


def test_a_node_no_taken_edge_leads_to_is_skipped_and_so_is_what_follows(way: Way) -> None:
    played = play_text(OUTCOMES, way, {"go": False})
    assert played.calls == ["instead"]
    assert played.finished.output == ["skipped", "skipped", "skipped"]


def test_a_skipped_edge_is_dead_when_the_node_ran(way: Way) -> None:
    played = play_text(OUTCOMES, way, {"go": True})
    assert played.calls == ["second", "third", "fourth"]


WHEN = """\
flow: when
input: {required: [go], properties: {go: {type: boolean}}}
nodes:
  maybe:
    type: log
    when: input.go
    params: {message: maybe}
    next: {success: then, skipped: else, always: both}
  then: {type: log, params: {message: then}}
  else: {type: log, params: {message: else}}
  both: {type: log, params: {message: both}}
output: ${nodes.maybe.outcome}
"""


@pytest.mark.parametrize(
    ("go", "calls", "outcome"),
    [(True, ["maybe", "then", "both"], "success"), (False, ["else", "both"], "skipped")],
)
def test_when_decides_whether_a_node_runs(
    way: Way, go: bool, calls: list[str], outcome: str
) -> None:
    played = play_text(WHEN, way, {"go": go})
    assert sorted(played.calls) == sorted(calls)
    assert played.finished.output == outcome


def test_a_when_that_cannot_be_judged_fails_the_node(way: Way) -> None:
    text = """\
flow: bad-when
input: {required: [count], properties: {count: {}}}
nodes:
  maybe: {type: noop, when: input.count > 3, next: {failure: rescue}}
  rescue: {type: log, params: {message: "${error.type} at ${error.node}"}}
"""
    assert play_text(text, way, {"count": "many"}).messages == ["ExpressionError at maybe"]


def test_a_condition_of_an_edge_that_cannot_be_judged_fails_the_run(way: Way) -> None:
    text = """\
flow: bad-edge
input: {required: [count], properties: {count: {}}}
nodes:
  one: {type: noop, next: [{to: two, when: input.count > 3}]}
  two: {type: log, params: {message: two}}
"""
    played = play_text(text, way, {"count": "many"})
    assert played.finished.status == "failed"
    assert played.error["type"] == "ExpressionError"
    assert "one -> two" in str(played.error["message"])
    assert played.calls == []


@pytest.mark.parametrize(
    ("amount", "taken"), [(1, ["small", "any"]), (50, ["any", "rest"]), (500, ["any", "large"])]
)
def test_otherwise_is_taken_if_no_condition_of_its_siblings_held(
    way: Way, amount: int, taken: list[str]
) -> None:
    text = """\
flow: otherwise
input: {required: [amount], properties: {amount: {type: integer}}}
nodes:
  one:
    type: noop
    next:
      - {to: rest, otherwise: true}
      - {to: small, when: input.amount < 10}
      - {to: large, when: input.amount > 100}
      - any
  small: {type: log, params: {message: small}}
  large: {type: log, params: {message: large}}
  rest: {type: log, params: {message: rest}}
  any: {type: log, params: {message: any}}
"""
    assert sorted(play_text(text, way, {"amount": amount}).calls) == sorted(taken)


# -- joins -----------------------------------------------------------------------------------------


def joined(join: str) -> str:
    return f"""\
flow: joined
input: {{required: [b, c], properties: {{b: {{type: boolean}}, c: {{type: boolean}}}}}}
nodes:
  a: {{type: log, params: {{message: a}}, next: d}}
  b: {{type: log, when: input.b, params: {{message: b}}, next: d}}
  c: {{type: log, when: input.c, params: {{message: c}}, next: d}}
  d: {{type: log, join: {join}, params: {{message: d}}}}
output: ${{nodes.d.outcome}}
"""


@pytest.mark.parametrize(
    ("join", "b", "c", "outcome"),
    [
        ("all", False, False, "success"),
        ("any", False, False, "success"),
        ("1", False, False, "success"),
        ("2", False, True, "success"),
        ("2", False, False, "skipped"),
        ("3", True, True, "success"),
        ("3", True, False, "skipped"),
        ("race", False, False, "success"),
    ],
)
def test_a_join_is_met_by_enough_taken_edges(
    way: Way, join: str, b: bool, c: bool, outcome: str
) -> None:
    played = play_text(joined(join), way, {"b": b, "c": c})
    assert played.finished.output == outcome
    assert played.calls.count("d") == (outcome == "success")


@pytest.mark.parametrize(
    ("join", "slow", "waits"),
    [
        ("all", ["c"], True),
        ("3", ["c"], True),
        ("2", ["c"], False),
        ("any", ["c"], False),
        ("2", ["b", "c"], True),
        ("any", ["b", "c"], False),
    ],
)
def test_a_join_starts_no_later_and_no_earlier_than_it_says(
    way: Way, join: str, slow: list[str], waits: bool
) -> None:
    played = play_text(joined(join), way, {"b": True, "c": True}, slow=slow)
    start = played.trace.index("call d")
    before = [node for node in slow if f"done {node}" in played.trace[:start]]
    assert bool(before) is waits
    assert played.calls.count("d") == 1
    assert played.stopped == []
    assert sorted(played.messages) == ["a", "b", "c", "d"]


@pytest.mark.parametrize("winner", ["a", "b", "c"])
def test_a_race_cancels_what_still_runs_only_for_it(way: Way, winner: str) -> None:
    losers = [node for node in ("a", "b", "c") if node != winner]
    played = play_text(joined("race"), way, {"b": True, "c": True}, slow=losers)
    assert played.stopped == losers
    assert sorted(played.messages) == sorted([winner, "d"])
    assert played.finished.status == "completed"


def test_a_race_leaves_alone_what_also_leads_elsewhere(way: Way) -> None:
    text = """\
flow: shared
nodes:
  a: {type: log, params: {message: a}, next: d}
  b: {type: log, params: {message: b}, next: [d, other]}
  d: {type: log, join: race, params: {message: d}}
  other: {type: log, params: {message: other}}
"""
    played = play_text(text, way, slow=["b"])
    assert played.stopped == []
    assert played.before("done d", "done b", "done other")


# -- failures --------------------------------------------------------------------------------------

FAILING = """\
flow: failing
nodes:
  risky:
    type: http.request
    params: {url: "https://api.example/"}
    next: {success: fine, failure: mend, timeout: hurry, always: note}
  fine: {type: log, params: {message: fine}}
  mend: {type: log, params: {message: "mend ${error.type} ${error.message} ${error.node}"}}
  hurry: {type: log, params: {message: "hurry ${error.type}"}}
  note: {type: log, params: {message: "note ${nodes.risky.outcome}"}}
"""


def test_a_failure_is_handled_by_a_failure_edge(way: Way) -> None:
    played = play_text(FAILING, way, answers={"risky": fails()})
    assert played.finished.status == "completed"
    assert sorted(played.messages) == ["mend Boom it broke risky", "note failure"]


def test_a_timeout_edge_takes_a_timeout_from_the_failure_edge(way: Way) -> None:
    played = play_text(FAILING, way, answers={"risky": fails("Timeout")})
    assert sorted(played.messages) == ["hurry Timeout", "note failure"]


def test_a_failure_edge_takes_a_timeout_where_there_is_no_timeout_edge(way: Way) -> None:
    text = """\
flow: late
nodes:
  risky: {type: fail, params: {type: Timeout, message: late}, next: {failure: mend}}
  mend: {type: log, params: {message: "mend ${error.type}"}}
"""
    assert play_text(text, way).messages == ["mend Timeout"]


def test_a_success_takes_neither(way: Way) -> None:
    assert sorted(play_text(FAILING, way).messages) == ["fine", "note success"]


@pytest.mark.parametrize("edges", ["{always: after}", "{failure: after}", "{timeout: after}"])
def test_any_edge_taken_handles_the_failure(way: Way, edges: str) -> None:
    text = f"""\
flow: handled
nodes:
  risky: {{type: fail, params: {{type: Timeout, message: no}}, next: {edges}}}
  after: {{type: log, params: {{message: after}}}}
"""
    played = play_text(text, way)
    assert played.finished.status == "completed"
    assert played.messages == ["after"]


def test_a_failure_edge_whose_condition_is_false_handles_nothing(way: Way) -> None:
    text = """\
flow: conditional
nodes:
  risky:
    type: http.request
    params: {url: "https://api.example/"}
    next: [{to: mend, on: failure, when: error.type == 'Other'}]
  mend: {type: log, params: {message: mend}}
"""
    played = play_text(text, way, answers={"risky": fails()})
    assert played.finished.status == "failed"
    assert played.error["type"] == "Boom"
    assert played.error["node"] == "risky"
    assert played.calls == ["risky"]


def test_an_action_takes_its_edge_and_that_of_success(way: Way) -> None:
    text = """\
flow: actions
nodes:
  ask: {type: approval, next: {approved: a, rejected: b, success: c}}
  a: {type: log, params: {message: a}}
  b: {type: log, params: {message: b}}
  c: {type: log, params: {message: "c ${nodes.ask.action}"}}
"""
    played = play_text(text, way, script=[decide("ask", "rejected")])
    assert sorted(played.messages) == ["b", "c rejected"]


def test_the_fail_node_fails_with_what_it_is_told(way: Way) -> None:
    text = """\
flow: strict
nodes:
  stop: {type: fail, params: {type: TooMuch, message: over 100, details: {limit: 100}}}
"""
    played = play_text(text, way)
    assert played.finished.status == "failed"
    shown: dict[str, Json] = {key: played.error[key] for key in ("type", "message", "details")}
    assert shown == {"type": "TooMuch", "message": "over 100", "details": {"limit": 100}}
    assert played.error["node"] == "stop"


def test_a_parameter_that_cannot_be_worked_out_fails_the_node_before_it_does_anything(
    way: Way,
) -> None:
    text = """\
flow: missing
input: {required: [who], properties: {who: {}}}
nodes:
  greet: {type: log, params: {message: "Hello ${input.who.name}"}, next: {failure: rescue}}
  rescue: {type: log, params: {message: "${error.type}"}}
"""
    played = play_text(text, way, {"who": {}})
    assert "done greet" not in played.trace
    assert ("greet" in played.calls) <= (way.keeps != "nothing")
    assert played.messages == ["ExpressionError"]
