"""examples/warehouse: the nightly sync, on a worker that talks to real systems and mail."""

from __future__ import annotations

import csv
import io
import json
import sqlite3
import zipfile
from collections.abc import Iterator
from contextlib import closing
from typing import Any
from urllib.parse import parse_qsl

import pytest
import yaml

from examples.mailbox import attachments
from examples.warehouse.systems import Business
from tests.applications import EXAMPLES, documented_commands, documented_secrets, install
from tests.server.support import Product, TemporalServer, until

APPLICATION = EXAMPLES / "warehouse"


@pytest.fixture(scope="module")
def product(
    temporal_server: TemporalServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Product]:
    """A worker that serves the application, with its secrets and a folder for reports."""
    folder = tmp_path_factory.mktemp("warehouse")
    made = Product(
        address=temporal_server.address,
        folder=folder,
        settings={
            **documented_secrets(APPLICATION),
            "FLOWRUNNER_FILES_DIRS": str(folder / "files"),
            "FLOWRUNNER_STORE": f"sqlite://{folder}/store.db",
        },
    )
    (folder / "files").mkdir()
    try:
        made.start_worker()
        yield made
    finally:
        made.stop()


@pytest.fixture
def business(product: Product, request: pytest.FixtureRequest) -> Iterator[Business]:
    """Systems of this test's own, which no flow has been at yet."""
    (product.folder / "files" / "warehouse.db").unlink(missing_ok=True)
    with Business() as systems:
        changed = {
            "127.0.0.1:8099": systems.url.removeprefix("http://"),
            "port: 8025": f"port: {systems.mailbox.port}",
            "key: mark/": f"key: {request.node.name}/",
        }
        install(APPLICATION, product.flows_dir, changed)
        systems.fill()
        yield systems


def night(product: Product, *arguments: str) -> dict[str, Any]:
    options = ("--set", "page_size=25", "--json", *arguments)
    result: dict[str, Any] = product.cli_json("run", "nightly", *options)
    return result


def asked(business: Business, path: str) -> list[dict[str, str]]:
    """The queries of the requests to this path."""
    found = [request.query for request in business.requests if request.path == path]
    return [dict(parse_qsl(query)) for query in found]


def opened(archive: bytes) -> dict[str, str]:
    with zipfile.ZipFile(io.BytesIO(archive)) as files:
        return {name: files.read(name).decode() for name in files.namelist()}


def table(product: Product, name: str) -> dict[str, dict[str, Any]]:
    """The rows of a table of the warehouse by their ids, as another program reads them."""
    with closing(sqlite3.connect(product.folder / "files" / "warehouse.db")) as db:
        db.row_factory = sqlite3.Row
        return {row["id"]: dict(row) for row in db.execute(f"SELECT * FROM {name}")}


def counts(result: dict[str, Any]) -> list[tuple[str, int, int]]:
    return [(feed["feed"], feed["read"], feed["written"]) for feed in result["output"]["feeds"]]


def test_a_night_brings_all_over_and_the_next_one_goes_on_from_there(
    product: Product, business: Business
) -> None:
    first = night(product)
    assert first["status"] == "completed", first
    assert counts(first) == [("orders", 60, 60), ("customers", 25, 24)]
    assert len(table(product, "orders")) == 60
    assert table(product, "orders")["O-5"] == {
        "id": "O-5",
        "customer": "C-5",
        "updated_at": "2026-11-01T10:05:00Z",
        "articles": 3,
        "cents": 1500,
    }
    begin = "1970-01-01T00:00:00Z"
    pages = [
        {"updated_since": begin, "limit": "25"},
        {"updated_since": begin, "limit": "25", "cursor": "25"},
        {"updated_since": begin, "limit": "25", "cursor": "50"},
    ]
    assert asked(business, "/shop/orders") == pages
    [failure] = first["output"]["failed"]
    assert (failure["feed"], failure["id"], failure["tries"]) == ("customers", "C-13", 1)
    assert "mail" in failure["why"]
    _is_reported(product, business, first)

    business.order(3, "2026-11-09T10:00:00Z")
    business.order(60, "2026-11-09T11:00:00Z")
    business.customer(13, "2026-11-05T11:13:00Z")  # put right, and no newer than it was
    second = night(product)
    assert counts(second) == [("orders", 2, 2), ("customers", 1, 1)]
    assert second["output"]["failed"] == []
    assert asked(business, "/shop/orders")[3:] == [
        {"updated_since": "2026-11-06T10:09:00Z", "limit": "25"}
    ]
    orders = table(product, "orders")
    assert len(orders) == 61
    assert orders["O-3"]["updated_at"] == "2026-11-09T10:00:00Z"
    assert table(product, "customers")["C-13"]["mail"] == "c13@home.example"
    assert counts(night(product)) == [("orders", 0, 0), ("customers", 0, 0)]
    assert len(asked(business, "/shop/customers/C-13")) == 1, "it is not asked for again"
    assert business.alerts == []


