"""JSON pointers (RFC 6901): how a place inside a value travels to the worker."""

from __future__ import annotations

from flowspec.expressions.errors import ExpressionError
from flowspec.expressions.values import Value

__all__ = ["Place", "pointer_of", "steps_of", "value_at"]

Place = tuple[str | int, ...]


def pointer_of(place: Place) -> str:
    """`("headers", "a/b", 0)` as `/headers/a~1b/0`; the whole value is the empty text."""
    return "".join("/" + str(key).replace("~", "~0").replace("/", "~1") for key in place)


def steps_of(pointer: str) -> list[str]:
    """The steps as text; a list's positions too, for only the value tells which they are."""
    if not pointer:
        return []
    return [step.replace("~1", "/").replace("~0", "~") for step in pointer.split("/")[1:]]


def value_at(container: Value, step: str) -> tuple[str | int, Value]:
    """One step down: the real key, and what is there."""
    if isinstance(container, dict) and step in container:
        return step, container[step]
    if isinstance(container, list) and step.isascii() and step.isdigit():
        position = int(step)
        if position < len(container):
            return position, container[position]
    raise ExpressionError(f"no part of the value is at the pointer's step {step[:40]!r}")
