"""Files written so that nobody sees half of one, and twice is the same as once."""

from __future__ import annotations

import asyncio
import base64
import binascii
import errno
import fcntl
import io
import os
import secrets
import shutil
import stat
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import BinaryIO, Final

from activities.attempt import Attempt
from activities.errors import INVALID_PARAMS, NodeFailed
from activities.files.files import FILE_TOO_LARGE, WriteParams, WriteResult
from activities.files.folders import Place, explained, open_file, place_of
from activities.pieces import CONTENT_TOO_LARGE, read_aside
from claimcheck.stores.folders import sync_folder

__all__ = ["write_file"]

_PIECE: Final = 1_000_000
_PAUSE: Final = 0.05
_NEW: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_APPEND: Final = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


async def write_file(params: WriteParams, attempt: Attempt) -> WriteResult:
    place = place_of(params.path, attempt.folders)
    with tempfile.TemporaryFile() as content:
        size = await _spool(params, content)
        if params.mode == "append":
            await _append(params, place, content, attempt)
        else:
            work = _replace if params.mode == "replace" else _create
            await asyncio.to_thread(_write, params, place, content, work)
    return {"path": params.path, "bytes": size}


async def _spool(params: WriteParams, content: BinaryIO) -> int:
    """All of it is there before anything is written; gives its size."""

    def copy(data: BinaryIO) -> None:
        if params.base64:
            _decode(data, content)
        else:
            shutil.copyfileobj(data, content, _PIECE)

    most = params.max_bytes * 2 if params.base64 else params.max_bytes
    try:
        await read_aside(params.content, copy, most=most)
    except NodeFailed as failed:
        if failed.error is CONTENT_TOO_LARGE:
            raise _too_large(params) from failed
        raise
    size = content.tell()
    if size > params.max_bytes:
        raise _too_large(params)
    return size


def _too_large(params: WriteParams) -> NodeFailed:
    return NodeFailed(FILE_TOO_LARGE, f"the content has more than max_bytes: {params.max_bytes}")


def _decode(data: BinaryIO, content: BinaryIO) -> None:
    """Four characters are three bytes, so pieces are a multiple of four."""
    try:
        while piece := data.read(_PIECE):
            content.write(base64.b64decode(piece, validate=True))
    except binascii.Error as error:
        raise NodeFailed(INVALID_PARAMS, f"the content is not base64: {error}") from error


_Work = Callable[[int, str, BinaryIO], None]


def _write(params: WriteParams, place: Place, content: BinaryIO, work: _Work) -> None:
    with explained(params.path), place.folder(make=params.folders) as folder:
        work(folder, place.name, content)


def _create(folder: int, name: str, content: BinaryIO) -> None:
    with _written(folder, content) as temporary:
        try:
            os.link(temporary, name, src_dir_fd=folder, dst_dir_fd=folder, follow_symlinks=False)
        except FileExistsError:
            if not _is_same(folder, name, content):
                raise
        os.unlink(temporary, dir_fd=folder)
        sync_folder(folder)


def _replace(folder: int, name: str, content: BinaryIO) -> None:
    mode = _mode(folder, name)
    with _written(folder, content) as temporary:
        if mode is not None:
            os.chmod(temporary, mode, dir_fd=folder)
        os.rename(temporary, name, src_dir_fd=folder, dst_dir_fd=folder)
        sync_folder(folder)


def _mode(folder: int, name: str) -> int | None:
    """Who may use the file that is there; None if there is none."""
    try:
        found = os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return None
    if not stat.S_ISREG(found.st_mode):
        raise OSError(errno.ENXIO, "it is no file")
    return stat.S_IMODE(found.st_mode) & 0o777


@contextmanager
def _written(folder: int, content: BinaryIO) -> Iterator[str]:
    """The name of a file with the content, which is removed if this ends with an error."""
    temporary = f".{secrets.token_hex(8)}.tmp"
    with os.fdopen(os.open(temporary, _NEW, 0o666, dir_fd=folder), "wb") as file:
        try:
            content.seek(0)
            shutil.copyfileobj(content, file, _PIECE)
            file.flush()
            os.fsync(file.fileno())
            yield temporary
        except BaseException:
            with suppress(FileNotFoundError):
                os.unlink(temporary, dir_fd=folder)
            raise


def _is_same(folder: int, name: str, content: BinaryIO) -> bool:
    with os.fdopen(open_file(folder, name), "rb") as file:
        content.seek(0)
        same_size = os.fstat(file.fileno()).st_size == os.fstat(content.fileno()).st_size
        return same_size and _agree(file, content)


async def _append(params: WriteParams, place: Place, content: BinaryIO, attempt: Attempt) -> None:
    """The size of the file is told before it grows: by it the next attempt knows what of this one
    is there already."""
    with await asyncio.to_thread(_open_to_append, params, place) as file:
        while not _locked(file):  # noqa: ASYNC110 - another process holds it
            await asyncio.sleep(_PAUSE)
        before = attempt.progress
        if not isinstance(before, int):
            before = os.fstat(file.fileno()).st_size
            attempt.heartbeat(before)
        await asyncio.to_thread(_add, params, file, content, before)


def _open_to_append(params: WriteParams, place: Place) -> io.FileIO:
    with explained(params.path), place.folder(make=params.folders) as folder:
        file = io.FileIO(open_file(folder, place.name, _APPEND), "r+")
        sync_folder(folder)
        return file


def _locked(file: io.FileIO) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _add(params: WriteParams, file: io.FileIO, content: BinaryIO, before: int) -> None:
    with explained(params.path):
        end = file.seek(0, os.SEEK_END)
        file.seek(before)
        content.seek(0)
        is_begun = before <= end and _agree(file, content)
        if is_begun and end - before >= content.seek(0, os.SEEK_END):
            return
        file.seek(before if is_begun else end)
        content.seek(0)
        while piece := memoryview(content.read(_PIECE)):
            while piece:
                piece = piece[file.write(piece) :]
        os.fsync(file.fileno())


def _agree(one: io.FileIO | BinaryIO, other: BinaryIO) -> bool:
    """Whether both go on in the same way up to where one of them ends."""
    while (piece := one.read(_PIECE)) and (same := other.read(len(piece))):
        if piece[: len(same)] != same:
            return False
    return True
