"""`sql.query`: the same on SQLite and PostgreSQL, and that no value ever becomes SQL."""

from __future__ import annotations

import asyncio
import base64
import sqlite3
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from temporalio.exceptions import ApplicationError

from activities.attempt import Attempt, Resources
from activities.catalogue import catalogue
from activities.errors import NodeFailed
from activities.sql.placeholders import PlaceholderTrouble, names_in, numbered
from activities.sql.query import SQL_QUERY, QueryParams
from flowspec.check import check
from flowspec.values import Json
from tests import attempts
from tests.mail import make_certificates
from tests.postgres import PASSWORD, PostgresServer, needs_postgres, start_postgres

CALL = {"node": "n", "flow": "f", "run_id": "r", "key": "k"}


class Base:
    """A database, empty at first."""

    def __init__(self, url: str, folder: Path) -> None:
        self.url = url
        self._folder = folder
        self._claims = attempts.claims_in_memory(threshold=2**20)

    async def do(self, sql: str | None = None, **params: Any) -> Any:
        given = {"url": self.url, **params, **({} if sql is None else {"sql": sql})}
        done = await attempts.perform(
            SQL_QUERY, {**CALL, "params": given}, claims=self._claims, folders=(self._folder,)
        )
        return await self._claims.loaded(done["output"])

    async def refused(self, sql: str | None = None, **params: Any) -> tuple[str, str]:
        with pytest.raises(ApplicationError) as caught:
            await self.do(sql, **params)
        return caught.value.type or "", caught.value.message

    async def rows(self, sql: str, **params: Json) -> Any:
        return [list(row.values()) for row in (await self.do(sql, params=params))["rows"]]


@pytest.fixture
def lite(tmp_path: Path) -> Base:
    return Base("sqlite:some.db", tmp_path)


@pytest.fixture
def postgres(postgres_server: PostgresServer, tmp_path: Path) -> Base:
    return Base(postgres_server.make_database(), tmp_path)


@pytest.fixture(params=["lite", pytest.param("postgres", marks=needs_postgres)])
async def base(request: pytest.FixtureRequest) -> Base:
    made: Base = request.getfixturevalue(request.param)
    await made.do("CREATE TABLE people (name text PRIMARY KEY, age integer CHECK (age > 0))")
    return made


PUT = "INSERT INTO people VALUES (:name, :age)"
PEOPLE: list[Json] = [{"name": "Ada", "age": 36}, {"name": "Bob", "age": 12}]


async def test_rows_are_objects(base: Base) -> None:
    assert await base.do(PUT, params=PEOPLE) == {"rows": [], "columns": [], "count": 2}
    assert await base.do("SELECT name, age AS years FROM people ORDER BY name") == {
        "rows": [{"name": "Ada", "years": 36}, {"name": "Bob", "years": 12}],
        "columns": ["name", "years"],
        "count": 2,
    }
    none = await base.do("SELECT name FROM people WHERE age > :n", params={"n": 90})
    assert none == {"rows": [], "columns": ["name"], "count": 0}
    changed = await base.do("UPDATE people SET age = age + :n", params={"n": 1})
    assert changed["count"] == 2
    told = await base.do("DELETE FROM people WHERE name = 'Ada' RETURNING age")
    assert (told["rows"], told["count"]) == ([{"age": 37}], 1)
    assert await base.rows("SELECT name FROM people") == [["Bob"]]


@pytest.mark.parametrize(
    "evil", ["'; DROP TABLE people; --", "' OR '1'='1", "\\'; --", "$1", ":name", "%s", "?"]
)
async def test_a_value_stays_a_value(base: Base, evil: str) -> None:
    await base.do(PUT, params={"name": evil, "age": 1})
    assert await base.rows("SELECT name FROM people WHERE name = :n", n=evil) == [[evil]]
    assert await base.rows("SELECT name FROM people WHERE name = :n", n="Ada") == []


