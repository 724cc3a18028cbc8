"""The shipped product under test: real processes, configured by their environment alone.

Nothing here wires parts of Flowrunner together. A worker is `python worker.py`, a command is
`flowrunner`, the server is the packaged `temporal`, and a test sees what a user would see.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import re
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

from temporalio.client import Client, WorkflowHandle

from claimcheck import ClaimCheckPlugin, FilesystemStore
from examples.service import Answer, HttpService, Received
from service.devserver import DevServerOptions, arguments
from service.errors import NoWorker
from service.runs.looking import query
from service.settings.sizes import parse_size

__all__ = [
    "PATIENCE",
    "ROOT",
    "Answer",
    "HttpService",
    "Product",
    "Received",
    "Running",
    "TemporalServer",
    "asked",
    "clean_environment",
    "free_port",
    "start_temporal",
    "status_of",
    "temporal_binary",
    "until",
]

ROOT = Path(__file__).parents[2]
_BIN = Path(sys.executable).parent
_LEAK = re.compile(
    r"ResourceWarning|was never awaited|was destroyed but it is pending|was never retrieved"
)
_PORTS = range(10_000, 32_000)
"""Below those that systems give to connections going out: one such could take a port meanwhile."""

UNCACHED = os.environ.get("TEST_UNCACHED") == "1"
"""Whether workers keep no run in memory, so that each step of each is a replay."""

_A_QUESTION = timedelta(seconds=10)
PATIENCE = 120.0 if UNCACHED else 60.0
"""Seconds. Without a cache the SDK now and then loses a workflow task, which comes again ten
seconds later."""

_OURS = (
    *("FLOWRUNNER_", "TEMPORAL_", "FLOWS_DIR", "BLOB_STORAGE_", "CLAIM_CHECK_", "R2_", "AWS_"),
    *("XDG_DATA_HOME", "COLUMNS", "NO_COLOR", "FORCE_COLOR"),
)


def temporal_binary() -> Path:
    """Temporal's own command line, as `make setup` installed it."""
    return _BIN / "temporal"


def free_port() -> int:
    """A TCP port of 127.0.0.1 that nothing listens on now."""
    while True:
        port = random.choice(_PORTS)
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


def clean_environment(**settings: str) -> dict[str, str]:
    """This process's environment without any setting of Flowrunner or Temporal, plus `settings`."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(_OURS)}
    return {**kept, "TEMPORAL_CONFIG_FILE": os.devnull, **settings}


async def status_of(run: WorkflowHandle[Any, Any]) -> dict[str, Any]:
    """What the run says of itself, as it says it."""
    status: dict[str, Any] = await asked(run, "status")
    return status


async def asked(run: WorkflowHandle[Any, Any], query_name: str) -> Any:
    """With patience for a busy machine, on which now and then a question is lost between the
    server and a worker that is well."""
    async with asyncio.timeout(PATIENCE):
        while True:
            with suppress(NoWorker):
                return await query(run, query_name, within=_A_QUESTION)


def until(condition: Callable[[], bool], *, what: str, seconds: float = PATIENCE) -> None:
    """Ask again until `condition` holds; a test that waits in vain fails, naming `what`."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {seconds:g} s in vain for {what}")
        threading.Event().wait(0.05)


