"""Large values on the shipped product: where they go, what history holds, what comes back."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from temporalio.api.common.v1 import Payload
from temporalio.api.history.v1 import HistoryEvent

from claimcheck.envelope import unwrap
from claimcheck.keyring import new_key
from tests.payloads import payloads_of
from tests.s3 import S3Server
from tests.server.conftest import MakeProduct
from tests.server.support import Product, until

_MEGABYTES_5 = 5_000_000

PASSING = """\
flow: passing
input: {required: [text], properties: {text: {type: string}}}
nodes:
  first:
    type: log
    params: {message: one, level: debug, data: {status: 200, text: "${input.text}"}}
    next: second
  second:
    type: log
    execution: remote
    params:
      message: ${len(nodes.first.output.data.text)}
      level: debug
      data: ${nodes.first.output.data}
output: {status: "${nodes.second.output.data.status}", text: "${nodes.second.output.data.text}"}
"""

S3Product = Callable[..., Product]


@pytest.fixture
def s3_product(make_product: MakeProduct, s3_server: S3Server) -> S3Product:
    def make(**settings: str) -> Product:
        return make_product(
            BLOB_STORAGE_TYPE="s3",
            BLOB_STORAGE_BUCKET=s3_server.make_bucket(),
            BLOB_STORAGE_ENDPOINT=s3_server.endpoint,
            BLOB_STORAGE_REGION=s3_server.region,
            BLOB_STORAGE_ACCESS_KEY_ID=s3_server.credentials.access_key_id,
            BLOB_STORAGE_SECRET_ACCESS_KEY=s3_server.credentials.secret_access_key,
            **settings,
        )

    return make


@pytest.fixture(params=["filesystem", "s3"])
def either(request: pytest.FixtureRequest) -> Product:
    """The product with one store, and with the other."""
    if request.param == "s3":
        made: S3Product = request.getfixturevalue("s3_product")
        return made()
    make: MakeProduct = request.getfixturevalue("make_product")
    return make(BLOB_STORAGE_TYPE="filesystem")


def input_file(product: Product, value: Any) -> str:
    path = product.folder / "input.json"
    path.write_text(json.dumps(value))
    return f"@{path}"


def run(product: Product, flow: str, value: Any, *, id: str) -> Any:
    product.write_flow(flow.split()[1], flow)
    given = ["--input", input_file(product, value)] if value is not None else []
    return product.cli_json("run", flow.split()[1], "--id", id, "--json", *given)


async def history(product: Product, id: str) -> list[HistoryEvent]:
    client = await product.plain_client()
    return list((await client.get_workflow_handle(id).fetch_history()).events)


def in_store(payloads: Iterator[Payload]) -> list[Payload]:
    return [each for each in payloads if each.metadata.get("encoding") == b"json/claim"]


async def test_a_large_value_goes_to_the_store_and_comes_back_whole(either: Product) -> None:
    either.start_worker()
    text = "äöü" * (_MEGABYTES_5 // 3)
    ended = run(either, PASSING, {"text": text}, id=f"passing-{either.task_queue}")
    assert ended["status"] == "completed"
    assert ended["output"] == {"status": 200, "text": text}

    events = await history(either, ended["workflow_id"])
    assert sum(event.ByteSize() for event in events) < 20_000
    references = [p for event in events for p in in_store(payloads_of(event))]
    assert any(p.external_payloads[0].size_bytes > _MEGABYTES_5 for p in references)
    assert either.cli_json("result", ended["workflow_id"], "--json")["output"]["text"] == text


def test_a_blob_is_a_file_of_the_users_data_folder_by_itself(
    make_product: MakeProduct, tmp_path: Path
) -> None:
    product = make_product(
        BLOB_STORAGE_TYPE="filesystem", BLOB_STORAGE_PATH="", XDG_DATA_HOME=str(tmp_path / "data")
    )
    product.start_worker()
    run(product, PASSING, {"text": "x" * 100_000}, id="by-itself")
    folder = tmp_path / "data" / "flowrunner" / "blobs" / "v1" / "default" / "by-itself"
    blob = max(folder.iterdir(), key=lambda path: path.stat().st_size)
    assert oct(blob.stat().st_mode & 0o777) == "0o600"
    opened = [
        unwrap(path.read_bytes(), context="v1/default/by-itself", keys=None, limit=200_000)
        for path in folder.iterdir()
        if path.is_file()
    ]
    assert any(b"x" * 100_000 in data for data in opened)


def test_small_values_stay_inline(make_product: MakeProduct) -> None:
    product = make_product()
    product.start_worker()
    assert run(product, PASSING, {"text": "small"}, id="small")["status"] == "completed"
    assert not product.blobs.exists() or not list(product.blobs.rglob("small"))


def test_no_value_is_read_by_workflow_code_or_replay(make_product: MakeProduct) -> None:
    """What is handed on whole is never read, however often the run is replayed."""
    flow = """\
