"""The problems found so far, each put at its place in the text."""

from __future__ import annotations

from bisect import bisect_right
from typing import Protocol, TypeAlias

from flowspec.problems import Mark, Path, Problem, Severity
from flowspec.source import LINE_BREAK, Source
from flowspec.values import Json

__all__ = ["Notes", "Placed", "Span"]

Span: TypeAlias = tuple[int, int]
"""A part of a text value: where it begins and how long it is, in characters."""

_LONGEST_WORD = 40


class Placed(Protocol):
    """Something that stands at a part of a text value."""

    @property
    def path(self) -> Path: ...

    @property
    def span(self) -> Span: ...


class Notes:
    """Collects the problems of one document; the same one at the same place is kept once."""

    def __init__(self, source: Source, text: str) -> None:
        self.source = source
        self._text = text
        self._starts = [0, *(found.end() for found in LINE_BREAK.finditer(text))]
        self._problems: dict[Problem, None] = {}

    @property
    def problems(self) -> tuple[Problem, ...]:
        return tuple(self._problems)

    def add(
        self,
        code: str,
        path: Path,
        message: str,
        *,
        key: bool = False,
        span: Span | None = None,
        found: str | None = None,
        expected: str | None = None,
        suggestion: str | None = None,
        severity: Severity = "error",
    ) -> None:
        """Note a problem with the value at `path`, with a `span` of it, or with its `key`."""
        mark = self.source.locate_key(path) if key else self.source.locate(path)
        if span is not None:
            mark = self._inside(path, mark, span)
        problem = Problem(
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
        self._problems.setdefault(problem)

    def of_read(
        self,
        code: str,
        read: Placed,
        message: str,
        *,
        found: str | None = None,
        expected: str | None = None,
        suggestion: str | None = None,
    ) -> None:
        """Note a problem with a name that an expression mentions."""
        self.add(
            code,
            read.path,
            message,
            span=read.span,
            found=found,
            expected=expected,
            suggestion=suggestion,
        )

    def line_of(self, path: Path) -> int:
        return self.source.locate_key(path).line

    def value_at(self, path: Path) -> Json:
        """What the document says at a path, or at the longest beginning of it there is."""
        found = self.source.data
        for step in path:
            if isinstance(found, dict) and step in found:
                found = found[str(step)]
            elif isinstance(found, list) and isinstance(step, int) and step < len(found):
                found = found[step]
            else:
                break
        return found

    def _inside(self, path: Path, mark: Mark, span: Span) -> Mark:
        """Where a part of a scalar stands, found by its words, for quotes and folding move it."""
        scalar = self.value_at(path)
        if not isinstance(scalar, str) or mark.line > len(self._starts):
            return mark
        offset, length = _solid(scalar, span[0]), span[1]
        word = _first_line(scalar[offset : offset + max(length, 1)])
        if not word:
            return mark
        begin = position = self._starts[mark.line - 1] + mark.column - 1
        for _ in range(scalar[: offset + len(word)].count(word)):
            position = self._text.find(word, position) + 1
            if position == 0:
                return mark
        is_near = position - begin <= 2 * len(scalar) + 1000
        return self._mark(position - 1) if is_near else mark

    def _mark(self, position: int) -> Mark:
        line = bisect_right(self._starts, position)
        return Mark(line=line, column=position - self._starts[line - 1] + 1)


def _solid(text: str, offset: int) -> int:
    """The next place that is no blank; where none follows, the last one before."""
    rest = text[offset:]
    if rest.strip():
        return offset + len(rest) - len(rest.lstrip())
    return max(len(text[:offset].rstrip()) - 1, 0)


def _first_line(text: str) -> str:
    stripped = text.strip()
    return stripped.splitlines()[0][:_LONGEST_WORD] if stripped else ""
