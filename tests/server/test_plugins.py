"""Plug-ins in the shipped worker and command: packages that are installed beside Flowrunner."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.plugins import CALENDAR, install, install_calendar
from tests.server.support import ROOT, Product, TemporalServer

FLOW = CALENDAR / "invite-to-review.yaml"
BROKEN = {
    "broken-import": "import not_there_at_all",
    "broken-nonsense": 'NODE_TYPES = ["nonsense", made("good.one")]',
    "broken-name": 'NODE_TYPES = [made("Bad Name"), made("good.two")]',
    "broken-example": 'NODE_TYPES = [made("example.missing", example="")]',
    "clash-built-in": 'NODE_TYPES = [made("http.request"), made("good.three")]',
    "clash-one": 'NODE_TYPES = [made("clash.same"), made("good.four")]',
    "clash-two": 'NODE_TYPES = [made("clash.same")]',
}
GOOD = ["good.one", "good.two", "good.three", "good.four"]
TOLD = {
    "broken-import": "it cannot be imported: ModuleNotFoundError: No module named 'not_there",
    "broken-nonsense": "number 1 of them: it is a value of type str, not what `declare` returns",
    "broken-name": "number 1 of them: 'Bad Name' is no name for a plug-in's node type",
    "broken-example": "number 1 of them: it has no example",
    "clash-built-in": "Flowrunner has a node type of that name itself",
    "clash-one": "clash-two 1.0 (entry point main = 'clash_two:NODE_TYPES') has that name too",
    "clash-two": "clash-one 1.0 (entry point main = 'clash_one:NODE_TYPES') has that name too",
}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The example's package, and packages that are broken in every way."""
    folder = tmp_path_factory.mktemp("plugins") / "site"
    install_calendar(folder)
    for package, code in BROKEN.items():
        install(folder, package, code)
    return folder


@pytest.fixture(scope="module")
def plugged(
    temporal_server: TemporalServer, site: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Product]:
    product = Product(
        address=temporal_server.address,
        folder=tmp_path_factory.mktemp("plugged"),
        settings={"PYTHONPATH": str(site)},
    )
    try:
        product.start_worker()
        yield product
    finally:
        product.stop()


def test_the_examples_own_tests_pass_where_it_is_installed(site: Path, tmp_path: Path) -> None:
    folder = tmp_path / "plugin_calendar"
    shutil.copytree(CALENDAR, folder, ignore=shutil.ignore_patterns("*_calendar.py", "__pycache__"))
    shutil.copy(CALENDAR / "test_flowrunner_calendar.py", folder)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--import-mode=importlib"],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(site), str(ROOT)])},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    assert "6 passed" in done.stdout


def test_a_flow_uses_a_node_type_of_a_package(plugged: Product) -> None:
    done = plugged.cli("validate", str(FLOW))
    assert done.returncode == 0, done.stderr
    given = '["bob@example.com","cy@example.com"]'
    ended = plugged.cli_json("run", str(FLOW), "--set", f"with={given}", "--json")
    assert ended["status"] == "completed"
    assert "ATTENDEE;RSVP=TRUE:mailto:cy@example.com\r\n" in ended["output"]["text"]


def test_the_example_of_the_declaration_runs(plugged: Product) -> None:
    shown = plugged.cli_json("nodes", "calendar.invite", "--json")
    assert shown["package"] == "flowrunner-calendar 0.1.0"
    file = plugged.write_flow("invite-to-review", shown["example"])
    ended = plugged.cli_json("run", str(file), "--set", "with=bob@example.com", "--json")
    assert ended["output"].startswith("BEGIN:VCALENDAR\r\n")


def test_the_list_shows_packages_and_what_is_wrong_with_them(plugged: Product) -> None:
    done = plugged.cli("nodes")
    assert done.returncode == 0
    assert "Write an invitation to a meeting [flowrunner-calendar 0.1.0]" in done.stdout
    assert "good.three " in done.stdout
    told = done.stderr.splitlines()
    assert len(told) == len(TOLD)
    for package, problem in TOLD.items():
        assert any(f"{package} 1.0" in line and problem in line for line in told), problem
    assert "From the package flowrunner-calendar 0.1.0." in (
        plugged.cli("nodes", "calendar.invite").stdout
    )


def test_in_json_built_in_types_come_from_no_package(plugged: Product) -> None:
    shown = {each["name"]: each["package"] for each in plugged.cli_json("nodes", "--json")}
    assert shown["log"] is None
    assert shown["good.one"] == "broken-nonsense 1.0"
    assert "clash.same" not in shown


def test_the_worker_tells_what_it_has_and_what_is_wrong(plugged: Product) -> None:
    lines = [json.loads(line) for line in plugged.workers[0].output().splitlines()]
    has = {line["node_type"] for line in lines if line["event"] == "node type of a plug-in"}
    assert has == {*GOOD, "calendar.invite"}
    told = {line["package"]: line for line in lines if line["event"].startswith("plug-in cannot")}
    assert sorted(told) == sorted(f"{package} 1.0" for package in TOLD)
    for package, problem in TOLD.items():
        line = told[f"{package} 1.0"]
        assert line["level"] == "error"
        assert problem in line["problem"]
        assert line["advice"]
        assert line["entry_point"].startswith("entry point main = ")


def test_the_rest_of_a_broken_package_works(plugged: Product) -> None:
    nodes = "".join(f"  n{i}: {{type: {name}}}\n" for i, name in enumerate(GOOD))
    file = plugged.write_flow("rest", f"flow: rest\nnodes:\n{nodes}output: ${{nodes.n2.output}}\n")
    ended = plugged.cli_json("run", str(file), "--json")
    assert ended["output"] == {"by": "n2", "from": "clash-built-in"}


def test_a_flow_that_needs_what_is_broken_is_told_so_by_command_and_worker(
    plugged: Product,
) -> None:
    text = "flow: needs\nnodes:\n  a: {type: example.missing}\n"
    file = plugged.write_flow("needs", text)
    done = plugged.cli("validate", str(file))
    assert done.returncode == 2
    told = "the node type 'example.missing' of broken-example 1.0"
    assert told in done.stdout + done.stderr
    refused = plugged.cli("run", "needs")
    assert refused.returncode != 0
    assert told in refused.stdout + refused.stderr


def test_a_worker_without_the_plugin_says_so_as_often_as_the_flow_allows(
    plugged: Product, temporal_server: TemporalServer, tmp_path: Path
) -> None:
    """The plan has been made by a worker that has the plug-in, and another takes up the node."""
    bare = Product(address=temporal_server.address, folder=tmp_path)
    text = f"""\
flow: elsewhere
nodes:
  a: {{type: good.one, queue: {bare.task_queue}, retry: {{attempts: 2, interval: 10ms}}}}
"""
    file = plugged.write_flow("elsewhere", text)
    try:
        bare.start_worker()
        ended = plugged.cli_json("run", str(file), "--id", f"x-{uuid.uuid4().hex}", "--json")
    finally:
        bare.stop()
    assert ended["error"]["type"] == "NodeTypeMissing"
    assert ended["error"]["attempt"] == 2
    assert ended["error"]["details"] is None
    assert ended["error"]["message"].endswith(
        "after 2 attempts: this worker has no node type or activity 'good.one'; install its "
        f"plug-in for every worker of the task queue '{bare.task_queue}', and start those anew "
        "that run"
    )
