"""Names in archives that lead nowhere else."""

from __future__ import annotations

import re
from typing import Final

from activities.archives.archive import UNSAFE_ARCHIVE
from activities.errors import NodeFailed

__all__ = ["Names"]

_LONGEST: Final = 1_000
_NEVER: Final = re.compile(r"[\x00-\x1f\x7f\\]|^[A-Za-z]:")
"""A backslash is a folder's end to some and part of a name to others."""


class Names:
    """Those that were seen. `add` fails with `UnsafeArchive`."""

    def __init__(self) -> None:
        self._seen: set[str] = set()

    @property
    def count(self) -> int:
        return len(self._seen)

    def add(self, name: str) -> str:
        """The name, without a `./` before it."""
        plain = name.removeprefix("./")
        parts = plain.split("/")
        if len(plain) > _LONGEST or _NEVER.search(plain) or not {"", ".", ".."}.isdisjoint(parts):
            raise _unsafe(plain, "is no name for a file in an archive, such as reports/may.csv")
        try:
            plain.encode()
        except UnicodeEncodeError:
            raise _unsafe(plain, "is not in UTF-8") from None
        if plain in self._seen:
            raise _unsafe(plain, "is there twice")
        self._seen.add(plain)
        return plain


def _unsafe(name: str, message: str) -> NodeFailed:
    return NodeFailed(UNSAFE_ARCHIVE, f"{name[:100]!r} {message}")