async def test_a_transaction_is_done_as_a_whole(base: Base) -> None:
    done = await base.do(
        transaction=[{"sql": PUT, "params": PEOPLE}, {"sql": "SELECT count(*) AS n FROM people"}]
    )
    assert done["results"][1]["rows"] == [{"n": 2}]
    error, _ = await base.refused(
        transaction=[{"sql": "DELETE FROM people"}, {"sql": PUT, "params": {"name": "C", "age": 0}}]
    )
    assert error == "ConstraintViolated"
    assert await base.rows("SELECT count(*) FROM people") == [[2]]
    error, _ = await base.refused(PUT, params=[{"name": "C", "age": 1}, {"name": "C", "age": 1}])
    assert error == "ConstraintViolated"
    assert await base.rows("SELECT count(*) FROM people") == [[2]]


async def test_what_is_only_to_be_read_is_not_changed(base: Base) -> None:
    assert (await base.refused("DELETE FROM people", read_only=True))[0] == "SqlError"
    assert (await base.do("SELECT 1 AS n", read_only=True))["rows"] == [{"n": 1}]


@pytest.mark.parametrize("sql", ["COMMIT", "ROLLBACK", "BEGIN; SELECT 1", "SELECT 1; SELECT 2"])
async def test_a_statement_is_one_and_ends_no_transaction(base: Base, sql: str) -> None:
    statements = [{"sql": PUT, "params": {"name": "C", "age": 1}}, {"sql": sql}]
    assert (await base.refused(transaction=statements))[0] == "SqlError"


async def test_more_rows_than_asked_for_are_an_error(base: Base) -> None:
    await base.do(PUT, params=[{"name": f"{n}", "age": 1} for n in range(1200)])
    error, told = await base.refused("SELECT name FROM people")
    assert error == "SqlTooLarge"
    assert "save: true" in told
    assert (await base.do("SELECT name FROM people", max_rows=1200))["count"] == 1200


@pytest.mark.parametrize("count", [0, 1, 1200])
async def test_any_number_of_rows_can_be_saved(base: Base, count: int) -> None:
    await base.do(PUT, params=[{"name": f"ü{n}", "age": 1} for n in range(count)])
    done = await base.do("SELECT name FROM people", save=True)
    assert (done["count"], done["columns"]) == (count, ["name"])
    assert sorted(row["name"] for row in done["rows"]) == sorted(f"ü{n}" for n in range(count))


COUNT = "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c) SELECT count(*) FROM c"


async def test_what_takes_too_long_is_cancelled(base: Base) -> None:
    begun = time.monotonic()
    assert (await base.refused(COUNT, timeout="300ms"))[0] == "SqlTimeout"
    assert time.monotonic() - begun < 5


async def test_what_nobody_waits_for_is_cancelled(base: Base) -> None:
    task = asyncio.create_task(base.do(COUNT))
    await asyncio.sleep(0.3)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(task, 5)


@pytest.mark.parametrize(
    ("sql", "params"),
    [
        ("SELECT :a", {}),
        ("SELECT 1", {"a": 1}),
        ("SELECT $1", {}),
        ("SELECT /* :a", {}),
        ("SELECT :a", [{"a": 1}, {"b": 1}]),
    ],
)
async def test_values_and_places_for_them_have_to_match(base: Base, sql: str, params: Any) -> None:
    assert (await base.refused(sql, params=params))[0] == "InvalidParams"


async def test_what_is_wrong_is_told(base: Base) -> None:
    assert (await base.refused("SELEC 1"))[0] == "SqlError"
    error, told = await base.refused("SELECT * FROM nowhere")
    assert error == "SqlError"
    assert "nowhere" in told


