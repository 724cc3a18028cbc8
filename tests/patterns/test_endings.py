"""What ends early: tasks, regions, whole runs; and what goes round again."""

from __future__ import annotations

import pytest

from flowspec.values import Json, JsonObject
from tests.patterns.play import Way, cancel, every_way, play, signal
from tests.world import Fail

pytestmark = every_way


def test_wcp_19_a_running_task_is_withdrawn_and_the_run_goes_on(way: Way) -> None:
    played = play(19, way, slow=["assess"], script=[signal("withdrawn")])
    assert "stop assess" in played.trace
    assert "done assess" not in played.trace
    assert played.trace[-1] == "done letter"
    assert played.finished.status == "completed"


def test_wcp_19_a_task_nobody_withdraws_completes(way: Way) -> None:
    played = play(19, way)
    assert played.trace == ["call assess", "done assess", "call letter", "done letter"]


def test_wcp_20_the_run_ends_and_tidies_up(way: Way) -> None:
    played = play(20, way, script=[cancel("the concert is off")])
    assert played.finished.status == "cancelled"
    assert played.calls == ["reserve", "sorry", "release"]
    assert played.before("done sorry", "call release")


@pytest.mark.parametrize(("target", "rounds"), [(0, 1), (1, 1), (3, 3)])
def test_wcp_21_the_condition_is_tested_after_each_round(
    way: Way, target: int, rounds: int
) -> None:
    played = play(21, way, {"target": target})
    assert played.messages == ["Pour"] * rounds
    assert played.finished.status == "completed"


@pytest.mark.parametrize("target", [0, 1, 3])
def test_wcp_21_the_condition_is_tested_before_each_round(way: Way, target: int) -> None:
    played = play(21, way, {"target": target}, flow="structured-loop-tested-first")
    assert played.messages == ["Pour"] * target
    assert played.finished.status == "completed"


def test_wcp_25_everything_in_the_region_is_withdrawn_and_nothing_else(way: Way) -> None:
    slow = ["prepare/hall", "prepare/food", "invite"]
    played = play(25, way, slow=slow, script=[signal("called_off")])
    assert [entry for entry in played.trace if entry.startswith("stop ")] == [
        "stop prepare/hall",
        "stop prepare/food",
    ]
    assert "call prepare/seats" not in played.trace
    assert "done invite" in played.trace
    assert played.trace.count("call settled") == 1
    assert played.finished.status == "completed"


def test_wcp_25_what_has_completed_in_the_region_stays(way: Way) -> None:
    played = play(25, way, slow=["prepare/food"], script=[signal("called_off")])
    assert played.before("done prepare/hall", "done prepare/seats", "stop prepare/food")


def test_wcp_43_the_first_to_reach_the_end_ends_everything(way: Way) -> None:
    played = play(43, way, slow=["there"])
    assert played.trace == ["call here", "call there", "done here", "stop there", "failed there"]
    assert played.finished.status == "completed"
    assert played.finished.output == {"by": "here"}


def test_wcp_43_a_run_that_never_gets_there_ends_by_itself(way: Way) -> None:
    def nothing(_: JsonObject) -> Json:
        raise Fail("HttpServerError")

    played = play(43, way, answers={"here": nothing})
    assert played.finished.status == "failed"
