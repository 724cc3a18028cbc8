"""Removes the blobs that no run can need any more.

A workflow's blobs stay as long as Temporal retains a run, open or closed, of that workflow or of
one that holds them, and as long as a schedule starts such runs. Whatever has been put or held
within the grace time stays too: clients put values before their run exists.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Callable, Container, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Protocol

from claimcheck.errors import StoreUnavailable
from claimcheck.inventory import Folder, folders, given_back, name_of, path_of
from claimcheck.keys import BlobKey, namespace_folder, notes_folder, segment
from claimcheck.servers import NOBODY
from claimcheck.stores.contract import BlobStore, StoredBlob
from claimcheck.values import all_or_none

__all__ = [
    "DEFAULT_GRACE",
    "SHORTEST_GRACE",
    "Count",
    "Retained",
    "Sweep",
    "Tally",
    "Verdict",
    "decide",
    "kept_by",
]

DEFAULT_GRACE = timedelta(hours=24)
SHORTEST_GRACE = timedelta(hours=12)
"""A value that is put once more does not make a blob young again that is only some hours old, nor
does one that a process knows to have put: within this time both have been forgotten."""

_AT_ONCE = 16
"""Folders, and blobs of a folder."""

_BATCH = 64
_MOST_FAILURES = 100

_OF_A_SCHEDULE = re.compile(
    r"(?P<base>.+)-\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)", re.DOTALL
)
"""What Temporal's schedules call the runs they start."""


class Retained(Protocol):
    """What Temporal has of one namespace. Each method raises rather than leave anything out."""

    def workflow_ids(self) -> AsyncIterator[str]:
        """Those of all runs that are retained, open or closed; any number of times."""
        ...

    def scheduled_ids(self) -> AsyncIterator[str]:
        """The workflow ids in the actions of all schedules."""
        ...

    async def is_retained(self, workflow_id: str) -> bool:
        """Asked of Temporal itself, for the index behind `workflow_ids` lags behind."""
        ...


# -- what may go -----------------------------------------------------------------------------------


class Verdict(StrEnum):
    """Why a folder stays, or that it does not."""

    RETAINED = "retained"
    SCHEDULED = "scheduled"
    HELD = "held"
    YOUNG = "young"
    SWEPT = "swept"
    FAILED = "failed"


def decide(
    folder: Folder, *, retained: Container[str], scheduled: Container[str], before: datetime
) -> Verdict:
    """The whole rule. `retained` and `scheduled` are names as they stand in keys, see `kept_by`."""
    if folder.owner in retained:
        return Verdict.RETAINED
    if folder.owner in scheduled:
        return Verdict.SCHEDULED
    if any(holder in retained or holder in scheduled for holder in folder.holders):
        return Verdict.HELD
    return Verdict.SWEPT if folder.newest < before else Verdict.YOUNG


def kept_by(workflow_id: str) -> Iterator[str]:
    """The names whose folders a run of that id needs: its own, and that of the schedule which has
    started it, for the run's input was put under the workflow id that the schedule gives."""
    yield segment(workflow_id)
    if started := _OF_A_SCHEDULE.fullmatch(workflow_id):
        yield segment(started["base"])


# -- sweeping --------------------------------------------------------------------------------------


@dataclass
class Count:
    """So many workflows with so many blobs of so many bytes."""

    workflows: int = 0
    blobs: int = 0
    bytes: int = 0

    def add(self, folder: Folder) -> None:
        self.workflows += 1
        self.blobs += folder.blobs
        self.bytes += folder.size


@dataclass
class Tally:
    """What a sweep has done so far; `after` is the last key that all of this is told of."""

    runs: int = 0
    examined: Count = field(default_factory=Count)
    verdicts: dict[Verdict, Count] = field(
        default_factory=lambda: {verdict: Count() for verdict in Verdict}
    )
    deleted: Count = field(default_factory=Count)
    failures: list[str] = field(default_factory=list)
    after: str = ""


