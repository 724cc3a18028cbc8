"""A condition is true or false, never 'truthy': what can be told before a run, and during one."""

from __future__ import annotations

from flowspec.expressions.errors import ExpressionError
from flowspec.expressions.tree import (
    Arithmetic,
    Call,
    Comprehension,
    ListOf,
    Literal,
    Node,
    ObjectOf,
    Sign,
    Slice,
)
from flowspec.expressions.values import Value, kind, with_article

__all__ = ["as_condition", "check_condition"]

_ADVICE = {
    "null": "compare, for example x == null",
    "number": "compare, for example x > 0",
    "text": 'compare, for example x == "yes" or len(x) > 0',
    "list": "compare, for example len(x) > 0",
    "object": "compare, for example len(x) > 0 or has(x.key)",
}


def as_condition(value: Value, offset: int) -> bool:
    """The value, if it is a boolean."""
    if value is True or value is False:
        return value
    raise _refusal(kind(value), offset)


def check_condition(node: Node) -> None:
    """Refuse what can be seen never to give a boolean."""
    kinds = _kinds(node)
    if kinds is not None and bool not in kinds:
        name = kind(next(iter(kinds))()) if len(kinds) == 1 else "number"
        raise _refusal(name, node.offset)


def _refusal(name: str, offset: int) -> ExpressionError:
    return ExpressionError(
        f"a condition is true or false, this is {with_article(name)}; {_ADVICE[name]}",
        offset=offset,
    )


def _kinds(node: Node) -> frozenset[type] | None:
    """The Python types a part can give, as far as they show; None for any."""
    if isinstance(node, Literal):
        return frozenset({type(node.value)})
    if isinstance(node, ListOf):
        return frozenset({list})
    if isinstance(node, ObjectOf):
        return frozenset({dict})
    if isinstance(node, Comprehension):
        return frozenset({list if node.key is None else dict})
    if isinstance(node, Arithmetic | Sign | Slice):
        return frozenset({int, float, str, list})
    if isinstance(node, Call):
        return node.function.returns
    return None
