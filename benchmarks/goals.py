"""What was promised of speed, and whether results keep it. A promise is kept by every case or not
at all: no mean over cases hides one."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

__all__ = [
    "LEAST_THROUGHPUT",
    "MOST_LATENCY",
    "Verdict",
    "case_name",
    "latency",
    "megabytes",
    "throughput",
    "verdicts",
]

LEAST_THROUGHPUT = 0.95
MOST_LATENCY = 1.05
LEAST_GAIN_OF_LOCAL = 3.0
MOST_PLANNING_MS = 150.0
MOST_MEGABYTES = 30.0
MOST_GROWTH = 1.2
"""Of a step's cost with ten times the nodes: independent of them, but for noise."""


@dataclass(frozen=True, kw_only=True)
class Verdict:
    goal: str
    measured: str
    met: bool


def throughput(case: dict[str, Any]) -> float:
    """Of the flow as a share of what is done by hand."""
    return 1 / float(case["ratio"]["time"]["median"])


def latency(case: dict[str, Any]) -> float:
    """Of the flow as a multiple of what it takes by hand."""
    return float(case["ratio"]["time"]["median"])


def megabytes(memory: dict[str, Any], side: str) -> float:
    """What a thousand runs take."""
    held = float(statistics.median(memory["bytes"][side]))
    return held / int(memory["runs"]) * 1000 / 2**20


def verdicts(results: dict[str, Any]) -> list[Verdict]:
    """One for each goal."""
    many = [case for case in results["cases"] if case["at_once"] > 1]
    single = [case for case in results["cases"] if case["at_once"] == 1]
    return [
        _of_cases(
            f"throughput of many runs at once: at least {LEAST_THROUGHPUT} of that by hand",
            many,
            throughput,
            lambda value: value >= LEAST_THROUGHPUT,
            worst=min,
        ),
        _of_cases(
            f"latency of one run: at most {MOST_LATENCY} of that by hand",
            single,
            latency,
            lambda value: value <= MOST_LATENCY,
            worst=max,
        ),
        _events(results["cases"]),
        _local(results["tiers"]),
        _planning(results["planning"]),
        _memory(results["memory"]),
        _scheduler(results["scheduler"]),
    ]


def case_name(case: dict[str, Any]) -> str:
    return f"{case['shape']}, {case['tier']}, {case['nodes']:,} nodes"


def _of_cases(
    goal: str,
    cases: list[dict[str, Any]],
    figure: Callable[[dict[str, Any]], float],
    keeps: Callable[[float], bool],
    *,
    worst: Callable[..., dict[str, Any]],
) -> Verdict:
    kept = [case for case in cases if keeps(figure(case))]
    last = worst(cases, key=figure)
    measured = f"in {len(kept)} of {len(cases)} cases; worst {figure(last):.2f} ({case_name(last)})"
    return Verdict(goal=goal, measured=measured, met=len(kept) == len(cases))


def _events(cases: list[dict[str, Any]]) -> Verdict:
    more = [case["events"]["flow"] - case["events"]["by_hand"] for case in cases]
    same = sum(difference == 0 for difference in more)
    measured = (
        f"the same in {same} of {len(cases)} cases; {min(more):+} to {max(more):+} a run, "
        f"median {statistics.median(more):+g}"
    )
    return Verdict(
        goal="the same number of history events", measured=measured, met=max(more, default=0) <= 0
    )


def _local(tiers: list[dict[str, Any]]) -> Verdict:
    gains = [case["ratio"]["time"]["median"] for case in tiers]
    goal = f"a step of the local tier, that of short nodes: {LEAST_GAIN_OF_LOCAL:g} times as fast"
    return Verdict(
        goal=f"{goal} as a remote one",
        measured=", ".join(
            f"{gain:.1f} times with {case['at_once']:,} at once"
            if case["at_once"] > 1
            else f"{gain:.1f} times in one run"
            for gain, case in zip(gains, tiers, strict=True)
        ),
        met=min(gains) >= LEAST_GAIN_OF_LOCAL,
    )


def _planning(planned: list[dict[str, Any]]) -> Verdict:
    large = [each for each in planned if each["nodes"] >= 1000]
    return Verdict(
        goal=f"checking and planning a flow of 1,000 nodes: less than {MOST_PLANNING_MS:g} ms",
        measured=", ".join(f"{each['shape']} {each['plan_ms']['median']:.0f} ms" for each in large),
        met=all(each["plan_ms"]["median"] < MOST_PLANNING_MS for each in large),
    )


def _memory(found: list[dict[str, Any]]) -> Verdict:
    small = min(found, key=lambda each: int(each["nodes"]))
    flow, by_hand = (megabytes(small, side) for side in ("flow", "by_hand"))
    return Verdict(
        goal=f"memory of 1,000 cached runs beyond the first: less than {MOST_MEGABYTES:g} MB",
        measured=f"{flow:.0f} MB; by hand {by_hand:.0f} MB",
        met=flow < MOST_MEGABYTES,
    )


def _scheduler(found: list[dict[str, Any]]) -> Verdict:
    """The largest graph beside one of 1,000 nodes, or the smallest where there is none larger."""
    said, growths = [], []
    for shape in dict.fromkeys(each["shape"] for each in found):
        by_nodes = {e["nodes"]: e["us_a_step"]["median"] for e in found if e["shape"] == shape}
        large = max(by_nodes)
        small = 1000 if large > 1000 else min(by_nodes)
        growths.append(by_nodes[large] / by_nodes[small])
        said.append(
            f"{shape} {by_nodes[small]:.0f} µs at {small:,} nodes, "
            f"{by_nodes[large]:.0f} µs at {large:,}"
        )
    return Verdict(
        goal=f"a step of the scheduler costs the same in any graph (at most {MOST_GROWTH} times)",
        measured="; ".join(said),
        met=max(growths) <= MOST_GROWTH,
    )
