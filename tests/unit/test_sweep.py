"""The sweep takes what no run can need, and nothing else, whatever goes on meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from claimcheck.caches import _KNOWN_FOR
from claimcheck.errors import StoreUnavailable
from claimcheck.inventory import Folder, folders, name_of
from claimcheck.keys import BlobKey, folder_of, holder_folder, segment
from claimcheck.servers import note_server, noted_servers, strike_server
from claimcheck.stores.checked import REFRESH_AFTER
from claimcheck.stores.contract import StoredBlob
from claimcheck.stores.memory import MemoryStore
from claimcheck.sweep import DEFAULT_GRACE, SHORTEST_GRACE, Sweep, Verdict, decide, kept_by

OLD = timedelta(days=3)
NOW = datetime.now(UTC)
LONG = "order/" + "é" * 60
"""An id of which keys hold nothing but a hash."""


class AgingStore(MemoryStore):
    """Blobs may be as old as one likes, and deleting may fail."""

    def __init__(self) -> None:
        super().__init__()
        self.failing: set[str] = set()

    async def old(self, workflow_id: str, data: bytes = b"x", *held_by: str) -> str:
        """A blob from long ago, and notes of the same age."""
        folder = folder_of("default", workflow_id)
        keys = [await self.put(data, under=folder)]
        keys += [await self.put(b"", under=holder_folder(folder, holder)) for holder in held_by]
        self.make(OLD, *keys)
        return keys[0]

    def make(self, age: timedelta, *keys: str) -> None:
        for key in keys:
            self._modified[key] = datetime.now(UTC) - age

    def _remove(self, key: str) -> None:
        if key in self.failing:
            raise StoreUnavailable("the store does not want to")
        super()._remove(key)


class Temporal:
    """What is retained, by the index and in truth; `asked` is called with each id asked for."""

    def __init__(self, *retained: str, schedules: Iterable[str] = ()) -> None:
        self.index = list(retained)
        self.truth = set(retained)
        self.schedules = list(schedules)
        self.asked: Callable[[str], object] = lambda _: None

    async def workflow_ids(self) -> AsyncIterator[str]:
        for id in self.index:
            yield id

    async def scheduled_ids(self) -> AsyncIterator[str]:
        for id in self.schedules:
            yield id

    async def is_retained(self, workflow_id: str) -> bool:
        answer = workflow_id in self.truth
        coming = self.asked(workflow_id)
        if asyncio.iscoroutine(coming):
            await coming
        return answer


def _sweep(store: AgingStore, temporal: Temporal, *, after: str = "", delete: bool = True) -> Sweep:
    return Sweep(store, temporal, namespace="default", delete=delete, after=after)


# -- the rule --------------------------------------------------------------------------------------


def _folder(owner: str, *holders: str, age: timedelta = OLD) -> Folder:
    return Folder(
        path=folder_of("default", owner),
        namespace="default",
        owner=segment(owner),
        last="",
        oldest=NOW - age,
        newest=NOW - age,
        holders=frozenset(map(segment, holders)),
    )


@pytest.mark.parametrize(
    ("folder", "verdict"),
    [
        (_folder("gone"), Verdict.SWEPT),
        (_folder("there"), Verdict.RETAINED),
        (_folder("nightly"), Verdict.SCHEDULED),
        (_folder("gone", "gone too"), Verdict.SWEPT),
        (_folder("gone", "gone too", "there"), Verdict.HELD),
        (_folder("gone", "nightly"), Verdict.HELD),
        (_folder("gone", age=timedelta(hours=23)), Verdict.YOUNG),
        (_folder("gone", age=timedelta(hours=25)), Verdict.SWEPT),
        (_folder("gone", age=timedelta(hours=-1)), Verdict.YOUNG),
        (_folder(LONG), Verdict.RETAINED),
        (_folder("gone", LONG), Verdict.HELD),
    ],
)
def test_a_folder_stays_while_anybody_may_need_it(folder: Folder, verdict: Verdict) -> None:
    retained = {*kept_by("there"), *kept_by(LONG)}
    before = NOW - DEFAULT_GRACE
    assert decide(folder, retained=retained, scheduled={"nightly"}, before=before) == verdict


@pytest.mark.parametrize(
    ("run", "kept"),
    [
        ("order-7", ["order-7"]),
        ("nightly-2026-11-04T02:00:00Z", ["nightly-2026-11-04T02%3A00%3A00Z", "nightly"]),
        ("a-2026-11-04T02:00:00.5+01:00", ["a-2026-11-04T02%3A00%3A00.5%2B01%3A00", "a"]),
        ("nightly-2026-11-04", ["nightly-2026-11-04"]),
        (LONG, [segment(LONG)]),
    ],
)
def test_a_run_keeps_its_own_values_and_those_of_its_schedule(run: str, kept: list[str]) -> None:
    assert list(kept_by(run)) == kept


@pytest.mark.parametrize("id", ["order-7", "a/b c", "é%2E", ".", "..", "~", "%00", "x" * 120])
def test_an_id_can_be_told_from_its_key(id: str) -> None:
    assert name_of(segment(id)) == id


@pytest.mark.parametrize("part", [segment(LONG), "%2Ehealth", "%6Frder", "%FF"])
def test_what_no_id_is_written_like_tells_of_none(part: str) -> None:
    assert name_of(part) is None


async def test_folders_are_told_apart_however_their_keys_are_ordered() -> None:
    store = AgingStore()
    for id in ("order", "order-2", "order.a", "orders"):
        await store.old(id, b"first", "holder-1", "holder-2")
        await store.old(id, b"another")
    found = [folder async for folder in folders(store.list_keys("v1/"))]
    assert sorted(folder.owner for folder in found) == ["order", "order-2", "order.a", "orders"]
    for folder in found:
        assert (folder.blobs, folder.size) == (2, 12)
        assert folder.holders == {"holder-1", "holder-2"}
        assert folder.path == f"v1/default/{folder.owner}"


def test_no_grace_is_so_short_that_a_value_in_use_looks_old() -> None:
    assert timedelta(seconds=_KNOWN_FOR) + REFRESH_AFTER < SHORTEST_GRACE <= DEFAULT_GRACE


# -- what is deleted -------------------------------------------------------------------------------


async def test_what_no_run_needs_is_deleted_with_its_notes_and_the_rest_stays() -> None:
    store = AgingStore()
    await store.old("gone", b"a", "gone too")
    await store.old("gone", b"bc")
    kept = {
        await store.old("there"),
        await store.old("held", b"x", "there"),
        await store.old("nightly"),
        await store.old("weekly"),
        await store.put(b"young", under=folder_of("default", "young")),
        await store.put(b"other", under=folder_of("other", "gone")),
    }
    store.make(OLD, *(key for key in kept if "/other/" in key))
    temporal = Temporal("there", "weekly-2026-11-04T02:00:00Z", schedules=["nightly"])
    tally = await _sweep(store, temporal).run()
    blobs = {key for key in store.blobs if BlobKey.parse(key).holder is None}
    assert blobs == kept
    assert not [key for key in store.blobs if "/gone/" in key and "/other/" not in key]
    assert (tally.deleted.workflows, tally.deleted.blobs, tally.deleted.bytes) == (1, 2, 3)
    assert (tally.examined.workflows, tally.examined.blobs) == (6, 7)
    counted = {verdict: count.workflows for verdict, count in tally.verdicts.items()}
    assert counted == {
        Verdict.RETAINED: 2,
        Verdict.SCHEDULED: 1,
        Verdict.HELD: 1,
        Verdict.YOUNG: 1,
        Verdict.SWEPT: 1,
        Verdict.FAILED: 0,
    }
    assert (tally.runs, tally.after, tally.failures) == (2, "", [])


async def test_what_is_claimed_by_a_value_that_is_held_stays_with_it() -> None:
    store = AgingStore()
    kept = {
        await store.old("first", b"a", "second"),
        await store.old("second", b"b", "third"),
        await store.old("third", b"c", "there"),
    }
    await store.old("round", b"d", "about")
    await store.old("about", b"e", "round")
    tally = await _sweep(store, Temporal("there")).run()
    assert {key for key in store.blobs if BlobKey.parse(key).holder is None} == kept
    assert tally.verdicts[Verdict.HELD].workflows == 3
    assert tally.deleted.workflows == 2


async def test_without_being_told_to_delete_it_only_counts() -> None:
    store = AgingStore()
    key = await store.old("gone", b"abc")
    tally = await _sweep(store, Temporal(), delete=False).run()
    assert list(store.blobs) == [key]
    assert tally.deleted.blobs == 0
    assert tally.verdicts[Verdict.SWEPT].bytes == 3


async def test_one_young_value_keeps_the_old_ones_of_its_workflow() -> None:
    store = AgingStore()
    await store.old("again", b"old")
    await store.put(b"young", under=folder_of("default", "again"))
    await _sweep(store, Temporal()).run()
    assert len(store.blobs) == 2


async def test_a_young_note_keeps_what_it_holds_before_its_run_is_there() -> None:
    store = AgingStore()
    key = await store.old("gone")
    await store.put(b"", under=holder_folder(folder_of("default", "gone"), "coming"))
    await _sweep(store, Temporal()).run()
    assert key in store.blobs


@pytest.mark.parametrize("retained", [True, False])
async def test_an_id_that_stands_in_keys_as_a_hash_is_known_by_it(retained: bool) -> None:
    store = AgingStore()
    key = await store.old(LONG)
    await _sweep(store, Temporal(*[LONG] * retained)).run()
    assert (key in store.blobs) == retained


@pytest.mark.parametrize("id", ["started", "holder"])
async def test_a_run_that_the_index_does_not_know_yet_keeps_its_values(id: str) -> None:
    store = AgingStore()
    key = await store.old("started", b"x", "holder")
    temporal = Temporal()
    temporal.truth.add(id)
    tally = await _sweep(store, temporal).run()
    assert key in store.blobs
    verdict = Verdict.RETAINED if id == "started" else Verdict.HELD
    assert tally.verdicts[verdict].workflows == 1


async def test_a_value_that_is_put_again_meanwhile_stays() -> None:
    store = AgingStore()
    await store.old("again", b"one")
    await store.old("again", b"two")
    temporal = Temporal()
    temporal.asked = lambda _: store.put(b"two", under=folder_of("default", "again"))
    tally = await _sweep(store, temporal).run()
    assert len(store.blobs) == 2
    assert tally.verdicts[Verdict.YOUNG].workflows == 1


async def test_a_value_that_is_held_meanwhile_stays() -> None:
    store = AgingStore()
    key = await store.old("gone")
    note = holder_folder(folder_of("default", "gone"), "coming")
    temporal = Temporal()
    temporal.asked = lambda _: store.put(b"", under=note)
    await _sweep(store, temporal).run()
    assert key in store.blobs


async def test_a_value_that_is_put_again_at_the_last_moment_stays() -> None:
    class LateStore(AgingStore):
        async def stat(self, key: str) -> StoredBlob | None:
            self.make(timedelta(), key)
            return await super().stat(key)

    store = LateStore()
    key = await store.old("again")
    tally = await _sweep(store, Temporal()).run()
    assert key in store.blobs
    assert tally.deleted.blobs == 0


async def test_what_comes_while_it_goes_on_is_young_however_long_that_takes() -> None:
    """The sweep's clock stands still from before Temporal is asked."""
    store = AgingStore()
    key = await store.put(b"x", under=folder_of("default", LONG))

    class SlowTemporal(Temporal):
        async def workflow_ids(self) -> AsyncIterator[str]:
            store.make(DEFAULT_GRACE - timedelta(milliseconds=1), key)  # it was put a moment ago
            await asyncio.sleep(0.002)
            for id in self.index:
                yield id

    tally = await _sweep(store, SlowTemporal()).run()
    assert key in store.blobs
    assert tally.verdicts[Verdict.YOUNG].workflows == 1


