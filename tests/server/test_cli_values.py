"""The command on runs whose values are in the store, or encrypted."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from claimcheck.keyring import new_key
from tests.server.support import Product, TemporalServer, until

GROWN = """\
flow: grown
input: {required: [width], properties: {width: {type: integer}}}
nodes:
  grow:
    type: log
    title: Grow it
    execution: remote
    params: {message: Growing, level: debug, data: {text: "${pad_right('', input.width, 'x')}"}}
output: ${nodes.grow.output.data}
"""

TOLD = """\
flow: told
nodes:
  heard: {type: event, params: {name: heard}, next: decide}
  decide: {type: approval, params: {title: Well?, form: {properties: {why: {type: string}}}}}
output: {heard: "${nodes.heard.output.text}", why: "${nodes.decide.output.form.why}"}
"""

BROKEN = """\
flow: broken_largely
input: {required: [width], properties: {width: {type: integer}}}
nodes:
  grow:
    type: log
    execution: remote
    params: {message: Growing, level: debug, data: "${pad_right('', input.width, 'x')}"}
    next: cry
  cry:
    type: fail
    params: {type: Cried, message: it cried, details: {text: "${nodes.grow.output.data}"}}
"""

WAITS = """\
flow: waits_long
nodes: {ready: {type: event, params: {name: ready}}}
output: done
"""

FLOWS = {"grown": GROWN, "told": TOLD, "broken_largely": BROKEN, "waits_long": WAITS}

KEY = new_key("mine")


def _product(server: TemporalServer, folder: Path, **settings: str) -> Iterator[Product]:
    product = Product(address=server.address, folder=folder, settings=settings)
    for name, text in FLOWS.items():
        product.write_flow(name, text)
    try:
        product.start_worker()
        yield product
    finally:
        product.stop()


@pytest.fixture(scope="module")
def open_product(
    temporal_server: TemporalServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Product]:
    yield from _product(temporal_server, tmp_path_factory.mktemp("open"))


@pytest.fixture(scope="module")
def sealed_product(
    temporal_server: TemporalServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Product]:
    """One whose worker and commands encrypt everything."""
    yield from _product(temporal_server, tmp_path_factory.mktemp("sealed"), CLAIM_CHECK_KEYS=KEY)


@pytest.fixture(params=["plain", "encrypted"])
def either(request: pytest.FixtureRequest) -> tuple[Product, str]:
    """A product, and what to begin ids with."""
    name = "open_product" if request.param == "plain" else "sealed_product"
    return request.getfixturevalue(name), request.param


def _file(product: Product, value: Any) -> str:
    path = product.folder / "given.json"
    path.write_text(json.dumps(value), encoding="utf-8")
    return f"@{path}"


def _grown(product: Product, run: str, width: int) -> None:
    done = product.cli("run", "grown", "--id", run, "--set", f"width={width}", "--output", "x.json")
    assert done.returncode == 0, done.stderr


def _with(product: Product, **settings: str) -> Product:
    """The same, whose commands have other settings than its worker."""
    return replace(product, settings={**product.settings, **settings})


def _without_store(product: Product) -> Product:
    """The same, whose commands cannot come near the store."""
    path = product.folder / "no-folder"
    path.write_text("", encoding="utf-8")
    return _with(product, BLOB_STORAGE_PATH=str(path))


# -- logs and status -----------------------------------------------------------------------------


def test_logs_show_what_is_in_the_store_by_its_size_and_fetch_nothing(
    either: tuple[Product, str],
) -> None:
    product, way = either
    run = f"values-logs-{way}"
    _grown(product, run, 1_000_000)
    storeless = _without_store(product)
    done = storeless.cli("logs", run)
    assert done.returncode == 0, done.stderr
    assert re.search(r"grow +succeeded +Grow it  log  .*  976\.6 KB\n", done.stdout)
    assert re.search(r"run completed +976\.6 KB\n", done.stdout)
    lines = storeless.cli("logs", run, "--json").stdout.splitlines()
    sizes = {entry["kind"]: entry["bytes"] for entry in map(json.loads, lines)}
    assert 1_000_000 < sizes["node.succeeded"] < 1_001_000
    assert 1_000_000 < sizes["run.completed"] < 1_001_000


def test_large_events_are_sent_and_shown_and_decisions_are_given(
    either: tuple[Product, str],
) -> None:
    product, way = either
    run = f"values-told-{way}"
    text = "y" * 200_000
    assert product.cli("start", "told", "--id", run).returncode == 0
    done = product.cli("signal", run, "heard", "--data", _file(product, {"text": text}))
    assert done.returncode == 0, done.stderr

    def waits() -> bool:
        waiting = product.cli_json("status", run, "--json")["waiting"]
        return bool(waiting) and waiting[0]["path"] == "decide"

    until(waits, what="the approval")
    done = product.cli("approve", run, "--data", _file(product, {"why": "z" * 60_000}))
    assert done.returncode == 2
    assert "the decision measures 58.7 KB, and at most 50.0 KB are possible" in done.stderr
    assert "CLAIM_CHECK_THRESHOLD" in done.stderr
    done = product.cli("approve", run, "--set", "why=because", "--by", "ann")
    assert done.returncode == 0, done.stderr
    told = product.cli_json("result", run, "--json")
    assert told["output"] == {"heard": text, "why": "because"}
    logs = product.cli("logs", run).stdout
    assert re.search(r'signal +heard  "<195\.3 KB in the store>"', logs)
    assert re.search(r'decide +decision .*"why": "because".*"by": "ann"', logs)


def test_decisions_can_be_given_where_even_small_values_are_in_the_store(
    open_product: Product,
) -> None:
    small = _with(open_product, CLAIM_CHECK_THRESHOLD="1")
    assert small.cli("start", "told", "--id", "values-small").returncode == 0
    done = small.cli("signal", "values-small", "heard", "--set", "text=hello")
    assert done.returncode == 0, done.stderr

    def accepted() -> bool:
        return small.cli("approve", "values-small").returncode == 0

    until(accepted, what="the decision to be accepted")
    told = small.cli_json("result", "values-small", "--json")
    assert told["status"] == "failed"  # no reason was given, which the output asks for
    assert "why" in told["error"]["message"]


def test_without_the_key_it_is_said_which_one_is_missing(sealed_product: Product) -> None:
    run = "values-keyless"
    _grown(sealed_product, run, 100)
    done = sealed_product.cli("logs", run, CLAIM_CHECK_KEYS="")
    assert done.returncode == 0, done.stderr
    assert "Grow it" not in done.stdout
    assert re.search(r"grow +succeeded +log ", done.stdout)
    done = sealed_product.cli("status", run, CLAIM_CHECK_KEYS=new_key("other"))
    assert done.returncode == 0, done.stderr
    assert "the key 'mine', which is not in the key ring (other)" in done.stderr
    assert "✔ grow  success" in done.stdout
    done = sealed_product.cli("result", run, CLAIM_CHECK_KEYS="")
    assert done.returncode == 2
    assert done.stdout == ""
    assert "completed, but its output cannot be read" in done.stderr
    assert "the key 'mine', but there are no keys here" in done.stderr


def test_status_says_why_a_worker_cannot_go_on(sealed_product: Product) -> None:
    run = "values-stuck"
    newer = _with(sealed_product, CLAIM_CHECK_KEYS=f"{new_key('newer')},{KEY}")
    assert newer.cli("run", "grown", "--id", run, "--set", "width=1", "--detach").returncode == 0
    until(lambda: "worker could not" in newer.cli("logs", run).stdout, what="the worker's try")
    why = "the key 'newer', which is not in the key ring (mine): add it to CLAIM_CHECK_KEYS"
    told = newer.cli_json("status", run, "--json")
    assert (told["source"], told["status"]) == ("history", "running")
    assert told["trouble"].startswith("the worker cannot go on with this run and will try again")
    assert why in told["trouble"]
    done = newer.cli("status", run)
    assert told["trouble"] in done.stderr
    assert "no worker" not in done.stderr
    assert f"`flowrunner status {run}` says what keeps it" in newer.cli("approve", run).stderr
    log = sealed_product.workers[0].output()
    assert "a run cannot go on, and is tried again" in log
    assert "Traceback" not in log
    assert "Failing workflow task" not in log


def test_a_run_whose_answers_cannot_be_read_is_followed_to_its_end(
    sealed_product: Product,
) -> None:
    keyless = _with(sealed_product, CLAIM_CHECK_KEYS="")
    following = keyless.start_cli("run", "waits_long", "--id", "values-blind")
    words = "how the run stands is not to be seen: this was encrypted with the key 'mine'"
    until(lambda: words in following.output(), what="a word about the key")
    assert keyless.cli("signal", "values-blind", "ready").returncode == 0
    until(lambda: following.exit_code is not None, what="the end")
    assert following.exit_code == 2
    assert "values-blind completed, but its output cannot be read" in following.output()
    assert "Traceback" not in following.output()


# -- outputs that cannot be had ------------------------------------------------------------------


def test_a_run_whose_output_cannot_be_fetched_is_told_to_have_completed(
    either: tuple[Product, str],
) -> None:
    product, way = either
    run = f"values-away-{way}"
    given = ["run", "grown", "--id", run, "--set", "width=200000"]
    done = _without_store(product).cli(*given)
    assert done.returncode == 3
    assert done.stdout == ""
    assert f"{run} completed, but its output cannot be read: " in done.stderr
    assert f"Get it later with: flowrunner result {run}" in done.stderr
    assert "Traceback" not in done.stderr
    done = _without_store(product).cli("result", run, "--json")
    assert done.returncode == 3
    told = json.loads(done.stdout)
    assert (told["status"], told["output"]) == ("completed", None)
    assert told["error"]["type"] == "StoreFailed"
    assert len(product.cli_json("result", run)["text"]) == 200_000


def test_an_input_that_cannot_be_stored_starts_nothing(open_product: Product) -> None:
    given = ["--input", _file(open_product, {"width": 1, "more": "m" * 100_000})]
    storeless = _without_store(open_product)
    done = storeless.cli("run", "grown", "--id", "values-unstored", *given, "--json")
    assert done.returncode == 3
    told = json.loads(done.stdout)
    assert (told["status"], told["error"]["type"]) == ("not_started", "StoreFailed")
    assert open_product.cli("status", "values-unstored").returncode == 2


@pytest.mark.parametrize("harm", ["lost", "damaged"])
def test_a_value_that_is_gone_ends_with_1_and_no_stack_trace(
    open_product: Product, harm: str
) -> None:
    run = f"values-{harm}"
    before = set(_blobs(open_product))
    _grown(open_product, run, 300_000 + len(harm))
    for blob in set(_blobs(open_product)) - before:
        blob.unlink() if harm == "lost" else blob.write_bytes(b"x" * blob.stat().st_size)
    done = open_product.cli("result", run)
    assert done.returncode == 1
    assert done.stdout == ""
    assert f"{run} completed, but its output cannot be read: " in done.stderr
    assert f"See what happened with: flowrunner logs {run}" in done.stderr
    assert "Traceback" not in done.stderr


def _blobs(product: Product) -> list[Path]:
    return [path for path in product.blobs.rglob("*") if path.is_file()]


def test_a_failed_run_is_told_even_if_its_details_cannot_be_fetched(
    either: tuple[Product, str],
) -> None:
    product, way = either
    run = f"values-broken-{way}"
    given = ["run", "broken_largely", "--id", run, "--set", "width=200000", "--json"]
    done = _without_store(product).cli(*given)
    assert done.returncode == 1
    told = json.loads(done.stdout)
    assert told["status"] == "failed"
    assert (told["error"]["type"], told["error"]["node"]) == ("Cried", "cry")
    assert told["error"]["details"] == {"text": "<195.3 KB in the store>"}
    found = product.cli_json("result", run, "--json")
    assert found["error"]["details"] == {"text": "x" * 200_000}


# -- files and time ------------------------------------------------------------------------------


def test_the_output_goes_to_a_file_alone(open_product: Product) -> None:
    path = open_product.folder / "out.json"
    given = ["grown", "--set", "width=70000", "--output", str(path)]
    done = open_product.cli("run", *given, "--id", "values-file")
    assert (done.returncode, done.stdout) == (0, "")
    assert json.loads(path.read_text(encoding="utf-8")) == {"text": "x" * 70_000}
    path.write_text("old", encoding="utf-8")
    done = open_product.cli("run", "broken_largely", "--set", "width=1", "--output", str(path))
    assert done.returncode == 1
    assert path.read_text(encoding="utf-8") == "old"
    done = open_product.cli("result", "values-file", "--output", str(path))
    assert (done.returncode, done.stdout) == (0, "")
    assert path.read_text(encoding="utf-8").startswith('{\n  "text": "xxx')


def test_an_output_that_can_never_be_written_starts_nothing(open_product: Product) -> None:
    given = ["--output", "nowhere/out.json", "--id", "values-nowhere"]
    done = open_product.cli("run", "waits_long", *given)
    assert done.returncode == 2
    assert "--output: there is no folder 'nowhere'" in done.stderr
    assert open_product.cli("status", "values-nowhere").returncode == 2


def test_waiting_ends_with_its_time_and_the_run_goes_on(open_product: Product) -> None:
    run = "values-timeout"
    done = open_product.cli("run", "waits_long", "--id", run, "--timeout", "1s")
    assert done.returncode == 124
    assert done.stdout == ""
    assert f"{run} goes on without being followed" in done.stderr
    done = open_product.cli("result", run, "--timeout", "100ms", "--json")
    assert done.returncode == 124
    assert json.loads(done.stdout)["status"] == "running"
    assert open_product.cli("signal", run, "ready").returncode == 0
    assert open_product.cli_json("result", run, "--timeout", "50s") == "done"


def test_a_run_that_no_worker_takes_up_is_waited_for_no_longer_than_asked(
    open_product: Product,
) -> None:
    done = open_product.cli(
        *("run", "grown", "--set", "width=1", "--id", "values-alone", "--timeout", "5s"),
        FLOWRUNNER_TASK_QUEUE="nobody-here",
    )
    assert done.returncode == 124
    assert "none polls the task queue 'nobody-here'" in done.stderr
    open_product.temporal("workflow", "terminate", "-w", "values-alone")


# -- what scripts are promised -------------------------------------------------------------------


def test_a_run_that_is_not_there_is_an_object_too(open_product: Product) -> None:
    done = open_product.cli("result", "values-nothing", "--json")
    assert done.returncode == 2
    told = json.loads(done.stdout)
    assert (told["status"], told["workflow_id"]) == ("not_started", None)
    assert told["error"]["type"] == "RunNotFound"


def test_a_server_that_is_away_is_an_object_too(open_product: Product) -> None:
    done = open_product.cli("result", "x", "--json", TEMPORAL_ADDRESS="127.0.0.1:1")
    assert done.returncode == 3
    told = json.loads(done.stdout)
    assert (told["status"], told["workflow_id"]) == ("unknown", "x")
    assert told["error"]["type"] == "TemporalUnreachable"
