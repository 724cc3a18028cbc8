"""`python -m tests.chaos.soak [--minutes 60]`: mixed flows all the time, and nothing that grows.

One shipped worker runs every flow of the workload, over and over, without any fault. Memory, the
blocks of Python's objects, threads, files, sockets and tasks of the worker are sampled; after the
first fifth, and two minutes at least, which are for warming up, none of them may grow. Ends with 1
if one does, or if a run did not end as it should.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import tempfile
import time
from collections import defaultdict
from dataclasses import asdict, dataclass, field
from pathlib import Path
from random import Random
from typing import Any, TypeAlias

from tests.chaos.checks import log_findings, round_findings
from tests.chaos.cluster import Cluster, cluster, kept, server_unit
from tests.chaos.growth import BOUNDS, Verdict, judged, sampled
from tests.chaos.ledger import Ledger
from tests.chaos.traffic import Traffic
from tests.s3 import start_s3
from tests.server.support import ROOT

__all__ = ["Soaked", "soak"]

_EVERY = 2.0
_WARM_UP = 0.2
_LEAST_WARM_UP = 120.0
_WATCHING = Path(__file__).with_name("watching")

Series: TypeAlias = dict[str, list[tuple[float, float]]]
"""Seconds and values, by figure."""


@dataclass(kw_only=True)
class Soaked:
    """What was seen: of the worker, which is judged, and of the server, which is not."""

    worker: Series = field(default_factory=lambda: defaultdict(list))
    server: Series = field(default_factory=lambda: defaultdict(list))
    runs: int = 0
    findings: list[str] = field(default_factory=list)

    def verdicts(self) -> list[Verdict]:
        return [judged(name, _warm(points)) for name, points in self.worker.items()]

    def seen_of_server(self) -> list[Verdict]:
        names = {name: points for name, points in self.server.items() if name in BOUNDS}
        return [judged(name, _warm(points)) for name, points in names.items()]

    def wrong(self) -> list[str]:
        grown = [f"{one.name} grows by {one.an_hour:.1f} an hour" for one in self.verdicts()]
        grows = [one.grows for one in self.verdicts()]
        return [*self.findings, *(g for g, is_so in zip(grown, grows, strict=True) if is_so)]


def _warm(points: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """Without the first fifth, of a short soak without its first minutes."""
    seconds = points[-1][0]
    begun = max(seconds * _WARM_UP, min(_LEAST_WARM_UP, seconds / 2))
    return [point for point in points if point[0] >= begun]


async def soak(folder: Path, *, seconds: float, width: int, seed: int) -> Soaked:
    """Soak for so long; `width` runs are always under way."""
    soaked = Soaked()
    server = server_unit(folder / "server", continue_after=60)
    counts = folder / "counts.json"
    settings: Any = {
        "CHAOS_COUNTS_FILE": str(counts),
        "PYTHONPATH": f"{_WATCHING}:{ROOT}",
        "CLAIM_CHECK_CACHE": "8MB",  # so that it is full, and does not look like a leak
        # As many threads, soon all there.
        "FLOWRUNNER_MAX_CONCURRENT_WORKFLOW_TASKS": "6",
        "FLOWRUNNER_LOG_LEVEL": "warning",
    }
    with Ledger() as ledger, start_s3(folder) as s3:
        async with (
            kept(server),
            cluster(folder / "product", server, workers=1, s3=s3, **settings) as here,
        ):
            traffic = Traffic(
                client=here.client,
                task_queue=here.product.task_queue,
                url=ledger.url,
                random=Random(seed),
            )
            async with traffic.flowing(width):
                await _watch(here, counts, soaked, seconds)
        soaked.runs = len(traffic.ended)
        [worker] = here.workers
        soaked.findings += _findings(here, traffic, ledger)
        soaked.findings += [f"the worker ended: {one.exit_code}" for one in worker.ended]
    return soaked


async def _watch(here: Cluster, counts: Path, soaked: Soaked, seconds: float) -> None:
    begun = time.monotonic()
    while (now := time.monotonic() - begun) < seconds:
        [worker] = here.workers
        _note(soaked.worker, now, {**sampled(worker.pid or 0), **_told(counts)})
        _note(soaked.server, now, sampled(here.server.pid or 0))
        await asyncio.sleep(_EVERY)


def _told(counts: Path) -> dict[str, float]:
    try:
        told: dict[str, float] = json.loads(counts.read_text())
    except (OSError, ValueError):  # not there yet, or being written
        return {}
    return told


def _note(series: Series, now: float, figures: dict[str, float]) -> None:
    for name, value in figures.items():
        series[name].append((round(now, 1), value))


def _findings(here: Cluster, traffic: Traffic, ledger: Ledger) -> list[str]:
    found = round_findings(traffic.ended, ledger.effects, here.kept_values())
    for unit in here.workers:
        found += log_findings(unit.name, unit.log.read_text().splitlines())
    return found


def _table(title: str, verdicts: list[Verdict], *, judging: bool) -> str:
    head = f"{title:12}{'first':>12}{'last':>12}{'an hour':>12}"
    rows = (
        f"{one.name:12}{one.first:>12.1f}{one.last:>12.1f}{one.an_hour:>+12.1f}"
        f"{'  GROWS' if one.grows and judging else ''}"
        for one in verdicts
    )
    return "\n".join([head, *rows])


def _as_json(soaked: Soaked, seconds: float) -> dict[str, Any]:
    return {
        "seconds": seconds,
        "runs": soaked.runs,
        "worker": [asdict(one) for one in soaked.verdicts()],
        "server": [asdict(one) for one in soaked.seen_of_server()],
        "wrong": soaked.wrong(),
        "samples": {"worker": soaked.worker, "server": soaked.server},
    }


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--width", type=int, default=8, help="runs under way (default 8)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--folder", type=Path, help="where logs and the JSON go; must be empty")
    told = parser.parse_args()
    folder = told.folder or Path(tempfile.mkdtemp(prefix="flowrunner-soak-"))
    folder.mkdir(parents=True, exist_ok=True)
    print(f"soaking for {told.minutes:g} minutes; logs are in {folder}", flush=True)
    seconds = told.minutes * 60
    soaked = asyncio.run(soak(folder, seconds=seconds, width=told.width, seed=told.seed))
    file = folder / "soak.json"
    file.write_text(json.dumps(_as_json(soaked, seconds)))
    print(_table("worker", soaked.verdicts(), judging=True), "", sep="\n")
    print(_table("server", soaked.seen_of_server(), judging=False), "", sep="\n")
    print(f"{soaked.runs} runs; written to {file}")
    if wrong := soaked.wrong():
        print("", *wrong, sep="\n")
        sys.exit(1)


if __name__ == "__main__":
    main()
