"""Several instances of one task: how many, who waits for them, what withdraws them."""

from __future__ import annotations

import pytest

from flowspec.values import Json, JsonObject
from tests.patterns.play import Way, every_way, play, signal
from tests.world import Handler

pytestmark = every_way


@pytest.mark.parametrize("cars", [[], ["A1"], ["A1", "B2", "C3"]])
def test_wcp_12_nobody_waits_for_the_instances(way: Way, cars: list[Json]) -> None:
    played = play(12, way, {"cars": cars})
    assert played.messages[0] == f"{len(cars)} fines on their way"
    assert sorted(played.messages[1:]) == [f"Fine for {car}" for car in cars]


@pytest.mark.parametrize("slow", [0, 1, 2])
def test_wcp_13_a_known_number_runs_at_once_and_all_are_awaited(way: Way, slow: int) -> None:
    played = play(13, way, slow=[f"sign.{slow}"])
    assert played.trace[:3] == ["call sign.0", "call sign.1", "call sign.2"]
    assert played.trace[-3:] == [f"done sign.{slow}", "call file", "done file"]
    assert sorted(played.messages[:3]) == ["ann signs", "ben signs", "eve signs"]


@pytest.mark.parametrize("count", [0, 1, 5])
def test_wcp_14_the_number_becomes_known_during_the_run(way: Way, count: int) -> None:
    team: list[Json] = [f"p{number}" for number in range(count)]
    played = play(14, way, answers={"team": lambda _: {"json": team}})
    assert played.calls == ["team", *(f"ask.{index}" for index in range(count)), "summarise"]
    assert sorted(played.messages[:-1]) == [f"Ask {person}" for person in team]
    assert played.messages[-1] == f"{count} answers"


def test_wcp_15_instances_come_while_others_run_and_all_are_awaited(way: Way) -> None:
    played = play(15, way, answers={"ask": claims("a", "b", "c")})
    assert sorted(played.messages[:-1]) == ["Handle a", "Handle b", "Handle c"]
    assert played.trace[-2:] == ["call report", "done report"]


def test_wcp_15_a_further_instance_does_not_wait_for_those_that_run(way: Way) -> None:
    played = play(15, way, flow="next-claim", slow=["handle"], answers={"ask": claims("a", "b")})
    assert played.trace[:4] == ["call ask", "done ask", "call handle", "child others"]
    assert played.messages == ["Handle b", "Handle a"]


def claims(*found: str) -> Handler:
    waiting = [*found]

    def answer(_: JsonObject) -> Json:
        return {"json": {"found": True, "claim": waiting.pop(0)} if waiting else {"found": False}}

    return answer


def test_wcp_22_a_flow_runs_itself(way: Way) -> None:
    played = play(22, way, {"n": 5})
    assert played.finished.output == 120
    assert played.trace == ["child smaller"] * 4


WELLS: JsonObject = {"wells": ["north", "south", "west"]}


def test_wcp_26_only_what_has_not_completed_is_withdrawn(way: Way) -> None:
    played = play(26, way, WELLS, slow=["drill.1"], script=[signal("stop")])
    stopped = [entry for entry in played.trace if entry.startswith("stop ")]
    assert stopped == ["stop drill.1"]
    assert "done drill.0" in played.trace
    assert "done drill.2" in played.trace
    assert "call pump" not in played.trace
    assert played.finished.status == "completed"


def test_wcp_26_without_the_signal_all_complete(way: Way) -> None:
    played = play(26, way, WELLS, slow=["drill.1"])
    assert played.before("done drill.1", "call pump", "done pump")


REVIEWERS: JsonObject = {"reviewers": ["ann", "ben", "eve"]}


def test_wcp_27_what_has_not_completed_is_withdrawn_and_the_run_goes_on(way: Way) -> None:
    played = play(27, way, REVIEWERS, slow=["review.2"], script=[signal("time_is_up")])
    stopped = [entry for entry in played.trace if entry.startswith("stop ")]
    assert stopped == ["stop review.2"]
    assert played.before("done review.0", "call decide", "done decide")
    assert played.before("done review.1", "call decide")
    assert played.finished.status == "completed"


@pytest.mark.parametrize("slow", ["first", "second", "third"])
def test_wcp_34_two_of_three_instances_are_enough_and_the_third_runs_on(
    way: Way, slow: str
) -> None:
    played = play(34, way, slow=[slow])
    before = played.trace[: played.trace.index("call publish")]
    assert before.count("done examine") == 2
    assert played.trace.count("done examine") == 3
    assert played.trace.count("call publish") == 1
    assert played.messages[-1] == f"Examined by {slow}"


@pytest.mark.parametrize("slow", ["first", "second", "third"])
def test_wcp_35_two_of_three_instances_are_enough_and_the_third_is_withdrawn(
    way: Way, slow: str
) -> None:
    played = play(35, way, slow=[f"search/{slow}"])
    assert f"stop search/{slow}" in played.trace
    assert played.trace.count("done search") == 2
    assert played.trace[-2:] == ["call report", "done report"]
    assert played.finished.status == "completed"


@pytest.mark.parametrize("slow", [0, 1, 2])
def test_wcp_41_all_threads_of_the_branch_become_one(way: Way, slow: int) -> None:
    played = play(41, way, {"parts": ["a", "b", "c"]}, slow=[f"register.{slow}"])
    assert played.trace[-3:] == [f"done register.{slow}", "call certificate", "done certificate"]
    assert played.trace.count("call certificate") == 1


def test_wcp_42_the_threads_of_the_branch_do_not_wait_for_each_other(way: Way) -> None:
    played = play(42, way, slow=["copies.0/print"])
    assert played.before("done copies.1/post", "done copies.0/print", "done copies.0/post")
    assert played.before("done copies.2/post", "done copies.0/print")
    assert len(played.calls) == 6
