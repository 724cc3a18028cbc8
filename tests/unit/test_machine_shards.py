"""Very many items: worked off in runs of their own, and in more than one go."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, cast

from flowspec.machine import (
    Call,
    Child,
    Machine,
    Operation,
    Program,
    Stop,
    make_error,
)
from flowspec.plan import Plan, load_plan
from flowspec.values import Json, JsonObject
from tests.claims import Claim, from_text, loaded, to_text
from tests.stage import Played, Way, every_way, fails, plan_of, play_plans
from tests.world import Handler

NUMBERED = """\
flow: numbered
input: {required: [items], properties: {items: {}}}
nodes:
  each:
    type: log
    foreach: {in: "${input.items}", concurrency: 2, tolerate: 2}
    params: {message: "${index}", data: "${item}"}
    next: {success: after, failure: handled}
  after: {type: log, params: {message: after, data: "${default(nodes.each.error, null)}"}}
  handled: {type: log, params: {message: handled, data: "${error}"}}
output: ${[out.data if out != null else null for out in default(nodes.each.output, [])]}
"""


def failing(*indices: int) -> dict[str, Handler]:
    return {f"each.{index}": fails("Boom", f"no {index}") for index in indices}


def sharded(plan: Plan, size: int) -> Plan:
    nodes = tuple(
        replace(node, foreach=replace(node.foreach, shard=size)) if node.foreach else node
        for node in plan.graph.nodes
    )
    return replace(plan, graph=replace(plan.graph, nodes=nodes))


def play_sharded(
    text: str, way: Way, input: JsonObject, answers: dict[str, Handler] | None = None
) -> Played:
    return play_plans([sharded(plan_of(text), 4)], way, input, answers=answers)


@every_way
def test_many_items_are_worked_off_in_runs_of_their_own(way: Way) -> None:
    items: list[Json] = [f"i{n}" for n in range(10)]
    played = play_sharded(NUMBERED, way, {"items": items})
    assert played.finished.output == items
    children = [o for o in played.operations if isinstance(o, Child)]
    assert [child.id for child in children] == ["each~shard0", "each~shard1", "each~shard2"]
    assert sorted(played.calls[:-1]) == sorted(f"each.{n}" for n in range(10))
    assert sorted(played.messages[:-1]) == [str(n) for n in range(10)]


@every_way
def test_every_round_of_a_loop_performs_its_items_under_keys_of_their_own(way: Way) -> None:
    text = """\
flow: rounds
nodes:
  each: {type: log, foreach: [1, 2, 3, 4, 5], params: {message: "${iteration}"}, next: again}
  again: {type: noop, next: [{to: each, when: iteration < 2}]}
"""
    played = play_sharded(text, way, {})
    calls = [f"each#{n}.{i}" for n in (1, 2) for i in range(5)]
    expected = sorted(call.replace("each#1.", "each.") for call in calls)
    assert sorted(played.calls) == expected
    keys = [str(call.argument["key"]) for call in played.operations if isinstance(call, Call)]
    assert len(dict.fromkeys(keys)) == len(keys)


@every_way
def test_as_many_items_as_a_shard_holds_stay_in_the_run(way: Way) -> None:
    played = play_sharded(NUMBERED, way, {"items": [1, 2, 3, 4]})
    assert not any(isinstance(o, Child) for o in played.operations)


@every_way
def test_failures_are_counted_across_shards(way: Way) -> None:
    items: list[Json] = list(range(10))
    text = NUMBERED
    fine = play_sharded(text, way, {"items": items}, answers=failing(1, 9))
    assert fine.finished.output == [None if n in (1, 9) else n for n in range(10)]
    error = fine.told("after")
    assert error["message"] == "2 of 10 items failed"
    details = error["details"]
    assert isinstance(details, dict)
    shown = details["failed"]
    assert isinstance(shown, list)
    assert [one["index"] for one in shown if isinstance(one, dict)] == [1, 9]
    broken = play_sharded(text, way, {"items": items}, answers=failing(1, 4, 5))
    assert "handled" in broken.calls
    assert "each.9" not in broken.calls


WIDE = """\
flow: wide
input: {required: [items], properties: {items: {}}}
nodes:
  each:
    type: log
    foreach: {in: "${input.items}", concurrency: 80, tolerate: 2}
    params: {message: "${index}"}
