"""The composition root: puts the parts together, as a worker and as the command `flowrunner`.

Nothing imports it. What a command does not need it does not load, so imports stand where they
are used.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, contextmanager
from dataclasses import asdict, replace
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, cast

if TYPE_CHECKING:
    from socket import socket

    from temporalio.client import Client
    from temporalio.worker import Worker

    from activities.addresses import AddressPolicy
    from activities.attempt import Options, Resources
    from activities.mcp.options import McpOptions
    from activities.plugins import Plugins
    from activities.rag.options import VectorOptions
    from activities.script.script import ScriptOptions
    from activities.secrets import Secrets
    from activities.shell.options import ContainerOptions, ShellOptions
    from activities.store.options import StoreOptions
    from claimcheck.cloakroom import Cloakroom
    from flowspec.catalogue import Catalogue
    from flowspec.values import JsonObject
    from service.settings import ClaimCheckSettings, NodeSettings, SecretSettings, WorkerSettings
    from simulator.world import Performs

__all__ = [
    "address_policy",
    "build_worker",
    "catalogue",
    "file_folders",
    "main",
    "node_options",
    "open_secrets",
    "performs",
    "serve",
    "supervise",
    "worker_settings",
]

_HERE = str(Path(__file__).absolute())
_HEARTBEAT_THROTTLE = timedelta(seconds=5)
"""The longest a cancellation takes to reach a node: it comes with the answer to a heartbeat."""


def main(arguments: list[str] | None = None) -> NoReturn:
    """The command `flowrunner`; `arguments` instead of those of the process."""
    from service.cli import Composition, run

    composition = Composition(
        catalogue=catalogue,
        settings=worker_settings,
        serve=serve,
        supervise=supervise,
        performs=performs,
    )
    run(composition, arguments)


def catalogue() -> Catalogue:
    """Every node type a flow may use; loads no handler's libraries."""
    from activities import catalogue

    return catalogue.catalogue()


def performs() -> Performs:
    """What really performs, in tests of flows, the node types that need nothing."""
    from activities.errors import NodeFailed
    from activities.rehearsing import rehearse
    from simulator.answers import Answer, Failure

    def perform(type: str, params: JsonObject) -> Answer | None:
        done = rehearse(type, params)
        if isinstance(done, NodeFailed):
            return Answer(
                failure=Failure(
                    type=done.error.name,
                    message=done.message,
                    details=done.details,
                    permanent=done.error.permanent,
                )
            )
        return None if done is None else Answer(**cast("dict[str, Any]", done))

    return perform


