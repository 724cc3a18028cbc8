"""Where values are deposited for claims and claims are redeemed: one for each namespace."""

from __future__ import annotations

import asyncio
import errno
import hashlib
import tempfile
from collections.abc import (
    AsyncGenerator,
    AsyncIterator,
    Awaitable,
    Callable,
    Iterator,
    Mapping,
)
from contextlib import ExitStack, aclosing, contextmanager
from pathlib import Path
from typing import Any, TypeAlias, TypeVar

from claimcheck.caches import KnownKeys, SizedCache
from claimcheck.claim import JSON_METADATA, Claim
from claimcheck.damage import told_of
from claimcheck.envelope import unwrap, unwrap_stream, wrap, wrap_stream
from claimcheck.errors import (
    BlobMissing,
    BlobTooLarge,
    ClaimInvalid,
    StoreFull,
    StoreUnavailable,
)
from claimcheck.keyring import KeyRing
from claimcheck.keys import BlobKey, folder_of, holder_folder, segment
from claimcheck.metrics import Meters
from claimcheck.stores.contract import CHUNK, BlobStore

__all__ = ["DEFAULT_CACHE", "DEFAULT_THRESHOLD", "MOST_IN_MEMORY", "MOST_THRESHOLD", "Cloakroom"]

T = TypeVar("T")

_Putting: TypeAlias = Callable[[Callable[[], Awaitable[str]]], Awaitable[str]]

DEFAULT_THRESHOLD = 50 * 1024
MOST_THRESHOLD = 1024 * 1024
"""With what Temporal adds, a payload must stay below 2 MB."""

DEFAULT_CACHE = 128 * 1024 * 1024

MOST_IN_MEMORY = 1024 * 1024 * 1024
"""What is read at once; larger values are for streams."""

_PARSED_SHARE = 8
"""A parsed value takes so many times the room of its bytes, or less."""

_SMALL = 64 * 1024
"""What is compressed and hashed at once; more goes to a thread."""


