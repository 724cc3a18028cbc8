"""`make demo`: a Temporal server, a worker and a flow that runs to its end before your eyes.

Everything is what a user would type: `flowrunner dev`, `flowrunner run`, `flowrunner approve`.
The small service that the flow calls, and the person who approves, are played from here.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from examples.service import HttpService, play
from service.guarded import guarded

ROOT = Path(__file__).parent.parent
EXAMPLES = ROOT / "examples"
FLOWRUNNER = Path(sys.executable).with_name("flowrunner")
RUN_ID = "tour-1"
START_SECONDS = 60.0
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

WHERE_NEXT = """
That was examples/tour.yaml on a real Temporal server, which is gone again. Next:

  make dev                                    the same server and a worker, to keep (other terminal)
  source .venv/bin/activate                   puts `flowrunner` and `temporal` on your PATH
  flowrunner run hello --set name=Ada         run one of examples/
  $EDITOR examples/hello.yaml                 change it, run it again; break it, then:
  flowrunner validate examples/hello.yaml     read what is wrong
  open http://localhost:8233                  Temporal's own UI

docs/tutorial.md goes on from there.
"""


class DemoFailed(Exception):
    """The demo could not go on; the text says why."""


class Stopped(Exception):
    """Somebody pressed Ctrl-C or sent SIGTERM."""


def main() -> int:
    for number in SIGNALS:
        signal.signal(number, _stop)
    try:
        return _demo()
    except Stopped:
        print("\nStopped; nothing is left running.")
        return 130
    except DemoFailed as failure:
        print(f"\nThe demo failed: {failure}", file=sys.stderr)
        return 1


def _stop(_number: int, _frame: FrameType | None) -> None:
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)  # cleaning up must not be cut short by a second one
    raise Stopped


def _demo() -> int:
    print("Starting Temporal and a worker ...", flush=True)
    with tempfile.TemporaryDirectory(prefix="flowrunner-demo-") as folder, HttpService() as service:
        play(service, EXAMPLES / "tour" / "service.yaml")
        with _dev(Path(folder)) as env:
            print("Running examples/tour.yaml; it is approved from here, too\n", flush=True)
            code = _run(env, service.url)
        if code != 0:
            raise DemoFailed(f"the flow ended with exit code {code}")
    print(WHERE_NEXT)
    return 0


@contextmanager
def _dev(folder: Path) -> Iterator[Mapping[str, str]]:
    """`flowrunner dev` on free ports inside the `with`; gives the environment to reach it."""
    port, ui_port, codec_port, health = _free_ports(4)
    env = _environment(f"127.0.0.1:{port}", folder / "blobs")
    command = [str(FLOWRUNNER), "dev", "--port", str(port), "--ui-port", str(ui_port)]
    command += ["--codec-port", str(codec_port), "--data-dir", str(folder)]
    log = folder / "dev.log"
    with log.open("wb") as sink:
        process = subprocess.Popen(
            guarded(command, signal.SIGTERM),
            env={**env, "FLOWRUNNER_HEALTH_ADDRESS": f"127.0.0.1:{health}"},
            stdin=subprocess.DEVNULL,
            stdout=sink,
            stderr=sink,
            start_new_session=True,  # so that Ctrl-C reaches us first and we end it in good order
        )
        try:
            _wait_for(health, process, log)
            yield env
        finally:
            _end(process)


def _environment(address: str, blobs: Path) -> dict[str, str]:
    ours = ("FLOWRUNNER_", "TEMPORAL_", "FLOWS_DIR", "BLOB_STORAGE_", "CLAIM_CHECK_", "R2_")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    settings = {"TEMPORAL_ADDRESS": address, "FLOWS_DIR": str(EXAMPLES)}
    own = {"BLOB_STORAGE_PATH": str(blobs), "TEMPORAL_CONFIG_FILE": os.devnull}
    return {**kept, **settings, **own}


def _free_ports(count: int) -> list[int]:
    probes = [socket.socket() for _ in range(count)]
    try:
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [probe.getsockname()[1] for probe in probes]
    finally:
        for probe in probes:
            probe.close()


def _wait_for(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while not _healthy(port):
        if process.poll() is not None or time.monotonic() > deadline:
            raise DemoFailed(f"`flowrunner dev` did not start:\n{log.read_text(errors='replace')}")
        time.sleep(0.05)


def _healthy(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=2) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def _end(process: subprocess.Popen[bytes], number: int = signal.SIGTERM) -> None:
    if process.poll() is None:
        process.send_signal(number)
    try:
        process.wait(20)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _run(env: Mapping[str, str], service: str) -> int:
    """`flowrunner run` in the foreground, and somebody to approve beside it."""
    command = [str(FLOWRUNNER), "run", "tour", "--id", RUN_ID]
    command += ["--input", f"@{EXAMPLES / 'tour' / 'input.json'}", "--set", f"service={service}"]
    process = subprocess.Popen(
        guarded(command, signal.SIGINT), env=dict(env), cwd=ROOT, start_new_session=True
    )
    over = threading.Event()
    approver = threading.Thread(target=_approve, args=(env, over), daemon=True)
    approver.start()
    try:
        return process.wait()
    finally:
        over.set()
        _end(process, signal.SIGINT)  # as Ctrl-C would, so that it tidies up the terminal
        approver.join(10)


def _approve(env: Mapping[str, str], over: threading.Event) -> None:
    """Wait until the run asks, look at it for a moment, and say yes."""
    while not over.wait(0.3):
        asked = _flowrunner(env, "status", RUN_ID, "--json")
        if asked.returncode == 0 and json.loads(asked.stdout)["waiting"]:
            break
    if not over.wait(1.5):
        answer = json.dumps({"note": "Gladly"})
        options = ["--action", "approved", "--data", answer, "--by", "make demo"]
        _flowrunner(env, "approve", RUN_ID, "approve", *options)


def _flowrunner(env: Mapping[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(FLOWRUNNER), *arguments],
        env=dict(env),
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        check=False,
    )


if __name__ == "__main__":
    sys.exit(main())
