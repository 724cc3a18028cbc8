"""`make bench`: flows beside workflows written by hand, and what else was promised of speed.

Writes `benchmarks/results.json` and the page made of it; with `--quick` a few cases, shown only.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import temporalio

from benchmarks.compare import Case, Effort, compare, compare_tiers, write_flows
from benchmarks.memory import measure_memory
from benchmarks.page import PAGE, RESULTS, speed_page
from benchmarks.place import place
from benchmarks.pure import measure_planning, measure_scheduler
from tests.server.support import ROOT, start_temporal, temporal_binary

__all__ = ["FULL", "QUICK", "Programme", "main", "measure"]

_MANY = 50
_SOME = 20


@dataclass(frozen=True, kw_only=True)
class Programme:
    """What is measured, and how thoroughly."""

    cases: list[Case]
    controls: list[Case]
    tiers: list[Case]
    effort: Effort
    planned: list[int] = field(default_factory=lambda: [100, 1000])
    plannings: int
    scheduled: list[int]
    cached: int
    cached_turns: int
    cached_large: int
    """How many runs of a hundred nodes are kept, to see what a large one takes; 0 for none."""


def _cases(shape: str, sizes: dict[Any, list[int]], at_once: int = 1) -> list[Case]:
    return [
        Case(shape=shape, tier=tier, nodes=nodes, at_once=at_once)
        for tier, several in sizes.items()
        for nodes in several
    ]


FULL = Programme(
    cases=[
        # 500 of the remote tier, for with more the flow continues as new and the other does not
        *_cases("chain", {"local": [1, 10, 100, 1000], "remote": [1, 10, 100, 500]}),
        *_cases("chain", {"inline": [10, 1000]}),
        *_cases("fan", {"local": [10, 100, 1000], "remote": [10, 100, 1000]}),
        *_cases("foreach", {"local": [100], "remote": [100]}),
        *_cases("loop", {"local": [100], "remote": [100]}),
        *_cases("conditions", {"local": [100], "remote": [100]}),
        *_cases("subflows", {"local": [10], "remote": [10]}),
        *_cases("mixed", {"local": [10, 100]}),
        *_cases("chain", {"local": [1, 10], "remote": [10]}, at_once=_MANY),
        *_cases("chain", {"inline": [10]}, at_once=_MANY),
        *_cases("fan", {"local": [10], "remote": [10]}, at_once=_MANY),
        *_cases("loop", {"local": [10], "remote": [10]}, at_once=_MANY),
        *_cases("conditions", {"local": [10]}, at_once=_MANY),
        *_cases("subflows", {"local": [3]}, at_once=_MANY),
        *_cases("mixed", {"local": [10]}, at_once=_MANY),
    ],
    controls=[
        *_cases("chain", {"local": [100], "remote": [100]}),
        *_cases("chain", {"local": [10], "remote": [10]}, at_once=_MANY),
    ],
    tiers=[*_cases("chain", {"local": [100]}), *_cases("chain", {"local": [10]}, at_once=_MANY)],
    effort=Effort(turn=0.4, case=4.0, pairs=3),
    plannings=7,
    scheduled=[100, 1000, 10_000],
    cached=1000,
    cached_turns=1,
    cached_large=20,
)

QUICK = Programme(
    cases=[
        *_cases("chain", {"local": [10, 100], "remote": [10]}),
        *_cases("fan", {"local": [10], "remote": [10]}),
        *_cases("mixed", {"local": [10]}),
        *_cases("chain", {"local": [10], "remote": [10]}, at_once=_SOME),
        *_cases("mixed", {"local": [10]}, at_once=_SOME),
    ],
    controls=_cases("chain", {"local": [100]}),
    tiers=_cases("chain", {"local": [100]}),
    effort=Effort(turn=0.2, case=2.5, pairs=3),
    plannings=3,
    scheduled=[100, 1000],
    cached=100,
    cached_turns=1,
    cached_large=0,
)


async def _measure(programme: Programme, address: str, folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = {"cases": [], "control": [], "tiers": []}
    async with place(address, folder) as here:
        both = [each for case in programme.tiers for each in (case, case.remote)]
        write_flows(here, [*programme.cases, *programme.controls, *both])
        for case in programme.cases:
            found["cases"].append(_said(await compare(here, case, programme.effort)))
        for case in programme.controls:
            told = await compare(here, case, programme.effort, control=True)
            found["control"].append(_said(told))
        for case in programme.tiers:
            found["tiers"].append(_said(await compare_tiers(here, case, programme.effort)))
    kept = [(1, programme.cached, programme.cached_turns), (100, programme.cached_large, 1)]
    found["memory"] = [
        await measure_memory(address, folder, nodes=nodes, runs=runs, turns=turns)
        for nodes, runs, turns in kept
        if runs
    ]
    return found


def _said(told: dict[str, Any]) -> dict[str, Any]:
    many = f", {told['at_once']} at once" if told["at_once"] > 1 else ""
    what = f"{told['shape']} {told['tier']} {told['nodes']}{many}"
    ratio = told["ratio"]["time"]
    text = f"{ratio['median']:.2f} ({ratio['low']:.2f} to {ratio['high']:.2f})"
    cpu = told["ratio"]["cpu"]["median"]
    print(f"{what:32} {text:22} CPU {cpu:.2f}, {told['pairs']} pairs", file=sys.stderr, flush=True)
    return told


def measure(programme: Programme, *, quick: bool) -> dict[str, Any]:
    begun, load = time.monotonic(), os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as scratch, start_temporal(Path(scratch)) as server:
        found = asyncio.run(_measure(programme, server.address, Path(scratch)))
    found["planning"] = measure_planning(programme.planned, times=programme.plannings)
    found["scheduler"] = measure_scheduler(programme.scheduled)
    return {
        "format": 1,
        "date": datetime.now(UTC).date().isoformat(),
        "quick": quick,
        "minutes": round((time.monotonic() - begun) / 60, 1),
        "machine": {
            "system": f"{platform.system()} {platform.machine()}",
            "cores": os.cpu_count(),
            "load_before": round(load, 1),
        },
        "versions": _versions(),
        **found,
    }


def _versions() -> dict[str, str]:
    command = [str(temporal_binary()), "--version"]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return {
        "python": platform.python_version(),
        "temporalio": temporalio.__version__,
        "server": said.strip(),
    }


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.speed", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a few cases; writes nothing")
    quick = parser.parse_args().quick
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))  # ends what it started
    results = measure(QUICK if quick else FULL, quick=quick)
    if quick:
        print(speed_page(results))
        return
    (ROOT / RESULTS).write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    (ROOT / PAGE).write_text(speed_page(results), encoding="utf-8")
    print(f"written: {RESULTS} and {PAGE}, in {results['minutes']} minutes")


if __name__ == "__main__":
    main()
