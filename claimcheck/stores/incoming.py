"""Where a blob is written before it is put in its place, and what crashes leave there."""

from __future__ import annotations

import fcntl
import os
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Final

from claimcheck.stores.folders import Folders
from claimcheck.stores.source import Source

__all__ = ["FOLDER", "LEFT_OVER_AFTER", "Incoming"]

FOLDER: Final = ".incoming"
LEFT_OVER_AFTER: Final = 3600.0
"""Seconds without a change after which a file is a leftover, if no process holds it."""
_WRITE: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


class Incoming:
    """The folder for files that are being written; each is locked by the process that writes it."""

    def __init__(self, folders: Folders) -> None:
        self._folders = folders
        self._clear_at = 0.0

    def place(self, source: Source, folder: int, name: str) -> None:
        """Write the bytes to the disk, and then, at once, to that name in that folder.

        Raises `FileNotFoundError` if the folder was removed meanwhile.
        """
        with self._folders.open(FOLDER, make=True) as incoming:
            self._clear(incoming)
            with _new_file(incoming) as (file, temporary):
                for piece in source.pieces():
                    _write(file, piece)
                os.fsync(file)
                os.rename(temporary, name, src_dir_fd=incoming, dst_dir_fd=folder)

    def _clear(self, incoming: int) -> None:
        """Once an hour, remove what processes have left that did not come to their end."""
        if time.monotonic() < self._clear_at:
            return
        self._clear_at = time.monotonic() + LEFT_OVER_AFTER
        with os.scandir(incoming) as entries:
            for entry in entries:
                with suppress(OSError):
                    if time.time() - entry.stat(follow_symlinks=False).st_mtime > LEFT_OVER_AFTER:
                        _remove_unheld(incoming, entry.name)


@contextmanager
def _new_file(incoming: int) -> Iterator[tuple[int, str]]:
    """A file under a name of its own; whoever leaves with an error leaves no file behind."""
    temporary = f"{os.getpid()}-{secrets.token_hex(8)}"
    file = os.open(temporary, _WRITE, 0o600, dir_fd=incoming)
    try:
        with suppress(OSError):  # not every filesystem locks; then leftovers stay
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield file, temporary
    except BaseException:
        with suppress(OSError):
            os.unlink(temporary, dir_fd=incoming)
        raise
    finally:
        os.close(file)


def _remove_unheld(incoming: int, name: str) -> None:
    """Raises `OSError` if a process holds it."""
    file = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=incoming)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.unlink(name, dir_fd=incoming)
    finally:
        os.close(file)


def _write(file: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(file, view) :]
