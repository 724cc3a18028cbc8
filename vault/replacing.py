"""Changing a file so that readers and crashes only ever see the whole old or the whole new one."""

from __future__ import annotations

import fcntl
import os
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from vault.errors import VaultBusy

__all__ = ["locked", "replace"]

_PATIENCE: Final = 10.0
_AGAIN: Final = 0.05
_PRIVATE: Final = 0o600
_NOBODY_ELSE: Final = 0o660
_NEW: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_LOCK: Final = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC


@contextmanager
def locked(path: Path, *, patience: float = _PATIENCE) -> Iterator[None]:
    """Keep other writers of the file out. Raises `VaultBusy`, and `OSError`.

    The lock is a file beside it, for the file itself is another one after each change. The lock
    of a process that dies is free again.
    """
    file = os.open(path.with_name(f"{path.name}.lock"), _LOCK, _PRIVATE)
    try:
        _take(file, path, time.monotonic() + patience)
        yield
    finally:
        os.close(file)


def _take(file: int, path: Path, deadline: float) -> None:
    while True:
        try:
            return fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                raise VaultBusy(
                    f"another command has been writing to {path} for long; try again"
                ) from None
        time.sleep(_AGAIN)


def replace(path: Path, data: bytes) -> None:
    """Put the bytes in the file's place, for good; to be called while it is `locked`.

    Raises `OSError`; the file is what it was then.
    """
    temporary = path.with_name(f"{path.name}.new")
    with suppress(FileNotFoundError):
        temporary.unlink()  # of a writer that died: this one has the lock
    file = os.open(temporary, _NEW, _PRIVATE)
    try:
        with open(file, "wb") as writing:
            _be_like(path, writing.fileno())
            writing.write(data)
            writing.flush()
            os.fsync(writing.fileno())
        os.replace(temporary, path)
    except BaseException:
        with suppress(OSError):
            temporary.unlink()
        raise
    _sync_folder(path.parent)


def _be_like(path: Path, file: int) -> None:
    """Give it to whom the old one belongs, so that a worker can go on reading what root wrote."""
    with suppress(FileNotFoundError):
        old = path.stat()
        for owner, group in ((-1, old.st_gid), (old.st_uid, -1)):
            with suppress(PermissionError):
                os.fchown(file, owner, group)
        os.fchmod(file, stat.S_IMODE(old.st_mode) & _NOBODY_ELSE | _PRIVATE)


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
