"""`make demo` does what the README says, and leaves nothing behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.server.support import ROOT, clean_environment, until

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks at /proc")


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """`make demo`, every process of which carries a mark in its environment."""
    env = clean_environment(DEMO_MARK=str(tmp_path))
    with (tmp_path / "out").open("wb") as out:
        process = subprocess.Popen(
            ["make", "demo"],
            cwd=ROOT,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    yield process
    if process.poll() is None:
        _to_the_group(process)
    process.wait(60)
    for pid, _ in _marked(tmp_path):  # what a test has found that should not be there
        os.kill(pid, signal.SIGKILL)


def test_it_runs_the_flow_to_its_end_and_leaves_no_process(
    demo: subprocess.Popen[bytes], tmp_path: Path
) -> None:
    assert demo.wait(300) == 0, _output(tmp_path)  # set-up included, where there is none yet
    text = _output(tmp_path)
    assert "Ada Lovelace orders for 182. Fine?" in text
    assert '"shipment": "s-1"' in text
    assert "docs/tutorial.md" in text
    assert _left_behind(tmp_path) == []


def _to_the_group(process: subprocess.Popen[bytes]) -> None:
    os.killpg(process.pid, signal.SIGINT)


def _to_make_only(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGINT)


@pytest.mark.parametrize("interrupt", [_to_the_group, _to_make_only])
def test_ctrl_c_leaves_no_process(
    interrupt: Callable[[subprocess.Popen[bytes]], None],
    demo: subprocess.Popen[bytes],
    tmp_path: Path,
) -> None:
    until(lambda: "price" in _output(tmp_path), what="the flow", seconds=60)
    interrupt(demo)
    assert demo.wait(100) != 0
    assert _left_behind(tmp_path) == []


def test_a_demo_that_is_killed_leaves_no_process(
    demo: subprocess.Popen[bytes], tmp_path: Path
) -> None:
    until(lambda: "price" in _output(tmp_path), what="the flow", seconds=60)
    assert len(_left_behind(tmp_path)) > 3
    (own,) = [pid for pid, line in _marked(tmp_path) if line.endswith("-m scripts.demo ")]
    os.kill(own, signal.SIGKILL)
    assert demo.wait(60) != 0
    until(lambda: _left_behind(tmp_path) == [], what="the end of all that it had started")


def _output(folder: Path) -> str:
    return (folder / "out").read_text(errors="replace")


def _left_behind(folder: Path) -> list[str]:
    return [line for _, line in _marked(folder)]


def _marked(folder: Path) -> list[tuple[int, str]]:
    mark = f"DEMO_MARK={folder}".encode()
    return [
        (int(process.name), _of(process, "cmdline").decode().replace("\0", " "))
        for process in Path("/proc").iterdir()
        if process.name.isdigit() and mark in _of(process, "environ")
    ]


def _of(process: Path, what: str) -> bytes:
    """Nothing of one that has just ended."""
    try:
        return (process / what).read_bytes()
    except OSError:
        return b""
