"""Programs in containers, by a real engine where there is one."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from activities.attempt import Attempt
from activities.parameters import read_params
from activities.shell.container import CONTAINER
from activities.shell.containers import container_name, run_command
from activities.shell.options import ContainerOptions
from tests.attempts import claims_in_memory
from tests.containers import IMAGE, make_engine
from tests.project.markdown import ROOT
from tests.shell import contain, failed

NOWHERE = Path("/no/engine")


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_engine(tmp_path_factory.mktemp("engine"))


@pytest.fixture(autouse=True)
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where commands' folders are made; none is left."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    yield tmp_path
    assert [*tmp_path.iterdir()] == []


def containers(engine: Path) -> list[str]:
    return engine_says(engine, "ps", "--all", "--format={{.Names}}").split()


def engine_says(engine: Path, *arguments: str) -> str:
    command = [str(engine), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


async def sh(engine: Path, script: str, **params: Any) -> Any:
    return await contain("sh", "-c", script, engine=engine, image=IMAGE, **params)


async def test_files_go_in_and_come_back(engine: Path) -> None:
    claims = claims_in_memory()
    done = await sh(
        engine,
        'cat; cat in/x.txt; echo "$WORD"; pwd; echo new >>in/x.txt; exit 4',
        files={"in/x.txt": "hello\n"},
        stdin="first\n",
        env={"WORD": "two  words 'and' \"quotes\" #"},
        collect=["in/*"],
        ok=[4],
        claims=claims,
    )
    assert done["stdout"] == "first\nhello\ntwo  words 'and' \"quotes\" #\n/work\n"
    assert done["code"] == 4
    [file] = done["files"]
    assert file["name"] == "in/x.txt"
    assert await claims.loaded(file["content"]) == "hello\nnew\n"
    assert containers(engine) == []


async def test_it_is_shut_in(engine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLOWRUNNER_SECRET_TOKEN", "hidden")
    script = """
    id -u; ls /sys/class/net; env; cat /proc/self/status
    touch /bin/x || echo no writing; touch /tmp/x && echo but in tmp
    cat /proc/1/cmdline
    """
    claims = claims_in_memory(threshold=100_000)
    done = await sh(engine, script, claims=claims)
    uid, *lines = done["stdout"].splitlines()
    assert uid == str(os.getuid() or 65534)
    assert lines[0] == "lo"
    assert not any("hidden" in line for line in lines)
    assert {"no writing", "but in tmp"} <= set(lines)
    status = dict(line.split(":\t", 1) for line in lines if ":\t" in line)
    assert {status[each] for each in ("CapEff", "CapBnd", "CapPrm")} == {"0" * 16}
    assert status["NoNewPrivs"] == "1"


async def test_limits_hold(engine: Path) -> None:
    greedy = "x=x; while :; do x=$x$x; done"
    told = await failed("CommandFailed", sh(engine, greedy, memory=20_000_000))
    assert "137" in told.message or "139" in told.message or "memory" in told.message
    forks = "for n in 1 2 3 4 5 6 7 8 9; do sleep 3 & done; wait"
    told = await failed("CommandFailed", sh(engine, forks, processes=5))
    assert "fork" in told.message


async def test_it_is_gone_when_time_is_up(engine: Path) -> None:
    began = time.monotonic()
    await failed("TimedOut", sh(engine, "trap '' TERM; sleep 600", time="2s"))
    assert containers(engine) == []
    assert time.monotonic() - began < 30


async def test_it_is_gone_when_it_is_cancelled(engine: Path) -> None:
    running = asyncio.create_task(sh(engine, "trap '' TERM; sleep 600"))
    while not await asyncio.to_thread(containers, engine):
        await asyncio.sleep(0.05)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert containers(engine) == []


WORKER = """
import asyncio, sys, tempfile
from pathlib import Path
from tests.containers import IMAGE
from tests.shell import contain
tempfile.tempdir = sys.argv[2]
asyncio.run(contain("sleep", "600", engine=Path(sys.argv[1]), image=IMAGE, time="600s"))
"""


def test_it_is_gone_when_the_worker_is(engine: Path, folders: Path) -> None:
    command = [sys.executable, "-c", WORKER, str(engine), str(folders)]
    with subprocess.Popen(command, cwd=ROOT) as worker:
        while not containers(engine):
            assert worker.poll() is None
        worker.send_signal(signal.SIGKILL)
        worker.wait()
    while containers(engine) or any(folders.iterdir()):  # within a test's time
        pass


async def test_what_an_attempt_before_has_left_is_removed(engine: Path) -> None:
    name = container_name(Attempt(node="n", flow="f", run_id="r", key="k"))
    left = ("run", "--detach", "--network=none", f"--name={name}", IMAGE, "sleep", "600")
    await asyncio.to_thread(engine_says, engine, *left)
    assert containers(engine) == [name]
    assert (await sh(engine, "echo fresh"))["stdout"] == "fresh\n"
    assert containers(engine) == []


async def test_an_engine_in_trouble_is_told(engine: Path) -> None:
    missing = contain("true", engine=engine, image="localhost/none:1", pull="never")
    assert "localhost/none" in (await failed("CannotStart", missing)).message
    told = await failed("CommandFailed", contain("no-such", engine=engine, image=IMAGE))
    assert "127" in told.message
    await failed("CannotStart", contain("true", engine=NOWHERE, image=IMAGE))


async def test_it_is_off_until_images_are_listed() -> None:
    told = await failed("NotEnabled", contain(engine=NOWHERE, image=IMAGE, images=()))
    assert "FLOWRUNNER_CONTAINER_ALLOW" in told.message


@pytest.mark.parametrize(
    "image", ["docker.io/alpine", "--privileged", "localhost/x y", "xlocalhost/a", "localhost"]
)
async def test_only_images_that_are_listed_run(image: str) -> None:
    await failed("NotAllowed", contain(engine=NOWHERE, image=image, images=("localhost/*",)))
    assert not ContainerOptions(images=("*",)).allows("--privileged")


async def test_a_network_has_to_be_allowed() -> None:
    wants = contain(engine=NOWHERE, image=IMAGE, network="bridge")
    assert "FLOWRUNNER_CONTAINER_NETWORK" in (await failed("NotAllowed", wants)).message


@pytest.mark.parametrize("env", [{"A": "a\nB=b"}, {"A=B": "c"}, {"#": "c"}])
async def test_variables_stay_what_they_are(env: dict[str, str]) -> None:
    await failed("InvalidParams", contain(engine=NOWHERE, image=IMAGE, env=env))


def test_no_value_of_a_variable_is_in_the_command() -> None:
    params = read_params(CONTAINER, {"image": IMAGE, "command": ["--x"], "env": {"A": "s3cr3t"}})
    command = run_command(Path("/bin/docker"), params, "name", Path("/tmp/a/work"))
    assert "s3cr3t" not in " ".join(command)
    assert command[-2:] == [IMAGE, "--x"]
    assert {"--network=none", "--read-only", "--cap-drop=ALL"} <= set(command)
