"""What is in a store, workflow by workflow."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeVar
from urllib.parse import unquote

from claimcheck.keys import BlobKey, segment
from claimcheck.stores.contract import StoredBlob

__all__ = ["Folder", "folders", "given_back", "name_of", "path_of"]

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Folder:
    """The blobs of one workflow; `namespace`, `owner` and `holders` as they stand in keys.

    `oldest` and `newest` are the moments at which anything in it was put, notes included, and
    `last` is its last key.
    """

    path: str
    namespace: str
    owner: str
    last: str
    oldest: datetime
    newest: datetime
    blobs: int = 0
    size: int = 0
    holders: frozenset[str] = frozenset()


def name_of(part: str) -> str | None:
    """The workflow id that stands so in keys; None if only its hash does."""
    name = unquote(part)
    return name if segment(name) == part else None


@asynccontextmanager
async def given_back(items: AsyncIterator[T]) -> AsyncIterator[AsyncIterator[T]]:
    """The items; what they come from is closed at the end, however many of them were taken."""
    try:
        yield items
    finally:
        if isinstance(items, AsyncGenerator):
            await items.aclose()


async def folders(blobs: AsyncIterator[StoredBlob]) -> AsyncIterator[Folder]:
    """The folders of blobs, which come in the order of their keys."""
    gathered: _Gathered | None = None
    async with given_back(blobs) as listed:
        async for blob in listed:
            key = BlobKey.parse(blob.key)
            if gathered is None or gathered.owner != (key.namespace, key.workflow):
                if gathered is not None:
                    yield gathered.folder()
                gathered = _Gathered(
                    (key.namespace, key.workflow), oldest=blob.modified, newest=blob.modified
                )
            gathered.add(key, blob)
    if gathered is not None:
        yield gathered.folder()


@dataclass
class _Gathered:
    """A folder whose end has not been seen yet."""

    owner: tuple[str, str]
    oldest: datetime
    newest: datetime
    last: str = ""
    blobs: int = 0
    size: int = 0
    holders: set[str] = field(default_factory=set)

    def add(self, key: BlobKey, blob: StoredBlob) -> None:
        self.last = blob.key
        self.oldest = min(self.oldest, blob.modified)
        self.newest = max(self.newest, blob.modified)
        if key.holder is not None:
            self.holders.add(key.holder)
            return
        self.blobs += 1
        self.size += blob.size

    def folder(self) -> Folder:
        return Folder(
            path=path_of(self.last),
            namespace=self.owner[0],
            owner=self.owner[1],
            last=self.last,
            oldest=self.oldest,
            newest=self.newest,
            blobs=self.blobs,
            size=self.size,
            holders=frozenset(self.holders),
        )


def path_of(key: str) -> str:
    """The folder of the workflow that a key is in."""
    return "/".join(key.split("/", 3)[:3])
