"""Values that only an activity worker can load: a flow does the same with them.

That whole runs do, step by step, the tests of patterns and of the machine show: they play every
flow with values kept elsewhere, too.
"""

from __future__ import annotations

from typing import Any

import pytest

from flowspec.machine import Call, Child, Evaluate, Machine, Program
from flowspec.values import Json, JsonObject, Opaque
from tests.claims import Claim, loaded
from tests.stage import Played, Way, cancel, plan_of, play_plans, play_text, refuse
from tests.unit.test_machine_shards import sharded
from tests.world import World

WAYS = pytest.mark.parametrize(
    "way",
    [Way(seed=seed, keeps=keeps, late=True) for seed in (None, 1, 2) for keeps in ("all", "some")],
    ids=str,
)
LATE = Way(keeps="all", late=True)


def evaluations(played: Played) -> dict[str, Evaluate]:
    return {o.id: o for o in played.operations if isinstance(o, Evaluate)}


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


@WAYS
@pytest.mark.parametrize("changed", [{}, {"n": 1}, {"go": False}, {"list": [], "one": 2}])
def test_a_flow_does_the_same_with_a_claim_as_with_the_value(way: Way, changed: JsonObject) -> None:
    data = {**DATA, **changed}
    plain = play_text(EVERYWHERE, Way(seed=way.seed), {"data": data})
    claimed = play_text(EVERYWHERE, way, {"data": data})
    assert claimed.finished == plain.finished
    assert sorted(claimed.messages) == sorted(plain.messages)
    assert plain.finished.status == "completed"
    assert not evaluations(plain)
    assert evaluations(claimed)


WRONG = """\
flow: wrong
input: {required: [data], properties: {data: {}}}
vars: {v: {known: 1}}
nodes:
  a: {NODE, next: {failure: told}}
  told: {type: log, params: {message: "${error.message}", data: "${error}"}}
"""


@WAYS
@pytest.mark.parametrize(
    "node",
    [
        'type: log, params: {message: "${input.data.no}"}',
        'type: log, params: {message: "${input.data.n} ${vars.v.no}"}',
        'type: log, params: {message: "${input.data.no}", data: "${1 / 0}"}',
        'type: wait, params: {for: "${input.data.no}"}',
        'type: wait, params: {for: "${input.data.n}"}',
        'type: wait, params: {until: "${str(input.data.n)}"}',
        'type: flow, params: {flow: x, id: "${input.data.no}"}',
        "type: noop, when: input.data.n",
        "type: noop, when: input.data.n > 1 and vars.v.no",
        'type: noop, foreach: "${input.data.n}"',
        'type: noop, foreach: "${input.data.none}"',
        "type: noop, repeat: {until: input.data.n}",
        'type: log, params: {message: "${input.data.no}"}, cache: 1h',
    ],
)
def test_a_mistake_is_told_in_the_same_words(way: Way, node: str) -> None:
    text = WRONG.replace("NODE", node)
    data: JsonObject = {"data": {"n": 3, "none": None}}
    plain, claimed = play_text(text, Way(), data), play_text(text, way, data)
    assert plain.messages
    assert claimed.messages == plain.messages
    assert claimed.told("told") == plain.told("told")


@pytest.mark.parametrize(
    "text",
    [
        "vars: {v: '${input.data.no}'}\nnodes: {a: {type: noop}}",
        "nodes: {a: {type: noop}}\noutput: ${input.data.no}",
        "nodes: {a: {type: noop, next: [{to: b, when: input.data.no}]}, b: {type: noop}}",
    ],
)
def test_a_mistake_outside_a_node_is_told_in_the_same_words(text: str) -> None:
    flow = "flow: outside\ninput: {required: [data], properties: {data: {}}}\n" + text
    plain, claimed = (play_text(flow, way, {"data": {"n": 3}}) for way in (Way(), LATE))
    assert plain.finished.status == "failed"
    assert claimed.finished == plain.finished


