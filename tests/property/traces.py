"""Prints what flows become and how they run: `python -m tests.property.traces`.

Every flow of the examples and of the patterns page, the examples of all problems, and random
plans. Two processes have to print the same, whatever their hash seeds are.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from typing import Any, cast

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from activities.catalogue import catalogue
from flowspec.check import check
from flowspec.codes import CODES
from flowspec.editor_schema import flow_json_schema
from flowspec.machine import Machine
from flowspec.plan import Plan, dump_plan
from flowspec.values import Json
from tests.applications import EXAMPLES
from tests.claims import Putter, to_text
from tests.patterns.page import patterns
from tests.property.graphs import graph_plans, walk
from tests.property.plans import INPUT, child_plan, plans
from tests.world import Handler, World

_ANSWER: Json = {"status": 200, "headers": {}, "json": {"id": "a", "items": [1, 2], "more": False}}
_HANDLERS: dict[str, Handler] = {
    "http.request": lambda _: _ANSWER,
    "flowrunner.cache.get": lambda _: {"hit": False},
    "flowrunner.cache.put": lambda _: None,
}
_INPUTS: dict[str, Any] = {
    "integer": 3,
    "number": 2.5,
    "string": "1s",
    "boolean": True,
    "array": [1, 2, 3],
    "object": {"a": 1},
}

_generated = settings(
    max_examples=15,
    deadline=None,
    database=None,
    derandomize=True,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)


class _Noted(World):
    """Notes the state of the run, by its digest, at every step."""

    def _revived(self, machine: Machine) -> Machine:
        state = to_text(machine.dump())
        self.trace.append(hashlib.sha256(state.encode("utf-8", "surrogatepass")).hexdigest())
        return super()._revived(machine)


def _flows() -> Iterator[tuple[str, Json]]:
    """Texts of flows, and the input there is for those of examples."""
    for path in sorted(EXAMPLES.rglob("*.yaml")):
        text = path.read_text(encoding="utf-8")
        given = path.with_suffix("") / "input.json"
        if "\nnodes:" in text:
            yield text, json.loads(given.read_text(encoding="utf-8")) if given.exists() else None
    for pattern in patterns():
        yield from ((text, None) for text in pattern.flows)


def _some_input(plan: Plan) -> Json:
    asked = cast("dict[str, Any]", plan.input or {}).get("properties", {})
    return {name: _INPUTS.get(str(schema.get("type")), "a") for name, schema in asked.items()}


def _run(known: dict[str, Plan], plan: Plan, input: Any, *, revive: bool) -> None:
    """Print all that happens until the run ends, or until nobody knows what could happen next."""
    put = Putter(keeps="some", seed=1) if revive else Putter()
    world = _Noted(
        plans=known,
        handlers=_HANDLERS,
        decide=_decisions(),
        seed=1,
        revive=revive,
        put=put,
    )
    try:
        print(world.run(plan.flow, input))
    except AssertionError as error:
        print(error)
    print(*world.trace, sep="\n")


def _decisions() -> Callable[[World, Machine], bool]:
    """Whatever waits is told something, so many times; then the run is cancelled."""
    left = iter(range(20))

    def decide(_: World, machine: Machine) -> bool:
        turn = next(left, None)
        if turn is None:
            return False
        if turn == 19:
            machine.cancel("it has gone on long enough")
            return True
        for wait in cast("list[Any]", machine.status(100)["waiting"]):
            if wait["kind"] == "event":
                return machine.signal(wait["name"], [1])
            if wait["kind"] == "approval":
                decision = {"node": wait["path"], "action": wait["actions"][0]}
                print(machine.objection(decision) or machine.complete(decision))
                return True
        return False

    return decide


def _print_flows() -> None:
    checked = [(check(text, catalogue()), given) for text, given in _flows()]
    known = {each.plan.flow: each.plan for each, _ in checked if each.plan is not None}
    for each, input in checked:
        print(*each.problems, sep="\n")
        if each.plan is not None:
            print(json.dumps(dump_plan(each.plan)), each.plan.hash)
            for revive in (False, True):
                _run(known, each.plan, input or _some_input(each.plan), revive=revive)


def _print_problems() -> None:
    for entry in CODES.values():
        told = check(entry.example, catalogue(), flow_names=entry.example_flows)
        print(*told.problems, sep="\n")


@_generated
@given(graph_plans(), st.integers(0, 10**6))
def _print_walk(plan: Any, seed: int) -> None:
    print(*walk(plan, seed, revive=bool(seed % 2)).trace, sep="\n")


@_generated
@given(plans(), st.booleans())
def _print_run(plan: Plan, revive: bool) -> None:
    _run({"parent": plan, "child": child_plan()}, plan, INPUT, revive=revive)


def main() -> None:
    print(json.dumps(flow_json_schema(catalogue())))
    _print_problems()
    _print_flows()
    _print_walk()
    _print_run()


if __name__ == "__main__":
    main()
