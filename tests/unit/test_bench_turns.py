"""The arithmetic of the benchmark: turns, pairs, medians, and what a promise needs to be kept."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from benchmarks.goals import latency, megabytes, throughput, verdicts
from benchmarks.histories import Left, difference
from benchmarks.turns import Pair, Sample, Spread, in_turns, ratios, spread


def sample(ms: float) -> Sample:
    return Sample(ms=ms, cpu_ms=ms / 2)


def case(ratio: float, *, at_once: int = 1, more: int = 0) -> dict[str, Any]:
    return {
        "shape": "chain",
        "tier": "local",
        "nodes": 10,
        "at_once": at_once,
        "ratio": {"time": {"median": ratio, "low": ratio, "high": ratio}},
        "events": {"flow": 10 + more, "by_hand": 10},
    }


def results(**changed: Any) -> dict[str, Any]:
    """Those of a Flowrunner that keeps every promise."""
    good: dict[str, Any] = {
        "cases": [case(1.0), case(1.0, at_once=50)],
        "tiers": [case(3.5)],
        "planning": [{"shape": "chain", "nodes": 1000, "plan_ms": {"median": 149.0}}],
        "memory": [{"nodes": 1, "runs": 500, "bytes": {"flow": [2**20], "by_hand": [2**20]}}],
        "scheduler": [
            {"shape": "chain", "nodes": nodes, "us_a_step": {"median": 50.0}}
            for nodes in (100, 1000, 10_000)
        ],
    }
    return {**good, **changed}


def missed(found: dict[str, Any]) -> list[int]:
    """The goals, by number, that the results do not keep."""
    return [number for number, each in enumerate(verdicts(found)) if not each.met]


def test_a_spread_is_the_median_and_the_middle_half() -> None:
    assert spread([5, 1, 4, 2, 3]) == Spread(median=3, low=2, high=4)
    assert spread([7]) == Spread(median=7, low=7, high=7)
    assert spread([1.234567, 1.234567]).told() == {"median": 1.235, "low": 1.235, "high": 1.235}


def test_ratios_are_taken_within_pairs() -> None:
    """A machine that becomes ten times slower half-way changes none of them."""
    pairs = [Pair(flow=sample(2 * pace), by_hand=sample(pace)) for pace in (1, 1, 10, 10, 10)]
    assert ratios(pairs, lambda each: each.ms) == Spread(median=2, low=2, high=2)


async def test_who_begins_changes_with_each_pair() -> None:
    taken: list[str] = []

    async def side(name: str, ms: float) -> Sample:
        taken.append(name)
        return sample(ms)

    pairs = await in_turns(lambda: side("flow", 2), lambda: side("hand", 1), seconds=0, least=3)
    assert taken == ["flow", "hand", "hand", "flow", "flow", "hand"]
    assert {(pair.flow.ms, pair.by_hand.ms) for pair in pairs} == {(2, 1)}


@pytest.mark.parametrize(("seconds", "least", "expected"), [(10, 1, 4), (0, 2, 2), (2, 3, 3)])
async def test_pairs_are_taken_until_the_time_is_over(
    seconds: float, least: int, expected: int
) -> None:
    now = 0.0

    async def side() -> Sample:
        nonlocal now
        now += 1.5
        return sample(1)

    pairs = await in_turns(side, side, seconds=seconds, least=least, clock=lambda: now)
    assert len(pairs) == expected


def test_throughput_and_latency_are_two_sides_of_one_ratio() -> None:
    assert throughput(case(1.25)) == pytest.approx(0.8)
    assert latency(case(1.25)) == pytest.approx(1.25)


def test_memory_is_told_for_a_thousand_runs() -> None:
    memory = {"runs": 500, "bytes": {"flow": [2**20, 3 * 2**20], "by_hand": [0]}}
    assert megabytes(memory, "flow") == 4


def test_results_that_keep_every_promise_are_told_to() -> None:
    assert missed(results()) == []


@pytest.mark.parametrize(
    ("goal", "changed"),
    [
        (0, {"cases": [case(1.0), case(1.0, at_once=50), case(1.06, at_once=50)]}),
        (1, {"cases": [case(1.0), case(1.06), case(1.0, at_once=50)]}),
        (2, {"cases": [case(1.0, more=1), case(1.0, at_once=50)]}),
        (3, {"tiers": [case(3.5), case(2.9)]}),
        (4, {"planning": [{"shape": "chain", "nodes": 1000, "plan_ms": {"median": 150.0}}]}),
        (5, {"memory": [{"nodes": 1, "runs": 1, "bytes": {"flow": [2**20], "by_hand": [1]}}]}),
        (
            6,
            {
                "scheduler": [
                    {"shape": "chain", "nodes": nodes, "us_a_step": {"median": cost}}
                    for nodes, cost in ((1000, 50.0), (10_000, 61.0))
                ]
            },
        ),
    ],
)
def test_one_case_that_breaks_a_promise_is_enough(goal: int, changed: dict[str, Any]) -> None:
    assert missed(results(**changed)) == [goal]


def test_histories_are_compared_by_kinds_of_events() -> None:
    flow = Left(size=2, kinds=Counter({"marker recorded": 3, "timer started": 1}))
    by_hand = Left(size=1, kinds=Counter({"marker recorded": 1, "timer started": 1, "signal": 2}))
    assert difference(flow, by_hand) == {"marker recorded": 2, "signal": -2}
