"""Very many items: worked off in runs of their own, and in more than one go."""

from __future__ import annotations

from dataclasses import replace

from flowspec.machine import Call, Child, Machine, Program
from flowspec.plan import Plan
from flowspec.values import Json, JsonObject
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
