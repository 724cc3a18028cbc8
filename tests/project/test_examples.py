"""The examples are complete and valid; tests/server/test_examples.py runs them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from activities.catalogue import catalogue
from flowspec.check import check
from service.cli.flow_files import is_test_file
from tests.applications import APPLICATIONS, EXAMPLES
from tests.project.markdown import links
from tests.server.support import ROOT

FLOWS = sorted(
    (path for path in EXAMPLES.glob("*.yaml") if not is_test_file(path)), key=lambda path: path.stem
)
NAMES = sorted(path.stem for path in FLOWS)
OF_APPLICATIONS = [path for folder in APPLICATIONS for path in sorted(folder.glob("*.yaml"))]


def test_there_are_enough_to_learn_from() -> None:
    assert len(FLOWS) >= 8
    assert sorted(path.parent.name for path in EXAMPLES.glob("*/input.json")) == NAMES


@pytest.mark.parametrize("path", FLOWS, ids=NAMES)
def test_it_is_valid(path: Path) -> None:
    checked = check(path.read_text(encoding="utf-8"), catalogue(), flow_names=NAMES)
    assert [str(problem) for problem in checked.problems] == []
    assert checked.plan is not None
    assert checked.plan.flow == path.stem, "a flow is found by the name of its file"


@pytest.mark.parametrize("path", FLOWS, ids=NAMES)
def test_it_says_what_it_shows_and_has_input_and_expected_result(path: Path) -> None:
    assert path.read_text(encoding="utf-8").startswith("# ")
    folder = path.with_suffix("")
    assert isinstance(json.loads((folder / "input.json").read_text()), dict)
    assert json.loads((folder / "expected.json").read_text())["status"] in ("completed", "failed")


def test_the_catalogue_of_examples_lists_each() -> None:
    text = (EXAMPLES / "README.md").read_text(encoding="utf-8")
    assert [name for name in NAMES if f"({name}.yaml)" not in text] == []


def test_services_answer_only_with_what_the_service_knows() -> None:
    known = {"status", "json", "headers", "delay", "times"}
    for script in EXAMPLES.glob("*/service.yaml"):
        for route in yaml.safe_load(script.read_text(encoding="utf-8")):
            assert set(route) == {"method", "path", "answers"}
            assert all(set(answer) <= known for answer in route["answers"])


@pytest.mark.parametrize(
    "path", OF_APPLICATIONS, ids=lambda path: f"{path.parent.name}-{path.stem}"
)
def test_a_flow_of_an_application_is_valid_and_says_what_it_is_for(path: Path) -> None:
    names = [flow.stem for flow in path.parent.glob("*.yaml")]
    text = path.read_text(encoding="utf-8")
    checked = check(text, catalogue(), flow_names=names)
    assert [str(problem) for problem in checked.problems] == []
    assert checked.plan is not None
    assert checked.plan.flow == path.stem, "a flow is found by the name of its file"
    assert text.startswith("# ")


@pytest.mark.parametrize("folder", APPLICATIONS, ids=lambda folder: folder.name)
def test_an_application_is_listed_lists_its_flows_and_is_tested(folder: Path) -> None:
    assert f"{folder.name}/README.md" in links(EXAMPLES / "README.md")
    flows = [path.name for path in folder.glob("*.yaml")]
    assert [name for name in flows if name not in links(folder / "README.md")] == []
    assert (ROOT / "tests" / "server" / f"test_{folder.name.replace('-', '_')}.py").exists()
