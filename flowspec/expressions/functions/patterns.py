"""Regular expressions, through an engine whose time is linear in the text."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache, partial
from typing import Protocol

import re2  # type: ignore[import-untyped]

from flowspec.expressions.budget import Budget
from flowspec.expressions.errors import ExpressionError, MissingValue
from flowspec.expressions.function import Function, function
from flowspec.values import Json

__all__ = ["PATTERNS"]

_LONGEST_PATTERN = 1_000
_PATTERN_MEMORY = 2 * 1_048_576
_COMPILE_SHIFT = 3
_SEARCH_SHIFT = 10
_AGAIN_SHIFT = 13


class _Match(Protocol):
    def group(self, group: int = 0) -> str | None: ...
    def start(self) -> int: ...
    def end(self) -> int: ...


class _Pattern(Protocol):
    groups: int
    programsize: int

    def search(self, text: str) -> _Match | None: ...
    def finditer(self, text: str) -> Iterator[_Match]: ...


@lru_cache(maxsize=64)
def _compile(pattern: str) -> _Pattern:
    if len(pattern) > _LONGEST_PATTERN:
        raise ExpressionError(f"a pattern may have {_LONGEST_PATTERN:,} characters")
    if "\b" in pattern:
        raise ExpressionError(
            'the pattern holds a backspace; for the edge of a word write "\\\\b" (two backslashes)'
        )
    options = re2.Options()
    options.log_errors = False
    options.max_mem = _PATTERN_MEMORY
    try:
        compiled: _Pattern = re2.compile(pattern, options)
    except (re2.error, UnicodeError) as error:
        raise ExpressionError(
            f"the pattern cannot be used: {_reason(error)} (the syntax is RE2's: "
            "no look-around, no back-references)"
        ) from error
    return compiled


def _reason(error: Exception) -> str:
    """What the engine says, without the part of the pattern that it quotes."""
    reason = error.args[0] if error.args else "it is not valid"
    text = reason.decode("utf-8", "replace") if isinstance(reason, bytes) else str(reason)
    return text.split(": ")[0]


def _ready(budget: Budget, text: str, pattern: str) -> _Pattern:
    """The compiled pattern, paid for one search: at worst its program runs at every character."""
    compiled = _compile(pattern)
    program = compiled.programsize
    budget.spend(1 + (program >> _COMPILE_SHIFT) + (len(text) * program >> _SEARCH_SHIFT))
    return compiled


def _found(budget: Budget, text: str, pattern: str) -> Iterator[_Match]:
    """All matches. Each pays for the text behind it, to whose end the next search may run."""
    compiled = _ready(budget, text, pattern)
    for match in compiled.finditer(text):
        yield match
        budget.spend(1 + ((len(text) - match.end()) * compiled.programsize >> _AGAIN_SHIFT))


_pattern = partial(function, "Patterns", literal={"pattern": _compile})


@_pattern(example='matches("order-42", "^order-[0-9]+$")', result=True)
def matches(budget: Budget, text: str, pattern: str) -> bool:
    """Whether the pattern is found anywhere in the text; `^` and `$` hold it to the ends."""
    return _ready(budget, text, pattern).search(text) is not None


@_pattern(example='extract("order-42 and order-7", "order-([0-9]+)")', result="42")
def extract(budget: Budget, text: str, pattern: str) -> str:
    """The first match, or of it the first group; missing if there is none, see `default`."""
    match = _ready(budget, text, pattern).search(text)
    if match is None:
        raise MissingValue(
            "extract()",
            lambda: "the pattern is not in the text; give a default: default(extract(…), null)",
        )
    return match.group(_group(pattern)) or ""


@_pattern(example='extract_all("order-42 and order-7", "[0-9]+")', result=["42", "7"])
def extract_all(budget: Budget, text: str, pattern: str) -> list[Json]:
    """All matches, or of each the first group."""
    group = _group(pattern)
    return [match.group(group) or "" for match in _found(budget, text, pattern)]


@_pattern(example='replace_all("11-21", "([0-9]+)-([0-9]+)", "\\\\2/\\\\1")', result="21/11")
def replace_all(budget: Budget, text: str, pattern: str, replacement: str) -> str:
    """The text with every match replaced; `\\\\1` in the replacement is the first group."""
    parts = _replacement(replacement, _compile(pattern).groups)
    pieces: list[str] = []
    end = 0
    for match in _found(budget, text, pattern):
        new = "".join(part if isinstance(part, str) else match.group(part) or "" for part in parts)
        budget.spend(len(new) >> 8)
        pieces += text[end : match.start()], new
        end = match.end()
    pieces.append(text[end:])
    budget.text(sum(map(len, pieces)))
    return "".join(pieces)


def _group(pattern: str) -> int:
    return 1 if _compile(pattern).groups else 0


def _replacement(text: str, groups: int) -> list[str | int]:
    """A replacement as texts and group numbers: `\\1` to `\\9`, and `\\\\` for a backslash."""
    parts: list[str | int] = []
    pieces = iter(text.split("\\"))
    parts.append(next(pieces))
    for piece in pieces:
        if piece == "":
            parts += "\\", next(pieces, "")
        elif piece[0] in "0123456789" and int(piece[0]) <= groups:
            parts += int(piece[0]), piece[1:]
        else:
            raise ExpressionError(
                f"a backslash in the replacement needs a group number up to {groups} after it"
            )
    return parts


PATTERNS: tuple[Function, ...] = (matches, extract, extract_all, replace_all)
