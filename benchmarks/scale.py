"""Large runs and many runs: what they cost, and that they end.

`python -m benchmarks.scale [SCENARIO …] [--json] [--small]` starts a server and worker processes of
its own and prints a table, or one JSON object a scenario. `--small` is a tenth of everything, to
see whether it works. Seconds depend on the machine and what else it does; events and bytes do not.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import tempfile
import time
import uuid
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

from temporalio.client import Client, WorkflowFailureError, WorkflowHandle

from benchmarks.looking import chain, family, watched
from tests.server.support import Product, Running, start_temporal

Figures: TypeAlias = dict[str, Any]

FOREACH = """\
flow: wide
input: {{required: [items], properties: {{items: {{type: array}}}}}}
nodes:
  each:
    type: log
    foreach: {{in: "${{input.items}}", concurrency: {concurrency}, tolerate: 1%}}
    params: {params}
output: {{sum: "${{len(nodes.each.output)}}", error: "${{default(nodes.each.error, null)}}"}}
"""

LOOP = """\
flow: loop
vars: {{n: 0}}
nodes:
  step: {{type: log, execution: remote, params: {{message: "${{vars.n}}"}}, next: count}}
  count:
    type: set
    params: {{n: "${{vars.n + 1}}"}}
    next: [{{to: step, when: vars.n < {rounds}, limit: {rounds}}}]
output: ${{vars.n}}
"""

WAITING = """\
flow: waiting
nodes:
  ask: {type: approval, params: {title: "Well?"}}
output: ${nodes.ask.action}
"""

CACHED = 1_000
"""Runs that a worker keeps in memory by default."""

LOG = '{message: "item ${item}", level: debug}'
TEXT = """{message: "item ${item}", level: debug, data: "${join(range(200), '-')}"}"""


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where a scenario runs; `scale` is what its numbers are divided by."""

    product: Product
    client: Client
    workers: list[Running]
    scale: int

    async def start(self, flow: str, input: Any = None) -> WorkflowHandle[Any, Any]:
        id = f"scale-{uuid.uuid4().hex[:8]}"
        given = {"flow": flow} if input is None else {"flow": flow, "input": input}
        return await self.client.start_workflow(
            "flow", given, id=id, task_queue=self.product.task_queue
        )


async def wide(place: Place, *, params: str = LOG, concurrency: int = 100) -> Figures:
    """A `foreach` over 100,000 items of a local node."""
    items = 100_000 // place.scale
    flow = FOREACH.format(concurrency=concurrency, params=params)
    async with watched(*place.workers) as memory:
        begin = time.perf_counter()
        handle = await place.start(flow, {"items": list(range(items))})
        output = await _ended(handle)
        seconds = time.perf_counter() - begin
    parents = await chain(place.client, handle.id)
    shards = await family(place.client, f"{handle.id}/")
    return {
        "output": output,
        "items_per_second": round(items / seconds),
        "seconds": round(seconds, 1),
        "cpu_ms_an_item": round(memory.cpu_seconds * 1000 / items, 2),
        "parent_executions": len(parents),
        "parent_events": sum(each.events for each in parents),
        "parent_bytes": sum(each.size for each in parents),
        "shards": len(shards),
        "most_shard_events": max((each.events for each in shards), default=0),
        "most_shard_bytes": max((each.size for each in shards), default=0),
        "worker": memory.told(),
    }


async def wide_kilobyte(place: Place) -> Figures:
    """The same with outputs of about 700 bytes each."""
    return await wide(place, params=TEXT)


async def wide_inline(place: Place) -> Figures:
    """The same with outputs of about 300 bytes each, of which no shard's were large before."""
    return await wide(place, params=TEXT.replace("200", "100"))


async def wide_cancelled(place: Place) -> Figures:
    """The same cancelled on its way: how long until it has ended."""
    items = 100_000 // place.scale
    flow = FOREACH.format(concurrency=100, params=LOG)
    handle = await place.start(flow, {"items": list(range(items))})
    seen = 0
    while not seen:
        await asyncio.sleep(0.2)
        nodes = (await handle.query("status"))["nodes"]
        seen = next((node.get("done", 0) for node in nodes if node["path"] == "each"), 0)
    begin = time.perf_counter()
    await handle.cancel()
    await _ended(handle)
    return {"done_when_cancelled": seen, "seconds": round(time.perf_counter() - begin, 2)}


async def loop(place: Place) -> Figures:
    """20,000 rounds of a loop, through continue-as-new."""
    rounds = 20_000 // place.scale
    async with watched(*place.workers) as memory:
        begin = time.perf_counter()
        handle = await place.start(LOOP.format(rounds=rounds))
        output = await _ended(handle)
        seconds = time.perf_counter() - begin
    executions = await chain(place.client, handle.id)
    return {
        "output": output,
        "rounds_per_second": round(rounds / seconds),
        "seconds": round(seconds, 1),
        "cpu_ms_a_round": round(memory.cpu_seconds * 1000 / rounds, 2),
        "executions": len(executions),
        "most_events": max(each.events for each in executions),
        "most_bytes": max(each.size for each in executions),
        "worker": memory.told(),
    }


