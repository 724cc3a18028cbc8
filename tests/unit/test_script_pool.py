"""The processes scripts run in: what they may do, and what becomes of them."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from activities.attempt import Attempt, Resources
from activities.errors import NodeFailed
from activities.parameters import read_params
from activities.script.pool import Child, open_pool
from activities.script.script import SCRIPT_JS
from tests.project.markdown import ROOT

linux = pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")


@pytest.fixture
async def attempt() -> AsyncIterator[Attempt]:
    async with Resources() as resources:
        yield Attempt(node="n", flow="f", run_id="r", key="k", resources=resources)


async def run(attempt: Attempt, code: str, **more: Any) -> Any:
    params = read_params(SCRIPT_JS, {"code": code, **more})
    done: Any = await SCRIPT_JS.handler(params, attempt)
    return done["value"]


async def only_child(attempt: Attempt) -> Child:
    pool = await attempt.resources.get(open_pool)
    while not pool.children:
        await asyncio.sleep(0.01)
    [child] = pool.children
    return child


@linux
async def test_they_have_nothing_of_the_workers(
    attempt: Attempt, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FLOWRUNNER_SECRET_TOKEN", "hidden")
    assert await run(attempt, "return 1") == 1
    process = Path("/proc") / str((await only_child(attempt)).pid)
    assert (process / "environ").read_bytes() == b"TZ=UTC\0"
    opened = {os.readlink(each).partition(":")[0] for each in (process / "fd").iterdir()}
    assert opened <= {"pipe", "socket", "/dev/null"}
    assert "activities/script/child.py" in (process / "cmdline").read_text()


@linux
async def test_they_can_open_and_start_nothing(attempt: Attempt) -> None:
    assert await run(attempt, "return 1", time="7s") == 1
    process = Path("/proc") / str((await only_child(attempt)).pid)
    limits = {
        line[:26].strip(): line[26:].split()[:2]
        for line in (process / "limits").read_text().splitlines()
    }
    for name in ("Max open files", "Max file size", "Max processes", "Max core file size"):
        assert limits[name] == ["0", "0"], name
    assert int(limits["Max address space"][0]) < 2_000_000_000
    assert 7 < int(limits["Max cpu time"][0]) < 12


async def test_one_serves_one_script_after_the_other(attempt: Attempt) -> None:
    assert await run(attempt, "return 1") == 1
    first = await only_child(attempt)
    for number in range(20):
        assert await run(attempt, f"return {number}") == number
    assert await only_child(attempt) is first


async def test_there_are_as_many_as_processors(attempt: Attempt) -> None:
    pool = await attempt.resources.get(open_pool)
    count = len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1
    scripts = [run(attempt, f"return {number}") for number in range(count * 5)]
    assert await asyncio.gather(*scripts) == [*range(count * 5)]
    assert 1 <= len(pool.children) <= count


async def test_one_that_died_is_replaced(attempt: Attempt) -> None:
    assert await run(attempt, "return 1") == 1
    first = await only_child(attempt)
    os.kill(first.pid, signal.SIGKILL)
    while first.is_alive:
        await asyncio.sleep(0.01)
    assert await run(attempt, "return 2") == 2
    assert await only_child(attempt) is not first


async def test_a_script_whose_process_dies_may_be_tried_again(attempt: Attempt) -> None:
    running = asyncio.create_task(run(attempt, "for (;;);"))
    os.kill((await only_child(attempt)).pid, signal.SIGKILL)
    with pytest.raises(NodeFailed) as caught:
        await running
    assert caught.value.error.name == "ScriptCrashed"
    assert not caught.value.error.permanent


async def test_a_script_that_never_stops_is_killed_with_its_process(attempt: Attempt) -> None:
    code = "for (;;) 'x'.repeat(4e6)"  # the engine looks at its clock far too rarely here
    with pytest.raises(NodeFailed) as caught:
        await run(attempt, code, time="100ms")
    assert caught.value.error.name == "ScriptTimeout"
    assert (await attempt.resources.get(open_pool)).children == frozenset()


async def test_they_end_with_the_worker_that_stops() -> None:
    async with Resources() as resources:
        attempt = Attempt(node="n", flow="f", run_id="r", key="k", resources=resources)
        assert await run(attempt, "return 1") == 1
        child = await only_child(attempt)
    assert not child.is_alive


WORKER = """
import asyncio, sys
from activities.attempt import Attempt, Resources
from activities.parameters import read_params
from activities.script.pool import open_pool
from activities.script.script import SCRIPT_JS

async def main():
    async with Resources() as resources:
        attempt = Attempt(node="n", flow="f", run_id="r", key="k", resources=resources)
        params = read_params(SCRIPT_JS, {"code": "for (;;);", "time": "60s"})
        task = asyncio.create_task(SCRIPT_JS.handler(params, attempt))
        pool = await resources.get(open_pool)
        while not pool.children:
            await asyncio.sleep(0.01)
        print(*(child.pid for child in pool.children), flush=True)
        await task

asyncio.run(main())
"""


@linux
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_they_end_with_the_worker_that_is_killed(how: signal.Signals) -> None:
    command = [sys.executable, "-c", WORKER]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as worker:
        assert worker.stdout is not None
        pid = int(worker.stdout.readline())
        assert running(pid)
        worker.send_signal(how)
        worker.wait()
        while running(pid):  # within the time a test has
            pass


def running(pid: int) -> bool:
    try:
        status = Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return False
    return status.rpartition(")")[2].split()[0] not in "ZX"