class Running:
    """A process of ours that writes to a log file and is ended by its own id."""

    def __init__(self, name: str, argv: list[str], *, env: Mapping[str, str], log: Path) -> None:
        self.name = name
        self.log = log
        with log.open("ab") as sink:
            self._process = subprocess.Popen(
                argv,
                env=dict(env),
                cwd=log.parent,
                stdin=subprocess.DEVNULL,
                stdout=sink,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def exit_code(self) -> int | None:
        """None while it runs."""
        return self._process.poll()

    def stop(self, *, seconds: float = 60.0) -> int:
        """SIGTERM, and SIGKILL if that is not heard; returns the exit code."""
        if self.exit_code is None:
            self._process.send_signal(signal.SIGTERM)
        try:
            return self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()
            raise

    def kill(self) -> None:
        """SIGKILL: what a crash looks like."""
        if self.exit_code is None:
            self._process.kill()
        self._process.wait(10)

    def output(self) -> str:
        return self.log.read_text(errors="replace") if self.log.exists() else ""


@dataclass(frozen=True, kw_only=True)
class TemporalServer:
    """A tuned development server with nothing in it."""

    address: str
    process: Running


@contextmanager
def start_temporal(folder: Path, *more: str) -> Iterator[TemporalServer]:
    """Run the server as `flowrunner dev` would, on a free port, headless, its data in `folder`.

    `more` are further arguments of its command line.
    """
    port = free_port()
    options = DevServerOptions(cli=temporal_binary(), data_dir=folder, port=port, ui_port=None)
    argv = [str(options.cli), *arguments(options), *more]
    log = folder / "temporal.log"
    process = Running("temporal", argv, env=clean_environment(), log=log)
    try:
        until(
            lambda: "Temporal Server:" in process.output() or process.exit_code is not None,
            what="the Temporal server",
        )
        if process.exit_code is not None:
            raise AssertionError(f"the Temporal server ended at once:\n{process.output()}")
        yield TemporalServer(address=f"127.0.0.1:{port}", process=process)
    finally:
        process.stop()


@dataclass(kw_only=True)
class Product:
    """Flowrunner as installed: one task queue, one folder of flows, and what runs of it."""

    address: str
    folder: Path
    settings: dict[str, str] = field(default_factory=dict)
    task_queue: str = field(default_factory=lambda: f"flows-{uuid.uuid4().hex[:8]}")
    workers: list[Running] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.flows_dir.mkdir(parents=True, exist_ok=True)

    @property
    def flows_dir(self) -> Path:
        return self.folder / "flows"

    @property
    def blobs(self) -> Path:
        """Where its large values are, unless its settings say otherwise."""
        return self.folder / "blobs"

    def environment(self, **settings: str) -> dict[str, str]:
        own = {
            "TEMPORAL_ADDRESS": self.address,
            "FLOWRUNNER_TASK_QUEUE": self.task_queue,
            "FLOWS_DIR": str(self.flows_dir),
            "FLOWRUNNER_HTTP_PRIVATE": "allow",  # what flows talk to here is on loopback
            "PYTHONWARNINGS": "always::ResourceWarning",  # `stop` looks for them
        }
        if UNCACHED:
            own["FLOWRUNNER_MAX_CACHED_WORKFLOWS"] = "0"
        if "BLOB_STORAGE_TYPE" not in {**self.settings, **settings}:
            own["BLOB_STORAGE_PATH"] = str(self.blobs)
        return clean_environment(**{**own, **self.settings, **settings})

    def write_flow(self, name: str, text: str) -> Path:
        """Put a flow into FLOWS_DIR, where runs find it by name."""
        path = self.flows_dir / f"{name}.yaml"
        path.write_text(text, encoding="utf-8")
        return path

    def start_worker(self, **settings: str) -> Running:
        """Start `python worker.py` and return when its health endpoint says that it is ready."""
        health = f"127.0.0.1:{free_port()}"
        env = self.environment(
            FLOWRUNNER_HEALTH_ADDRESS=health, FLOWRUNNER_LOG_FORMAT="json", **settings
        )
        log = self.folder / f"worker-{len(self.workers)}.log"
        worker = Running("worker", [sys.executable, str(ROOT / "worker.py")], env=env, log=log)
        self.workers.append(worker)
        until(lambda: worker.exit_code is not None or _healthy(health), what="a healthy worker")
        if worker.exit_code is not None:
            raise AssertionError(f"the worker ended at once:\n{worker.output()}")
        return worker

    def stop(self) -> None:
        """End every worker that was started here; fails if one has left something open."""
        for worker in self.workers:
            worker.stop()
        for worker in self.workers:
            leaks = [line for line in worker.output().splitlines() if _LEAK.search(line)]
            assert not leaks, f"{worker.log.stem} left open: {leaks[:5]}"

    def cli(
        self,
        *arguments: str,
        stdin: str | None = None,
        seconds: float = 60.0,
        **settings: str,
    ) -> subprocess.CompletedProcess[str]:
        """Run `flowrunner ARGUMENTS` as a script would, without a terminal."""
        return self._run([str(_BIN / "flowrunner"), *arguments], stdin, seconds, settings)

    def cli_json(self, *arguments: str, seconds: float = 60.0, **settings: str) -> Any:
        """Run `flowrunner ARGUMENTS` and read its standard output as one JSON value."""
        done = self.cli(*arguments, seconds=seconds, **settings)
        try:
            return json.loads(done.stdout)
        except json.JSONDecodeError:
            raise AssertionError(
                f"flowrunner {' '.join(arguments)} ended with {done.returncode} and no JSON:\n"
                f"{done.stdout}\n{done.stderr}"
            ) from None

    def start_cli(self, *arguments: str, **settings: str) -> Running:
        """Start `flowrunner ARGUMENTS` and leave it running; its output is in a log."""
        log = self.folder / f"cli-{uuid.uuid4().hex[:8]}.log"
        env = self.environment(**settings)
        return Running("flowrunner", [str(_BIN / "flowrunner"), *arguments], env=env, log=log)

    def temporal(
        self, *arguments: str, stdin: str | None = None, seconds: float = 60.0
    ) -> subprocess.CompletedProcess[str]:
        """Run Temporal's own command line."""
        return self._run([str(temporal_binary()), *arguments], stdin, seconds, {})

    async def client(self) -> Client:
        """A Temporal client with the claim check, as any user of the Python SDK can have it."""
        threshold = parse_size(self.settings.get("CLAIM_CHECK_THRESHOLD", "50KB"))
        plugin = ClaimCheckPlugin(FilesystemStore(self.blobs), threshold=threshold)
        return await Client.connect(self.address, plugins=[plugin])

    async def plain_client(self) -> Client:
        """A Temporal client without anything of ours."""
        return await Client.connect(self.address)

    def _run(
        self, argv: list[str], stdin: str | None, seconds: float, settings: Mapping[str, str]
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            argv,
            env=self.environment(**settings),
            cwd=self.folder,
            input="" if stdin is None else stdin,
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )


def _healthy(address: str) -> bool:
    try:
        with urllib.request.urlopen(f"http://{address}/health", timeout=2) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False
