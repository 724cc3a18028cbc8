"""One flow beside its twin by hand, in turns: what a step costs each of them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from benchmarks.histories import Left, difference, left_by
from benchmarks.place import Place
from benchmarks.shapes import CHILD, PART, SHAPES, Tier, flow_name, parts
from benchmarks.turns import Pair, Sample, Turn, in_turns, ratios, spread

__all__ = ["Case", "Effort", "compare", "compare_tiers", "write_flows"]


@dataclass(frozen=True, kw_only=True)
class Case:
    """A shape in one size, one run after the other or many of them at once."""

    shape: str
    tier: Tier
    nodes: int
    at_once: int = 1

    @property
    def flow(self) -> str:
        return flow_name(self.shape, self.nodes, self.tier)

    @property
    def remote(self) -> Case:
        """The same with nodes of the remote tier."""
        return replace(self, tier="remote")

    @property
    def steps(self) -> int:
        """How many steps are performed."""
        more = {"fan": self.nodes + 2, "mixed": PART * parts(self.nodes)}
        return more.get(self.shape, self.nodes)

    @property
    def text(self) -> str:
        return SHAPES[self.shape].text(self.flow, self.nodes, self.tier)


@dataclass(frozen=True, kw_only=True)
class Effort:
    """How long a turn should take, and all of a case; and how many pairs there are at least."""

    turn: float = 0.6
    case: float = 11.0
    pairs: int = 5


def write_flows(place: Place, cases: list[Case]) -> None:
    """Where the worker finds them by name."""
    for case in cases:
        place.product.write_flow(case.flow, case.text)
    for tier in ("local", "remote"):
        place.product.write_flow(f"child-{tier}", CHILD.text(f"child-{tier}", 1, tier))


async def compare(
    place: Place, case: Case, effort: Effort, *, control: bool = False
) -> dict[str, Any]:
    """What is told of a case; as a control the yardstick takes the turns of the flow, too."""
    by_hand = _by_hand(place, case)
    flow = by_hand if control else partial(_once, place, case.flow)
    left = await _same_work(place, flow, by_hand)
    runs = await _runs_a_turn(by_hand, case, effort)
    pairs = await in_turns(
        _turn(place, flow, case, runs),
        _turn(place, by_hand, case, runs),
        seconds=effort.case,
        least=effort.pairs,
    )
    return {**_case_told(case), "runs_a_turn": runs, **_told(pairs), **_left_told(*left)}


async def compare_tiers(place: Place, case: Case, effort: Effort) -> dict[str, Any]:
    """The same flow with remote nodes (as the slower side) and with local ones, in turns."""
    sides = [partial(_once, place, each.flow) for each in (case.remote, case)]
    runs = await _runs_a_turn(sides[0], case, effort)
    turns = [_turn(place, side, case, runs) for side in sides]
    pairs = await in_turns(*turns, seconds=effort.case, least=effort.pairs)
    told = _told(pairs)
    return {
        **_case_told(case),
        "pairs": len(pairs),
        "remote": told["flow"],
        "local": told["by_hand"],
        "ratio": told["ratio"],
    }


async def _once(place: Place, workflow: str, *arguments: Any) -> tuple[str, Any]:
    handle = await place.start(workflow, *arguments)
    return handle.id, await handle.result()


_Run = Callable[[], Awaitable[tuple[str, Any]]]


def _by_hand(place: Place, case: Case) -> _Run:
    return partial(_once, place, SHAPES[case.shape].by_hand, case.nodes, case.tier)


async def _same_work(place: Place, flow: _Run, by_hand: _Run) -> tuple[Left, Left]:
    """Both give the same; and nothing is measured that runs for the first time."""
    (flow_id, given), (by_hand_id, expected) = await flow(), await by_hand()
    if given != expected:
        raise SystemExit(f"by hand it gives {expected!r}, and the flow {given!r}")
    return await left_by(place.client, flow_id), await left_by(place.client, by_hand_id)


async def _runs_a_turn(side: _Run, case: Case, effort: Effort) -> int:
    """So many that a turn takes long enough to be measured, and `at_once` at least."""
    begin = time.perf_counter()
    await asyncio.gather(*(side() for _ in range(case.at_once)))
    waves = effort.turn / (time.perf_counter() - begin)
    return case.at_once * max(1, round(waves))


def _turn(place: Place, side: _Run, case: Case, runs: int) -> Turn:
    async def one_after_another() -> None:
        for _ in range(runs // case.at_once):
            await side()

    async def turn() -> Sample:
        await place.settle()
        begin, cpu = time.perf_counter(), place.cpu()
        await asyncio.gather(*(one_after_another() for _ in range(case.at_once)))
        seconds, cpu = time.perf_counter() - begin, place.cpu() - cpu
        steps = runs * case.steps
        return Sample(ms=seconds * 1000 / steps, cpu_ms=cpu * 1000 / steps)

    return turn


def _case_told(case: Case) -> dict[str, Any]:
    return {
        "shape": case.shape,
        "tier": case.tier,
        "nodes": case.nodes,
        "steps": case.steps,
        "at_once": case.at_once,
    }


def _told(pairs: list[Pair]) -> dict[str, Any]:
    def side(samples: list[Sample]) -> dict[str, Any]:
        return {
            "ms_a_step": spread([each.ms for each in samples]).told(),
            "cpu_ms_a_step": spread([each.cpu_ms for each in samples]).told(),
        }

    return {
        "pairs": len(pairs),
        "flow": side([pair.flow for pair in pairs]),
        "by_hand": side([pair.by_hand for pair in pairs]),
        "ratio": {
            "time": ratios(pairs, lambda sample: sample.ms).told(),
            "cpu": ratios(pairs, lambda sample: sample.cpu_ms).told(),
        },
    }


def _left_told(flow: Left, by_hand: Left) -> dict[str, Any]:
    return {
        "events": {"flow": flow.events, "by_hand": by_hand.events},
        "bytes": {"flow": flow.size, "by_hand": by_hand.size},
        "more_events": difference(flow, by_hand),
    }
