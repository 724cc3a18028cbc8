"""What a step costs: a flow beside a hand-written workflow with the same activities.

`python -m benchmarks.steps` starts a server of its own and one worker for both, runs them in
turns, and prints medians and ratios. Machines differ and are busy: read the ratios.
"""

from __future__ import annotations

import asyncio
import statistics
import tempfile
import time
import uuid
from collections.abc import Awaitable, Callable
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

from temporalio import workflow
from temporalio.client import Client
from temporalio.worker import Worker

from activities.attempt import Resources
from activities.catalogue import implementations
from activities.claims import Claims, FlowClaim
from activities.flows import FlowDirectory
from activities.logging import configure_logging
from activities.resolve import FlowResolver
from activities.runtime import Services, as_activity
from activities.secrets import Secrets
from claimcheck.cloakroom import Cloakroom
from claimcheck.codec import ClaimCodec
from claimcheck.interceptor import ClaimInterceptor
from claimcheck.payloads import data_converter
from claimcheck.stores import FilesystemStore
from service.client import connect
from service.devserver import DevServerOptions, dev_server
from service.settings import TemporalSettings
from service.temporal_cli import find_temporal_cli
from worker import catalogue
from workflows.flow import FlowWorkflow

STEPS = 20
RUNS_AT_ONCE = 30
TURNS = 7
QUEUE = "benchmark"


@workflow.defn(sandboxed=False)
class ByHand:
    """The same steps as the flow, written against the SDK."""

    @workflow.run
    async def run(self, local: bool) -> None:
        for number in range(STEPS):
            argument = {
                "node": f"n{number}",
                "key": f"{workflow.info().workflow_id}/n{number}",
                "flow": "steps",
                "run_id": workflow.info().run_id,
                "params": {"message": "step", "level": "debug"},
            }
            execute = workflow.execute_local_activity if local else workflow.execute_activity
            await execute("log", argument, activity_id=f"n{number}", start_to_close_timeout=_MINUTE)


_MINUTE = timedelta(seconds=60)


def flow(local: bool) -> str:
    tier = "local" if local else "remote"
    nodes = [
        f"  n{n}: {{type: log, execution: {tier}, params: {{message: step, level: debug}}"
        + (f", next: n{n + 1}}}" if n + 1 < STEPS else "}")
        for n in range(STEPS)
    ]
    return "\n".join(["flow: steps", "nodes:", *nodes, ""])


async def main() -> None:
    configure_logging("json", "warning")
    with tempfile.TemporaryDirectory() as scratch:
        options = DevServerOptions(
            cli=find_temporal_cli(None), data_dir=Path(scratch), port=7299, ui_port=None
        )
        store = FilesystemStore(Path(scratch) / "blobs")
        async with dev_server(options) as server, store, Resources() as resources:
            cloakroom = Cloakroom(store, namespace="default")
            converter = data_converter(ClaimCodec(cloakroom, role="worker"), claim_type=FlowClaim)
            temporal = TemporalSettings(address=server.address)
            client = await connect(temporal, converter=converter)
            async with _worker(client, resources, Claims(cloakroom)):
                await _compare(client)


def _worker(client: Client, resources: Resources, claims: Claims) -> Worker:
    secrets = Secrets(())
    services = Services(secrets=secrets, resources=resources, claims=claims)
    resolver = FlowResolver(FlowDirectory(Path()), catalogue(), claims, search_attributes=False)
    activities = [as_activity(each, services) for each in implementations()]
    return Worker(
        client,
        task_queue=QUEUE,
        workflows=[FlowWorkflow, ByHand],
        activities=[*activities, resolver.resolve],
        interceptors=[ClaimInterceptor(claims.cloakroom)],
    )


async def _compare(client: Client) -> None:
    for local in (True, False):
        text = flow(local)
        sides: dict[str, Callable[[], Awaitable[int]]] = {
            "flow": partial(_execute, client, "flow", {"flow": text}),
            "by hand": partial(_execute, client, "ByHand", local),
        }
        tier = "local" if local else "remote"
        one = await _in_turns({name: _timed(side, 1) for name, side in sides.items()})
        _report(f"{tier}, one run of {STEPS} steps, ms a step", one, 1000 / STEPS)
        many = await _in_turns({name: _timed(side, RUNS_AT_ONCE) for name, side in sides.items()})
        scale = 1000 / STEPS / RUNS_AT_ONCE
        _report(f"{tier}, {RUNS_AT_ONCE} runs at once, ms a step", many, scale)
        events = {name: await side() for name, side in sides.items()}
        print(f"{tier}, history events: " + ", ".join(f"{n} {e}" for n, e in events.items()))


async def _execute(client: Client, workflow_type: str, argument: Any) -> int:
    handle = await client.start_workflow(
        workflow_type, argument, id=f"benchmark-{uuid.uuid4().hex}", task_queue=QUEUE
    )
    await handle.result()
    return (await handle.describe()).history_length


def _timed(side: Callable[[], Awaitable[Any]], count: int) -> Callable[[], Awaitable[float]]:
    async def run() -> float:
        begin = time.perf_counter()
        await asyncio.gather(*(side() for _ in range(count)))
        return time.perf_counter() - begin

    return run


async def _in_turns(
    sides: dict[str, Callable[[], Awaitable[float]]],
) -> dict[str, list[float]]:
    for run in sides.values():
        await run()
    taken: dict[str, list[float]] = {name: [] for name in sides}
    for _ in range(TURNS):
        for name, run in sides.items():
            taken[name].append(await run())
    return taken


def _report(title: str, taken: dict[str, list[float]], scale: float) -> None:
    medians = {name: statistics.median(times) * scale for name, times in taken.items()}
    pairs = [mine / theirs for mine, theirs in zip(*taken.values(), strict=True)]
    figures = ", ".join(f"{name} {value:.2f}" for name, value in medians.items())
    print(f"{title}: {figures}; ratio {statistics.median(pairs):.2f}")


if __name__ == "__main__":
    asyncio.run(main())
