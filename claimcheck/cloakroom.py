"""Where values are deposited for claims and claims are redeemed: one for each namespace."""

from __future__ import annotations

import asyncio
import hashlib
import tempfile
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from claimcheck.caches import KnownKeys, SizedCache
from claimcheck.claim import JSON_METADATA, Claim
from claimcheck.envelope import unwrap, unwrap_stream, wrap, wrap_stream
from claimcheck.errors import BlobDamaged, BlobTooLarge, ClaimInvalid
from claimcheck.keyring import KeyRing
from claimcheck.keys import BlobKey, folder_of, holder_folder, segment
from claimcheck.metrics import Meters
from claimcheck.stores.contract import BlobStore

__all__ = ["DEFAULT_CACHE", "DEFAULT_THRESHOLD", "MOST_IN_MEMORY", "MOST_THRESHOLD", "Cloakroom"]

T = TypeVar("T")

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
        self.parsed: SizedCache[tuple[int, Any]] = SizedCache(cache_bytes // _PARSED_SHARE)
        self._coming: dict[tuple[str, int], asyncio.Task[bytes]] = {}

    # -- in ------------------------------------------------------------------------------------

    async def deposit(
        self, data: bytes, *, workflow_id: str, metadata: Mapping[str, str] = JSON_METADATA
    ) -> Claim:
        """Keep the bytes of a payload that has this metadata; once it returns, they are safe."""
        under = folder_of(self.namespace, workflow_id)
        digest = await _in_thread_if_large(data, lambda: hashlib.sha256(data).digest())
        key = self._known.get(under, digest)
        if key is None:
            blob = await _in_thread_if_large(
                data, lambda: wrap(data, context=under, keys=self.keys)
            )
            with self.meters.timed("put"):
                key = await self.store.put(blob, under=under)
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
    ) -> Claim:
        """Keep what comes in pieces; it may be larger than memory and rests on disk meanwhile."""
        under = folder_of(self.namespace, workflow_id)
        size = 0

        async def counted() -> AsyncIterator[bytes]:
            nonlocal size
            async for piece in pieces:
                size += len(piece)
                yield piece

        with tempfile.NamedTemporaryFile(prefix="flowrunner-") as spool:
            async for part in wrap_stream(counted(), context=under, keys=self.keys):
                await asyncio.to_thread(spool.write, part)
            await asyncio.to_thread(spool.flush)
            stored = spool.tell()
            with self.meters.timed("put"):
                key = await self.store.put(Path(spool.name), under=under)
        self.meters.stored(size, stored)
        return Claim(key=key, size=size, metadata=metadata)

    async def hold(self, claim: Claim, *, by: str) -> None:
        """Note that the workflow `by` needs the value as well as its owner."""
        key = self._own(claim)
        if key.workflow == segment(by):
            return
        owner = claim.key.rpartition("/")[0]
        under = holder_folder(owner, by)
        if self._known.get(under, b"") is None:
            self._known.add(under, b"", await self.store.put(b"", under=under))

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
            raise ClaimInvalid(
                f"the claim says {claim.size} bytes and the value has {len(found)}: it is forged "
                "or damaged"
            )
        return found

    async def stream(self, claim: Claim) -> AsyncIterator[bytes]:
        """The bytes in pieces. Rely on nothing made of them before the end has come without an
        error: only then is it known that they are all, and the right ones."""
        key = self._own(claim)
        under = claim.key.rpartition("/")[0]
        found = self._blobs.get(claim.key)
        if found is not None:
            self.meters.cache_hit()
            yield found
            return
        size = 0
        with self.meters.failures("get"):
            async for piece in unwrap_stream(
                self.store.read(claim.key), context=under, keys=self.keys
            ):
                size += len(piece)
                if size > claim.size:
                    break
                yield piece
        self.meters.fetched(size)
        if size != claim.size:
            raise BlobDamaged(
                f"blob {key.digest} has {size} bytes or more, its claim says {claim.size}"
            )

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
            raise BlobTooLarge(
                f"the value has {claim.size:,} bytes and at most {MOST_IN_MEMORY:,} are taken "
                "into memory: read it as a stream"
            )
        under = claim.key.rpartition("/")[0]
        with self.meters.timed("get"):
            blob = await self.store.get(claim.key, limit=_wrapped_at_most(claim.size))
        data = await _in_thread_if_large(
            blob, lambda: unwrap(blob, context=under, keys=self.keys, limit=claim.size)
        )
        self.meters.fetched(len(data))
        self._blobs.add(claim.key, data, len(data))
        return data


def _wrapped_at_most(size: int) -> int:
    """What is larger than this cannot hold a value of that size."""
    return size + size // 64 + 64 * 1024


async def _in_thread_if_large(data: bytes, work: Callable[[], T]) -> T:
    return work() if len(data) <= _SMALL else await asyncio.to_thread(work)
