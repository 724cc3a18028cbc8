"""A campaign: rounds of runs under way, faults among them, and checks when all have ended."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import Random

from tests.chaos.checks import log_findings, round_findings
from tests.chaos.cluster import Cluster, Unit, cluster, kept, server_unit
from tests.chaos.faults import Fault, Strike, faults_of
from tests.chaos.histories import history_findings
from tests.chaos.ledger import Ledger
from tests.chaos.moments import MOMENTS, Moment
from tests.chaos.signs import at_work, expecting
from tests.chaos.traffic import Traffic
from tests.chaos.workload import KINDS
from tests.s3 import S3Server
from tests.server.support import ROOT

__all__ = ["Campaign", "Plan", "Struck"]

_CHOSEN = 0.6
"""The share of faults that strike at a chosen moment; the others strike at random ones."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What a campaign is to be. From the `seed` follow its faults and moments, and what runs.

    `at_once` faults strike side by side, each `pause` seconds at most after the one before.
    `patience` is how long a chosen moment is waited for. `without` are faults that are not made.
    `tree` is the folder of the product, `old` that of another version, which takes part in every
    third round.
    """

    faults: int
    seed: int
    a_round: int = 50
    width: int = 8
    at_once: int = 3
    pause: float = 1.2
    patience: float = 20.0
    workers: int = 2
    continue_after: int = 60
    kinds: tuple[str, ...] = tuple(KINDS)
    without: tuple[str, ...] = ()
    tree: Path = ROOT
    old: Path | None = None


@dataclass(frozen=True, kw_only=True)
class Draw:
    """A fault to be made, after a pause; `moment` None is any."""

    fault: Fault
    moment: Moment | None
    pause: float
    seed: float


@dataclass(frozen=True, kw_only=True)
class Struck:
    """One fault that was made. `moment` None is any; `came` says whether the chosen one came."""

    number: int
    fault: str
    moment: str | None
    step: str | None
    phase: str | None
    came: bool
    seconds: float


@dataclass(kw_only=True)
class Campaign:
    """`run` makes it; what was done and found is here then. `tell` hears of it line by line."""

    plan: Plan
    folder: Path
    s3: S3Server | None
    tell: Callable[[str], None]
    struck: list[Struck] = field(default_factory=list)
    findings: list[str] = field(default_factory=list)
    runs: int = 0
    effects: int = 0
    repeated: int = 0

    def __post_init__(self) -> None:
        self._random = Random(self.plan.seed)
        self._rounds = itertools.count()
        self._chosen = _moments(self._random, self.plan.kinds)

    async def run(self) -> None:
        server = server_unit(self.folder / "server", continue_after=self.plan.continue_after)
        with Ledger() as ledger:
            async with kept(server):
                while len(self.struck) < self.plan.faults:
                    await self._round(server, ledger)
        self._note("the end", server.left())

    async def _round(self, server: Unit, ledger: Ledger) -> None:
        """In every other round values are kept in S3, in the others in a folder."""
        number = next(self._rounds)
        s3 = self.s3 if number % 2 == 0 else None
        old = self.plan.old if number % 3 == 2 else None
        name = f"round-{number}"
        ledger.forget()
        workers, tree = self.plan.workers, self.plan.tree
        async with cluster(self.folder / name, server, workers=workers, s3=s3, tree=tree) as here:
            traffic = self._traffic(here, ledger)
            await self._under_way(here, traffic, ledger, old)
            await self._check(name, here, traffic, ledger, old)
        self._note(name, [left for unit in here.units[1:] for left in unit.left()])

    def _traffic(self, here: Cluster, ledger: Ledger) -> Traffic:
        return Traffic(
            client=here.client,
            task_queue=here.product.task_queue,
            url=ledger.url,
            random=Random(self._random.random()),
            kinds=self.plan.kinds,
        )

    async def _under_way(
        self, here: Cluster, traffic: Traffic, ledger: Ledger, old: Path | None
    ) -> None:
        draws = self._draws(store=here.store is not None, old=old is not None)
        async with traffic.flowing(self.plan.width):
            await asyncio.gather(
                *(
                    self._strike_all(draws, here, traffic, ledger, old)
                    for _ in range(self.plan.at_once)
                )
            )
            await here.ready()

    def _draws(self, *, store: bool, old: bool) -> Iterator[Draw]:
        """The faults of a round, drawn before any of them strikes."""
        count = min(self.plan.a_round, self.plan.faults - len(self.struck))
        known = faults_of(store=store, old=old)
        wanted = tuple(each for each in known if each.name not in self.plan.without)
        faults = _faults(self._random, wanted)
        return iter(
            [
                Draw(
                    fault=fault,
                    moment=next(self._chosen) if self._random.random() < _CHOSEN else None,
                    pause=self._random.uniform(0.5, 1) * self.plan.pause,
                    seed=self._random.random(),
                )
                for fault in itertools.islice(faults, count)
            ]
        )

    async def _strike_all(
        self,
        draws: Iterator[Draw],
        here: Cluster,
        traffic: Traffic,
        ledger: Ledger,
        old: Path | None,
    ) -> None:
        for draw in draws:
            await asyncio.sleep(draw.pause)
            strike = Strike(cluster=here, random=Random(draw.seed), old=old)
            begun = time.monotonic()
            came = await self._strike(draw, strike, traffic, ledger)
            self._struck(draw, came, time.monotonic() - begun)

    async def _strike(self, draw: Draw, strike: Strike, traffic: Traffic, ledger: Ledger) -> bool:
        """Whether the chosen moment came; it strikes in any case."""
        if draw.moment is None:
            await draw.fault.strike(strike)
            return True
        run = traffic.next(draw.moment.flow)
        sign, patience = draw.moment.sign, self.plan.patience
        async with expecting(sign, run.id, traffic.client, ledger, patience=patience) as come:
            traffic.start(run)
            came = await come()
            pid = await at_work(traffic.client, sign.of(run.id))
            await draw.fault.strike(replace(strike, pid=pid))
            await asyncio.sleep(strike.random.uniform(0, 0.4))
        return came

    def _struck(self, draw: Draw, came: bool, seconds: float) -> None:
        moment = draw.moment
        struck = Struck(
            number=len(self.struck) + 1,
            fault=draw.fault.name,
            moment=str(moment) if moment else None,
            step=moment.step if moment else None,
            phase=moment.phase if moment else None,
            came=came,
            seconds=round(seconds, 2),
        )
        self.struck.append(struck)
        when = "at random" if moment is None else f"{moment}{'' if came else ' (did not come)'}"
        self.tell(f"fault {struck.number} of {self.plan.faults}: {draw.fault.name}, {when}")

    async def _check(
        self, name: str, here: Cluster, traffic: Traffic, ledger: Ledger, old: Path | None
    ) -> None:
        effects = list(ledger.effects)
        self._note(name, round_findings(traffic.ended, effects, here.kept_values()))
        histories = await history_findings(
            here.client, here.product.task_queue, here.blobs, old=old is not None
        )
        self._note(name, histories)
        for unit in here.workers:
            self._note(name, log_findings(unit.name, unit.log.read_text().splitlines()))
        once = len({(effect.run, effect.step) for effect in effects})
        self.runs += len(traffic.ended)
        self.effects += once
        self.repeated += len(effects) - once
        self.tell(
            f"{len(traffic.ended)} runs have ended, {once} effects happened, "
            f"{len(effects) - once} more than once; wrong so far: {len(self.findings)}"
        )

    def _note(self, where: str, found: list[str]) -> None:
        for each in found:
            self.findings.append(f"{where}: {each}")
            self.tell(f"WRONG  {where}: {each}")


def _faults(random: Random, faults: tuple[Fault, ...]) -> Iterator[Fault]:
    """Every fault once, and from then on each as often as its share says."""
    yield from random.sample(faults, len(faults))
    while True:
        yield from random.choices(faults, [fault.often for fault in faults])


def _moments(random: Random, kinds: tuple[str, ...]) -> Iterator[Moment]:
    """Every moment of these kinds of runs once, in any order, and so again and again."""
    moments = [moment for moment in MOMENTS if moment.flow in kinds]
    while True:
        yield from random.sample(moments, len(moments))
