"""The generated part of the reference page: every function, from its own declaration."""

from __future__ import annotations

import json

from flowspec.expressions.functions import FUNCTIONS
from flowspec.expressions.functions.time_formats import LETTERS

__all__ = ["markdown"]


def markdown() -> str:
    """Tables of all functions by category, and of the letters of time formats."""
    sections: list[str] = []
    for category in dict.fromkeys(function.category for function in FUNCTIONS.values()):
        rows = [
            f"| `{_cell(function.signature)}` | {_cell(function.doc)} "
            f"| `{_cell(function.example)}` → `{_cell(_json(function.example_result))}` |"
            for function in FUNCTIONS.values()
            if function.category == category
        ]
        head = [f"### {category}", "", "| function | gives | example |", "|---|---|---|"]
        sections.append("\n".join([*head, *rows]))
    letters = [f"| `%{letter}` | {meaning} |" for letter, (meaning, *_) in LETTERS.items()]
    head = ["### Letters of time formats", "", "| letter | stands for |", "|---|---|"]
    sections.append("\n".join([*head, *letters, "| `%%` | a per cent sign |"]))
    return "\n\n".join(sections) + "\n"


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")
