"""The command `flowrunner test`, on the examples as they are shipped and on what is wrong."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from scripts.test_format_page import format_page
from tests.flow_tests import try_all
from tests.project.markdown import blocks
from tests.server.support import Running, clean_environment, until

FLOW = """\
flow: greet
input: {required: [name], properties: {name: {type: string}}}
nodes:
  ask: {type: approval, timeout: 30d, next: {approved: hello, rejected: no_, timeout: no_}}
  hello: {type: log, params: {message: "Hello ${input.name}"}}
  no_: {type: fail, params: {message: "no"}}
output: ${nodes.hello.output.message}
"""
TEST = """\
cases:
  - name: greeted
    input: {name: Ada}
    at: {20d: {approve: ask, action: approved}}
    expect: {output: Hello Ada}
"""


def run(*arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(Path(sys.executable).with_name("flowrunner")), *arguments],
        cwd=folder,
        env=clean_environment(),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "flows").mkdir()
    (tmp_path / "flows" / "greet.yaml").write_text(FLOW)
    (tmp_path / "flows" / "greet.test.yaml").write_text(TEST)
    return tmp_path


def test_the_examples_pass_their_tests(project_root: Path) -> None:
    done = run("test", "examples", "--json", folder=project_root)
    assert done.returncode == 0, done.stdout
    report = json.loads(done.stdout)
    assert report["failed"] == 0
    assert report["passed"] >= 13
    assert len(report["files"]) == len(list((project_root / "examples").glob("*.test.yaml")))


def test_what_is_not_as_expected_is_shown_with_what_happened(folder: Path) -> None:
    (folder / "flows" / "greet.test.yaml").write_text(TEST.replace("Hello Ada", "Hello Bob"))
    done = run("test", folder=folder)
    assert done.returncode == 1
    assert "✘ greeted  flows/greet.test.yaml:2\n" in done.stdout
    assert 'output: expected "Hello Bob", found "Hello Ada"' in done.stdout
    assert "✔ ask  approved  (20d)" in done.stdout
    assert "0 passed, 1 failed" in done.stdout


def test_a_call_without_a_mock_is_answered_by_the_mock_to_write(folder: Path) -> None:
    flow = "flow: get\nnodes: {get: {type: http.request, params: {url: http://x}}}\n"
    (folder / "flows" / "get.yaml").write_text(flow)
    (folder / "flows" / "get.test.yaml").write_text("cases: [{name: it}]\n")
    done = run("test", "flows/get.yaml", folder=folder)
    assert done.returncode == 1
    assert "get (http.request) is called, and nothing says what it answers" in done.stdout
    said = done.stdout[done.stdout.index("mocks:") :].partition("0 passed")[0]
    (folder / "flows" / "get.test.yaml").write_text(f"{_outdented(said)}cases: [{{name: it}}]\n")
    assert run("test", "flows/get.yaml", folder=folder).returncode == 0


def _outdented(text: str) -> str:
    return "".join(f"{line.removeprefix(' ' * 8)}\n" for line in text.splitlines())


def test_a_wrong_test_or_flow_ends_with_2_and_its_place(folder: Path) -> None:
    (folder / "flows" / "greet.test.yaml").write_text(TEST.replace("expect", "expected"))
    done = run("test", folder=folder)
    assert done.returncode == 2
    assert "flows/greet.test.yaml:5:5: FR201 unknown key 'expected'" in done.stdout
    (folder / "flows" / "greet.test.yaml").write_text(TEST)
    (folder / "flows" / "greet.yaml").write_text(FLOW.replace("timeout: 30d", "timeout: 30"))
    done = run("test", folder=folder)
    assert done.returncode == 2
    assert "flows/greet.yaml:4:" in done.stdout


def test_there_being_nothing_to_try_is_an_error(folder: Path) -> None:
    assert "no case has 'other'" in run("test", "-k", "other", folder=folder).stderr
    (folder / "flows" / "greet.test.yaml").unlink()
    done = run("test", folder=folder)
    assert done.returncode == 2
    assert "there are no tests in 'flows'" in done.stderr


def test_tests_may_lie_in_a_folder_and_name_their_flow(folder: Path) -> None:
    (folder / "flows" / "tests").mkdir()
    moved = folder / "flows" / "tests" / "whatever.test.yaml"
    moved.write_text(f"flow: greet\n{TEST}")
    (folder / "flows" / "greet.test.yaml").unlink()
    assert run("test", folder=folder).returncode == 0
    moved.write_text(f"flow: great\n{TEST}")
    done = run("test", folder=folder)
    assert done.returncode == 2
    assert "whatever.test.yaml:1:7: FR204 there is no flow 'great' beside it" in done.stdout


def test_tests_are_no_flows(folder: Path) -> None:
    done = run("validate", "flows", folder=folder)
    assert done.returncode == 0, done.stdout
    assert "greet.test.yaml" not in done.stderr


def test_coverage_says_what_no_case_has_come_by(folder: Path) -> None:
    done = run("test", "--coverage", folder=folder)
    assert done.returncode == 0
    assert "never: no_\n" in done.stdout
    assert "never: ask -> no_ on timeout\n" in done.stdout
    low = run("test", "--fail-under", "90", folder=folder)
    assert low.returncode == 1
    assert "greet: 50.0% is covered, less than 90%" in low.stderr
    assert run("test", "--fail-under", "50", folder=folder).returncode == 0


def test_junit_has_a_case_for_each(folder: Path) -> None:
    more = "  - name: refused\n    input: {name: Ada}\n    expect: {output: Hello Ada}\n"
    (folder / "flows" / "greet.test.yaml").write_text(TEST + more)
    assert run("test", "--junit", "results.xml", folder=folder).returncode == 1
    root = ElementTree.parse(folder / "results.xml").getroot()
    assert (root.get("tests"), root.get("failures")) == ("2", "1")
    failed = root.find(".//testcase[@name='refused']/failure")
    assert failed is not None
    assert "status: expected" in (failed.text or "")


def test_a_simulation_shows_who_would_be_told_what(folder: Path) -> None:
    (folder / "mocks.yaml").write_text("mocks: {ask: {action: approved, delay: 2d}}\n")
    arguments = ("simulate", "greet", "--set", "name=Ada")
    waits = run(*arguments, folder=folder)
    assert waits.returncode == 1
    assert "✘ ask  Timeout" in waits.stdout
    done = run(*arguments, "--mocks", "mocks.yaml", folder=folder)
    assert done.returncode == 0, done.stderr
    assert "greet completed after 2d" in done.stdout
    assert 'log {"message": "Hello Ada"}' in done.stdout
    told = json.loads(run(*arguments, "--mocks", "mocks.yaml", "--json", folder=folder).stdout)
    assert told["path"] == ["ask", "hello"]
    assert told["calls"][0]["assumed"] is False


@pytest.mark.parametrize("more", [[], ["--json"]])
def test_a_simulation_with_wrong_input_ends_as_a_run_does(folder: Path, more: list[str]) -> None:
    refused = run("simulate", "greet", "--set", "nam=Ada", *more, folder=folder)
    assert refused.returncode == 2
    assert "InputInvalid" in refused.stdout


def test_watching_tries_again_when_a_flow_changes(folder: Path) -> None:
    command = [str(Path(sys.executable).with_name("flowrunner")), "test", "flows", "--watch"]
    watching = Running("watch", command, env=clean_environment(), log=folder / "watch.log")
    try:
        until(lambda: "1 passed" in watching.output(), what="the first try")
        (folder / "flows" / "greet.yaml").write_text(FLOW.replace("Hello", "Howdy"))
        until(lambda: "1 failed" in watching.output(), what="the second try")
        (folder / "flows" / "greet.yaml").write_text("flow: [")
        until(lambda: "FR101" in watching.output(), what="the third try")
        assert watching.exit_code is None
    finally:
        watching.kill()


def test_the_reference_of_test_files_is_up_to_date(project_root: Path) -> None:
    page = project_root / "docs" / "reference" / "test-format.md"
    renew = f".venv/bin/python -m scripts.test_format_page > {page.relative_to(project_root)}"
    assert page.read_text(encoding="utf-8") == format_page(), f"renew it: {renew}"


def test_the_tests_of_the_guide_pass() -> None:
    shown = [block.text for block in blocks("yaml") if block.page.name == "test-flows.md"]
    flow = next(text for text in shown if text.startswith("flow:"))
    tests = [text for text in shown if "cases:" in text]
    tried = [case for text in tests for case in try_all(flow, text)]
    assert len(tried) == 4
    assert [case for case in tried if not case.passed] == []
