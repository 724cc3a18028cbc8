"""The command is quick to start: what it does not need it does not load."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = str(Path(sys.executable).with_name("flowrunner"))
STORE = ("boto3", "cryptography")
NO_BUCKET = "BLOB_STORAGE_BUCKET: nothing is set, but BLOB_STORAGE_TYPE is s3"
HEAVY = (
    *STORE,
    "temporalio",
    "httpx2",
    "starlette",
    "structlog",
    "uvicorn",
    "yaml",
    "workflows",
)

SHOW_MODULES = """
import atexit, sys
def show():
    print("MODULES", *sorted({name.partition(".")[0] for name in sys.modules}), file=sys.stderr)
atexit.register(show)
import worker
worker.main()
"""


def _environment(**more: str) -> dict[str, str]:
    ours = ("FLOWRUNNER_", "TEMPORAL_", "FLOWS_DIR", "_FLOWRUNNER", "FORCE_COLOR")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    return {**kept, **more}


def _flowrunner(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [PROGRAM, *arguments],
        env=_environment(**variables),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def _modules(*arguments: str) -> set[str]:
    done = subprocess.run(
        [sys.executable, "-c", SHOW_MODULES, *arguments],
        env=_environment(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    line = next(line for line in done.stderr.splitlines() if line.startswith("MODULES "))
    return set(line.split()[1:])


@pytest.mark.parametrize("arguments", [["--help"], ["run", "--help"], ["--version"]])
def test_help_loads_neither_temporal_nor_any_handlers_libraries(arguments: list[str]) -> None:
    loaded = _modules(*arguments)
    assert "typer" in loaded
    assert not loaded & set(HEAVY)


def test_the_catalogue_is_shown_without_temporal_or_any_handlers_libraries() -> None:
    assert not _modules("nodes") & {"temporalio", "httpx2", "workflows", *STORE}


def test_a_flow_is_checked_without_temporal_or_the_store(tmp_path: Path) -> None:
    flow = tmp_path / "one.yaml"
    flow.write_text("flow: one\nnodes:\n  a: {type: noop}\n", encoding="utf-8")
    assert not _modules("validate", str(flow)) & {"temporalio", "structlog", *STORE}
    done = _flowrunner("validate", str(flow), BLOB_STORAGE_TYPE="s3")
    assert done.returncode == 0, done.stderr


def test_what_starts_a_flow_by_name_loads_no_checker() -> None:
    code = "import service.cli.launching, sys; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "flowspec.problems" in done.stdout.split()
    assert not {"flowspec.check", "flowspec.document"} & set(done.stdout.split())


@pytest.mark.parametrize("arguments", [["--help"], ["nodes"], ["schema"], ["version"]])
def test_what_needs_no_store_minds_no_wrong_setting_of_one(arguments: list[str]) -> None:
    assert _flowrunner(*arguments, BLOB_STORAGE_TYPE="s3").returncode == 0


@pytest.mark.parametrize(
    "arguments",
    [
        *([name, "x"] for name in ("run", "start", "status", "logs", "result", "approve")),
        *([name, "x"] for name in ("cancel", "pause", "resume")),
        ["signal", "x", "y"],
        ["list"],
        ["worker"],
    ],
    ids=" ".join,
)
def test_whatever_connects_tells_a_wrong_setting_of_the_store(arguments: list[str]) -> None:
    done = _flowrunner(*arguments, BLOB_STORAGE_TYPE="s3")
    assert done.returncode == 2
    assert done.stderr.startswith(f"flowrunner: {NO_BUCKET}")


def test_the_version_is_printed() -> None:
    done = _flowrunner("--version")
    assert done.returncode == 0
    assert done.stdout.startswith("flowrunner 0.")


def test_help_has_colours_only_on_a_terminal() -> None:
    assert "\x1b[" not in _flowrunner("--help").stdout


@pytest.mark.parametrize("arguments", [["--nope"], ["nope"], ["run"], ["list", "--status", "x"]])
def test_a_wrong_command_line_ends_with_2_and_no_stack_trace(arguments: list[str]) -> None:
    done = _flowrunner(*arguments)
    assert done.returncode == 2
    assert done.stdout == ""
    assert "Error" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    "arguments", [["run", "--json"], ["start", "x", "--nope", "--json"], ["result", "--json"]]
)
def test_a_script_is_told_of_a_wrong_command_line_as_of_any_other_error(
    arguments: list[str],
) -> None:
    done = _flowrunner(*arguments)
    assert done.returncode == 2
    told = json.loads(done.stdout)
    assert (told["status"], told["workflow_id"]) == ("not_started", None)
    assert told["error"]["type"] == "UsageError"
    assert any(words in told["error"]["message"] for words in ("Missing argument", "--nope"))


def test_help_for_scripts_is_no_error() -> None:
    done = _flowrunner("run", "--json", "--help")
    assert done.returncode == 0
    assert '"status"' not in done.stdout


def test_a_wrong_setting_ends_with_2_and_names_the_variable() -> None:
    done = _flowrunner("list", FLOWRUNNER_TASKQUEUE="x")
    assert done.returncode == 2
    assert done.stderr == (
        "flowrunner: FLOWRUNNER_TASKQUEUE: there is no such setting; "
        "did you mean FLOWRUNNER_TASK_QUEUE?\n"
    )


def test_an_unreachable_server_ends_with_3_and_says_what_to_do() -> None:
    done = _flowrunner("list", TEMPORAL_ADDRESS="127.0.0.1:1", TEMPORAL_CONFIG_FILE=os.devnull)
    assert done.returncode == 3
    assert done.stderr == (
        "flowrunner: Temporal cannot be reached at 127.0.0.1:1 (namespace 'default'): "
        "nothing listens there (connection refused)\n"
        "Start a local server with `flowrunner dev`, or set TEMPORAL_ADDRESS to one that runs.\n"
    )


def test_a_reader_that_goes_away_is_no_bug() -> None:
    shell = f"'{PROGRAM}' nodes --json | head -c 10"
    done = subprocess.run(
        ["sh", "-c", shell], env=_environment(), capture_output=True, text=True, check=False
    )
    assert "Traceback" not in done.stderr
    assert "BrokenPipe" not in done.stderr


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_can_be_had_for_each_shell(shell: str) -> None:
    done = _flowrunner(
        "", _FLOWRUNNER_COMPLETE=f"source_{shell}", _TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION="1"
    )
    assert "flowrunner" in done.stdout


def test_a_flow_in_flows_dir_is_completed(tmp_path: Path) -> None:
    (tmp_path / "onboarding.yaml").write_text("flow: onboarding\n", encoding="utf-8")
    done = _flowrunner(
        _FLOWRUNNER_COMPLETE="complete_bash",
        COMP_WORDS="flowrunner run onb",
        COMP_CWORD="2",
        FLOWS_DIR=str(tmp_path),
    )
    assert done.stdout.split() == ["onboarding"]
