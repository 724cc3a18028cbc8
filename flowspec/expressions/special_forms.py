"""has(), default() and get(): they evaluate their arguments themselves, if at all."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from flowspec.expressions.errors import ExpressionError, MissingValue
from flowspec.expressions.frame import Frame, Run, placed
from flowspec.expressions.paths import (
    ABSENT,
    Absent,
    find_in_scope,
    parse_path,
    path_text,
    read_path,
)
from flowspec.expressions.tree import Call, Node, Path
from flowspec.expressions.values import Value, needs_worker
from flowspec.values import Opaque

__all__ = ["SPECIAL_FORMS", "Compile"]

Compile: TypeAlias = Callable[[Node], Run]
_Find: TypeAlias = Callable[[Frame], Value | Absent]


def _optional(node: Node, compile_tree: Compile) -> _Find:
    """As `compile_tree`, but gives ABSENT where something is missing."""
    if isinstance(node, Path) and node.slot is None:
        keys = node.whole
        return lambda frame: find_in_scope(frame.scope, keys)
    run = compile_tree(node)

    def find(frame: Frame) -> Value | Absent:
        try:
            return run(frame)
        except MissingValue:
            return ABSENT

    return find


def _has(node: Call, compile_tree: Compile) -> Run:
    find = _optional(node.arguments[0], compile_tree)
    return lambda frame: find(frame) is not ABSENT


def _default(node: Call, compile_tree: Compile) -> Run:
    finds = [_optional(argument, compile_tree) for argument in node.arguments[:-1]]
    last = compile_tree(node.arguments[-1])

    def run(frame: Frame) -> Value:
        for find in finds:
            value = find(frame)
            if isinstance(value, Opaque) and value.may_be_null:
                raise needs_worker()
            if value is not None and not isinstance(value, Absent):
                return value
        return last(frame)

    return run


def _get(node: Call, compile_tree: Compile) -> Run:
    first = node.arguments[0]
    name = path_text(first.whole) if isinstance(first, Path) else "get(…)"
    value, path = compile_tree(first), compile_tree(node.arguments[1])
    offset, function = node.offset, node.function

    def run(frame: Frame) -> Value:
        whole, steps = value(frame), path(frame)
        try:
            function.check_type(function.parameter(1), steps)
            frame.budget.spend(1 + len(steps))  # type: ignore[arg-type]
            return read_path(whole, parse_path(steps), name)  # type: ignore[arg-type]
        except ExpressionError as error:
            raise placed(error, offset) from None

    if len(node.arguments) == 2:
        return run
    fallback = compile_tree(node.arguments[2])

    def run_or_fall_back(frame: Frame) -> Value:
        try:
            return run(frame)
        except MissingValue:
            return fallback(frame)

    return run_or_fall_back


SPECIAL_FORMS: dict[str, Callable[[Call, Compile], Run]] = {
    "has": _has,
    "default": _default,
    "get": _get,
}
