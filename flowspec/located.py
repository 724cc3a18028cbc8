"""Data that knows where in a text it was written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from flowspec.problems import Mark, Path, Problem, Severity
from flowspec.values import Json

__all__ = ["Marks", "Source"]


@dataclass(frozen=True, kw_only=True)
class Marks:
    """Where a value begins, and its key; entries of lists, and the whole, have no key."""

    key: Mark | None
    value: Mark


@dataclass(frozen=True, kw_only=True)
class Source:
    """What a text says (`data`), and where it says it (`marks`, by path)."""

    data: Json
    marks: Mapping[Path, Marks] = field(repr=False)

    def locate(self, path: Path) -> Mark:
        """Where the value at `path` begins, or the nearest one around it that exists."""
        return self._nearest(path).value

    def locate_key(self, path: Path) -> Mark:
        """Where the key of the value at `path` begins; of a value without key, the value."""
        nearest = self._nearest(path)
        return nearest.key or nearest.value

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
        return Marks(key=None, value=Mark(line=1, column=1))
