"""What all stores have in common: keys, hashes, and that a store is tried out before it is used.

A store itself says in five blocking methods how it keeps bytes.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from abc import abstractmethod
from collections.abc import AsyncGenerator, Callable, Generator, Iterator, Sequence
from contextlib import aclosing, closing, contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final, Protocol, TypeVar

from claimcheck.errors import (
    BlobDamaged,
    BlobMissing,
    BlobTooLarge,
    ClaimCheckError,
    ClaimInvalid,
    StoreUnavailable,
)
from claimcheck.keys import PROBE_FOLDER, BlobKey, digest_of
from claimcheck.stores.contract import CHUNK, BlobStore, StoredBlob
from claimcheck.stores.source import Source, SourceFailed
from claimcheck.stores.threads import OutOfTime, Threads, allow

__all__ = ["DEADLINE", "REFRESH_AFTER", "CheckedStore", "OpenBlob", "ThreadedStore"]

T = TypeVar("T")

DEADLINE: Final = 30.0
"""Seconds for one operation, and one more for each MiB that it moves."""
REFRESH_AFTER: Final = timedelta(hours=4)
"""From this age on, a blob that is put again counts as modified now."""
_PART_OF_KEY: Final = re.compile(r"[A-Za-z0-9_.~%/-]*")


class OpenBlob(Protocol):
    """A blob that is being read."""

    size: int

    def read(self, most: int, /) -> bytes:
        """The next bytes, at most so many; none of them at the end alone."""
        ...

    def close(self) -> None: ...


class CheckedStore(BlobStore):
    """Checks what comes in and what goes out; the methods with an underscore only keep it."""

    doubt = ""
    """What to ask whoever runs the store if it does not keep what it is given."""

    def __init__(self, place: str, *, refresh_after: timedelta = REFRESH_AFTER) -> None:
        self._place = place
        self._refresh_after = refresh_after

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._place})"

    @abstractmethod
    def _keep(self, key: str, source: Source) -> None:
        """Store the bytes under the key; if it has so many already, only make them count as
        modified now if they are old."""

    @abstractmethod
    def _open(self, key: str) -> OpenBlob:
        """Raises `BlobMissing`."""

    @abstractmethod
    def _stat(self, key: str) -> StoredBlob | None: ...

    @abstractmethod
    def _remove(self, key: str) -> None: ...

    @abstractmethod
    def _list(self, prefix: str, after: str) -> Iterator[Sequence[StoredBlob]]:
        """In the order of the keys, page by page; whatever else is there may be among them."""

    async def put(self, data: bytes | Path, *, under: str) -> str:
        _check_folder(under)
        try:
            return await self._run(lambda: self._put(data, under))
        except SourceFailed as failed:
            raise failed.error from None

    async def get(self, key: str, *, limit: int) -> bytes:
        BlobKey.parse(key)
        return await self._run(lambda: self._get(key, limit))

    async def read(self, key: str) -> AsyncGenerator[bytes, None]:
        BlobKey.parse(key)
        async with aclosing(self._each(self._pieces(key))) as pieces:
            async for piece in pieces:
                yield piece

    async def stat(self, key: str) -> StoredBlob | None:
        BlobKey.parse(key)
        return await self._run(lambda: self._stat(key))

    async def delete(self, key: str) -> None:
        BlobKey.parse(key)
        await self._run(lambda: self._remove(key))

    async def list_keys(
        self, prefix: str = "", *, after: str = ""
    ) -> AsyncGenerator[StoredBlob, None]:
        for text in (prefix, after):
            if _PART_OF_KEY.fullmatch(text) is None:
                raise ClaimInvalid(f"no key of a blob is like {text[:200]!r}")
        async with aclosing(self._each(self._pages(prefix, after))) as pages:
            async for page in pages:
                for blob in page:
                    yield blob

    async def health(self) -> None:
        probe = secrets.token_bytes(32)
        key = f"{PROBE_FOLDER}/{digest_of(probe)}"
        try:
            await self.put(probe, under=PROBE_FOLDER)
            await self.get(key, limit=len(probe))
            await self.delete(key)
            if await self.stat(key) is not None:
                raise StoreUnavailable(f"{self._place} still has what was deleted from it")
        except (BlobMissing, BlobDamaged, BlobTooLarge) as error:
            await self._clear(key)
            raise StoreUnavailable(
                f"{self._place} does not give back what was put; {self.doubt}({error})"
            ) from error
        except BaseException:
            await self._clear(key)
            raise

    def _missing(self, key: str) -> BlobMissing:
        return BlobMissing(
            f"{self._place} has no blob {key}; do all processes have the same store "
            "(BLOB_STORAGE_…)? Else something other than `flowrunner blobs sweep` has deleted it, "
            "and it is lost"
        )

    async def _clear(self, key: str) -> None:
        with suppress(ClaimCheckError):
            await self.delete(key)

    async def _run(self, work: Callable[[], T]) -> T:
        return work()

    async def _each(self, items: Generator[T, None, None]) -> AsyncGenerator[T, None]:
        with closing(items):
            for item in items:
                yield item

    def _put(self, data: bytes | Path, under: str) -> str:
        source = Source(data)
        key = f"{under}/{source.digest}"
        allow(source.size)
        self._keep(key, source)
        return key

    def _get(self, key: str, limit: int) -> bytes:
        try:
            return b"".join(self._pieces(key, limit=limit))
        except BlobDamaged:  # on its way, perhaps
            return b"".join(self._pieces(key, limit=limit))

    def _pieces(self, key: str, *, limit: int | None = None) -> Generator[bytes, None, None]:
        """All at once if there is a limit, else bit by bit."""
        seen = hashlib.sha256()
        with closing(self._open(key)) as blob:
            left, most = blob.size, CHUNK
            if limit is not None:
                if blob.size > limit:
                    raise BlobTooLarge(f"{key} has {blob.size} bytes; at most {limit} may be read")
                allow(blob.size)
                most = blob.size
            while left > 0 and (piece := blob.read(min(most, left))):
                seen.update(piece)
                left -= len(piece)
                yield piece
        if seen.hexdigest() != BlobKey.parse(key).digest:
            raise BlobDamaged(f"{self._place} has other bytes than those put there under {key}")

    def _pages(self, prefix: str, after: str) -> Generator[list[StoredBlob], None, None]:
        for page in self._list(prefix, after):
            yield [blob for blob in page if _is_shown(blob.key, prefix)]

    def _fits(self, found: StoredBlob | None, source: Source) -> bool:
        """Whether what is there already will do, and is young enough to stay for a while."""
        return (
            found is not None
            and found.size == source.size
            and datetime.now(UTC) - found.modified <= self._refresh_after
        )


class ThreadedStore(CheckedStore):
    """A store whose work is done in threads, so that nobody waits for it longer than agreed."""

    def __init__(
        self,
        place: str,
        *,
        deadline: float = DEADLINE,
        refresh_after: timedelta = REFRESH_AFTER,
    ) -> None:
        super().__init__(place, refresh_after=refresh_after)
        self._deadline = deadline
        self._threads = Threads(f"{self.name}-store", seconds=deadline)

    @abstractmethod
    def _explained(self, error: Exception) -> StoreUnavailable | None:
        """What a foreign error means, in words for who runs the store; None for a bug of ours."""

    async def close(self) -> None:
        self._threads.close()

    async def _run(self, work: Callable[[], T]) -> T:
        with self._telling():
            return await self._threads.run(work)

    async def _each(self, items: Generator[T, None, None]) -> AsyncGenerator[T, None]:
        with self._telling():
            async with aclosing(self._threads.each(items)) as each:
                async for item in each:
                    yield item

    @contextmanager
    def _telling(self) -> Iterator[None]:
        try:
            yield
        except (ClaimCheckError, SourceFailed):
            raise
        except OutOfTime as error:
            raise StoreUnavailable(
                f"{self._place} did not answer within {self._deadline:g} s"
            ) from error
        except Exception as error:
            if (told := self._explained(error)) is None:
                raise
            raise told from error


def _check_folder(under: str) -> None:
    try:
        BlobKey.parse(f"{under}/{digest_of(b'')}")
    except ClaimInvalid:
        raise ClaimInvalid(f"{under[:200]!r} is not a folder for blobs") from None


def _is_shown(key: str, prefix: str) -> bool:
    """Whether it is a blob of ours; one that only tries the store out, if that is asked for."""
    try:
        BlobKey.parse(key)
    except ClaimInvalid:
        return False
    return prefix.startswith(PROBE_FOLDER) or not key.startswith(f"{PROBE_FOLDER}/")