async def test_what_is_none_of_ours_is_never_touched() -> None:
    store = AgingStore()
    strangers = ["v1/default/gone/readme.txt", "v2/default/gone/x", "notes", "v1/default/x"]
    for name in strangers:
        store.blobs[name] = b"x"
        store.make(OLD, name)
    await store.old("gone")
    await _sweep(store, Temporal()).run()
    assert sorted(store.blobs) == sorted(strangers)


async def test_which_servers_have_values_here_is_never_forgotten() -> None:
    store = AgingStore()
    await note_server(store, "default", "id-1")
    await note_server(store, "default", "id-2")
    await note_server(store, "other", "id-3")
    store.make(OLD, *store.blobs)
    await _sweep(store, Temporal()).run()
    assert await noted_servers(store, "default") == {"id-1", "id-2"}
    await strike_server(store, "default", "id-1")
    assert await noted_servers(store, "default") == {"id-2"}
    assert await noted_servers(store, "none") == frozenset()


# -- when something fails --------------------------------------------------------------------------


class Silent(Exception):
    """Temporal does not answer."""


@pytest.mark.parametrize("asked", ["workflow_ids", "scheduled_ids"])
async def test_nothing_is_deleted_unless_temporal_tells_everything(
    monkeypatch: pytest.MonkeyPatch, asked: str
) -> None:
    async def breaking_off() -> AsyncIterator[str]:
        yield "one"
        raise Silent

    store = AgingStore()
    key = await store.old("gone")
    temporal = Temporal()
    monkeypatch.setattr(temporal, asked, breaking_off)
    with pytest.raises(Silent):
        await _sweep(store, temporal).run()
    assert key in store.blobs


