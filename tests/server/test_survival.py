"""Runs outlive everything: the worker, the server, a worker without any cache, long histories."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from temporalio.client import Client, WorkflowHandle

from tests.server.support import (
    Product,
    Running,
    TemporalServer,
    free_port,
    start_temporal,
    status_of,
    until,
)

PATIENT = """\
flow: patient
input: {required: [n], properties: {n: {type: integer}}}
nodes:
  begin: {type: log, params: {message: "begin ${input.n}"}, next: [rest, decide]}
  rest: {type: wait, params: {for: 3s}, next: end}
  decide: {type: approval, params: {title: Go on?}, next: {approved: end}}
  end: {type: log, params: {message: "end ${input.n}"}}
output: ${nodes.end.output.message}
"""


class Dev:
    """`flowrunner dev` with its data in one folder, started and stopped like on a laptop."""

    def __init__(self, folder: Path) -> None:
        self.port, self.codec_port = free_port(), free_port()
        self.product = Product(address=f"127.0.0.1:{self.port}", folder=folder)
        self._process: Running | None = None

    def start(self) -> None:
        self._process = self.product.start_cli(
            "dev",
            *("--port", str(self.port), "--codec-port", str(self.codec_port), "--headless"),
            *("--data-dir", str(self.product.folder / "data")),
        )
        until(self._is_ready, what="flowrunner dev")

    def _is_ready(self) -> bool:
        assert self._process is not None
        if self._process.exit_code is not None:
            raise AssertionError(f"flowrunner dev ended:\n{self._process.output()}")
        listed = self.product.temporal(
            "task-queue", "describe", "--task-queue", self.product.task_queue, "-o", "json"
        )
        return '"workflow"' in listed.stdout and "identity" in listed.stdout.lower()

    def stop(self) -> None:
        assert self._process is not None
        os.kill(self._process.pid, signal.SIGINT)
        until(lambda: self._process is None or self._process.exit_code is not None, what="the end")

    def kill(self) -> None:
        """What pulling the plug looks like."""
        assert self._process is not None
        self._process.kill()

    def status(self, run: str) -> dict[str, Any]:
        status: dict[str, Any] = self.product.cli_json("status", run, "--json")
        return status


@pytest.fixture
def dev(tmp_path: Path) -> Iterator[Dev]:
    dev = Dev(tmp_path)
    dev.product.write_flow("patient", PATIENT)
    dev.start()
    yield dev
    dev.stop()


def test_a_run_with_timer_and_approval_survives_stopping_everything(dev: Dev) -> None:
    dev.product.cli("start", "patient", "--id", "patient-1", "--set", "n=1")
    until(lambda: "decide" in _waits(dev, "patient-1"), what="the waits")
    dev.stop()
    dev.start()
    assert "decide" in _waits(dev, "patient-1")
    approved = dev.product.cli("approve", "patient-1", "--action", "approved")
    assert approved.returncode == 0, approved.stderr
    result = dev.product.cli_json("result", "patient-1", "--json")
    assert result["output"] == "end 1"


def _waits(dev: Dev, run: str) -> set[str]:
    """The timer too, if this came soon enough."""
    return {wait["path"] for wait in dev.status(run).get("waiting", [])}


async def test_twenty_runs_survive_a_crash_of_everything(dev: Dev) -> None:
    names = [f"patient-{n}" for n in range(20)]
    client = await dev.product.client()
    for n, name in enumerate(names):
        await client.start_workflow("patient", {"n": n}, id=name, task_queue=dev.product.task_queue)
    dev.kill()
    dev.start()
    client = await dev.product.client()
    runs = [client.get_workflow_handle(name) for name in names]
    outputs = await asyncio.gather(*(_decided(run) for run in runs))
    assert outputs == [f"end {n}" for n in range(20)]


async def _decided(run: WorkflowHandle[Any, Any]) -> Any:
    async with asyncio.timeout(60):
        while not any(w["kind"] == "approval" for w in (await status_of(run))["waiting"]):
            await asyncio.sleep(0.1)
        await run.execute_update("complete", {"node": "decide", "action": "approved"})
        return await run.result()


# -- continue as new, and no cache -------------------------------------------------------------


LONG = """\
flow: long
input: {required: [rounds], properties: {rounds: {type: integer}}}
vars: {total: 0, heard: []}
nodes:
  begin: {type: noop, next: step}
  side: {type: approval, params: {title: At last?}, next: {approved: end}}
  later: {type: event, params: {name: late}, timeout: 1h}
  step: {type: log, params: {message: "round ${iteration}"}, undo: unstep, next: rest}
  rest: {type: wait, params: {for: 10ms}, next: each}
  each:
    type: log
    foreach: [1, 2, 3]
    execution: remote
    params: {message: "item ${item}"}
    next: add
  add:
    type: set
    params: {total: "${vars.total + len(nodes.each.output)}"}
    next:
      - {to: step, when: iteration < input.rounds, limit: unlimited}
      - {to: block, otherwise: true}
  unstep: {type: noop}
  block:
    type: block
    repeat: {until: iteration == 3}
    nodes:
      nap: {type: wait, params: {for: 5ms}, next: say}
      say: {type: log, params: {message: again}}
    output: ${nodes.say.output.message}
    next: end
  end: {type: noop}
output:
  total: ${vars.total}
  said: ${default(nodes.block.output, null)}
  decided: ${nodes.side.output.by}
  late: ${nodes.later.output}
