"""What a cloakroom remembers: which blobs are in the store, and the bytes of some."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Hashable
from typing import Generic, TypeVar

__all__ = ["KnownKeys", "SizedCache"]

T = TypeVar("T")

_KNOWN_FOR = 3600.0
"""Shorter than the age from which a store makes a blob young again that is put once more."""

_MOST_KNOWN = 100_000

_ENTRY = 500
"""What an entry takes beside its value: there may be very many of very small ones."""


class KnownKeys:
    """Blobs this process has put not long ago: they need not be put again."""

    def __init__(self) -> None:
        self._keys: OrderedDict[tuple[str, bytes], tuple[str, float]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._keys)

    def get(self, under: str, digest: bytes) -> str | None:
        known = self._keys.get((under, digest))
        if known is None or time.monotonic() - known[1] > _KNOWN_FOR:
            return None
        return known[0]

    def add(self, under: str, digest: bytes, key: str) -> None:
        now = time.monotonic()
        self._keys[under, digest] = (key, now)
        self._keys.move_to_end((under, digest))
        while len(self) > _MOST_KNOWN or now - self._oldest() > _KNOWN_FOR:
            self._keys.popitem(last=False)

    def forget(self, key: str) -> None:
        """A reader has found that the blob is not there after all."""
        for value, (known, _) in self._keys.items():
            if known == key:
                del self._keys[value]
                return

    def _oldest(self) -> float:
        _, added = next(iter(self._keys.values()))
        return added


class SizedCache(Generic[T]):
    """What was used last, as much as fits into so many bytes."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._size = 0
        self._kept: OrderedDict[Hashable, tuple[T, int]] = OrderedDict()

    def get(self, key: Hashable) -> T | None:
        found = self._kept.get(key)
        if found is None:
            return None
        self._kept.move_to_end(key)
        return found[0]

    def add(self, key: Hashable, value: T, size: int) -> None:
        """One that would fill more than half of it is not kept: it would push out all others."""
        size += _ENTRY
        if size > self._limit // 2 or key in self._kept:
            return
        self._kept[key] = (value, size)
        self._size += size
        while self._size > self._limit:
            _, (_, dropped) = self._kept.popitem(last=False)
            self._size -= dropped
