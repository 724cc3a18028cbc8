"""Where the stores under test keep their blobs, and how a test gets behind their backs."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from claimcheck.stores import BlobStore, FilesystemStore, MemoryStore, S3Store
from claimcheck.stores.folders import file_name
from tests.s3 import Credentials, S3Server

__all__ = ["Bucket", "Folder", "Memory", "Place", "path_of"]


class Place(Protocol):
    """Somewhere blobs may be kept; empty at first."""

    def open(self, **options: Any) -> BlobStore:
        """A store that keeps them here."""
        ...

    def plant(self, key: str, data: bytes) -> None:
        """Put anything there, whatever a store would say to it."""
        ...


@dataclass
class Memory:
    """The memory of the store that was opened last."""

    store: MemoryStore = field(default_factory=MemoryStore)

    def open(self, **options: Any) -> MemoryStore:
        self.store = MemoryStore(**options)
        return self.store

    def plant(self, key: str, data: bytes) -> None:
        self.store.blobs[key] = data


@dataclass(frozen=True)
class Folder:
    """A folder that the first store makes."""

    root: Path

    def open(self, **options: Any) -> FilesystemStore:
        return FilesystemStore(self.root, **options)

    def plant(self, key: str, data: bytes) -> None:
        path = path_of(self.root, key)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


@dataclass(frozen=True)
class Bucket:
    """A bucket of its own on the server, and a folder within it."""

    server: S3Server
    name: str
    prefix: str = "some/folder"

    def open(self, **options: Any) -> S3Store:
        """Of the server, unless `endpoint` or `credentials` say otherwise."""
        credentials: Credentials = options.pop("credentials", self.server.credentials)
        given = {
            "prefix": self.prefix,
            "endpoint": self.server.endpoint,
            "region": self.server.region,
            "access_key_id": credentials.access_key_id,
            "secret_access_key": credentials.secret_access_key,
        }
        return S3Store(options.pop("bucket", self.name), **{**given, **options})

    def plant(self, key: str, data: bytes) -> None:
        self.server.client().put_object(Bucket=self.name, Key=f"{self.prefix}/{key}", Body=data)


def path_of(root: Path, key: str) -> Path:
    """The file of a blob."""
    return root.joinpath(*map(file_name, key.split("/")))