output: ${nodes.each.output}
"""


def wide(joins: bool = True, text: str = WIDE) -> Machine:
    """A run of ten items in five shards, about to start."""
    run: JsonObject = {"id": "1", "workflow_id": "w", "flow": "wide", "version": "1", "started": ""}
    program = Program(sharded(plan_of(text), 2))
    machine = Machine.start(program, run=run, input={"items": list(range(10))}, now=0.0)
    machine.let_differ(lambda _: joins)
    return machine


def asked(machine: Machine) -> list[Operation]:
    assert machine.advance(0.0)
    return machine.take()


def shards_of(machine: Machine) -> list[str]:
    return [o.id for o in asked(machine) if isinstance(o, Child)]


def shown(machine: Machine) -> JsonObject:
    nodes = machine.status(10)["nodes"]
    assert isinstance(nodes, list)
    assert isinstance(nodes[0], dict)
    return nodes[0]


def answer(number: int, *failed: int) -> JsonObject:
    """What a shard gives of which so many items failed."""
    outputs: list[Json] = [None if index in failed else index for index in (0, 1)]
    if not failed:
        return {"outputs": outputs, "error": None}
    told: list[Json] = [
        {"index": 2 * number + index, "type": "Boom", "message": "no"} for index in failed
    ]
    return {"outputs": outputs, "error": {"details": {"count": len(failed), "failed": told}}}


def test_shards_run_side_by_side_with_their_shares_of_the_concurrency() -> None:
    machine = wide()
    children = [o for o in asked(machine) if isinstance(o, Child)]
    assert [child.id for child in children] == ["each~shard0", "each~shard1", "each~shard2"]
    plans = [load_plan(child.argument["flowrunner/shard"]["plan"]) for child in children]  # type: ignore[call-overload, index]
    shares = [node.foreach.concurrency for plan in plans for node in plan.graph.nodes]  # type: ignore[union-attr]
    assert shares == [26, 26, 26], "80 at a time, all of them together"


def test_shards_end_in_any_order_and_the_outputs_are_in_that_of_the_items() -> None:
    machine = wide()
    assert len(shards_of(machine)) == 3
    machine.answer("each~shard2", answer(2, 0))
    assert shards_of(machine) == ["each~shard3"]
    assert (shown(machine)["done"], shown(machine)["total"]) == (2, 10)
    for number in (3, 1, 4):
        machine.answer(f"each~shard{number}", answer(number))
        asked(machine)
    machine.answer("each~shard0", answer(0, 1))
    asked(machine)
    assert machine.finished is not None
    assert machine.finished.output == [0, None, 0, 1, None, 1, 0, 1, 0, 1]
    error = shown(machine)["error"]
    assert isinstance(error, dict)
    assert error["message"] == "2 of 10 items failed"


def test_shards_that_together_fail_more_than_is_tolerated_end_the_node() -> None:
    machine = wide()
    shards_of(machine)
    machine.answer("each~shard2", answer(2, 0, 1))
    assert machine.advance(0.0)
    machine.answer("each~shard0", answer(0, 1))
    stopped = [o.id for o in asked(machine) if isinstance(o, Stop)]
    assert stopped == ["each~shard1", "each~shard3"]
    for id in stopped:
        machine.fail(id, make_error("Cancelled", "stopped"))
    asked(machine)
    assert machine.finished is not None
    error = machine.finished.error
    assert error is not None
    assert (error["type"], error["details"]) == ("Boom", {"index": 5, "count": 3})


def test_a_run_of_an_earlier_release_goes_on_with_one_shard_after_the_other() -> None:
    machine = wide(joins=False)
    claimed = cast(Json, Claim([0, 1]))
    for number in range(5):
        assert shards_of(machine) == [f"each~shard{number}"]
        machine.answer(f"each~shard{number}", {"outputs": claimed, "error": None})
    assert asked(machine) == []
    assert machine.finished is not None
    assert loaded(machine.finished.output) == [0, 1] * 5


def test_a_state_of_an_earlier_release_has_an_output_for_each_item() -> None:
    machine = wide(joins=False)
    shards_of(machine)
    machine.answer("each~shard0", {"outputs": [0, 1], "error": None})
    machine.drain()
    asked(machine)
    state: Any = from_text(to_text(machine.dump()))
    run = state["runs"]["each"]
    for name in ("lanes", "shards", "parts", "apart"):
        del run[name]
    run |= {"shard": None, "outputs": [0, 1, *[None] * 8]}
    machine = Machine.load(Program(sharded(plan_of(WIDE), 2)), state)
    for number in range(1, 5):
        assert shards_of(machine) == [f"each~shard{number}"]
        machine.answer(f"each~shard{number}", {"outputs": [number, number], "error": None})
    asked(machine)
    assert machine.finished is not None
    assert machine.finished.output == [0, 1, 1, 1, 2, 2, 3, 3, 4, 4]


def test_a_shard_is_not_told_what_only_its_items_were_made_of() -> None:
    machine = wide()
    (first, *_) = (o for o in asked(machine) if isinstance(o, Child))
    told: Any = first.argument
    assert told["flowrunner/shard"]["items"] == [0, 1]
    assert "input" not in told["flowrunner/shard"]["scope"]


@every_way
def test_a_block_in_a_shard_sees_what_is_outside(way: Way) -> None:
    text = """\
