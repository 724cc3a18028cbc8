"""One command from its start to its end, and what is made of how it ended."""

from __future__ import annotations

import asyncio
import json
import signal
from collections.abc import AsyncGenerator, Awaitable
from contextlib import aclosing, suppress
from typing import Any

from activities.attempt import Attempt
from activities.blobs import Blob, Kept
from activities.errors import NodeFailed
from activities.shell.folder import collect
from activities.shell.place import Place, Plan
from activities.shell.work import (
    CANNOT_START,
    COMMAND_FAILED,
    INVALID_OUTPUT,
    OUTPUT_TOO_LARGE,
    TIMED_OUT,
    Done,
    Work,
)
from flowspec.durations import format_duration
from flowspec.values import Json

__all__ = ["carried_out"]

_PIECE = 64 * 1024
_MOST_STDERR = 64 * 1024
_SHOWN = 1_000


async def carried_out(place: Place, plan: Plan, work: Work, attempt: Attempt) -> Done:
    """What came of it; the files are laid out already."""
    try:
        async with asyncio.timeout(work.time):
            await place.start(plan)
            _, (stdout, cut), stderr, told = await _together(
                _feed(place, work.stdin),
                _stdout(place, work, attempt),
                _tail(place.stderr),
                place.told(),
            )
    except TimeoutError as error:
        raise NodeFailed(
            TIMED_OUT,
            f"{work.called!r} took longer than {format_duration(work.time)} and was killed",
        ) from error
    _check_code(told, work, stderr)
    return {
        "code": _code(told),
        "stdout": stdout,
        "stderr": stderr,
        "truncated": cut,
        "value": _parsed(stdout, cut) if work.parse == "json" else None,
        "files": await collect(place.folder, work.collect, attempt, most=work.most_saved),
    }


async def _together(*parts: Awaitable[Any]) -> list[Any]:
    """What each gives; when one fails the others are ended."""
    tasks = [asyncio.ensure_future(part) for part in parts]
    try:
        return await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _feed(place: Place, stdin: Blob | None) -> None:
    """A command need not read all of it."""
    with suppress(BrokenPipeError, ConnectionResetError):
        if stdin is not None:
            async with aclosing(stdin.stream()) as pieces:
                async for piece in pieces:
                    place.stdin.write(piece)
                    await place.stdin.drain()
    place.stdin.close()


async def _stdout(place: Place, work: Work, attempt: Attempt) -> tuple[str | Kept, bool]:
    if work.save:
        pieces = _bounded(place.stdout, work.most_saved)
        return await attempt.keep(pieces, content_type="text/plain; charset=utf-8"), False
    most, kept, cut = work.most_read, bytearray(), False
    while piece := await place.stdout.read(_PIECE):  # to the end, or the command would wait
        room = most - len(kept)
        kept += piece[:room]
        cut = cut or len(piece) > room
    return kept.decode(errors="replace"), cut


async def _bounded(stream: asyncio.StreamReader, most: int) -> AsyncGenerator[bytes]:
    while piece := await stream.read(_PIECE):
        most -= len(piece)
        if most < 0:
            raise NodeFailed(OUTPUT_TOO_LARGE, "what it wrote to stdout is over max_bytes")
        yield piece


async def _tail(stream: asyncio.StreamReader) -> str:
    kept = b""
    while piece := await stream.read(_PIECE):
        kept = (kept + piece)[-_MOST_STDERR:]
    return kept.decode(errors="replace")


def _check_code(told: dict[str, Any], work: Work, stderr: str) -> None:
    name = work.called
    if "error" in told:
        raise NodeFailed(CANNOT_START, f"{name!r} cannot be started: {told['error']}")
    code = told["code"]
    if code in work.ok:
        return
    how = f"ended with code {code}" if code >= 0 else f"was killed by {_signal(-code)}"
    said = f": {stderr.strip()[-_SHOWN:]}" if stderr.strip() else ""
    details: Json = {"code": _code(told), "stderr": stderr}
    raise NodeFailed(COMMAND_FAILED, f"{name!r} {how}{said}", details=details)


def _code(told: dict[str, Any]) -> int:
    """As a shell would say it: 128 and the signal's number for a command that was killed."""
    code = int(told["code"])
    return code if code >= 0 else 128 - code


def _signal(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _parsed(stdout: str | Kept, cut: bool) -> Json:
    if cut or not isinstance(stdout, str):
        raise NodeFailed(
            OUTPUT_TOO_LARGE, "what it wrote to stdout is over max_bytes, so it is no JSON any more"
        )
    try:
        value: Json = json.loads(stdout, parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        raise NodeFailed(
            INVALID_OUTPUT,
            f"what it wrote to stdout is no JSON: {error}; it begins {stdout[:100]!r}",
        ) from error
    return value


def _no_number(name: str) -> Json:
    raise ValueError(f"{name} is no number")
