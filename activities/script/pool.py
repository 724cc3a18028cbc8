"""Processes that wait for scripts, as many as there are processors."""

from __future__ import annotations

import asyncio
import os
import struct
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

__all__ = ["Broken", "Child", "Late", "ScriptPool", "open_pool"]

_PROGRAM = Path(__file__).with_name("child.py")
_LONGEST_START = 60.0


class Broken(Exception):
    """A child has ended, or says what it should not."""


class Late(Exception):
    """A child has not answered in time."""


class Child:
    """One process, for one script at a time."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    @classmethod
    async def start(cls, library: Path, most_memory: int) -> Child:
        """Raises `Broken`."""
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-I", "-S", "-B", str(_PROGRAM), str(library), str(most_memory)),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            env={"TZ": "UTC"},
            cwd="/",
            start_new_session=True,
        )
        child = cls(process)
        try:
            async with asyncio.timeout(_LONGEST_START):
                await child._receive(most=0)
        except TimeoutError as error:
            await child.end()
            raise Broken("a process for scripts does not start") from error
        except BaseException:
            await child.end()
            raise
        return child

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def is_alive(self) -> bool:
        return self._process.returncode is None

    async def ask(self, request: bytes, *, seconds: float, most: int) -> bytes:
        """The answer, of `most` bytes at most. Raises `Broken` and `Late`."""
        try:
            async with asyncio.timeout(seconds):
                await self._send(request)
                return await self._receive(most=most)
        except TimeoutError as error:
            raise Late from error

    async def end(self) -> None:
        """Kills it, and sees it gone."""
        if self.is_alive:
            self._process.kill()
        await asyncio.shield(self._process.wait())

    async def _send(self, message: bytes) -> None:
        assert self._process.stdin is not None
        try:
            self._process.stdin.writelines((struct.pack(">I", len(message)), message))
            await self._process.stdin.drain()
        except OSError as error:
            raise Broken("the process for scripts has ended") from error

    async def _receive(self, *, most: int) -> bytes:
        assert self._process.stdout is not None
        try:
            (length,) = struct.unpack(">I", await self._process.stdout.readexactly(4))
            if length > most:
                raise Broken("the process for scripts says too much")
            return await self._process.stdout.readexactly(length)
        except asyncio.IncompleteReadError as error:
            raise Broken("the process for scripts has ended") from error


class ScriptPool:
    """Children, made when they are needed first; one that did not answer is replaced."""

    def __init__(self, size: int) -> None:
        self._free = asyncio.Semaphore(size)
        self._children: set[Child] = set()
        self._idle: list[Child] = []

    @property
    def children(self) -> frozenset[Child]:
        return frozenset(self._children)

    async def ask(
        self, library: Path, most_memory: int, request: bytes, *, seconds: float, most: int
    ) -> bytes:
        """What a child answers, in time counted from when it has the request.

        Raises `Broken` and `Late`; then, and when it is cancelled, the child is killed.
        """
        async with self._free:
            child = await self._child(library, most_memory)
            try:
                answer = await child.ask(request, seconds=seconds, most=most)
            except BaseException:
                self._children.discard(child)
                await child.end()
                raise
            self._idle.append(child)
            return answer

    async def _child(self, library: Path, most_memory: int) -> Child:
        while self._idle:
            child = self._idle.pop()
            if child.is_alive:
                return child
            self._children.discard(child)
        child = await Child.start(library, most_memory)
        self._children.add(child)
        return child

    async def close(self) -> None:
        await asyncio.gather(*(child.end() for child in self._children))


@asynccontextmanager
async def open_pool() -> AsyncGenerator[ScriptPool]:
    pool = ScriptPool(_processors())
    try:
        yield pool
    finally:
        await pool.close()


def _processors() -> int:
    if sys.platform == "linux":
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
