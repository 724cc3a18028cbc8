"""Where it is measured: a tuned server, a worker as shipped, and a client, each on its own."""

from __future__ import annotations

import ctypes
import os
import sys
import time
import urllib.request
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from temporalio.client import Client, WorkflowHandle

from benchmarks.worker import SETTLE
from tests.server.support import ROOT, Product, Running, free_port, until

__all__ = ["Place", "cpu_seconds", "place"]


@dataclass(frozen=True, kw_only=True)
class Place:
    """One worker process and a client of it; flows are in its folder."""

    product: Product
    client: Client
    worker: Running

    async def start(self, workflow: str, *arguments: Any) -> WorkflowHandle[Any, Any]:
        return await self.client.start_workflow(
            workflow,
            args=arguments,
            id=f"bench-{uuid.uuid4().hex}",
            task_queue=self.product.task_queue,
        )

    async def settle(self) -> int:
        """Have the worker throw away what it no longer needs; gives what memory it has left."""
        left: int = await (await self.start(SETTLE)).result()
        return left

    def cpu(self) -> float:
        return cpu_seconds(self.worker.pid)


@asynccontextmanager
async def place(address: str, folder: Path, **settings: str) -> AsyncIterator[Place]:
    """A worker of its own, on a task queue of its own."""
    product = Product(address=address, folder=folder / uuid.uuid4().hex[:8], settings=settings)
    with _worker(product) as running:
        yield Place(product=product, client=await product.client(), worker=running)


@contextmanager
def _worker(product: Product) -> Iterator[Running]:
    health = f"127.0.0.1:{free_port()}"
    env = product.environment(FLOWRUNNER_HEALTH_ADDRESS=health, FLOWRUNNER_LOG_FORMAT="json")
    del env["PYTHONWARNINGS"]
    argv = [sys.executable, "-m", "benchmarks.worker"]
    log = product.folder / "worker.log"
    running = Running("worker", argv, env={**env, "PYTHONPATH": str(ROOT)}, log=log)
    try:
        until(lambda: running.exit_code is not None or _healthy(health), what="a healthy worker")
        if running.exit_code is not None:
            raise SystemExit(f"the worker ended at once:\n{running.output()}")
        yield running
    finally:
        running.stop()


def _healthy(address: str) -> bool:
    try:
        with urllib.request.urlopen(f"http://{address}/health", timeout=2) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def cpu_seconds(pid: int) -> float:
    """The processor time of all threads that a process has had, by the clock of POSIX for it:
    /proc counts in hundredths."""
    clock = ctypes.c_int()
    error = ctypes.CDLL(None).clock_getcpuclockid(pid, ctypes.byref(clock))
    if error:
        raise OSError(error, os.strerror(error))
    return time.clock_gettime(clock.value)
