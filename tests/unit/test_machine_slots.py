"""Before a run moves every value in it can be put away; none is left behind."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest

from flowspec.machine import (
    SHARD_ARGUMENT,
    Call,
    Child,
    Machine,
    Operation,
    Program,
    Sleep,
    Stop,
)
from flowspec.machine.state import slots
from flowspec.plan import load_plan
from flowspec.values import JsonObject
from tests.claims import Claim, from_text, loaded, to_text
from tests.stage import plan_of
from tests.unit.test_machine_not_started import never_began
from tests.unit.test_machine_shards import sharded

RUN: JsonObject = {"id": "run-1", "workflow_id": "w", "flow": "f", "version": "1", "started": ""}
LARGE: JsonObject = {"text": "LARGE"}
INPUT: Any = {"x": LARGE, "list": [LARGE, LARGE, LARGE], "kept": Claim({"x": 1, "yes": True})}
NEVER_BEGIN = ("away", "away/output~", "away~params", "again~repeat", "store~store", "~on_complete")

HEAD = """\
flow: f
input: {required: [x, list, kept], properties: {x: {}, list: {}, kept: {}}}
secrets: [TOKEN]
vars: {v: "${input.x}", s: 0}
nodes:
  hold: {type: wait, params: {for: 1h}}
"""

HEAD_WITHOUT_SECRETS = HEAD.replace("secrets: [TOKEN]\n", "")
REST = "{type: wait, params: {for: 1h}}"
TOLD = """\
  r: {type: return, params: {value: "${input.x}"}}
on_complete: {url: "https://x", secret: "${secrets.TOKEN}"}
"""
PLACES = {
    "input/x/": f"  a: {REST}",
    "frames//vars/v/": f"  a: {REST}",
    "frames//results/a/output/": "  a: {type: log, params: {message: x}}",
    "frames//results/bad/error/details/": f"""\
  bad: {{type: log, params: {{message: x}}, next: {{failure: b}}}}
  b: {REST}
""",
    "runs/b/error/details/": f"""\
  bad: {{type: log, params: {{message: x}}, next: {{failure: b}}}}
  b: {REST}
""",
    "frames//done/0/output/": """\
  a: {type: log, params: {message: x}, undo: u}
  u: {type: noop}
""",
    "runs/u/undo/output/": f"""\
  a: {{type: log, params: {{message: x}}, undo: u, next: f}}
  f: {{type: fail, params: {{message: x}}}}
  u: {REST}
""",
    "frames//undoing/output/": f"""\
  a: {{type: log, params: {{message: x}}, undo: u, next: f}}
  f: {{type: fail, params: {{message: x}}}}
  u: {REST}
""",
    "frames//ending/output/": f"""\
  a: {{type: wait, params: {{for: 1h}}, next: {{cancelled: b}}}}
  b: {REST}
  r: {{type: return, params: {{value: "${{input.x}}"}}}}
""",
    "runs/a/items/2/": """\
  a: {type: wait, foreach: {in: "${input.list}", concurrency: 1}, params: {for: 1h}}
""",
    "items/a.0/value/": '  a: {type: event, foreach: "${input.list}", params: {name: no}}',
    "runs/a/outputs/0/": "  a: {type: event, foreach: [1, 2], params: {name: go}}",
    "signals/go/0/": f"  a: {REST}\n  e: {{type: event, params: {{name: no}}, next: g}}\n"
    "  g: {type: event, params: {name: go}}",
    "waiters/away/asked/argument/params/data/": (
        '  away: {type: log, params: {message: x, data: "${input.x}"}}'
    ),
    "waiters/away/asked/argument/scope/input/x/": (
        '  away: {type: http.request, params: {url: "${secrets.TOKEN} ${input.x}"}}'
    ),
    "waiters/store~store/asked/argument/value/output/": (
        "  store: {type: log, cache: 1h, params: {message: x}}"
    ),
    "waiters/away/asked/argument/params/json/a/": """\
  away:
    type: http.request
    params:
      url: https://x
      headers: {A: "${secrets.TOKEN}"}
      json: {a: "${input.x}", b: "${input.kept.x + 1}"}
""",
    "waiters/store~store/then/2/output/": "  store: {type: log, cache: 1h, params: {message: x}}",
    "waiters/away~params/asked/scope/input/x/": (
        '  away: {type: set, params: {s: "${[input.kept.x, input.x]}"}}'
    ),
    "waiters/away/output~/asked/scope/input/x/": """\
  away: {type: block, nodes: {a: {type: noop}}, output: "${[input.kept.x, input.x]}"}