# -- placeholders ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("a = :b AND c=:b OR :d", "a = $1 AND c=$1 OR $2"),
        ("':a' || :b || ''':a'", "':a' || $1 || ''':a'"),
        ('":a" = :b', '":a" = $1'),
        ("E'\\':a' || :b", "E'\\':a' || $1"),
        ("-- :a\n:b", "-- :a\n$1"),
        ("/* :a /* :a */ :a */ :b", "/* :a /* :a */ :a */ $1"),
        ("$$ :a $$ || $x$ :a $$ $x$ || :b", "$$ :a $$ || $x$ :a $$ $x$ || $1"),
        (":b::int[1:2]", "$1::int[1:2]"),
        ("x::text", "x::text"),
        ("a$b$c :b", "a$b$c $1"),
    ],
)
def test_places_for_values(sql: str, expected: str) -> None:
    assert numbered(sql)[0] == expected


def test_names_of_places() -> None:
    assert names_in(":b :a ':c'") == {"a", "b"}
    with pytest.raises(PlaceholderTrouble, match="does not end"):
        names_in("/* /* */")


# -- only what the flow says is SQL ----------------------------------------------------------------


@pytest.mark.parametrize(
    "params",
    [
        "sql: \"SELECT '${input.a}'\"",
        "sql: '${input.a}'",
        "transaction: '${input.a}'",
        "transaction: [{sql: SELECT 1}, '${input.a}']",
        "transaction: [{sql: SELECT 1}, {sql: 'SELECT ${input.a}'}]",
    ],
)
def test_sql_takes_no_expression(params: str) -> None:
    node = f"type: sql.query, params: {{url: 'sqlite:a', {params}}}"
    for text in (
        f"flow: f\ninput: {{properties: {{a: {{}}}}}}\nnodes:\n  q: {{{node}}}\n",
        f"flow: f\ninput: {{properties: {{a: {{}}}}}}\nnodes:\n  b:\n    type: block\n    nodes:\n"
        f"      q: {{{node}}}\n",
    ):
        found = check(text, catalogue()).problems
        assert "FR513" in [problem.code for problem in found], [str(one) for one in found]


def test_a_model_cannot_say_what_a_tool_asks_a_database() -> None:
    text = """\
flow: f
secrets: [DB, KEY]
nodes:
  ask:
    type: agent
    params: {model: gpt-5-mini, api_key: "${secrets.KEY}", prompt: Hello}
    tools:
      find:
        type: sql.query
        description: Finds
        parameters: {properties: {sql: {type: string}}}
        params: {url: "${secrets.DB}", sql: "${call.sql}"}
"""
    assert "FR513" in [problem.code for problem in check(text, catalogue()).problems]


def test_values_take_expressions() -> None:
    text = SQL_QUERY.node_type.example
    assert check(text, catalogue()).problems == ()


# -- SQLite ----------------------------------------------------------------------------------------


async def test_a_file_is_in_the_folders_flows_may_use(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "secret.db").touch()
    (tmp_path / "in" / "link.db").symlink_to(tmp_path / "secret.db")
    for path in ("../secret.db", str(tmp_path / "secret.db"), "link.db", "%2e%2e/secret.db", ""):
        base = Base(f"sqlite:{path}", tmp_path / "in")
        assert (await base.refused("CREATE TABLE t (a)"))[0] == "FileRefused"
    assert (tmp_path / "secret.db").stat().st_size == 0
    inside = Base(f"sqlite://{tmp_path}/in/new.db", tmp_path / "in")
    await inside.do("CREATE TABLE t (a)")
    assert (tmp_path / "in" / "new.db").exists()
    missing = Base("sqlite:other.db", tmp_path / "in")
    assert (await missing.refused("SELECT 1", read_only=True))[0] == "FileMissing"
    assert not (tmp_path / "in" / "other.db").exists()


@pytest.mark.parametrize(
    "sql",
    [
        "ATTACH DATABASE '{}' AS other",
        "VACUUM INTO '{}'",
        "PRAGMA temp_store_directory = '{}'",
        "PRAGMA writable_schema = ON",
        "SELECT load_extension('{}')",
        "SELECT writefile('{}', 'x')",
    ],
)
async def test_no_statement_leads_to_another_file(lite: Base, tmp_path: Path, sql: str) -> None:
    other = tmp_path / "other"
    assert (await lite.refused(sql.format(other)))[0] == "SqlError"
    assert not other.exists()


