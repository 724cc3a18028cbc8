"""A function that expressions may call: declared as a typed Python function, documented from it."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import get_args, get_type_hints

from flowspec.expressions.budget import MAX_ITEMS, MAX_TEXT, Budget
from flowspec.expressions.errors import BudgetExceeded, ExpressionError
from flowspec.expressions.values import Number, Value, kind, with_article
from flowspec.values import Json

__all__ = ["Function", "Parameter", "function"]

_WORDS: dict[type, str] = {
    str: "a text",
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    list: "a list",
    dict: "an object",
}
_EVERY = frozenset({type(None), bool, int, float, str, list, dict})
_LONG_TEXT = 256


@dataclass(frozen=True, kw_only=True)
class Parameter:
    """What an argument must be. `types` None lets an opaque value through unopened."""

    name: str
    types: frozenset[type] | None
    optional: bool
    default: Json = None

    @property
    def wanted(self) -> str:
        types = self.types or frozenset()
        words = [
            word
            for type_, word in _WORDS.items()
            if type_ in types and not (type_ is int and float in types)
        ]
        return " or ".join(words)

    def __str__(self) -> str:
        if not self.optional:
            return self.name
        if self.default is None:
            return f"{self.name}?"
        return f"{self.name} = {json.dumps(self.default)}"


@dataclass(frozen=True, kw_only=True)
class Function:
    """`run` takes the arguments, and first the budget if `budgeted`.

    Reading an argument is paid by its size unless the function is `cheap`. `lazy` marks the
    special forms, which decide themselves whether an argument is evaluated. `literal` names
    checks of arguments written as literals, so that a bad pattern is found before a run.
    """

    name: str
    doc: str
    category: str
    example: str
    example_result: Json
    parameters: tuple[Parameter, ...]
    variadic: bool
    returns: frozenset[type]
    run: Callable[..., Value]
    budgeted: bool
    cheap: bool
    lazy: bool
    literal: Mapping[str, Callable[[str], object]] = field(default_factory=dict)

    @property
    def signature(self) -> str:
        shown = [str(parameter) for parameter in self.parameters]
        if self.variadic:
            shown[-1] = "…"
        return f"{self.name}({', '.join(shown)})"

    def parameter(self, index: int) -> Parameter:
        return self.parameters[min(index, len(self.parameters) - 1)]

    def check_count(self, count: int) -> None:
        least = sum(not parameter.optional for parameter in self.parameters)
        if count < least or (count > len(self.parameters) and not self.variadic):
            raise ExpressionError(
                f"{self.name}() does not take {count} argument{'s' * (count != 1)}; "
                f"it is {self.signature}, for example {self.example}"
            )

    def check_literal(self, index: int, value: Json) -> None:
        parameter = self.parameter(index)
        self.check_type(parameter, value)
        if parameter.name in self.literal and isinstance(value, str):
            self.literal[parameter.name](value)

    def check_type(self, parameter: Parameter, value: Value) -> None:
        if parameter.types is not None and type(value) not in parameter.types:
            found = kind(value)
            hint = "; str() makes a text of a number" if parameter.wanted == "a text" else ""
            raise ExpressionError(
                f"{self.name}() needs {parameter.wanted} as {parameter.name}, "
                f"this is {with_article(found)}{hint}"
            )

    def call(self, budget: Budget, arguments: list[Value]) -> Value:
        budget.spend()
        for index, value in enumerate(arguments):
            self.check_type(self.parameter(index), value)
            if not self.cheap:
                _pay(budget, value)
        try:
            result = self.run(budget, *arguments) if self.budgeted else self.run(*arguments)
        except UnicodeError as error:
            raise ExpressionError(
                f"{self.name}() met a text with half a character in it (a lone surrogate)"
            ) from error
        if isinstance(result, str | list | dict) and not self.cheap:
            _check_result(self.name, result)
        return result


def _pay(budget: Budget, value: Value) -> None:
    if isinstance(value, str):
        if len(value) > _LONG_TEXT:
            budget.text(len(value))
    elif isinstance(value, list | dict):
        budget.items(len(value))


def _check_result(name: str, result: str | list[Json] | dict[str, Json]) -> None:
    limit = MAX_TEXT if isinstance(result, str) else MAX_ITEMS
    if len(result) > limit:
        unit = "characters" if isinstance(result, str) else "items"
        raise BudgetExceeded(f"{name}() makes {len(result):,} {unit}; {limit:,} are the most")


def function(
    category: str,
    *,
    example: str,
    result: Json,
    cheap: bool = False,
    lazy: bool = False,
    literal: Mapping[str, Callable[[str], object]] | None = None,
) -> Callable[[Callable[..., Value]], Function]:
    """Make a `Function` of a typed Python function; its docstring is what users read.

    A trailing underscore of the name is dropped, so that Python's own names stay readable.
    """

    def declare(run: Callable[..., Value]) -> Function:
        signature = inspect.signature(run)
        hints = get_type_hints(run)
        given = [p for p in signature.parameters.values() if hints[p.name] is not Budget]
        return Function(
            name=run.__name__.rstrip("_"),
            doc=inspect.cleandoc(run.__doc__ or ""),
            category=category,
            example=example,
            example_result=result,
            parameters=tuple(_parameter(p, hints[p.name]) for p in given),
            variadic=any(p.kind is inspect.Parameter.VAR_POSITIONAL for p in given),
            returns=_types(hints["return"]) or _EVERY,
            run=run,
            budgeted=len(given) < len(signature.parameters),
            cheap=cheap,
            lazy=lazy,
            literal=literal or {},
        )

    return declare


def _parameter(parameter: inspect.Parameter, hint: object) -> Parameter:
    has_default = parameter.default is not inspect.Parameter.empty
    return Parameter(
        name=parameter.name.rstrip("_"),
        types=_types(hint),
        optional=has_default or parameter.kind is inspect.Parameter.VAR_POSITIONAL,
        default=parameter.default if has_default else None,
    )


def _types(hint: object) -> frozenset[type] | None:
    """The Python types an annotation stands for; None for any value, opaque ones included."""
    if hint == Value:
        return None
    if hint is Json:
        return _EVERY
    if hint == Number:
        return frozenset({int, float})
    if isinstance(hint, type) and hint in _EVERY:
        return frozenset({hint})
    origin = getattr(hint, "__origin__", None)
    if isinstance(origin, type) and origin in _EVERY:
        return frozenset({origin})
    members = [_types(member) for member in get_args(hint)]
    return frozenset[type]().union(*(member for member in members if member))
