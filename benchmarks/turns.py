"""Two sides in turns, and what their figures say: pairs, medians and quartiles."""

from __future__ import annotations

import statistics
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

__all__ = ["Pair", "Sample", "Spread", "Turn", "in_turns", "ratios", "spread"]


@dataclass(frozen=True, kw_only=True)
class Sample:
    """One turn of one side, by step: milliseconds on the clock and of the worker's processor."""

    ms: float
    cpu_ms: float


@dataclass(frozen=True, kw_only=True)
class Pair:
    """Two turns, one right after the other."""

    flow: Sample
    by_hand: Sample


Turn: TypeAlias = Callable[[], Awaitable[Sample]]


@dataclass(frozen=True, kw_only=True)
class Spread:
    """The median, and between which values the middle half is."""

    median: float
    low: float
    high: float

    def told(self) -> dict[str, float]:
        return {"median": _short(self.median), "low": _short(self.low), "high": _short(self.high)}


def spread(values: Sequence[float]) -> Spread:
    """Of at least one value."""
    if len(values) == 1:
        return Spread(median=values[0], low=values[0], high=values[0])
    low, median, high = statistics.quantiles(values, n=4, method="inclusive")
    return Spread(median=median, low=low, high=high)


def ratios(pairs: Sequence[Pair], figure: Callable[[Sample], float]) -> Spread:
    """Flow ÷ by hand, pair by pair: what slows the machine down for a while slows down both."""
    return spread([figure(pair.flow) / figure(pair.by_hand) for pair in pairs])


async def in_turns(
    flow: Turn,
    by_hand: Turn,
    *,
    seconds: float,
    least: int,
    clock: Callable[[], float] = time.monotonic,
) -> list[Pair]:
    """As many pairs as fit into `seconds`, and `least` at least; who is first changes each time."""
    begun = clock()
    pairs: list[Pair] = []
    while len(pairs) < least or clock() - begun < seconds:
        if len(pairs) % 2:
            second = await by_hand()
            pairs.append(Pair(flow=await flow(), by_hand=second))
        else:
            first = await flow()
            pairs.append(Pair(flow=first, by_hand=await by_hand()))
    return pairs


def _short(value: float) -> float:
    """Four digits: more would say what was not measured."""
    return float(f"{value:.4g}")
