"""`rag.*`: what is indexed once, what is found, and who sees it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from activities.attempt import Options
from activities.declaration import AnyImplementation
from activities.rag.options import VectorOptions, VectorPlace
from activities.rag.rag import RAG_DELETE, RAG_INDEX, RAG_SEARCH
from activities.store.options import StoreOptions
from claimcheck.cloakroom import Cloakroom
from claimcheck.stores import MemoryStore
from flowspec.values import JsonObject
from tests import attempts
from tests.llm import Answer, Asked, asked, lasting_after, vector_of
from tests.postgres import PASSWORD, PostgresServer, needs_pgvector, needs_postgres

CATS = "Cats sleep most of the day."
DOGS = "Dogs bark at the postman."
TAXES = "Income taxes are due in April."


@pytest.fixture
def model() -> Iterator[Asked]:
    with asked() as found:
        yield found


class Flow:
    """A flow on a worker whose vectors are in the folder."""

    def __init__(
        self,
        model: Asked,
        place: Path | VectorPlace,
        name: str = "f",
        *,
        namespace: str = "default",
        shared: tuple[str, ...] | None = (),
    ) -> None:
        if isinstance(place, Path):
            place = VectorPlace(path=place / "vectors.db")
        self._options = Options(VectorOptions(place=place), StoreOptions(shared=shared))
        self._model = model
        self._name = name
        room = Cloakroom(MemoryStore(), namespace=namespace, threshold=2**20, cache_bytes=0)
        self.claims = attempts.ClaimsAnywhere(room)

    async def act(
        self, node: AnyImplementation, env: ActivityEnvironment | None = None, **params: Any
    ) -> Any:
        given = {"collection": "c", **params}
        call = {"node": "n", "flow": self._name, "run_id": "r", "key": "k", "params": given}
        done = await attempts.perform(
            node, call, claims=self.claims, options=self._options, env=env
        )
        return await self.claims.loaded(done["output"])

    async def keep(self, text: str, charset: str) -> Any:
        """A claim for a text that a node before has kept."""
        data = text.encode("utf-8" if charset == "no-such" else charset)
        metadata = {"encoding": "binary/plain"}
        if charset != "utf-16":  # which nobody has said
            metadata["content-type"] = f"text/plain; charset={charset}"
        room = self.claims.cloakroom
        return await room.deposit(data, workflow_id="w", metadata=metadata)

    def embedding(self, **more: Any) -> JsonObject:
        return {**self._model.openai, **more}

    async def index(self, *documents: Any, **params: Any) -> Any:
        """Texts, which are their own ids, or whole documents."""
        given = [
            {"id": each, "text": each} if isinstance(each, str) else each for each in documents
        ]
        embedding = params.pop("embedding", self.embedding())
        return await self.act(RAG_INDEX, documents=given, embedding=embedding, **params)

    async def search(self, query: str, **params: Any) -> Any:
        embedding = params.pop("embedding", self.embedding())
        return await self.act(RAG_SEARCH, query=query, embedding=embedding, **params)

    async def finds(self, query: str, **params: Any) -> list[str]:
        return [each["citation"]["id"] for each in (await self.search(query, **params))["matches"]]

    async def refused(self, error: str, node: AnyImplementation, **params: Any) -> str:
        with pytest.raises(ApplicationError) as caught:
            await self.act(node, **params)
        assert caught.value.type == error, caught.value
        return caught.value.message


@pytest.fixture
def flow(model: Asked, tmp_path: Path) -> Flow:
    return Flow(model, tmp_path)


def embedded(model: Asked) -> list[str]:
    """Every text that the model was asked for a vector of."""
    return [text for question in model.questions for text in question["input"]]


# -- finding -----------------------------------------------------------------------------------


async def test_what_is_nearest_is_found_with_its_citation(flow: Flow) -> None:
    text = f"# Animals\n\n{CATS}\n\n{'Filler words go here. ' * 20}\n\n{DOGS}"
    document = {
        "id": "a.md",
        "text": text,
        "title": "Animals",
        "source": "http://x/a",
        "metadata": {"y": 1},
    }
    done = await flow.index(document, TAXES, chunking={"size": 120, "overlap": 0})
    assert done["documents"] == 2
    assert done["chunks"] == done["embedded"] > 4
    found = await flow.search("Why do dogs bark?", limit=2)
    best = found["matches"][0]
    assert DOGS in best["text"]
    about = best["citation"]
    assert text[about["start"] : about["end"]] == best["text"]
    assert about["chunk"] == done["chunks"] - 2
    assert {key: about[key] for key in ("id", "title", "source")} == {
        "id": "a.md",
        "title": "Animals",
        "source": "http://x/a",
    }
    assert best["metadata"] == {"y": 1}
    assert best["number"] == 1
    assert best["score"] > found["matches"][1]["score"]
    assert found["context"].startswith(f"[1] Animals (http://x/a)\n{best['text']}\n\n[2] ")
    assert found["usage"] == {
        "input_tokens": 4,
        "output_tokens": 0,
        "cached_tokens": 0,
        "calls": 1,
    }


async def test_few_near_and_short_ones_are_given(flow: Flow) -> None:
    await flow.index(CATS, DOGS, TAXES)
    assert len(await flow.finds("cats", limit=1)) == 1
    assert await flow.finds("cats sleep", min_score=0.3) == [CATS]
    assert await flow.finds("nothing alike", min_score=0.9) == []
    assert (await flow.search("nothing alike", min_score=0.9))["context"] == ""
    await flow.index("word " * 60)
    assert await flow.finds("word cats", max_chars=120) == ["word " * 60], "the first in any case"
    assert len(await flow.finds("cats", max_chars=100)) == 3


async def test_a_vector_is_searched_for_without_asking_a_model(flow: Flow, model: Asked) -> None:
    await flow.index(CATS, DOGS)
    asked_before = len(model.questions)
    found = await flow.act(RAG_SEARCH, vector=vector_of("dogs bark"), limit=1)
    assert found["matches"][0]["text"] == DOGS
    assert (found["usage"]["calls"], found["cost"]) == (0, None)
    assert len(model.questions) == asked_before
    said = await flow.refused("InvalidParams", RAG_SEARCH, vector=[1.0, 2.0])
    assert "2 numbers, those of the collection 64" in said


async def test_documents_are_chosen_by_what_is_known_of_them(flow: Flow) -> None:
    await flow.index(
        *(
            {"id": f"{n}", "text": f"{CATS} {n}", "metadata": {"year": 2000 + n}, "source": f"s{n}"}
            for n in range(5)
        )
    )
    chosen = await flow.finds(CATS, where=[{"field": "metadata.year", "gte": 2003}])
    assert sorted(chosen) == ["3", "4"]
    either = [{"or": [{"field": "id", "eq": "1"}, {"field": "source", "prefix": "s2"}]}]
    assert sorted(await flow.finds(CATS, where=either)) == ["1", "2"]


@pytest.mark.parametrize(
    "params",
    [
        {"query": "a"},
        {"query": "a", "vector": [1.0], "embedding": {"model": "m"}},
        {"embedding": {"model": "m"}},
        {},
    ],
)
async def test_a_search_needs_a_query_with_a_model_or_a_vector(flow: Flow, params: Any) -> None:
    assert "expected" in await flow.refused("InvalidParams", RAG_SEARCH, **params)


# -- indexing again ----------------------------------------------------------------------------


async def test_a_text_that_is_the_same_is_not_embedded_again(flow: Flow, model: Asked) -> None:
    first = await flow.index(CATS, DOGS, embedding=flow.embedding(price={"input": 1_000_000}))
    assert (first["unchanged"], first["embedded"], first["cost"]) == (0, 2, 11.0)
    told = {"id": CATS, "text": CATS, "title": "New", "metadata": {"a": 1}}
    changed = {"id": DOGS, "text": TAXES}
    again = await flow.index(told, changed)
    assert (again["documents"], again["unchanged"], again["embedded"]) == (2, 1, 1)
    assert embedded(model) == [CATS, DOGS, TAXES]
    found = (await flow.search("cats"))["matches"][0]
    assert (found["citation"]["title"], found["metadata"]) == ("New", {"a": 1})
    assert [each["text"] for each in (await flow.search("x"))["matches"]].count(DOGS) == 0


async def test_another_way_of_cutting_is_another_text(flow: Flow) -> None:
    text = {"id": "a", "text": "One sentence here. " * 30}
    await flow.index(text)
    again = await flow.index(text, chunking={"size": 100, "overlap": 10})
    assert (again["unchanged"], again["chunks"] > 5) == (0, True)
    numbers = [each["citation"]["chunk"] for each in (await flow.search("one"))["matches"]]
    assert len(set(numbers)) == len(numbers), "those of the first way are gone"


async def test_many_short_documents_are_embedded_together(flow: Flow, model: Asked) -> None:
    texts = [f"text number {number}" for number in range(25)]
    await flow.index(*texts, embedding=flow.embedding(batch=10))
    assert [len(question["input"]) for question in model.questions] == [10, 10, 5]


async def test_what_was_written_before_a_failure_is_not_done_again(
    flow: Flow, model: Asked
) -> None:
    texts = [f"text number {number}" for number in range(5)]
    embedding = flow.embedding(batch=2)
    env = attempts.lasting(60)
    beats: list[Any] = []
    env.on_heartbeat = lambda *details: beats.append(details[0])
    # By a 500 of its own the fake means to answer with vectors.
    model.says(*[Answer(status=500)] * 2, Answer(status=429, body={}))
    with pytest.raises(ApplicationError) as caught:
        await flow.index(*texts, embedding=embedding, env=env)
    assert caught.value.type == "RateLimited"
    assert beats[-1]["documents"] == 4
    model.says()
    model.questions.clear()
    again = await flow.index(*texts, embedding=embedding, env=lasting_after(60, beats[-1]))
    assert embedded(model) == [texts[4]]
    assert (again["documents"], again["unchanged"], again["embedded"]) == (5, 0, 5)
    assert (again["usage"]["calls"], again["usage"]["input_tokens"]) == (3, 15)
    model.questions.clear()
    once_more = await flow.index(*texts, embedding=embedding)
    assert (once_more["unchanged"], model.questions) == (5, [])


async def test_a_text_that_was_kept_is_taken_out_of_the_store(flow: Flow) -> None:
    kept = await flow.keep("Größe. " * 10_000 + DOGS, "latin-1")
    done = await flow.index({"id": "large", "text": kept})
    assert done["chunks"] > 50
    [best] = (await flow.search("dogs bark postman", limit=1))["matches"]
    assert best["text"].endswith(f"Größe. {DOGS}")


# -- what is refused ---------------------------------------------------------------------------


async def test_another_model_is_refused_before_it_is_asked(flow: Flow, model: Asked) -> None:
    await flow.index(CATS)
    asked_before = len(model.questions)
    for other in ({"model": "m-2"}, {"dimensions": 8}):
        documents = [{"id": "d", "text": DOGS}]
        embedding = flow.embedding(**other)
        said = await flow.refused("OtherModel", RAG_INDEX, documents=documents, embedding=embedding)
        assert "'m-1' with 64 numbers" in said
        assert "rebuild" in said
    said = await flow.refused(
        "OtherModel", RAG_SEARCH, query="?", embedding=flow.embedding(model="m-2")
    )
    assert "'m-2'" in said
    assert len(model.questions) == asked_before
    await flow.refused("OtherModel", RAG_SEARCH, query="?", embedding=flow.embedding(dimensions=8))
    assert await flow.finds("cats") == [CATS]


async def test_with_rebuild_a_collection_begins_anew(flow: Flow) -> None:
    await flow.index(CATS, DOGS)
    other = flow.embedding(model="m-2", dimensions=8)
    await flow.index(TAXES, embedding=other, rebuild=True)
    again = await flow.index(TAXES, DOGS, embedding=other, rebuild=True)
    assert again["unchanged"] == 1
    assert sorted(await flow.finds("x", embedding=other)) == [DOGS, TAXES]


async def test_a_document_that_cannot_be_read_is_named(flow: Flow) -> None:
    for bad in (await flow.keep("Größe", "utf-16"), await flow.keep("ß", "no-such"), "a\0b"):
        said = await flow.refused(
            "InvalidParams",
            RAG_INDEX,
            documents=[{"id": "good", "text": "a"}, {"id": "bad.png", "text": bad}],
            embedding=flow.embedding(),
        )
        assert "'bad.png' is not text" in said
    said = await flow.refused(
        "ContentTooLarge",
        RAG_INDEX,
        documents=[{"id": "big", "text": "x" * 10_000_001}],
        embedding=flow.embedding(),
    )
    assert "'big'" in said
    many = {"id": "many", "text": "word " * 400_000}
    said = await flow.refused(
        "ContentTooLarge",
        RAG_INDEX,
        documents=[many],
        embedding=flow.embedding(),
        chunking={"size": 100, "overlap": 25},
    )
    assert "10,000 passages" in said


@pytest.mark.parametrize(
    ("params", "said"),
    [
        ({"documents": [{"id": "a", "text": ""}] * 2}, "'a' twice"),
        ({"documents": [{"id": "a\nb", "text": ""}]}, "documents.0.id"),
        ({"documents": [{"id": "a", "text": "", "title": "a\n[2] b"}]}, "documents.0.title"),
        ({"documents": [{"id": "a", "text": "", "metadata": {"x": "y" * 20_000}}]}, "16384"),
        ({"chunking": {"size": 200, "overlap": 100}}, "a fourth of size, 50"),
        ({"collection": "a/b"}, "collection"),
    ],
)
async def test_what_cannot_be_indexed_is_told(flow: Flow, params: Any, said: str) -> None:
    given = {"documents": [], "embedding": flow.embedding(), **params}
    assert said in await flow.refused("InvalidParams", RAG_INDEX, **given)


async def test_vectors_that_cannot_be_compared_are_refused(flow: Flow, model: Asked) -> None:
    model.says(Answer(body={"data": [{"index": 0, "embedding": []}]}))
    given = {"documents": [{"id": "a", "text": "a"}], "embedding": flow.embedding()}
    assert "0 numbers" in await flow.refused("HttpInvalidResponse", RAG_INDEX, **given)


async def test_documents_without_any_text_leave_nothing(flow: Flow, model: Asked) -> None:
    done = await flow.index({"id": "empty", "text": " \n"})
    assert (done["documents"], done["chunks"], model.questions) == (1, 0, [])
    await flow.index({"id": "a", "text": CATS})
    await flow.index({"id": "a", "text": ""})
    assert await flow.finds("cats") == []


# -- deleting, and whose it is -----------------------------------------------------------------


async def test_documents_are_deleted(flow: Flow) -> None:
    documents = [
        {"id": f"{n}", "text": f"{CATS} {n}", "metadata": {"year": 2000 + n}} for n in range(6)
    ]
    await flow.index(*documents)
    assert await flow.act(RAG_DELETE, ids=["0", "nobody"]) == {"documents": 1, "chunks": 1}
    old = [{"field": "metadata.year", "lt": 2003}]
    assert (await flow.act(RAG_DELETE, where=old))["documents"] == 2
    assert sorted(await flow.finds("cats")) == ["3", "4", "5"]
    assert (await flow.act(RAG_DELETE, all=True))["documents"] == 3
    assert (await flow.act(RAG_DELETE, all=True))["documents"] == 0
    unclear: list[JsonObject] = [{}, {"all": False}, {"where": []}, {"ids": [], "all": True}]
    for params in unclear:
        await flow.refused("InvalidParams", RAG_DELETE, **params)


async def test_a_collection_that_is_not_there_is_told_with_what_may_be_wrong(flow: Flow) -> None:
    await flow.index(CATS)
    given = {"query": "?", "embedding": flow.embedding()}
    said = await flow.refused("CollectionMissing", RAG_SEARCH, **given, collection="other")
    assert "'other'" in said
    assert "`shared`" in said


@pytest.mark.parametrize("other", [{"name": "g"}, {"namespace": "n"}, {"name": 'f", "x'}])
async def test_no_other_flow_or_tenant_sees_it(
    model: Asked, flow: Flow, tmp_path: Path, other: Any
) -> None:
    await flow.index(CATS)
    stranger = Flow(model, tmp_path, **other)
    given = {"query": "?", "embedding": flow.embedding()}
    await stranger.refused("CollectionMissing", RAG_SEARCH, **given)
    assert (await stranger.act(RAG_DELETE, all=True))["documents"] == 0
    assert await flow.finds("cats") == [CATS]


async def test_flows_share_what_the_operator_lets_them(model: Asked, tmp_path: Path) -> None:
    ingest = Flow(model, tmp_path, "ingest", shared=("handbook",))
    answer = Flow(model, tmp_path, "answer", shared=None)
    await ingest.index(CATS, shared="handbook")
    assert await answer.finds("cats", shared="handbook") == [CATS]
    tenant = Flow(model, tmp_path, "answer", shared=None, namespace="n")
    given = {"query": "?", "embedding": tenant.embedding()}
    said = await tenant.refused("CollectionMissing", RAG_SEARCH, **given, shared="handbook")
    assert "'handbook'" in said
    for node, params in (
        (RAG_SEARCH, given),
        (RAG_INDEX, {"documents": [], "embedding": given["embedding"]}),
        (RAG_DELETE, {"all": True}),
    ):
        said = await ingest.refused("SpaceRefused", node, **params, shared="other")
        assert "FLOWRUNNER_STORE_SHARED" in said


# -- the store ---------------------------------------------------------------------------------


async def test_a_file_that_cannot_be_used_is_told(model: Asked, tmp_path: Path) -> None:
    path = tmp_path / "vectors.db"
    path.write_text("this is no database" * 100)
    said = await Flow(model, tmp_path).refused("VectorsUnavailable", RAG_DELETE, all=True)
    assert str(path) in said
    (tmp_path / "file").write_text("")
    flow = Flow(model, VectorPlace(path=tmp_path / "file" / "vectors.db"))
    assert "file" in await flow.refused("VectorsUnavailable", RAG_DELETE, all=True)


async def test_the_file_of_the_key_value_store_is_not_taken(model: Asked, tmp_path: Path) -> None:
    from activities.store.changes import replacing
    from activities.store.sqlite import SqliteKeyValueStore

    async with SqliteKeyValueStore(tmp_path / "vectors.db") as store:
        await store.change("s", "k", replacing("k", 1, None), once="o")
    said = await Flow(model, tmp_path).refused("VectorsUnavailable", RAG_DELETE, all=True)
    assert "vectors.db" in said


async def test_a_worker_without_a_place_says_how_to_give_it_one(model: Asked) -> None:
    flow = Flow(model, VectorPlace(path=Path("/")))
    flow._options = Options()
    said = await flow.refused("VectorsUnsupported", RAG_DELETE, all=True)
    assert "FLOWRUNNER_VECTORS" in said


async def test_without_the_extra_it_says_which(
    model: Asked, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "apsw", None)
    monkeypatch.delitem(__import__("sys").modules, "activities.rag.sqlite", raising=False)
    said = await Flow(model, tmp_path).refused("ExtraMissing", RAG_DELETE, all=True)
    assert "flowrunner[vector]" in said


async def test_a_database_that_is_away_is_told_without_its_password(model: Asked) -> None:
    flow = Flow(model, VectorPlace(url="postgresql://ann:pa55w0rd@127.0.0.1:1/d"))
    said = await flow.refused("VectorsUnavailable", RAG_DELETE, all=True)
    assert "pa55w0rd" not in said
    assert "PostgreSQL" in said


@needs_postgres
async def test_a_server_without_pgvector_is_told(
    model: Asked, postgres_server: PostgresServer
) -> None:
    url = postgres_server.make_database()
    if postgres_server.run("SELECT 1 FROM pg_available_extensions WHERE name = 'vector'", url):
        pytest.skip("this server has pgvector")
    flow = Flow(model, VectorPlace(url=url))
    said = await flow.refused("VectorsUnsupported", RAG_DELETE, all=True)
    assert "pgvector" in said


@needs_pgvector
async def test_a_user_who_may_not_add_the_extension_is_told_who_can(
    model: Asked, pgvector_server: PostgresServer
) -> None:
    url = pgvector_server.make_database()
    name = f"plain_{url.rpartition('_')[2]}"
    pgvector_server.run(f"CREATE USER {name} PASSWORD '{PASSWORD}'")
    flow = Flow(model, VectorPlace(url=url.replace("//flows:", f"//{name}:")))
    said = await flow.refused("VectorsUnsupported", RAG_DELETE, all=True)
    assert "CREATE EXTENSION vector" in said


@needs_pgvector
async def test_the_same_is_found_in_postgresql(
    model: Asked, pgvector_server: PostgresServer
) -> None:
    flow = Flow(model, VectorPlace(url=pgvector_server.make_database()))
    await flow.index(CATS, {"id": "d", "text": DOGS, "metadata": {"kind": ["dog"]}}, TAXES)
    assert (await flow.finds("when are taxes due"))[0] == TAXES
    dogs = [{"field": "metadata.kind", "contains": "dog"}]
    assert await flow.finds("when are taxes due", where=dogs) == ["d"]
    assert json.dumps(await flow.act(RAG_DELETE, ids=["d"])) == '{"documents": 1, "chunks": 1}'
