"""Finding `:name` in SQL: outside of texts, quoted names, comments and casts."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

__all__ = ["PlaceholderTrouble", "names_in", "numbered"]

_TOKEN: Final = re.compile(
    r"""
      (?<![\w])[eE]'(?:[^'\\]|\\.|'')*'      # a text with escapes
    | '(?:[^']|'')*'                         # a text
    | "(?:[^"]|"")*"                         # a name
    | --[^\n]*
    | (?P<comment>/\*)
    | (?<![\w])(?P<tag>\$(?:[A-Za-z_]\w*)?\$).*?(?P=tag)   # a text in dollars
    | ::
    | (?<![\w])\$(?P<number>\d+)
    | (?<![\w:]):(?P<name>[A-Za-z_]\w*)
    """,
    re.VERBOSE | re.DOTALL,
)
_COMMENT: Final = re.compile(r"/\*|\*/")


class PlaceholderTrouble(ValueError):
    """The text cannot be used, in words."""


def names_in(sql: str) -> frozenset[str]:
    """The names that values are wanted for."""
    return frozenset(numbered(sql)[1])


def numbered(sql: str) -> tuple[str, tuple[str, ...]]:
    """With `$1`, `$2` … as PostgreSQL has it, and the names in the order of the numbers."""
    names: dict[str, int] = {}

    def number(name: str) -> str:
        return f"${names.setdefault(name, len(names) + 1)}"

    return _replaced(sql, number), tuple(names)


def _replaced(sql: str, replace: Callable[[str], str]) -> str:
    parts: list[str] = []
    done = 0
    while found := _TOKEN.search(sql, done):
        end = found.end()
        parts.append(sql[done : found.start()])
        if found["number"]:
            raise PlaceholderTrouble(f"expected values as :name, found ${found['number']}")
        if found["comment"]:
            end = _end_of_comment(sql, end)
        parts.append(replace(found["name"]) if found["name"] else sql[found.start() : end])
        done = end
    return "".join((*parts, sql[done:]))


def _end_of_comment(sql: str, start: int) -> int:
    """Where the comment ends that has begun, with those inside it."""
    depth = 1
    for found in _COMMENT.finditer(sql, start):
        depth += 1 if found[0] == "/*" else -1
        if depth == 0:
            return found.end()
    raise PlaceholderTrouble("a comment /* does not end")
