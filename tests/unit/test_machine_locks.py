"""A node that holds a lock: it begins when it has it, and whatever happens it gives it back."""

from __future__ import annotations

from typing import Any

import pytest

from flowspec.machine import Machine
from flowspec.sharing import lock_id
from flowspec.values import JsonObject
from tests.claims import from_text, to_text
from tests.stage import (
    Cue,
    Played,
    Way,
    cancel,
    every_way,
    fails,
    plan_of,
    play_plans,
    play_text,
    signal,
)
from tests.unit.test_machine_shards import sharded
from tests.world import Handler, World

ONE = """\
flow: f
input: {properties: {env: {default: prod}}}
nodes:
  work:
    type: log
    lock: LOCK
    params: {message: "${input.env}"}
    next: {success: after, failure: bad}
  after: {type: log, params: {message: after}}
  bad: {type: log, params: {message: "${error.type} ${error.node}"}}
"""
HELD = ["work~lock", "work", "work~unlock", "after"]
GRANTED: JsonObject = {"id": lock_id("deploy"), "token": "f/run-1/work", "until": None}
AGAIN = "f/run-1/work~1"
"""Who asks once a lock was declined."""

TAKEN = {"flowrunner.lock.ask": lambda _: None}
"""Somebody else holds the lock: nobody is told anything."""


def one(way: Way, lock: str = "deploy", **more: Any) -> Played:
    return play_text(ONE.replace("LOCK", lock), way, {"env": "prod"}, **more)


def grant(**changes: Any) -> Cue:
    """The lock goes to the run."""
    return lambda machine: machine.granted({**GRANTED, **changes})


def see(*expected: tuple[str, str]) -> Cue:
    """Look what is waited for, by kind and name."""

    def cue(machine: Machine) -> None:
        waiting: Any = machine.status(9)["waiting"]
        assert [(wait["kind"], wait["name"]) for wait in waiting] == list(expected)
        assert machine.phase == ("waiting" if expected else "running")

    return cue


@every_way
def test_a_node_holds_its_lock_from_before_it_begins_until_after_it_has_ended(way: Way) -> None:
    played = one(way, lock='"deploy-${input.env}"')
    assert played.calls == HELD
    asked: JsonObject = {
        "id": "flowrunner-lock/deploy-prod",
        "name": "deploy-prod",
        "token": "f/run-1/work",
        "slots": 1,
        "expires": None,
    }
    assert played.call("work~lock").argument == asked
    given = {"id": "flowrunner-lock/deploy-prod", "token": "f/run-1/work"}
    assert played.call("work~unlock").argument == given


@every_way
def test_a_node_that_fails_gives_its_lock_back(way: Way) -> None:
    played = one(way, answers={"work": fails("Boom")})
    assert played.calls == ["work~lock", "work", "work~unlock", "bad"]
    assert played.messages == ["Boom work"]


@every_way
def test_while_somebody_else_holds_it_a_run_waits_and_shows_that(way: Way) -> None:
    played = one(way, answers=TAKEN, script=[see(("lock", "deploy")), grant()])
    assert played.calls == HELD


@every_way
def test_what_comes_twice_or_is_not_wanted_does_no_harm(way: Way) -> None:
    senseless = [grant(token=None), grant(id=7), grant(until="soon")]
    script = [*senseless, grant(token="f/run-1/other"), grant(), grant()]
    played = one(way, answers=TAKEN, slow=["work"], script=script)
    declined = "~unlock f/run-1/other"
    assert [call for call in played.calls if call != declined] == HELD
    assert played.call(declined).argument == {"id": lock_id("deploy"), "token": "f/run-1/other"}


BEGINS = ONE.replace("  work:", "  begin: {type: event, next: work}\n  work:")


