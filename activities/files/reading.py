"""Files and lists of them, read in threads."""

from __future__ import annotations

import asyncio
import heapq
import mimetypes
import os
import re
import stat
from base64 import b64encode
from collections.abc import Iterator
from datetime import UTC, datetime
from fnmatch import translate
from typing import BinaryIO, Final

from activities.attempt import Attempt
from activities.blobs import BINARY_TYPE
from activities.errors import NodeFailed
from activities.files.files import (
    FILE_TOO_LARGE,
    FoundFile,
    ListParams,
    ListResult,
    ReadParams,
    ReadResult,
)
from activities.files.folders import Place, explained, open_file, place_of
from activities.pieces import made_aside, pieces_of
from claimcheck.stores.folders import enter

__all__ = ["list_files", "read_file"]

_MOST_SEEN: Final = 1_000_000
_DEEPEST: Final = 50


async def read_file(params: ReadParams, attempt: Attempt) -> ReadResult:
    place = place_of(params.path, attempt.folders)
    file = await asyncio.to_thread(_open, place, params.path)
    with file:
        found = os.fstat(file.fileno())
        _check(found.st_size, params)
        result: ReadResult = {
            "path": params.path,
            "bytes": found.st_size,
            "modified": _moment(found),
        }
        pieces = _pieces(file, params)
        if params.save:
            kept = await attempt.keep(made_aside(pieces), content_type=_type_of(params.path))
            return {**result, "bytes": kept.size, "content": kept}
        data = await asyncio.to_thread(b"".join, pieces)
    return _whole(result, data)


def _whole(result: ReadResult, data: bytes) -> ReadResult:
    result = {**result, "bytes": len(data)}
    try:
        text = data.decode()
    except UnicodeDecodeError:
        text = "\0"
    if "\0" in text:
        return {**result, "base64": b64encode(data).decode()}
    return {**result, "text": text}


def _open(place: Place, path: str) -> BinaryIO:
    with explained(path), place.folder() as folder:
        return os.fdopen(open_file(folder, place.name), "rb")


def _pieces(file: BinaryIO, params: ReadParams) -> Iterator[bytes]:
    """It may grow meanwhile."""
    size = 0
    with explained(params.path):
        for piece in pieces_of(file):
            size += len(piece)
            _check(size, params)
            yield piece


def _check(size: int, params: ReadParams) -> None:
    if size > params.most:
        otherwise = "" if params.save else ", or keep it in the object store with save: true"
        raise NodeFailed(
            FILE_TOO_LARGE,
            f"{params.path!r} has more than max_bytes: {params.most}; raise it{otherwise}",
        )


def _type_of(path: str) -> str:
    return mimetypes.guess_type(path)[0] or BINARY_TYPE


def _moment(found: os.stat_result) -> str:
    moment = datetime.fromtimestamp(found.st_mtime, UTC)
    return moment.isoformat(timespec="seconds").replace("+00:00", "Z")


async def list_files(params: ListParams, attempt: Attempt) -> ListResult:
    place = place_of(params.path, attempt.folders)
    return await asyncio.to_thread(_list, place, params)


def _list(place: Place, params: ListParams) -> ListResult:
    matches = re.compile(translate(params.match)).match
    prefix = "" if params.path == "." else params.path.rstrip("/") + "/"
    with explained(params.path), place.itself() as folder:
        depth = _DEEPEST + 1 if params.recursive else 1
        seen = _seen(_walk(folder, prefix, depth))
        found = (one for one in seen if matches(one["name"]))
        files = heapq.nsmallest(params.limit + 1, found, key=lambda one: one["path"])
    return {"files": files[: params.limit], "more": len(files) > params.limit}


def _seen(files: Iterator[FoundFile]) -> Iterator[FoundFile]:
    for number, file in enumerate(files):
        if number == _MOST_SEEN:
            raise NodeFailed(FILE_TOO_LARGE, f"there are more than {_MOST_SEEN:,} files")
        yield file


def _walk(folder: int, prefix: str, depth: int) -> Iterator[FoundFile]:
    with os.scandir(folder) as entries:
        for entry in entries:
            if not _is_text(entry.name):
                continue
            path = prefix + entry.name
            try:
                found = entry.stat(follow_symlinks=False)
                if stat.S_ISREG(found.st_mode):
                    yield {
                        "path": path,
                        "name": entry.name,
                        "bytes": found.st_size,
                        "modified": _moment(found),
                    }
                elif stat.S_ISDIR(found.st_mode) and depth != 1:
                    yield from _walk_into(folder, entry.name, path, depth)
            except FileNotFoundError:  # removed since it was seen
                continue


def _is_text(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def _walk_into(outer: int, name: str, path: str, depth: int) -> Iterator[FoundFile]:
    if depth == 2:
        raise NodeFailed(FILE_TOO_LARGE, f"{path[:100]!r}: folders are over {_DEEPEST} deep")
    inner = enter(outer, name)
    try:
        yield from _walk(inner, f"{path}/", depth - 1)
    finally:
        os.close(inner)
