"""Every example, started by the command, answered as its folder says, ends as its folder says."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import yaml

from examples.llm_service import play_model
from examples.service import HttpService, play
from service.cli.flow_files import is_test_file
from tests.server.support import ROOT, Product, TemporalServer, until

EXAMPLES = ROOT / "examples"
NAMES = sorted(path.stem for path in EXAMPLES.glob("*.yaml") if not is_test_file(path))


_WAYS = {
    "shipped": {},
    "bare": {"CLAIM_CHECK_THRESHOLD": "1", "FLOWRUNNER_MAX_CACHED_WORKFLOWS": "0"},
}


@pytest.fixture(scope="module", params=_WAYS)
def runner(
    request: pytest.FixtureRequest,
    temporal_server: TemporalServer,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Product]:
    """A worker that knows the examples by name: as shipped; and with every value in the store and
    no run in memory, so that each step is replayed from the beginning."""
    product = Product(
        address=temporal_server.address,
        folder=tmp_path_factory.mktemp("examples"),
        settings={"FLOWS_DIR": str(EXAMPLES), **_WAYS[request.param]},
    )
    try:
        product.start_worker()
        yield product
    finally:
        product.stop()


@pytest.mark.parametrize("name", NAMES)
def test_example(
    name: str, runner: Product, http_service: HttpService, request: pytest.FixtureRequest
) -> None:
    folder = EXAMPLES / name
    expected = _read(folder / "expected.json")
    arguments = ["--input", f"@{folder / 'input.json'}"]
    if (folder / "service.yaml").exists():
        play(http_service, folder / "service.yaml")
    if (folder / "model.yaml").exists():
        play_model(http_service, folder / "model.yaml")
    if "service" in _read(folder / "input.json"):
        arguments += ["--set", f"service={http_service.url}"]
    run_id = f"example-{request.node.callspec.id}"
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(runner.cli, "run", name, "--id", run_id, "--json", *arguments)
        _give_answers(runner, run_id, folder / "answers.yaml")
        done = running.result()
    assert done.returncode == (0 if expected["status"] == "completed" else 1), done.stderr
    result = json.loads(done.stdout)
    assert result["status"] == expected["status"]
    assert result["output"] == expected.get("output")
    if "error" in expected:
        assert expected["error"].items() <= result["error"].items()
    if "requests" in expected:
        assert http_service.asked == expected["requests"]


def _give_answers(runner: Product, run_id: str, script: Path) -> None:
    answered: list[str] = []
    for answer in yaml.safe_load(script.read_text(encoding="utf-8")) if script.exists() else []:
        data = ["--data", json.dumps(answer["data"])] if "data" in answer else []
        if "approve" in answer:
            node = answer["approve"]
            until(partial(_asks, runner, run_id, node, answered), what=f"a question of {node!r}")
            by = ["--by", answer["by"]] if "by" in answer else []
            command = ["approve", run_id, node, "--action", answer["action"], *data, *by]
        else:
            node = answer["after"]
            until(partial(_has_ended, runner, run_id, node), what=f"the end of {node!r}")
            command = ["signal", run_id, answer["signal"], *data]
        done = runner.cli(*command)
        assert done.returncode == 0, done.stderr


def _asks(runner: Product, run_id: str, node: str, answered: list[str]) -> bool:
    """Whether a question of that node is open that was not answered before."""
    waiting = _status(runner, run_id).get("waiting", [])
    paths = [each["path"] for each in waiting if each["path"].partition("#")[0] == node]
    new = [path for path in paths if path not in answered]
    answered.extend(new)
    return bool(new)


def _has_ended(runner: Product, run_id: str, node: str) -> bool:
    nodes = _status(runner, run_id).get("nodes", [])
    return any(
        each["path"].partition("#")[0] == node and each["state"] == "success" for each in nodes
    )


def _status(runner: Product, run_id: str) -> dict[str, Any]:
    done = runner.cli("status", run_id, "--json")
    status: dict[str, Any] = json.loads(done.stdout) if done.returncode == 0 else {}
    return status


def _read(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))