""",
    "waiters/away~params/asked/source/s/1/": (
        '  away: {type: set, params: {s: ["${input.kept.x + 1}", "${input.x}"]}}'
    ),
    "waiters/away~params/asked/source/v/": (
        '  away: {type: set, params: {s: "${input.kept.x}", v: "${input.x}"}}'
    ),
    "waiters/away~params/then/2/v/": (
        '  away: {type: set, params: {s: "${[input.kept.x, vars.s]}"}}'
    ),
    "telling/output/": TOLD,
    "waiters/~on_complete/asked/argument/params/payload/output/": TOLD,
    "items/again/last/output/": (
        "  again: {type: log, params: {message: x}, repeat: {until: input.kept.yes}}"
    ),
}


def left_in(state: JsonObject) -> list[str]:
    """The paths at which a large value stands."""
    found: list[str] = []

    def look(value: Any, path: str) -> None:
        if value == "LARGE":
            found.append(path)
        elif isinstance(value, dict):
            for key, entry in value.items():
                look(entry, f"{path}{key}/")
        elif isinstance(value, list | tuple):
            for index, entry in enumerate(value):
                look(entry, f"{path}{index}/")

    look(state, "")
    return found


def put_away(places: Iterable[tuple[Any, Any]]) -> None:
    for container, key in list(places):
        container[key] = Claim(loaded(container[key]))


def quiet(machine: Machine) -> None:
    """Go on until only sleeps, people and signals are waited for."""
    while not machine.may_move:
        assert machine.advance(0.0)
        for operation in machine.take():
            if not isinstance(operation, Sleep | Stop):
                answer(machine, operation)


def answer(machine: Machine, operation: Operation) -> None:
    if operation.id in NEVER_BEGIN:
        machine.fail(operation.id, never_began())
        return
    assert isinstance(operation, Call), operation
    if operation.id == "bad":
        machine.fail("bad", {**never_began(), "type": "E", "details": LARGE})
    elif operation.activity.endswith("cache.get"):
        machine.answer(operation.id, {"hit": False})
    else:
        machine.answer(operation.id, {"output": LARGE, "action": None})


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("in_the_run", [False, True])
def test_every_value_can_be_put_away(place: str, in_the_run: bool) -> None:
    head = HEAD if "TOKEN" in PLACES[place] else HEAD_WITHOUT_SECRETS
    program = Program(plan_of(f"{head}{PLACES[place]}\n"))
    machine = Machine.start(program, run=RUN, input=INPUT, now=0.0)
    machine.signal("go", LARGE)
    quiet(machine)
    before = left_in(machine.dump())
    assert any(path.startswith(place) for path in before), before
    if in_the_run:
        put_away(machine.slots())
        assert left_in(machine.dump()) == []
    else:
        state = from_text(to_text(machine.dump()))
        put_away(slots(state))
        assert left_in(state) == []


@pytest.mark.parametrize("begun", [False, True])
def test_every_value_of_a_shard_can_be_put_away(begun: bool) -> None:
    text = """\
flow: wide
input: {required: [x, list], properties: {x: {}, list: {}}}
nodes:
  a: {type: log, params: {message: x}, next: each}
  each:
    type: block
    foreach: {in: "${input.list}", concurrency: 1}
    nodes: {rest: {type: wait, params: {for: 1h}}}
    output: ["${input.x}", "${nodes.a.output}", "${item}"]
"""
    plan = sharded(plan_of(text), 2)
    outer = Machine.start(Program(plan), run=RUN, input=INPUT, now=0.0)
    outer.advance(0.0)
    [call] = outer.take()
    assert isinstance(call, Call)
    answer(outer, call)
    outer.advance(0.0)
    [child] = outer.take()
    assert isinstance(child, Child)
    argument: Any = child.argument
    shard: Any = from_text(to_text(argument[SHARD_ARGUMENT]))
    machine = Machine.start_shard(Program(load_plan(shard["plan"])), run=RUN, shard=shard, now=0.0)
    if not begun:
        machine.drain()
    machine.advance(0.0)
    before = left_in(machine.dump())
    items = "runs/each/items/1/" if begun else "shard/items/0/"
    for place in ("input/x/", "outer/nodes/a/output/", items):
        assert any(path.startswith(place) for path in before), before
    put_away(machine.slots())
    assert left_in(machine.dump()) == []
    assert begun is not any(path.startswith("shard/") for path in before), before


def test_items_that_were_worked_off_elsewhere_do_not_stay_in_the_run() -> None:
    text = """\
flow: wide
input: {required: [list], properties: {list: {}}}
nodes:
  each: {type: log, foreach: "${input.list}", params: {message: x}}
"""
    program = Program(sharded(plan_of(text), 2))
    machine = Machine.start(program, run=RUN, input={"list": [LARGE] * 5}, now=0.0)
    machine.advance(0.0)
    machine.answer("each~shard0", {"outputs": [1, 2], "error": None})
    machine.advance(0.0)
    runs: Any = machine.dump()["runs"]
    assert runs["each"]["items"] == [None, None, LARGE, LARGE, LARGE]
    assert (runs["each"]["outputs"], runs["each"]["parts"]) == ([], [[1, 2], None, None])


@pytest.mark.parametrize(
    "node",
    [
        "{type: log, params: {message: x, data: {a: 1}}}",
        "{type: http.request, params: {url: 'http://x', "
        'headers: {A: "${secrets.TOKEN}", B: "${input.x}"}}}',
    ],
)
def test_what_is_asked_again_is_the_same_and_the_plan_is_too(node: str) -> None:
    text = f"{HEAD if 'TOKEN' in node else HEAD_WITHOUT_SECRETS}  away: {node}\n"
    program = Program(plan_of(text))
    for _ in range(2):
        machine = Machine.start(program, run=RUN, input=INPUT, now=0.0)
        machine.advance(0.0)
        first = next(o for o in machine.take() if isinstance(o, Call))
        assert "Claim" not in repr(first.argument)
        told = loaded(first.argument)
        machine.fail("away", never_began())
        machine.advance(0.0)
        put_away(machine.slots())
        machine.answer("away~s2~pause", None)
        machine.advance(1.0)
        again = next(o for o in machine.take() if isinstance(o, Call))
        assert loaded(again.argument) == told
        assert "Claim" in repr(again.argument)
        for pointer in told.get("deferred", []):
            place: Any = again.argument["params"]
            for step in pointer.split("/")[1:]:
                place = place[step]
            assert "${" in place
