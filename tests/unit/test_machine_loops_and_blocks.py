"""Rounds of loops, graphs inside nodes, and the variables they share."""

from __future__ import annotations

import pytest

from flowspec.values import Json
from tests.stage import Way, decide, every_way, fails, play_text

pytestmark = every_way

COUNTED = """\
flow: counted
nodes:
  turn: {type: log, params: {message: "turn ${iteration}"}, next: [left, right]}
  left: {type: log, params: {message: "left ${iteration}"}, next: meet}
  right: {type: log, params: {message: "right ${iteration}"}, next: meet}
  meet:
    type: noop
    next: [{to: turn, when: iteration < 3}, {to: out, when: iteration == 3}]
  out: {type: log, params: {message: out}}
"""


def test_iteration_counts_the_rounds_from_one(way: Way) -> None:
    played = play_text(COUNTED, way)
    rounds = [sorted(played.messages[at : at + 3]) for at in (0, 3, 6)]
    assert rounds == [[f"left {n}", f"right {n}", f"turn {n}"] for n in (1, 2, 3)]
    assert played.messages[9:] == ["out"]


@pytest.mark.parametrize("slow", ["left", "right"])
def test_a_round_begins_when_everything_in_the_loop_has_come_to_rest(way: Way, slow: str) -> None:
    text = COUNTED.replace("  meet:\n    type: noop\n", "  meet:\n    type: noop\n    join: any\n")
    played = play_text(text, way, slow=[slow])
    assert played.before(f"done {slow}", "call turn#2")


def test_an_edge_that_leaves_the_loop_counts_as_it_was_in_the_last_round(way: Way) -> None:
    text = """\
flow: leaving
nodes:
  try: {type: approval, params: {actions: [good, bad, enough]}, next: {bad: note, good: fine}}
  note: {type: log, params: {message: "bad ${iteration}"}, next: [try, {to: sorry}]}
  fine: {type: log, params: {message: fine}}
  sorry: {type: log, params: {message: sorry}}
"""
    text = text.replace("actions: [good, bad, enough]", "actions: [good, bad]")
    played = play_text(text, way, script=[decide("try", "bad"), decide("try", "good")])
    assert played.messages == ["bad 1", "fine"]


def test_a_skipped_member_does_not_keep_the_output_of_an_earlier_round(way: Way) -> None:
    text = """\
flow: forgetful
nodes:
  turn: {type: noop, next: [{to: odd, when: iteration != 2}, {to: look, otherwise: true}]}
  odd: {type: log, params: {message: "odd ${iteration}"}, next: look}
  look:
    type: log
    params: {message: "look ${default(nodes.odd.output.message, 'nothing')}"}
    next: [{to: turn, when: iteration < 3}]
"""
    assert play_text(text, way).messages == [
        "odd 1",
        "look odd 1",
        "look nothing",
        "odd 3",
        "look odd 3",
    ]


def test_loops_inside_loops_count_for_themselves(way: Way) -> None:
    text = """\
flow: nested
nodes:
  outer: {type: log, params: {message: "outer ${iteration}"}, next: inner}
  inner:
    type: log
    params: {message: "inner ${iteration}"}
    next: [{to: inner, when: iteration < 2}, {to: close, when: iteration == 2}]
  close: {type: noop, next: [{to: outer, when: iteration < 3}]}
"""
    played = play_text(text, way)
    assert played.messages == [
        said for n in (1, 2, 3) for said in (f"outer {n}", "inner 1", "inner 2")
    ]
    assert played.calls[-3:] == ["outer#3", "inner#3#1", "inner#3#2"]


ENDLESS = """\
flow: endless
nodes:
  turn: {type: log, params: {message: turn}, next: [{to: turn, limit: 4}, out]}
  out: {type: log, params: {message: out}}
"""


def test_a_loop_fails_the_run_at_its_limit(way: Way) -> None:
    played = play_text(ENDLESS, way)
    assert played.finished.status == "failed"
    assert played.error["type"] == "LoopLimit"
    assert played.error["node"] == "turn"
    assert "4 times" in str(played.error["message"])


def test_at_the_limit_nothing_after_the_loop_is_started(way: Way) -> None:
    assert play_text(ENDLESS, way).calls == ["turn", "turn#2", "turn#3", "turn#4"]


def test_a_loop_may_end_in_the_round_of_its_limit(way: Way) -> None:
    text = """\
flow: just
nodes:
  turn:
    type: log
    params: {message: turn}
    next: [{to: turn, when: iteration < 4, limit: 4}]
"""
    played = play_text(text, way)
    assert played.finished.status == "completed"
    assert len(played.calls) == 4


def test_unlimited_is_more_than_the_default(way: Way) -> None:
    text = """\
flow: long
vars: {count: 0}
nodes:
  add:
    type: set
    params: {count: "${vars.count + 1}"}
    next: [{to: add, when: vars.count < 1200, limit: unlimited}]
output: ${vars.count}
"""
    if not way.revive:
        assert play_text(text, way).finished.output == 1200


# -- blocks ----------------------------------------------------------------------------------------


