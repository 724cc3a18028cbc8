"""The claim check for anybody's client and worker, as one plugin of Temporal's SDK."""

from __future__ import annotations

import dataclasses
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager

from temporalio.client import Client, ClientConfig, WorkflowHistory
from temporalio.client import Plugin as ClientPlugin
from temporalio.common import MetricMeter
from temporalio.converter import DataConverter
from temporalio.runtime import Runtime
from temporalio.service import ConnectConfig, ServiceClient
from temporalio.worker import (
    Plugin,
    Replayer,
    ReplayerConfig,
    Worker,
    WorkerConfig,
    WorkflowReplayResult,
    WorkflowRunner,
)
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner

from claimcheck.cloakroom import DEFAULT_CACHE, DEFAULT_THRESHOLD, Cloakroom
from claimcheck.codec import ClaimCodec, Role
from claimcheck.interceptor import ClaimInterceptor
from claimcheck.keyring import KeyRing
from claimcheck.metrics import Meters
from claimcheck.payloads import data_converter
from claimcheck.stores.contract import BlobStore

__all__ = ["ClaimCheckPlugin"]


class ClaimCheckPlugin(ClientPlugin, Plugin):
    """`Client.connect(address, plugins=[ClaimCheckPlugin(store)])`, and a `Worker` made with that
    client has it too: do not give it to the worker a second time.

    Clients get every value whole. In workflow code a large value is a `Claim`, which can be
    handed on; activities get the value itself, or the claim if their parameter is of that type.
    The payload and failure converters of the client stay what they are; a codec, or the SDK's
    external storage, it cannot have beside this. The store is yours to close.
    """

    def __init__(
        self,
        store: BlobStore,
        *,
        threshold: int = DEFAULT_THRESHOLD,
        keys: KeyRing | None = None,
        cache_bytes: int = DEFAULT_CACHE,
    ) -> None:
        self._store = store
        self._threshold = threshold
        self._keys = keys
        self._cache_bytes = cache_bytes
        self._cloakrooms: dict[str, Cloakroom] = {}

    def cloakroom(self, namespace: str) -> Cloakroom:
        """Where claims of this namespace are redeemed, for instance as a stream."""
        if namespace not in self._cloakrooms:
            self._cloakrooms[namespace] = Cloakroom(
                self._store,
                namespace=namespace,
                threshold=self._threshold,
                keys=self._keys,
                cache_bytes=self._cache_bytes,
            )
        return self._cloakrooms[namespace]

    def configure_client(self, config: ClientConfig) -> ClientConfig:
        cloakroom = self.cloakroom(config["namespace"])
        cloakroom.meters = Meters(_meter(config["service_client"]))
        config["data_converter"] = _converter(config["data_converter"], cloakroom, "client")
        return config

    async def connect_service_client(
        self,
        config: ConnectConfig,
        next: Callable[[ConnectConfig], Awaitable[ServiceClient]],
    ) -> ServiceClient:
        return await next(config)

    def configure_worker(self, config: WorkerConfig) -> WorkerConfig:
        """The worker gets a client of its own: with the one it was given it would fetch."""
        client = config["client"]
        cloakroom = self.cloakroom(client.namespace)
        cloakroom.meters = Meters(_meter(client.service_client))
        own = client.config(active_config=True)
        own["data_converter"] = _converter(own["data_converter"], cloakroom, "worker")
        own["plugins"] = []
        config["client"] = Client(**own)
        config["interceptors"] = [*config.get("interceptors", ()), ClaimInterceptor(cloakroom)]
        config["workflow_runner"] = _passing(config["workflow_runner"])
        return config

    async def run_worker(self, worker: Worker, next: Callable[[Worker], Awaitable[None]]) -> None:
        await next(worker)

    def configure_replayer(self, config: ReplayerConfig) -> ReplayerConfig:
        """A replay reads nothing and writes nothing. What is encrypted opens only with the
        `namespace` that it was written in."""
        cloakroom = self.cloakroom(config["namespace"])
        config["data_converter"] = _converter(config["data_converter"], cloakroom, "replay")
        config["workflow_runner"] = _passing(config["workflow_runner"])
        return config

    def run_replayer(
        self,
        replayer: Replayer,
        histories: AsyncIterator[WorkflowHistory],
        next: Callable[
            [Replayer, AsyncIterator[WorkflowHistory]],
            AbstractAsyncContextManager[AsyncIterator[WorkflowReplayResult]],
        ],
    ) -> AbstractAsyncContextManager[AsyncIterator[WorkflowReplayResult]]:
        return next(replayer, histories)


def _converter(given: DataConverter, cloakroom: Cloakroom, role: Role) -> DataConverter:
    """As the one that is given, and with claims."""
    codec = ClaimCodec(cloakroom, role=role)
    if isinstance(given.payload_codec, ClaimCodec):  # of the client this plugin was given first
        return dataclasses.replace(given, payload_codec=codec)
    for other in (given.payload_codec, given.external_storage):
        if other is not None:
            raise ValueError(
                f"the data converter has a {type(other).__name__}, which the claim check cannot "
                "work beside: it stores, compresses and encrypts payloads itself"
            )
    return data_converter(codec, around=given)


def _passing(runner: WorkflowRunner) -> WorkflowRunner:
    """So that a claim is the same class inside the sandbox as outside."""
    if not isinstance(runner, SandboxedWorkflowRunner):
        return runner
    passing = runner.restrictions.with_passthrough_modules("claimcheck")
    return dataclasses.replace(runner, restrictions=passing)


def _meter(service: ServiceClient) -> MetricMeter:
    return (service.config.runtime or Runtime.default()).metric_meter
