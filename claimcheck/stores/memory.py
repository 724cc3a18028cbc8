"""A store that keeps its blobs in memory: for tests, and gone with the process."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta

from claimcheck.stores.checked import REFRESH_AFTER, CheckedStore
from claimcheck.stores.contract import StoredBlob
from claimcheck.stores.source import Source

__all__ = ["MemoryStore"]


class MemoryStore(CheckedStore):
    """Counts what is done with it, from its beginning on.

    `puts` and `gets` count the calls (`gets` those of `read` as well), `writes` the puts that
    had something to write. `blobs` is what it keeps: tests may look at it and damage it.
    """

    name = "memory"

    def __init__(self, *, refresh_after: timedelta = REFRESH_AFTER) -> None:
        super().__init__("this process's memory", refresh_after=refresh_after)
        self.blobs: dict[str, bytes] = {}
        self.puts = self.writes = self.gets = 0
        self.bytes_written = self.bytes_read = 0
        self._modified: dict[str, datetime] = {}

    def _keep(self, key: str, source: Source) -> None:
        self.puts += 1
        found = self._stat(key)
        if self._fits(found, source):
            return
        if found is None or found.size != source.size:
            self.blobs[key] = source.whole()
            self.writes += 1
            self.bytes_written += source.size
        self._modified[key] = datetime.now(UTC)

    def _open(self, key: str) -> _OpenBytes:
        self.gets += 1
        if key not in self.blobs:
            raise self._missing(key)
        return _OpenBytes(self, self.blobs[key])

    def _stat(self, key: str) -> StoredBlob | None:
        if (data := self.blobs.get(key)) is None:
            return None
        modified = self._modified.setdefault(key, datetime.now(UTC))
        return StoredBlob(key=key, size=len(data), modified=modified)

    def _remove(self, key: str) -> None:
        self.blobs.pop(key, None)
        self._modified.pop(key, None)

    def _list(self, prefix: str, after: str) -> Iterator[Sequence[StoredBlob]]:
        for key in sorted(key for key in self.blobs if key.startswith(prefix) and key > after):
            if (blob := self._stat(key)) is not None:
                yield (blob,)


class _OpenBytes:
    def __init__(self, store: MemoryStore, data: bytes) -> None:
        self._store = store
        self._left = data
        self.size = len(data)

    def read(self, most: int, /) -> bytes:
        piece, self._left = self._left[:most], self._left[most:]
        self._store.bytes_read += len(piece)
        return piece

    def close(self) -> None:
        self._left = b""
