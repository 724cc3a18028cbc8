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
from datetime import timedelta
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from temporalio.client import Client
    from temporalio.worker import Worker

    from activities.attempt import Resources
    from flowspec.catalogue import Catalogue
    from service.settings import WorkerSettings

__all__ = ["catalogue", "main", "serve"]

_HEARTBEAT_THROTTLE = timedelta(seconds=5)
"""The longest a cancellation takes to reach a node: it comes with the answer to a heartbeat."""


def main(arguments: list[str] | None = None) -> NoReturn:
    """The command `flowrunner`; `arguments` instead of those of the process."""
    from service.cli import Composition, run

    run(Composition(catalogue=catalogue, serve=serve), arguments)


def catalogue() -> Catalogue:
    """Every node type a flow may use; loads no handler's libraries."""
    from activities import catalogue

    return catalogue.catalogue()


async def serve(settings: WorkerSettings, *, address: str | None = None) -> None:
    """Run a worker until SIGTERM, SIGINT or cancellation, then let its nodes finish.

    `address` is that of a local server without TLS; None takes the way to Temporal from the
    environment. Raises `SettingsInvalid` and `TemporalUnreachable` before anything has started.
    A second signal ends the process at once.
    """
    import structlog

    from activities.attempt import Resources
    from activities.logging import configure_logging
    from service.client import connect
    from service.health import health_endpoint
    from service.settings import TemporalSettings, load_temporal_settings
    from service.telemetry import telemetry_runtime

    configure_logging(settings.log_format, settings.log_level)
    logger = structlog.stdlib.get_logger("flowrunner.worker")
    temporal = TemporalSettings(address=address) if address else load_temporal_settings()
    runtime = telemetry_runtime(settings.metrics_address)
    client = await connect(temporal, runtime=runtime)
    stopping = asyncio.Event()
    async with AsyncExitStack() as stack:
        resources = await stack.enter_async_context(Resources())
        worker = await _build(client, settings, resources)
        if settings.health_address is not None:
            ready = _readiness(client, worker, stopping)
            await stack.enter_async_context(health_endpoint(settings.health_address, ready))
        stack.enter_context(_stop_signals(stopping))
        async with worker:
            logger.info(
                "worker ready",
                address=temporal.address,
                namespace=temporal.namespace,
                task_queue=settings.task_queue,
                flows_dir=str(settings.flows_dir),
            )
            await stopping.wait()
            logger.info("worker stopping", grace_seconds=settings.shutdown_grace)
    logger.info("worker stopped")


async def _build(client: Client, settings: WorkerSettings, resources: Resources) -> Worker:
    from temporalio.worker import Worker

    from activities.cache import ResultCache
    from activities.catalogue import implementations
    from activities.evaluate import evaluate
    from activities.flows import FlowDirectory
    from activities.resolve import FlowResolver
    from activities.runtime import Services, as_activity
    from activities.secrets import EnvironmentSecrets
    from workflows.cache import CacheEntry
    from workflows.flow import FlowWorkflow

    services = Services(
        secrets=EnvironmentSecrets(os.environ, allowed=settings.secrets_allowed),
        resources=resources,
    )
    resolver = FlowResolver(
        FlowDirectory(settings.flows_dir),
        catalogue(),
        search_attributes=await _has_search_attributes(client),
    )
    cache = ResultCache(client)
    return Worker(
        client,
        task_queue=settings.task_queue,
        workflows=[FlowWorkflow, CacheEntry],
        activities=[
            *(as_activity(implementation, services) for implementation in implementations()),
            resolver.resolve,
            evaluate,
            cache.get,
            cache.put,
        ],
        max_concurrent_activities=settings.max_concurrent_activities,
        max_concurrent_local_activities=settings.max_concurrent_activities,
        max_concurrent_workflow_tasks=settings.max_concurrent_workflow_tasks,
        max_cached_workflows=settings.max_cached_workflows,
        graceful_shutdown_timeout=timedelta(seconds=settings.shutdown_grace),
        max_heartbeat_throttle_interval=_HEARTBEAT_THROTTLE,
        default_heartbeat_throttle_interval=_HEARTBEAT_THROTTLE,
    )


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
