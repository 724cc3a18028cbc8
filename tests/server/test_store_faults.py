"""The store is away, full, slow or wrong while runs are under way: nothing is lost."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.contract.proxy import Proxy, damage, hang, proxy_to, refuse
from tests.payloads import payloads_of
from tests.s3 import S3Server
from tests.server.conftest import MakeProduct
from tests.server.support import Product, until
from tests.server.test_claim_check import history

pytestmark = pytest.mark.timeout(240)

_ALWAYS = 100_000
_LIMIT = 50 * 1024
_AWAY = refuse(503, "ServiceUnavailable")


@pytest.fixture
def proxy(s3_server: S3Server) -> Iterator[Proxy]:
    with proxy_to(s3_server.endpoint) as proxy:
        yield proxy


@pytest.fixture
def product(make_product: MakeProduct, s3_server: S3Server, proxy: Proxy) -> Product:
    """A product whose store is behind the proxy, and which remembers nothing it has read."""
    product = make_product(
        BLOB_STORAGE_TYPE="s3",
        BLOB_STORAGE_BUCKET=s3_server.make_bucket(),
        BLOB_STORAGE_ENDPOINT=proxy.endpoint,
        BLOB_STORAGE_REGION=s3_server.region,
        BLOB_STORAGE_ACCESS_KEY_ID=s3_server.credentials.access_key_id,
        BLOB_STORAGE_SECRET_ACCESS_KEY=s3_server.credentials.secret_access_key,
        CLAIM_CHECK_CACHE="0",
    )
    product.start_worker()
    return product


FLOW = """\
flow: patient
input: {required: [text], properties: {text: {type: string}}}
nodes:
  hold: {type: event, next: use}
  use:
    type: log
    params: {message: "${len(input.text)}", level: debug}
    retry: {attempts: 1}
    next: [twice, {to: tell, on: failure}]
  twice:
    type: log
    params: {message: two, level: debug, data: "${[nodes.hold.output, nodes.hold.output]}"}
  tell: {type: noop}
output:
  error: ${default(nodes.use.error.type, null)}
  message: ${default(nodes.use.output.message, null)}
  twice: ${len(default(nodes.twice.output.data, []))}
"""


def start(product: Product, id: str, flow: str = FLOW) -> None:
    """A run with a large input, which waits for its signal."""
    product.write_flow("patient", flow)
    given = product.folder / "input.json"
    given.write_text(json.dumps({"text": "x" * 200_000}))
    done = product.cli("run", "patient", "--id", id, "--detach", "--input", f"@{given}")
    assert done.returncode == 0, done.stderr
    until(lambda: bool(status(product, id).get("waiting")), what="the wait")


def go(product: Product, id: str, text: str = "on") -> None:
    data = product.folder / "data.json"
    data.write_text(json.dumps(text))
    assert product.cli("signal", id, "hold", "--data", f"@{data}").returncode == 0


def status(product: Product, id: str) -> dict[str, Any]:
    done = product.cli("status", id, "--json")
    found: dict[str, Any] = json.loads(done.stdout) if done.returncode == 0 else {}
    return found


def output(product: Product, id: str) -> Any:
    until(lambda: status(product, id).get("status") == "completed", what="the end", seconds=120)
    return product.cli_json("result", id, "--json")["output"]


def log_has(product: Product, text: str) -> bool:
    return text in product.workers[0].output()


async def test_a_node_waits_for_a_store_that_is_away_and_is_not_charged_an_attempt(
    product: Product, proxy: Proxy
) -> None:
    start(product, "away")
    proxy.next(_AWAY, times=_ALWAYS)
    go(product, "away")
    until(lambda: log_has(product, "NotStarted"), what="an attempt in vain", seconds=90)
    assert status(product, "away")["status"] == "running"
    proxy.forget()
    ended = output(product, "away")
    assert ended == {"error": None, "message": "200000", "twice": 2}


async def test_a_run_waits_to_send_what_is_too_large_and_sends_nothing_of_it_inline(
    product: Product, proxy: Proxy
) -> None:
    """Two values that are small each: only workflow code can put them away together."""
    start(product, "sending")
    proxy.next(_AWAY, method="PUT", times=_ALWAYS)
    go(product, "sending", "y" * 30_000)
    until(
        lambda: log_has(product, "a run cannot go on, and is tried again"),
        what="a vain try",
        seconds=90,
    )
    proxy.forget()
    assert output(product, "sending")["twice"] == 2
    for event in await history(product, "sending"):
        assert all(len(payload.data) <= _LIMIT for payload in payloads_of(event))


def test_a_store_that_has_no_room_keeps_the_result_of_what_was_done(
    product: Product, proxy: Proxy
) -> None:
    """The node's work is done once; its result waits for room."""
    flow = """\
flow: patient
input: {required: [text], properties: {text: {type: string}}}
nodes:
  hold: {type: event, next: make}
  make:
    type: log
    params: {message: made, data: ["${input.text}", "${nodes.hold.output}"], level: info}
output: ${len(nodes.make.output.data)}
"""
    start(product, "room", flow)
    proxy.next(refuse(507, "InsufficientStorage"), method="PUT", times=_ALWAYS)
    go(product, "room")
    until(lambda: log_has(product, "store away, trying again"), what="a try", seconds=90)
    proxy.forget()
    assert output(product, "room") == 2
    assert product.workers[0].output().count('"event": "made"') == 1


def test_bytes_that_are_damaged_on_the_way_are_asked_for_again(
    product: Product, proxy: Proxy
) -> None:
    start(product, "hurt")
    proxy.next(damage, method="GET")
    go(product, "hurt")
    assert output(product, "hurt")["message"] == "200000"


def test_bytes_that_stay_damaged_fail_the_node_by_name(product: Product, proxy: Proxy) -> None:
    start(product, "broken")
    proxy.next(damage, method="GET", times=_ALWAYS)
    go(product, "broken")
    until(lambda: log_has(product, "BlobDamaged"), what="the failure", seconds=60)
    proxy.forget()
    assert output(product, "broken")["error"] == "BlobDamaged"


def test_a_store_that_answers_slowly_is_waited_for(product: Product, proxy: Proxy) -> None:
    start(product, "slow")
    proxy.next(hang, method="GET", times=1)
    go(product, "slow")
    assert output(product, "slow")["message"] == "200000"


def test_nothing_is_started_while_the_store_is_away(product: Product, proxy: Proxy) -> None:
    product.write_flow("patient", FLOW)
    given = product.folder / "input.json"
    given.write_text(json.dumps({"text": "x" * 200_000}))
    proxy.next(_AWAY, times=_ALWAYS)
    done = product.cli(
        "run", "patient", "--id", "unstarted", "--detach", "--input", f"@{given}", seconds=90
    )
    proxy.forget()
    assert done.returncode == 3
    assert "bucket" in done.stderr
    assert "Traceback" not in done.stderr
    assert product.cli("status", "unstarted").returncode != 0
