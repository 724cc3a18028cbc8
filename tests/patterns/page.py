"""The page of control-flow patterns, read: what it claims, and the flows it shows."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

__all__ = ["PAGE", "Pattern", "patterns", "table"]

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "control-flow-patterns.md"

_SECTION = re.compile(r"^## WCP-(\d+) (.+)$", re.MULTILINE)
_VERDICT = re.compile(r"^\*\*(Yes|Partly|No)\b", re.MULTILINE)
_FLOW = re.compile(r"^```yaml\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_ROW = re.compile(r"\| (\d+) \| \[([^\]]+)\]\(#([^)]+)\) \| (yes|partly|no) ")


@dataclass(frozen=True, kw_only=True)
class Pattern:
    """A section of the page; the first of its flows is the one that is the pattern."""

    number: int
    name: str
    verdicts: tuple[str, ...]
    flows: tuple[str, ...]


@cache
def patterns() -> tuple[Pattern, ...]:
    parts = _SECTION.split(PAGE.read_text(encoding="utf-8"))[1:]
    return tuple(
        Pattern(
            number=int(number),
            name=name,
            verdicts=tuple(word.lower() for word in _VERDICT.findall(body)),
            flows=tuple(_FLOW.findall(body)),
        )
        for number, name, body in zip(parts[::3], parts[1::3], parts[2::3], strict=True)
    )


def table() -> dict[int, tuple[str, str, str]]:
    """The overview at the top: name, anchor and verdict by number."""
    rows = _ROW.findall(PAGE.read_text(encoding="utf-8"))
    return {int(number): (name, anchor, verdict) for number, name, anchor, verdict in rows}
