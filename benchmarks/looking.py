"""What runs and workers look like from outside: histories counted, memory as the kernel has it."""

from __future__ import annotations

import asyncio
import os
import statistics
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from temporalio.api.workflowservice.v1 import DescribeWorkflowExecutionRequest
from temporalio.client import Client

from tests.server.support import Running

__all__ = ["Execution", "Memory", "chain", "family", "watched"]

MEGABYTE = 1024 * 1024


@dataclass(frozen=True, kw_only=True)
class Execution:
    """One execution: what its history measures."""

    events: int
    size: int


@dataclass(kw_only=True)
class Memory:
    """Resident memory of all processes together, in megabytes, a sample each half second; and what
    processor time they took, which depends less on what else the machine does than seconds do."""

    before: float
    samples: list[float] = field(default_factory=list)
    cpu_seconds: float = 0.0

    def told(self) -> dict[str, float]:
        half = self.samples[len(self.samples) // 2 :] or [self.before]
        return {
            "before_mb": round(self.before),
            "median_of_second_half_mb": round(statistics.median(half)),
            "most_mb": round(max(self.samples, default=self.before)),
        }


async def chain(client: Client, workflow_id: str) -> list[Execution]:
    """Every execution of the run, the last one first."""
    found: list[Execution] = []
    run_id: str | None = ""
    while run_id is not None:
        found.append(await _execution(client, workflow_id, run_id))
        handle = client.get_workflow_handle(workflow_id, run_id=run_id or None)
        first = await anext(aiter(handle.fetch_history_events(page_size=1)))
        started = first.workflow_execution_started_event_attributes
        run_id = started.continued_execution_run_id or None
    return found


async def family(client: Client, prefix: str) -> list[Execution]:
    """The executions whose ids begin so, in no order; those that visibility knows."""
    query = f"WorkflowId STARTS_WITH '{prefix}'"
    return [
        await _execution(client, each.id, each.run_id)
        async for each in client.list_workflows(query)
    ]


async def _execution(client: Client, workflow_id: str, run_id: str) -> Execution:
    request = DescribeWorkflowExecutionRequest(namespace=client.namespace)
    request.execution.workflow_id = workflow_id
    request.execution.run_id = run_id
    info: Any = (
        await client.workflow_service.describe_workflow_execution(request)
    ).workflow_execution_info
    return Execution(events=info.history_length, size=info.history_size_bytes)


@asynccontextmanager
async def watched(*processes: Running) -> AsyncIterator[Memory]:
    """The memory of the processes and their children while the block runs."""
    memory = Memory(before=_resident(processes))
    begun = sum(_cpu(each.pid) for each in processes)

    async def look() -> None:
        while True:
            memory.samples.append(_resident(processes))
            await asyncio.sleep(0.5)

    looking = asyncio.create_task(look())
    try:
        yield memory
    finally:
        looking.cancel()
        memory.cpu_seconds = sum(_cpu(each.pid) for each in processes) - begun


def _resident(processes: tuple[Running, ...]) -> float:
    return sum(_of_tree(process.pid) for process in processes) / MEGABYTE


def _of_tree(pid: int) -> int:
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:  # it has ended
        return 0
    own = next((line for line in status.splitlines() if line.startswith("VmRSS:")), "VmRSS: 0 kB")
    return int(own.split()[1]) * 1024 + sum(_of_tree(child) for child in _children(pid))


def _cpu(pid: int) -> float:
    try:
        told = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    own = (int(told[11]) + int(told[12])) / os.sysconf("SC_CLK_TCK")
    return own + sum(_cpu(child) for child in _children(pid))


def _children(pid: int) -> list[int]:
    try:
        return [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []
