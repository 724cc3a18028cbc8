"""What goes into a command's folder, and what is brought back from it."""

from __future__ import annotations

import asyncio
import os
import stat
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from pathlib import Path, PurePosixPath

from activities.attempt import Attempt
from activities.blobs import Blob
from activities.errors import NodeFailed
from activities.shell.work import FILES_REFUSED, OUTPUT_TOO_LARGE, Collected

__all__ = ["check_names", "collect", "lay_out"]

_MOST_FILES = 1_000
_PIECE = 1_000_000
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


def check_names(names: Sequence[str], what: str) -> None:
    """Fails with `FilesRefused` for a name that leads out of the folder."""
    for name in names:
        path = PurePosixPath(name)
        if not path.parts or path.is_absolute() or ".." in path.parts or "\0" in name:
            raise NodeFailed(
                FILES_REFUSED, f"{what}: {name[:100]!r} is no name inside the command's folder"
            )


async def lay_out(folder: Path, files: Mapping[str, Blob], attempt: Attempt) -> None:
    for name, blob in files.items():
        path = folder / name
        try:
            await asyncio.to_thread(path.parent.mkdir, parents=True, exist_ok=True)
            file = await asyncio.to_thread(path.open, "xb")
        except OSError as error:
            raise NodeFailed(FILES_REFUSED, f"files: {name[:100]!r}: {error.strerror}") from error
        with file:
            async with aclosing(blob.stream()) as pieces:
                async for piece in pieces:
                    await asyncio.to_thread(file.write, piece)
        attempt.heartbeat()


async def collect(
    folder: Path, patterns: Sequence[str], attempt: Attempt, *, most: int
) -> list[Collected]:
    """The files that fit, in the object store. Links are not followed."""
    found: list[Collected] = []
    for path in await asyncio.to_thread(_matching, folder, patterns):
        file = await asyncio.to_thread(_open, folder, path)
        if file is None:
            continue
        try:
            most -= os.fstat(file).st_size
            if most < 0:
                raise NodeFailed(OUTPUT_TOO_LARGE, "the files to collect are over max_bytes")
            kept = await attempt.keep(_pieces(file), content_type="text/plain; charset=utf-8")
        finally:
            os.close(file)
        found.append({"name": path, "bytes": kept.size, "content": kept})
        attempt.heartbeat()
    return found


def _matching(folder: Path, patterns: Sequence[str]) -> list[str]:
    names = {
        path.relative_to(folder).as_posix() for pattern in patterns for path in folder.glob(pattern)
    }
    if len(names) > _MOST_FILES:
        raise NodeFailed(OUTPUT_TOO_LARGE, f"there are more than {_MOST_FILES:,} files to collect")
    for name in names:
        if not name.isprintable():
            raise NodeFailed(FILES_REFUSED, f"collect: {name!a} is no name that can be told")
    return sorted(names)


def _open(folder: Path, name: str) -> int | None:
    """The descriptor of a regular file that no link leads to; None for anything else. Nothing
    runs any more that could change the folder meanwhile."""
    if (folder / name).resolve() != folder.resolve() / name:
        return None
    try:
        file = os.open(folder / name, _READ)
    except OSError:
        return None
    if stat.S_ISREG(os.fstat(file).st_mode):
        return file
    os.close(file)
    return None


async def _pieces(file: int) -> AsyncGenerator[bytes]:
    while piece := await asyncio.to_thread(os.read, file, _PIECE):
        yield piece
