"""A store in a folder: each blob a file whose path is its key.

A blob is written to a file of its own beside the others, synced, and renamed to its place: a
rename is atomic everywhere and needs no hard links. It may replace a blob that another process
has put there meanwhile, and changes nothing by it, for the bytes are the same.
"""

from __future__ import annotations

import errno
import os
import stat
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from claimcheck.errors import StoreFull, StoreRefused, StoreUnavailable
from claimcheck.stores.checked import DEADLINE, REFRESH_AFTER, ThreadedStore
from claimcheck.stores.contract import StoredBlob
from claimcheck.stores.folders import Folders, enter, file_name, key_part, sync_folder
from claimcheck.stores.incoming import Incoming
from claimcheck.stores.source import Source

__all__ = ["FilesystemStore"]

_READ: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_PAGE: Final = 500
_DEEPEST: Final = 6
"""Parts of the longest key."""
_TRIES: Final = 20
_FULL: Final = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_REFUSED: Final = {
    errno.EACCES: "this process may not use it: check its owner and permissions",
    errno.EPERM: "this process may not use it: check its owner and permissions",
    errno.EROFS: "it is read-only: mount it writable",
    errno.ENOTDIR: "something in it is not a folder, but a file or a symbolic link: remove that",
    errno.EISDIR: "something in it is not a file, but a folder: remove that",
    errno.ELOOP: "a folder in it is a symbolic link: remove that",
    errno.ENOENT: "no folder can be made there: look whether its disk is mounted",
    errno.ENAMETOOLONG: "its path is too long: choose a shorter one",
}


class FilesystemStore(ThreadedStore):
    """For one machine, or several that mount the same folder. Everything in it is private to the
    user of this process.
    """

    name = "filesystem"

    def __init__(
        self,
        folder: Path,
        *,
        deadline: float = DEADLINE,
        refresh_after: timedelta = REFRESH_AFTER,
    ) -> None:
        folder = folder.absolute()
        super().__init__(f"the folder {folder}", deadline=deadline, refresh_after=refresh_after)
        self._folders = Folders(folder)
        self._incoming = Incoming(self._folders)
        self._preparing = threading.Lock()
        self._is_prepared = False

    def _keep(self, key: str, source: Source) -> None:
        self._prepare()
        for _ in range(_TRIES):
            # Whoever deletes the last blob of a folder removes the folder as well: again, then.
            with suppress(FileNotFoundError):
                return self._keep_once(key, source)
        raise StoreUnavailable(f"{self._place} loses its folders as quickly as they are made")

    def _keep_once(self, key: str, source: Source) -> None:
        *folders, name = _path(key)
        with self._folders.open(*folders, make=True) as folder:
            found = _found(folder, name)
            if found is None or found.st_size != source.size:
                self._incoming.place(source, folder, name)
            elif not self._fits(_stored(key, found), source):
                _touch(folder, name)
            # Also if it was there: whoever put it may not have come to sync its name yet.
            sync_folder(folder)

    def _open(self, key: str) -> _OpenFile:
        self._prepare()
        *folders, name = _path(key)
        opened = None
        with suppress(FileNotFoundError), self._folders.open(*folders) as folder:
            opened = _opened(folder, name)
        if opened is None:
            raise self._missing(key)
        return opened

    def _stat(self, key: str) -> StoredBlob | None:
        self._prepare()
        *folders, name = _path(key)
        found = None
        with suppress(FileNotFoundError), self._folders.open(*folders) as folder:
            found = _found(folder, name)
        return _stored(key, found) if found is not None else None

    def _remove(self, key: str) -> None:
        self._prepare()
        *folders, name = _path(key)
        with suppress(FileNotFoundError):
            with self._folders.open(*folders) as folder:
                os.unlink(name, dir_fd=folder)
            self._remove_empty(folders)

    def _remove_empty(self, folders: list[str]) -> None:
        """The folder of a workflow, and those within, once nothing is left in them."""
        for depth in range(len(folders), 2, -1):
            with self._folders.open(*folders[: depth - 1]) as outer:
                try:
                    os.rmdir(folders[depth - 1], dir_fd=outer)
                except OSError:
                    return

    def _list(self, prefix: str, after: str) -> Iterator[Sequence[StoredBlob]]:
        self._prepare()
        page = []
        with suppress(FileNotFoundError), self._folders.open("v1") as folder:
            for blob in _walk(folder, "v1/", prefix, after):
                page.append(blob)
                if len(page) == _PAGE:
                    yield page
                    page = []
        yield page

    def _prepare(self) -> None:
        with self._preparing:
            if not self._is_prepared:
                self._folders.make_root()
                self._is_prepared = True

    def _explained(self, error: Exception) -> StoreUnavailable | None:
        if not isinstance(error, OSError):
            return None
        said = error.strerror or str(error)
        if error.errno in _FULL:
            return StoreFull(
                f"{self._place} has no room for the value ({said}): make room there, or set "
                "BLOB_STORAGE_PATH to a folder on a larger disk"
            )
        if error.errno in _REFUSED:
            return StoreRefused(
                f"{self._place} cannot be used ({said}); {_REFUSED[error.errno]}, or set "
                "BLOB_STORAGE_PATH to another folder"
            )
        return StoreUnavailable(f"{self._place} does not work ({said}): look at its disk")


