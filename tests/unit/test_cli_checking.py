"""Flows are found by their files and by their names, and near misses are named."""

from __future__ import annotations

from pathlib import Path

import pytest

from activities.catalogue import catalogue
from service.cli.checking import check_files, checked_plan
from service.cli.flow_files import known_input
from service.errors import InputWrong

FLOW = "flow: hello\ninput: {properties: {zip: {type: string}}}\nnodes:\n  a: {type: noop}\n"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("FLOWS_DIR", raising=False)
    return tmp_path


def _write(path: Path, text: str = FLOW) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text(text, encoding="utf-8")


def _error(target: str) -> str:
    with pytest.raises(InputWrong) as caught:
        checked_plan(target, catalogue())
    return str(caught.value)


def test_a_name_without_its_folder_says_what_to_give() -> None:
    assert _error("hello") == (
        "there is no file 'hello', and no folder 'flows' (FLOWS_DIR)\n"
        "Give a file, or set FLOWS_DIR to the folder of your flows."
    )


def test_a_name_for_which_there_is_a_file_elsewhere_names_the_file(folder: Path) -> None:
    _write(folder / "examples" / "hello.yaml")
    assert "did you mean 'examples/hello.yaml'?" in _error("hello")
    _write(folder / "hello.yml")
    assert "did you mean 'hello.yml'?" in _error("hello")
    assert "did you mean 'examples/hello.yaml'?" in _error("examples/hello")


def test_a_name_that_is_nearly_right_names_the_flow(folder: Path) -> None:
    _write(folder / "flows" / "hello.yaml")
    assert _error("helo").startswith(
        "there is no file 'helo', and no flow of that name in 'flows' (FLOWS_DIR); "
        "did you mean 'hello'?"
    )


def test_signs_of_the_shell_are_no_patterns(folder: Path) -> None:
    _write(folder / "hello.yaml")
    assert "did you mean" not in _error("*")


def test_the_input_of_a_flow_by_name_is_known_if_its_file_is_here(folder: Path) -> None:
    assert known_input("hello") is None
    _write(folder / "flows" / "hello.yaml")
    assert known_input("hello") == {"properties": {"zip": {"type": "string"}}}
    _write(folder / "flows" / "hello.yaml", "flow: [")
    assert known_input("hello") is None
    _write(folder / "flows" / "hello.yaml", "just text")
    assert known_input("hello") is None


def test_a_file_of_tests_is_no_flow(folder: Path) -> None:
    (folder / "greet.test.yaml").write_text("flow: greet\ncases: []\n")
    with pytest.raises(InputWrong, match=r"`flowrunner test greet.test.yaml` runs them"):
        check_files(["greet.test.yaml"], catalogue())
