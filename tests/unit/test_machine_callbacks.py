"""Whoever a flow names is told of its end, and the end is the same whether they hear it or not."""

from __future__ import annotations

from typing import Any

from flowspec.values import JsonObject
from tests.stage import (
    Played,
    Way,
    cancel,
    decide,
    every_way,
    fails,
    plan_of,
    play_plans,
    play_text,
)
from tests.unit.test_machine_shards import sharded
from tests.world import as_performed

FLOW = """\
flow: f
input: {required: [n], properties: {n: {}}}
secrets: [KEY]
on_complete: {url: "https://a.example/${input.n}", secret: "${secrets.KEY}"MORE}
on_failure: {running: finish, url: "https://a.example/bad", secret: "${secrets.KEY}"MORE}
nodes:
  work: {type: log, params: {message: work}, undo: back}
  back: {type: log, params: {message: back}}
  then_: NODE
edges: [work -> then_]
output: {n: "${input.n}"}
"""
WELL = "{type: noop}"
BAD = '{type: fail, params: {message: "no", type: Bad, details: {a: 1}}}'
RUN: JsonObject = {"id": "f", "run_id": "run-1"}


def run(way: Way, node: str, more: str = "", **options: Any) -> Played:
    text = FLOW.replace("NODE", node).replace("MORE", more)
    return play_text(text, way, {"n": 7}, **options)


def sent(played: Played, id: str) -> Any:
    return as_performed(played.call(id).argument)


def event(played: Played, id: str) -> Any:
    payload = sent(played, id)["params"]["payload"]
    times = {key: payload.pop(key) for key in ("started", "ended")}
    assert times["started"] == "2030-03-17T17:46:40.000Z"
    assert times["ended"] >= times["started"]
    return payload


def about(played: Played) -> JsonObject:
    return {"flow": "f", "version": played.machine._core.program.plan.version, "run": RUN}


@every_way
def test_a_run_that_completes_tells_its_output(way: Way) -> None:
    played = run(way, WELL)
    assert played.calls == ["work", "~on_complete"]
    call = sent(played, "~on_complete")
    assert call["params"]["url"] == "https://a.example/7"
    assert call["params"]["secret"] == "${secrets.KEY}"
    assert call["key"] == "f/run-1/~on_complete"
    told = {"type": "flow.completed", **about(played), "output": {"n": 7}}
    assert event(played, "~on_complete") == told
    assert played.finished.output == {"n": 7}


@every_way
def test_a_run_that_fails_tells_why_when_all_has_been_undone(way: Way) -> None:
    played = run(way, BAD)
    assert played.calls == ["work", "back", "~on_failure"]
    told = event(played, "~on_failure")
    assert told == {"type": "flow.failed", **about(played), "error": played.error}
    assert (told["error"]["type"], told["error"]["details"]) == ("Bad", {"a": 1})


@every_way
def test_a_run_that_is_cancelled_tells_that(way: Way) -> None:
    played = run(way, "{type: event}", script=[cancel("enough")])
    assert played.calls == ["work", "back", "~on_failure"]
    assert event(played, "~on_failure")["type"] == "flow.cancelled"
    assert event(played, "~on_failure")["error"]["message"] == "enough"
    assert played.finished.status == "cancelled"


@every_way
def test_a_run_that_returns_has_completed(way: Way) -> None:
    played = run(way, "{type: return, params: {value: early}}")
    assert event(played, "~on_complete")["output"] == "early"


@every_way
def test_a_payload_of_ones_own_is_sent_instead(way: Way) -> None:
    played = run(way, BAD, ', payload: {text: "${run.flow} ${input.n}"}')
    assert sent(played, "~on_failure")["params"]["payload"] == {"text": "f 7"}


@every_way
def test_who_does_not_hear_it_changes_nothing_and_is_seen_in_the_status(way: Way) -> None:
    played = run(way, WELL, answers={"webhook.send": fails("HttpServerError", "down")})
    assert played.finished.output == {"n": 7}
    nodes: Any = played.machine.status(9)["nodes"]
    (told,) = [node for node in nodes if node["path"] == "~on_complete"]
    assert told["state"] == "failure"
    assert told["error"] == {"type": "HttpServerError", "message": "down", "attempt": 1}


@every_way
def test_a_callback_that_cannot_be_worked_out_changes_nothing(way: Way) -> None:
    played = run(way, WELL, ', payload: "${input.n.x}"')
    assert played.calls == ["work"] or played.calls == ["work", "~on_complete"]
    assert played.finished.status == "completed"


@every_way
def test_nothing_that_comes_while_somebody_is_told_makes_it_be_told_twice(way: Way) -> None:
    told: dict[str, Any] = {"slow": ["~on_complete", "~on_failure"], "script": [cancel(), cancel()]}
    assert run(way, WELL, **told).calls == ["work", "~on_complete"]
    assert run(way, WELL, **told).finished.status == "completed"
    assert run(way, BAD, **told).calls == ["work", "back", "~on_failure"]
    assert run(way, BAD, **told).error["type"] == "Bad"


@every_way
def test_the_timeout_of_a_run_does_not_count_for_telling(way: Way) -> None:
    text = FLOW.replace("flow: f\n", "flow: f\ntimeout: 1h\n", 1).replace("MORE", "")
    rest = "{type: wait, params: {for: 2h}}"
    played = play_text(text.replace("NODE", rest), way, {"n": 7})
    assert played.calls == ["work", "back", "~on_failure"]
    assert event(played, "~on_failure")["error"]["type"] == "Timeout"
    well = play_text(text.replace("NODE", WELL), way, {"n": 7})
    assert well.before("stop ~timeout", "call ~on_complete")


@every_way
def test_a_run_that_cannot_begin_tells_that_too(way: Way) -> None:
    text = FLOW.replace("secrets:", 'vars: {a: "${input.n.x}"}\nsecrets:', 1).replace("MORE", "")
    played = play_text(text.replace("NODE", WELL), way, {"n": 7})
    assert played.calls == ["~on_failure"]
    assert event(played, "~on_failure")["error"]["type"] == "ExpressionError"


@every_way
def test_a_sub_flow_tells_of_itself_and_parts_of_a_foreach_do_not(way: Way) -> None:
    wide = (
        FLOW.replace("flow: f\n", "flow: wide\n", 1)
        .replace("MORE", "")
        .replace("/${input.n}", "")
        .replace("NODE", "{type: log, foreach: [1, 2, 3, 4, 5], params: {message: x}}")
    )
    inside = FLOW.replace("MORE", "").replace("NODE", WELL)
    outer = "flow: outer\nnodes: {a: {type: flow, params: {flow: FLOW, input: {n: 7}}}}\n"
    plans = [plan_of(outer.replace("FLOW", "wide")), sharded(plan_of(wide), 2)]
    played = play_plans(plans, way)
    assert played.calls.count("~on_complete") == 1
    assert sum(entry.startswith("child then_~shard") for entry in played.trace) == 3
    plain = play_plans([plan_of(outer.replace("FLOW", "f")), plan_of(inside)], way)
    assert plain.calls == ["work", "~on_complete"]


def test_a_decision_that_comes_too_late_is_refused() -> None:
    played = run(Way(), "{type: approval}", script=[decide("then_", "approved")])
    assert played.machine.objection({"node": "then_", "action": "approved"}) is not None
