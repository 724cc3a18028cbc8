"""What every key-value store promises, asked of each of them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from activities.store.changes import deleting, incrementing, replacing
from activities.store.contract import Item, KeyValueStore, Outcome, after_all_with
from activities.store.memory import MemoryKeyValueStore
from flowspec.values import Json
from tests.postgres import PostgresServer, needs_postgres
from tests.stores import NOW, OpenStore, SetClock, open_dynamodb, open_postgres, open_sqlite

WEEK = 7 * 24 * 3600
KINDS = (
    "memory",
    "sqlite",
    pytest.param("postgresql", marks=needs_postgres),
    "dynamodb",
)


@pytest.fixture
def clock() -> SetClock:
    return SetClock()


@pytest.fixture(params=KINDS)
def opening(request: pytest.FixtureRequest, clock: SetClock, tmp_path: Path) -> OpenStore:
    """Each kind in turn; nothing that the others need is started."""
    if request.param == "memory":
        only = MemoryKeyValueStore(clock=clock)
        return lambda: only
    if request.param == "postgresql":
        server: PostgresServer = request.getfixturevalue("postgres_server")
        return open_postgres(server.make_database(), clock)
    if request.param == "dynamodb":
        return open_dynamodb(request.getfixturevalue("s3_server"), clock)
    return open_sqlite(tmp_path / "made" / "store.db", clock)


@pytest.fixture
async def store(opening: OpenStore) -> AsyncIterator[KeyValueStore]:
    async with opening() as opened:
        yield opened


@pytest.fixture
async def stores(opening: OpenStore) -> AsyncIterator[list[KeyValueStore]]:
    """Four processes' worth of them, none of which has been used."""
    async with AsyncExitStack() as stack:
        yield [await stack.enter_async_context(opening()) for _ in range(4)]


async def put(
    store: KeyValueStore, key: str, value: Json, *, space: str = "s", ttl: float | None = None
) -> None:
    await store.change(space, key, replacing(key, value, ttl), once=f"put {key} {value!r}"[:300])


async def value_of(store: KeyValueStore, key: str, space: str = "s") -> Json:
    item = await store.read(space, key)
    return "nothing" if item is None else item.value


async def keys(store: KeyValueStore, prefix: str = "", after: str = "", limit: int = 99) -> str:
    found = await store.page("s", prefix, after=after, limit=limit)
    return " ".join(item.key for item in found)


@pytest.mark.parametrize(
    "value",
    [
        None,
        True,
        0,
        -1.5,
        2**60,
        "",
        'a "\n\0 ü \U0001f600',
        [],
        {"a": [{"": None}]},
        "x" * 250_000,
    ],
)
async def test_what_is_put_is_read(store: KeyValueStore, value: Json) -> None:
    await put(store, "k", value)
    found = await value_of(store, "k")
    assert found == value
    assert type(found) is type(value)


async def test_what_is_put_is_there_for_others_and_later(stores: list[KeyValueStore]) -> None:
    await put(stores[0], "k", 1)
    await stores[0].close()
    assert [await value_of(store, "k") for store in stores[1:]] == [1, 1, 1]


async def test_what_is_deleted_is_gone(store: KeyValueStore) -> None:
    await put(store, "k", 1)
    assert await store.change("s", "k", deleting(), once="d") == {"deleted": True}
    assert await value_of(store, "k") == "nothing"
    assert await keys(store) == ""


async def test_spaces_see_nothing_of_each_other(store: KeyValueStore) -> None:
    for space, key in (("s", "k"), ("s2", "k"), ("s", "2k"), ("", "sk"), ('["a"]', "k")):
        await put(store, key, f"{space} {key}", space=space)
    assert await value_of(store, "k") == "s k"
    assert await value_of(store, "k", "s2") == "s2 k"
    assert await value_of(store, "k", "s%") == "nothing"
    assert await value_of(store, "k", "") == "nothing"
    assert await keys(store) == "2k k"
    await store.change("s", "k", deleting(), once="d")
    assert await value_of(store, "k", "s2") == "s2 k"


async def test_what_was_done_in_one_space_is_not_taken_for_done_in_another(
    store: KeyValueStore,
) -> None:
    for space in ("s", "t"):
        await store.change(space, "k", incrementing("k", 1, 0, None), once="same")
    assert await value_of(store, "k", "t") == 1