class Cloakroom:
    """Keeps values in a store and gives claims for them.

    Blobs are kept under the id of the workflow they are a value of, for which they stay as long
    as that workflow, or one that `hold` has named, is retained.
    """

    def __init__(
        self,
        store: BlobStore,
        *,
        namespace: str,
        threshold: int = DEFAULT_THRESHOLD,
        keys: KeyRing | None = None,
        cache_bytes: int = DEFAULT_CACHE,
        meters: Meters | None = None,
    ) -> None:
        if not 1 <= threshold <= MOST_THRESHOLD:
            raise ValueError(f"the threshold is 1 to {MOST_THRESHOLD} bytes, not {threshold}")
        self.store = store
        self.namespace = namespace
        self.threshold = threshold
        self.keys = keys
        self.meters = meters or Meters()
        self._known = KnownKeys()
        self._blobs: SizedCache[bytes] = SizedCache(cache_bytes)
        self.parsed: SizedCache[tuple[Any]] = SizedCache(cache_bytes // _PARSED_SHARE)
        self._coming: dict[tuple[str, int], asyncio.Task[bytes]] = {}

    @property
    def encrypts(self) -> bool:
        """Whether what leaves from here is encrypted."""
        return self.keys is not None and self.keys.encrypting

    # -- in ------------------------------------------------------------------------------------

    async def deposit(
        self, data: bytes, *, workflow_id: str, metadata: Mapping[str, str] = JSON_METADATA
    ) -> Claim:
        """Keep the bytes of a payload that has this metadata; once it returns, they are safe."""
        if len(data) > MOST_IN_MEMORY:
            raise BlobTooLarge(_too_large(len(data)))
        under = folder_of(self.namespace, workflow_id)
        digest = await _in_thread_if(len(data), lambda: hashlib.sha256(data).digest())
        key = self._known.get(under, digest)
        if key is None:
            blob = await _in_thread_if(len(data), lambda: wrap(data, context=under, keys=self.keys))
            key = await self._put(blob, under)
            self.meters.stored(len(data), len(blob))
            self._known.add(under, digest, key)
        self._blobs.add(key, data, len(data))
        return Claim(key=key, size=len(data), metadata=metadata)

    async def deposit_stream(
        self,
        pieces: AsyncIterator[bytes],
        *,
        workflow_id: str,
        metadata: Mapping[str, str] = JSON_METADATA,
        putting: _Putting = lambda put: put(),
    ) -> Claim:
        """Keep what comes in pieces; it may be larger than memory and rests on disk meanwhile.

        `putting` is given what moves it to the store in the end, to call it again if it likes.
        """
        under = folder_of(self.namespace, workflow_id)
        size = 0

        async def counted() -> AsyncIterator[bytes]:
            nonlocal size
            async for piece in pieces:
                size += len(piece)
                yield piece

        with ExitStack() as stack:
            with _told():
                spool = stack.enter_context(tempfile.NamedTemporaryFile(prefix="claimcheck-"))
            async for part in wrap_stream(counted(), context=under, keys=self.keys):
                with _told():
                    await asyncio.to_thread(spool.write, part)
            with _told():
                await asyncio.to_thread(spool.flush)
            stored = spool.tell()
            key = await putting(lambda: self._put(Path(spool.name), under))
        self.meters.stored(size, stored)
        return Claim(key=key, size=size, metadata=metadata)

    async def _put(self, blob: bytes | Path, under: str) -> str:
        with self.meters.failures("put"), self.meters.timed("put"):
            return await self.store.put(blob, under=under)

    async def hold(self, claim: Claim, *, by: str) -> None:
        """Note that the workflow `by` needs the value as well as its owner."""
        key = self._own(claim)
        if key.workflow == segment(by):
            return
        owner = claim.key.rpartition("/")[0]
        under = holder_folder(owner, by)
        if self._known.get(under, b"") is None:
            self._known.add(under, b"", await self._put(b"", under))

    # -- out -----------------------------------------------------------------------------------

    async def redeem(self, claim: Claim) -> bytes:
        """The bytes of the whole value, for all that ask at once by one download."""
        self._own(claim)
        found = self._blobs.get(claim.key)
        if found is None:
            found = await self._fetched(claim)
        else:
            self.meters.cache_hit()
        if len(found) != claim.size:
            raise ClaimInvalid(_wrong(claim, len(found)))
        return found

    async def stream(self, claim: Claim) -> AsyncGenerator[bytes, None]:
        """The bytes in pieces. Rely on nothing made of them before the end has come without an
        error: only then is it known that they are all, and the right ones."""
        self._own(claim)
        found = self._blobs.get(claim.key)
        if found is not None:
            self.meters.cache_hit()
        size = 0
        async with aclosing(_cut(found) if found is not None else self._unwrapped(claim)) as pieces:
            async for piece in pieces:
                size += len(piece)
                if size > claim.size:
                    break
                yield piece
        if found is None:
            self.meters.fetched(size)
        if size != claim.size:
            raise ClaimInvalid(_wrong(claim, f"{size} or more" if size > claim.size else size))

    async def _unwrapped(self, claim: Claim) -> AsyncGenerator[bytes, None]:
        under = claim.key.rpartition("/")[0]
        with self.meters.failures("get"), self._missing(claim), told_of(claim.key):
            stored = self.store.read(claim.key)
            try:
                async for piece in unwrap_stream(stored, context=under, keys=self.keys):
                    yield piece
            finally:
                if isinstance(stored, AsyncGenerator):  # it may have a file open, or a connection
                    await stored.aclose()

    def _own(self, claim: Claim) -> BlobKey:
        """Nothing is read for a claim of somebody else's namespace."""
        if claim.flaw is not None:
            raise ClaimInvalid(claim.flaw)
        key = BlobKey.parse(claim.key)
        if key.namespace != segment(self.namespace) or key.holder is not None:
            raise ClaimInvalid(f"the claim is not for namespace {self.namespace!r}")
        return key

    async def _fetched(self, claim: Claim) -> bytes:
        """One download for all that wait; it goes on if one of them is cancelled."""
        asked = (claim.key, claim.size)
        coming = self._coming.get(asked)
        if coming is None:
            coming = self._coming[asked] = asyncio.create_task(self._fetch(claim))
            coming.add_done_callback(lambda done: self._arrived(asked, done))
        return await asyncio.shield(coming)

    def _arrived(self, asked: tuple[str, int], done: asyncio.Task[bytes]) -> None:
        del self._coming[asked]
        if not done.cancelled():
            done.exception()  # has been seen, even if nobody waits any more

    async def _fetch(self, claim: Claim) -> bytes:
        if claim.size > MOST_IN_MEMORY:
            raise BlobTooLarge(_too_large(claim.size))
        under = claim.key.rpartition("/")[0]
        with self.meters.failures("get"), self._missing(claim), told_of(claim.key):
            with self.meters.timed("get"):
                blob = await self.store.get(claim.key, limit=_wrapped_at_most(claim.size))
            data = await _in_thread_if(
                max(len(blob), claim.size),
                lambda: unwrap(blob, context=under, keys=self.keys, limit=claim.size),
            )
        self.meters.fetched(len(data))
        self._blobs.add(claim.key, data, len(data))
        return data

    @contextmanager
    def _missing(self, claim: Claim) -> Iterator[None]:
        """What turns out not to be there is put again, the next time."""
        try:
            yield
        except BlobMissing:
            self._known.forget(claim.key)
            raise


def _wrapped_at_most(size: int) -> int:
    """What is larger than this cannot hold a value of that size."""
    return size + size // 64 + 64 * 1024


def _too_large(size: int) -> str:
    return (
        f"the value has {size:,} bytes and at most {MOST_IN_MEMORY:,} are taken into memory: "
        "use a stream"
    )


def _wrong(claim: Claim, size: object) -> str:
    return f"the claim says {claim.size} bytes and the value has {size}: it is forged or damaged"


async def _cut(data: bytes) -> AsyncGenerator[bytes, None]:
    for start in range(0, max(len(data), 1), CHUNK):
        yield data[start : start + CHUNK]


@contextmanager
def _told() -> Iterator[None]:
    """A file of ours that cannot be written is told of as a store that cannot be."""
    try:
        yield
    except OSError as error:
        kind = StoreFull if error.errno in (errno.ENOSPC, errno.EDQUOT) else StoreUnavailable
        raise kind(f"no temporary file can be written in {tempfile.gettempdir()}: {error}") from (
            error
        )


async def _in_thread_if(size: int, work: Callable[[], T]) -> T:
    """In a thread if it is for so many bytes that others would have to wait."""
    return work() if size <= _SMALL else await asyncio.to_thread(work)
