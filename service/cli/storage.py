"""What `blobs health`, `blobs ls`, `blobs stats` and `blobs new-key` print."""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime

from claimcheck.inventory import Folder, folders, given_back, name_of
from claimcheck.keyring import KeyRingInvalid
from claimcheck.keyring import new_key as make_key
from claimcheck.keys import BlobKey, folder_of, namespace_folder
from claimcheck.servers import NOBODY
from claimcheck.stores.contract import BlobStore, StoredBlob
from flowspec.values import Json, JsonObject
from service.blobs import place_of, store_errors
from service.cli.screen import columns, note, print_json, print_text
from service.errors import InputWrong, StoreFailed
from service.settings import (
    ClaimCheckSettings,
    load_claim_check_settings,
    load_temporal_settings,
)
from service.settings.sizes import format_size
from service.storage import open_store

__all__ = [
    "age",
    "namespace_or_default",
    "print_new_key",
    "report_blobs",
    "report_health",
    "report_stats",
    "store_opened",
]

_LARGEST = 5


@contextmanager
def store_opened() -> Iterator[tuple[ClaimCheckSettings, BlobStore]]:
    """The store that the environment describes; its errors are raised as ours."""
    settings = load_claim_check_settings()
    store = open_store(settings)
    with store_errors():
        yield settings, store


def namespace_or_default(namespace: str | None) -> str:
    return namespace or load_temporal_settings().namespace


def age(moment: datetime, now: datetime) -> str:
    """How long ago it was, in its largest unit: `3d`, `5h`."""
    seconds = max(int((now - moment).total_seconds()), 0)
    for unit, length in (("d", 86_400), ("h", 3_600), ("m", 60)):
        if seconds >= length:
            return f"{seconds // length}{unit}"
    return f"{seconds}s"


# -- health ----------------------------------------------------------------------------------------


async def report_health(*, json: bool) -> None:
    with store_opened() as (settings, store):
        told: JsonObject = {"store": settings.type, "place": place_of(settings)}
        async with store:
            try:
                with store_errors():
                    await store.health()
            except StoreFailed as error:
                if json:
                    print_json({**told, "healthy": False, "error": str(error)})
                raise
    if json:
        print_json({**told, "healthy": True, "error": None})
    else:
        place = f"{settings.type} store, {place_of(settings)}"
        print_text(f"{place}: blobs can be written, read and removed")


# -- ls --------------------------------------------------------------------------------------------


async def report_blobs(
    *,
    workflow_id: str | None,
    prefix: str | None,
    namespace: str | None,
    after: str | None,
    limit: int | None,
    json: bool,
) -> None:
    wanted = _prefix(workflow_id, prefix, namespace)
    now = datetime.now(UTC)
    shown = 0
    last = ""
    with store_opened() as (settings, store):
        async with store, given_back(store.list_keys(wanted, after=after or "")) as listed:
            async for blob in listed:
                if prefix is None and BlobKey.parse(blob.key).workflow == NOBODY:
                    continue  # the workers' notes for the sweep, which are nobody's values
                if shown == limit:
                    note(f"and more; go on with --after {last}")
                    return
                _print_blob(blob, now, json=json)
                shown, last = shown + 1, blob.key
    if not shown:
        note(f"no keys begin with {wanted!r} in the {settings.type} store, {place_of(settings)}")


def _prefix(workflow_id: str | None, prefix: str | None, namespace: str | None) -> str:
    if prefix is not None:
        if workflow_id is not None or namespace is not None:
            raise InputWrong("--prefix stands for all of a key: give no workflow or namespace too")
        return prefix
    namespace = namespace_or_default(namespace)
    folder = namespace_folder(namespace) if not workflow_id else folder_of(namespace, workflow_id)
    return f"{folder}/"


def _print_blob(blob: StoredBlob, now: datetime, *, json: bool) -> None:
    key = BlobKey.parse(blob.key)
    if json:
        print_json(_blob_json(blob, key), lines=True)
        return
    size = format_size(blob.size) if key.holder is None else ""
    print_text(f"{size:>9}  {age(blob.modified, now):>4}  {blob.key}")


def _blob_json(blob: StoredBlob, key: BlobKey) -> JsonObject:
    return {
        "key": blob.key,
        "size": blob.size,
        "modified": _iso(blob.modified),
        "workflow_id": name_of(key.workflow),
        "held_by": None if key.holder is None else name_of(key.holder) or key.holder,
    }


# -- stats -----------------------------------------------------------------------------------------


@dataclass
class _Namespace:
    """What there is of one namespace; of its workflows, only the largest are kept in mind."""

    name: str
    oldest: datetime
    workflows: int = 0
    blobs: int = 0
    size: int = 0
    largest: list[tuple[int, str, int]] = field(default_factory=list)

    def add(self, folder: Folder) -> None:
        self.oldest = min(self.oldest, folder.oldest)
        self.workflows += 1
        self.blobs += folder.blobs
        self.size += folder.size
        heapq.heappush(self.largest, (folder.size, folder.owner, folder.blobs))
        if len(self.largest) > _LARGEST:
            heapq.heappop(self.largest)

    def as_json(self) -> JsonObject:
        largest: list[Json] = [
            {"workflow_id": name_of(owner) or owner, "blobs": blobs, "bytes": size}
            for size, owner, blobs in sorted(self.largest, reverse=True)
        ]
        return {
            "namespace": self.name,
            "workflows": self.workflows,
            "blobs": self.blobs,
            "bytes": self.size,
            "oldest": _iso(self.oldest),
            "largest": largest,
        }


async def report_stats(*, namespace: str | None, json: bool) -> None:
    with store_opened() as (settings, store):
        async with store:
            found = await _count(store, f"{namespace_folder(namespace)}/" if namespace else "")
    if json:
        print_json([one.as_json() for one in found])
    elif found:
        _print_stats(found)
    else:
        of = f" of namespace {namespace!r}" if namespace else ""
        note(f"the {settings.type} store, {place_of(settings)}, has no blobs{of}")


async def _count(store: BlobStore, prefix: str) -> list[_Namespace]:
    found: list[_Namespace] = []
    async for folder in folders(store.list_keys(prefix)):
        name = name_of(folder.namespace)
        if name is None or folder.owner == NOBODY:  # what is not a workflow's
            continue
        if not found or found[-1].name != name:
            found.append(_Namespace(name, folder.oldest))
        found[-1].add(folder)
    return found


def _print_stats(found: list[_Namespace]) -> None:
    now = datetime.now(UTC)
    rows = [("NAMESPACE", "WORKFLOWS", "BLOBS", "SIZE", "OLDEST")]
    rows += [
        (
            one.name,
            f"{one.workflows:,}",
            f"{one.blobs:,}",
            format_size(one.size),
            age(one.oldest, now),
        )
        for one in found
    ]
    print_text(columns(rows))
    for one in found:
        largest = [("LARGEST WORKFLOWS OF " + one.name, "BLOBS", "SIZE")]
        largest += [
            (name_of(owner) or owner, f"{blobs:,}", format_size(size))
            for size, owner, blobs in sorted(one.largest, reverse=True)
        ]
        print_text("\n" + columns(largest))


def _iso(moment: datetime) -> str:
    utc = moment.astimezone(UTC)
    return utc.isoformat(timespec="milliseconds").replace("+00:00", "Z")


# -- new-key ---------------------------------------------------------------------------------------


def print_new_key(name: str | None) -> None:
    try:
        print_text(make_key(name or f"{datetime.now(UTC):%Y-%m-%d}"))
    except KeyRingInvalid as error:
        raise InputWrong(f"{name!r} cannot be the name of a key: {error}") from error
