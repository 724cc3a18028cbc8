"""What is done to the processes. Each fault strikes, lasts as long as it says, and is over.

Units come back by themselves (`cluster.Unit.keep`); what was stopped or slowed, the fault lets go.
"""

from __future__ import annotations

import asyncio
import shutil
import signal
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from random import Random

from tests.chaos.cluster import Cluster, Unit, kept

__all__ = ["FAULTS", "Fault", "faults_of"]

KILL, TERM = signal.SIGKILL, signal.SIGTERM
STOP, CONT = signal.SIGSTOP, signal.SIGCONT

_LONGER_THAN_A_TASK = 11.5
"""Seconds after which Temporal takes a workflow task for lost, and the attempts of the workload."""

_DISK_CALLS = "fsync,fdatasync,pwrite64,write,rename,openat"


@dataclass(frozen=True)
class Fault:
    """`often` is its share among all faults."""

    name: str
    strike: Callable[[Strike], Awaitable[None]]
    often: int = 2
    needs_old: bool = False
    needs_store: bool = False


@dataclass(frozen=True, kw_only=True)
class Strike:
    """Where a fault strikes, and by which chance: `pid` is the worker that it is about, if any is.

    `old` is the folder of another version.
    """

    cluster: Cluster
    random: Random
    old: Path | None = None
    pid: int | None = None

    def worker(self) -> Unit:
        about = [unit for unit in self.cluster.workers if unit.pid == self.pid]
        return self.random.choice(about or self.cluster.workers)


async def _kill_worker(on: Strike) -> None:
    on.worker().send(KILL)


async def _kill_workers(on: Strike) -> None:
    for worker in on.cluster.workers:
        worker.send(KILL)


async def _kill_server(on: Strike) -> None:
    on.cluster.server.send(KILL)


async def _kill_all(on: Strike) -> None:
    """What a power cut looks like."""
    for unit in on.cluster.units:
        unit.send(KILL)


async def _stop_worker(on: Strike) -> None:
    """As a deployment does it: asked to end, and given the time."""
    on.worker().send(TERM)


async def _kill_store(on: Strike) -> None:
    assert on.cluster.store is not None
    on.cluster.store.send(KILL)


async def _freeze_store(on: Strike) -> None:
    assert on.cluster.store is not None
    await _frozen(on.cluster.store, on.random.uniform(0.5, 4))


async def _freeze_worker(on: Strike) -> None:
    await _frozen(on.worker(), on.random.uniform(0.5, 3))


async def _freeze_long(on: Strike) -> None:
    """So long that its work is given to another; then it goes on as if nothing had been."""
    await _frozen(on.worker(), _LONGER_THAN_A_TASK)


async def _freeze_server(on: Strike) -> None:
    await _frozen(on.cluster.server, on.random.uniform(0.5, 4))


async def _unheard(on: Strike) -> None:
    """Workers do what they have begun, can tell nobody, and die: all of it was for nothing."""
    server = on.cluster.server
    frozen = asyncio.create_task(_frozen(server, 1.0))
    await asyncio.sleep(0.7)
    await _kill_workers(on)
    await frozen


async def _frozen(unit: Unit, seconds: float) -> None:
    process = unit.running
    unit.send(STOP)
    await asyncio.sleep(seconds)
    if unit.running is process:
        unit.send(CONT)


async def _slow_server(on: Strike) -> None:
    await _slow_disk(on.cluster.server, on.random.choice([5, 20, 60]))


async def _slow_worker(on: Strike) -> None:
    await _slow_disk(on.worker(), on.random.choice([20, 100]))


async def _slow_disk(unit: Unit, milliseconds: int) -> None:
    """Every write of the process, and every file it opens, takes so much longer for a while."""
    strace = await asyncio.create_subprocess_exec(
        *("strace", "-f", "-qq", "-o", "/dev/null", "-p", str(unit.pid)),
        *("-e", f"trace={_DISK_CALLS}"),
        *("-e", f"inject={_DISK_CALLS}:delay_enter={milliseconds * 1000}"),
        stderr=asyncio.subprocess.DEVNULL,
    )
    await asyncio.sleep(4)
    if strace.returncode is None:
        strace.terminate()
    await strace.wait()


async def _deploy(on: Strike) -> None:
    """A worker of another version beside this one, while one of this version is away."""
    assert on.old is not None
    number = on.random.randrange(1_000_000)
    async with kept(on.cluster.worker_of(on.old, name=f"old-{number}")):
        on.worker().send(TERM)
        await asyncio.sleep(on.random.uniform(1, 4))


FAULTS: tuple[Fault, ...] = (
    Fault("kill a worker", _kill_worker, often=4),
    Fault("kill all workers", _kill_workers),
    Fault("kill the server", _kill_server, often=3),
    Fault("kill everything", _kill_all),
    Fault("kill workers that are not heard", _unheard, often=3),
    Fault("end a worker", _stop_worker),
    Fault("freeze a worker", _freeze_worker),
    Fault("freeze a worker for long", _freeze_long, often=1),
    Fault("freeze the server", _freeze_server),
    Fault("slow disk of the server", _slow_server, often=1),
    Fault("slow disk of a worker", _slow_worker, often=1),
    Fault("kill the store", _kill_store, needs_store=True),
    Fault("freeze the store", _freeze_store, needs_store=True),
    Fault("another version beside", _deploy, often=1, needs_old=True),
)


def faults_of(*, store: bool, old: bool) -> tuple[Fault, ...]:
    """Those that can be made here: with a store that is a process, and with another version."""
    traced = shutil.which("strace") is not None
    return tuple(
        fault
        for fault in FAULTS
        if (store or not fault.needs_store)
        and (old or not fault.needs_old)
        and (traced or not fault.name.startswith("slow"))
    )