async def plan(place: Place, *, nodes: int = 10_000, tier: str = "local") -> Figures:
    """A flow of 10,000 local nodes, one after the other in ten rows."""
    nodes //= place.scale
    text = "\n".join(["flow: large", "nodes:", *_rows(nodes, tier, rows=10), ""])
    async with watched(*place.workers) as memory:
        begin = time.perf_counter()
        handle = await place.start(text)
        output = await _ended(handle)
        seconds = time.perf_counter() - begin
    executions = await chain(place.client, handle.id)
    return {
        "output": output,
        "flow_bytes": len(text),
        "seconds": round(seconds, 1),
        "executions": len(executions),
        "most_events": max(each.events for each in executions),
        "most_bytes": max(each.size for each in executions),
        "worker": memory.told(),
    }


async def plan_remote(place: Place) -> Figures:
    """A flow of 10,000 remote nodes, which continues as new."""
    return await plan(place, tier="remote")


def _rows(nodes: int, tier: str, *, rows: int) -> Iterator[str]:
    for number in range(nodes):
        after = number + rows
        follows = f", next: n{after}" if after < nodes else ""
        yield f"  n{number}: {{type: log, execution: {tier}, params: {{message: m}}{follows}}}"


async def waiting(place: Place) -> Figures:
    """2,000 runs that wait for approvals at once, then are all approved."""
    runs = 2_000 // place.scale
    async with watched(*place.workers) as memory:
        begin = time.perf_counter()
        handles = await _many([partial(place.start, WAITING)] * runs)
        await _many([partial(_until_asked, handle) for handle in handles])
        waited = time.perf_counter() - begin
        held = memory.samples[-1] - memory.before
        begin = time.perf_counter()
        await _many([partial(_approve, handle) for handle in handles])
        outputs = await asyncio.gather(*(_ended(handle) for handle in handles))
        decided = time.perf_counter() - begin
    return {
        "approved": sum(output == "approved" for output in outputs),
        "started_per_second": round(runs / waited),
        "approved_per_second": round(runs / decided),
        "cpu_ms_a_run": round(memory.cpu_seconds * 1000 / runs, 1),
        "kilobytes_a_cached_run": round(held * 1024 / min(runs, CACHED), 1),
        "worker": memory.told(),
    }


async def _until_asked(handle: WorkflowHandle[Any, Any]) -> None:
    while not (await handle.query("status"))["waiting"]:  # noqa: ASYNC110 - nothing tells us
        await asyncio.sleep(0.2)


async def _approve(handle: WorkflowHandle[Any, Any]) -> None:
    await handle.execute_update("complete", {"action": "approved", "by": "ann"})


async def _many(works: list[Callable[[], Awaitable[Any]]], at_once: int = 50) -> list[Any]:
    turns = asyncio.Semaphore(at_once)

    async def one(work: Callable[[], Awaitable[Any]]) -> Any:
        async with turns:
            return await work()

    return list(await asyncio.gather(*(one(work) for work in works)))


async def _ended(handle: WorkflowHandle[Any, Any]) -> Any:
    """The output, or what the run failed with, in short."""
    try:
        output = await handle.result()
    except WorkflowFailureError as error:
        return f"{type(error.cause).__name__}: {str(error.cause)[:300]}"
    written = json.dumps(output)
    return output if len(written) < 300 else f"{len(written):,} bytes"


SCENARIOS: dict[str, Callable[[Place], Awaitable[Figures]]] = {
    "wide": wide,
    "wide_kilobyte": wide_kilobyte,
    "wide_inline": wide_inline,
    "wide_cancelled": wide_cancelled,
    "loop": loop,
    "plan": plan,
    "plan_remote": plan_remote,
    "waiting": waiting,
}


@contextmanager
def _product(folder: Path, workers: int) -> Iterator[Product]:
    with start_temporal(folder) as server:
        product = Product(address=server.address, folder=folder / "product")
        try:
            for _ in range(workers):
                product.start_worker(FLOWRUNNER_LOG_LEVEL="warning")
            yield product
        finally:
            product.stop()


async def _measure(names: list[str], product: Product, scale: int, as_json: bool) -> None:
    client = await product.client()
    place = Place(product=product, client=client, workers=product.workers, scale=scale)
    for name in names:
        figures = {"scenario": name, "load": round(os.getloadavg()[0], 1)}
        figures |= await SCENARIOS[name](place)
        print(json.dumps(figures) if as_json else _table(figures), flush=True)


def _table(figures: Figures) -> str:
    flat = {
        (f"{name} {inner}" if inner else name): value
        for name, given in figures.items()
        for inner, value in (given.items() if name == "worker" else (("", given),))
    }
    return "\n".join([*(f"{name:34} {value}" for name, value in flat.items()), ""])


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scale", description=__doc__)
    parser.add_argument("scenarios", nargs="*", choices=[*SCENARIOS, []], default=[])
    parser.add_argument("--json", action="store_true", help="one JSON object a scenario")
    parser.add_argument("--small", action="store_true", help="a tenth of everything")
    parser.add_argument("--workers", type=int, default=1, help="worker processes")
    told = parser.parse_args()
    names = told.scenarios or list(SCENARIOS)
    with tempfile.TemporaryDirectory() as scratch, _product(Path(scratch), told.workers) as product:
        asyncio.run(_measure(names, product, 10 if told.small else 1, told.json))


if __name__ == "__main__":
    main()
