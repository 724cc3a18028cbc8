"""Folders under one root, entered name by name: a symbolic link below the root is never followed.

What is made here is still there after a crash, once whoever needs it is told of it.
"""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from claimcheck.errors import StoreRefused

__all__ = ["Folders", "enter", "file_name", "key_part", "sync_folder"]

_FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_MOST_KNOWN: Final = 10_000
_CAPITAL: Final = re.compile("[A-Z]")
_MARKED: Final = re.compile(r"\^([a-z])")


class Folders:
    """The folders under `root`, private to the user whose process makes them."""

    def __init__(self, root: Path) -> None:
        self._root = root
        # Path to inode number: known to be on the disk itself, not only in memory. (The number
        # tells a folder from one of the same name that was made after it.)
        self._lasting: dict[tuple[str, ...], int] = {}

    def make_root(self) -> None:
        _make_lasting(self._root)

    @contextmanager
    def open(self, *names: str, make: bool = False) -> Iterator[int]:
        """The descriptor of the folder so deep below the root.

        Raises `FileNotFoundError` if it is not there, and an `OSError` for a symbolic link;
        `StoreRefused` if the root itself is gone.
        """
        folder = self._open_root()
        try:
            for depth in range(1, len(names) + 1):
                outer, folder = folder, self._enter(folder, names[:depth], make)
                os.close(outer)
            yield folder
        finally:
            os.close(folder)

    def _open_root(self) -> int:
        try:
            return os.open(self._root, _FOLDER)
        except FileNotFoundError as error:
            raise StoreRefused(
                f"the folder {self._root} is gone: is its disk still mounted? "
                "(BLOB_STORAGE_PATH says which folder)"
            ) from error

    def _enter(self, outer: int, path: tuple[str, ...], make: bool) -> int:
        name = path[-1]
        try:
            inner = enter(outer, name)
        except FileNotFoundError:
            if not make:
                raise
            with suppress(FileExistsError):
                os.mkdir(name, 0o700, dir_fd=outer)
            inner = enter(outer, name)
        if make:
            self._make_last(outer, inner, path)
        return inner

    def _make_last(self, outer: int, inner: int, path: tuple[str, ...]) -> None:
        # Also if it was there: whoever made it may not have come to sync it yet.
        inode = os.fstat(inner).st_ino
        if self._lasting.get(path) == inode:
            return
        sync_folder(outer)
        if len(self._lasting) >= _MOST_KNOWN:
            self._lasting.clear()
        self._lasting[path] = inode


def enter(outer: int, name: str) -> int:
    """Open the folder of that name; an `OSError` if it is a symbolic link to one."""
    return os.open(name, _FOLDER | os.O_NOFOLLOW, dir_fd=outer)


def sync_folder(folder: int) -> None:
    """See to it that the names in it survive a crash, where the filesystem can promise it."""
    try:
        os.fsync(folder)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise


def file_name(segment: str) -> str:
    """What a part of a key is called on disk: another name for `A` than for `a`, also where the
    filesystem takes them for one."""
    return _CAPITAL.sub(lambda found: f"^{found[0].lower()}", segment)


def key_part(name: str) -> str | None:
    """The part of a key that is called so on disk; None if none is."""
    segment = _MARKED.sub(lambda found: found[1].upper(), name)
    return segment if file_name(segment) == name else None


def _make_lasting(folder: Path) -> None:
    if folder.is_dir():
        return
    _make_lasting(folder.parent)
    with suppress(FileExistsError):
        folder.mkdir(0o700)
    with suppress(PermissionError):  # one may make folders in a folder that one may not open
        outer = os.open(folder.parent, _FOLDER)
        try:
            sync_folder(outer)
        finally:
            os.close(outer)
