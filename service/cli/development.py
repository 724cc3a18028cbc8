"""A server and a worker in one process, for one person's machine."""

from __future__ import annotations

import asyncio
import shlex
import signal
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flowspec.catalogue import Catalogue
from service.blobs import place_of, store_errors
from service.cli.checking import offered_flows
from service.cli.codec import LocalCodec
from service.cli.composition import Composition
from service.cli.screen import note, print_text
from service.client import connect
from service.devserver import DevServer, DevServerOptions, reserved, reserved_server
from service.errors import DevServerFailed, StoreFailed
from service.pollers import is_polled
from service.settings import (
    ClaimCheckSettings,
    TemporalSettings,
    WorkerSettings,
    load_claim_check_settings,
    load_node_settings,
)
from service.storage import open_store

__all__ = ["develop"]

_WHERE_COMMANDS_LOOK = "127.0.0.1:7233"


async def develop(
    options: DevServerOptions,
    settings: WorkerSettings,
    composition: Composition,
    codec: LocalCodec,
) -> None:
    """Run all until a signal, or until one of them fails; the worker stops before the server.

    Raises `StoreFailed` before anything is started: on one's own machine nobody mends the store
    while runs wait for it, as they do with a worker.
    """
    main = asyncio.current_task()
    assert main is not None
    storage = _own_folder(load_claim_check_settings(), options)
    nodes = load_node_settings().kept_in(options.data_dir.absolute())
    with _cancelled_by_signal(main), suppress(asyncio.CancelledError):
        await _try_out(storage)
        async with _running(options, codec, storage) as server:
            working = asyncio.create_task(
                composition.serve(
                    _for_one(settings), address=server.address, storage=storage, nodes=nodes
                )
            )
            ended = asyncio.create_task(server.ended())
            told = _Told(options=options, settings=settings, storage=storage, server=server)
            ready = asyncio.create_task(_tell(told, composition.catalogue))
            try:
                await _until_over(working, ended, ready)
            finally:
                for task in (ready, working, ended):
                    task.cancel()
                await asyncio.gather(ready, working, ended, return_exceptions=True)
    note("stopped; what was running goes on at the next start")


@asynccontextmanager
async def _running(
    options: DevServerOptions, codec: LocalCodec, storage: ClaimCheckSettings
) -> AsyncIterator[DevServer]:
    """The servers. Temporal's ports are looked at first: whoever starts a second one is to be told
    of that, and not of the codec server, whose port is taken too."""
    with reserved(options):
        namespace = TemporalSettings().namespace
        async with codec.running(namespace, storage), reserved_server(options) as server:
            yield server


def _own_folder(storage: ClaimCheckSettings, options: DevServerOptions) -> ClaimCheckSettings:
    """A server that commands do not find by themselves has a folder for itself, if none is set:
    they must be told where it is anyhow, and no server knows what another one's runs need."""
    if storage.type != "filesystem" or storage.path or not _is_elsewhere(options):
        return storage
    return storage.model_copy(update={"path": options.data_dir.absolute() / "blobs"})


def _is_elsewhere(options: DevServerOptions) -> bool:
    return f"127.0.0.1:{options.port}" != _WHERE_COMMANDS_LOOK


async def _try_out(storage: ClaimCheckSettings) -> None:
    async with open_store(storage) as store:
        try:
            with store_errors():
                await store.health()
        except StoreFailed as error:
            raise StoreFailed(
                f"{error}\n"
                "Runs keep their large values there, so nothing has been started; "
                "`flowrunner blobs health` tries it again."
            ) from error


def _for_one(settings: WorkerSettings) -> WorkerSettings:
    """On one's own machine flows talk to it, unless it is said that they may not."""
    return settings.model_copy(update={"http_private": settings.http_private or "allow"})


async def _until_over(
    working: asyncio.Task[None],
    ended: asyncio.Task[DevServerFailed],
    ready: asyncio.Task[None],
) -> None:
    """Return when the worker has stopped; raise whatever else ends."""
    left: set[asyncio.Task[Any]] = {working, ended, ready}
    while working in left:
        done, left = await asyncio.wait(left, return_when=asyncio.FIRST_COMPLETED)
        if ended in done:
            raise ended.result()
        for task in done:
            task.result()


@contextmanager
def _cancelled_by_signal(task: asyncio.Task[None]) -> Iterator[None]:
    """The worker takes these signals over once it runs, and returns when one comes."""
    loop = asyncio.get_running_loop()
    signals = (signal.SIGINT, signal.SIGTERM)
    for number in signals:
        loop.add_signal_handler(number, task.cancel)
    try:
        yield
    finally:
        for number in signals:
            loop.remove_signal_handler(number)


@dataclass(frozen=True, kw_only=True)
class _Told:
    """What the welcome tells of."""

    options: DevServerOptions
    settings: WorkerSettings
    storage: ClaimCheckSettings
    server: DevServer


async def _tell(told: _Told, catalogue: Callable[[], Catalogue]) -> None:
    client = await connect(TemporalSettings(address=told.server.address))
    while not await is_polled(client, told.settings.task_queue):  # noqa: ASYNC110 - nothing tells us
        await asyncio.sleep(0.05)
    names, broken = await asyncio.to_thread(lambda: offered_flows(catalogue()))
    print_text(_welcome(told, names, broken))


def _values(storage: ClaimCheckSettings) -> str:
    """Where large values go, and whether anybody who gets there can read them."""
    keys = storage.key_ring()
    encrypted = keys is not None and keys.encrypting
    return f"{place_of(storage)}, {'encrypted' if encrypted else 'not encrypted'}"


def _welcome(told: _Told, names: list[str], broken: int) -> str:
    options, server, storage = told.options, told.server, told.storage
    flows = told.settings.flows_dir
    known = ", ".join(names) if names else "none yet"
    first = "hello" if "hello" in names else next(iter(names), "FILE.yaml")
    lines = [
        "Flowrunner is ready.",
        f"  Temporal   {server.address}",
        f"  Web UI     {server.ui_url or 'off'}",
        f"  Codec      {options.codec_url}",
        f"  Flows      {flows}/ ({known})",
        *([_cannot_run(flows, broken)] if broken else []),
        f"  Data       {options.data_dir}/",
        f"  Values     large ones in {_values(storage)}",
        "In another terminal:",
        *(_exports(storage, server) if _is_elsewhere(options) else []),
        f"  flowrunner run {first}",
        "  flowrunner list",
        "Ctrl-C stops both; runs go on at the next start.",
    ]
    return "\n".join(lines)


def _cannot_run(flows: Path, broken: int) -> str:
    files = "1 file has" if broken == 1 else f"{broken} files have"
    why = f"flowrunner validate {shlex.quote(str(flows))}"
    return f"             {files} problems and cannot run; see why: {why}"


def _exports(storage: ClaimCheckSettings, server: DevServer) -> Iterator[str]:
    yield f"  export TEMPORAL_ADDRESS={server.address}"
    if storage.type == "filesystem" and storage.path:
        yield f"  export BLOB_STORAGE_PATH={shlex.quote(str(storage.path))}"
