"""Programs on the worker's machine: what they are given, what is taken back, how they are ended."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from temporalio.exceptions import ApplicationError

from activities.errors import NodeFailed
from activities.parameters import read_params
from activities.shell.options import read_programs
from activities.shell.shell import SHELL
from claimcheck.claim import Claim
from tests.attempts import claims_in_memory
from tests.project.markdown import ROOT
from tests.shell import failed, processes, run

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")


@pytest.fixture(autouse=True)
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where commands' folders are made; none is left."""
    folder = tmp_path / "commands"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    yield folder
    assert [*folder.iterdir()] == []


async def test_a_command_reads_stdin_and_writes_stdout() -> None:
    done = await run("sort", "--unique", stdin="b\na\nb\n", allow=("sort",))
    assert done == {
        "code": 0,
        "stdout": "a\nb\n",
        "stderr": "",
        "truncated": False,
        "value": None,
        "files": [],
    }


async def test_no_shell_looks_at_arguments() -> None:
    assert (await run("printf", "%s|", "$HOME `id`; *", "'", allow=("printf",)))["stdout"] == (
        "$HOME `id`; *|'|"
    )


async def test_files_go_in_and_come_back() -> None:
    claims = claims_in_memory()
    script = "mkdir -p out/deep; tr a-z A-Z <in/x.txt >out/X.txt; printf '\\377' >out/deep/b; ls"
    done = await run(
        "sh",
        "-c",
        script,
        files={"in/x.txt": "hello", "y.json": {"a": 1}},
        collect=["out/**/*", "none*"],
        claims=claims,
    )
    assert done["stdout"].split() == ["in", "out", "y.json"]
    assert [(each["name"], each["bytes"]) for each in done["files"]] == [
        ("out/X.txt", 5),
        ("out/deep/b", 1),
    ]
    assert all(isinstance(each["content"], Claim) for each in done["files"])
    assert await claims.loaded(done["files"][0]["content"]) == "HELLO"


async def test_links_are_not_followed() -> None:
    script = "ln -s /etc/passwd l; ln -s /etc d; mkfifo f; echo x >ok; ln ok h"
    done = await run("sh", "-c", script, collect=["*", "d/passwd", "l"])
    assert [each["name"] for each in done["files"]] == ["h", "ok"]


async def test_it_has_none_of_the_workers_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLOWRUNNER_SECRET_TOKEN", "hidden")
    done = await run("env", env={"A": "b c", "LANG": "de_DE"}, allow=("env",))
    found = dict(line.split("=", 1) for line in done["stdout"].splitlines())
    assert set(found) == {"A", "LANG", "PATH", "HOME", "TMPDIR"}
    assert (found["A"], found["LANG"]) == ("b c", "de_DE")
    assert found["HOME"] == found["TMPDIR"] != os.environ.get("HOME")


@pytest.mark.parametrize("name", ["LD_PRELOAD", "LD_LIBRARY_PATH", "PATH", "a=b", "1A"])
async def test_variables_that_load_code_are_refused(name: str) -> None:
    await failed("InvalidParams", run("env", env={name: "x"}, allow=("env",)))


@pytest.mark.parametrize("name", ["../x", "/etc/x", "a/../../x", ""])
async def test_names_that_lead_out_are_refused(name: str) -> None:
    await failed("FilesRefused", run("sh", "-c", "true", files={name: "x"}))
    await failed("FilesRefused", run("sh", "-c", "true", collect=[name]))


async def test_it_is_off_until_programs_are_listed() -> None:
    told = await failed("NotEnabled", run("sh", "-c", "true", allow=()))
    assert "FLOWRUNNER_SHELL_ALLOW" in told.message
    assert told.non_retryable


@pytest.mark.parametrize("program", ["env", "/usr/bin/env", "./sh", "../bin/sh", "sh ", ""])
async def test_only_programs_that_are_listed_run(program: str) -> None:
    told = await failed("NotAllowed", run(program))
    assert "FLOWRUNNER_SHELL_ALLOW" in told.message


def test_programs_are_found_once_and_called_by_name_or_path(tmp_path: Path) -> None:
    found = read_programs(["sh"])
    assert set(found) == {"sh", str(found["sh"])}
    for wrong in ("no-such-program", "/no/such", "bin/sh", str(tmp_path)):
        with pytest.raises(ValueError, match=r"no program|neither"):
            read_programs([wrong])
    twin = tmp_path / "sh"
    twin.write_text("#!/bin/sh\n")
    twin.chmod(0o700)
    with pytest.raises(ValueError, match="same name"):
        read_programs(["sh", str(twin)])


def details_of(told: ApplicationError) -> Any:
    [inline] = told.details
    return inline.value["details"]


async def test_codes_decide() -> None:
    assert (await run("sh", "-c", "exit 3", ok=[0, 3]))["code"] == 3
    told = await failed("CommandFailed", run("sh", "-c", "echo oops >&2; exit 3"))
    assert told.message == "'sh' ended with code 3: oops"
    assert details_of(told) == {"code": 3, "stderr": "oops\n"}
    told = await failed("CommandFailed", run("sh", "-c", "kill -9 $$"))
    assert "SIGKILL" in told.message
    assert details_of(told)["code"] == 137


