"""Joins that do not wait for all: discriminators, partial joins, and what becomes of the rest."""

from __future__ import annotations

from itertools import permutations

import pytest

from tests.patterns.play import Cue, Way, every_way, play, signal

pytestmark = every_way


@pytest.mark.parametrize(("slow", "fast"), [("camera", "weight"), ("weight", "camera")])
def test_wcp_28_every_round_goes_on_with_the_first_and_waits_for_the_last(
    way: Way, slow: str, fast: str
) -> None:
    played = play(28, way, slow=[slow, f"{slow}#2", f"{slow}#3"])
    for round, following in (("", "#2"), ("#2", "#3")):
        assert played.before(
            f"done {fast}{round}",
            f"call accept{round}",
            f"done {slow}{round}",
            f"call {fast}{following}",
        )
    assert [said for said in played.messages if said.startswith("Accept")] == [
        "Accept, 1",
        "Accept, 2",
        "Accept, 3",
    ]


def test_wcp_29_the_first_arrival_withdraws_what_is_still_running(way: Way) -> None:
    played = play(29, way, slow=["north"])
    assert played.before("done south", "done south_price", "call bought", "done bought")
    assert "stop north" in played.trace
    assert "done north" not in played.trace
    assert played.finished.status == "completed"


def test_wcp_29_the_first_arrival_withdraws_what_has_not_begun(way: Way) -> None:
    played = play(29, way, slow=["south"])
    assert played.before("done north", "call bought")
    assert "stop south" in played.trace
    assert "call south_price" not in played.trace


@pytest.mark.parametrize("order", list(permutations(["ann", "ben", "eve"])))
def test_wcp_30_two_of_three_are_enough_and_the_third_ends_without_effect(
    way: Way, order: tuple[str, str, str]
) -> None:
    first, second, third = order
    played = play(30, way, slow=[third])
    assert played.before(f"done {first}", "call decide", f"done {third}")
    assert played.before(f"done {second}", "call decide")
    assert f"stop {third}" not in played.trace


def test_wcp_31_every_round_goes_on_with_two_and_waits_for_the_third(way: Way) -> None:
    played = play(31, way, slow=["camera", "camera#2", "camera#3"])
    for round, following in (("", "#2"), ("#2", "#3")):
        for guard in ("first_guard", "second_guard"):
            assert played.before(
                f"done {guard}{round}",
                f"call admit{round}",
                f"done camera{round}",
                f"call {guard}{following}",
            )
    assert [said for said in played.messages if said.startswith("Admit")] == [
        "Admit, 1",
        "Admit, 2",
        "Admit, 3",
    ]


@pytest.mark.parametrize("slow", ["north", "south", "west"])
def test_wcp_32_two_of_three_are_enough_and_the_third_is_withdrawn(way: Way, slow: str) -> None:
    played = play(32, way, slow=[f"quotes/{slow}"])
    assert f"stop quotes/{slow}" in played.trace
    assert f"done quotes/{slow}" not in played.trace
    done = [entry for entry in played.trace if entry.startswith("done quotes/")]
    assert len(done) == 2
    assert played.before(*done, "call choose")
    assert played.finished.status == "completed"


@pytest.mark.parametrize("arrivals", sorted(set(permutations("ffee"))))
def test_wcp_33_arrivals_are_kept_for_later_joins(way: Way, arrivals: tuple[str, ...]) -> None:
    names = {"f": "frame", "e": "engine"}
    script: list[Cue] = [
        signal(names[kind], f"{names[kind]} {arrivals[:place].count(kind) + 1}")
        for place, kind in enumerate(arrivals)
    ]
    played = play(33, way, {"sets": 2}, script=script)
    assert played.messages == ["frame 1 with engine 1", "frame 2 with engine 2"]
