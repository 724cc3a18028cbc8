"""A real run becomes a test that passes at once: every example, and the command."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from temporalio.client import (
    Client,
    WorkflowFailureError,
    WorkflowHandle,
    WorkflowUpdateFailedError,
)

import worker
import worker_settings
from examples.llm_service import play_model
from examples.service import HttpService, play
from service.cli.composition import Composition
from service.cli.flow_files import yaml_in
from service.cli.recording import as_test, read_run
from service.errors import InputWrong
from tests.flow_tests import try_all
from tests.server.support import ROOT, Product, TemporalServer, status_of

EXAMPLES = ROOT / "examples"
FLOWS = {path.stem: path.read_text(encoding="utf-8") for path in yaml_in(EXAMPLES)}
COMPOSITION = Composition(
    catalogue=worker.catalogue,
    settings=worker_settings.worker_settings,
    serve=worker.serve,
    supervise=worker.supervise,
    performs=worker.performs,
)


@pytest.fixture(scope="module")
def runner(
    temporal_server: TemporalServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Product]:
    """A worker that knows the examples, and puts all but the smallest values into the store."""
    product = Product(
        address=temporal_server.address,
        folder=tmp_path_factory.mktemp("recorded"),
        settings={"FLOWS_DIR": str(EXAMPLES), "CLAIM_CHECK_THRESHOLD": "100"},
    )
    try:
        product.start_worker()
        yield product
    finally:
        product.stop()


@pytest.mark.parametrize("name", FLOWS)
async def test_a_run_of_an_example_is_a_test_that_passes(
    name: str, runner: Product, http_service: HttpService
) -> None:
    client = await runner.client()
    await _run(client, name, runner.task_queue, http_service)
    recorded = await read_run(client, f"recorded-{name}")
    if name == "large-report":
        with pytest.raises(InputWrong, match="more than a test file holds"):
            await asyncio.to_thread(as_test, recorded, COMPOSITION)
        return
    text = await asyncio.to_thread(as_test, recorded, COMPOSITION)
    others = [text for other, text in FLOWS.items() if other != name]
    (tried,) = await asyncio.to_thread(try_all, FLOWS[name], text, *others)
    told = [f"{each.where}: {each.expected} {each.found}" for each in tried.differences]
    assert tried.passed, "\n".join([tried.mistake or "", *told, text])


async def _run(client: Client, name: str, queue: str, http_service: HttpService) -> None:
    folder = EXAMPLES / name
    given = json.loads((folder / "input.json").read_text(encoding="utf-8"))
    if (folder / "service.yaml").exists():
        play(http_service, folder / "service.yaml")
    if (folder / "model.yaml").exists():
        play_model(http_service, folder / "model.yaml")
    if "service" in given:
        given["service"] = http_service.url
    run = await client.start_workflow(name, given, id=f"recorded-{name}", task_queue=queue)
    answers = folder / "answers.yaml"
    for word in yaml.safe_load(answers.read_text(encoding="utf-8")) if answers.exists() else []:
        await _say(run, word)
    with contextlib.suppress(WorkflowFailureError):
        await run.result()


async def _say(run: WorkflowHandle[Any, Any], word: dict[str, Any]) -> None:
    if "approve" in word:
        decision = {"node": word["approve"], **{k: v for k, v in word.items() if k != "approve"}}
        while True:
            try:
                await run.execute_update("complete", decision)
                return
            except WorkflowUpdateFailedError:
                await asyncio.sleep(0.05)
    while not any(_has_succeeded(node, word["after"]) for node in await _nodes(run)):
        await asyncio.sleep(0.05)
    await run.signal(word["signal"], word.get("data"))


async def _nodes(run: WorkflowHandle[Any, Any]) -> list[dict[str, Any]]:
    status = await status_of(run)
    return list(status["nodes"])


def _has_succeeded(node: dict[str, Any], name: str) -> bool:
    return bool(node["path"].partition("#")[0] == name and node["state"] == "success")


def test_the_command_writes_the_test_and_tries_it(product: Product) -> None:
    flow = """\
flow: recorded-by-command
input: {required: [name], properties: {name: {type: string}}}
nodes:
  ask: {type: event, params: {name: ready}, timeout: 1h, next: hello}
  hello: {type: log, params: {message: "${input.name} ${nodes.ask.output.of}"}}
output: ${nodes.hello.output.message}
"""
    product.write_flow("recorded-by-command", flow)
    started = product.cli(
        "start", "recorded-by-command", "--id", "to-record", "--set", "name=${Ada}"
    )
    assert started.returncode == 0, started.stderr
    early = product.cli("test", "--record", "to-record")
    assert early.returncode == 2
    assert "only one that has ended by itself makes a test" in early.stderr
    product.cli("signal", "to-record", "ready", "--data", '{"of": "Austria"}')
    assert product.cli("result", "to-record").returncode == 0
    done = product.cli("test", "--record", "to-record")
    assert done.returncode == 0, done.stdout + done.stderr
    written = product.flows_dir / "to-record.test.yaml"
    assert f"written to {written}" in done.stderr
    assert "1 passed" in done.stdout
    case = yaml.safe_load(written.read_text())["cases"][0]
    assert case["expect"]["output"] == "${Ada} Austria"
    assert case["expect"]["path"] == ["ask", "hello"]
    again = product.cli("test", "--record", "to-record")
    assert again.returncode == 2
    assert "is there already" in again.stderr
