"""What a handler is given beside its parameters: one attempt at one node."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from dataclasses import dataclass, field
from typing import Any, Self, TypeVar

from activities.redaction import Redactor
from flowspec.values import Json

__all__ = ["Attempt", "Resources"]

T = TypeVar("T")


class Resources:
    """What a worker opens once, when first asked for, and closes when it ends.

    `get` may be called from any number of attempts at once; the opener runs once. One that
    fails is tried again at the next call.
    """

    def __init__(self) -> None:
        self._stack = AsyncExitStack()
        self._opened: dict[Callable[[], AbstractAsyncContextManager[Any]], Any] = {}
        self._lock = asyncio.Lock()

    async def get(self, opener: Callable[[], AbstractAsyncContextManager[T]]) -> T:
        async with self._lock:
            if opener not in self._opened:
                self._opened[opener] = await self._stack.enter_async_context(opener())
            resource: T = self._opened[opener]
            return resource

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        self._opened.clear()
        await self._stack.aclose()


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """One attempt: which node it is for, and what a handler may use while it lasts.

    `key` is the same for every attempt at the same node of the same run: the idempotency key.
    `number` counts from 1. `progress` is what the previous attempt last gave to `heartbeat`.
    """

    node: str
    flow: str
    run_id: str
    key: str
    number: int = 1
    progress: Json = None
    resources: Resources = field(default_factory=Resources)
    redactor: Redactor = field(default_factory=Redactor)
    beat: Callable[[Json], None] = lambda _progress: None

    def heartbeat(self, progress: Json = None) -> None:
        """Say that the work goes on, and how far it is; also lets a cancellation reach it."""
        self.beat(self.redactor.value(progress))

    def conceal(self, text: str) -> None:
        """Treat a text made from a secret as one."""
        self.redactor.add(text)