flow: handing
input: {required: [text], properties: {text: {type: string}}}
nodes:
  hold: {type: event, next: keep}
  keep: {type: set, params: {kept: "${input.text}"}, next: again}
  again: {type: event}
vars: {kept: null}
output: ${vars.kept}
"""
    product = make_product(FLOWRUNNER_MAX_CACHED_WORKFLOWS="0")
    worker = product.start_worker()
    product.write_flow("handing", flow)
    given = input_file(product, {"text": "x" * 200_000})
    product.cli("run", "handing", "--id", "handing", "--detach", "--input", given)
    until(lambda: bool(waiting(product, "handing")), what="the first wait")
    blobs = [path for path in product.blobs.rglob("*") if path.is_file()]
    assert blobs
    for path in blobs:
        os.rename(path, path.with_suffix(".away"))
    product.cli("signal", "handing", "hold")
    until(lambda: waiting(product, "handing") == ["again"], what="the second wait")
    for path in blobs:
        os.rename(path.with_suffix(".away"), path)
    product.cli("signal", "handing", "again")
    until(partial(ended_well, product, "handing"), what="the end")
    assert worker.exit_code is None


def waiting(product: Product, id: str) -> list[str]:
    done = product.cli("status", id, "--json")
    if done.returncode:
        return []
    return [str(each["path"]) for each in json.loads(done.stdout)["waiting"]]


def status_of(product: Product, id: str) -> str:
    done = product.cli("status", id, "--json")
    return str(json.loads(done.stdout)["status"]) if done.returncode == 0 else ""


def ended_well(product: Product, id: str) -> bool:
    return status_of(product, id) == "completed"


# -- encryption ----------------------------------------------------------------------------------

MARK = "a text that nobody else may read"


def ring(*ids: str) -> str:
    return ",".join(_KEYS.setdefault(id, new_key(id)) for id in ids)


_KEYS: dict[str, str] = {}


async def test_with_keys_neither_history_nor_store_can_be_read(make_product: MakeProduct) -> None:
    product = make_product(CLAIM_CHECK_KEYS=ring("k1"))
    product.start_worker()
    value = {"text": MARK * 5_000}
    ended = run(product, PASSING, value, id="sealed")
    assert ended["output"]["text"] == value["text"]
    small = run(product, PASSING, {"text": MARK}, id="sealed-small")
    assert small["output"]["text"] == MARK
    for id in ("sealed", "sealed-small"):
        for event in await history(product, id):
            assert MARK.encode() not in event.SerializeToString()
    for path in (path for path in product.blobs.rglob("*") if path.is_file()):
        assert MARK.encode() not in path.read_bytes()


async def test_with_keys_the_texts_of_errors_cannot_be_read_either(
    make_product: MakeProduct,
) -> None:
    flow = f"""\
flow: telling
nodes:
  bad:
    type: http.request
    params: {{url: "http://127.0.0.1:1/{MARK.replace(" ", "-")}"}}
