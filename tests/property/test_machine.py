"""Whole runs on random plans: they end, and it does not matter where their state was kept."""

from __future__ import annotations

import copy
import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from flowspec.machine import Finished, Machine, Sleep
from flowspec.machine.state import slots
from flowspec.plan import Plan, dump_plan, load_plan
from flowspec.sharing import LockBook
from flowspec.values import Json, JsonObject
from tests.claims import Claim, Keeps, Putter, from_text, loaded, to_text
from tests.property.plans import INPUT, child_plan, plans
from tests.world import Fail, Handler, World

SEEDS = st.integers(0, 1_000_000)
KEEPS: st.SearchStrategy[Keeps] = st.sampled_from(["all", "some"])
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
    plan: Plan,
    seed: int,
    disturbance: str,
    *,
    revive: bool = False,
    keeps: Keeps = "nothing",
    at_once: bool = True,
    locks: dict[str, LockBook] | None = None,
) -> tuple[Finished, list[str]]:
    world = Disturbed(
        plans={"parent": plan, "child": child_plan()},
        handlers=_handlers(seed),
        decide=_decide(seed),
        seed=seed,
        revive=revive,
        put=Putter(keeps=keeps, seed=seed),
        at_once=at_once,
        disturbance=disturbance,
        locks={} if locks is None else locks,
    )
    return world.run("parent", INPUT), world.trace


def _handlers(seed: int) -> dict[str, Handler]:
    return {
        "work": _handler(seed),
        "flowrunner.cache.get": lambda _: {"hit": False},
        "flowrunner.cache.put": lambda _: None,
    }


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
def test_every_lock_is_given_back_whatever_happens(plan: Plan, seed: int, disturbance: str) -> None:
    locks: dict[str, LockBook] = {}
    _run(plan, seed, disturbance, locks=locks)
    assert [name for name, book in locks.items() if not book.is_idle] == []


@settings(max_examples=200, deadline=None)
@given(plans(), SEEDS, DISTURBANCES)
def test_a_run_is_the_same_when_revived_between_any_two_steps(
    plan: Plan, seed: int, disturbance: str
) -> None:
    assert _run(plan, seed, disturbance) == _run(plan, seed, disturbance, revive=True)


@settings(max_examples=100, deadline=None)
@given(plans(), SEEDS, DISTURBANCES, KEEPS, st.booleans())
def test_a_run_does_the_same_step_by_step_with_values_kept_elsewhere(
    plan: Plan, seed: int, disturbance: str, keeps: Keeps, revive: bool
) -> None:
    plain = _run(plan, seed, disturbance)
    assert _run(plan, seed, disturbance, keeps=keeps, revive=revive) == plain


@settings(max_examples=100, deadline=None)
@given(plans(), SEEDS, DISTURBANCES, KEEPS)
def test_every_run_ends_with_values_kept_elsewhere(
    plan: Plan, seed: int, disturbance: str, keeps: Keeps
) -> None:
    late = _run(plan, seed, disturbance, keeps=keeps, at_once=False)
    assert (late[0].status == "completed") == (late[0].error is None)
    assert _run(plan, seed, disturbance, keeps=keeps, at_once=False, revive=True) == late


@given(plans())
def test_a_plan_is_the_same_after_json(plan: Plan) -> None:
    again = load_plan(dump_plan(plan))
    assert again == plan
    assert again.hash == plan.hash


@dataclass(kw_only=True)
class Moving(World):
    """A world whose history grows too long at a given step: the run drains, then moves on.

    This share of what it keeps is put away before, in the run itself or in what moves.
    """

    moment: int = 3
    share: float = 0.0
    in_the_run: bool = False
    steps: int = 0
    moves: int = 0
    replaced: int = 0

    def _revived(self, machine: Machine) -> Machine:
        if self.steps < self.moment or self.moves or not machine.may_move:
            return machine
        if any(not isinstance(operation, Sleep) for operation in self._open.values()):
            return machine
        self.moves += 1
        self._open = {}
        if self.in_the_run:
            self._replace(machine.slots())
        state = from_text(to_text(machine.dump()))
        if not self.in_the_run:
            self._replace(slots(state))
        again = Machine.load(machine._core.program, state)
        again.rearm()
        assert again.status(1)["paused"] or not again._core.state.held, "left behind by the move"
        return again

    def _replace(self, places: Iterable[tuple[Any, Any]]) -> None:
        chance = random.Random(self.seed)
        chosen = [place for place in places if chance.random() < self.share]
        kept = [Claim(loaded(container[key])) for container, key in chosen]
        for (container, key), claim in zip(chosen, kept, strict=True):
            container[key] = claim
            self.replaced += 1

    def _answer_one(self, machine: Machine) -> bool:
        self.steps += 1
        if self.steps == self.moment:
            machine.drain()
        return super()._answer_one(machine)


def _move(plan: Plan, seed: int, moment: int, **more: Any) -> tuple[Finished, Moving]:
    world = Moving(
        plans={"parent": plan, "child": child_plan()},
        handlers=_handlers(seed),
        decide=_decide(seed),
        seed=seed,
        at_once=True,
        moment=moment,
        **more,
    )
    return world.run("parent", INPUT), world


@settings(max_examples=200, deadline=None)
@given(plans(), SEEDS, st.integers(1, 6))
def test_a_run_that_drains_comes_to_where_it_can_move_and_then_to_its_end(
    plan: Plan, seed: int, moment: int
) -> None:
    finished, _ = _move(plan, seed, moment)
    assert (finished.status == "completed") == (finished.error is None)


@settings(max_examples=150, deadline=None)
@given(plans(), SEEDS, st.integers(1, 8), st.sampled_from([0.3, 1.0]), st.booleans())
def test_a_run_ends_the_same_whatever_is_put_away_before_it_moves(
    plan: Plan, seed: int, moment: int, share: float, in_the_run: bool
) -> None:
    before = copy.deepcopy(dump_plan(plan))
    finished, plain = _move(plan, seed, moment)
    again, moved = _move(plan, seed, moment, share=share, in_the_run=in_the_run)
    assert (again, moved.trace) == (finished, plain.trace)
    assert moved.replaced or not moved.moves or share < 1
    assert dump_plan(plan) == before
