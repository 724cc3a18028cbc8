"""What every store of vectors promises, asked of each of them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TypeAlias

import pytest

from activities.rag.contract import (
    Document,
    Filled,
    Found,
    MadeBy,
    MadeByAnother,
    VectorStore,
    direction_of,
)
from activities.rag.memory import MemoryVectorStore
from activities.rag.passages import Passage
from flowspec.values import JsonObject
from tests.postgres import PostgresServer, needs_pgvector

KINDS = ("memory", "sqlite", pytest.param("postgresql", marks=needs_pgvector))
MODEL = MadeBy(model="m", dimensions=2)
OpenStore: TypeAlias = Callable[[], VectorStore]


@pytest.fixture(params=KINDS)
def opening(request: pytest.FixtureRequest, tmp_path: Path) -> OpenStore:
    """Each kind in turn; nothing that the others need is started."""
    if request.param == "memory":
        only = MemoryVectorStore()
        return lambda: only
    if request.param == "postgresql":
        from activities.rag.postgres import PostgresVectorStore

        server: PostgresServer = request.getfixturevalue("pgvector_server")
        url = server.make_database()
        return lambda: PostgresVectorStore(url)
    from activities.rag.sqlite import SqliteVectorStore

    return lambda: SqliteVectorStore(tmp_path / "made" / "vectors.db")


@pytest.fixture
async def store(opening: OpenStore) -> AsyncIterator[VectorStore]:
    async with opening() as opened:
        yield opened


@pytest.fixture
async def stores(opening: OpenStore) -> AsyncIterator[list[VectorStore]]:
    """Three processes' worth of them, none of which has been used."""
    async with AsyncExitStack() as stack:
        yield [await stack.enter_async_context(opening()) for _ in range(3)]


def document(id: str, fingerprint: str = "1", **metadata: int) -> Document:
    known: JsonObject = {**metadata}
    return Document(id=id, fingerprint=fingerprint, title=f"T {id}", source=None, metadata=known)


def filled(id: str, *numbers: Sequence[float], fingerprint: str = "1", **metadata: int) -> Filled:
    """A document with a passage for each vector; its texts are `id number`."""
    passages = [
        (Passage(text=f"{id} {place}", start=10 * place, end=10 * place + 3), direction_of(each))
        for place, each in enumerate(numbers)
    ]
    return Filled(document=document(id, fingerprint, **metadata), passages=passages)


async def put(store: VectorStore, *documents: Filled, space: str = "s", name: str = "c") -> None:
    await store.put(space, name, MODEL, documents)


async def nearest(
    store: VectorStore, *numbers: float, limit: int = 9, space: str = "s", name: str = "c"
) -> list[Found]:
    vector = direction_of(numbers)
    return await store.nearest(space, name, vector, limit=limit, chooses=None)


async def texts(store: VectorStore, *numbers: float, limit: int = 9, space: str = "s") -> list[str]:
    return [each.passage.text for each in await nearest(store, *numbers, limit=limit, space=space)]


async def test_what_was_put_is_found_the_nearest_first(store: VectorStore) -> None:
    await put(store, filled("a", (1, 0), (3, 4)), filled("b", (-1, 0), year=7))
    found = await nearest(store, 2, 0)
    assert [(each.document.id, each.number) for each in found] == [("a", 0), ("a", 1), ("b", 0)]
    assert [each.score for each in found] == pytest.approx([1, 0.6, -1])
    assert found[1].passage == Passage(text="a 1", start=10, end=13)
    assert found[2].document == document("b", year=7)
    assert await texts(store, 2, 0, limit=1) == ["a 0"]


async def test_a_vector_of_nothing_but_0_is_like_no_other(store: VectorStore) -> None:
    await put(store, filled("a", (0, 0)), filled("b", (1, 0)), filled("c", (-1, 0)))
    found = await nearest(store, 1, 0)
    assert [each.document.id for each in found] == ["b", "a", "c"]
    assert [each.score for each in found] == pytest.approx([1, 0, -1])
    assert {each.score for each in await nearest(store, 0, 0)} == {0}