@every_way
def test_a_lock_that_comes_before_its_node_begins_is_asked_for_under_another_token(
    way: Way,
) -> None:
    """A worker has died that asked, but could not say so: what it asked for goes back, which must
    not give away what is asked for anew, nor may the old answer be taken for the new one."""
    script = [grant(), signal("begin"), grant(), see(("lock", "deploy")), grant(token=AGAIN)]
    played = play_text(
        BEGINS.replace("LOCK", "deploy"), way, {"env": "prod"}, answers=TAKEN, script=script
    )
    declined = "~unlock f/run-1/work"
    assert [call for call in played.calls if call != declined] == HELD
    assert played.call("work~lock").argument["token"] == AGAIN
    assert played.call("work~unlock").argument["token"] == AGAIN
    assert played.call(declined).argument["token"] == "f/run-1/work"


@every_way
def test_a_run_of_an_earlier_release_asks_under_the_token_it_declined(way: Way) -> None:
    def grant_as_before(machine: Machine) -> None:
        machine.let_differ(lambda _: False)
        machine.granted(GRANTED)

    script = [grant_as_before, signal("begin"), grant()]
    played = play_text(
        BEGINS.replace("LOCK", "deploy"), way, {"env": "prod"}, answers=TAKEN, script=script
    )
    assert played.call("work~lock").argument["token"] == "f/run-1/work"


@every_way
def test_a_lock_that_comes_too_late_goes_back(way: Way) -> None:
    text = ONE.replace("LOCK", "{name: deploy, wait: 1m}").replace(
        'bad: {type: log, params: {message: "${error.type} ${error.node}"}}', "bad: {type: event}"
    )
    script = [None, grant(), signal("bad")]
    played = play_text(text, way, {"env": "prod"}, answers=TAKEN, script=script)
    assert played.calls == ["work~lock", "work~unlock", "~unlock f/run-1/work"]


@every_way
def test_who_waits_too_long_fails_and_leaves_the_line(way: Way) -> None:
    played = one(way, lock="{name: deploy, wait: 1m}", answers=TAKEN)
    assert played.calls == ["work~lock", "work~unlock", "bad"]
    assert played.messages == ["LockTimeout work"]


@every_way
def test_who_holds_it_too_long_fails_and_is_stopped_before_it_goes_back(way: Way) -> None:
    played = one(way, lock="{name: deploy, expires: 1m}", slow=["work"])
    assert played.stopped == ["work"]
    assert played.calls == ["work~lock", "work", "work~unlock", "bad"]
    assert played.messages == ["LockExpired work"]


WAITS = """\
flow: f
nodes:
  work:
    type: event
    timeout: 1h
    lock: {name: deploy, expires: 2h}
    next: {success: after, timeout: after}
  rest: {type: wait, params: {for: 30m}}
  after: {type: log, params: {message: "${nodes.work.outcome}"}}
"""


@every_way
def test_the_timeout_of_a_node_begins_with_its_lock(way: Way) -> None:
    script = [see_until(False), None, grant(), see_until(True), None]
    played = play_text(WAITS, way, answers=TAKEN, script=script)
    assert played.messages == ["failure"]


def see_until(timed: bool) -> Cue:
    def cue(machine: Machine) -> None:
        sleeping = machine._core.state.sleeping
        assert ("work~timeout" in sleeping) == timed

    return cue


@every_way
def test_a_run_that_is_cancelled_while_it_waits_leaves_the_line(way: Way) -> None:
    played = one(way, answers=TAKEN, script=[cancel()])
    assert played.calls == ["work~lock", "work~unlock"]
    assert played.finished.status == "cancelled"


@every_way
def test_a_run_that_is_cancelled_while_it_asks_gives_back_what_it_may_have(way: Way) -> None:
    came: list[str] = []
    answers: dict[str, Handler] = {
        "flowrunner.lock.ask": lambda _: came.append("ask"),
        "flowrunner.lock.return": lambda _: came.append("return"),
    }
    played = one(way, slow=["work~lock"], script=[cancel()], answers=answers)
    assert came == ["ask", "return"]
    assert played.calls == ["work~lock", "work~unlock"]
    assert played.finished.status == "cancelled"


@every_way
def test_a_lock_that_cannot_be_asked_for_or_given_back_stops_nobody(way: Way) -> None:
    down = {name: fails("Down") for name in ("flowrunner.lock.ask", "flowrunner.lock.return")}
    assert one(way, answers=down).messages == ["LockUnavailable work"]
    played = one(way, answers={"flowrunner.lock.return": fails("Down")})
    assert played.calls == HELD