async def serve(
    settings: WorkerSettings,
    *,
    address: str | None = None,
    storage: ClaimCheckSettings | None = None,
    nodes: NodeSettings | None = None,
    health: socket | None = None,
) -> None:
    """Run a worker until SIGTERM, SIGINT or cancellation, then let its nodes finish.

    `address` is that of a local server without TLS; None takes the way to Temporal from the
    environment, and so it is with `storage` and `nodes`. `health` listens already, and stands
    for the health address of the settings. Raises `SettingsInvalid` and `TemporalUnreachable`
    before anything has started. A second signal ends the process at once.
    """
    import structlog

    from activities.attempt import Resources
    from activities.claims import FlowClaim
    from activities.logging import configure_logging
    from claimcheck.codec import ClaimCodec
    from claimcheck.payloads import data_converter
    from service.client import connect
    from service.health import health_endpoint
    from service.retained import note_namespace
    from service.settings import (
        TemporalSettings,
        load_claim_check_settings,
        load_node_settings,
        load_secret_settings,
        load_temporal_settings,
    )
    from service.storage import open_cloakroom
    from service.telemetry import telemetry_runtime
    from workflows.reading import reads_whatever

    configure_logging(settings.log_format, settings.log_level)
    logger = structlog.stdlib.get_logger("flowrunner.worker")
    temporal = TemporalSettings(address=address) if address else load_temporal_settings()
    storage = storage or load_claim_check_settings()
    secrets = open_secrets(settings, load_secret_settings())
    address_policy(settings)
    file_folders(settings)
    options = node_options(nodes or load_node_settings())
    runtime = telemetry_runtime(settings.metrics_address)
    cloakroom = open_cloakroom(storage, temporal.namespace, meter=runtime.metric_meter)
    codec = ClaimCodec(cloakroom, role="worker")
    stopping = asyncio.Event()
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(cloakroom.store)
        converter = data_converter(codec, claim_type=FlowClaim, sealed_failures=cloakroom.encrypts)
        converter = replace(
            converter, failure_converter_class=reads_whatever(converter.failure_converter_class)
        )
        client = await connect(temporal, runtime=runtime, converter=converter)
        resources = await stack.enter_async_context(Resources())
        worker = await build_worker(client, settings, resources, cloakroom, secrets, options)
        noting = note_namespace(cloakroom.store, client, logger.warning)
        stack.callback(asyncio.create_task(noting).cancel)
        if (asked_at := health or settings.health_address) is not None:
            ready = _readiness(client, worker, stopping)
            await stack.enter_async_context(health_endpoint(asked_at, ready))
        stack.enter_context(_stop_signals(stopping))
        async with worker:
            logger.info(
                "worker ready",
                address=temporal.address,
                namespace=temporal.namespace,
                task_queue=settings.task_queue,
                flows_dir=str(settings.flows_dir),
                blob_store=cloakroom.store.name,
            )
            await stopping.wait()
            logger.info("worker stopping", grace_seconds=settings.shutdown_grace)
    logger.info("worker stopped")


async def supervise(settings: WorkerSettings) -> int:
    """Run several workers, each a process of its own, until SIGTERM or SIGINT; gives the exit
    code. Raises `SettingsInvalid` before anything has started."""
    import structlog

    from activities.logging import configure_logging
    from service.supervisor import supervise

    configure_logging(settings.log_format, settings.log_level)
    logger = structlog.stdlib.get_logger("flowrunner.supervisor")
    command = [sys.executable, _HERE, "--health-socket"]
    return await supervise(settings, command, logger)


def open_secrets(settings: WorkerSettings, sources: SecretSettings) -> Secrets:
    """Everywhere a secret is looked for, in order. Raises `SettingsInvalid`."""
    import structlog

    from activities.secret_files import FolderSource
    from activities.secrets import EnvironmentSource, Secrets, SecretSource, VaultSource
    from service.vault import check_vault, open_vault

    found: list[SecretSource] = [EnvironmentSource(os.environ)]
    if sources.folder is not None:
        found.append(FolderSource(sources.folder))
    vault = open_vault(sources)
    if vault is not None:
        found.append(VaultSource(vault))
        if trouble := check_vault(vault):
            structlog.stdlib.get_logger("flowrunner.worker").warning(trouble)
    return Secrets(found, allowed=settings.secrets_allowed)


def worker_settings(*, local: bool = False) -> WorkerSettings:
    """What the environment says to a worker; `local` to the one of `flowrunner dev`.

    Raises `SettingsInvalid` with all that the worker would stumble over.
    """
    import service.settings as read

    found = read.Gathering()
    settings = found.read(read.load_worker_settings)
    if settings is not None:
        found.read(partial(address_policy, settings))
        found.read(partial(file_folders, settings))
    if (nodes := found.read(read.load_node_settings)) is not None:
        for options in _NODE_OPTIONS:
            found.read(partial(options, nodes))
    if (storage := found.read(read.load_claim_check_settings)) is not None:
        found.read(storage.key_ring)
    if (secrets := found.read(read.load_secret_settings)) is not None:
        found.read(secrets.key_ring)
    if local:
        found.read(read.load_codec_server_settings)
        found.read(read.load_dev_server_settings)
    else:
        found.read(read.load_temporal_settings)
    found.tell()
    assert settings is not None, "what cannot be read has been told"
    return settings


