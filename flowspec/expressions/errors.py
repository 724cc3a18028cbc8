"""What a user is told when an expression cannot be read or evaluated."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable
from itertools import islice

__all__ = ["BudgetExceeded", "ExpressionError", "MissingValue", "did_you_mean"]

_MOST_NAMES_COMPARED = 200
_LONGEST_NAME_COMPARED = 100


class ExpressionError(Exception):
    """A mistake in an expression, or in the values it met; `str()` is one line that teaches.

    `offset` counts characters of the text the caller handed over. `at` is the place of that text
    inside the value a template was made from. No message quotes a value: values may be secrets.
    """

    def __init__(self, message: str, *, offset: int | None = None) -> None:
        super().__init__(message)
        self.offset = offset
        self.at: tuple[str | int, ...] = ()

    @property
    def message(self) -> str:
        return str(self.args[0])

    def __str__(self) -> str:
        return self.message


class MissingValue(ExpressionError):
    """The expression reads something that is not there; `path` names it.

    The text is made when it is asked for: `default()` drops most of these unread.
    """

    def __init__(
        self, path: str, describe: Callable[[], str], *, offset: int | None = None
    ) -> None:
        super().__init__(path, offset=offset)
        self.path = path
        self._describe = describe

    @property
    def message(self) -> str:
        return self._describe()


class BudgetExceeded(ExpressionError):
    """The expression does more work, or makes a larger value, than one evaluation may."""


def did_you_mean(name: str, names: Iterable[str]) -> str:
    """`; did you mean 'x'?`, or nothing when no name is close."""
    candidates = [
        candidate
        for candidate in islice(names, _MOST_NAMES_COMPARED)
        if len(candidate) <= _LONGEST_NAME_COMPARED
    ]
    if len(name) > _LONGEST_NAME_COMPARED:
        return ""
    close = difflib.get_close_matches(name, candidates, n=1, cutoff=0.6)
    return f"; did you mean {close[0]!r}?" if close else ""
