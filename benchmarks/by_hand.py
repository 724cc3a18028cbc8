"""The yardstick: the shapes as somebody who knows Temporal's Python SDK would write them.

Unsandboxed as the interpreter is, with the activities of the node types and with their timeouts
and retries. Plain Python decides, counts and joins.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

from temporalio import workflow
from temporalio.common import RetryPolicy

from benchmarks.shapes import FAN, ROUNDS, parts

__all__ = ["BY_HAND"]

_OPTIONS: Any = {
    "start_to_close_timeout": timedelta(seconds=5),
    "retry_policy": RetryPolicy(maximum_attempts=3, maximum_interval=timedelta(seconds=60)),
}


async def _step(name: str, data: int, tier: str) -> int:
    """A `log` activity, told what the interpreter tells it; gives `data` back."""
    info = workflow.info()
    argument = {
        "node": name,
        "key": f"{info.workflow_id}/{info.run_id}/{name}",
        "flow": info.workflow_type,
        "run_id": info.run_id,
        "params": {"message": "step", "level": "debug", "data": data},
    }
    execute = workflow.execute_local_activity if tier == "local" else workflow.execute_activity
    result: dict[str, Any] = await execute("log", argument, **_OPTIONS)
    given: int = result["output"]["data"]
    return given


async def _sub(name: str, data: int, tier: str) -> int:
    given: int = await workflow.execute_child_workflow(
        "ByHandChild", args=[data, tier], id=f"{workflow.info().workflow_id}/{name}"
    )
    return given


async def _chain(nodes: int, tier: str) -> int:
    data = -1
    for n in range(nodes):
        data = data + 1 if tier == "inline" else await _step(f"n{n}", data + 1, tier)
    return data


@workflow.defn(sandboxed=False)
class ByHandChain:
    @workflow.run
    async def run(self, nodes: int, tier: str) -> int:
        return await _chain(nodes, tier)


@workflow.defn(sandboxed=False)
class ByHandFan:
    @workflow.run
    async def run(self, nodes: int, tier: str) -> int:
        first = await _step("first", 1, tier)
        given = await asyncio.gather(*(_step(f"w{n}", first + n, tier) for n in range(nodes)))
        return await _step("last", given[0] + given[-1], tier)


@workflow.defn(sandboxed=False)
class ByHandForeach:
    @workflow.run
    async def run(self, nodes: int, tier: str) -> int:
        turns = asyncio.Semaphore(10)

        async def each(n: int) -> int:
            async with turns:
                return await _step(f"each{n}", n, tier)

        return len(await asyncio.gather(*(each(n) for n in range(nodes))))


@workflow.defn(sandboxed=False)
class ByHandLoop:
    @workflow.run
    async def run(self, nodes: int, tier: str) -> int:
        n = 0
        while n < nodes:
            n = await _step(f"step{n}", n, tier) + 1
        return n


@workflow.defn(sandboxed=False)
class ByHandConditions:
    @workflow.run
    async def run(self, nodes: int, tier: str) -> int:
        total = 0
        for n in range(nodes):
            given = await _step(f"s{n}", total, tier)
            total += 2 if given % 2 == 1 else 1
        return total


@workflow.defn(sandboxed=False)
class ByHandChild:
    @workflow.run
    async def run(self, data: int, tier: str) -> int:
        return await _step("step", data, tier)


@workflow.defn(sandboxed=False)
class ByHandSubflows:
    @workflow.run
    async def run(self, nodes: int, tier: str) -> int:
        data = -1
        for n in range(nodes):
            data = await _sub(f"n{n}", data + 1, tier)
        return data


@workflow.defn(sandboxed=False)
class ByHandMixed:
    @workflow.run
    async def run(self, nodes: int, _tier: str) -> int:
        total = 0
        for n in range(parts(nodes)):
            first = await _step(f"first{n}", total, "local")
            total = total % 10 if first >= 10 else total + 1
            wide = [_step(f"w{n}_{each}", total, "remote") for each in range(FAN)]
            joined = await _step(f"join{n}", sum(await asyncio.gather(*wide)), "local")
            for round in range(ROUNDS):
                await _step(f"step{n}_{round}", round, "local")
            total = await _sub(f"sub{n}", joined, "local") + ROUNDS
            total = await _step(f"end{n}", total, "local")
        return total


@workflow.defn(sandboxed=False)
class ByHandWaiting:
    def __init__(self) -> None:
        self._told = False

    @workflow.run
    async def run(self, nodes: int, tier: str) -> None:
        await _chain(nodes, tier)
        await workflow.wait_condition(lambda: self._told)

    @workflow.signal
    def go(self) -> None:
        self._told = True


BY_HAND: tuple[type, ...] = (
    ByHandChain,
    ByHandFan,
    ByHandForeach,
    ByHandLoop,
    ByHandConditions,
    ByHandChild,
    ByHandSubflows,
    ByHandMixed,
    ByHandWaiting,
)