def address_policy(settings: WorkerSettings) -> AddressPolicy:
    """Where on the network flows may connect to. Raises `SettingsInvalid`."""
    from activities.addresses import AddressPolicy, read_rules
    from service.settings import refusing

    with refusing("FLOWRUNNER_HTTP_ALLOW"):
        rules = read_rules(settings.http_allow)
    return AddressPolicy(guarded=settings.http_private != "allow", allow=rules)


def file_folders(settings: WorkerSettings) -> tuple[Path, ...]:
    """The folders whose files flows may use, all of them there. Raises `SettingsInvalid`."""
    from service.settings import refusing

    with refusing("FLOWRUNNER_FILES_DIRS"):
        for folder in settings.files_dirs:
            if not folder.is_dir():
                raise ValueError(f"there is no folder {str(folder)!r}")
    return settings.files_dirs


def node_options(settings: NodeSettings) -> Options:
    """What the settings say to families of node types, each in its own words.

    Raises `SettingsInvalid`.
    """
    from activities.attempt import Options

    return Options(*(read(settings) for read in _NODE_OPTIONS))


def _script_options(settings: NodeSettings) -> ScriptOptions:
    from activities.script.script import ScriptOptions

    return ScriptOptions(most_memory=settings.script_memory)


def _shell_options(settings: NodeSettings) -> ShellOptions:
    from activities.shell.options import ShellOptions, read_programs
    from service.settings import refusing

    with refusing("FLOWRUNNER_SHELL_ALLOW"):
        return ShellOptions(programs=read_programs(settings.shell_allow))


def _container_options(settings: NodeSettings) -> ContainerOptions:
    from activities.shell.options import ContainerOptions, read_engine
    from service.settings import refusing

    with refusing("FLOWRUNNER_CONTAINER_ENGINE"):
        engine = read_engine(settings.container_engine)
    return ContainerOptions(
        images=settings.container_allow,
        engine=engine,
        bridge=settings.container_network == "bridge",
    )


def _store_options(settings: NodeSettings) -> StoreOptions:
    from activities.store.options import StoreOptions, read_place
    from service.settings import refusing

    url = settings.store_url
    with refusing("FLOWRUNNER_STORE"):  # by an error that does not show the URL
        place = None if url is None else read_place(url)
    return StoreOptions(place=place, shared=settings.store_shared)


def _vector_options(settings: NodeSettings) -> VectorOptions:
    from activities.rag.options import VectorOptions, read_vector_place
    from service.settings import refusing

    url, store = settings.vectors_url, _store_options(settings)
    with refusing("FLOWRUNNER_VECTORS"):  # by an error that does not show the URL
        place = None if url is None else read_vector_place(url)
        if place and store.place and place.path == store.place.path:
            said = "expected another file than that of FLOWRUNNER_STORE, in which other things are"
            raise ValueError(said)
    return VectorOptions(place=place)


def _mcp_options(settings: NodeSettings) -> McpOptions:
    from activities.mcp.options import McpOptions, read_servers
    from service.settings import refusing

    if settings.mcp_servers is None:
        return McpOptions()
    with refusing("FLOWRUNNER_MCP_SERVERS"):  # by an error that shows no value
        return McpOptions(servers=read_servers(settings.mcp_servers))


_NODE_OPTIONS: tuple[Callable[[NodeSettings], object], ...] = (
    _store_options,
    _vector_options,
    _script_options,
    _shell_options,
    _container_options,
    _mcp_options,
)


