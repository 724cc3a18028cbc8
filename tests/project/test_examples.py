"""The examples are complete and valid; tests/server/test_examples.py runs them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from activities.catalogue import catalogue
from flowspec.check import check

EXAMPLES = Path(__file__).parents[2] / "examples"
FLOWS = sorted(EXAMPLES.glob("*.yaml"), key=lambda path: path.stem)
NAMES = sorted(path.stem for path in FLOWS)


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
