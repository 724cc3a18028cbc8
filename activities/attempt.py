"""What a handler is given beside its parameters: one attempt at one node."""

from __future__ import annotations

import asyncio
import codecs
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, TypeVar

from activities.addresses import AddressPolicy
from activities.blobs import CONTENT_TYPE, Kept, is_textual
from activities.errors import INVALID_RESULT, NodeFailed
from activities.redaction import Redactor
from claimcheck.claim import Claim
from flowspec.values import Json

if TYPE_CHECKING:
    from activities.claims import Claims

__all__ = ["Attempt", "Options", "Resources"]

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


class Options:
    """What the operator has set for families of node types, each a frozen dataclass of its own.

    A family declares the class, with what holds where nothing is set as its defaults, and asks
    for it by its type; the worker fills it in from its settings.
    """

    def __init__(self, *given: object) -> None:
        self._given = {type(each): each for each in given}

    def get(self, kind: type[T]) -> T:
        found = self._given.get(kind)
        return found if isinstance(found, kind) else kind()


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """One attempt: which node it is for, and what a handler may use while it lasts.

    `key` is the same for every attempt at the same node of the same run: the idempotency key.
    `namespace` is Temporal's. `number` counts from 1. `progress` is what the previous attempt
    last gave to `heartbeat`.
    `folders` are those on the worker's machine that flows may use.
    `addresses` says where on the network it may connect to.
    `options` are what the operator has set for the family of its node type.
    """

    node: str
    flow: str
    run_id: str
    key: str
    namespace: str = "default"
    number: int = 1
    progress: Json = None
    resources: Resources = field(default_factory=Resources)
    addresses: AddressPolicy = field(default_factory=AddressPolicy)
    redactor: Redactor = field(default_factory=Redactor)
    beat: Callable[[Json], None] = lambda _progress: None
    claims: Claims | None = None
    folders: tuple[Path, ...] = ()
    options: Options = field(default_factory=Options)

    def heartbeat(self, progress: Json = None) -> None:
        """Say that the work goes on, and how far it is; also lets a cancellation reach it."""
        self.beat(self.redactor.value(progress))

    def conceal(self, text: str) -> None:
        """Treat a text made from a secret as one."""
        self.redactor.add(text)

    async def keep(
        self,
        pieces: AsyncIterator[bytes],
        *,
        content_type: str | None = None,
        as_json: bool = False,
    ) -> Kept:
        """Put a value that may be larger than memory into the object store, for the result.

        To be called while the attempt lasts. With `as_json` the pieces are one JSON value, which
        is yours to see to: it is found out by whoever loads it. Otherwise it is text if both the
        `content_type` and the bytes say so, which is text in UTF-8, and bytes if not. Secrets are
        blotted out, in bytes as well. It rests on this machine's disk until it is in the store.
        """
        assert self.claims is not None, "an attempt of a worker has a store"
        watch = _Watch()
        claim = await self.claims.kept_stream(watch.seen(self.redactor.stream(pieces)))
        if as_json and not watch.is_text:
            raise NodeFailed(INVALID_RESULT, "what was to be kept as JSON is not even UTF-8")
        is_text = watch.is_text and content_type is not None and is_textual(content_type)
        encoding = "json" if as_json else "text" if is_text else "binary"
        metadata = {"encoding": f"{encoding}/plain"}
        if content_type is not None:
            metadata[CONTENT_TYPE] = self.redactor.text(content_type)
        return Kept(Claim(key=claim.key, size=claim.size, metadata=metadata))


class _Watch:
    """Sees whether bytes are text, as they go by."""

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")()
        self.is_text = True

    async def seen(self, pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        async for piece in pieces:
            self._look(piece, last=False)
            yield piece
        self._look(b"", last=True)

    def _look(self, piece: bytes, *, last: bool) -> None:
        if not self.is_text:
            return
        try:
            self.is_text = "\0" not in self._decoder.decode(piece, final=last)
        except UnicodeDecodeError:
            self.is_text = False
