"""The processes a campaign is about, each started anew by itself when it dies.

Faults only send signals. That a dead process comes back is the business of whoever runs the
product, such as an orchestrator; here it is `Unit.keep`.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sqlite3
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, closing, suppress
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from temporalio.client import Client
from temporalio.runtime import LoggingConfig, Runtime, TelemetryConfig, TelemetryFilter

from claimcheck import ClaimCheckPlugin, FilesystemStore, S3Store
from claimcheck.stores.contract import BlobStore
from service.devserver import DevServerOptions, arguments
from service.guarded import guarded
from tests.chaos.workload import FLOWS
from tests.s3 import S3Server
from tests.server.support import (
    ROOT,
    Product,
    Running,
    clean_environment,
    free_port,
    temporal_binary,
)

__all__ = ["THRESHOLD", "Cluster", "Unit", "cluster", "kept", "server_unit"]

THRESHOLD = 4096
"""Values larger than this are put into the store: most of the flow `large`, and parts of others."""

_PROXY = Path(__file__).with_name("proxy.py")
_READY_SECONDS = 60.0
_KEPT = "kept.db"


@dataclass(kw_only=True)
class Unit:
    """One process: what it is started with, and whether it does its work."""

    name: str
    argv: Sequence[str]
    env: dict[str, str]
    log: Path
    port: int
    """On which it listens once it does its work."""
    running: Running | None = None
    ended: list[Running] = field(default_factory=list)

    def start(self) -> None:
        if self.running is not None:
            self.ended.append(self.running)
        self.running = Running(self.name, guarded(self.argv), env=self.env, log=self.log)

    async def keep(self) -> None:
        """Start it whenever it does not run, until cancelled."""
        while True:
            if self.running is None or self.running.exit_code is not None:
                self.start()
            await asyncio.sleep(0.1)

    def send(self, number: signal.Signals) -> None:
        """Nothing happens to a process that has just ended by itself."""
        if self.running is not None and self.running.exit_code is None:
            os.kill(self.running.pid, number)

    @property
    def pid(self) -> int | None:
        return None if self.running is None else self.running.pid

    async def ready(self) -> None:
        """Return once it listens; it may die and come back meanwhile."""
        async with asyncio.timeout(_READY_SECONDS):
            while not await _listens(self.port):
                await asyncio.sleep(0.05)

    def left(self) -> list[str]:
        """Those of its processes that live although it was stopped."""
        began = [*self.ended, *([self.running] if self.running else [])]
        alive = [each.pid for each in began if Path(f"/proc/{each.pid}").exists()]
        return [f"{self.name}: process {pid} still runs" for pid in alive]

    def stop(self) -> None:
        if self.running is not None:
            self.send(signal.SIGCONT)
            self.running.stop()


async def _listens(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    with suppress(OSError):
        await writer.wait_closed()
    return True


def server_unit(folder: Path, *, continue_after: int) -> Unit:
    """The server of `flowrunner dev` with its database in the folder.

    It suggests to continue as new after so many events.
    """
    folder.mkdir(parents=True, exist_ok=True)
    port = free_port()
    options = DevServerOptions(cli=temporal_binary(), data_dir=folder, port=port, ui_port=None)
    limit = f"limit.historyCount.suggestContinueAsNew={continue_after}"
    argv = [str(options.cli.absolute()), *arguments(options), "--dynamic-config-value", limit]
    log = folder / "server.log"
    return Unit(name="server", argv=argv, env=clean_environment(), log=log, port=port)


@dataclass(kw_only=True)
class Cluster:
    """A server, two workers or more, and a way to the store; `store` None is a folder's."""

    product: Product
    server: Unit
    workers: list[Unit]
    store: Unit | None
    blobs: BlobStore
    client: Client

    @property
    def units(self) -> list[Unit]:
        return [self.server, *self.workers, *([self.store] if self.store else [])]

    async def ready(self) -> None:
        await asyncio.gather(*(unit.ready() for unit in self.units))

    def worker_of(self, tree: Path, *, name: str) -> Unit:
        """A worker of this or of another version, which lies in the folder `tree`."""
        return _worker(self.product, tree, name)

    def kept_values(self) -> dict[str, Any]:
        """What is in the key-value store, by key."""
        if not (self.product.folder / _KEPT).exists():
            return {}
        with closing(sqlite3.connect(self.product.folder / _KEPT)) as database:
            items = database.execute("SELECT key, value FROM items")
            return {key: json.loads(value) for key, value in items}


