"""What a store of blobs promises: five methods, and the same tests for every store."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Self

__all__ = ["CHUNK", "BlobStore", "StoredBlob"]

CHUNK = 1024 * 1024
"""What `read` gives at a time, at most."""


@dataclass(frozen=True, kw_only=True)
class StoredBlob:
    """What a store knows of a blob without reading it. `modified` has a time zone."""

    key: str
    size: int
    modified: datetime


class BlobStore(ABC):
    """Blobs that never change, under keys that end in the SHA-256 of their bytes.

    Every method may be called from many tasks and processes at once, and raises, beside what it
    names itself, only `StoreUnavailable` and its kinds, within a deadline of the store's own.
    A key that is not one of ours (`claimcheck.keys`) raises `ClaimInvalid` before anything is
    touched. A store is opened by `async with`, or by its first use, and closed by `close`.
    """

    name: str
    """What kind of store this is, for people."""

    @abstractmethod
    async def put(self, data: bytes | Path, *, under: str) -> str:
        """Keep the bytes, or those of a file, in the folder `under`; returns their key.

        Once it returns, they survive a crash and every reader sees all of them; until then
        nobody sees any. Putting what is there already is no error and writes nothing, but makes
        the blob count as modified now if it is older than a few hours: so that nobody sweeps
        away what is needed again.

        Raises the `OSError` of a file that cannot be read, and `ValueError` for one that changes
        meanwhile; nothing is kept then.
        """

    @abstractmethod
    async def get(self, key: str, *, limit: int) -> bytes:
        """The bytes, checked against the hash in the key.

        Raises `BlobMissing`; `BlobDamaged` if they are others; `BlobTooLarge`, before reading
        more, if there are more than `limit`.
        """

    @abstractmethod
    def read(self, key: str) -> AsyncIterator[bytes]:
        """The bytes in pieces of at most `CHUNK`, for what does not fit into memory.

        Raises as `get` does; `BlobDamaged` at the latest after the last piece, so nothing made
        of them may be relied on before the end has come.
        """

    @abstractmethod
    async def stat(self, key: str) -> StoredBlob | None:
        """What is known of the blob; None if there is none."""

    @abstractmethod
    async def delete(self, key: str) -> None:
        """Remove the blob; no error if there is none."""

    @abstractmethod
    async def health(self) -> None:
        """Return if blobs can be written, read and removed here; else raise, saying why not."""

    @abstractmethod
    def list_keys(self, prefix: str = "", *, after: str = "") -> AsyncIterator[StoredBlob]:
        """The blobs whose keys begin with `prefix`, in the order of their keys, from the first
        one after the key `after` on. Files that are no blobs of ours are passed over, and so are
        those that `health` puts, unless `prefix` is of their folder.

        Raises `ClaimInvalid` if either has a letter that is in no key.
        """

    async def close(self) -> None:  # noqa: B027 - a store may have nothing to give back
        """Give back what was opened; may be called twice."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()
