"""Flows kept as files of a folder, found by name."""

from __future__ import annotations

import re
from difflib import get_close_matches
from pathlib import Path

__all__ = ["FlowDirectory", "FlowMissing", "FlowUnreadable"]

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,99}")
_SUFFIXES = (".yaml", ".yml")
_LARGEST = 10_000_000
_LISTED = 10


class FlowMissing(Exception):
    """No file of the folder has that name; the text says which are there."""


class FlowUnreadable(Exception):
    """There is a file, and it cannot be a flow; the text says why."""


class FlowDirectory:
    """`<name>.yaml` or `<name>.yml` in one folder, read anew at every call.

    A name never leads out of the folder, by its text or by a link.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def names(self) -> tuple[str, ...]:
        """The flows there are, sorted; none when the folder is missing."""
        if not self.path.is_dir():
            return ()
        files = (entry for entry in self.path.iterdir() if entry.suffix in _SUFFIXES)
        return tuple(sorted({entry.stem for entry in files if _NAME.fullmatch(entry.stem)}))

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
        found = [path for path in candidates if path.exists() or path.is_symlink()]
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