async def test_pages_are_in_the_order_of_code_points(store: KeyValueStore) -> None:
    names = ["b", "a", "B", "é", "z", "\uffee", "\U0001f600", "a/1", "a.", "a%", "_", "a'"]
    for name in names:
        await put(store, name, 1)
    assert await keys(store) == " ".join(sorted(names))
    assert await keys(store, limit=3) == " ".join(sorted(names)[:3])
    assert await keys(store, after="a'") == " ".join(sorted(names)[sorted(names).index("a'") + 1 :])


@pytest.mark.parametrize("prefix", ["a", "a%", "a_", "\ud7ff", "\U0010ffff", "a\U0010ffff"])
async def test_a_prefix_means_itself(store: KeyValueStore, prefix: str) -> None:
    own = [prefix, f"{prefix}1", f"{prefix}2", f"{prefix}\U0010ffff"]
    others = ["A", "b", "b%", "A_", "\ue000", "B\U0010ffff"]
    for name in (*reversed(own), *others):
        await put(store, name, 1)
    assert await keys(store, prefix) == " ".join(own)
    assert await keys(store, prefix, after=own[1], limit=1) == own[2]
    assert await keys(store, prefix, after=own[-1]) == ""


async def test_what_has_expired_is_not_there(store: KeyValueStore, clock: SetClock) -> None:
    await put(store, "k", 1, ttl=10)
    await put(store, "stays", 1)
    clock.now += 9.9
    assert await keys(store) == "k stays"
    item = await store.read("s", "k")
    assert item is not None
    assert item.expires == pytest.approx(NOW + 10, abs=0.001)
    clock.now += 0.2
    assert await value_of(store, "k") == "nothing"
    assert await keys(store) == "stays"
    await store.change("s", "k", incrementing("k", 1, 0, None), once="i")
    assert await value_of(store, "k") == 1


async def test_pages_are_full_whatever_has_expired(store: KeyValueStore, clock: SetClock) -> None:
    for number in range(20):
        await put(store, f"{number:02}", 1, ttl=10 if number % 2 else None)
    clock.now += 11
    assert await keys(store, limit=5) == "00 02 04 06 08"
    assert await keys(store, after="08", limit=10) == "10 12 14 16 18"


async def test_the_same_change_is_made_once(stores: list[KeyValueStore], clock: SetClock) -> None:
    add = incrementing("k", 1, 0, None)
    first = await stores[0].change("s", "k", add, once="a")
    await stores[1].change("s", "k", add, once="b")
    clock.now += WEEK - 1
    assert await stores[2].change("s", "k", add, once="a") == first
    assert await value_of(stores[0], "k") == 2
    clock.now += 2
    await stores[0].change("s", "k", add, once="a")
    assert await value_of(stores[0], "k") == 3


async def test_what_was_not_written_is_not_remembered(store: KeyValueStore) -> None:
    assert await store.change("s", "k", deleting(), once="d") == {"deleted": False}
    await put(store, "k", 1)
    assert await store.change("s", "k", deleting(), once="d") == {"deleted": True}


async def test_a_change_that_cannot_be_decided_writes_nothing(store: KeyValueStore) -> None:
    await put(store, "k", 1)

    def refuse(item: Item | None, _now: float) -> Outcome:
        raise LookupError(item)

    with pytest.raises(LookupError):
        await store.change("s", "k", refuse, once="r")
    await store.change("s", "k", incrementing("k", 1, 0, None), once="r")
    assert await value_of(store, "k") == 2


async def test_changes_at_the_same_time_all_count(stores: list[KeyValueStore]) -> None:
    """On a store that nobody has opened before, as workers that start together do."""
    add = incrementing("k", 1, 0, None)
    await asyncio.gather(
        *(stores[n % 4].change("s", "k", add, once=f"{n}") for n in range(32)),
        *(stores[n % 4].change("s", "k", add, once="all the same") for n in range(8)),
    )
    assert await value_of(stores[0], "k") == 33


async def test_versions_grow_also_when_a_key_is_made_anew(store: KeyValueStore) -> None:
    versions: list[Json] = []
    for number in range(3):
        told = await store.change("s", "k", replacing("k", number, None), once=f"p{number}")
        versions.append(told["version"])
    await store.change("s", "k", deleting(), once="d")
    store.clock = SetClock(NOW + 1)
    told = await store.change("s", "k", replacing("k", 1, None), once="p")
    versions.append(told["version"])
    assert versions == sorted(set(map(int, map(str, versions))))


def test_the_first_text_after_a_prefix() -> None:
    assert after_all_with("") is None
    assert after_all_with("\U0010ffff") is None
    assert after_all_with("ab") == "ac"
    assert after_all_with("a\U0010ffff") == "b"
    assert after_all_with("\ud7ff") == "\ue000"
