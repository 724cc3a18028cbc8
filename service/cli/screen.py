"""Where the command writes: results on standard output, everything else on standard error."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

    from flowspec.values import Json

__all__ = ["columns", "note", "print_json", "print_text", "stderr", "stdout", "visible"]

_KEPT = "\t\n"
_CODES = (*range(32), *range(127, 160))
_CONTROLS = {code: f"\\x{code:02x}" for code in _CODES if chr(code) not in _KEPT}
_JSON_CONTROLS = {code: f"\\u{code:04x}" for code in _CONTROLS}


def stdout() -> Console:
    """For people: colours on a terminal only, and never with NO_COLOR."""
    from rich.console import Console

    return Console(highlight=False, soft_wrap=True)


def stderr() -> Console:
    """As `stdout`, for what is not the command's result."""
    from rich.console import Console

    return Console(stderr=True, highlight=False, soft_wrap=True)


def visible(text: str) -> str:
    """Control characters in words: a run's messages must not steer the terminal."""
    return text.translate(_CONTROLS)


def print_text(text: str) -> None:
    """A line of the result, at once, so that a reader of a pipe sees it."""
    sys.stdout.write(f"{visible(text)}\n")
    sys.stdout.flush()


def print_json(value: Json, *, lines: bool = False) -> None:
    """A result for programs: indented, or on one line where `lines` of them make the output."""
    text = json.dumps(value, ensure_ascii=False, indent=None if lines else 2)
    print_text(text.translate(_JSON_CONTROLS))


def note(text: str) -> None:
    """A word to the person, on standard error."""
    sys.stderr.write(f"{visible(text)}\n")
    sys.stderr.flush()


def columns(rows: Sequence[Sequence[str]]) -> str:
    """Lines of text whose columns stand under each other."""
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    lines = (
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        for row in rows
    )
    return "\n".join(line.rstrip() for line in lines)
