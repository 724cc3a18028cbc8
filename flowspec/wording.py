"""How messages name values, lists of choices, and what was probably meant."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterable, Sequence

from flowspec.values import Json

__all__ = ["describe", "did_you_mean", "listed", "nearest", "spelled"]

_LONGEST = 60


def describe(value: Json) -> str:
    """The kind of a value, and the value itself where it is short: `the number 5`, `a list`."""
    if value is None:
        return "nothing (null)"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return f"the number {_cut(str(value))}"
    if isinstance(value, str):
        return f"the text {_cut(repr(value))}" if value else "empty text"
    if isinstance(value, list):
        return "a list" if value else "an empty list"
    return "a mapping" if value else "an empty mapping"


def spelled(value: Json) -> str:
    """The value as one would type it into a flow."""
    return _cut(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


def listed(words: Sequence[str], joint: str = "or") -> str:
    """`a`, `a or b`, `a, b or c`."""
    if len(words) < 2:
        return "".join(words)
    return f"{', '.join(words[:-1])} {joint} {words[-1]}"


def nearest(word: str, choices: Iterable[str]) -> str | None:
    """The choice that `word` is probably a misspelling of."""
    known = list(choices)
    folded = {choice.lower().replace("-", "_"): choice for choice in reversed(known)}
    wanted = word.lower().replace("-", "_")
    if wanted in folded:
        return folded[wanted]
    close = difflib.get_close_matches(wanted, folded, n=1)
    return folded[close[0]] if close else None


def did_you_mean(suggestion: str | None) -> str:
    """The end of a sentence: `; did you mean 'timeout'?`, or nothing."""
    return f"; did you mean {suggestion!r}?" if suggestion is not None else ""
