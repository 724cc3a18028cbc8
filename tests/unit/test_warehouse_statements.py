"""The SQL of examples/warehouse does the same on SQLite and on PostgreSQL."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jmespath  # type: ignore[import-untyped]
import pytest
import yaml

from activities.sql.query import SQL_QUERY
from tests import attempts
from tests.applications import EXAMPLES
from tests.postgres import PostgresServer, needs_postgres

APPLICATION = EXAMPLES / "warehouse"
CALL = {"node": "n", "flow": "f", "run_id": "r", "key": "k"}
WHEN = "2026-11-21T10:00:00Z"
RECORDS: dict[str, list[dict[str, Any]]] = {
    "orders": [{"id": f"O-{n}", "updated_at": WHEN, "customer": {"id": "C-1"}} for n in (1, 2)],
    "customers": [{"id": f"C-{n}", "updated_at": WHEN, "mail": "a@home.example"} for n in (1, 2)],
}
FEEDS = yaml.safe_load((APPLICATION / "systems.yaml").read_text())["output"]["feeds"]


@pytest.fixture
def sqlite() -> str:
    return "sqlite:warehouse.db"


@pytest.fixture
def postgres(postgres_server: PostgresServer) -> str:
    return postgres_server.make_database()


@pytest.mark.parametrize("base", ["sqlite", pytest.param("postgres", marks=needs_postgres)])
@pytest.mark.parametrize("feed", FEEDS, ids=lambda feed: feed["name"])
async def test_rows_are_loaded_and_loaded_again(
    feed: dict[str, Any], base: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    url = request.getfixturevalue(base)
    flow = yaml.safe_load((APPLICATION / f"{feed['load']}.yaml").read_text())

    async def do(sql: str, rows: Any) -> Any:
        call = {**CALL, "params": {"url": url, "sql": sql, "params": rows}}
        return (await attempts.perform(SQL_QUERY, call, folders=(tmp_path,)))["output"]

    lines = [{"article": "A-1", "cents": 100}]
    rows = [
        jmespath.search(feed["row"], {"record": record, "details": lines})
        for record in RECORDS[feed["name"]]
    ]
    for _ in range(2):
        await do(flow["nodes"]["table"]["params"]["sql"], {})
        assert (await do(flow["nodes"]["write"]["params"]["sql"], rows))["count"] == 2
    found = await do(f"SELECT * FROM {feed['name']} ORDER BY id", {})
    assert [{**row, "updated_at": WHEN} for row in found["rows"]] == rows
