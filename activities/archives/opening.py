"""Archives opened without trust in what they say of themselves."""

from __future__ import annotations

import asyncio
import gzip
import io
import mimetypes
import re
import struct
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from fnmatch import translate
from itertools import chain
from typing import IO, Any, BinaryIO, Final

from activities.archives.archive import (
    INVALID_ARCHIVE,
    UNSAFE_ARCHIVE,
    Entry,
    ExtractParams,
    ExtractResult,
)
from activities.archives.names import Names
from activities.attempt import Attempt
from activities.blobs import BINARY_TYPE, TEXT_TYPE, Kept, is_textual
from activities.errors import NodeFailed
from activities.pieces import CONTENT_TOO_LARGE, made_aside, read_aside

__all__ = ["opened"]

_MOST_BYTES: Final = 100_000_000_000
_MOST_AROUND: Final = 20_000_000
"""Bytes of an archive that are no file's: headers and names."""
_MOST_MEMBERS: Final = 100_000
_HEAD: Final = 64 * 1024
_PIECE: Final = 1_000_000
_LARGEST_READ: Final = 8_000_000
"""What a library reads at once is a table of names or a header; more of it is a bomb."""
_BROKEN: Final = (
    zipfile.BadZipFile,
    tarfile.TarError,
    gzip.BadGzipFile,
    zlib.error,
    EOFError,
    NotImplementedError,
    OverflowError,
    RuntimeError,
    ValueError,
    struct.error,
)


@dataclass(frozen=True, kw_only=True)
class _Member:
    name: str
    open: Callable[[], IO[bytes]]


async def opened(params: ExtractParams, attempt: Attempt) -> ExtractResult:
    files: list[Entry] = []
    limits = _Limits(params)
    with tempfile.TemporaryFile() as file, ExitStack() as stack:
        kind = await read_aside(
            params.content, lambda data: _spool(data, file, params), most=_MOST_BYTES
        )
        members = _FORMATS[kind](file, limits, stack)
        while (member := await asyncio.to_thread(_next, members)) is not None:
            files.append(await _taken(member, limits, attempt))
            attempt.heartbeat({"files": len(files), "bytes": limits.seen})
    return {"files": files, "count": len(files), "bytes": limits.seen}


def _next(members: Iterator[_Member]) -> _Member | None:
    with _explained():
        return next(members, None)


class _Limits:
    """What may be taken out, and how much of it was."""

    def __init__(self, params: ExtractParams) -> None:
        self.seen = 0
        self._most_files = params.max_files
        self._most_bytes = params.max_bytes
        self._include = re.compile("|".join(map(translate, params.include)))
        self._names = Names()

    def takes(self, name: str) -> str | None:
        """The name as it is told; None if it was not asked for."""
        plain = self._names.add(name)
        return plain if self._include.match(plain) else None

    def begin(self, number: int) -> None:
        if number > self._most_files:
            raise NodeFailed(
                CONTENT_TOO_LARGE,
                f"there are more than max_files: {self._most_files} files; raise it, or say with "
                "include which to take",
            )

    def add(self, size: int) -> None:
        self.seen += size
        if self.seen > self._most_bytes:
            raise NodeFailed(
                CONTENT_TOO_LARGE,
                f"the files have more than max_bytes: {self._most_bytes:,} bytes",
            )


@contextmanager
def _explained() -> Iterator[None]:
    try:
        yield
    except _BROKEN as error:
        raise NodeFailed(INVALID_ARCHIVE, f"the archive cannot be read: {error}") from error


def _spool(data: io.BufferedReader, file: BinaryIO, params: ExtractParams) -> str:
    """Write the archive into the file, unpacked if it is packed as a whole; gives its kind."""
    kind = params.format if params.format != "auto" else _kind(data.peek(2))
    left = params.max_bytes + _MOST_AROUND
    with _explained():
        source = gzip.GzipFile(fileobj=data) if kind == "tar.gz" else data
        while piece := source.read(_PIECE):
            left -= len(piece)
            if left < 0:
                raise NodeFailed(
                    CONTENT_TOO_LARGE,
                    f"the archive has more than max_bytes: {params.max_bytes:,} bytes",
                )
            file.write(piece)
    file.seek(0)
    return kind


def _kind(head: bytes) -> str:
    if head.startswith(b"PK"):
        return "zip"
    return "tar.gz" if head.startswith(b"\x1f\x8b") else "tar"


class _Wary:
    """A file of which nobody reads very much at once."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    def read(self, size: int = -1) -> bytes:
        data = self._file.read(size if 0 <= size <= _LARGEST_READ else _LARGEST_READ + 1)
        if len(data) > _LARGEST_READ:
            raise NodeFailed(CONTENT_TOO_LARGE, "the archive has too much beside its files")
        return data

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)


def _zip_members(file: BinaryIO, limits: _Limits, stack: ExitStack) -> Iterator[_Member]:
    archive = stack.enter_context(zipfile.ZipFile(_Wary(file)))
    number = 0
    for info in archive.infolist():
        if info.is_dir() or (name := limits.takes(info.filename)) is None:
            continue
        number += 1
        limits.begin(number)
        kind = info.external_attr >> 28
        if kind not in (0, 0o10):
            raise NodeFailed(UNSAFE_ARCHIVE, f"{name!r} is a link or a device, not a file")
        if info.flag_bits & 1:
            raise NodeFailed(INVALID_ARCHIVE, f"{name!r} is encrypted")
        if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise NodeFailed(INVALID_ARCHIVE, f"{name!r} is packed in an unusual way")
        yield _Member(name=name, open=lambda info=info: archive.open(info))  # type: ignore[misc]


def _tar_members(file: BinaryIO, limits: _Limits, stack: ExitStack) -> Iterator[_Member]:
    archive = stack.enter_context(tarfile.TarFile(fileobj=_Wary(file)))
    number = 0
    for place, info in enumerate(archive):
        if place == _MOST_MEMBERS:
            raise NodeFailed(CONTENT_TOO_LARGE, f"it has more than {_MOST_MEMBERS:,} members")
        if info.isdir() or (name := limits.takes(info.name)) is None:
            continue
        number += 1
        limits.begin(number)
        data = archive.extractfile(info) if info.isreg() else None
        if data is None:
            raise NodeFailed(UNSAFE_ARCHIVE, f"{name!r} is a link or a device, not a file")
        yield _Member(name=name, open=lambda data=data: data)  # type: ignore[misc]


_FORMATS: Final = {"zip": _zip_members, "tar": _tar_members, "tar.gz": _tar_members}


async def _taken(member: _Member, limits: _Limits, attempt: Attempt) -> Entry:
    before = limits.seen
    with await asyncio.to_thread(_opened, member) as data:
        pieces = _pieces(data, limits)
        head = await asyncio.to_thread(next, pieces, b"")
        is_text = _is_text(head)
        content_type = mimetypes.guess_type(member.name)[0] or (
            TEXT_TYPE if is_text else BINARY_TYPE
        )
        content: str | Kept
        if len(head) < _HEAD and is_text and is_textual(content_type):
            content = head.decode()
        else:
            whole = made_aside(chain([head] if head else [], pieces))
            content = await attempt.keep(whole, content_type=content_type)
    return {"name": member.name, "bytes": limits.seen - before, "content": content}


def _opened(member: _Member) -> IO[bytes]:
    with _explained():
        return member.open()


def _pieces(data: IO[bytes], limits: _Limits) -> Iterator[bytes]:
    """The first of them is whole unless the file is shorter."""
    size = _HEAD
    while piece := _read(data, size):
        limits.add(len(piece))
        yield piece
        size = _PIECE


def _read(data: IO[bytes], size: int) -> bytes:
    with _explained():
        return data.read(size)


def _is_text(head: bytes) -> bool:
    """Whether it begins as text does; a character may be cut at the end."""
    try:
        text = head.decode("utf-8")
    except UnicodeDecodeError as error:
        if len(head) < _HEAD or error.start < len(head) - 3:
            return False
        text = head[: error.start].decode("utf-8")
    return "\0" not in text