"""
    product = make_product(CLAIM_CHECK_KEYS=ring("k1"))
    product.start_worker()
    ended = run(product, flow, None, id="telling")
    assert MARK.replace(" ", "-") in ended["error"]["message"]
    for event in await history(product, "telling"):
        assert MARK.replace(" ", "-").encode() not in event.SerializeToString()
    keyless = product.cli_json("result", "telling", "--json", CLAIM_CHECK_KEYS="")
    assert keyless["status"] == "failed"
    assert keyless["error"]["type"] == "KeyMissing"
    assert keyless["error"]["message"].startswith("why it ended so cannot be read: ")


async def test_keys_are_rotated_while_a_run_is_under_way(make_product: MakeProduct) -> None:
    flow = PASSING.replace("flow: passing", "flow: rotating").replace(
        "next: second", "next: hold\n  hold: {type: event, next: second}"
    )
    product = make_product()
    product.write_flow("rotating", flow)
    text = MARK * 5_000

    def through(keys: str, *arguments: str) -> None:
        assert product.cli(*arguments, CLAIM_CHECK_KEYS=keys).returncode == 0

    worker = product.start_worker()  # nothing is encrypted yet
    given = input_file(product, {"text": text})
    through("", "run", "rotating", "--id", "rotating", "--detach", "--input", given)
    until(lambda: waiting(product, "rotating") == ["hold"], what="the wait")
    worker.stop()
    worker = product.start_worker(CLAIM_CHECK_KEYS=ring("k1"))
    through(ring("k1"), "pause", "rotating")
    worker.stop()
    product.start_worker(CLAIM_CHECK_KEYS=ring("k2", "k1"))
    through(ring("k2", "k1"), "resume", "rotating")
    through(ring("k2", "k1"), "signal", "rotating", "hold")
    until(
        lambda: (
            product.cli("result", "rotating", CLAIM_CHECK_KEYS=ring("k2", "k1")).returncode == 0
        ),
        what="the result",
    )
    result = product.cli_json("result", "rotating", "--json", CLAIM_CHECK_KEYS=ring("k2", "k1"))
    assert result["output"]["text"] == text
    keyless = product.cli("result", "rotating")
    assert keyless.returncode != 0
    assert "CLAIM_CHECK_KEYS" in keyless.stderr
    assert "Traceback" not in keyless.stderr


# -- the store is at fault -----------------------------------------------------------------------

LATER = """\
flow: later
input: {required: [text], properties: {text: {type: string}}}
nodes:
  hold: {type: event, next: use}
  use: {type: log, params: {message: "${len(input.text)}", level: debug}, next: {failure: tell}}
  tell: {type: noop}
output: "${default(nodes.use.error.type, 'none')}"
"""


def start_later(product: Product) -> list[Path]:
    """A run that is about to use its large input; returns the files of its blobs."""
    product.start_worker()
    product.write_flow("later", LATER)
    given = input_file(product, {"text": "x" * 200_000})
    done = product.cli(
        "run", "later", "--id", f"later-{product.task_queue}", "--detach", "--input", given
    )
    assert done.returncode == 0, done.stderr
    until(lambda: bool(waiting(product, f"later-{product.task_queue}")), what="the wait")
    product.cli("signal", f"later-{product.task_queue}", "nothing")
    return [path for path in product.blobs.rglob("*") if path.is_file()]


def end_of(product: Product) -> Any:
    id = f"later-{product.task_queue}"
    assert product.cli("signal", id, "hold").returncode == 0
    until(partial(ended_well, product, id), what="the end of the run", seconds=60)
    return product.cli_json("result", id, "--json")["output"]


def test_a_value_that_is_lost_fails_its_node_by_name(make_product: MakeProduct) -> None:
    product = make_product(CLAIM_CHECK_CACHE="0")
    for path in start_later(product):
        path.unlink()
    assert end_of(product) == "BlobMissing"


def test_a_value_that_is_damaged_fails_its_node_by_name(make_product: MakeProduct) -> None:
    product = make_product(CLAIM_CHECK_CACHE="0")
    for path in start_later(product):
        path.chmod(0o600)
        path.write_bytes(path.read_bytes()[:-1] + b"!")
    assert end_of(product) == "BlobDamaged"
