"""Whole runs on random plans: they end, and it does not matter where their state was kept."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from dataclasses import dataclass

from hypothesis import given, settings
from hypothesis import strategies as st

from flowspec.machine import Finished, Machine, Sleep
from flowspec.plan import Plan, dump_plan, load_plan
from flowspec.values import Json, JsonObject
from tests.property.plans import child_plan, plans
from tests.world import Fail, World

SEEDS = st.integers(0, 1_000_000)
DISTURBANCES = st.sampled_from(["none", "none", "cancel", "pause", "signal"])


@dataclass(kw_only=True)
class Disturbed(World):
    """A world in which something happens from outside at a given step."""

    disturbance: str = "none"
    moment: int = 3
    steps: int = 0

    def _answer_one(self, machine: Machine) -> bool:
        self.steps += 1
        if self.steps == self.moment:
            if self.disturbance == "cancel":
                machine.cancel("on purpose")
                return True
            if self.disturbance == "pause":
                machine.pause()
                return True
            if self.disturbance == "signal":
                machine.signal("ping", "early")
        return super()._answer_one(machine)


def _answer_a_wait(machine: Machine, wanted: Callable[[str], bool]) -> bool:
    """Answer whatever waits: a signal for an event, a decision for an approval."""
    waiting = machine.status(100)["waiting"]
    assert isinstance(waiting, list)
    for wait in waiting:
        assert isinstance(wait, dict)
        if not wanted(str(wait["path"])):
            continue
        if wait["kind"] == "event":
            return machine.signal("ping", 1)
        if wait["kind"] == "approval":
            machine.complete({"node": wait["path"], "action": "approved"})
            return True
    return False


def _resume(machine: Machine) -> bool:
    paused = bool(machine.status(1)["paused"])
    if paused:
        machine.resume()
    return paused


def _handler(seed: int) -> Callable[[JsonObject], Json]:
    def handle(argument: JsonObject) -> Json:
        if random.Random(f"{seed}{argument['node']}").random() < 0.25:
            raise Fail("Flaky")
        return 1

    return handle


def _run(
    plan: Plan, seed: int, disturbance: str, *, revive: bool = False
) -> tuple[Finished, list[str]]:
    world = Disturbed(
        plans={"parent": plan, "child": child_plan()},
        handlers={
            "call": _handler(seed),
            "flowrunner.cache.get": lambda _: {"hit": False},
            "flowrunner.cache.put": lambda _: None,
        },
        decide=_decide(seed),
        seed=seed,
        revive=revive,
        disturbance=disturbance,
    )
    return world.run("parent"), world.trace


def _decide(seed: int) -> Callable[[World, Machine], bool]:
    """Some waits are answered; the others end when the run is cancelled, at the latest."""
    cancelled: list[str] = []

    def decide(world: World, machine: Machine) -> bool:
        def wanted(path: str) -> bool:
            return bool(cancelled) or random.Random(f"{seed}{path}").random() < 0.7

        if _answer_a_wait(machine, wanted) or _resume(machine):
            return True
        if world.is_idle and not cancelled:
            cancelled.append("nobody answers")
            machine.cancel(cancelled[0])
            return True
        return False

    return decide


@settings(max_examples=300, deadline=None)
@given(plans(), SEEDS, DISTURBANCES)
def test_every_run_ends(plan: Plan, seed: int, disturbance: str) -> None:
    finished, _ = _run(plan, seed, disturbance)
    assert (finished.status == "completed") == (finished.error is None)


@settings(max_examples=200, deadline=None)
@given(plans(), SEEDS, DISTURBANCES)
def test_a_run_is_the_same_when_revived_between_any_two_steps(
    plan: Plan, seed: int, disturbance: str
) -> None:
    assert _run(plan, seed, disturbance) == _run(plan, seed, disturbance, revive=True)


@given(plans())
def test_a_plan_is_the_same_after_json(plan: Plan) -> None:
    again = load_plan(dump_plan(plan))
    assert again == plan
    assert again.hash == plan.hash


@dataclass(kw_only=True)
class Moving(World):
    """A world whose history grows too long at a given step: the run drains, then moves on."""

    moment: int = 3
    steps: int = 0
    moves: int = 0

    def _revived(self, machine: Machine) -> Machine:
        if self.steps < self.moment or self.moves or not machine.may_move:
            return machine
        if any(not isinstance(operation, Sleep) for operation in self._open.values()):
            return machine
        self.moves += 1
        self._open = {}
        again = Machine.load(machine._core.program, json.loads(json.dumps(machine.dump())))
        again.rearm()
        assert again.status(1)["paused"] or not again._core.state.held, "left behind by the move"
        return again

    def _answer_one(self, machine: Machine) -> bool:
        self.steps += 1
        if self.steps == self.moment:
            machine.drain()
        return super()._answer_one(machine)


@settings(max_examples=200, deadline=None)
@given(plans(), SEEDS, st.integers(1, 6))
def test_a_run_that_drains_comes_to_where_it_can_move_and_then_to_its_end(
    plan: Plan, seed: int, moment: int
) -> None:
    world = Moving(
        plans={"parent": plan, "child": child_plan()},
        handlers={
            "call": _handler(seed),
            "flowrunner.cache.get": lambda _: {"hit": False},
            "flowrunner.cache.put": lambda _: None,
        },
        decide=_decide(seed),
        seed=seed,
        moment=moment,
    )
    finished = world.run("parent")
    assert (finished.status == "completed") == (finished.error is None)