async def test_values_of_sqlite_become_json(lite: Base) -> None:
    found = await lite.rows("SELECT 1, 1.5, NULL, 'ü', x'00ff', :t, 1e999", t=True)
    assert found == [[1, 1.5, None, "ü", base64.b64encode(b"\0\xff").decode(), 1, "inf"]]
    assert (await lite.refused("SELECT :a", params={"a": [1]}))[0] == "InvalidParams"


async def test_a_file_that_somebody_else_writes_to_is_tried_again(
    lite: Base, tmp_path: Path
) -> None:
    await lite.do("CREATE TABLE t (a)")
    other = sqlite3.connect(tmp_path / "some.db", isolation_level=None)
    try:
        other.execute("BEGIN IMMEDIATE")
        error, _ = await lite.refused("INSERT INTO t VALUES (1)", timeout="200ms")
    finally:
        other.close()
    assert error in ("SqlConflict", "SqlTimeout")
    assert await lite.rows("SELECT count(*) FROM t") == [[0]]


# -- PostgreSQL ------------------------------------------------------------------------------------


@needs_postgres
@pytest.mark.parametrize(
    ("kind", "given", "found"),
    [
        ("int8", 2**60, 2**60),
        ("float8", 1.5, 1.5),
        ("float8", 1, 1.0),
        ("numeric", "12345678901234567890.10", "12345678901234567890.10"),
        ("numeric", 1.5, "1.5"),
        ("bool", True, True),
        ("text", "ü'", "ü'"),
        ("date", "2026-11-21", "2026-11-21"),
        ("timestamp", "2026-11-21T09:30:00", "2026-11-21T09:30:00"),
        ("timestamptz", "2026-11-21T09:30:00.5Z", "2026-11-21T09:30:00.5+00:00"),
        ("time", "09:30", "09:30:00"),
        ("interval", "1 day", "1 day"),
        ("uuid", "00000000-0000-0000-0000-00000000000a", "00000000-0000-0000-0000-00000000000a"),
        ("jsonb", {"a": [1, None]}, {"a": [1, None]}),
        ("bytea", "AP8=", "AP8="),
        ("int4[]", [1, 2], [1, 2]),
        ("text[]", ["a", None], ["a", None]),
        ("date[]", ["2026-11-21"], ["2026-11-21"]),
        ("inet", "10.0.0.1", "10.0.0.1"),
        ("int4", None, None),
    ],
)
async def test_values_go_in_and_out_as_json(
    postgres: Base, kind: str, given: Json, found: Json
) -> None:
    assert await postgres.rows(f"SELECT (:v)::{kind}", v=given) == [[found]]


@needs_postgres
async def test_a_value_of_another_type_is_told(postgres: Base) -> None:
    assert (await postgres.refused("SELECT (:v)::int4", params={"v": "x"}))[0] == "SqlError"
    assert (await postgres.refused("SELECT (:v)::date", params={"v": "x"}))[0] == "SqlError"


@needs_postgres
async def test_a_password_that_is_wrong_is_not_shown(postgres: Base) -> None:
    wrong = Base(postgres.url.replace("c0rrect", "pa55w0rd"), Path("/"))
    error, told = await wrong.refused("SELECT 1")
    assert error == "SqlLoginFailed"
    assert "pa55w0rd" not in told
    shown = await postgres.rows("SELECT :v", v=f"it is {PASSWORD}")
    assert shown == [["it is ***"]]


@needs_postgres
async def test_a_query_that_is_cancelled_does_not_run_on(
    postgres: Base, postgres_server: PostgresServer
) -> None:
    assert (await postgres.refused("SELECT pg_sleep(60)", timeout="300ms"))[0] == "SqlTimeout"
    running = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(60)%' AND state = "
    assert postgres_server.run(running + "'active' AND pid <> pg_backend_pid()") == [(0,)]


