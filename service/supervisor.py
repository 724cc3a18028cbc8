"""Several worker processes as one: started, watched, started again, and stopped together."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import AsyncExitStack, contextmanager, suppress
from typing import Any, Protocol

from service.guarded import guarded
from service.health import READY, Ready, health_endpoint
from service.settings import Address, SettingsInvalid, WorkerSettings

__all__ = ["supervise"]

_FIRST_PAUSE = 1.0
_LONGEST_PAUSE = 30.0
_STEADY = 60.0
"""After so many seconds of life the next end counts as a first one again."""

_ASKING = 0.1
_ANSWER = 3.0


class Log(Protocol):
    """Takes a line, and by name what it is about."""

    def info(self, event: str | None = None, *args: Any, **about: Any) -> Any: ...

    def warning(self, event: str | None = None, *args: Any, **about: Any) -> Any: ...


async def supervise(settings: WorkerSettings, command: Sequence[str], log: Log) -> int:
    """Run `settings.processes` workers until SIGTERM or SIGINT; gives the exit code.

    `command` starts one, with the number of an inherited socket appended on which it answers
    health checks. One that ends unasked is started again, each time after a longer pause; but if
    the first does not get ready, no others are started and its exit code is given. Raises
    `SettingsInvalid` before anything has started.
    """
    stopping = asyncio.Event()
    async with AsyncExitStack() as stack:
        workers = [
            _Worker(
                number,
                command=[*command, str(health.fileno())],
                env=_environment(settings, number),
                health=health,
                stopping=stopping,
                log=log,
            )
            for number in range(1, settings.processes + 1)
            for health in [stack.enter_context(socket.create_server(("127.0.0.1", 0)))]
        ]
        stack.enter_context(_forwarded(workers, stopping))
        if settings.health_address is not None:
            ready = _readiness(workers, stopping)
            await stack.enter_async_context(health_endpoint(settings.health_address, ready))
        code = await workers[0].begin()
        if code is not None and not stopping.is_set():
            return code if code > 0 else 1
        await asyncio.gather(*(each.keep() for each in workers))
        log.info("all worker processes stopped")
    return 0


class _Worker:
    """The process of one number, whichever it is at the moment."""

    def __init__(
        self,
        number: int,
        *,
        command: list[str],
        env: dict[str, str],
        health: socket.socket,
        stopping: asyncio.Event,
        log: Log,
    ) -> None:
        self.number = number
        self._command = command
        self._env = env
        self._health = health
        self._stopping = stopping
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()

    async def begin(self) -> int | None:
        """Start it; None once it is ready, or the exit code if it ends before."""
        process = self._start()
        while process.poll() is None and await self.trouble() is not None:  # noqa: ASYNC110
            await asyncio.sleep(_ASKING)
        return process.poll()

    async def keep(self) -> None:
        """Let there be one until all are to stop."""
        pause = _FIRST_PAUSE
        while self._process is not None or not self._stopping.is_set():
            begun = time.monotonic()
            code = await _exit_code(self._process or self._start())
            self._process = None
            if self._stopping.is_set():
                return
            pause = _FIRST_PAUSE if time.monotonic() - begun > _STEADY else pause
            self._log.warning(
                "worker process ended, starting it again",
                number=self.number,
                ended=_ended(code),
                pause_seconds=pause,
            )
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), pause)
            pause = min(2 * pause, _LONGEST_PAUSE)

    def _start(self) -> subprocess.Popen[bytes]:
        process = self._process = subprocess.Popen(
            guarded(self._command, signal.SIGTERM),
            env=self._env,
            stdin=subprocess.DEVNULL,
            pass_fds=[self._health.fileno()],
            start_new_session=True,  # the terminal's Ctrl-C is ours, and is forwarded once
        )
        self._log.info("worker process started", number=self.number, pid=process.pid)
        return process

    async def trouble(self) -> str | None:
        """Why it is not ready; None if it is."""
        if self._process is None or self._process.poll() is not None:
            return "is being started again"
        try:
            async with asyncio.timeout(_ANSWER):
                return await _asked(self._health.getsockname())
        except (OSError, TimeoutError, asyncio.IncompleteReadError):
            return "does not answer"


def _environment(settings: WorkerSettings, number: int) -> dict[str, str]:
    own = {"FLOWRUNNER_PROCESSES": "1", "FLOWRUNNER_HEALTH_ADDRESS": ""}
    if settings.metrics_address is not None:
        own["FLOWRUNNER_METRICS_ADDRESS"] = str(_nth(settings.metrics_address, number))
    return {**os.environ, **own}


def _nth(address: Address, number: int) -> Address:
    port = address.port + number - 1
    if port > 65535:
        expected = f"expected a port with {number - 1} more after it, one for each process"
        raise SettingsInvalid((f"FLOWRUNNER_METRICS_ADDRESS: {address}: {expected}",))
    return Address(address.host, port)


@contextmanager
def _forwarded(workers: Sequence[_Worker], stopping: asyncio.Event) -> Iterator[None]:
    """The event is set at the first signal. Each is handed on as SIGTERM: a worker takes the
    first one as a wish and the second as an order."""
    loop = asyncio.get_running_loop()

    def forward() -> None:
        stopping.set()
        for worker in workers:
            worker.stop()

    signals = (signal.SIGTERM, signal.SIGINT)
    for number in signals:
        loop.add_signal_handler(number, forward)
    try:
        yield
    finally:
        for number in signals:
            loop.remove_signal_handler(number)


def _readiness(workers: Sequence[_Worker], stopping: asyncio.Event) -> Ready:
    async def ready() -> str | None:
        if stopping.is_set():
            return "stopping"
        troubles = await asyncio.gather(*(worker.trouble() for worker in workers))
        reasons = (
            f"process {worker.number} of {len(workers)}: {trouble}"
            for worker, trouble in zip(workers, troubles, strict=True)
            if trouble is not None
        )
        return "; ".join(reasons) or None

    return ready


async def _asked(address: tuple[str, int]) -> str | None:
    """What the process itself says of why it is not ready."""
    reader, writer = await asyncio.open_connection(*address)
    try:
        writer.write(f"GET {READY[0]} HTTP/1.1\r\n\r\n".encode())
        await writer.drain()
        head = await reader.readuntil(b"\r\n\r\n")
        said = (await reader.read()).decode().strip()
    finally:
        writer.close()
    return None if head.split(b" ")[1] == b"200" else said


async def _exit_code(process: subprocess.Popen[bytes]) -> int:
    """Asks again and again: asyncio's own way may take a thread for each process, and one that is
    to hear of our end would hear of it from every thread."""
    while (code := process.poll()) is None:  # noqa: ASYNC110
        await asyncio.sleep(_ASKING)
    return code


def _ended(code: int) -> str:
    """In the words of people who look for the cause."""
    if code >= 0:
        return f"exit code {code}"
    try:
        return f"killed by {signal.Signals(-code).name}"
    except ValueError:
        return f"killed by signal {-code}"
