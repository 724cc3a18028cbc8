"""Functions over text."""

from __future__ import annotations

import re
from functools import partial

from flowspec.expressions.budget import MAX_ITEMS, Budget
from flowspec.expressions.errors import ExpressionError
from flowspec.expressions.function import Function, function
from flowspec.expressions.values import Value, equal, kind, text_of
from flowspec.values import Json

__all__ = ["TEXT"]

_SPACE = re.compile(r"(\s+)")
_text = partial(function, "Text")


@_text(example='upper("abc")', result="ABC")
def upper(text: str) -> str:
    """The text in capitals."""
    return text.upper()


@_text(example='lower("ABC")', result="abc")
def lower(text: str) -> str:
    """The text in small letters."""
    return text.lower()


@_text(example='title("ada LOVELACE")', result="Ada Lovelace")
def title(budget: Budget, text: str) -> str:
    """Every word with a capital first letter and the rest small."""
    words = _SPACE.split(text)
    budget.spend(len(words))
    return "".join(word[:1].upper() + word[1:].lower() for word in words)


@_text(example='trim("  a b ")', result="a b")
def trim(text: str) -> str:
    """The text without white space at its ends."""
    return text.strip()


@_text(example='split("a, b, c", ", ")', result=["a", "b", "c"])
def split(budget: Budget, text: str, separator: str | None = None) -> list[Json]:
    """The parts of a text between separators; without one, its words."""
    if separator == "":
        raise ExpressionError("split() needs a separator that is not empty")
    parts = text.split(separator, MAX_ITEMS)
    budget.items(len(parts))
    return list(parts)


@_text(example='lines("one\\ntwo\\n")', result=["one", "two"])
def lines(budget: Budget, text: str) -> list[Json]:
    """The lines of a text, without their ends."""
    parts = text.replace("\r\n", "\n").split("\n", MAX_ITEMS)
    budget.items(len(parts))
    return list(parts[:-1] if parts[-1] == "" else parts)


@_text(example='join(["a", 1, true], "-")', result="a-1-true")
def join(budget: Budget, list_: list[Json], separator: str) -> str:
    """The items of a list in one text. Numbers and booleans are written as JSON."""
    parts = [text_of(item, budget) for item in list_]
    budget.text(sum(map(len, parts)) + len(separator) * len(parts))
    return separator.join(parts)


@_text(example='replace("a-b-c", "-", "+")', result="a+b+c")
def replace(budget: Budget, text: str, old: str, new: str) -> str:
    """The text with every `old` replaced by `new`; `replace_all` does it by pattern."""
    if not old:
        raise ExpressionError("replace() needs a text to look for that is not empty")
    budget.text(len(text) + text.count(old) * (len(new) - len(old)))
    return text.replace(old, new)


@_text(example='starts_with("invoice.pdf", "inv")', result=True)
def starts_with(text: str, start: str) -> bool:
    """Whether the text begins so."""
    return text.startswith(start)


@_text(example='ends_with("invoice.pdf", ".pdf")', result=True)
def ends_with(text: str, end: str) -> bool:
    """Whether the text ends so."""
    return text.endswith(end)


@_text(example='contains("invoice.pdf", "voice")', result=True)
def contains(budget: Budget, value: str | list[Json], part: Value) -> bool:
    """Whether a text holds another text, or a list an item; the same as `part in value`."""
    if isinstance(value, list):
        return any(equal(item, part, budget) for item in value)
    if not isinstance(part, str):
        raise ExpressionError(f"contains() looks for a text in a text, not for a {kind(part)}")
    return part in value


@_text(example='pad_left("7", 3, "0")', result="007")
def pad_left(budget: Budget, text: str, width: int, fill: str = " ") -> str:
    """The text made at least `width` characters long by filling its beginning."""
    return _padding(budget, text, width, fill) + text


@_text(example='pad_right("7", 3, ".")', result="7..")
def pad_right(budget: Budget, text: str, width: int, fill: str = " ") -> str:
    """The text made at least `width` characters long by filling its end."""
    return text + _padding(budget, text, width, fill)


def _padding(budget: Budget, text: str, width: int, fill: str) -> str:
    if len(fill) != 1:
        raise ExpressionError("padding needs exactly one character to fill with")
    budget.text(max(width, len(text)))
    return fill * max(0, width - len(text))


TEXT: tuple[Function, ...] = (
    upper,
    lower,
    title,
    trim,
    split,
    lines,
    join,
    replace,
    starts_with,
    ends_with,
    contains,
    pad_left,
    pad_right,
)