def test_a_claim_handed_on_whole_is_not_loaded() -> None:
    text = """\
flow: whole
input: {required: [data], properties: {data: {}}}
vars: {v: null}
nodes:
  a: {type: log, params: {message: hello, data: "${input.data}"}, next: b}
  b: {type: set, params: {v: "${nodes.a.output}"}, next: c}
  c: {type: event, next: d}
  d: {type: return, params: {value: ["${vars.v}", "${nodes.c.output}"]}}
"""
    run: JsonObject = {"id": "1", "workflow_id": "w", "flow": "whole", "version": "1"}
    data: Json = {"data": Claim([1, 2])}  # type: ignore[dict-item]
    machine = Machine.start(Program(plan_of(text)), run=run, input=data, now=0.0)
    machine.advance(0.0)
    [call] = machine.take()
    assert isinstance(call, Call)
    assert call.argument["params"] == {"message": "hello", "data": Claim([1, 2])}
    machine.answer("a", {"output": Claim("done"), "action": None})  # type: ignore[dict-item]
    machine.signal("c", Claim("event"))  # type: ignore[arg-type]
    machine.advance(0.0)
    assert machine.take() == []
    assert machine.finished is not None
    output: Any = machine.finished.output
    assert output == [Claim("done"), Claim("event")]


@WAYS
def test_variables_set_from_a_claim_side_by_side_lose_nothing(way: Way) -> None:
    text = """\
flow: sums
input: {required: [data], properties: {data: {}}}
vars: {total: 0}
nodes:
  one: {type: set, params: {total: "${vars.total + input.data.n}"}}
  two: {type: set, params: {total: "${vars.total + input.data.n}"}}
output: ${vars.total}
"""
    assert play_text(text, way, {"data": {"n": 5}}).finished.output == 10


# -- items -----------------------------------------------------------------------------------------

ITEMS = """\
flow: items
input: {required: [l], properties: {l: {}}}
nodes:
  each:
    type: log
    foreach: {in: "${input.l}", concurrency: 2, BATCH}
    params: {message: "${index}: ${item}", data: "${item}"}
output: ${[out.data for out in nodes.each.output]}
"""


@WAYS
@pytest.mark.parametrize("batch", ["batch: 1", "batch: 2", "batch: 3", "batch: 9", "as: item"])
@pytest.mark.parametrize("shard", [2, 3, 1000])
@pytest.mark.parametrize("count", [0, 1, 7])
def test_a_list_kept_elsewhere_is_gone_over_like_any_other(
    way: Way, batch: str, shard: int, count: int
) -> None:
    plan = sharded(plan_of(ITEMS.replace("BATCH", batch)), shard)
    items: list[Json] = [{"n": n} for n in range(count)]
    plain, claimed = (play_plans([plan], each, {"l": items}) for each in (Way(), way))
    assert claimed.finished == plain.finished
    assert sorted(claimed.messages) == sorted(plain.messages)


def test_the_items_of_a_list_kept_elsewhere_are_never_in_the_run() -> None:
    plan = sharded(plan_of(ITEMS.replace("BATCH", "as: item")), 4)
    played = play_plans([plan], LATE, {"l": [{"n": n} for n in range(10)]})
    children = [o for o in played.operations if isinstance(o, Child)]
    told: list[Any] = [child.argument["flowrunner/shard"] for child in children]  # type: ignore[call-overload, index]
    assert [(shard["items"], shard["count"]) for shard in told] == [
        (Claim([{"n": n} for n in range(start, min(start + 4, 10))]), min(4, 10 - start))
        for start in (0, 4, 8)
    ]
    assert [child.title for child in children] == [
        "each, items 0 to 3",
        "each, items 4 to 7",
        "each, items 8 to 9",
    ]


# -- from outside ----------------------------------------------------------------------------------

APPROVAL = """\
flow: asks
nodes:
  ask: {type: approval, params: {form: {properties: {badge: {type: string}}}}}
"""


@pytest.mark.parametrize(
    "decision",
    [
        Claim({"node": "ask", "action": "approved"}),
        {"node": "ask", "action": "approved", "data": Claim({"badge": "x"})},
        {"node": "ask", "action": "approved", "data": {"badge": Claim("x")}},
        {"node": "ask", "action": Claim("approved")},
        {"node": "ask", "action": "approved", "comment": Claim("x")},
    ],
)
def test_a_decision_that_cannot_be_read_is_refused_with_what_to_do(decision: Any) -> None:
    def too_large(machine: Machine) -> None:
        objection = machine.objection(decision)
        assert objection is not None
        assert "CLAIM_CHECK_THRESHOLD" in objection
        assert "give less data" in objection

    played = play_text(APPROVAL, script=[too_large, cancel()])
    assert played.finished.status == "cancelled"


