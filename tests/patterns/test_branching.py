"""Splits, choices, merges, and how a run ends by itself."""

from __future__ import annotations

import pytest

from activities.catalogue import catalogue
from flowspec.check import check
from flowspec.values import JsonObject
from tests.patterns.play import Way, decide, every_way, play

pytestmark = every_way


def test_wcp_1_one_after_the_other(way: Way) -> None:
    played = play(1, way)
    assert played.trace == [
        "call pick",
        "done pick",
        "call pack",
        "done pack",
        "call ship",
        "done ship",
    ]


def test_wcp_2_both_branches_begin_before_either_ends(way: Way) -> None:
    played = play(2, way)
    assert played.trace[:4] == ["call order", "done order", "call bill", "call pack"]
    assert sorted(played.trace[4:]) == ["done bill", "done pack"]


@pytest.mark.parametrize("slow", ["bill", "pack"])
def test_wcp_3_the_join_waits_for_the_slowest(way: Way, slow: str) -> None:
    played = play(3, way, slow=[slow])
    assert played.trace[-3:] == [f"done {slow}", "call ship", "done ship"]
    assert played.calls == ["bill", "pack", "ship"]


@pytest.mark.parametrize(("amount", "chosen"), [(2000, "review"), (1000, "accept")])
def test_wcp_4_exactly_one_branch_is_taken(way: Way, amount: int, chosen: str) -> None:
    assert play(4, way, {"amount": amount}).calls == ["order", chosen]


@pytest.mark.parametrize(("card", "chosen"), [(True, "charge"), (False, "invoice")])
def test_wcp_5_the_merge_does_not_wait_for_the_other_branch(
    way: Way, card: bool, chosen: str
) -> None:
    assert play(5, way, {"card": card}).calls == [chosen, "ship"]


@pytest.mark.parametrize(
    ("fire", "injured", "sent"),
    [
        (True, 1, ["fire_brigade", "ambulance"]),
        (True, 0, ["fire_brigade"]),
        (False, 2, ["ambulance"]),
        (False, 0, ["patrol"]),
    ],
)
def test_wcp_6_every_branch_whose_condition_holds_is_taken(
    way: Way, fire: bool, injured: int, sent: list[str]
) -> None:
    assert play(6, way, {"fire": fire, "injured": injured}).calls == ["call", *sent]


@pytest.mark.parametrize("slow", ["fire_brigade", "ambulance"])
def test_wcp_7_the_merge_waits_for_all_branches_taken(way: Way, slow: str) -> None:
    played = play(7, way, {"fire": True, "injured": 1}, slow=[slow])
    assert played.trace[-3:] == [f"done {slow}", "call report", "done report"]
    assert played.calls.count("report") == 1


@pytest.mark.parametrize(
    ("fire", "injured", "calls"),
    [(True, 0, ["fire_brigade", "report"]), (False, 1, ["ambulance", "report"]), (False, 0, [])],
)
def test_wcp_7_the_merge_does_not_wait_for_branches_not_taken(
    way: Way, fire: bool, injured: int, calls: list[str]
) -> None:
    assert play(7, way, {"fire": fire, "injured": injured}).calls == calls


def test_wcp_8_what_follows_runs_once_for_each_arrival_without_waiting(way: Way) -> None:
    played = play(8, way, slow=["order_bricks"])
    assert played.trace.count("done inspect") == 2
    assert played.trace.index("done inspect") < played.trace.index("done order_bricks")
    inspections = [said for said in played.messages if said.startswith("Inspect")]
    assert inspections == ["Inspect the foundation", "Inspect the bricks"]


@pytest.mark.parametrize(
    ("slow", "fast"),
    [("check_breathing", "check_pulse"), ("check_pulse", "check_breathing")],
)
def test_wcp_9_the_first_arrival_goes_on_and_the_others_end_without_effect(
    way: Way, slow: str, fast: str
) -> None:
    played = play(9, way, slow=[slow])
    assert played.before(f"done {fast}", "call triage", f"done {slow}")
    assert f"stop {slow}" not in played.trace


def test_wcp_10_a_cycle_is_entered_in_two_places_and_left_in_two(way: Way) -> None:
    drafted = play(
        10,
        way,
        {"begin": "draft"},
        script=[decide("review", "rework"), decide("review", "publish")],
    )
    assert drafted.calls == ["draft", "draft#3", "publish"]
    reviewed = play(10, way, {"begin": "review"}, script=[decide("review", "drop")])
    assert reviewed.calls == ["archive"]


def test_wcp_10_a_cycle_with_two_ways_in_is_refused(way: Way) -> None:  # noqa: ARG001
    text = """\
flow: two-ways-in
nodes:
  start: {type: noop, next: [draft, review]}
  draft: {type: noop, next: review}
  review: {type: noop, next: draft}
"""
    checked = check(text, catalogue())
    assert checked.plan is None
    assert [problem.code[:3] for problem in checked.problems] == ["FR3"]


@pytest.mark.parametrize("slow", ["bill", "book", "pack"])
def test_wcp_11_the_run_ends_when_nothing_is_left_to_do(way: Way, slow: str) -> None:
    played = play(11, way, slow=[slow])
    assert played.finished.status == "completed"
    assert sorted(played.calls) == ["bill", "book", "order", "pack"]
    assert all(f"done {node}" in played.trace for node in played.calls)


@pytest.mark.parametrize(
    ("input", "before"),
    [
        ({"paper": True, "foreign": True}, "translate"),
        ({"paper": True, "foreign": False}, "scan"),
        ({"paper": False, "foreign": True}, "online"),
    ],
)
@pytest.mark.parametrize("slow", ["online", "scan", "translate"])
def test_wcp_37_the_join_waits_for_what_is_active_and_for_nothing_else(
    way: Way, input: JsonObject, before: str, slow: str
) -> None:
    played = play(37, way, input, slow=[slow])
    assert played.before(f"done {before}", "call file")
    assert played.before("done online", "call file")
    assert played.trace[-1] == "done file"


@pytest.mark.parametrize(
    ("decisions", "calls"),
    [
        (["complete"], ["audit", "close"]),
        (["incomplete", "incomplete", "complete"], ["ask", "ask#2", "audit", "close"]),
        (["incomplete", "withdrawn"], ["ask", "audit", "close", "forget"]),
    ],
)
def test_wcp_38_the_join_waits_until_the_loop_can_no_longer_lead_to_it(
    way: Way, decisions: list[str], calls: list[str]
) -> None:
    played = play(38, way, script=[decide("claim", action) for action in decisions])
    assert sorted(played.calls) == calls
    asked = [entry for entry in played.trace if entry.startswith("done ask")]
    assert played.before(*asked, "call close")


def test_wcp_38_the_join_waits_for_the_other_branch_too(way: Way) -> None:
    played = play(38, way, slow=["audit"], script=[decide("claim", "complete")])
    assert played.trace == ["call audit", "done audit", "call close", "done close"]
