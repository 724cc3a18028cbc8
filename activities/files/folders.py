"""The folders flows may use, entered name by name so that no path leads out of them."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from activities.errors import NodeFailed
from activities.files.files import FILE_EXISTS, FILE_MISSING, FILE_REFUSED, FILE_TROUBLE
from claimcheck.stores.folders import enter, sync_folder

__all__ = ["Place", "explained", "open_file", "place_of"]

_FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_READ: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_REFUSED: Final = {
    errno.EACCES: "the worker has no right to it",
    errno.EPERM: "the worker has no right to it",
    errno.EROFS: "the disk is read-only",
    errno.ELOOP: "a symbolic link is on the way, and none is followed",
    errno.ENOTDIR: "something on the way is a file or a symbolic link, not a folder",
    errno.EISDIR: "it is a folder, not a file",
    errno.ENAMETOOLONG: "the name is too long",
    errno.ENXIO: "it is no file",
}


@dataclass(frozen=True, kw_only=True)
class Place:
    """A path inside of one of the folders."""

    root: Path
    names: tuple[str, ...]

    @property
    def name(self) -> str:
        """The last name; raises `OSError` if there is none."""
        if not self.names:
            raise OSError(errno.EISDIR, "it is a folder")
        return self.names[-1]

    @contextmanager
    def folder(self, *, make: bool = False) -> Iterator[int]:
        """The descriptor of the folder the last name is in."""
        with self._open(self.names[:-1], make) as folder:
            yield folder

    @contextmanager
    def itself(self) -> Iterator[int]:
        """The descriptor of the folder that it is."""
        with self._open(self.names, make=False) as folder:
            yield folder

    @contextmanager
    def _open(self, names: tuple[str, ...], make: bool) -> Iterator[int]:
        folder = os.open(self.root, _FOLDER)
        try:
            for name in names:
                outer = folder
                try:
                    folder = _enter(outer, name, make)
                finally:
                    if folder != outer:
                        os.close(outer)
            yield folder
        finally:
            os.close(folder)


def place_of(path: str, folders: tuple[Path, ...]) -> Place:
    """Fails with `FileRefused` if the path is in none of the folders."""
    if not folders:
        raise NodeFailed(
            FILE_REFUSED,
            "this worker lets flows use no folder; its setting FLOWRUNNER_FILES_DIRS lists those "
            "they may use",
        )
    names = tuple(name for name in path.split("/") if name not in ("", "."))
    if ".." in names or "\0" in path:
        raise _refused(path, "a path may not have .. in it")
    if not path.startswith("/"):
        return Place(root=folders[0], names=names)
    for root in folders:
        if names[: len(root.parts) - 1] == root.parts[1:]:
            return Place(root=root, names=names[len(root.parts) - 1 :])
    raise _refused(path, "it is in none of the folders of FLOWRUNNER_FILES_DIRS")


def open_file(folder: int, name: str, flags: int = _READ) -> int:
    """The descriptor of a file that is there, and a file; raises `OSError`."""
    file = os.open(name, flags, 0o666, dir_fd=folder)
    if not stat.S_ISREG(os.fstat(file).st_mode):
        os.close(file)
        raise OSError(errno.ENXIO, "it is no file")
    return file


@contextmanager
def explained(path: str) -> Iterator[None]:
    """What a file system says, as what a node fails with."""
    try:
        yield
    except FileNotFoundError as error:
        raise NodeFailed(FILE_MISSING, f"{path!r} is not there, or a folder on the way") from error
    except FileExistsError as error:
        raise NodeFailed(FILE_EXISTS, f"{path!r} is there already, with another content") from error
    except OSError as error:
        if error.errno in _REFUSED:
            raise _refused(path, _REFUSED[error.errno]) from error
        raise NodeFailed(FILE_TROUBLE, f"{path!r}: {error.strerror or error}") from error


def _refused(path: str, why: str) -> NodeFailed:
    return NodeFailed(FILE_REFUSED, f"{path!r} cannot be used: {why}")


def _enter(outer: int, name: str, make: bool) -> int:
    try:
        return enter(outer, name)
    except FileNotFoundError:
        if not make:
            raise
    with suppress(FileExistsError):
        os.mkdir(name, dir_fd=outer)
        sync_folder(outer)
    return enter(outer, name)
