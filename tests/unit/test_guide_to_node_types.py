"""What the guide to node types shows is code that works, and is that of the example."""

from __future__ import annotations

import asyncio
import inspect
import sys
from types import ModuleType
from typing import Any

import pytest

from activities.plugins import flaws
from flowspec.jsonschemas import violations
from tests.plugins import CALENDAR
from tests.project.markdown import ROOT, blocks

PAGE = ROOT / "docs" / "howto" / "add-a-node-type.md"
SHOWN = [block.text for block in blocks("python", "toml") if block.page == PAGE]
MODULE, TEST = SHOWN[-2:]
EXCERPTS = SHOWN[:-2]


@pytest.fixture
def module(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The file that the guide shows, as if it were where the guide puts it."""
    made = ModuleType("activities.text.count")
    family = ModuleType("activities.text")
    monkeypatch.setitem(sys.modules, family.__name__, family)
    monkeypatch.setitem(sys.modules, made.__name__, made)
    exec(compile(MODULE, str(PAGE), "exec"), vars(made))
    return made


@pytest.mark.parametrize("excerpt", EXCERPTS, ids=range(len(EXCERPTS)))
def test_what_is_shown_of_a_package_is_in_the_example(excerpt: str) -> None:
    files = [*CALENDAR.glob("*.py"), CALENDAR / "pyproject.toml"]
    assert any(excerpt in path.read_text(encoding="utf-8") for path in files)


def test_there_is_enough_to_look_at() -> None:
    assert len(EXCERPTS) >= 5
    assert "declare(" in MODULE
    assert "def test_" in TEST


def test_the_node_type_of_the_guide_is_sound(module: ModuleType) -> None:
    assert flaws(module.NODE_TYPES) == []
    assert violations(module.TEXT_COUNT.node_type.params_schema(), {"text": 1})


@pytest.mark.usefixtures("module")
def test_the_tests_of_the_guide_pass() -> None:
    shown: dict[str, Any] = {"__name__": "shown"}
    exec(compile(TEST, str(PAGE), "exec"), shown)
    tests = [each for name, each in shown.items() if name.startswith("test_")]
    assert len(tests) == 2
    for each in tests:
        assert inspect.iscoroutinefunction(each)
        asyncio.run(each())