async def test_it_ends_where_temporal_ceases_to_answer() -> None:
    store = AgingStore()
    for number in range(100):
        await store.old(f"gone-{number:03}")

    def asked(id: str) -> None:
        if id == "gone-070":
            raise Silent

    temporal = Temporal()
    temporal.asked = asked
    sweep = _sweep(store, temporal)
    with pytest.raises(Silent):
        await sweep.run()
    assert any("/gone-070/" in key for key in store.blobs)
    assert any("/gone-099/" in key for key in store.blobs)
    assert "/gone-063/" in sweep.tally.after


async def test_a_sweep_goes_on_where_another_one_broke_off() -> None:
    store = AgingStore()
    keys = [await store.old(f"gone-{number}", b"x", "gone too") for number in range(5)]
    # In the middle of a folder: what is left of it does not tell who holds what.
    tally = await _sweep(store, Temporal(), after=keys[2]).run()
    assert [key for key in keys if key in store.blobs] == keys[:3]
    assert tally.examined.workflows == 2


async def test_what_cannot_be_deleted_is_told_and_the_rest_goes() -> None:
    store = AgingStore()
    keys = [await store.old(f"gone-{number:03}") for number in range(80)]
    store.failing = {keys[7]}
    tally = await _sweep(store, Temporal()).run()
    assert list(store.blobs) == [keys[7]]
    assert tally.failures == ["v1/default/gone-007: the store does not want to"]
    assert tally.verdicts[Verdict.FAILED].workflows == 1
    assert tally.deleted.blobs == 79