def test_a_decision_that_can_be_read_is_judged_as_ever() -> None:
    wrong = refuse("ask", "approved", "expected", data={"badge": 1})
    assert play_text(APPROVAL, script=[wrong, cancel()]).finished.status == "cancelled"


def test_labels_and_titles_never_show_a_claim() -> None:
    text = """\
flow: told
input: {required: [x], properties: {x: {}}}
labels: {bare: "${input.x}", inside: "${[input.x]}", fine: "${run.flow}"}
nodes:
  a: {type: log, title: "${[input.x]}", params: {message: hello}}
"""
    world = World(plans={"told": plan_of(text)})
    machine = world.start("told", {"x": Claim("secret")})  # type: ignore[dict-item]
    assert machine.labels() == {"fine": "told"}
    assert world.drive(machine).status == "completed"
    assert [call.title for call in world.calls] == [""]


@WAYS
@pytest.mark.parametrize("details", [{"why": 1}, [1], None, "x"])
def test_the_index_of_an_item_is_told_among_the_details_of_its_error(
    way: Way, details: Json
) -> None:
    text = """\
flow: details
input: {required: [x], properties: {x: {}}}
nodes:
  each:
    type: fail
    foreach: {in: [1, 2, 3], tolerate: 1, concurrency: 1}
    params: {message: x, details: "${input.x}"}
    next: {failure: tell}
  tell: {type: log, params: {message: x, data: "${error}"}}
"""
    plain, claimed = (play_text(text, each, {"x": details}) for each in (Way(), way))
    assert claimed.told("tell")["details"] == plain.told("tell")["details"]


def test_details_that_cannot_be_opened_are_told_as_they_are() -> None:
    text = """\
flow: details
nodes:
  each: {type: log, foreach: [1], params: {message: x}, next: {failure: tell, cancelled: tell}}
  tell: {type: log, params: {message: "${error.details.index}", data: "${error.details.details}"}}
"""
    world = World(plans={"details": plan_of(text)})
    machine = world.start("details")
    machine.advance(0.0)
    [call] = machine.take()
    error: JsonObject = {"type": "E", "message": "m", "attempt": 1}
    machine.fail(call.id, {**error, "details": Claim({"why": 1})})  # type: ignore[dict-item]
    machine.advance(0.0)
    [asked] = machine.take()
    assert isinstance(asked, Evaluate)
    machine.fail(asked.id, {"type": "BlobMissing", "message": "gone", "attempt": 1})
    machine.advance(0.0)
    [tell] = machine.take()
    assert isinstance(tell, Call)
    assert tell.argument["params"] == {"message": 0, "data": Claim({"why": 1})}


def test_what_is_put_away_in_a_run_is_not_put_away_in_its_plan() -> None:
    text = """\
flow: plan
vars: {v: [1]}
nodes:
  each: {type: event, foreach: {in: [{a: 1}, {a: 2}], concurrency: 1}, params: {name: go}}
  set: {type: set, params: {v: [2]}}
output: ["${vars.v}", "${nodes.each.output}"]
"""
    program = Program(plan_of(text))
    outputs: list[Any] = []
    for _ in range(2):
        machine = Machine.start(program, run={"id": "1"}, input={}, now=0.0)
        machine.advance(0.0)
        for container, key in machine.slots():
            container[key] = Claim(loaded(container[key]))
        for number in range(2):
            machine.signal("go", number)
            machine.advance(0.0)
        assert machine.finished is not None
        outputs.append(machine.finished.output)
    assert program.template("each", "foreach", None).evaluate({}) == [{"a": 1}, {"a": 2}]
    assert outputs == [[Claim([2]), [0, 1]]] * 2


def test_opaque_itself_is_only_a_promise() -> None:
    assert Opaque().may_be_null
    with pytest.raises(NotImplementedError):
        Opaque().part(0)
