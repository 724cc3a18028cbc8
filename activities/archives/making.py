"""Archives made from blobs, none of which is held."""

from __future__ import annotations

import gzip
import shutil
import tarfile
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import BinaryIO, Final

from activities.archives.archive import CreateParams, CreateResult
from activities.archives.names import Names
from activities.attempt import Attempt
from activities.errors import NodeFailed
from activities.pieces import CONTENT_TOO_LARGE, made_aside, pieces_of, read_aside

__all__ = ["made"]

_MOST_BYTES: Final = 10_000_000_000
_LARGE: Final = 2**31 - 1
_PIECE: Final = 1_000_000
_DATE: Final = (1980, 1, 1, 0, 0, 0)
_SECONDS: Final = 315_532_800
"""The same in seconds since 1970."""
_TYPES: Final = {"zip": "application/zip", "tar.gz": "application/gzip"}

_Add = Callable[[str, int, BinaryIO], None]


async def made(params: CreateParams, attempt: Attempt) -> CreateResult:
    names = Names()
    left = _MOST_BYTES
    with tempfile.TemporaryFile() as file:
        with _FORMATS[params.format](file) as add:
            for name, blob in params.files.items():
                size = await blob.size()
                left -= size
                if left < 0:
                    raise NodeFailed(
                        CONTENT_TOO_LARGE, f"the files have more than {_MOST_BYTES:,} bytes"
                    )
                plain = names.add(name)
                await read_aside(blob, lambda data: add(plain, size, data), most=size)  # noqa: B023
                attempt.heartbeat({"files": names.count})
        file.seek(0)
        kept = await attempt.keep(made_aside(pieces_of(file)), content_type=_TYPES[params.format])
    return {"archive": kept, "bytes": kept.size, "count": len(params.files)}


@contextmanager
def _zip(file: BinaryIO) -> Iterator[_Add]:
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:

        def add(name: str, size: int, data: BinaryIO) -> None:
            info = zipfile.ZipInfo(name, _DATE)
            info.compress_type = zipfile.ZIP_DEFLATED
            info.external_attr = 0o644 << 16
            with archive.open(info, "w", force_zip64=size > _LARGE) as entry:
                shutil.copyfileobj(data, entry, _PIECE)

        yield add


@contextmanager
def _tar_gz(file: BinaryIO) -> Iterator[_Add]:
    with (
        gzip.GzipFile("", "wb", fileobj=file, mtime=0) as packed,
        tarfile.open(mode="w|", fileobj=packed, format=tarfile.PAX_FORMAT) as archive,
    ):

        def add(name: str, size: int, data: BinaryIO) -> None:
            info = tarfile.TarInfo(name)
            info.size, info.mtime, info.mode = size, _SECONDS, 0o644
            archive.addfile(info, data)

        yield add


_FORMATS: Final = {"zip": _zip, "tar.gz": _tar_gz}