def test_what_is_inside_reads_what_is_outside(way: Way) -> None:
    text = """\
flow: inside
input: {required: [who], properties: {who: {type: string}}}
nodes:
  name: {type: log, params: {message: "Dr ${input.who}"}, next: outer}
  outer:
    type: block
    foreach: {in: [a, b], as: letter}
    nodes:
      one: {type: log, params: {message: "${letter}${index}"}, next: deep}
      deep:
        type: block
        foreach: {in: [1, 2], as: digit}
        nodes:
          two:
            type: log
            params:
              message: "${nodes.name.output.message} ${nodes.one.output.message} ${letter}${digit}"
        output: ${nodes.two.output.message}
    output: ${nodes.deep.output}
output: ${nodes.outer.output}
"""
    assert play_text(text, way, {"who": "Ada"}).finished.output == [
        ["Dr Ada a0 a1", "Dr Ada a0 a2"],
        ["Dr Ada b1 b1", "Dr Ada b1 b2"],
    ]


def test_a_block_has_no_output_but_the_one_it_says(way: Way) -> None:
    text = """\
flow: silent
nodes:
  part: {type: block, nodes: {one: {type: log, params: {message: one}}}}
output: ["${nodes.part.output}", "${nodes.part.outcome}"]
"""
    assert play_text(text, way).finished.output == [None, "success"]


def test_a_failure_inside_is_that_of_the_block(way: Way) -> None:
    text = """\
flow: failing
nodes:
  part:
    type: block
    next: {failure: after}
    nodes:
      long: {type: event}
      bad: {type: http.request, params: {url: "https://api.example/"}}
  after: {type: log, params: {message: "${error.type} in ${error.node}"}}
"""
    played = play_text(text, way, answers={"part/bad": fails()})
    assert played.messages == ["Boom in part/bad"]
    assert played.finished.status == "completed"


def test_a_block_may_let_its_nodes_finish(way: Way) -> None:
    text = """\
flow: finishing
nodes:
  part:
    type: block
    on_failure: finish
    next: {failure: after}
    nodes:
      long: {type: log, params: {message: long}, next: later}
      later: {type: log, params: {message: later}}
      bad: {type: fail, params: {message: bad}}
  after: {type: log, params: {message: after}}
"""
    assert play_text(text, way, slow=["part/long"]).messages == ["long", "after"]


def test_a_loop_works_inside_a_block_and_a_block_inside_a_loop(way: Way) -> None:
    text = """\
flow: both
nodes:
  part:
    type: block
    nodes:
      spin:
        type: log
        params: {message: "spin ${iteration}"}
        next: [{to: spin, when: iteration < 2}]
    next: again
  again: {type: noop, next: [{to: part, when: iteration < 2}]}
"""
    played = play_text(text, way)
    assert played.messages == ["spin 1", "spin 2", "spin 1", "spin 2"]
    assert played.calls == ["part/spin", "part/spin#2", "part#2/spin", "part#2/spin#2"]


def test_iteration_inside_a_block_is_that_of_the_loop_around_it(way: Way) -> None:
    text = """\
flow: around
nodes:
  part:
    type: block
    nodes: {say: {type: log, params: {message: "round ${iteration}"}}}
    next: again
  again: {type: noop, next: [{to: part, when: iteration < 3}]}
"""
    assert play_text(text, way).messages == ["round 1", "round 2", "round 3"]


# -- variables -------------------------------------------------------------------------------------


def test_a_set_computes_all_from_the_old_values(way: Way) -> None:
    text = """\
flow: swap
input: {required: [a], properties: {a: {}}}
vars: {a: "${input.a}", b: 2}
nodes:
  swap: {type: set, params: {a: "${vars.b}", b: "${vars.a}"}}
output: ["${vars.a}", "${vars.b}", "${nodes.swap.output}"]
"""
    output: list[Json] = [2, 1, {"a": 2, "b": 1}]
    assert play_text(text, way, {"a": 1}).finished.output == output


def test_sets_side_by_side_lose_nothing(way: Way) -> None:
    text = """\
flow: side-by-side
vars: {count: 0}
nodes:
  one: {type: set, params: {count: "${vars.count + 1}"}}
  two: {type: set, params: {count: "${vars.count + 1}"}}
  part:
    type: block
    nodes: {three: {type: set, params: {count: "${vars.count + 1}"}}}
output: ${vars.count}
"""
    assert play_text(text, way).finished.output == 3


def test_variables_are_shared_with_a_block(way: Way) -> None:
    text = """\
flow: shared
vars: {count: 1}
nodes:
  part:
    type: block
    repeat: {until: vars.count >= 100}
    nodes: {double: {type: set, params: {count: "${vars.count * 3}"}}}
output: ${vars.count}
"""
    assert play_text(text, way).finished.output == 243


def test_every_item_of_a_block_works_on_a_copy(way: Way) -> None:
    text = """\
flow: copies
vars: {count: 1}
nodes:
  part:
    type: block
    foreach: [10, 20]
    nodes:
      add: {type: set, params: {count: "${vars.count + item}"}, next: again}
      again: {type: set, params: {count: "${vars.count * 2}"}}
    output: ${vars.count}
output: ["${vars.count}", "${nodes.part.output}"]
"""
    assert play_text(text, way).finished.output == [1, [22, 42]]
