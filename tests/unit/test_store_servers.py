"""The key-value store on servers: what is told when they are away, or full of something else."""

from __future__ import annotations

from contextlib import suppress

import pytest

from activities.store.changes import replacing
from activities.store.contract import KeyValueStore, KeyValueStoreError
from activities.store.dynamodb import DynamoKeyValueStore
from activities.store.options import read_place
from activities.store.postgres import PostgresKeyValueStore
from tests.postgres import PASSWORD, PostgresServer, needs_postgres, start_postgres
from tests.s3 import S3Server


async def trouble(store: KeyValueStore) -> str:
    async with store:
        with pytest.raises(KeyValueStoreError) as caught:
            await store.change("s", "k", replacing("k", 1, None), once="o")
    return str(caught.value)


async def test_a_server_that_is_away_is_told_without_the_password() -> None:
    told = await trouble(PostgresKeyValueStore("postgresql://ann:pa55w0rd@127.0.0.1:1/d"))
    assert "PostgreSQL" in told
    assert "pa55w0rd" not in told


@pytest.mark.parametrize("query", ["sslmode=pa55w0rd", "passfile=/pa55w0rd&target_session_attrs=x"])
async def test_a_url_nobody_understands_is_not_shown(query: str) -> None:
    told = await trouble(PostgresKeyValueStore(f"postgresql://ann:pa55w0rd@127.0.0.1:1/d?{query}"))
    assert "FLOWRUNNER_STORE" in told
    assert "pa55w0rd" not in told


@needs_postgres
async def test_a_password_that_is_wrong_is_not_shown(postgres_server: PostgresServer) -> None:
    url = postgres_server.url().replace("c0rrect", "pa55w0rd")
    told = await trouble(PostgresKeyValueStore(url))
    assert "authentication failed" in told
    assert "pa55w0rd" not in told
    assert PASSWORD not in told


@needs_postgres
async def test_tables_of_a_later_version_are_left_alone(postgres_server: PostgresServer) -> None:
    url = postgres_server.make_database()
    postgres_server.run("CREATE TABLE flowrunner_store AS SELECT 7 AS version", url)
    assert "version 7" in await trouble(PostgresKeyValueStore(url))


@needs_postgres
async def test_a_server_that_comes_back_is_used_again() -> None:
    with start_postgres() as server:
        async with PostgresKeyValueStore(server.url()) as store:
            await store.change("s", "k", replacing("k", 1, None), once="o")
            server.run(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE application_name = 'flowrunner'"
            )
            with suppress(KeyValueStoreError):  # that the connection is gone may be news
                await store.read("s", "k")
            item = await store.read("s", "k")
            assert item is not None
            server.process.kill()
            with pytest.raises(KeyValueStoreError):
                await store.read("s", "k")


async def test_a_table_that_may_not_be_used_is_told(s3_server: S3Server) -> None:
    user = s3_server.make_user("s3:GetObject")
    place = read_place(
        f"dynamodb://{user.access_key_id}:{user.secret_access_key.replace('/', '%2F')}@some-table"
        f"?region=us-east-1&endpoint={s3_server.endpoint}"
    )
    assert place.credentials == (user.access_key_id, user.secret_access_key)
    async with place() as store:
        told = await trouble(store)
    assert "AccessDenied" in told
    assert user.secret_access_key not in told


async def test_nobody_answers_where_the_table_should_be() -> None:
    store = DynamoKeyValueStore(
        "some-table", region="x", endpoint="http://127.0.0.1:1", credentials=("a", "pa55w0rd")
    )
    told = await trouble(store)
    assert "some-table" in told
    assert "pa55w0rd" not in told