@pytest.mark.parametrize("name", ["x" * 200 + "${input.env}", "${[input.env]}", '${""}'])
@every_way
def test_a_name_that_is_none_fails_the_node(way: Way, name: str) -> None:
    played = one(way, lock=f"'{name}'")
    assert played.calls == ["bad"]
    assert played.messages == ["InvalidParams work"]


BLOCK = """\
flow: f
nodes:
  each:
    type: block
    lock: {name: all, slots: 2}
    foreach: [1, 2]
    retry: 2
    nodes:
      work: {type: log, params: {message: "${item}"}}
"""


@every_way
def test_items_rounds_and_attempts_are_under_one_lock(way: Way) -> None:
    tries: list[Any] = []

    def once(argument: JsonObject) -> Any:
        tries.append(argument["node"])
        return fails("Boom")(argument) if len(tries) == 1 else 1

    played = play_text(BLOCK, way, answers={"log": once})
    assert played.finished.status == "completed"
    assert len(tries) == 3
    assert (played.calls[0], played.calls[-1]) == ("each~lock", "each~unlock")
    assert sum("lock" in call for call in played.calls) == 2


@every_way
def test_a_step_that_comes_late_gives_nothing_back_twice(way: Way) -> None:
    """After a pause, a foreach may be told more than once to go on."""
    text = BLOCK.replace("    retry: 2\n", "")
    late: Cue = lambda machine: machine._core.do("run.fill", "each")  # noqa: E731
    played = play_text(text, way, slow=["each~unlock"], script=[late, late])
    assert played.calls[-1] == "each~unlock"
    assert sum("unlock" in call for call in played.calls) == 1
    assert played.finished.status == "completed"


@every_way
def test_a_wide_foreach_holds_the_lock_and_its_parts_do_not_ask_again(way: Way) -> None:
    text = BLOCK.replace("[1, 2]", "[1, 2, 3, 4, 5, 6]")
    played = play_plans([sharded(plan_of(text), 4)], way)
    assert sum(entry.startswith("child ") for entry in played.trace) == 2
    assert played.finished.status == "completed"
    assert [call for call in played.calls if "lock" in call] == ["each~lock", "each~unlock"]


UNDONE = """\
flow: f
nodes:
  a: {type: noop, undo: back, next: b}
  b: {type: fail, params: {message: "no"}}
  back: {type: log, lock: deploy, params: {message: back}}
"""


@every_way
def test_what_undoes_holds_its_lock_too(way: Way) -> None:
    played = play_text(UNDONE, way)
    assert played.calls == ["back~lock", "back", "back~unlock"]


@every_way
def test_a_node_that_is_skipped_asks_for_nothing(way: Way) -> None:
    text = ONE.replace("    lock:", "    when: input.env == 'x'\n    lock:").replace("LOCK", "a")
    played = play_text(text, way, {"env": "prod"})
    assert played.calls == []


def test_a_run_that_waits_for_a_lock_or_holds_it_may_move() -> None:
    text = (
        ONE.replace("LOCK", "{name: deploy, wait: 1m, expires: 1h}")
        .replace("    type: log\n", "    type: event\n", 1)
        .replace('    params: {message: "${input.env}"}\n', "", 1)
    )
    world = World(plans={"f": plan_of(text)}, handlers=TAKEN)
    moved: list[str] = []

    def move(_: World, machine: Machine) -> bool:
        machine.advance(world.now)
        assert machine.may_move
        again = Machine.load(machine._core.program, from_text(to_text(machine.dump())))
        assert again.dump() == machine.dump()
        moved.append(again.phase)
        if len(moved) == 1:
            machine.granted({**GRANTED, "until": world.now + 3600})
        else:
            machine.signal("work", 1)
        return len(moved) < 3

    world.decide = move
    assert world.run("f").status == "completed"
    assert moved[:2] == ["waiting", "waiting"]
