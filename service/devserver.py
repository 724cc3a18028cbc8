"""A local Temporal server with a database file: started, waited for, and stopped for certain."""

from __future__ import annotations

import asyncio
import fcntl
import os
import signal
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from service.client import connect
from service.errors import DevServerFailed, TemporalUnreachable
from service.guarded import guarded
from service.settings import TemporalSettings

__all__ = [
    "SEARCH_ATTRIBUTES",
    "DevServer",
    "DevServerOptions",
    "arguments",
    "dev_server",
    "reserved",
    "reserved_server",
]

SEARCH_ATTRIBUTES = {
    "FlowName": "Keyword",
    "FlowVersion": "Keyword",
    "FlowStatus": "Keyword",
    "FlowLabels": "KeywordList",
}

_HOST = "127.0.0.1"
_START_SECONDS = 60.0
_STOP_SECONDS = 10.0
_LOG_LINES = 20

# The stock server polls its queues 20 times a second, so that every step waits for the next
# tick of 50 ms; these limits are meant for a shared cluster. Its timers wait for up to a second
# more than asked, to be safe from clocks that differ between hosts; here there is one clock.
_TUNING: dict[str, int | str] = {
    "history.transferProcessorMaxPollRPS": 10_000,
    "history.timerProcessorMaxPollRPS": 10_000,
    "history.visibilityProcessorMaxPollRPS": 10_000,
    "history.timerProcessorMaxTimeShift": '"1ms"',
    "history.rps": 100_000,
    "frontend.rps": 100_000,
    "frontend.namespaceRPS": 100_000,
    "frontend.namespaceCount": 10_000,
    "matching.rps": 100_000,
    "matching.numTaskqueueReadPartitions": 1,
    "matching.numTaskqueueWritePartitions": 1,
}

# Half the time a step against SQLite's defaults. A crash loses nothing; a power cut may lose
# the last moments, never the file.
_PRAGMAS = {"journal_mode": "wal", "synchronous": "normal"}


@dataclass(frozen=True, kw_only=True)
class DevServerOptions:
    """`ui_port` None starts no UI; it asks `codec_url` for what Temporal does not hold."""

    cli: Path
    data_dir: Path
    port: int
    ui_port: int | None
    codec_url: str | None = None


class DevServer:
    """A server that answers; `ended` returns if it stops without having been asked to."""

    def __init__(self, options: DevServerOptions, process: asyncio.subprocess.Process) -> None:
        self.address = f"{_HOST}:{options.port}"
        self.ui_url = f"http://{_HOST}:{options.ui_port}" if options.ui_port else None
        self._log = _log(options)
        self._process = process

    async def ended(self) -> DevServerFailed:
        code = await self._process.wait()
        return DevServerFailed(
            f"the Temporal server ended by itself (exit code {code}): {_last_words(self._log)}"
        )


def arguments(options: DevServerOptions) -> list[str]:
    """What the Temporal CLI is called with."""
    flags = ["--ip", _HOST, "--port", str(options.port), "--log-level", "error"]
    flags += ["--headless"] if options.ui_port is None else _ui_flags(options)
    flags += ["--db-filename", str(options.data_dir / "temporal.db")]
    for name, value in _TUNING.items():
        flags += ["--dynamic-config-value", f"{name}={value}"]
    for name, text in _PRAGMAS.items():
        flags += ["--sqlite-pragma", f"{name}={text}"]
    for name, kind in SEARCH_ATTRIBUTES.items():
        flags += ["--search-attribute", f"{name}={kind}"]
    return ["server", "start-dev", *flags]


def _ui_flags(options: DevServerOptions) -> list[str]:
    flags = ["--ui-port", str(options.ui_port)]
    return [*flags, "--ui-codec-endpoint", options.codec_url] if options.codec_url else flags


