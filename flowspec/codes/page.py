"""The reference page of all problem codes, made from their declarations."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping

from flowspec.codes.declaration import ErrorCode

__all__ = ["errors_page"]

_GROUPS = {
    "FR1": "Reading the text",
    "FR2": "The shape of the document",
    "FR3": "The graph",
    "FR4": "Expressions",
    "FR5": "Node types",
    "FR6": "Secrets",
    "FR7": "The input of a run",
}

_HEAD = """\
# Problem codes

`flowrunner validate` finds all problems of a flow at once and prints each as \
`FILE:LINE:COLUMN: CODE message`; with `--format json` or `--format sarif` the same for programs. \
A code keeps its meaning for ever. Each is shown here with a flow that has exactly this problem, \
and with what is then said.
"""


def errors_page(codes: Iterable[ErrorCode], messages: Mapping[str, str]) -> str:
    """The page in Markdown; `messages` are what the examples give, by code."""
    lines = [_HEAD]
    group = ""
    for entry in codes:
        if not entry.code.startswith(group) or not group:
            group = entry.code[:3]
            lines.append(f"## {_GROUPS[group]}\n")
        lines += _section(entry, messages[entry.code])
    return "\n".join(lines)


def _section(entry: ErrorCode, message: str) -> Iterator[str]:
    yield f"### {entry.code}\n"
    yield f"**{entry.title}.** {entry.explanation}\n"
    yield from _fenced("yml", _printable(entry.example))
    if entry.example_input is not None:
        yield f"Started with the input `{json.dumps(entry.example_input, ensure_ascii=False)}`:\n"
    yield from _fenced("text", message)
    yield f"{entry.remedy}\n"


def _fenced(language: str, text: str) -> Iterator[str]:
    yield f"```{language}\n{text.rstrip()}\n```\n"


def _printable(text: str) -> str:
    return "".join(c if c.isprintable() or c == "\n" else f"\\x{ord(c):02x}" for c in text)
