"""`store.*` and `sql.query` on real workers: every example of the reference and of the page."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from activities.sql.query import SQL_QUERY
from activities.store.changes import replacing
from activities.store.sqlite import SqliteKeyValueStore
from activities.store.store import NODE_TYPES
from flowspec.values import Json
from tests.postgres import PostgresServer, needs_postgres
from tests.project.markdown import ROOT, blocks
from tests.server.conftest import MakeProduct
from tests.server.support import Product

SQL = SQL_QUERY.node_type.example
PAGE = ROOT / "docs" / "howto" / "store-and-sql.md"
EXAMPLES = {one.node_type.name: one.node_type.example for one in NODE_TYPES}


@pytest.fixture
def product(make_product: MakeProduct, tmp_path: Path) -> Product:
    """Two workers, which open their store at the same time."""
    made = make_product(
        FLOWRUNNER_STORE=f"sqlite://{tmp_path}/kept/store.db",
        FLOWRUNNER_STORE_SHARED="*",
        FLOWRUNNER_FILES_DIRS=str(tmp_path),
    )
    for _ in range(2):
        made.start_worker()
    return made


def output(product: Product, flow: str, given: Any = None) -> Any:
    name = flow.partition("\n")[0].removeprefix("flow: ")
    product.write_flow(name, flow)
    ended = product.cli_json("run", name, "--json", "--input", json.dumps(given or {}))
    assert ended["status"] == "completed", ended
    return ended["output"]


def test_every_example_does_what_it_says(product: Product, tmp_path: Path) -> None:
    def run(node_type: str, given: Any = None) -> Any:
        return output(product, EXAMPLES[node_type], given)

    assert [run("store.get", {"name": "Ann"}) for _ in range(3)] == [0, 1, 2]
    assert run("store.set", {"plan": "gold"}) > 0
    assert run("store.delete") is False
    assert [run("store.increment") for _ in range(2)] == [True, True]
    visitors = [run("store.append", {"name": name}) for name in ("Ann", "Bob", "Ann")]
    assert visitors == [1, 2, 2]
    run("store.compare_and_set")
    put_orders(tmp_path / "kept" / "store.db")
    assert run("store.list") == [f"order/{number}" for number in range(5)]
    assert run("store.query") == ["order/3", "order/0", "order/1"]


ORDERS: list[Json] = [
    {"total": 1000, "status": "open"},
    {"total": 1000, "status": "closed", "customer": {"tags": ["vip"]}},
    {"total": 999, "status": "open"},
    {"total": 1500, "status": "held"},
    {"total": 5000, "status": "open", "cancelled": "today"},
]


def put_orders(path: Path) -> None:
    """Where the flows of the examples keep them."""

    async def put() -> None:
        async with SqliteKeyValueStore(path) as store:
            for flow in ("open-orders", "large-orders"):
                for number, order in enumerate(ORDERS):
                    space, key = f'["default", "flow", "{flow}"]', f"order/{number}"
                    await store.change(space, key, replacing(key, order, None), once=key)

    asyncio.run(put())


def test_a_run_goes_on_where_the_one_before_has_ended(product: Product) -> None:
    texts = {
        block.text.partition("\n")[0].removeprefix("flow: "): block.text
        for block in blocks("yaml")
        if block.page == PAGE and block.text.startswith("flow:")
    }
    assert [output(product, texts["pick-up"]) for _ in range(2)] == [[1, 2, 3], [4, 5, 6]]
    assert [output(product, texts["note-price"]) for _ in range(2)] == [True, False]
    dues = [
        output(product, texts["collect-dues"], {"name": name, "due": due})
        for name, due in (("Ann", "2026-12-01"), ("Bob", "2026-11-01"), ("Bob", "2026-12-24"))
    ]
    assert [[row["name"] for row in each] for each in dues] == [["Ann"], ["Bob"], ["Ann", "Bob"]]


@needs_postgres
def test_the_example_of_sql_asks_and_changes_a_database(
    make_product: MakeProduct, postgres_server: PostgresServer
) -> None:
    url = postgres_server.make_database()
    postgres_server.run("CREATE TABLE orders (id int, total numeric, paid date)", url)
    postgres_server.run("CREATE TABLE reports (since date PRIMARY KEY, orders int)", url)
    postgres_server.run("INSERT INTO orders VALUES (1, 9.50, '2026-11-20'), (2, 1, now())", url)
    product = make_product(FLOWRUNNER_SECRET_SHOP_DB=url)
    worker = product.start_worker()
    assert output(product, SQL, {"since": "2026-01-01"})[0] == {"id": 1, "total": "9.50"}
    assert postgres_server.run("SELECT orders FROM reports", url) == [(2,)]
    assert "c0rrect" not in worker.output()


MANY = """\
flow: many
nodes:
  add:
    type: store.increment
    foreach: ${range(40)}
    params: {key: count, shared: all}
    next: note
  note:
    type: store.append
    foreach: ${range(40)}
    params: {key: "list", value: "${item}", shared: all}
    next: look
  look: {type: store.get, params: {key: count, shared: all}, next: listed}
  listed: {type: store.get, params: {key: "list", shared: all}}
output: {count: "${nodes.look.output.value}", "list": "${nodes.listed.output.value}"}
"""


def test_what_many_nodes_do_at_once_is_all_done(product: Product) -> None:
    done = output(product, MANY)
    assert done["count"] == 40
    assert sorted(done["list"]) == list(range(40))
