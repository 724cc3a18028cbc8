"""One expression, ready to be evaluated any number of times."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache

from flowspec.expressions.budget import Budget, check_size
from flowspec.expressions.compile import compile_tree
from flowspec.expressions.conditions import as_condition, check_condition
from flowspec.expressions.errors import BudgetExceeded, ExpressionError
from flowspec.expressions.frame import Frame, Run
from flowspec.expressions.parsing import parse
from flowspec.expressions.reader import Reader
from flowspec.expressions.references import find_references
from flowspec.expressions.scanning import scan
from flowspec.expressions.tree import (
    Arithmetic,
    Call,
    Comprehension,
    ListOf,
    Node,
    ObjectOf,
    children,
)
from flowspec.expressions.values import Value

__all__ = ["Expression", "compile_condition", "compile_expression"]

_CACHED = 4_096


@dataclass(frozen=True, kw_only=True)
class Expression(Reader):
    """Offsets, in `references` and in errors, count characters of `source`."""

    source: str
    _root: Node = field(repr=False, compare=False)
    _run: Run = field(repr=False, compare=False)
    _cost: int = field(repr=False, compare=False)
    _slots: int = field(repr=False, compare=False)
    _builds: bool = field(repr=False, compare=False)
    _start: int = field(default=0, repr=False, compare=False)
    _is_condition: bool = field(default=False, compare=False)

    def evaluate(self, scope: Mapping[str, Value], budget: Budget | None = None) -> Value:
        """The value in this scope. It may share parts with the scope: change neither.

        Raises ExpressionError for the author's mistakes, MissingValue among them, and NeedsWorker
        if the value hangs on what an opaque value holds. Nothing else.
        """
        budget = budget or Budget()
        try:
            budget.spend(self._cost)
            value = self._run(Frame(scope, budget, self._slots))
            if self._builds and isinstance(value, list | dict):
                check_size(value)
            return as_condition(value, 0) if self._is_condition else value
        except ExpressionError as error:
            error.offset = self._start + (error.offset or 0)
            raise
        except (RecursionError, MemoryError) as error:
            raise BudgetExceeded("this needs more memory than there is", offset=0) from error


@lru_cache(maxsize=_CACHED)
def compile_expression(source: str) -> Expression:
    """Read an expression as it stands inside `${…}`."""
    parsed = parse(source)
    return Expression(
        source=source,
        references=find_references(parsed.root),
        _root=parsed.root,
        _run=compile_tree(parsed.root),
        _cost=parsed.cost,
        _slots=parsed.slots,
        _builds=_builds(parsed.root),
    )


def _builds(node: Node) -> bool:
    """Whether the expression can make a list or object that is not a part of its scope."""
    if isinstance(node, ListOf | ObjectOf | Comprehension):
        return True
    if isinstance(node, Arithmetic) and node.operator == "+":
        return True
    if isinstance(node, Call) and not (node.function.lazy or node.function.cheap):
        return not node.function.returns.isdisjoint({list, dict})
    return any(map(_builds, children(node)))


@lru_cache(maxsize=_CACHED)
def compile_condition(source: str | bool) -> Expression:
    """Read a condition: an expression with or without `${…}` around it, or a boolean.

    Evaluating it gives true or false; any other value is an ExpressionError.
    """
    if isinstance(source, bool):
        source = "true" if source else "false"
    start, inner = _unwrapped(source)
    try:
        expression = compile_expression(inner)
        check_condition(expression._root)
    except ExpressionError as error:
        error.offset = start + (error.offset or 0)
        raise
    return replace(
        expression,
        source=source,
        references=tuple(replace(r, offset=start + r.offset) for r in expression.references),
        _start=start,
        _is_condition=True,
    )


def _unwrapped(source: str) -> tuple[int, str]:
    text = source.lstrip()
    if not text.startswith("${"):
        return 0, source
    start = len(source) - len(text) + 2
    found = scan(source, start, in_template=True)
    if not found.closed and not found.mismatched:
        raise ExpressionError("this ${ is never closed by }", offset=start - 2)
    if source[found.end + 1 :].strip():
        raise ExpressionError(
            "a condition is one expression: write it without ${…}, or all of it inside one",
            offset=found.end + 1,
        )
    return start, source[start : found.end]
