"""Flows kept as files of a folder, found by name."""

from __future__ import annotations

import os
import re
import stat
import time
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

__all__ = ["FlowDirectory", "FlowMissing", "FlowUnreadable"]

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,99}")
_SUFFIXES = (".yaml", ".yml")
_LARGEST = 10_000_000
_LISTED = 10

_SETTLED = 2.0
"""A change of a folder within so many seconds of another need not show in its time."""
_TRUSTED = 10.0
"""So long a listing holds at most: not every file system tells the time of a folder's changes."""


class FlowMissing(Exception):
    """No file of the folder has that name; the text says which are there."""


class FlowUnreadable(Exception):
    """There is a file, and it cannot be a flow; the text says why."""


@dataclass(frozen=True, kw_only=True)
class _Listing:
    """The names as they were when `seen`; the folder had last been `changed` then."""

    names: tuple[str, ...]
    changed: float
    seen: float

    def holds(self, changed: float, now: float) -> bool:
        settled = self.seen - self.changed > _SETTLED
        return settled and changed == self.changed and 0 <= now - self.seen < _TRUSTED


class FlowDirectory:
    """`<name>.yaml` or `<name>.yml` in one folder, read anew at every call.

    A name never leads out of the folder, by its text or by a link.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._listing: _Listing | None = None

    def names(self) -> tuple[str, ...]:
        """The flows there are, sorted; none when the folder is missing.

        Every run that starts asks for them, so a folder that has not changed is not listed again.
        """
        try:
            folder = self.path.stat()
        except OSError:
            return ()
        if not stat.S_ISDIR(folder.st_mode):
            return ()
        now, listing = time.time(), self._listing
        if listing is None or not listing.holds(folder.st_mtime, now):
            listing = _Listing(names=self._list(), changed=folder.st_mtime, seen=now)
            self._listing = listing
        return listing.names

    def _list(self) -> tuple[str, ...]:
        files = map(os.path.splitext, os.listdir(self.path))
        return tuple(
            sorted({stem for stem, end in files if end in _SUFFIXES and _NAME.fullmatch(stem)})
        )

    def read(self, name: str) -> tuple[str, str]:
        """The file's name and its text; raises `FlowMissing` or `FlowUnreadable`."""
        found = self._find(name)
        root = self.path.resolve()
        real = found.resolve()
        if not real.is_relative_to(root):
            raise FlowUnreadable(f"{found.name} is a link that leads out of {self.path}")
        if not real.is_file():
            raise FlowUnreadable(f"{found.name} in {self.path} is not a file")
        try:
            with real.open("rb") as file:
                data = file.read(_LARGEST + 1)
            if len(data) > _LARGEST:
                raise FlowUnreadable(f"{found.name} is larger than {_LARGEST} bytes")
            return found.name, data.decode("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise FlowUnreadable(f"{found.name} cannot be read: {error}") from error

    def _find(self, name: str) -> Path:
        if not _NAME.fullmatch(name):
            raise FlowMissing(
                f"{name!r} cannot be a flow's name: letters, digits, _ and -, beginning with a "
                "letter, at most 100"
            )
        candidates = [self.path / f"{name}{suffix}" for suffix in _SUFFIXES]
        found = [path for path in candidates if os.path.lexists(path)]
        if not found:
            raise FlowMissing(self._missing(name))
        if len(found) > 1:
            raise FlowUnreadable(
                f"there are two files for flow {name!r} in {self.path}: remove {found[1].name}"
            )
        return found[0]

    def _missing(self, name: str) -> str:
        if not self.path.is_dir():
            return f"no flow {name!r}: the folder {self.path} does not exist (FLOWS_DIR)"
        names = self.names()
        message = f"no flow {name!r} in {self.path}"
        if near := get_close_matches(name, names, n=3):
            return f"{message}; did you mean {' or '.join(map(repr, near))}?"
        if not names:
            return f"{message}: it holds no flows (FLOWS_DIR)"
        more = ", …" if len(names) > _LISTED else ""
        return f"{message}; there are {', '.join(names[:_LISTED])}{more}"
