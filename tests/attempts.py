"""Attempts at nodes as a worker makes them, with a store in memory instead of a real one."""

from __future__ import annotations

import dataclasses
from collections.abc import AsyncIterator, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from temporalio import activity
from temporalio.testing import ActivityEnvironment

from activities.addresses import AddressPolicy
from activities.attempt import Options, Resources
from activities.claims import Claims
from activities.declaration import AnyImplementation
from activities.runtime import Services, as_activity
from activities.secrets import EnvironmentSource, Secrets
from claimcheck.cloakroom import Cloakroom
from claimcheck.errors import StoreUnavailable
from claimcheck.payloads import Inline
from claimcheck.stores import BlobStore, MemoryStore
from claimcheck.values import load_all

__all__ = [
    "AwayAtFirst",
    "ClaimsAnywhere",
    "claims_in_memory",
    "in_pieces",
    "lasting",
    "perform",
    "piece_by_piece",
]


class ClaimsAnywhere(Claims):
    """Outside of an attempt, where tests look at what came of it, there is time for everything."""

    async def loaded(self, value: Any) -> Any:
        if activity.in_activity():
            return await super().loaded(value)
        return (await load_all(self.cloakroom, [value]))[0]


class AwayAtFirst(MemoryStore):
    """Takes and gives nothing the first few times."""

    def __init__(self, times: float) -> None:
        super().__init__()
        self.times = times

    async def put(self, data: bytes | Path, *, under: str) -> str:
        self._come_back()
        return await super().put(data, under=under)

    async def get(self, key: str, *, limit: int) -> bytes:
        self._come_back()
        return await super().get(key, limit=limit)

    def _come_back(self) -> None:
        if self.times > 0:
            self.times -= 1
            raise StoreUnavailable("the store is away")


def claims_in_memory(store: BlobStore | None = None, *, threshold: int = 1024) -> Claims:
    """A claim check of its own; `cloakroom.store` is what it keeps values in."""
    store = store or MemoryStore()
    cloakroom = Cloakroom(store, namespace="default", threshold=threshold, cache_bytes=0)
    return ClaimsAnywhere(cloakroom)


async def perform(
    node: AnyImplementation,
    argument: Any,
    *,
    claims: Claims | None = None,
    environment: Mapping[str, str] | None = None,
    env: ActivityEnvironment | None = None,
    folders: tuple[Path, ...] = (),
    options: Options | None = None,
) -> Any:
    """What the activity of the node type returns for this argument."""
    async with Resources() as resources:
        services = Services(
            secrets=Secrets([EnvironmentSource(environment or {})]),
            resources=resources,
            claims=claims or claims_in_memory(),
            addresses=AddressPolicy(guarded=False),
            folders=folders,
            options=options or Options(),
        )
        result = await (env or lasting(60)).run(as_activity(node, services), argument)
    assert isinstance(result, Inline), "what is large has been put away: the rest stays"
    return result.value


def lasting(seconds: float) -> ActivityEnvironment:
    """An attempt that begins now and may take so long."""
    env = ActivityEnvironment()
    env.info = dataclasses.replace(
        env.info, started_time=datetime.now(UTC), start_to_close_timeout=timedelta(seconds=seconds)
    )
    return env


async def in_pieces(pieces: Iterable[bytes]) -> AsyncIterator[bytes]:
    for piece in pieces:
        yield piece


def piece_by_piece(data: bytes, size: int) -> AsyncIterator[bytes]:
    """The data in pieces of this size."""
    return in_pieces(data[start : start + size] for start in range(0, len(data), size))
