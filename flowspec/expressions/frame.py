"""One evaluation, and what a compiled expression is: a function of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeAlias

from flowspec.expressions.budget import Budget
from flowspec.expressions.errors import ExpressionError
from flowspec.expressions.values import Value

__all__ = ["Frame", "Run", "placed"]


class Frame:
    """One evaluation: its scope, its budget, and the names that comprehensions gave."""

    __slots__ = ("budget", "scope", "slots")

    def __init__(self, scope: Mapping[str, Value], budget: Budget, slots: int) -> None:
        self.scope = scope
        self.budget = budget
        self.slots: list[Value] = [None] * slots


Run: TypeAlias = Callable[[Frame], Value]


def placed(error: ExpressionError, offset: int) -> ExpressionError:
    """The error, with this offset unless it has one nearer to its cause."""
    if error.offset is None:
        error.offset = offset
    return error
