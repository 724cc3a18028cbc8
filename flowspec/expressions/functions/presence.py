"""The special forms: they decide themselves which of their arguments are evaluated."""

from __future__ import annotations

from functools import partial

from flowspec.expressions.function import Function, function
from flowspec.expressions.values import Value

__all__ = ["PRESENCE"]

_presence = partial(function, "Values that may be absent", lazy=True)


def _lazy() -> Value:
    raise AssertionError("the compiler evaluates this form")


@_presence(example="has(input.email)", result=False)
def has(path: Value) -> bool:  # noqa: ARG001
    """Whether something is at the path; null counts as something."""
    return bool(_lazy())


@_presence(example='default(input.nick, "nobody")', result="nobody")
def default(value: Value, fallback: Value, *more: Value) -> Value:  # noqa: ARG001
    """The first of its arguments that is neither missing nor null, or else the last."""
    return _lazy()


@_presence(example='get({"a": [{"b": 1}]}, "a.0.b")', result=1)
def get(value: Value, path: str | list[Value], fallback: Value = None) -> Value:  # noqa: ARG001
    """The part of a value at a path put together at run time: a text with points between the
    steps, or a list of keys and positions. Missing if it is not there, or else the fallback."""
    return _lazy()


PRESENCE: tuple[Function, ...] = (has, default, get)
