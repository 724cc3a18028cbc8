"""What a run costs that waits in a worker's cache: memory with one, and with a thousand more."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias, TypeVar

from temporalio.client import WorkflowHandle

from benchmarks.place import Place, place
from benchmarks.shapes import WAITING, flow_name

__all__ = ["measure_memory"]

_AT_ONCE = 25

T = TypeVar("T")
_Handle: TypeAlias = WorkflowHandle[Any, Any]


async def measure_memory(
    address: str, folder: Path, *, nodes: int, runs: int, turns: int
) -> dict[str, Any]:
    """Bytes by run, of flows of so many nodes that wait at their end; a fresh worker each turn."""
    taken: dict[str, list[int]] = {"flow": [], "by_hand": []}
    for _ in range(turns):
        for side, found in taken.items():
            room = {"FLOWRUNNER_MAX_CACHED_WORKFLOWS": str(runs + 100)}
            async with place(address, folder, **room) as fresh:
                found.append(await _held(fresh, side == "flow", nodes, runs))
    return {"nodes": nodes, "runs": runs, "turns": turns, "bytes": taken}


async def _held(place: Place, is_flow: bool, nodes: int, runs: int) -> int:
    """The bytes that so many runs take beside a first one."""
    name = flow_name("waiting", nodes, "local")
    place.product.write_flow(name, WAITING.text(name, nodes, "local"))

    async def start() -> _Handle:
        if is_flow:
            return await place.start(name)
        return await place.start("ByHandWaiting", nodes, "local")

    first = await start()
    await _until_quiet(first, nodes)
    alone = await place.settle()
    others = await _few_at_a_time([start] * runs)
    await _few_at_a_time([partial(_until_quiet, handle, nodes) for handle in others])
    held = await place.settle() - alone
    await first.signal("go")
    await first.result()  # so it did wait for that
    await _few_at_a_time([partial(handle.terminate, "measured") for handle in others])
    return held


async def _few_at_a_time(works: list[Callable[[], Awaitable[T]]]) -> list[T]:
    turns = asyncio.Semaphore(_AT_ONCE)

    async def one(work: Callable[[], Awaitable[T]]) -> T:
        async with turns:
            return await work()

    return list(await asyncio.gather(*map(one, works)))


async def _until_quiet(handle: _Handle, nodes: int) -> None:
    """Until its steps are in its history, and no task of the workflow is under way."""
    while not await _is_quiet(handle, nodes):  # noqa: ASYNC110 - nothing tells us
        await asyncio.sleep(0.2)


async def _is_quiet(handle: _Handle, nodes: int) -> bool:
    described = (await handle.describe()).raw_description
    begun = described.workflow_execution_info.history_length > nodes + 3
    return begun and not described.HasField("pending_workflow_task")
