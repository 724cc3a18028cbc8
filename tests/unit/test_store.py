"""`store.*`: what flows keep, who sees it, and that nothing is done twice."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from temporalio.exceptions import ApplicationError

from activities.attempt import Options
from activities.declaration import AnyImplementation
from activities.store.options import StoreOptions, StorePlace, read_place
from activities.store.performing import QUERY_TOO_LARGE
from activities.store.store import (
    STORE_APPEND,
    STORE_COMPARE_AND_SET,
    STORE_DELETE,
    STORE_GET,
    STORE_INCREMENT,
    STORE_LIST,
    STORE_QUERY,
    STORE_SET,
)
from claimcheck.cloakroom import Cloakroom
from claimcheck.stores import MemoryStore
from flowspec.values import Json, JsonObject
from tests import attempts


class Flow:
    """A flow on a worker whose store is in the folder; each act is a node of its own."""

    def __init__(
        self,
        folder: Path,
        name: str = "f",
        *,
        namespace: str = "default",
        shared: tuple[str, ...] | None = (),
    ) -> None:
        place = StorePlace(kind="sqlite", path=folder / "store.db")
        self._options = Options(StoreOptions(place=place, shared=shared))
        self._name = name
        room = Cloakroom(MemoryStore(), namespace=namespace, threshold=2**20, cache_bytes=0)
        self._claims = attempts.ClaimsAnywhere(room)
        self._acts = 0

    async def ends(
        self, node: AnyImplementation, attempt_key: str = "", **params: Any
    ) -> tuple[Any, str | None]:
        """The output and the action."""
        self._acts += 1
        key = attempt_key or f"{id(self)} {self._acts}"
        call = {"node": "n", "flow": self._name, "run_id": "r", "key": key, "params": params}
        done = await attempts.perform(node, call, claims=self._claims, options=self._options)
        return await self._claims.loaded(done["output"]), done["action"]

    async def act(self, node: AnyImplementation, **params: Any) -> Any:
        return (await self.ends(node, **params))[0]

    async def value(self, key: str, **params: Json) -> Any:
        return (await self.act(STORE_GET, key=key, default="nothing", **params))["value"]

    async def refused(self, node: AnyImplementation, **params: Json) -> tuple[str, str]:
        with pytest.raises(ApplicationError) as caught:
            await self.act(node, **params)
        return caught.value.type or "", caught.value.message


@pytest.fixture
def flow(tmp_path: Path) -> Flow:
    return Flow(tmp_path)


async def test_what_is_set_is_got(flow: Flow) -> None:
    done = await flow.act(STORE_SET, key="k", value={"a": 1})
    assert done["created"] is True
    got, action = await flow.ends(STORE_GET, key="k")
    assert got == {
        "found": True,
        "value": {"a": 1},
        "version": done["version"],
        "expires": None,
    }
    assert action == "found"
    again = await flow.act(STORE_SET, key="k", value=2)
    assert again["created"] is False
    assert again["version"] > done["version"]
    assert await flow.act(STORE_DELETE, key="k") == {"deleted": True}
    assert await flow.act(STORE_DELETE, key="k") == {"deleted": False}
    assert await flow.ends(STORE_GET, key="k", default=[0]) == (
        {"found": False, "value": [0], "version": None, "expires": None},
        "missing",
    )


async def test_what_is_set_for_a_while_says_until_when(flow: Flow) -> None:
    await flow.act(STORE_SET, key="k", value=1, ttl="1h")
    assert (await flow.act(STORE_GET, key="k"))["expires"].endswith("+00:00")
    await flow.act(STORE_SET, key="k", value=1)
    assert (await flow.act(STORE_GET, key="k"))["expires"] is None
    await flow.act(STORE_SET, key="k", value=1, ttl="1ms")
    await asyncio.sleep(0.002)
    assert await flow.value("k") == "nothing"


async def test_a_counter_keeps_the_end_it_was_made_with(flow: Flow) -> None:
    await flow.act(STORE_INCREMENT, key="k", ttl="1h")
    first = (await flow.act(STORE_GET, key="k"))["expires"]
    await flow.act(STORE_INCREMENT, key="k", ttl="5h")
    await flow.act(STORE_INCREMENT, key="k")
    assert (await flow.act(STORE_GET, key="k"))["expires"] == first is not None


# -- whose it is -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "other",
    [
        {"name": "g"},
        {"name": "F"},
        {"name": "f", "namespace": "other"},
        {"name": 'f", "x'},
        {"name": "flow", "namespace": 'default", "flow'},
    ],
)
async def test_no_other_flow_or_tenant_sees_it(tmp_path: Path, other: Any) -> None:
    await Flow(tmp_path).act(STORE_SET, key="k", value="mine")
    stranger = Flow(tmp_path, **other)
    assert await stranger.value("k") == "nothing"
    assert (await stranger.act(STORE_LIST))["items"] == []
    assert (await stranger.act(STORE_QUERY))["items"] == []
    await stranger.act(STORE_SET, key="k", value="theirs")
    await stranger.act(STORE_DELETE, key="k")
    assert await Flow(tmp_path).value("k") == "mine"


async def test_flows_share_a_space_if_the_operator_lets_them(tmp_path: Path) -> None:
    allowed: tuple[tuple[str, ...] | None, ...] = (("prices",), None)
    one, other = (Flow(tmp_path, name, shared=s) for name, s in zip("fg", allowed, strict=True))
    await one.act(STORE_SET, key="k", value=1, shared="prices")
    assert await other.value("k", shared="prices") == 1
    assert await other.value("k", shared="other") == "nothing"
    assert await one.value("k") == "nothing"
    tenant = Flow(tmp_path, "f", shared=None, namespace="other")
    assert await tenant.value("k", shared="prices") == "nothing"


async def test_a_space_that_has_a_flows_name_is_not_the_flows(tmp_path: Path) -> None:
    await Flow(tmp_path, "f").act(STORE_SET, key="k", value="mine")
    assert await Flow(tmp_path, "g", shared=None).value("k", shared="f") == "nothing"


@pytest.mark.parametrize(
    "node", [STORE_GET, STORE_SET, STORE_DELETE, STORE_INCREMENT, STORE_APPEND]
)
async def test_a_space_is_not_shared_by_itself(tmp_path: Path, node: AnyImplementation) -> None:
    flow = Flow(tmp_path, shared=("prices",))
    given: JsonObject = {"value": 1} if "value" in node.params.model_fields else {}
    error, told = await flow.refused(node, key="k", shared="price", **given)
    assert error == "SpaceRefused"
    assert "FLOWRUNNER_STORE_SHARED" in told


# -- once ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("node", "params"),
    [
        (STORE_INCREMENT, {"by": 2}),
        (STORE_APPEND, {"value": 1}),
        (STORE_SET, {"value": 1}),
        (STORE_DELETE, {}),
        (STORE_COMPARE_AND_SET, {"value": 1, "expected": "before"}),
    ],
)
async def test_the_same_attempt_is_made_once(
    flow: Flow, node: AnyImplementation, params: JsonObject
) -> None:
    before: dict[str, Json] = {"store.increment": 1, "store.append": []}
    await flow.act(STORE_SET, key="k", value=before.get(node.node_type.name, "before"))
    first = await flow.ends(node, "run/1", key="k", **params)
    assert await flow.ends(node, "run/1", key="k", **params) == first
    await flow.act(STORE_SET, key="k", value="since then")
    assert await flow.ends(node, "run/1", key="k", **params) == first
    assert await flow.value("k") == "since then"


# -- numbers and lists -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "total"),
    [
        ([{}], 1),
        ([{"start": 10}, {"start": 10}], 12),
        ([{"by": 0.1}, {"by": 0.2}], 0.3),
        ([{"by": -5}], -5),
        ([{"by": 0.5}, {"by": 0.5}], 1.0),
    ],
)
async def test_sums(flow: Flow, given: list[JsonObject], total: float) -> None:
    for each in given:
        done = await flow.act(STORE_INCREMENT, key="k", **each)
    assert repr(done["value"]) == repr(await flow.value("k")) == repr(total)


@pytest.mark.parametrize("value", [True, None, "1", [1], {"a": 1}])
async def test_only_numbers_are_added_to(flow: Flow, value: Json) -> None:
    await flow.act(STORE_SET, key="k", value=value)
    assert (await flow.refused(STORE_INCREMENT, key="k"))[0] == "WrongType"


async def test_a_sum_beyond_what_is_exact_is_refused(flow: Flow) -> None:
    await flow.act(STORE_SET, key="k", value=2**53)
    assert (await flow.refused(STORE_INCREMENT, key="k"))[0] == "ValueTooLarge"
    await flow.act(STORE_SET, key="k", value=1.7e308)
    assert (await flow.refused(STORE_INCREMENT, key="k", by=1.7e308))[0] == "ValueTooLarge"


async def test_lists_grow_to_their_limit(flow: Flow) -> None:
    values: list[Json] = [1, [2], None, 4]
    for value in values:
        done = await flow.act(STORE_APPEND, key="k", value=value, limit=3)
    assert done["length"] == 3
    assert await flow.value("k") == [[2], None, 4]


async def test_a_list_may_have_each_item_once(flow: Flow) -> None:
    values: list[Json] = [1, True, {"a": 1}, 1.0, {"a": 1}]
    done = [await flow.act(STORE_APPEND, key="k", value=value, unique=True) for value in values]
    assert [one["appended"] for one in done] == [True, True, True, False, False]
    assert await flow.value("k") == [1, True, {"a": 1}]


async def test_only_lists_are_appended_to(flow: Flow) -> None:
    await flow.act(STORE_SET, key="k", value={"a": 1})
    error, told = await flow.refused(STORE_APPEND, key="k", value=1)
    assert error == "WrongType"
    assert "an object" in told


async def test_what_is_too_large_is_refused_and_nothing_lost(flow: Flow) -> None:
    await flow.act(STORE_SET, key="k", value="x" * (256 * 1024 - 2))
    error, told = await flow.refused(STORE_SET, key="k", value="ü" * (128 * 1024))
    assert error == "ValueTooLarge"
    assert "262146 bytes" in told
    assert len(await flow.value("k")) == 256 * 1024 - 2


# -- compare and set -------------------------------------------------------------------------------


async def test_a_lock_is_for_one(flow: Flow) -> None:
    done, action = await flow.ends(STORE_COMPARE_AND_SET, key="k", value="a", absent=True)
    assert action == "swapped"
    assert await flow.ends(STORE_COMPARE_AND_SET, key="k", value="b", absent=True) == (
        {"swapped": False, "version": done["version"], "current": "a"},
        "conflict",
    )


async def test_only_what_is_expected_is_replaced(flow: Flow) -> None:
    version = (await flow.act(STORE_SET, key="k", value={"n": 1}))["version"]

    async def swap(**expected: Any) -> str | None:
        return (await flow.ends(STORE_COMPARE_AND_SET, key="k", value={"n": 1}, **expected))[1]

    assert await swap(expected={"n": True}) == "conflict"
    assert await swap(expected=None) == "conflict"
    assert await swap(version=version + 1) == "conflict"
    assert await swap(version=version) == "swapped"
    assert await swap(version=version) == "conflict"
    assert await swap(expected={"n": 1.0}) == "swapped"


async def test_nothing_is_not_null(flow: Flow) -> None:
    given: dict[str, Any] = {"key": "k", "value": 1}
    conflict = ({"swapped": False, "version": None, "current": None}, "conflict")
    assert await flow.ends(STORE_COMPARE_AND_SET, **given, expected=None) == conflict
    await flow.act(STORE_SET, key="k", value=None)
    assert (await flow.ends(STORE_COMPARE_AND_SET, **given, expected=None))[1] == "swapped"


@pytest.mark.parametrize(
    "given", [{}, {"absent": False}, {"version": None}, {"absent": True, "version": 1}]
)
async def test_one_thing_has_to_be_expected(flow: Flow, given: JsonObject) -> None:
    error, _ = await flow.refused(STORE_COMPARE_AND_SET, key="k", value=1, **given)
    assert error == "InvalidParams"


# -- lists and queries -----------------------------------------------------------------------------

ORDERS: JsonObject = {
    "o/1": {"total": 10, "city": "Bern", "tags": ["new", 1]},
    "o/2": {"total": 9.5, "city": "Zug", "tags": []},
    "o/3": {"total": "10", "city": None},
    "o/4": {"total": True, "deep": {"list": [{"n": 7}]}},
    "o/5": 5,
    "p/1": {"total": 1},
}


@pytest.fixture
async def full(flow: Flow) -> Flow:
    for key, value in ORDERS.items():
        await flow.act(STORE_SET, key=key, value=value)
    return flow


async def test_a_list_is_given_in_parts(full: Flow) -> None:
    found: list[str] = []
    cursor: Json = None
    for _ in range(3):
        part = await full.act(STORE_LIST, prefix="o/", limit=2, cursor=cursor, values=False)
        assert [sorted(item) for item in part["items"]] == [["expires", "key", "version"]] * len(
            part["items"]
        )
        found += [item["key"] for item in part["items"]]
        cursor = part["cursor"]
    assert found == ["o/1", "o/2", "o/3", "o/4", "o/5"]
    assert cursor is None
    assert [item["value"] for item in (await full.act(STORE_LIST, prefix="p"))["items"]] == [
        {"total": 1}
    ]


async def test_a_list_of_large_values_ends_early(flow: Flow) -> None:
    for number in range(34):
        await flow.act(STORE_SET, key=f"{number:02}", value="x" * 250_000)
    first = await flow.act(STORE_LIST)
    rest = await flow.act(STORE_LIST, cursor=first["cursor"])
    assert len(first["items"]) == 33
    assert [item["key"] for item in rest["items"]] == ["33"]
    assert len((await flow.act(STORE_LIST, values=False))["items"]) == 34
    sorted_ = await flow.act(STORE_QUERY, sort=[{"descending": True}])
    assert len(sorted_["items"]) == 33
    assert sorted_["cursor"]


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        ([], "1 2 3 4 5"),
        ([{"field": "total", "eq": 10.0}], "1"),
        ([{"field": "total", "eq": 1}], ""),
        ([{"field": "city", "eq": None}], "3"),
        ([{"field": "total", "ne": 10}], "2 3 4 5"),
        ([{"field": "total", "lt": 10}], "2"),
        ([{"field": "total", "gte": 9.5, "lte": 10}], "1 2"),
        ([{"field": "total", "gt": "1"}], "3"),
        ([{"field": "total", "in": ["10", True]}], "3 4"),
        ([{"field": "tags", "contains": 1}], "1"),
        ([{"field": "city", "contains": "er"}], "1"),
        ([{"contains": "deep"}], "4"),
        ([{"field": "city", "exists": True}], "1 2 3"),
        ([{"field": "city", "exists": False}], "4 5"),
        ([{"field": "city", "prefix": "Z"}], "2"),
        ([{"field": "deep.list.0.n", "eq": 7}], "4"),
        ([{"field": "deep.list.1.n", "exists": True}], ""),
        ([{"gt": 4}], "5"),
        ([{"or": [{"eq": 5}, {"field": "city", "eq": "Bern"}]}], "1 5"),
        ([{"not": {"field": "city", "exists": True}}, {"ne": 5}], "4"),
        ([{"and": [{"field": "total", "gt": 1}, {"not": {"field": "city", "eq": "Zug"}}]}], "1"),
    ],
)
async def test_queries(full: Flow, where: list[Json], expected: str) -> None:
    found = await full.act(STORE_QUERY, prefix="o/", where=where)
    assert " ".join(item["key"].removeprefix("o/") for item in found["items"]) == expected


@pytest.mark.parametrize("limit", [1, 2, 4])
@pytest.mark.parametrize(
    ("sort", "expected"),
    [
        ([], "o/1 o/2 o/3 o/4 o/5 p/1"),
        ([{"field": "total"}], "o/5 o/4 p/1 o/2 o/1 o/3"),
        ([{"field": "total", "descending": True}], "o/3 o/1 o/2 p/1 o/4 o/5"),
        ([{"field": "city"}, {"field": "total"}], "o/5 o/4 p/1 o/3 o/1 o/2"),
        ([{"field": "tags"}], "o/3 o/4 o/5 p/1 o/1 o/2"),
    ],
)
async def test_a_query_goes_on_where_it_was(
    full: Flow, sort: list[Json], expected: str, limit: int
) -> None:
    found: list[str] = []
    cursor: Json = None
    while True:
        part = await full.act(STORE_QUERY, sort=sort, limit=limit, cursor=cursor)
        found += [item["key"] for item in part["items"]]
        assert len(part["items"]) <= limit
        cursor = part["cursor"]
        if cursor is None:
            break
    assert " ".join(found) == expected


async def test_a_cursor_of_another_query_is_refused(full: Flow) -> None:
    first = await full.act(STORE_QUERY, limit=1)
    sort: list[Json] = [{"field": "total"}]
    for cursor, given in ((first["cursor"], sort), ("rubbish", []), ("e30=", []), ("W10=", [])):
        error, _ = await full.refused(STORE_QUERY, cursor=cursor, sort=given)
        assert error == "InvalidParams"


async def test_a_query_looks_at_so_much_at_once(
    full: Flow, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("activities.store.performing._MOST_ITEMS", 3)
    where: list[Json] = [{"field": "total", "eq": 1}]
    first = await full.act(STORE_QUERY, where=where)
    assert first["items"] == []
    rest = await full.act(STORE_QUERY, where=where, cursor=first["cursor"])
    assert [item["key"] for item in rest["items"]] == ["p/1"]
    error, told = await full.refused(STORE_QUERY, where=where, sort=[{"field": "total"}])
    assert error == QUERY_TOO_LARGE.name
    assert "prefix" in told


@pytest.mark.parametrize("where", [[{}], [{"field": "a"}], [{"or": []}], [{"like": 1}]])
async def test_a_condition_that_says_nothing_is_refused(flow: Flow, where: list[Json]) -> None:
    assert (await flow.refused(STORE_QUERY, where=where))[0] == "InvalidParams"


@pytest.mark.parametrize("key", ["", "a\nb", "a\0", "x" * 257])
async def test_a_key_is_one_line(flow: Flow, key: str) -> None:
    assert (await flow.refused(STORE_SET, key=key, value=1))[0] == "InvalidParams"


# -- trouble ---------------------------------------------------------------------------------------


async def test_a_store_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    error, told = await Flow(tmp_path / "file").refused(STORE_SET, key="k", value=1)
    assert error == "KeyStoreUnavailable"
    assert "store.db" in told


async def test_a_file_that_is_something_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "store.db").write_bytes(b"a letter" * 1000)
    assert (await Flow(tmp_path).refused(STORE_SET, key="k", value=1))[0] == "KeyStoreUnavailable"
    assert (tmp_path / "store.db").read_bytes() == b"a letter" * 1000


async def test_tables_of_a_later_version_are_left_alone(tmp_path: Path) -> None:
    import sqlite3

    with sqlite3.connect(tmp_path / "store.db") as db:
        db.execute("PRAGMA user_version = 7")
    db.close()
    _, told = await Flow(tmp_path).refused(STORE_SET, key="k", value=1)
    assert "version 7" in told


async def test_the_file_is_for_its_owner(tmp_path: Path) -> None:
    await Flow(tmp_path / "new").act(STORE_SET, key="k", value=1)
    assert {path.stat().st_mode & 0o077 for path in (tmp_path / "new").iterdir()} == {0}


@pytest.mark.parametrize(
    "url",
    [
        "",
        "mysql://h/d",
        "sqlite:",
        "sqlite://h/p",
        "sqlite:///",
        "sqlite:///a?b=pa55w0rd",
        "postgresql://ann:pa55w0rd@h",
        "postgresql://ann:pa55w0rd@h:port/d",
        "postgresql://ann:x/pa55w0rd@h/d",
        "postgresql:///d",
        "dynamodb://",
        "dynamodb://a b",
        "dynamodb://pa55w0rd@table",
        "dynamodb://table?secret=pa55w0rd",
    ],
)
def test_a_url_that_is_none_is_told_without_it(url: str) -> None:
    with pytest.raises(ValueError, match="expected") as caught:
        read_place(url)
    assert "pa55w0rd" not in str(caught.value)


def test_the_path_of_a_file_may_have_any_letters() -> None:
    assert read_place("sqlite:///a%20b/c.db").path == Path("/a b/c.db")
    assert read_place("sqlite:////a/c.db").path == Path("/a/c.db")


def test_what_a_place_shows_is_no_secret() -> None:
    found = read_place("dynamodb://AK:pa55%2Fw0rd@My.Table?region=eu-west-1&endpoint=http://h:1")
    assert found == StorePlace(
        kind="dynamodb",
        table="My.Table",
        region="eu-west-1",
        endpoint="http://h:1",
        credentials=("AK", "pa55/w0rd"),
    )
    assert "pa55" not in repr(found)
    found = read_place("postgresql://ann:pa55w0rd@h:5433/d?sslmode=require")
    assert found.url.endswith("sslmode=require")
    assert "pa55" not in repr(found)


def test_json_keeps_what_is_written() -> None:
    from activities.store.changes import json_of

    assert json.loads(json_of({"a": [1, 1.0, "é\0"]}, "k")) == {"a": [1, 1.0, "é\0"]}
