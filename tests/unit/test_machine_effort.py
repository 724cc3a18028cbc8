"""A machine that has much to do pauses: its driver has some seconds for what it does in one go."""

from __future__ import annotations

from itertools import count
from typing import Any

import pytest

from flowspec.machine import Machine, Program
from flowspec.machine.patches import RESTS_BY_EFFORT
from flowspec.values import JsonObject
from tests.stage import plan_of

LOOP = """\
flow: laborious
vars: {n: 0}
nodes:
  work: {WORK, next: [{to: work, when: iteration < 29}, {to: end, otherwise: true}]}
  end: {type: noop}
"""
SUM = "${sum(range(30000))}"


def fan(node: str, width: int = 3_000) -> str:
    nodes = "\n".join(f"  n{number}: {node}" for number in range(width))
    return f"flow: fan\nnodes:\n{nodes}\n"


def machine_of(text: str) -> Machine:
    plan = plan_of(text)
    run: JsonObject = {"flow": plan.flow, "workflow_id": "w", "id": "r"}
    return Machine.start(Program(plan), run=run, input={}, now=0.0)


def pauses(machine: Machine) -> int:
    """How often it pauses until it has nothing left to do."""
    for number in count():
        if machine.advance(0.0):
            return number
        machine.take()
    raise AssertionError


def let_nothing_differ(machine: Machine) -> list[str]:
    """The patches that it asks for, and is refused."""
    asked: list[str] = []

    def patched(patch: str) -> bool:
        asked.append(patch)
        return False

    machine.let_differ(patched)
    return asked


@pytest.mark.parametrize(
    "work",
    [
        pytest.param(f'type: set, params: {{n: "{SUM}"}}', id="parameters"),
        pytest.param("type: noop, when: sum(range(30000)) > 0", id="a condition"),
        pytest.param(f'type: noop, title: "{SUM}"', id="a title"),
    ],
)
def test_costly_expressions_are_worked_out_a_few_at_a_time(work: str) -> None:
    machine = machine_of(LOOP.replace("WORK", work))
    assert pauses(machine) >= 3
    assert machine.finished is not None


def test_many_cheap_steps_take_a_few_pauses_too() -> None:
    machine = machine_of(fan("{type: noop}"))
    assert pauses(machine) >= 1
    assert machine.finished is not None


def test_what_is_cheap_and_little_takes_none() -> None:
    assert pauses(machine_of(LOOP.replace("WORK", "type: noop"))) == 0


def test_many_calls_are_asked_for_in_several_goes() -> None:
    machine = machine_of(fan("{type: log, params: {message: hello}}"))
    asked: list[Any] = []
    while not machine.advance(0.0):
        asked.append(machine.take())
    asked.append(machine.take())
    assert len(asked) >= 3
    assert max(map(len, asked)) <= 1_000
    assert len({call.id for some in asked for call in some}) == 3_000


def test_a_run_of_an_earlier_release_pauses_where_it_would_have() -> None:
    machine = machine_of(LOOP.replace("WORK", f'type: set, params: {{n: "{SUM}"}}'))
    asked = let_nothing_differ(machine)
    assert pauses(machine) == 0
    assert set(asked) == {RESTS_BY_EFFORT}


def test_a_run_with_little_to_do_does_not_say_how_it_pauses() -> None:
    """Each such word is an event in its history."""
    machine = machine_of(LOOP.replace("WORK", "type: noop"))
    asked = let_nothing_differ(machine)
    assert pauses(machine) == 0
    assert asked == []