async def test_a_store_that_deletes_nothing_is_not_asked_for_ever() -> None:
    store = AgingStore()
    store.failing = {await store.old(f"gone-{number:03}") for number in range(300)}
    sweep = _sweep(store, Temporal())
    with pytest.raises(StoreUnavailable):
        await sweep.run()
    assert 100 <= len(sweep.tally.failures) < 200


# -- any world at all ------------------------------------------------------------------------------

_OF_A_SCHEDULE = "s-2026-11-04T02:00:00Z"
_ids = st.sampled_from(["a", "a-2", "b", "c/d", "~", LONG, "s", _OF_A_SCHEDULE])


@dataclass(frozen=True, kw_only=True)
class Put:
    """A value that somebody has put, long ago or just now."""

    owner: str
    number: int
    old: bool
    held_by: list[str]


@dataclass(frozen=True, kw_only=True)
class World:
    """`unindexed` runs are there, and the index does not know them yet."""

    puts: list[Put]
    indexed: set[str]
    unindexed: set[str]
    schedules: set[str]

    @property
    def needed(self) -> set[str]:
        base = {"s"} if _OF_A_SCHEDULE in self.indexed else set()
        return self.indexed | base | (self.unindexed - {LONG}) | self.schedules

    @property
    def kept(self) -> set[str]:
        """The owners whose folders have to stay."""
        asking = {one.owner: {one.owner} for one in self.puts}
        for one in self.puts:
            asking[one.owner] |= set(one.held_by)
        for _ in self.puts:  # whoever needs a holder needs what that one holds
            for names in asking.values():
                names |= {far for name in names for far in asking.get(name, ())}
        young = {one.owner for one in self.puts if not one.old}
        return young | {owner for owner, names in asking.items() if names & self.needed}


_puts = st.builds(
    Put,
    owner=_ids,
    number=st.integers(0, 2),
    old=st.booleans(),
    held_by=st.lists(_ids, max_size=2),
)
_worlds = st.builds(
    World,
    puts=st.lists(_puts, max_size=12, unique_by=lambda put: (put.owner, put.number)),
    indexed=st.sets(_ids, max_size=4),
    unindexed=st.sets(_ids, max_size=4),
    schedules=st.sets(_ids, max_size=2),
)


@settings(max_examples=300, deadline=None)
@given(world=_worlds)
def test_what_is_owned_held_scheduled_or_young_stays_and_all_else_goes(world: World) -> None:
    asyncio.run(_check(world))


async def _check(world: World) -> None:
    store = AgingStore()
    owners: dict[str, str] = {}
    for one in world.puts:
        key = await store.old(one.owner, bytes([one.number]), *one.held_by)
        owners[key] = one.owner
        if not one.old:
            store.make(timedelta(), key)
    temporal = Temporal(*world.indexed, schedules=world.schedules)
    temporal.truth |= world.unindexed
    await _sweep(store, temporal).run()
    assert {key: key in store.blobs for key in owners} == {
        key: owner in world.kept for key, owner in owners.items()
    }