async def test_only_documents_that_are_chosen_are_found(store: VectorStore) -> None:
    await put(store, *(filled(f"{n}", (1, n), n=n) for n in range(300)))
    found = await store.nearest(
        "s",
        "c",
        direction_of((1, 0)),
        limit=2,
        chooses=lambda document: int(str(document.metadata["n"])) >= 250,
    )
    assert [each.document.id for each in found] == ["250", "251"]


async def test_a_document_put_again_replaces_its_passages(store: VectorStore) -> None:
    await put(store, filled("a", (1, 0), (1, 1)), filled("b", (0, 1)))
    await put(store, filled("a", (0, 1), fingerprint="2"))
    assert sorted(await texts(store, 1, 0)) == ["a 0", "b 0"]
    assert await store.fingerprints("s", "c", ["a", "b", "x"]) == {"a": "2", "b": "1"}


async def test_without_passages_those_that_are_there_stay(store: VectorStore) -> None:
    await put(store, filled("a", (1, 0)))
    told = Document(id="a", fingerprint="2", title=None, source="there", metadata={"new": [1]})
    await store.put("s", "c", MODEL, [Filled(document=told, passages=None)])
    [found] = await nearest(store, 1, 0)
    assert (found.document, found.passage.text) == (told, "a 0")
    await store.put("s", "c", MODEL, [Filled(document=document("gone"), passages=None)])
    assert await store.fingerprints("s", "c", ["gone"]) == {}
    await store.put("s", "new", MODEL, [Filled(document=document("gone"), passages=None)])
    assert await store.made_by("s", "new") is None


async def test_a_document_may_have_no_passages(store: VectorStore) -> None:
    await put(store, filled("a"))
    assert await store.fingerprints("s", "c", ["a"]) == {"a": "1"}
    assert await nearest(store, 1, 0) == []
    assert await store.made_by("s", "c") == MODEL


async def test_texts_and_names_are_kept_as_they_are(store: VectorStore) -> None:
    text = "a \"\n ü \U0001f600 ' %s $1 \\"
    told = Document(id=text, fingerprint="1", title=text, source=text, metadata={text: "\0\ud800"})
    passage = (Passage(text=text, start=0, end=len(text)), direction_of((1, 0)))
    await put(store, Filled(document=told, passages=[passage]), space=text, name=text)
    [found] = await nearest(store, 1, 0, space=text, name=text)
    assert (found.document, found.passage) == (told, passage[0])
    assert await store.fingerprints(text, text, [text]) == {text: "1"}


# -- who made them -----------------------------------------------------------------------------


async def test_vectors_of_another_model_are_refused(store: VectorStore) -> None:
    await put(store, filled("a", (1, 0)))
    for other in (MadeBy(model="n", dimensions=2), MadeBy(model="m", dimensions=3)):
        with pytest.raises(MadeByAnother) as caught:
            await store.put("s", "c", other, [filled("b", (1,) * other.dimensions)])
        assert caught.value.there == MODEL
    assert await texts(store, 1, 0) == ["a 0"]
    assert await store.made_by("s", "c") == MODEL
    assert await store.made_by("s", "other") is None


async def test_with_rebuild_another_model_begins_anew_and_the_same_goes_on(
    store: VectorStore,
) -> None:
    await put(store, filled("a", (1, 0)))
    other = MadeBy(model="m", dimensions=3)
    for id in ("b", "c"):
        await store.put("s", "c", other, [filled(id, (1, 0, 0))], rebuild=True)
    assert await texts(store, 1, 0, 0) == ["b 0", "c 0"]
    assert await store.made_by("s", "c") == other


# -- deleting ----------------------------------------------------------------------------------


async def test_documents_are_deleted_by_id_and_by_choice(store: VectorStore) -> None:
    await put(store, *(filled(f"{n}", (1, 0), (0, 1), n=n) for n in range(6)))
    deleted = await store.delete("s", "c", ["1", "2", "nobody"], lambda _: True)
    assert (deleted.documents, deleted.passages) == (2, 4)
    deleted = await store.delete("s", "c", None, lambda each: each.metadata != {"n": 5})
    assert (deleted.documents, deleted.passages) == (3, 6)
    assert sorted(await texts(store, 1, 0)) == ["5 0", "5 1"]
    deleted = await store.delete("s", "c", ["5"], lambda each: each.metadata == {"n": 4})
    assert deleted.documents == 0