@asynccontextmanager
async def cluster(
    folder: Path,
    server: Unit,
    *,
    workers: int,
    s3: S3Server | None,
    tree: Path = ROOT,
    **settings: str,
) -> AsyncIterator[Cluster]:
    """Workers of the product in the folder `tree`, beside a server that somebody keeps already."""
    store = _proxy(folder, s3) if s3 else None
    blobs, more = _blobs(folder, s3, store)
    product = Product(
        address=f"127.0.0.1:{server.port}",
        folder=folder,
        settings={
            "FLOWS_DIR": str(FLOWS),
            "CLAIM_CHECK_THRESHOLD": str(THRESHOLD),
            "FLOWRUNNER_STORE": f"sqlite:///{folder / _KEPT}",
            "FLOWRUNNER_STORE_SHARED": "chaos",
            "FLOWRUNNER_SECRET_CHAOS_HOOK": "a secret of the chaos suite",
            "FLOWRUNNER_LOG_FORMAT": "json",
            **more,
            **settings,
        },
    )
    units = [_worker(product, tree, f"worker-{number}") for number in range(workers)]
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(blobs)
        for unit in [*([store] if store else []), *units]:
            await stack.enter_async_context(kept(unit))
        client = await _connected(product.address, blobs)
        yield Cluster(
            product=product, server=server, workers=units, store=store, blobs=blobs, client=client
        )


@asynccontextmanager
async def kept(unit: Unit) -> AsyncIterator[Unit]:
    """The unit, kept running inside the block and ended after it."""
    unit.start()
    keeping = asyncio.create_task(unit.keep())
    try:
        await unit.ready()
        yield unit
    finally:
        keeping.cancel()
        with suppress(asyncio.CancelledError):
            await keeping
        unit.stop()


def _worker(product: Product, tree: Path, name: str) -> Unit:
    health = f"127.0.0.1:{free_port()}"
    env = {"PYTHONPATH": str(tree), **product.environment(FLOWRUNNER_HEALTH_ADDRESS=health)}
    argv = [sys.executable, str(tree / "worker.py")]
    log = product.folder / f"{name}.log"
    return Unit(name=name, argv=argv, env=env, log=log, port=int(health.rpartition(":")[2]))


def _proxy(folder: Path, s3: S3Server) -> Unit:
    folder.mkdir(parents=True, exist_ok=True)
    port = free_port()
    argv = [sys.executable, str(_PROXY), str(port), s3.endpoint.rpartition(":")[2]]
    log = folder / "store.log"
    return Unit(name="store", argv=argv, env=clean_environment(), log=log, port=port)


def _blobs(
    folder: Path, s3: S3Server | None, store: Unit | None
) -> tuple[BlobStore, dict[str, str]]:
    """The suite's own way to the store, where nothing is in between, and the workers'."""
    if s3 is None or store is None:
        path = folder / "blobs"
        return FilesystemStore(path), {"BLOB_STORAGE_PATH": str(path)}
    bucket, who = s3.make_bucket(), s3.credentials
    own = S3Store(
        bucket,
        endpoint=s3.endpoint,
        region=s3.region,
        access_key_id=who.access_key_id,
        secret_access_key=who.secret_access_key,
    )
    return own, {
        "BLOB_STORAGE_TYPE": "s3",
        "BLOB_STORAGE_BUCKET": bucket,
        "BLOB_STORAGE_ENDPOINT": f"http://127.0.0.1:{store.port}",
        "BLOB_STORAGE_REGION": s3.region,
        "BLOB_STORAGE_ACCESS_KEY_ID": who.access_key_id,
        "BLOB_STORAGE_SECRET_ACCESS_KEY": who.secret_access_key,
    }


async def _connected(address: str, blobs: BlobStore) -> Client:
    plugin = ClaimCheckPlugin(blobs, threshold=THRESHOLD)
    return await Client.connect(address, plugins=[plugin], runtime=_runtime())


@cache
def _runtime() -> Runtime:
    """Lost connections are no news here."""
    quiet = LoggingConfig(filter=TelemetryFilter(core_level="ERROR", other_level="ERROR"))
    return Runtime(telemetry=TelemetryConfig(logging=quiet))