def _is_reported(product: Product, business: Business, result: dict[str, Any]) -> None:
    [mail] = business.mailbox.to("data@firm.example")
    assert str(mail["Subject"]).endswith(": 84 written, 1 failed")
    page = mail.get_body(("html",))
    assert page is not None
    assert "<td>orders</td><td>60</td><td>60</td>" in page.get_content()
    [archive] = attachments(mail).values()
    files = opened(archive)
    assert files["report.html"] == page.get_content().replace("\r\n", "\n")
    [row] = csv.DictReader(io.StringIO(files["failed.csv"]))
    assert (row["feed"], row["id"], row["type"]) == ("customers", "C-13", "Invalid")
    assert json.loads(files["feeds.json"]) == result["output"]["feeds"]
    assert (product.folder / "files" / result["output"]["report"]).read_bytes() == archive


def test_a_feed_that_fails_raises_the_alarm_and_does_not_keep_the_others(
    product: Product, business: Business
) -> None:
    business.broken = {"GET /shop/customers"}
    result = night(product)
    assert result["status"] == "failed"
    assert result["error"]["type"] == "FeedFailed"
    assert result["error"]["message"].endswith("not synced: customers")
    assert len(table(product, "orders")) == 60
    [alert] = business.alerts
    assert alert["type"] == "warehouse.feed_failed"
    [row] = alert["data"]
    assert row["feed"] == "customers"
    assert "503" in row["why"]
    [mail] = business.mailbox.to("data@firm.example")
    assert str(mail["Subject"]).endswith(": 60 written, 0 failed, not all feeds")
    business.broken = set()
    assert counts(night(product)) == [("orders", 0, 0), ("customers", 25, 24)]


def test_a_night_in_which_too_much_fails_is_done_again(
    product: Product, business: Business
) -> None:
    for number in range(6):
        business.customer(number, "2026-11-08T10:00:00Z", country="Austria")
    result = night(product, "--set", 'only=["customers"]')
    assert result["error"]["type"] == "FeedFailed"
    [row] = business.alerts[0]["data"]
    assert "7 of 25" in row["why"], row
    for number in range(6):
        business.customer(number, "2026-11-08T10:00:00Z")
    again = night(product, "--set", 'only=["customers"]')
    assert counts(again) == [("customers", 25, 24)]
    since = [query["updated_since"] for query in asked(business, "/shop/customers")]
    assert since == ["1970-01-01T00:00:00Z"] * 2


def test_what_fails_night_after_night_is_given_up(product: Product, business: Business) -> None:
    known = yaml.safe_load((APPLICATION / "systems.yaml").read_text())["output"]
    feed = next(feed for feed in known["feeds"] if feed["name"] == "customers")
    given = {"feed": feed, "shop": f"{business.url}/shop"}
    text = json.dumps({**given, "most_tries": 2})
    runs = [product.cli_json("run", "sync-feed", "--json", "--input", text) for _ in range(3)]
    tries = [[each["tries"] for each in run["output"]["failed"]] for run in runs]
    assert tries == [[1], [2], []]
    assert len(asked(business, "/shop/customers/C-13")) == 1


def test_what_the_readme_says_works(product: Product, business: Business) -> None:
    (product.folder / "examples").symlink_to(EXAMPLES)
    commands = documented_commands(APPLICATION)
    for command in commands:
        done = product.cli(*command)
        assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    assert len(commands) >= 4
    until(lambda: len(business.mailbox.mails) == 3, what="the reports of three runs")
    assert len(table(product, "orders")) == 60
