"""Data that knows where in a text it was written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from flowspec.problems import Mark, Path, Problem, Severity
from flowspec.values import Json

__all__ = ["Marks", "Source"]


Marks: TypeAlias = tuple[int, ...]
"""Line and column where a value begins, and before them those of its key; entries of lists, and
the whole, have no key. Plain numbers, for each value of a document has them."""


@dataclass(frozen=True, kw_only=True)
class Source:
    """What a text says (`data`), and where it says it (`marks`, by path)."""

    data: Json
    marks: Mapping[Path, Marks] = field(repr=False)

    def locate(self, path: Path) -> Mark:
        """Where the value at `path` begins, or the nearest one around it that exists."""
        line, column = self._nearest(path)[-2:]
        return Mark(line=line, column=column)

    def locate_key(self, path: Path) -> Mark:
        """Where the key of the value at `path` begins; of a value without key, the value."""
        line, column = self._nearest(path)[:2]
        return Mark(line=line, column=column)

    def problem(
        self,
        code: str,
        path: Path,
        message: str,
        *,
        at_key: bool = False,
        found: str | None = None,
        expected: str | None = None,
        suggestion: str | None = None,
        severity: Severity = "error",
    ) -> Problem:
        """A problem with the value at `path`, or with `at_key` with its key."""
        mark = self.locate_key(path) if at_key else self.locate(path)
        return Problem(
            code=code,
            message=message,
            path=path,
            line=mark.line,
            column=mark.column,
            found=found,
            expected=expected,
            suggestion=suggestion,
            severity=severity,
        )

    def _nearest(self, path: Path) -> Marks:
        for length in range(len(path), -1, -1):
            found = self.marks.get(path[:length])
            if found is not None:
                return found
        return (1, 1)