class Sweep:
    """One pass over the blobs of one namespace.

    What Temporal retains is asked for before the first folder is looked at, and all ages are
    taken from before that: what is put while the sweep goes on is young for it, however long it
    takes. Before a folder is emptied Temporal is asked once more, and each blob looked at once
    more. If Temporal cannot answer, the sweep ends there.
    """

    def __init__(
        self,
        store: BlobStore,
        temporal: Retained,
        *,
        namespace: str,
        grace: timedelta = DEFAULT_GRACE,
        delete: bool = False,
        after: str = "",
        progress: Callable[[Tally], None] = lambda _: None,
    ) -> None:
        self.tally = Tally(after=after)
        self._store = store
        self._temporal = temporal
        self._prefix = f"{namespace_folder(namespace)}/"
        self._grace = grace
        self._delete = delete
        self._progress = progress
        self._needing: tuple[Container[str], ...] = ()

    async def run(self) -> Tally:
        """Raises what the store raises while it lists, and what `Retained` does; the tally tells
        how far it got. Blobs that could not be deleted are in its failures."""
        self._before = datetime.now(UTC) - self._grace
        retained, scheduled = await self._ask()
        self._needing = (retained, scheduled)
        doomed: list[Folder] = []
        async with given_back(self._folders()) as found:
            async for folder in found:
                self.tally.examined.add(folder)
                verdict = decide(
                    folder, retained=retained, scheduled=scheduled, before=self._before
                )
                if verdict is Verdict.SWEPT:
                    doomed.append(folder)
                else:
                    self._conclude(folder, verdict)
                if len(doomed) >= _BATCH:
                    await self._sweep_all(doomed)
                    doomed = []
                if not doomed:
                    self.tally.after = folder.last
            await self._sweep_all(doomed)
        self.tally.after = ""
        return self.tally

    async def _ask(self) -> tuple[Container[str], Container[str]]:
        retained, scheduled = _Names(), _Names()
        async for id in self._temporal.workflow_ids():
            self.tally.runs += 1
            retained.add(*kept_by(id))
            if self.tally.runs % 1000 == 0:
                self._progress(self.tally)
        async for id in self._temporal.scheduled_ids():
            scheduled.add(segment(id))
        return retained, scheduled

    async def _folders(self) -> AsyncIterator[Folder]:
        seen = path_of(self.tally.after) if self.tally.after else ""
        listed = self._store.list_keys(self._prefix, after=self.tally.after)
        async with given_back(folders(listed)) as found:
            async for folder in found:
                # The folder that the last sweep had come to is left out as a whole: the part of
                # it that is listed does not tell who holds it.
                if folder.path != seen and folder.owner != NOBODY:
                    yield folder

    def _conclude(self, folder: Folder, verdict: Verdict) -> None:
        self.tally.verdicts[verdict].add(folder)
        self._progress(self.tally)

    async def _sweep_all(self, doomed: list[Folder]) -> None:
        """Many at once, for each is mostly waited for."""
        free = asyncio.Semaphore(_AT_ONCE)

        async def sweep(folder: Folder) -> None:
            async with free:
                self._conclude(folder, await self._sweep(folder))

        await all_or_none(sweep(folder) for folder in doomed)

    async def _sweep(self, folder: Folder) -> Verdict:
        for part in (folder.owner, *sorted(folder.holders)):
            name = name_of(part)
            if name is not None and await self._temporal.is_retained(name):
                return Verdict.RETAINED if part == folder.owner else Verdict.HELD
        if await self._held_by_a_holder(folder):
            return Verdict.HELD
        try:
            return await self._empty(folder) if self._delete else Verdict.SWEPT
        except StoreUnavailable as error:
            self.tally.failures.append(f"{folder.path}: {error}")
            if len(self.tally.failures) >= _MOST_FAILURES:
                raise
            return Verdict.FAILED

    async def _held_by_a_holder(self, folder: Folder) -> bool:
        """A value that a holder has put away may claim a value of this folder, and whoever holds
        that one needs both, and so on."""
        seen, open_ = {folder.owner, *folder.holders}, sorted(folder.holders)
        while open_:
            notes = self._store.list_keys(f"{notes_folder(self._prefix + open_.pop())}/")
            async with given_back(notes) as found:
                new = {BlobKey.parse(note.key).holder or "" async for note in found} - seen
            for holder in sorted(new):
                if await self._is_needed_by(holder):
                    return True
            seen |= new
            open_ += sorted(new)
        return False

    async def _is_needed_by(self, holder: str) -> bool:
        if any(holder in names for names in self._needing):
            return True
        name = name_of(holder)
        return name is not None and await self._temporal.is_retained(name)

    async def _empty(self, folder: Folder) -> Verdict:
        async with given_back(folders(self._listed(folder))) as found:
            async for now in found:
                if now.newest >= self._before:  # a value or a note has come since
                    return Verdict.YOUNG
        async with given_back(_chunks(self._listed(folder), _AT_ONCE)) as chunks:
            async for some in chunks:
                if not all(await all_or_none(self._delete_blob(blob) for blob in some)):
                    return Verdict.YOUNG
        self.tally.deleted.workflows += 1
        return Verdict.SWEPT

    def _listed(self, folder: Folder) -> AsyncIterator[StoredBlob]:
        return self._store.list_keys(f"{folder.path}/")

    async def _delete_blob(self, blob: StoredBlob) -> bool:
        """False if it has become young in the meantime."""
        now = await self._store.stat(blob.key)
        if now is None:
            return True
        if now.modified >= self._before:
            return False
        await self._store.delete(blob.key)
        if BlobKey.parse(blob.key).holder is None:
            self.tally.deleted.blobs += 1
            self.tally.deleted.bytes += blob.size
        return True


class _Names:
    """Names by their hashes alone: there may be millions. Two names with one hash, which nobody
    will live to see, would keep a folder too many."""

    def __init__(self) -> None:
        self._hashes: set[int] = set()

    def add(self, *names: str) -> None:
        self._hashes.update(map(hash, names))

    def __contains__(self, name: object) -> bool:
        return hash(name) in self._hashes


async def _chunks(blobs: AsyncIterator[StoredBlob], most: int) -> AsyncIterator[list[StoredBlob]]:
    chunk: list[StoredBlob] = []
    async with given_back(blobs) as listed:
        async for blob in listed:
            chunk.append(blob)
            if len(chunk) == most:
                yield chunk
                chunk = []
    if chunk:
        yield chunk