async def build_worker(
    client: Client,
    settings: WorkerSettings,
    resources: Resources,
    cloakroom: Cloakroom,
    secrets: Secrets,
    options: Options,
) -> Worker:
    """The worker with everything it serves; it is not running yet."""
    from temporalio.worker import Worker

    from activities.cache import ResultCache
    from activities.catalogue import implementations, plugins
    from activities.claims import Claims
    from activities.evaluate import Evaluator
    from activities.flows import FlowDirectory
    from activities.keeping import Keeper
    from activities.missing import MissingTypes
    from activities.resolve import FlowResolver
    from activities.runtime import Services, as_activity
    from activities.sharing import Sharing
    from claimcheck.interceptor import ClaimInterceptor
    from workflows.cache import CacheEntry
    from workflows.flow import FlowWorkflow
    from workflows.lock import LockWorkflow
    from workflows.rate import RateWorkflow

    found = plugins()
    _tell_of_plugins(found)
    handled = (*implementations(), *(each.implementation for each in found.found))
    claims = Claims(cloakroom)
    addresses = address_policy(settings)
    services = Services(
        claims=claims,
        secrets=secrets,
        resources=resources,
        addresses=addresses,
        folders=settings.files_dirs,
        options=options,
    )
    resolver = FlowResolver(
        FlowDirectory(settings.flows_dir),
        catalogue(),
        claims,
        search_attributes=await _has_search_attributes(client),
    )
    cache = ResultCache(client, claims)
    sharing = Sharing(client)
    return Worker(
        client,
        task_queue=settings.task_queue,
        workflows=[FlowWorkflow, CacheEntry, LockWorkflow, RateWorkflow],
        activities=[
            *(as_activity(implementation, services) for implementation in handled),
            MissingTypes(found.troubles).perform,
            resolver.resolve,
            Evaluator(claims).evaluate,
            Keeper(claims).keep,
            cache.get,
            cache.put,
            sharing.ask,
            sharing.give_back,
            sharing.check,
            sharing.reserve,
        ],
        interceptors=[ClaimInterceptor(cloakroom)],
        max_concurrent_activities=settings.max_concurrent_activities,
        max_concurrent_local_activities=settings.max_concurrent_activities,
        max_concurrent_workflow_tasks=settings.max_concurrent_workflow_tasks,
        max_cached_workflows=settings.max_cached_workflows,
        graceful_shutdown_timeout=timedelta(seconds=settings.shutdown_grace),
        max_heartbeat_throttle_interval=_HEARTBEAT_THROTTLE,
        default_heartbeat_throttle_interval=_HEARTBEAT_THROTTLE,
    )


def _tell_of_plugins(plugins: Plugins) -> None:
    import structlog

    logger = structlog.stdlib.get_logger("flowrunner.worker")
    for each in plugins.found:
        logger.info("node type of a plug-in", node_type=each.name, package=each.package)
    for trouble in plugins.troubles:
        logger.error("plug-in cannot be used as it is", **asdict(trouble))


async def _has_search_attributes(client: Client) -> bool:
    import structlog

    from service.devserver import SEARCH_ATTRIBUTES
    from service.search_attributes import missing_search_attributes

    missing = await missing_search_attributes(client, SEARCH_ATTRIBUTES)
    if missing is not None:
        structlog.stdlib.get_logger("flowrunner.worker").warning(missing)
    return missing is None


def _readiness(
    client: Client, worker: Worker, stopping: asyncio.Event
) -> Callable[[], Awaitable[str | None]]:
    from temporalio.service import RPCError

    async def ready() -> str | None:
        if stopping.is_set():
            return "stopping"
        if not worker.is_running:
            return "starting"
        try:
            await client.service_client.check_health(timeout=timedelta(seconds=2))
        except RPCError as error:
            return f"Temporal does not answer: {error.message}"
        return None

    return ready


@contextmanager
def _stop_signals(stopping: asyncio.Event) -> Iterator[None]:
    loop = asyncio.get_running_loop()
    signals = (signal.SIGTERM, signal.SIGINT)

    def stop() -> None:
        stopping.set()
        for number in signals:
            loop.remove_signal_handler(number)  # so that a second one is not waited for

    for number in signals:
        loop.add_signal_handler(number, stop)
    try:
        yield
    finally:
        for number in signals:
            loop.remove_signal_handler(number)


if __name__ == "__main__":
    main(["worker", *sys.argv[1:]])