flow: outside
input: {required: [items, greeting], properties: {items: {type: array}, greeting: {}}}
vars: {mark: "!"}
nodes:
  name: {type: log, params: {message: Ada}, next: each}
  each:
    type: block
    foreach: {in: "${input.items}", as: number}
    nodes:
      say:
        type: log
        params:
          message: >-
            ${input.greeting} ${nodes.name.output.message}${vars.mark}
            ${number} ${index} ${run.flow}
    output: ${nodes.say.output.message}
output: ${nodes.each.output}
"""
    items: list[Json] = [10, 11, 12, 13, 14]
    played = play_sharded(text, way, {"items": items, "greeting": "Hi"})
    assert played.finished.output == [f"Hi Ada! {n + 10} {n} outside" for n in range(5)]
    assert any(isinstance(o, Child) for o in played.operations)


@every_way
def test_variables_that_many_items_set_are_set_in_the_run(way: Way) -> None:
    text = """\
flow: sums
vars: {total: 0}
nodes:
  add: {type: set, foreach: [1, 2, 3, 4, 5, 6], params: {total: "${vars.total + item}"}}
output: ${vars.total}
"""
    assert play_sharded(text, way, {}).finished.output == 21


@every_way
def test_a_shard_is_stopped_when_the_node_runs_out_of_time(way: Way) -> None:
    text = """\
flow: late
nodes:
  each:
    type: log
    foreach: [1, 2, 3, 4, 5, 6, 7, 8, 9]
    params: {message: "${item}"}
    timeout: 10s
    next: {timeout: after}
  after: {type: log, params: {message: after}}
"""
    played = play_plans([sharded(plan_of(text), 4)], way, slow=["each~shard1"])
    assert played.stopped == ["each~shard1"]
    assert sorted(played.messages) == ["1", "2", "3", "4", "after"]


@every_way
def test_items_that_wait_for_something_from_outside_are_not_sent_away(way: Way) -> None:
    text = """\
flow: listening
nodes:
  each: {type: event, foreach: [1, 2, 3, 4, 5], params: {name: go}}
"""

    def go(machine: Machine) -> None:
        for number in range(5):
            machine.signal("go", number)

    played = play_plans([sharded(plan_of(text), 2)], way, script=[go])
    assert played.finished.status == "completed"


def test_a_huge_inline_foreach_leaves_the_driver_time_to_breathe() -> None:
    text = """\
flow: huge
input: {required: [items], properties: {items: {type: array}}}
nodes:
  each: {type: noop, foreach: {in: "${input.items}", concurrency: 1000}}
output: ${len(nodes.each.output)}
"""
    plan = sharded(plan_of(text), 1_000_000)
    run: JsonObject = {"id": "1", "workflow_id": "w", "flow": "huge", "version": "1", "started": ""}
    items: list[Json] = list(range(20_000))
    machine = Machine.start(Program(plan), run=run, input={"items": items}, now=0.0)
    pauses = 0
    while not machine.advance(0.0):
        assert machine.finished is None
        pauses += 1
    assert pauses > 0
    assert machine.finished is not None
    assert machine.finished.output == 20_000
