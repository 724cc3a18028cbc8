"""The composition root: puts the parts together, as a worker and as the command `flowrunner`.

Nothing imports it. What a command does not need it does not load, so imports stand where they
are used.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, contextmanager
from dataclasses import asdict, replace
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, cast

from worker_settings import (
    address_policy,
    file_folders,
    node_options,
    open_secrets,
    worker_settings,
)

if TYPE_CHECKING:
    from socket import socket

    from temporalio.client import Client
    from temporalio.worker import Worker

    from activities.attempt import Options, Resources
    from activities.plugins import Plugins
    from activities.secrets import Secrets
    from claimcheck.cloakroom import Cloakroom
    from flowspec.catalogue import Catalogue
    from flowspec.values import JsonObject
    from service.settings import ClaimCheckSettings, NodeSettings, WorkerSettings
    from simulator.world import Performs

__all__ = ["build_worker", "catalogue", "main", "performs", "serve", "supervise"]

_HERE = str(Path(__file__).absolute())
_HEARTBEAT_THROTTLE = timedelta(seconds=5)
"""The longest a cancellation takes to reach a node: it comes with the answer to a heartbeat."""
_LAST_WORDS = 10.0
"""Seconds after the grace, in which Temporal is told what became of the nodes. One that does not
answer would otherwise be waited for half a minute and more."""


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
            stack.callback(_end_within(settings.shutdown_grace + _LAST_WORDS).cancel)
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


async def build_worker(
    client: Client,
    settings: WorkerSettings,
    resources: Resources,
    cloakroom: Cloakroom,
    secrets: Secrets,
    options: Options,
) -> Worker:
    """The worker with everything it serves; it is not running yet."""
    from importlib.metadata import version

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
    from service.patience import be_patient
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
    worker = Worker(
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
        build_id=f"flowrunner {version('flowrunner')}",  # the SDK's takes a hash of all code
        max_concurrent_activities=settings.max_concurrent_activities,
        max_concurrent_local_activities=settings.max_concurrent_activities,
        max_concurrent_workflow_tasks=settings.max_concurrent_workflow_tasks,
        max_cached_workflows=settings.max_cached_workflows,
        graceful_shutdown_timeout=timedelta(seconds=settings.shutdown_grace),
        max_heartbeat_throttle_interval=_HEARTBEAT_THROTTLE,
        default_heartbeat_throttle_interval=_HEARTBEAT_THROTTLE,
    )
    return be_patient(worker)


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


def _end_within(seconds: float) -> threading.Timer:
    """End the process if it is not over by then. What is left undone is done by other workers, as
    if this one had been lost."""
    import structlog

    logger = structlog.stdlib.get_logger("flowrunner.worker")

    def end() -> None:
        logger.error("worker ends before all is told to Temporal, which does not answer")
        os._exit(1)

    timer = threading.Timer(seconds, end)
    timer.daemon = True
    timer.start()
    return timer


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
