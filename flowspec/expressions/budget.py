"""How much one evaluation may do. The limits are counts, never time, so a replay agrees."""

from __future__ import annotations

from flowspec.expressions.errors import BudgetExceeded
from flowspec.values import Json, Opaque

__all__ = [
    "MAX_BRACKETS",
    "MAX_DEPTH",
    "MAX_INTEGER",
    "MAX_ITEMS",
    "MAX_NESTING",
    "MAX_RESULT",
    "MAX_SOURCE",
    "MAX_STEPS",
    "MAX_TEXT",
    "MIN_INTEGER",
    "Budget",
    "check_size",
]

MAX_SOURCE = 4_096
MAX_STEPS = 100_000
MAX_TEXT = 1_048_576
MAX_ITEMS = 100_000
MAX_INTEGER = 2**63 - 1
MIN_INTEGER = -(2**63)
MAX_BRACKETS = 50
"""Brackets open at one place of an expression."""
MAX_DEPTH = 100
"""Parts inside parts of an expression, brackets or not."""
MAX_NESTING = 200
"""Lists and objects inside each other in a value: what the JSON reader accepts too."""
MAX_RESULT = 64 * 1_048_576
"""Characters, about, of the JSON of a list or object that an expression builds."""

_STEP_SHIFT = 8


class Budget:
    """Steps left to one evaluation. A part of the expression, an item of a list and 256
    characters of text cost a step each."""

    __slots__ = ("_given", "left")

    def __init__(self, steps: int = MAX_STEPS) -> None:
        self._given = self.left = steps

    @property
    def spent(self) -> int:
        return self._given - self.left

    def spend(self, steps: int = 1) -> None:
        self.left -= steps
        if self.left < 0:
            raise BudgetExceeded(
                f"this takes more than {MAX_STEPS:,} steps; work on fewer items, "
                "or split the work over several nodes"
            )

    def text(self, length: int) -> None:
        """Pay for a text of that length; call it before the text is made."""
        if length > MAX_TEXT:
            raise BudgetExceeded(
                f"this makes or reads a text of {length:,} characters; an expression may work on "
                f"{MAX_TEXT:,} (passing a whole value on has no limit)"
            )
        self.spend(1 + (length >> _STEP_SHIFT))

    def items(self, count: int) -> None:
        """Pay for a list or object of that many items; call it before it is made."""
        if count > MAX_ITEMS:
            raise BudgetExceeded(
                f"this makes or reads a list of {count:,} items; an expression may work on "
                f"{MAX_ITEMS:,}; use foreach for more"
            )
        self.spend(1 + count)


def check_size(value: Json | Opaque) -> None:
    """Refuse a built value whose JSON would be huge.

    A part that stands in several places is measured once and counted every time, so a short
    expression cannot describe a value that no memory holds.
    """
    _size(value, 0, {})


def _size(value: Json | Opaque, depth: int, known: dict[int, int]) -> int:
    if isinstance(value, str):
        return len(value) + 2
    if not isinstance(value, list | dict):
        return 8
    if id(value) in known:
        return known[id(value)]
    if depth > MAX_NESTING:
        raise BudgetExceeded(f"this builds a value nested deeper than {MAX_NESTING} levels")
    total = 2
    for item in value.values() if isinstance(value, dict) else value:
        total += _size(item, depth + 1, known)
    if isinstance(value, dict):
        total += sum(map(len, value))
    if total > MAX_RESULT:
        raise BudgetExceeded(
            f"this builds a value of more than {MAX_RESULT // 1_048_576} million characters"
        )
    known[id(value)] = total
    return total