@asynccontextmanager
async def dev_server(options: DevServerOptions) -> AsyncIterator[DevServer]:
    """Run a server inside the `with`; it is there when the block begins, gone when it ends.

    Raises `DevServerFailed` if it does not start: with the server's own words if it has any.
    """
    with reserved(options):
        async with reserved_server(options) as server:
            yield server


@contextmanager
def reserved(options: DevServerOptions) -> Iterator[None]:
    """Have the server's folder for ourselves inside the `with`, and its ports free at first.

    Raises `DevServerFailed`.
    """
    try:
        options.data_dir.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DevServerFailed(
            f"the folder {str(options.data_dir)!r} cannot be made: {error.strerror}"
        ) from error
    with _sole_user(options.data_dir):
        for port in (options.port, options.ui_port):
            _refuse_taken(port)
        yield


@asynccontextmanager
async def reserved_server(options: DevServerOptions) -> AsyncIterator[DevServer]:
    """`dev_server` for whoever has it `reserved`."""
    process = await _start(options)
    try:
        await _until_healthy(options, process)
        yield DevServer(options, process)
    finally:
        await _stop(process)


@contextmanager
def _sole_user(data_dir: Path) -> Iterator[None]:
    """Two servers on one database file would corrupt each other's view of it."""
    with (data_dir / "lock").open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            raise DevServerFailed(
                f"{str(data_dir)!r} is in use by another `flowrunner dev` (process "
                f"{lock.read().strip() or 'unknown'}).\n"
                "Stop that one, or give this one a --data-dir, --port and --ui-port of its own."
            ) from None
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        yield


def _refuse_taken(port: int | None) -> None:
    """Before the start: a server that is already there would be mistaken for ours."""
    if port is None:
        return
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((_HOST, port))
        except OSError as error:
            raise DevServerFailed(
                f"port {port} cannot be used: {error.strerror}.\n"
                "Is another Temporal server running? Choose other ports with --port and --ui-port."
            ) from error


async def _start(options: DevServerOptions) -> asyncio.subprocess.Process:
    command = guarded([str(options.cli.absolute()), *arguments(options)])
    # The server reads the CLI's variables and file too; they describe some other server.
    env = {name: text for name, text in os.environ.items() if not name.startswith("TEMPORAL_")}
    with _log(options).open("wb") as log:
        return await asyncio.create_subprocess_exec(
            *command,
            env={**env, "TEMPORAL_CONFIG_FILE": os.devnull},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,  # the terminal's Ctrl-C is ours: the worker stops first
        )


async def _until_healthy(options: DevServerOptions, process: asyncio.subprocess.Process) -> None:
    settings = TemporalSettings(address=f"{_HOST}:{options.port}")
    try:
        async with asyncio.timeout(_START_SECONDS):
            # A server that starts sets no event; there is nothing to do but ask again.
            while process.returncode is None and not await _answers(settings):  # noqa: ASYNC110
                await asyncio.sleep(0.05)
    except TimeoutError:
        raise DevServerFailed(
            f"the Temporal server did not answer within {_START_SECONDS:g} seconds: "
            f"{_last_words(_log(options))}"
        ) from None
    if process.returncode is not None:
        raise DevServerFailed(f"the Temporal server did not start: {_last_words(_log(options))}")


async def _answers(settings: TemporalSettings) -> bool:
    try:
        await connect(settings)
    except TemporalUnreachable:
        return False
    return True


async def _stop(process: asyncio.subprocess.Process) -> None:
    if process.returncode is not None:
        return
    try:
        process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(_STOP_SECONDS):
            await process.wait()
    except TimeoutError:
        pass
    finally:  # also when we are told to hurry
        if process.returncode is None:
            process.kill()


def _log(options: DevServerOptions) -> Path:
    return options.data_dir / "temporal.log"


def _last_words(log: Path) -> str:
    lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    words = "\n".join(lines[-_LOG_LINES:]).removeprefix("Error: ")
    return words or f"it said nothing (see {str(log)!r})"