async def test_a_program_that_cannot_be_started(tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    broken.write_text("#!/no/such/interpreter\n")
    broken.chmod(0o700)
    told = await failed("CannotStart", run(str(broken), allow=(str(broken),)))
    assert "No such file" in told.message


async def test_json_is_read() -> None:
    done = await run("sh", "-c", """echo '{"a": [1, null]}'""", parse="json")
    assert done["value"] == {"a": [1, None]}
    for wrong in ("echo no", "echo NaN", "true"):
        await failed("InvalidOutput", run("sh", "-c", wrong, parse="json"))
    long = "printf '\"%01000d\"' 1"
    await failed("OutputTooLarge", run("sh", "-c", long, parse="json", max_bytes=10))


async def test_output_is_cut_off_or_kept_whole() -> None:
    claims = claims_in_memory()
    done = await run("sh", "-c", "yes | head -c 3000000", claims=claims)
    assert (len(await claims.loaded(done["stdout"])), done["truncated"]) == (1_000_000, True)
    done = await run(
        "sh", "-c", "yes | head -c 3000000; yes | head -c 100000 >&2", save=True, claims=claims
    )
    assert len(await claims.loaded(done["stdout"])) == 3_000_000
    assert len(await claims.loaded(done["stderr"])) == 65_536
    assert not done["truncated"]
    too_much = run("sh", "-c", "yes | head -c 3000000", save=True, max_bytes=1_000)
    await failed("OutputTooLarge", too_much)
    much = run("sh", "-c", "yes | head -c 5000 >x", collect=["x"], max_bytes=4_999)
    await failed("OutputTooLarge", much)


async def test_bytes_are_kept_as_they_are() -> None:
    claims = claims_in_memory()
    done = await run("sh", "-c", "cat", stdin="ä", claims=claims, save=True)
    assert await claims.loaded(done["stdout"]) == "ä"
    assert (await run("sh", "-c", "printf '\\377'"))["stdout"] == "\ufffd"


async def test_a_command_need_not_read_stdin() -> None:
    assert (await run("sh", "-c", "echo done", stdin="x" * 5_000_000))["stdout"] == "done\n"


async def test_limits_hold() -> None:
    told = await failed(
        "CommandFailed",
        run("python3", "-c", "b'x' * 10**9", allow=("python3",), memory=300_000_000),
    )
    assert "MemoryError" in told.message
    told = await failed("CommandFailed", run("sh", "-c", "while :; do :; done", cpu=1))
    assert "SIGKILL" in told.message or "SIGXCPU" in told.message


MANY = (
    "sleep 600 & setsid sleep 600 & (setsid sh -c 'sleep 600 & exec sleep 600' &);"
    "trap '' TERM HUP INT;"
)


@pytest.mark.parametrize("ending", ["sleep 600", "setsid --wait sleep 600"])
async def test_whatever_it_started_is_killed_when_time_is_up(ending: str) -> None:
    mark = uuid.uuid4().hex
    told = await failed(
        "TimedOut", run("sh", "-c", MANY + ending, env={"MARK": mark}, time="500ms")
    )
    assert "longer than 500ms" in told.message
    assert processes(mark) == []


async def test_whatever_it_leaves_is_killed_when_it_ends() -> None:
    mark = uuid.uuid4().hex
    done = await run("sh", "-c", MANY + "chmod 0 .; echo done", env={"MARK": mark})
    assert done["stdout"] == "done\n"
    assert processes(mark) == []


async def test_whatever_it_started_is_killed_when_it_is_cancelled() -> None:
    mark = uuid.uuid4().hex
    running = asyncio.create_task(run("sh", "-c", MANY + "sleep 600", env={"MARK": mark}))
    while len(processes(mark)) < 5:
        await asyncio.sleep(0.02)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert processes(mark) == []


WORKER = """
import asyncio, sys, tempfile
from tests.shell import run
tempfile.tempdir = sys.argv[2]
asyncio.run(run("sh", "-c", sys.argv[3], env={"MARK": sys.argv[1]}, time="600s"))
"""


def test_whatever_it_started_is_killed_when_the_worker_is(folders: Path) -> None:
    mark = f"{uuid.uuid4().hex}"
    command = [sys.executable, "-c", WORKER, mark[:16] + "-", str(folders), MANY + "sleep 600"]
    with subprocess.Popen(command, cwd=ROOT) as worker:
        while len(processes(f"MARK={mark[:16]}-")) < 5:
            assert worker.poll() is None
        worker.send_signal(signal.SIGKILL)
        worker.wait()
    while processes(f"MARK={mark[:16]}-") or any(folders.iterdir()):  # within a test's time
        pass


async def test_nothing_of_secrets_stands_where_everybody_looks() -> None:
    script = "cat /proc/$PPID/cmdline; tr '\\0' ' ' </proc/$$/cmdline"
    done = await run("sh", "-c", script, env={"TOKEN": "s3cr3t"}, stdin="s3cr3t")
    assert "s3cr3t" not in done["stdout"]


@pytest.mark.parametrize(
    ("params", "what"),
    [
        ({"command": "ls -l"}, "array"),
        ({"command": []}, "at least 1"),
        ({"command": ["a\0b"]}, "NUL"),
        ({"command": ["a"], "time": "2h"}, "1h at most"),
        ({"command": ["a"], "ok": [256]}, "255"),
    ],
)
def test_parameters_that_make_no_sense(params: Any, what: str) -> None:
    with pytest.raises(NodeFailed, match=what):
        read_params(SHELL, params)