"""


@contextmanager
def _suggesting(folder: Path, events: int) -> Iterator[TemporalServer]:
    """A server that suggests to continue as new after so few events."""
    limit = f"limit.historyCount.suggestContinueAsNew={events}"
    with start_temporal(folder, "--dynamic-config-value", limit) as server:
        yield server


@pytest.mark.parametrize(
    "settings",
    [{}, {"FLOWRUNNER_MAX_CACHED_WORKFLOWS": "0"}, {"CLAIM_CHECK_THRESHOLD": "1"}],
    ids=["cached", "uncached", "claimed"],
)
def test_nothing_is_lost_when_a_run_continues_as_new(
    tmp_path: Path, settings: dict[str, str]
) -> None:
    (tmp_path / "server").mkdir()
    with _suggesting(tmp_path / "server", 25) as server:
        product = Product(address=server.address, folder=tmp_path / "product", settings=settings)
        product.write_flow("long", LONG)
        product.start_worker()
        arguments = ("run", "long", "--id", "long-1", "--set", "rounds=30", "--json")
        try:
            with ThreadPoolExecutor(1) as pool:
                followed = pool.submit(product.cli, *arguments, seconds=100)
                until(lambda: _segments(product) > 2, what="a few continuations")
                product.cli("signal", "long-1", "late", "--data", '"kept"')
                until(lambda: _rests(product), what="the end of the loop", seconds=60)
                approve = ("approve", "long-1", "side", "--action", "approved", "--by", "ann")
                assert product.cli(*approve).returncode == 0
                result = json.loads(followed.result().stdout)
            logged = product.cli("logs", "long-1").stdout
        finally:
            product.stop()
    assert "each#30.2" in logged
    assert "each#1.2" in logged or "each.2" in logged
    assert result["output"] == {"total": 90, "said": "again", "decided": "ann", "late": "kept"}


GROWING = """\
flow: growing
vars: {kept: []}
nodes:
  begin: {type: noop, next: hold}
  hold: {type: event, next: keep}
  keep:
    type: set
    params: {kept: "${vars.kept + [nodes.hold.output]}"}
    next: [{to: hold, when: iteration < 60}, {to: poke, otherwise: true}]
  poke: {type: event, next: poked}
  poked: {type: noop, next: [{to: poke, when: iteration < 60}, {to: last, otherwise: true}]}
  last: {type: event}
output: ["${len(vars.kept)}", "${len(vars.kept[59])}"]
"""


async def test_a_state_too_large_for_temporal_is_carried_on_all_the_same(tmp_path: Path) -> None:
    """Sixty signals of 40 KB each stay inline as they come, and are 2.4 MB together.

    The sixty after them make it move on with all of that.
    """
    (tmp_path / "server").mkdir()
    with _suggesting(tmp_path / "server", 60) as server:
        product = Product(address=server.address, folder=tmp_path / "product")
        product.write_flow("growing", GROWING)
        product.start_worker()
        try:
            client = await product.client()
            options: Any = {"id": "long-1", "task_queue": product.task_queue}
            handle = await client.start_workflow("growing", {}, **options)
            for _ in range(60):
                await handle.signal("hold", "x" * 40_000)
            full = await _resting_at("poke", client)
            for _ in range(60):
                await handle.signal("poke")
            async with asyncio.timeout(60):
                while await _resting_at("last", client) == full:
                    await asyncio.sleep(0.1)
            await handle.signal("last")
            assert await handle.result() == [60, 40_000]
        finally:
            product.stop()


BROAD = """\
flow: broad
nodes:
  long: {{type: log, params: {{message: "${{join(range(20000), '-')}}"}}, next: poke}}
  poke: {{type: event, next: poked}}
  poked: {{type: noop, next: [{{to: poke, when: iteration < 60}}, {{to: last, otherwise: true}}]}}
  last: {{type: event}}
{nodes}
output: ["${{len(nodes.long.output.message)}}", "${{nodes.n7999.outcome}}"]
"""


async def test_a_run_of_many_nodes_is_carried_on(tmp_path: Path) -> None:
    """With so many that have ended, its plan and its state measure more than a payload may."""
    (tmp_path / "server").mkdir()
    nodes = "\n".join(f"  n{number}: {{type: noop}}" for number in range(8000))
    with _suggesting(tmp_path / "server", 60) as server:
        product = Product(address=server.address, folder=tmp_path / "product")
        product.write_flow("broad", BROAD.format(nodes=nodes))
        product.start_worker()
        try:
            client = await product.client()
            options: Any = {"id": "long-1", "task_queue": product.task_queue}
            handle = await client.start_workflow("broad", {}, **options)
            begun = await _resting_at("poke", client)
            for _ in range(60):
                await handle.signal("poke")
            async with asyncio.timeout(60):
                while await _resting_at("last", client) == begun:
                    await asyncio.sleep(0.1)
            await handle.signal("last")
            assert await handle.result() == [108_889, "success"]
        finally:
            product.stop()


async def _resting_at(event: str, client: Client) -> str:
    """The execution that waits for nothing but this event."""
    run = client.get_workflow_handle("long-1")
    async with asyncio.timeout(60):
        while [one["node"] for one in (await status_of(run))["waiting"]] != [event]:
            await asyncio.sleep(0.1)
    return (await run.describe()).run_id


def _segments(product: Product) -> int:
    listed = product.temporal(
        "workflow", "list", "--query", "WorkflowId = 'long-1'", "-o", "json", "--limit", "100"
    )
    return listed.stdout.count('"runId"')


def _rests(product: Product) -> bool:
    status = product.cli_json("status", "long-1", "--json")
    done = [n["path"] for n in status["nodes"] if n["state"] == "success"]
    return "block" in done
