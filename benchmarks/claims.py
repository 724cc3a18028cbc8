"""Ten nodes that pass a large value on: what moves, beside a codec that resolves in the worker.

`python -m benchmarks.claims [MEGABYTES]` starts a server of its own, and runs the same flow in
turns with the claim check as it is shipped and with a worker whose codec fetches what it decodes,
each with runs kept in memory and with none, and without a cache of blobs: as if every reader
were on a machine of its own. The store counts what it is asked for.
"""

from __future__ import annotations

import asyncio
import json
import random
import string
import sys
import tempfile
import time
import uuid
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from pathlib import Path

from temporalio.client import Client

from activities.attempt import Options, Resources
from activities.claims import FlowClaim
from activities.logging import configure_logging
from activities.secrets import Secrets
from claimcheck.cloakroom import Cloakroom
from claimcheck.codec import ClaimCodec, Role
from claimcheck.metrics import Meters
from claimcheck.payloads import data_converter
from claimcheck.stores import FilesystemStore
from service.client import connect
from service.devserver import DevServerOptions, dev_server
from service.settings import TemporalSettings, WorkerSettings
from service.temporal_cli import find_temporal_cli
from worker import build_worker

NODES = 10
QUEUE = "benchmark"
GOAL = 1.05


class Counting(Meters):
    """Bytes of values as they were before compression, which would flatter both sides."""

    def __init__(self) -> None:
        super().__init__()
        self.up = self.down = 0

    def stored(self, size: int, written: int) -> None:  # noqa: ARG002
        self.up += size

    def fetched(self, size: int) -> None:
        self.down += size


class CountingStore(FilesystemStore):
    """A folder that counts what is asked of it."""

    gets = 0

    async def get(self, key: str, *, limit: int) -> bytes:
        self.gets += 1
        return await super().get(key, limit=limit)

    def read(self, key: str) -> AsyncGenerator[bytes]:
        self.gets += 1
        return super().read(key)


@dataclass(frozen=True, kw_only=True)
class Measured:
    up: int
    down: int
    gets: int
    seconds: float
    history: int
    events: int


def flow() -> str:
    """Each node makes a new value of the one before it."""
    lines = [
        "flow: ten",
        "input: {required: [texts], properties: {texts: {type: array}}}",
        "nodes:",
    ]
    source = "input.texts"
    for number in range(NODES):
        following = f", next: n{number + 1}" if number + 1 < NODES else ""
        lines.append(
            f"  n{number}: {{type: log, execution: remote, params: {{message: step, level: debug, "
            f'data: "${{{source} + [{number}]}}"}}{following}}}'
        )
        source = f"nodes.n{number}.output.data"
    return "\n".join([*lines, f'output: "${{len({source})}}"', ""])


async def main(megabytes: int) -> None:
    configure_logging("json", "error")
    chance = random.Random(7)
    letters = string.ascii_letters + string.digits
    value = ["".join(chance.choices(letters, k=100_000)) for _ in range(10 * megabytes)]
    with tempfile.TemporaryDirectory() as scratch:
        options = DevServerOptions(
            cli=find_temporal_cli(None), data_dir=Path(scratch), port=7298, ui_port=None
        )
        async with dev_server(options) as server:
            temporal = TemporalSettings(address=server.address)
            print(f"ten nodes passing {megabytes} MB; MB up, MB down, reads, s, history")
            for cached in (1000, 0):
                sides: dict[Role, Measured] = {}
                for role in ("worker", "client"):
                    folder = Path(scratch) / uuid.uuid4().hex
                    sides[role] = await _measure(temporal, folder, role, cached, value)
                    _tell(role, cached, sides[role])
                _judge(sides["worker"], 100_003 * len(value))


async def _measure(
    temporal: TemporalSettings, folder: Path, role: Role, cached: int, value: list[str]
) -> Measured:
    counting = Counting()
    async with CountingStore(folder) as store, Resources() as resources:
        cloakroom = Cloakroom(store, namespace=temporal.namespace, cache_bytes=0, meters=counting)
        converter = data_converter(ClaimCodec(cloakroom, role=role), claim_type=FlowClaim)
        client = await connect(temporal, converter=converter)
        settings = WorkerSettings(task_queue=QUEUE, max_cached_workflows=cached)
        starter = await connect(
            temporal, converter=data_converter(ClaimCodec(cloakroom, role="client"))
        )
        async with await build_worker(
            client, settings, resources, cloakroom, Secrets(()), Options()
        ):
            seconds, handle_id = await _run(starter, value)
        info = (
            await starter.get_workflow_handle(handle_id).describe()
        ).raw_description.workflow_execution_info
        return Measured(
            up=counting.up,
            down=counting.down,
            gets=store.gets,
            seconds=seconds,
            history=info.history_size_bytes,
            events=info.history_length,
        )


async def _run(client: Client, value: list[str]) -> tuple[float, str]:
    begin = time.perf_counter()
    handle = await client.start_workflow(
        "flow",
        {"flow": flow(), "input": {"texts": value}},
        id=f"benchmark-{uuid.uuid4().hex}",
        task_queue=QUEUE,
    )
    length = await handle.result()
    assert length == len(value) + NODES
    return time.perf_counter() - begin, handle.id


def _tell(role: Role, cached: int, found: Measured) -> None:
    name = "as shipped" if role == "worker" else "resolving in the worker"
    kept = "runs in memory" if cached else "no run in memory"
    print(
        f"  {name:24} {kept:17} {found.up / 1e6:7.0f} {found.down / 1e6:7.0f} "
        f"{found.gets:4} {found.seconds:6.2f} {found.history:9,} bytes, {found.events} events"
    )


def _judge(found: Measured, size: int) -> None:
    """New values: the input and what each node gives. Readers: whoever checks the input, each
    node, and the flow's output."""
    ideal = (1 + NODES) * size + (1 + NODES + 1) * size
    ratio = (found.up + found.down) / ideal
    print(f"  moved ÷ one upload per value and one download per reader: {ratio:.3f} (≤ {GOAL})")


if __name__ == "__main__":
    asyncio.run(main(int(json.loads(sys.argv[1])) if len(sys.argv) > 1 else 10))
