"""The claim check for anybody's client and worker, as one plugin of Temporal's SDK."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager

from temporalio.client import Client, ClientConfig, WorkflowHistory
from temporalio.client import Plugin as ClientPlugin
from temporalio.converter import DataConverter
from temporalio.service import ConnectConfig, ServiceClient
from temporalio.worker import (
    Plugin,
    Replayer,
    ReplayerConfig,
    Worker,
    WorkerConfig,
    WorkflowReplayResult,
)

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
    It brings its own data converter. The store is yours to close.
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

    def cloakroom(self, namespace: str, meters: Meters | None = None) -> Cloakroom:
        """Where claims of this namespace are redeemed, for instance as a stream."""
        if namespace not in self._cloakrooms:
            self._cloakrooms[namespace] = Cloakroom(
                self._store,
                namespace=namespace,
                threshold=self._threshold,
                keys=self._keys,
                cache_bytes=self._cache_bytes,
                meters=meters,
            )
        return self._cloakrooms[namespace]

    def _converter(self, cloakroom: Cloakroom, role: Role) -> DataConverter:
        return data_converter(ClaimCodec(cloakroom, role=role))

    def configure_client(self, config: ClientConfig) -> ClientConfig:
        cloakroom = self.cloakroom(config["namespace"])
        config["data_converter"] = self._converter(cloakroom, "client")
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
        own = client.config(active_config=True)
        own["data_converter"] = self._converter(cloakroom, "worker")
        own["plugins"] = []
        config["client"] = Client(**own)
        config["interceptors"] = [*config.get("interceptors", ()), ClaimInterceptor(cloakroom)]
        return config

    async def run_worker(self, worker: Worker, next: Callable[[Worker], Awaitable[None]]) -> None:
        await next(worker)

    def configure_replayer(self, config: ReplayerConfig) -> ReplayerConfig:
        """A replay reads nothing and writes nothing."""
        cloakroom = self.cloakroom(config.get("namespace", "default"))
        config["data_converter"] = self._converter(cloakroom, "replay")
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