@needs_postgres
async def test_a_deadlock_is_tried_again(postgres: Base) -> None:
    await postgres.do("CREATE TABLE t (id int, n int)")
    await postgres.do("INSERT INTO t VALUES (1, 0), (2, 0)")

    def both(one: int, other: int) -> Any:
        update = "UPDATE t SET n = n + 1 WHERE id = :id"
        return postgres.do(
            transaction=[
                {"sql": update, "params": {"id": one}},
                {"sql": "SELECT pg_sleep(0.5)::text"},
                {"sql": update, "params": {"id": other}},
            ]
        )

    ended = await asyncio.gather(both(1, 2), both(2, 1), return_exceptions=True)
    [failed] = [each for each in ended if isinstance(each, ApplicationError)]
    assert failed.type == "SqlConflict"
    assert not failed.non_retryable
    assert await postgres.rows("SELECT sum(n) FROM t") == [[2]]


@needs_postgres
async def test_a_certificate_is_verified(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    certificates = make_certificates(tmp_path)
    ask = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()"
    with start_postgres(certificates) as server:

        async def over_tls(mode: str) -> Json:
            url = server.url().replace("127.0.0.1", "localhost")
            ended = await Base(f"{url}?sslmode={mode}", tmp_path).rows(ask)
            found: Json = ended[0][0]
            return found

        assert await over_tls("disable") is False
        assert await over_tls("require") is True
        url = server.url().replace("127.0.0.1", "localhost") + "?sslmode=verify-full"
        error, told = await Base(url, tmp_path).refused(ask)
        assert error == "SqlLoginFailed"
        assert "certificate" in told
        monkeypatch.setenv("SSL_CERT_FILE", str(certificates.authority))
        assert await over_tls("verify-full") is True


@needs_postgres
async def test_tls_is_asked_for_by_the_url(postgres: Base) -> None:
    error, _ = await Base(postgres.url + "?sslmode=require", Path("/")).refused("SELECT 1")
    assert error == "SqlUnreachable"


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://h/d",
        "postgresql://ann:pa55w0rd@h",
        "postgresql://ann:pa55w0rd@h:x/d",
        "postgresql://ann:pa55w0rd@h/d?host=10.0.0.1",
        "postgresql://ann:pa55w0rd@h/d?sslmode=prefer",
        "postgresql://ann:pa55w0rd@h/d?passfile=/etc/passwd",
        "postgresql://ann@pa55w0rd x/d",
        "mysql://ann:pa55w0rd@h/d",
    ],
)
async def test_a_url_that_is_none_is_not_shown(url: str, tmp_path: Path) -> None:
    error, told = await Base(url, tmp_path).refused("SELECT 1")
    assert error == "InvalidParams"
    assert "pa55w0rd" not in told


async def test_a_server_that_is_away_is_tried_again(tmp_path: Path) -> None:
    error, _ = await Base("postgresql://ann:pa55w0rd@127.0.0.1:1/d", tmp_path).refused("SELECT 1")
    assert error == "SqlUnreachable"


async def test_an_address_that_flows_may_not_reach_is_refused() -> None:
    params = QueryParams(url="postgresql://ann:pa55w0rd@localhost/d", sql="SELECT 1")
    async with Resources() as resources:
        attempt = Attempt(node="n", flow="f", run_id="r", key="k", resources=resources)
        with pytest.raises(NodeFailed) as caught:
            await SQL_QUERY.handler(params, attempt)
    assert caught.value.error.name == "AddressRefused"
    assert "localhost:5432" in caught.value.message


async def test_a_worker_without_the_extra_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("activities.sql.postgres", "activities.sql.pools"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.delattr("activities.sql.postgres", raising=False)
    monkeypatch.setitem(sys.modules, "asyncpg", None)
    params = QueryParams(url="postgresql://ann:pa55w0rd@localhost/d", sql="SELECT 1")
    with pytest.raises(NodeFailed, match=r"flowrunner\[sql\]"):
        await SQL_QUERY.handler(params, Attempt(node="n", flow="f", run_id="r", key="k"))