class _OpenFile:
    def __init__(self, descriptor: int, size: int) -> None:
        self._descriptor = descriptor
        self.size = size

    def read(self, most: int, /) -> bytes:
        return os.read(self._descriptor, most)

    def close(self) -> None:
        os.close(self._descriptor)


def _path(key: str) -> list[str]:
    return [file_name(part) for part in key.split("/")]


def _opened(folder: int, name: str) -> _OpenFile | None:
    """None for all that is no file, also for a link to one."""
    try:
        descriptor = os.open(name, _READ, dir_fd=folder)
    except FileNotFoundError:
        return None
    except OSError as error:
        if error.errno == errno.ELOOP:
            return None
        raise
    found = os.fstat(descriptor)
    if stat.S_ISREG(found.st_mode):
        return _OpenFile(descriptor, found.st_size)
    os.close(descriptor)
    return None


def _found(folder: int, name: str) -> os.stat_result | None:
    try:
        found = os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return None
    return found if stat.S_ISREG(found.st_mode) else None


def _stored(key: str, found: os.stat_result) -> StoredBlob:
    modified = datetime.fromtimestamp(found.st_mtime, UTC)
    return StoredBlob(key=key, size=found.st_size, modified=modified)


def _touch(folder: int, name: str) -> None:
    file = os.open(name, _READ, dir_fd=folder)
    try:
        now = time.time_ns()
        os.utime(file, ns=(now, now))
        os.fsync(file)
    finally:
        os.close(file)


def _walk(folder: int, path: str, prefix: str, after: str) -> Iterator[StoredBlob]:
    """The blobs below `path`, which ends in a slash, in the order of their keys."""
    for name in _names(folder):
        inner = path + name
        if not inner.endswith("/"):
            found = _found(folder, name) if inner.startswith(prefix) and inner > after else None
            if found is not None:
                yield _stored(inner, found)
        elif inner.count("/") < _DEEPEST and _may_hold(inner, prefix, after):
            yield from _walk_into(folder, inner, prefix, after)


def _walk_into(outer: int, path: str, prefix: str, after: str) -> Iterator[StoredBlob]:
    try:
        folder = enter(outer, file_name(path.split("/")[-2]))
    except (FileNotFoundError, NotADirectoryError):  # removed, or replaced, since it was seen
        return
    try:
        yield from _walk(folder, path, prefix, after)
    finally:
        os.close(folder)


def _names(folder: int) -> list[str]:
    """What is in the folder as parts of keys, folders with the slash that follows them: this is
    what makes their order that of the keys (`a-b/` comes before `a/`)."""
    with os.scandir(folder) as entries:
        return sorted(
            f"{part}/" if entry.is_dir(follow_symlinks=False) else part
            for entry in entries
            if (part := key_part(entry.name)) is not None
        )


def _may_hold(path: str, prefix: str, after: str) -> bool:
    """Whether keys that begin with `path` may begin with `prefix` and come after `after`."""
    return (path.startswith(prefix) or prefix.startswith(path)) and (
        path > after or after.startswith(path)
    )
