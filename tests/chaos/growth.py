"""Whether something grows: samples of processes, and a slope that a few outliers do not bend."""

from __future__ import annotations

import os
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

__all__ = ["BOUNDS", "Bound", "Verdict", "judged", "sampled", "slope"]

_MEGABYTE = 1024 * 1024
_MOST_POINTS = 400
"""Of more samples only so many are compared with each other, evenly spread."""


@dataclass(frozen=True, kw_only=True)
class Bound:
    """What may be gained: so much in an hour, and so much altogether whatever the hour says.

    The second is for short soaks, in which a wave looks like a slope.
    """

    an_hour: float
    at_least: float


BOUNDS: Mapping[str, Bound] = {
    "rss_mb": Bound(an_hour=10, at_least=8),
    "blocks": Bound(an_hour=40_000, at_least=40_000),
    "threads": Bound(an_hour=1, at_least=2),
    "files": Bound(an_hour=2, at_least=3),
    "sockets": Bound(an_hour=2, at_least=3),
    "tasks": Bound(an_hour=5, at_least=10),
}
"""Of one worker. What is not named here is shown and not judged."""


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What became of one figure: its first and last medians, its slope, and whether it grew."""

    name: str
    first: float
    last: float
    an_hour: float
    grows: bool


def sampled(pid: int) -> dict[str, float]:
    """The process as the kernel has it now; empty when it is gone."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
        links = [_link(entry) for entry in os.scandir(f"/proc/{pid}/fd")]
    except OSError:
        return {}
    told = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
    sockets = sum(link.startswith("socket:") for link in links)
    return {
        "rss_mb": int(told["VmRSS"].split()[0]) * 1024 / _MEGABYTE,
        "threads": int(told["Threads"]),
        "sockets": sockets,
        "files": len(links) - sockets,
    }


def _link(entry: os.DirEntry[str]) -> str:
    try:
        return os.readlink(entry.path)
    except OSError:  # closed meanwhile
        return ""


def slope(points: Sequence[tuple[float, float]]) -> float:
    """Theil and Sen's: the median of the slopes between all pairs of points."""
    some = points[:: max(1, len(points) // _MOST_POINTS)]
    slopes = [(b[1] - a[1]) / (b[0] - a[0]) for a, b in combinations(some, 2) if b[0] > a[0]]
    return statistics.median(slopes) if slopes else 0.0


def judged(name: str, points: Sequence[tuple[float, float]]) -> Verdict:
    """`points` are seconds and values, without the time of warming up."""
    tenth = max(1, len(points) // 10)
    first = statistics.median(value for _, value in points[:tenth])
    last = statistics.median(value for _, value in points[-tenth:])
    a_second = slope(points)
    gained = a_second * (points[-1][0] - points[0][0])
    bound = BOUNDS.get(name)
    grows = bound is not None and a_second * 3600 > bound.an_hour and gained > bound.at_least
    return Verdict(name=name, first=first, last=last, an_hour=a_second * 3600, grows=grows)
