"""Secrets in files, one for each, as Docker and Kubernetes mount them."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import structlog

from activities.errors import SECRET_UNREADABLE, NodeFailed
from vault.errors import ValueUnfit
from vault.values import LONGEST, read_value

__all__ = ["FolderSource"]

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_STEP = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_SWAPS = 5
"""A mount that is renewed just now: so often the file that a link leads to may be gone."""

_logger = structlog.stdlib.get_logger(__name__)


class FolderSource:
    """The files of one folder, by the secrets' names, read at each use.

    Links lead to other places in the folder, such as the `..data` of Kubernetes, and to nothing
    outside of it.
    """

    blocking = True

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._warned: set[str] = set()

    def place(self, name: str) -> str:
        return f"the file {self._folder / name}"

    def find(self, name: str) -> str | None:
        try:
            raw = self._read(name)
            return None if raw is None else read_value(raw)
        except OSError as error:
            reason = f"cannot be read: {error.strerror}"
        except (_Unfit, ValueUnfit) as error:
            reason = str(error)
        raise NodeFailed(
            SECRET_UNREADABLE, f"{self.place(name)}, where the secret {name!r} is, {reason}"
        )

    def _read(self, name: str) -> bytes | None:
        for _ in range(_SWAPS):
            try:
                with self._opened(name) as file:
                    return self._content(name, file)
            except FileNotFoundError:
                if not os.path.lexists(self._folder / name):
                    break
        else:
            raise _Unfit("is a link to what is not there")
        if not self._folder.is_dir():
            raise _Unfit(f"cannot be read: the folder {self._folder} is gone")
        return None

    @contextmanager
    def _opened(self, name: str) -> Iterator[int]:
        """The file, reached from the folder step by step, so that nobody can divert the way."""
        root = Path(os.path.realpath(self._folder, strict=True))
        path = Path(os.path.realpath(root / name, strict=True))
        if not path.is_relative_to(root):
            raise _Unfit("is a link to what is outside of the folder")
        handle = os.open(root, _FOLDER)
        try:
            for step in path.relative_to(root).parts:
                outer, handle = handle, os.open(step, _STEP, dir_fd=handle)
                os.close(outer)
            yield handle
        finally:
            os.close(handle)

    def _content(self, name: str, file: int) -> bytes:
        found = os.fstat(file)
        if not stat.S_ISREG(found.st_mode):
            raise _Unfit("is not a file")
        if found.st_size > LONGEST + len("\r\n"):
            raise _Unfit(f"has more than {LONGEST:,} bytes")
        if found.st_mode & stat.S_IROTH and name not in self._warned:
            self._warned.add(name)
            _logger.warning(
                "every user of this machine can read the file of a secret; mount it with mode 0400",
                path=str(self._folder / name),
            )
        with open(file, "rb", closefd=False) as reading:
            return reading.read(LONGEST + len("\r\n") + 1)


class _Unfit(Exception):
    """The text goes on after «the file »."""
