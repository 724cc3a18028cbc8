"""A folder and a process that sees a command through, as the worker has them in hand."""

from __future__ import annotations

import asyncio
import json
import shutil
import socket
import sys
import tempfile
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from activities.errors import NodeFailed
from activities.shell.work import CANNOT_START

__all__ = ["Place", "Plan", "open_place"]

_KEEPER = Path(__file__).with_name("keeper.py")
_PIECE = 64 * 1024
_LONGEST_START = 60.0
_LONGEST_END = 180.0


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What the keeper runs. `beforehand` and `afterwards` are commands whose result nobody looks
    at, the latter for when nothing more is wanted of it;
    `sweep` kills what it leaves running. `limits` are by their names in the module `resource`."""

    program: str
    command: Sequence[str]
    env: Mapping[str, str]
    folder: str
    limits: Mapping[str, int] = field(default_factory=dict)
    sweep: bool = True
    beforehand: Sequence[Sequence[str]] = ()
    afterwards: Sequence[Sequence[str]] = ()


class Place:
    """Where one command runs, once."""

    def __init__(
        self,
        process: asyncio.subprocess.Process,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        self._process = process
        self._reader = reader
        self._writer = writer
        self.folder = Path()

    @property
    def stdin(self) -> asyncio.StreamWriter:
        assert self._process.stdin is not None
        return self._process.stdin

    @property
    def stdout(self) -> asyncio.StreamReader:
        assert self._process.stdout is not None
        return self._process.stdout

    @property
    def stderr(self) -> asyncio.StreamReader:
        assert self._process.stderr is not None
        return self._process.stderr

    async def settle(self) -> None:
        async with asyncio.timeout(_LONGEST_START):
            self.folder = Path((await self.told())["folder"])

    async def start(self, plan: Plan) -> None:
        self._writer.write(json.dumps(asdict(plan)).encode() + b"\n")
        await self._writer.drain()

    async def told(self) -> dict[str, Any]:
        """The next thing the keeper says; fails with `CannotStart` if it is gone."""
        line = await self._reader.readline()
        if not line:
            raise NodeFailed(CANNOT_START, "the process that sees to the command has ended")
        told: dict[str, Any] = json.loads(line)
        return told

    async def end(self) -> None:
        """The command killed if it still runs, and the folder gone."""
        self._writer.close()
        self.stdin.close()
        try:
            async with asyncio.timeout(_LONGEST_END):
                for stream in (self.stdout, self.stderr):  # or their pipes would stay open
                    while await stream.read(_PIECE):
                        pass
                await self._process.wait()
        except TimeoutError:
            self._process.kill()
            await self._process.wait()
        if self.folder.name:  # its keeper may have been killed
            await asyncio.to_thread(shutil.rmtree, self.folder.parent, ignore_errors=True)
        with suppress(OSError):
            await self._writer.wait_closed()


@asynccontextmanager
async def open_place() -> AsyncGenerator[Place]:
    """Fails with `CannotStart`."""
    place = await _open()
    try:
        try:
            await place.settle()
        except (TimeoutError, OSError) as error:
            raise NodeFailed(CANNOT_START, "no process for the command starts") from error
        yield place
    finally:
        await asyncio.shield(asyncio.ensure_future(place.end()))


async def _open() -> Place:
    ours, theirs = socket.socketpair()
    with theirs:
        try:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-I", "-S", "-B", str(_KEEPER)),
                *(str(theirs.fileno()), tempfile.gettempdir()),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                pass_fds=(theirs.fileno(),),
                env={},
                cwd="/",
                start_new_session=True,
            )
        except BaseException as error:
            ours.close()
            if isinstance(error, OSError):
                raise NodeFailed(CANNOT_START, f"no process starts: {error.strerror}") from error
            raise
    ours.setblocking(False)
    reader, writer = await asyncio.open_connection(sock=ours)
    return Place(process, reader, writer)