async def test_a_collection_ends_with_its_last_document(store: VectorStore) -> None:
    await put(store, filled("a", (1, 0)))
    await store.delete("s", "c", ["a"], lambda _: True)
    assert await store.made_by("s", "c") is None
    assert (await store.delete("s", "c", None, lambda _: True)).documents == 0
    other = MadeBy(model="n", dimensions=1)
    await store.put("s", "c", other, [filled("a", (1,))])
    assert await store.made_by("s", "c") == other


# -- whose they are ----------------------------------------------------------------------------


async def test_spaces_and_collections_see_nothing_of_each_other(store: VectorStore) -> None:
    places = [("s", "c"), ("s", "d"), ("t", "c"), ("", "sc"), ('["s"]', "c")]
    for number, (space, name) in enumerate(places):
        await put(store, filled("a", (1, number)), space=space, name=name)
        await put(store, filled(f"only {number}", (1, 0)), space=space, name=name)
    await store.delete("t", "c", None, lambda _: True)
    for number, (space, name) in enumerate(places):
        found = await nearest(store, 1, 0, space=space, name=name)
        only = [] if number == 2 else ["a", f"only {number}"]
        assert sorted(each.document.id for each in found) == only
    assert await store.fingerprints("s%", "c", ["a"]) == {}


# -- at the same time ----------------------------------------------------------------------------


async def test_what_is_put_is_there_for_others_and_later(stores: list[VectorStore]) -> None:
    await put(stores[0], filled("a", (1, 0)))
    await stores[0].close()
    assert [await texts(store, 1, 0) for store in stores[1:]] == [["a 0"]] * 2


async def test_writers_at_the_same_time_lose_nothing_and_mix_nothing(
    stores: list[VectorStore],
) -> None:
    """On a store that nobody has opened before, as workers that start together do."""

    async def write(number: int) -> None:
        same = filled("same", *[(1, number)] * 5, n=number)
        await put(stores[number % 3], filled(f"{number}", (1, 0)), same)

    await asyncio.gather(*(write(number) for number in range(24)))
    found = await nearest(stores[0], 1, 0, limit=99)
    assert len([each for each in found if each.document.id != "same"]) == 24
    of_same = [each for each in found if each.document.id == "same"]
    assert [each.number for each in sorted(of_same, key=lambda each: each.number)] == [*range(5)]
    assert len({round(each.score, 5) for each in of_same}) == 1


async def test_a_new_document_may_come_from_many_at_the_same_time(
    stores: list[VectorStore],
) -> None:
    await put(stores[0], filled("first", (1, 0)))
    for new in ("a", "b", "c"):
        await asyncio.gather(
            *(put(stores[n % 3], filled(new, (1, n), (1, n), n=n)) for n in range(12))
        )
        found = [each for each in await nearest(stores[1], 1, 0) if each.document.id == new]
        assert [each.number for each in found] == [0, 1]
        assert found[0].score == pytest.approx(found[1].score)


async def test_a_search_sees_documents_as_a_whole(stores: list[VectorStore]) -> None:
    await put(stores[0], filled("a", *[(1, 0)] * 20, n=0))
    ended = asyncio.Event()

    async def search() -> None:
        while not ended.is_set():
            await asyncio.sleep(0)
            found = await nearest(stores[1], 1, 0, limit=99)
            assert len(found) in (20, 40)
            assert len({each.score for each in found}) == 1
            assert len({str(each.document.metadata) for each in found}) == 1

    async def write() -> None:
        for n in range(1, 15):
            await put(stores[2], filled("a", *[(1, n)] * 20 * (1 + n % 2), n=n))
        ended.set()

    await asyncio.gather(search(), write())


def test_a_direction_has_the_length_1_or_0() -> None:
    assert [*direction_of((3, 4))] == pytest.approx([0.6, 0.8])
    assert [*direction_of((0, 0))] == [0, 0]
    assert [*direction_of((1e300, 1e300))] == pytest.approx([0.70710678] * 2)
    for numbers in ((float("nan"), 1), (float("inf"), 1)):
        with pytest.raises(ValueError, match="finite"):
            direction_of(numbers)
