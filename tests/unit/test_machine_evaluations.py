"""What a worker is asked to evaluate, and what may happen meanwhile."""

from __future__ import annotations

from typing import Any, cast

import pytest

from flowspec.machine import Evaluate, Machine, Program
from flowspec.values import Json, JsonObject
from tests.claims import Claim
from tests.stage import cancel, plan_of, play_text, signal
from tests.unit.test_machine_claims import LATE, evaluations
from tests.world import World

WANTED = """\
flow: wanted
input: {required: [x], properties: {x: {}}}
vars: {v: 1}
nodes:
  set: {type: set, params: {v: "${[input.x.y]}"}}
  wait: {type: wait, params: {for: "${input.x.y}"}, when: input.x.b}
  event: {type: event, params: {name: "${input.x.y}"}, next: [{to: noop, when: input.x.b}]}
  noop: {type: noop}
  approval: {type: approval, params: {title: "${input.x.y}", form: {title: "${input.x.y}"}}}
  fail:
    type: fail
    params: {message: "${input.x.y}", details: "${input.x}"}
    next: {failure: noop}
  flow: {type: flow, params: {flow: "${input.x.y}", input: {a: "${input.x}"}}}
  each: {type: noop, foreach: "${input.x.l}", repeat: {while: input.x.b, limit: 1}}
  cached: {type: log, params: {message: "${input.x.y}"}, cache: 1h}
  back: {type: return, params: {value: "${input.x.y}"}}
"""


def test_what_is_wanted_of_an_evaluation_is_what_can_be_read() -> None:
    data: JsonObject = {"x": {"y": "1s", "b": True, "l": [1]}}
    asked = evaluations(play_text(WANTED, LATE, data))
    assert {id: (each.want, each.loose) for id, each in asked.items()} == {
        "set~params": ("members", None),
        "wait~when": ("condition", None),
        "wait~params": ("members", ()),
        "event~params": ("members", ()),
        "approval~params": ("members", ()),
        "fail~params": ("members", ("details",)),
        "flow~params": ("members", ("input",)),
        "each~foreach": ("items", None),
        "each.0~repeat": ("condition", None),
        "cached~key": ("digest", None),
        "back~params": ("members", ("value",)),
    }


@pytest.mark.parametrize(
    ("params", "read"),
    [
        ("{type: wait, params: {for: VALUE}}", True),
        ("{type: event, params: {name: VALUE}}", True),
        ("{type: approval, params: {form: {title: VALUE}}}", True),
        ("{type: fail, params: {message: VALUE}}", True),
        ("{type: fail, params: {message: no, details: VALUE}}", False),
        ("{type: flow, params: {flow: VALUE}}", True),
        ("{type: flow, params: {flow: x, input: VALUE}}", False),
        ("{type: return, params: {value: VALUE}}", False),
        ("{type: noop, foreach: VALUE}", True),
        ("{type: noop, foreach: [VALUE]}", False),
        ("{type: log, params: {message: VALUE}}", False),
        ("{type: log, cache: 1h, params: {message: VALUE}}", True),
        ("{type: log, cache: {key: VALUE, ttl: 1h}, params: {message: x}}", True),
    ],
)
def test_a_claim_is_loaded_where_it_is_read_and_only_there(params: str, read: bool) -> None:
    text = f"""\
flow: bare
input: {{required: [x], properties: {{x: {{}}}}}}
nodes:
  a: {params.replace("VALUE", '"${input.x}"')}
"""
    run: JsonObject = {"id": "1", "workflow_id": "w", "flow": "bare", "version": "1"}
    data: Json = {"x": Claim("1s")}  # type: ignore[dict-item]
    machine = Machine.start(Program(plan_of(text)), run=run, input=data, now=0.0)
    machine.advance(0.0)
    assert any(isinstance(operation, Evaluate) for operation in machine.take()) is read


