"""Nodes that start no more often than a rate allows, whatever else starts."""

from __future__ import annotations

from typing import Any

import pytest

from flowspec.machine import Machine
from flowspec.sharing import rate_id
from flowspec.values import JsonObject
from tests.stage import Played, Way, cancel, every_way, fails, plan_of, play_plans, play_text
from tests.unit.test_machine_shards import sharded
from tests.world import World

EACH = """\
flow: f
input: {properties: {who: {default: crm}}}
nodes:
  call:
    type: log
    rate: RATE
    foreach: {in: [1, 2, 3, 4, 5], concurrency: 3}
    params: {message: "${item}"}
    next: {success: after, failure: bad}
  after: {type: log, params: {message: after}}
  bad: {type: log, params: {message: "${error.type} ${error.node}"}}
"""


def each(way: Way, rate: str = "2/s", **more: Any) -> Played:
    return play_text(EACH.replace("RATE", rate), way, {"who": "crm"}, **more)


def reserved(played: Played) -> list[JsonObject]:
    return [played.call(id).argument for id in played.calls if "~rate" in id]


@every_way
def test_items_that_ask_together_reserve_together_and_start_when_it_is_their_turn(
    way: Way,
) -> None:
    played = each(way)
    assert played.finished.status == "completed"
    assert sum(int(str(asked["count"])) for asked in reserved(played)) == 5
    assert reserved(played)[0] == {
        "id": rate_id("f/call"),
        "key": "f/run-1/call~rate1",
        "count": 3,
        "limit": 2,
        "per": 1.0,
    }


def test_no_more_start_within_the_time_than_the_limit() -> None:
    world = World(plans={"f": plan_of(EACH.replace("RATE", "2/s"))})
    started: list[float] = []
    world.handlers = {"log": lambda _: started.append(world.now)}
    begun = world.now
    assert world.run("f", {"who": "x"}).status == "completed"
    assert [moment - begun for moment in started] == [0, 0, 1, 1, 2, 2]  # and `after`


@every_way
def test_runs_share_a_rate_by_its_name(way: Way) -> None:
    played = each(way, '{name: "${input.who}", limit: 100, per: 1m}')
    asked = [(asked["id"], asked["limit"], asked["per"]) for asked in reserved(played)]
    assert list(dict.fromkeys(asked)) == [(rate_id("crm"), 100, 60.0)]


@every_way
def test_every_round_and_every_attempt_of_a_block_is_a_start(way: Way) -> None:
    text = """\
flow: f
nodes:
  poll: {type: log, rate: 1/s, repeat: {until: iteration == 3}, params: {message: x}}
  try_:
    type: block
    rate: 1/s
    retry: {attempts: 3, interval: 1s}
    nodes: {a: {type: fail, params: {message: "no"}}}
"""
    played = play_text(text, way)
    asked = [asked["id"] for asked in reserved(played)]
    assert asked.count(rate_id("f/poll")) == 3
    assert asked.count(rate_id("f/try_")) == 3


@every_way
def test_what_the_cache_has_is_no_start(way: Way) -> None:
    text = EACH.replace("RATE", "1/s").replace("    foreach:", "    cache: 1h\n    foreach:")
    hits: Any = lambda _: {"hit": True, "value": {"output": 1, "action": None}}  # noqa: E731
    played = play_text(text, way, {"who": "x"}, answers={"flowrunner.cache.get": hits})
    assert reserved(played) == []
    assert played.calls[-1] == "after"


@every_way
def test_a_reservation_that_fails_fails_who_waits_for_it(way: Way) -> None:
    played = each(way, answers={"flowrunner.rate.reserve": fails("Down")})
    (message,) = played.messages
    assert message.startswith("RateUnavailable call.")


@pytest.mark.parametrize("name", ['"${[input.who]}"', "'${\"\"}'"])
@every_way
def test_a_name_that_is_none_fails_the_node(way: Way, name: str) -> None:
    played = each(way, f"{{name: {name}, limit: 1, per: 1s}}")
    assert played.messages[0].startswith("InvalidParams call.")


@every_way
def test_who_is_cancelled_in_the_line_starts_no_more(way: Way) -> None:
    played = each(way, "1/1h", slow=["call.0"], script=[cancel()])
    assert played.finished.status == "cancelled"
    assert not [call for call in played.calls if call in ("call.2", "call.3", "call.4", "after")]


@every_way
def test_who_is_cancelled_while_it_reserves_starts_no_more(way: Way) -> None:
    played = each(way, slow=["call~rate1"], script=[cancel()])
    assert played.finished.status == "cancelled"
    assert played.calls == ["call~rate1"]
    assert played.stopped == ["call~rate1"]


@every_way
def test_the_timeout_of_a_node_covers_the_wait_for_its_turn(way: Way) -> None:
    text = EACH.replace("RATE", "1/h").replace("    foreach:", "    timeout: 2h\n    foreach:")
    played = play_text(text, way, {"who": "x"})
    assert played.messages[-1] == "Timeout call"


@every_way
def test_parts_of_a_wide_foreach_share_the_rate_of_the_whole(way: Way) -> None:
    text = EACH.replace("RATE", '{name: "${input.who}", limit: 9, per: 1s}')
    asked: list[Any] = []

    def reserve(told: JsonObject) -> Any:
        asked.append(told["id"])
        return {"moments": [0.0] * int(str(told["count"]))}

    plan = sharded(plan_of(text), 2)
    answers = {"flowrunner.rate.reserve": reserve}
    played = play_plans([plan], way, {"who": "crm"}, answers=answers)
    assert played.messages[-1] == "after"
    assert len(asked) >= 3
    assert list(dict.fromkeys(asked)) == [rate_id("crm")]


def test_a_turn_that_was_missed_by_long_is_given_up_for_another() -> None:
    world = World(plans={"f": plan_of(EACH.replace("RATE", "1/s"))}, handlers={"log": lambda _: 1})
    paused: list[float] = []

    def sleep_in(world: World, machine: Machine) -> bool:
        """Pause as soon as turns are waited for, and go on an hour later."""
        if not paused:
            machine.pause()
            paused.append(world.now)
        elif len(paused) == 1 and world.is_idle:
            world.now += 3600
            machine.resume()
            paused.append(world.now)
            return True
        return False

    world.decide = sleep_in
    assert world.run("f", {"who": "x"}).status == "completed"
    again = [call for call in world.calls if "~rate" in call.id]
    assert sum(int(str(call.argument["count"])) for call in again) > 5


def test_a_run_may_move_while_it_waits_for_its_turn() -> None:
    seen: list[bool] = []

    def look(_: World, machine: Machine) -> bool:
        seen.append(machine.may_move)
        return False

    world = World(plans={"f": plan_of(EACH.replace("RATE", "1/s"))}, handlers={"log": lambda _: 1})
    world.decide = look
    world.revive = True
    assert world.run("f", {"who": "x"}).status == "completed"
    assert True in seen
