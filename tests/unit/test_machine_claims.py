"""Values that only an activity worker can load: a flow does the same with them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

import pytest

from flowspec.expressions import compile_template
from flowspec.machine import Call, Evaluate, Operation
from flowspec.values import Json, JsonObject, Opaque
from tests.stage import Cue, Stage, cancel, plan_of
from tests.world import Handler

SEEDS = pytest.mark.parametrize("seed", [None, 1, 2, 3])


@dataclass(frozen=True)
class Claim(Opaque):
    """Stands for a value kept elsewhere."""

    value: Json


class Workers(Stage):
    """A world whose workers load claims and work out what was left to them."""

    def _perform(self, operation: Operation) -> Any:
        if isinstance(operation, Evaluate):
            operation = replace(operation, scope=loaded(operation.scope))
        return super()._perform(operation)

    def _call(self, call: Call) -> Json:
        argument = loaded(call.argument)
        for pointer in argument.get("deferred", []):
            *way, last = pointer.split("/")[1:]
            place = argument["params"]
            for step in way:
                place = place[int(step)] if isinstance(place, list) else place[step]
            key = int(last) if isinstance(place, list) else last
            place[key] = compile_template(place[key]).evaluate(argument["scope"])
        return super()._call(replace(call, argument=argument))


def loaded(value: Any) -> Any:
    """A copy with every claim in it replaced by what it stands for."""
    match value:
        case Claim():
            return loaded(value.value)
        case dict():
            return {key: loaded(entry) for key, entry in value.items()}
        case list():
            return [loaded(entry) for entry in value]
        case _:
            return value


@dataclass(frozen=True)
class Run:
    status: str
    output: Json
    messages: list[str]
    trace: list[str]


def run(
    text: str,
    data: object,
    seed: int | None,
    *,
    slow: tuple[str, ...] = (),
    script: Sequence[Cue] = (),
) -> Run:
    messages: list[str] = []

    def write(argument: JsonObject) -> Json:
        params = cast(JsonObject, argument["params"])
        messages.append(str(params["message"]))
        return params

    plan = plan_of(text)
    handlers: dict[str, Handler] = {"log": write}
    world = Workers(
        plans={plan.flow: plan}, handlers=handlers, seed=seed, slow=slow, script=iter(script)
    )
    finished = world.play(plan.flow, cast(Json, {"data": data}))
    return Run(finished.status, loaded(finished.output), sorted(messages), world.trace)


EVERYWHERE = """\
flow: everywhere
input: {required: [data], properties: {data: {}}}
vars: {v: "${input.data.n + 1}"}
nodes:
  a:
    type: log
    when: input.data.go
    params: {message: "a ${input.data.name}", data: "${input.data}"}
    next: [{to: b, when: input.data.n > 2}, {to: c, otherwise: true}]
  b:
    type: log
    foreach: ${input.data.list}
    params: {message: "b ${item} ${index} ${input.data.name}"}
  c: {type: log, params: {message: c}}
  r:
    type: log
    params: {message: "r ${iteration}"}
    repeat: {until: iteration >= input.data.n}
  s: {type: set, params: {v: "${vars.v + input.data.n}"}}
  w: {type: wait, params: {for: "${input.data.time}"}}
  part:
    type: block
    foreach: [1, 2]
    nodes:
      q: {type: noop, next: [{to: z, when: item == input.data.one}]}
      z: {type: log, params: {message: "z ${item}"}}
    output: ${input.data.list}
output: ["${input.data.n}", "${vars.v}", "${nodes.part.output}", "${nodes.c.outcome}"]
"""
DATA: JsonObject = {"go": True, "n": 3, "name": "ada", "list": [1, 2], "time": "2s", "one": 1}


@SEEDS
@pytest.mark.parametrize("changed", [{}, {"n": 1}, {"go": False}, {"list": [], "one": 2}])
def test_a_flow_does_the_same_with_a_claim_as_with_the_value(
    seed: int | None, changed: JsonObject
) -> None:
    data = {**DATA, **changed}
    plain, claimed = run(EVERYWHERE, data, seed), run(EVERYWHERE, Claim(data), seed)
    assert (claimed.status, claimed.output) == (plain.status, plain.output)
    assert claimed.messages == plain.messages
    assert plain.status == "completed"
    assert not any(entry.startswith("evaluate") for entry in plain.trace)
    assert any(entry.startswith("evaluate") for entry in claimed.trace)


@SEEDS
def test_a_claim_handed_on_whole_is_not_loaded(seed: int | None) -> None:
    text = """\
flow: whole
input: {required: [data], properties: {data: {}}}
nodes:
  a: {type: log, params: {message: hello, data: "${input.data}"}}
output: ${nodes.a.output.data}
"""
    handed = run(text, Claim([1, 2]), seed)
    assert handed.trace == ["call a"]
    assert handed.output == [1, 2]


@SEEDS
def test_what_a_worker_cannot_work_out_fails_the_node(seed: int | None) -> None:
    text = """\
flow: wrong
input: {required: [data], properties: {data: {}}}
nodes:
  a: {type: set, params: {v: "${input.data.missing}"}, next: {failure: b}}
  b: {type: log, params: {message: "${error.node}"}}
vars: {v: 1}
"""
    assert run(text, {}, seed).messages == ["a"]


@SEEDS
def test_variables_set_from_a_claim_side_by_side_lose_nothing(seed: int | None) -> None:
    text = """\
flow: sums
input: {required: [data], properties: {data: {}}}
vars: {total: 0}
nodes:
  one: {type: set, params: {total: "${vars.total + input.data.n}"}}
  two: {type: set, params: {total: "${vars.total + input.data.n}"}}
output: ${vars.total}
"""
    assert run(text, {"n": 5}, seed).output == 10
    assert run(text, Claim({"n": 5}), seed).output == 10


OPENING = """\
flow: opening
timeout: 10s
input: {required: [data], properties: {data: {}}}
vars: {v: "${input.data.n}"}
nodes:
  a: {type: log, params: {message: "${vars.v}"}}
"""


def test_a_run_can_be_cancelled_while_its_variables_are_worked_out() -> None:
    found = run(OPENING, Claim({"n": 1}), None, slow=("~vars",), script=[cancel()])
    assert found.status == "cancelled"
    assert found.messages == []


def test_a_run_can_time_out_while_its_variables_are_worked_out() -> None:
    found = run(OPENING, Claim({"n": 1}), None, slow=("~vars",))
    assert found.status == "failed"
    assert found.messages == []