def test_a_worker_is_asked_only_for_what_cannot_be_had_here() -> None:
    text = """\
flow: partly
input: {required: [data, large], properties: {data: {}, large: {}}}
nodes: {a: {type: noop}}
output: {n: "${input.data.n}", all: "${input.large}", two: "${1 + 1}"}
"""
    world = World(plans={"partly": plan_of(text)})
    large = Claim("x")
    machine = world.start("partly", {"data": Claim({"n": 1}), "large": large})  # type: ignore[dict-item]
    machine.advance(0.0)
    [asked] = machine.take()
    assert isinstance(asked, Evaluate)
    assert asked.deferred == ("/n",)
    assert cast(Any, asked.source) == {"n": "${input.data.n}", "all": large, "two": 2}
    assert cast(Any, asked.scope) == {"input": {"data": Claim({"n": 1})}}


OPENING = """\
flow: opening
timeout: 10s
input: {required: [data], properties: {data: {}}}
vars: {v: "${input.data.n}"}
nodes:
  a: {type: log, params: {message: "${vars.v}"}}
"""


def test_a_run_can_be_cancelled_while_its_variables_are_worked_out() -> None:
    found = play_text(OPENING, LATE, {"data": {"n": 1}}, slow=("~vars",), script=[cancel()])
    assert found.finished.status == "cancelled"
    assert found.messages == []


def test_a_run_can_time_out_while_its_variables_are_worked_out() -> None:
    found = play_text(OPENING, LATE, {"data": {"n": 1}}, slow=("~vars",))
    assert found.finished.status == "failed"
    assert found.messages == []


WITHDRAWN = """\
flow: withdrawn
input: {required: [x], properties: {x: {}}}
nodes:
  slow:
    NODE
    next: {cancelled: tidy}
  stop: {type: event, next: done}
  done: {type: return}
  tidy: {type: log, params: {message: "slow is ${nodes.slow.outcome}"}}
"""
KEY = "slow~key"


@pytest.mark.parametrize(
    ("node", "slow", "outcome"),
    [
        ("type: wait\n    params: {for: '${input.x.t}'}", "slow~params", "cancelled"),
        ("type: noop\n    when: input.x.b", "slow~when", "cancelled"),
        ("type: noop\n    foreach: '${input.x.l}'", "slow~foreach", "cancelled"),
        (
            "type: log\n    params: {message: '${input.x.t}'}\n    cache: 1h",
            "slow~key",
            "cancelled",
        ),
        ("type: noop\n    repeat: {until: input.x.b}", "slow~repeat", None),
    ],
)
def test_a_node_can_be_withdrawn_while_something_of_it_is_worked_out(
    node: str, slow: str, outcome: str | None
) -> None:
    text = WITHDRAWN.replace("NODE", node)
    data: JsonObject = {"x": {"t": "1s", "b": True, "l": [1]}}
    played = play_text(text, LATE, data, slow=(slow,), script=[signal("stop")])
    assert played.finished.status == "completed"
    assert played.messages == ([f"slow is {outcome}"] if outcome else [])


def test_a_withdrawn_change_of_variables_is_not_worked_out_once_more() -> None:
    text = """\
flow: once
input: {required: [x], properties: {x: {}}}
vars: {v: 0, s: 0}
nodes:
  a: {type: set, params: {v: "${input.x.n + vars.s}"}}
  b: {type: event, next: c}
  c: {type: set, params: {s: 1}}
"""
    world = World(plans={"once": plan_of(text)})
    machine = world.start("once", {"x": Claim({"n": 1})})  # type: ignore[dict-item]
    machine.advance(0.0)
    machine.signal("b", None)
    machine.advance(0.0)
    machine.cancel("enough")
    machine.advance(0.0)
    machine.take()
    machine.answer("a~params", {"v": 1})
    machine.advance(0.0)
    assert machine.take() == []
    assert machine.finished is not None
    assert machine.finished.status == "cancelled"
