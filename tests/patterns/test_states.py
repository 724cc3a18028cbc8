"""What may happen now depends on what has happened: offers, milestones, triggers, exclusion."""

from __future__ import annotations

import pytest

from flowspec.values import Json
from tests.patterns.play import Way, decide, every_way, play, refuse, signal
from tests.world import Fail

pytestmark = every_way


@pytest.mark.parametrize(
    ("first", "taken"), [("agent-free", "connect"), ("caller-hung-up", "call_back")]
)
def test_wcp_16_what_happens_first_decides_and_the_other_is_withdrawn(
    way: Way, first: str, taken: str
) -> None:
    played = play(16, way, script=[signal(first)])
    assert played.calls == [taken]
    assert played.finished.status == "completed"


@pytest.mark.parametrize(
    ("chosen", "done"),
    [
        (["fit", "crash", "paint"], ["fit", "crash", "paint"]),
        (["paint", "fit", "crash"], ["paint", "fit", "crash"]),
        (["crash", "fit", "fit", "paint", "crash"], ["fit", "paint", "crash"]),
    ],
)
def test_wcp_17_any_order_that_respects_the_partial_one_and_one_at_a_time(
    way: Way, chosen: list[str], done: list[str]
) -> None:
    played = play(17, way, script=[signal("next-task", task) for task in chosen])
    names = [entry.partition("#")[0] for entry in played.trace]
    assert names == [f"{verb} {task}" for task in done for verb in ("call", "done")]


def test_wcp_17_what_is_chosen_while_a_task_runs_waits_for_it(way: Way) -> None:
    chosen: list[Json] = ["fit", "paint", "crash"]
    played = play(17, way, script=[signal("next-task", task) for task in chosen], slow=["fit"])
    assert played.trace[:2] == ["call fit", "done fit"]
    assert len(played.calls) == 3


def test_wcp_18_the_task_can_be_done_within_its_time(way: Way) -> None:
    script = [refuse("change_course", "change"), None, decide("change_course", "change")]
    played = play(18, way, slow=["enrol"], script=script)
    assert played.calls == ["enrol", "change", "attend"]


def test_wcp_18_the_task_cannot_be_done_once_its_time_is_over(way: Way) -> None:
    script = [signal("lectures_begin"), refuse("change_course", "change"), None]
    played = play(18, way, slow=["attend"], script=script)
    assert played.calls == ["enrol", "attend"]
    assert played.finished.status == "completed"


def test_wcp_23_a_trigger_nobody_waits_for_is_lost(way: Way) -> None:
    played = play(23, way, script=[refuse("overheated", "shut_down")])
    assert played.calls == ["finish"]


def test_wcp_23_a_trigger_somebody_waits_for_counts(way: Way) -> None:
    script = [refuse("overheated", "shut_down"), None, decide("overheated", "shut_down")]
    assert play(23, way, script=script).calls == ["shut_down"]


def test_wcp_24_a_trigger_that_comes_early_is_kept(way: Way) -> None:
    played = play(24, way, script=[signal("delivery", {"goods": "apples"}), None])
    assert played.messages == ["Shelve apples"]
    assert played.before("sleep stock", "call shelve")


def test_wcp_24_a_trigger_that_comes_late_is_waited_for(way: Way) -> None:
    played = play(24, way, script=[None, signal("delivery", {"goods": "pears"})])
    assert played.messages == ["Shelve pears"]


def test_wcp_39_the_second_waits_until_the_first_has_left(way: Way) -> None:
    played = play(39, way)
    assert sorted(played.messages) == ["Paint it blue", "Paint it red"]
    refused = [entry for entry in played.trace if entry.startswith("failed ")]
    assert refused == ["failed paint_blue"]
    assert played.trace.index("done paint") < played.trace.index("child paint_blue#2")


def test_wcp_39_a_section_that_fails_is_not_tried_for_ever(way: Way) -> None:
    def jam(_: Json) -> Json:
        raise Fail("Jam", "no more paint")

    played = play(39, way, answers={"paint": jam})
    assert played.finished.status == "failed"
    assert played.finished.error is not None
    assert played.finished.error["type"] == "Jam"


@pytest.mark.parametrize("order", [["oil", "lights", "tyres"], ["tyres", "oil", "lights"]])
def test_wcp_40_one_at_a_time_in_the_order_of_the_run(way: Way, order: list[Json]) -> None:
    played = play(40, way, {"order": order})
    names = [f"check.{index}/{task}" for index, task in enumerate(order)]
    expected = [f"{verb} {name}" for name in (*names, "stamp") for verb in ("call", "done")]
    assert played.trace == expected
