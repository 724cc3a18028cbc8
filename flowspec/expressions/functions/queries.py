"""JMESPath queries, held to the budget of the expression they stand in."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any, TypeAlias

from jmespath.exceptions import (  # type: ignore[import-untyped]
    ArityError,
    JMESPathError,
    ParseError,
    UnknownFunctionError,
)
from jmespath.functions import Functions, signature  # type: ignore[import-untyped]
from jmespath.parser import Parser  # type: ignore[import-untyped]
from jmespath.visitor import Options, TreeInterpreter  # type: ignore[import-untyped]
from pydantic_core import from_json

from flowspec.expressions.budget import Budget
from flowspec.expressions.errors import ExpressionError
from flowspec.expressions.function import Function, function
from flowspec.expressions.functions.numbers import fit
from flowspec.expressions.values import equal, json_text, measure, needs_worker
from flowspec.values import Json, Opaque

__all__ = ["QUERIES", "search"]

_Node: TypeAlias = dict[str, Any]
_LONGEST_QUERY = 2_000
_MOST_PARTS = 100
_DEEPEST = 60
_OPENERS = re.compile(r"[(\[{.|&!*]")
_QUOTED = re.compile(r"""'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|`((?:[^`\\]|\\.)*)`""", re.DOTALL)


@lru_cache(maxsize=256)
def _parse(query: str) -> _Node:
    """The query's tree; what would recurse too deep is refused by counting, not by crashing."""
    if len(query) > _LONGEST_QUERY or len(_OPENERS.findall(query)) > _MOST_PARTS:
        raise ExpressionError(
            f"a JMESPath query may have {_LONGEST_QUERY:,} characters and {_MOST_PARTS} brackets, "
            "points and operators"
        )
    for literal in _QUOTED.finditer(query):
        if literal[1] is not None:
            _check_literal(literal[1].replace("\\`", "`"))
    try:
        tree: _Node = Parser().parse(query).parsed
    except (JMESPathError, ValueError) as error:
        raise ExpressionError(f"the JMESPath query cannot be read{_place(error)}") from error
    _check_tree(tree)
    return tree


def _check_literal(text: str) -> None:
    try:
        from_json(text, allow_inf_nan=False)
    except ValueError as error:
        raise ExpressionError(
            "a JMESPath query holds JSON between backticks; a text stands in ' instead"
        ) from error


def _place(error: ValueError) -> str:
    return f" at character {error.lex_position}" if isinstance(error, ParseError) else ""


def _check_tree(tree: _Node) -> None:
    level = [tree]
    for _ in range(_DEEPEST):
        for node in level:
            if node["type"] == "literal":
                measure(node["value"], Budget())
        level = [c for node in level for c in node.get("children", ()) if isinstance(c, dict)]
        if not level:
            return
    raise ExpressionError(f"the JMESPath query is nested deeper than {_DEEPEST} levels")


def _holds_opaque(value: Any) -> bool:
    """Whether one of a list's items or an object's members is opaque."""
    if isinstance(value, dict):
        return any(isinstance(member, Opaque) for member in value.values())
    return isinstance(value, list) and any(isinstance(item, Opaque) for item in value)


class _Functions(Functions):  # type: ignore[misc]
    """JMESPath's functions, those replaced that could make much of little."""

    def __init__(self, budget: Budget) -> None:
        self._budget = budget

    def call_function(self, name: str, arguments: list[Any]) -> Any:
        for argument in arguments:
            if _holds_opaque(argument):
                raise needs_worker()
            if isinstance(argument, list | dict):
                self._budget.items(len(argument))
            elif isinstance(argument, str):
                self._budget.text(len(argument))
        return super().call_function(name, arguments)

    @signature({"types": []})  # type: ignore[untyped-decorator]
    def _func_to_string(self, value: Json) -> str:
        return value if isinstance(value, str) else json_text(value, self._budget)

    @signature({"types": []})  # type: ignore[untyped-decorator]
    def _func_to_number(self, value: Json) -> Json:
        if isinstance(value, str) and not re.fullmatch(r"[-+.0-9eE]{1,400}", value):
            return None
        number: Json = super()._func_to_number(value)
        return fit(number) if isinstance(number, float) else number

    @signature({"types": ["array", "string"]}, {"types": []})  # type: ignore[untyped-decorator]
    def _func_contains(self, subject: str | list[Json], search: Json) -> bool:
        if isinstance(subject, list):
            return any(equal(item, search, self._budget) for item in subject)
        return isinstance(search, str) and search in subject

    @signature({"types": ["string"]}, {"types": ["array-string"]})  # type: ignore[untyped-decorator]
    def _func_join(self, separator: str, parts: list[str]) -> str:
        self._budget.text(sum(map(len, parts)) + len(separator) * len(parts))
        return separator.join(parts)

    @signature({"types": ["array-number"]})  # type: ignore[untyped-decorator]
    def _func_sum(self, numbers: list[int | float]) -> int | float:
        return fit(sum(numbers))

    @signature({"types": ["array-number"]})  # type: ignore[untyped-decorator]
    def _func_avg(self, numbers: list[int | float]) -> int | float | None:
        return fit(sum(numbers) / len(numbers)) if numbers else None


class _Interpreter(TreeInterpreter):  # type: ignore[misc]
    def __init__(self, budget: Budget) -> None:
        super().__init__(Options(custom_functions=_Functions(budget)))
        self._budget = budget

    def visit(self, node: _Node, *values: Any, **named: Any) -> Any:
        """JMESPath asks of whatever it meets whether it is null, or false, or a list."""
        if values and isinstance(values[0], Opaque):
            raise needs_worker()
        result = super().visit(node, *values, **named)
        if isinstance(result, Opaque) or (node["type"] == "flatten" and _holds_opaque(result)):
            raise needs_worker()
        if isinstance(result, list | dict):
            self._budget.items(len(result))
        else:
            self._budget.spend()
        return result

    def visit_comparator(self, node: _Node, value: Any) -> Any:
        if node["value"] not in ("eq", "ne"):
            return super().visit_comparator(node, value)
        left, right = (self.visit(child, value) for child in node["children"])
        return equal(left, right, self._budget) is (node["value"] == "eq")


@function(
    "Queries",
    example='jmes("people[?age > `30`].name", {"people": [{"name": "Ada", "age": 36}]})',
    result=["Ada"],
    literal={"query": _parse},
)
def jmes(budget: Budget, query: str, value: Json) -> Json:
    """What a JMESPath query finds in a value; null if nothing."""
    return search(budget, query, value)


def search(budget: Budget, query: str, value: Json) -> Json:
    """What the query finds, within the budget. Raises `ExpressionError`."""
    tree = _parse(query)
    try:
        found: Json = _Interpreter(budget).visit(tree, value)
    except (UnknownFunctionError, ArityError) as error:
        raise ExpressionError(f"the JMESPath query cannot be used: {error}") from error
    except (JMESPathError, ArithmeticError) as error:
        raise ExpressionError(
            "the JMESPath query met a value of a kind that its function does not take"
        ) from error
    return found


QUERIES: tuple[Function, ...] = (jmes,)
