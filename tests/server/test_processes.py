"""`flowrunner worker --processes`: several worker processes that are to the world as one."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import urllib.error
import urllib.request
import uuid
from pathlib import Path
from typing import Any

import pytest

from service.health import READY
from tests.server.conftest import MakeProduct
from tests.server.support import Product, Running, free_port, until

linux = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")

STEPS = """\
flow: steps
nodes:
  a: {type: log, execution: remote, params: {message: a}, next: rest}
  rest: {type: wait, params: {for: 500ms}, next: b}
  b: {type: log, execution: remote, params: {message: b}}
output: done
"""


def supervised(product: Product, count: int, **settings: str) -> Running:
    """A worker of so many processes, all of them ready."""
    return product.start_worker(FLOWRUNNER_PROCESSES=str(count), **settings)


def lines(worker: Running) -> list[dict[str, Any]]:
    return [json.loads(line) for line in worker.output().splitlines() if line.startswith("{")]


def told(worker: Running, event: str) -> list[dict[str, Any]]:
    return [line for line in lines(worker) if line["event"] == event]


def started(worker: Running) -> dict[int, int]:
    """The last process id of each number."""
    return {line["number"]: line["pid"] for line in told(worker, "worker process started")}


def is_alive(pid: int) -> bool:
    """Whether there is such a process that has not ended; one that nobody has waited for has."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def readiness(product: Product) -> tuple[int, str]:
    environment = Path(f"/proc/{product.workers[0].pid}/environ").read_text().split("\0")
    address = dict(pair.split("=", 1) for pair in environment if pair)["FLOWRUNNER_HEALTH_ADDRESS"]
    try:
        with urllib.request.urlopen(f"http://{address}{READY[0]}", timeout=5) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


async def complete(product: Product, runs: int) -> None:
    client = await product.client()
    ids = [f"steps-{uuid.uuid4().hex[:8]}" for _ in range(runs)]
    handles = [
        await client.start_workflow("flow", {"flow": STEPS}, id=id, task_queue=product.task_queue)
        for id in ids
    ]
    async with asyncio.timeout(60):
        results = await asyncio.gather(*(handle.result() for handle in handles))
    assert results == ["done"] * runs


@linux
async def test_a_process_that_is_killed_is_started_again_and_runs_complete(
    own_product: Product,
) -> None:
    worker = supervised(own_product, 2)
    before = started(worker)
    assert sorted(before) == [1, 2]
    assert readiness(own_product) == (200, "ready\n")
    running = asyncio.create_task(complete(own_product, runs=10))
    os.kill(before[2], signal.SIGKILL)
    until(lambda: "process 2 of 2" in readiness(own_product)[1], what="a worker that is not ready")
    await running
    until(lambda: readiness(own_product)[0] == 200, what="the process to be back")
    after = started(worker)
    assert after[1] == before[1]
    assert after[2] != before[2]
    [ended] = told(worker, "worker process ended, starting it again")
    assert (ended["number"], ended["ended"], ended["level"]) == (2, "killed by SIGKILL", "warning")


@linux
async def test_sigterm_ends_all_and_the_exit_code_is_0(own_product: Product) -> None:
    worker = supervised(own_product, 3)
    pids = started(worker).values()
    assert len(pids) == 3
    assert worker.stop() == 0
    assert not any(is_alive(pid) for pid in pids)
    assert len(told(worker, "worker stopped")) == 3
    assert told(worker, "all worker processes stopped")


@linux
def test_processes_do_not_outlive_a_supervisor_that_is_killed(own_product: Product) -> None:
    worker = supervised(own_product, 2)
    pids = list(started(worker).values())
    worker.kill()
    until(lambda: not any(is_alive(pid) for pid in pids), what="the processes to end")
    assert len(told(worker, "worker stopped")) == 2, "they have let their nodes finish"


def test_each_process_offers_its_metrics_at_a_port_of_its_own(own_product: Product) -> None:
    port = free_port()
    supervised(own_product, 2, FLOWRUNNER_METRICS_ADDRESS=f"127.0.0.1:{port}")
    for each in (port, port + 1):
        with urllib.request.urlopen(f"http://127.0.0.1:{each}/metrics", timeout=5) as answer:
            assert "temporal_" in answer.read().decode()


@pytest.mark.parametrize(
    ("settings", "code", "message"),
    [
        ({"TEMPORAL_ADDRESS": "127.0.0.1:1"}, 3, "flowrunner dev"),
        ({"FLOWRUNNER_METRICS_ADDRESS": "127.0.0.1:65535"}, 2, "one for each process"),
        ({"FLOWRUNNER_METRICS_ADDRESS": "localhost:1"}, 2, "cannot be listened on"),
    ],
)
def test_what_keeps_the_first_process_from_starting_is_said_once(
    make_product: MakeProduct, settings: dict[str, str], code: int, message: str
) -> None:
    done = make_product(**settings).cli("worker", "--processes", "3")
    assert done.returncode == code
    assert done.stderr.count(message) == 1
    assert "Traceback" not in done.stderr
