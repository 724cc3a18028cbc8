"""A value in a file: all of it, or nothing has happened."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from flowspec.values import Json
from service.errors import InputWrong

__all__ = ["check_output", "output_file", "write_output"]

_NEW_FILE = 0o666


def check_output(path: Path) -> None:
    """Before a run is started: raises `InputWrong` if there is no way to write to the file."""
    if path.is_dir():
        raise InputWrong(f"--output: {str(path)!r} is a folder")
    if not path.parent.is_dir():
        raise InputWrong(f"--output: there is no folder {str(path.parent)!r}")
    if not os.access(path if _is_special(path) else path.parent, os.W_OK):
        raise InputWrong(f"--output: {str(path)!r} cannot be written: permission denied")


def write_output(path: Path, value: Json) -> None:
    """Write a value as JSON; see `output_file`."""
    text = json.dumps(value, ensure_ascii=False, indent=2) + "\n"
    with output_file(path) as file:
        file.write(text.encode())


@contextmanager
def output_file(path: Path) -> Iterator[BinaryIO]:
    """Where to write. At the end of the block the file has all of it; if the block fails, it is
    what it was before. Raises `InputWrong`."""
    try:
        with path.open("wb") if _is_special(path) else _replacing(path.resolve()) as file:
            yield file
    except OSError as error:
        raise InputWrong(f"--output: {str(path)!r} cannot be written: {error.strerror}") from error


def _is_special(path: Path) -> bool:
    """Whether it is a terminal, a pipe or the like, whose place no file can take."""
    return path.exists() and not path.is_file()


@contextmanager
def _replacing(path: Path) -> Iterator[BinaryIO]:
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with open(handle, "wb") as file:
            yield file
            os.fchmod(file.fileno(), _mode(path))
            file.flush()
            os.fsync(file.fileno())
        os.replace(name, path)
    except BaseException:
        os.unlink(name)
        raise


def _mode(path: Path) -> int:
    """That of the file which is replaced, else what any new file here would have."""
    if path.exists():
        return path.stat().st_mode & 0o777
    mask = os.umask(0)
    os.umask(mask)
    return _NEW_FILE & ~mask
