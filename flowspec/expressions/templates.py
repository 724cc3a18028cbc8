"""Values with `${…}` in their texts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias, cast

from flowspec.expressions.budget import MAX_NESTING, Budget
from flowspec.expressions.errors import BudgetExceeded, ExpressionError
from flowspec.expressions.pointers import Place, pointer_of, steps_of, value_at
from flowspec.expressions.reader import Reader
from flowspec.expressions.references import Reference
from flowspec.expressions.texts import Inset, Text, read_text
from flowspec.expressions.values import Value
from flowspec.values import Json, NeedsWorker

__all__ = ["Template", "compile_template", "evaluate_at", "problems_in"]


@dataclass(frozen=True, kw_only=True)
class _Leaf:
    text: Text
    place: Place


_Branch: TypeAlias = "_Leaf | _Container | _Constant"


@dataclass(frozen=True, kw_only=True)
class _Constant:
    value: Json


@dataclass(frozen=True, kw_only=True)
class _Container:
    """A list or an object: what in it is constant stands in `shape`, and null for the rest."""

    shape: list[Json] | dict[str, Json]
    open: tuple[tuple[str | int, _Branch], ...]


_Fill: TypeAlias = Callable[[_Leaf], Value]


@dataclass(frozen=True, kw_only=True)
class Template(Reader):
    """A value whose texts may hold `${…}`; its keys may not.

    Every evaluation has one budget for all its texts. What it gives may share parts with the
    scope and with the template: change none of them.
    """

    _root: _Branch = field(repr=False)

    @property
    def constant(self) -> bool:
        """Whether every evaluation gives the same."""
        return isinstance(self._root, _Constant)

    def evaluate(self, scope: Mapping[str, Value], budget: Budget | None = None) -> Value:
        """The value in this scope. Raises as `Expression.evaluate` does; an error's `at` says
        which text it comes from."""
        budget = budget or Budget()
        return _filled(self._root, lambda leaf: _evaluated(leaf, scope, budget))

    def evaluate_partially(
        self,
        scope: Mapping[str, Value],
        unavailable: frozenset[str] = frozenset({"secrets"}),
        budget: Budget | None = None,
    ) -> tuple[Value, list[str]]:
        """The value as far as it can be had here, and the JSON pointers of the rest.

        A text that names something `unavailable`, or that needs the inside of an opaque value,
        is left as it stands in the source; `evaluate_at` evaluates it elsewhere. So is a mistake
        behind such a text, for of several mistakes the first is told.
        """
        budget = budget or Budget()
        standing: list[str] = []

        def fill(leaf: _Leaf) -> Value:
            if unavailable.isdisjoint(leaf.text.roots):
                try:
                    return _evaluated(leaf, scope, budget)
                except NeedsWorker:
                    pass
                except ExpressionError:
                    if not standing:
                        raise
            standing.append(pointer_of(leaf.place))
            return leaf.text.source

        return _filled(self._root, fill), standing

    def references_at(self, pointers: Iterable[str]) -> tuple[Reference, ...]:
        """The references of the texts that stand at these pointers."""
        wanted = set(pointers)
        return tuple(r for r in self.references if pointer_of(r.at) in wanted)


def _evaluated(leaf: _Leaf, scope: Mapping[str, Value], budget: Budget) -> Value:
    try:
        return leaf.text.evaluate(scope, budget)
    except ExpressionError as error:
        error.at = leaf.place
        raise


def _filled(branch: _Branch, fill: _Fill) -> Value:
    if isinstance(branch, _Leaf):
        return fill(branch)
    if isinstance(branch, _Constant):
        return branch.value
    filled: Any = branch.shape.copy()
    for key, inner in branch.open:
        filled[key] = _filled(inner, fill)
    return cast(Value, filled)


def compile_template(value: Json) -> Template:
    """Read every `${…}` of a value; raises the first ExpressionError, `at` its place."""
    problems: list[ExpressionError] = []
    leaves: list[_Leaf] = []
    root = _branch(value, (), leaves, problems)
    if problems:
        raise problems[0]
    references = tuple(
        replace(reference, at=leaf.place) for leaf in leaves for reference in leaf.text.references
    )
    return Template(references=references, _root=root)


def problems_in(value: Json) -> list[tuple[Place, ExpressionError]]:
    """Every mistake in every `${…}` of a value, with its place."""
    problems: list[ExpressionError] = []
    _branch(value, (), [], problems)
    return [(problem.at, problem) for problem in problems]


def _branch(
    value: Json, place: Place, leaves: list[_Leaf], problems: list[ExpressionError]
) -> _Branch:
    if len(place) > MAX_NESTING:
        _note(BudgetExceeded(f"nested deeper than {MAX_NESTING} levels"), place, problems)
    elif isinstance(value, str):
        return _text_branch(value, place, leaves, problems)
    elif isinstance(value, list):
        items = [_branch(v, (*place, i), leaves, problems) for i, v in enumerate(value)]
        return _container(value, enumerate(items))
    elif isinstance(value, dict):
        return _object_branch(value, place, leaves, problems)
    return _Constant(value=value)


def _object_branch(
    value: dict[str, Json], place: Place, leaves: list[_Leaf], problems: list[ExpressionError]
) -> _Branch:
    entries: list[tuple[str, _Branch]] = []
    for key, item in value.items():
        if "${" in key:
            message = "a key holds no ${…}; make the object in one expression: ${ {key: value} }"
            _note(ExpressionError(message), (*place, key), problems)
        entries.append((key, _branch(item, (*place, key), leaves, problems)))
    return _container(value, entries)


def _container(
    value: list[Json] | dict[str, Json], parts: Iterable[tuple[str | int, _Branch]]
) -> _Branch:
    shape: Any = value.copy()
    open: list[tuple[str | int, _Branch]] = []
    for key, part in parts:
        if isinstance(part, _Constant):
            shape[key] = part.value
        else:
            shape[key] = None
            open.append((key, part))
    return _Container(shape=shape, open=tuple(open)) if open else _Constant(value=shape)


def _text_branch(
    source: str, place: Place, leaves: list[_Leaf], problems: list[ExpressionError]
) -> _Branch:
    if "${" not in source:
        return _Constant(value=source)
    text = read_text(source)
    for part in text.parts:
        if isinstance(part, Inset) and part.error is not None:
            _note(part.error, place, problems)
    if text.literal is not None:
        return _Constant(value=text.literal)
    leaf = _Leaf(text=text, place=place)
    leaves.append(leaf)
    return leaf


def _note(error: ExpressionError, place: Place, problems: list[ExpressionError]) -> None:
    noted = type(error)(error.message, offset=error.offset)
    noted.at = place
    problems.append(noted)


def evaluate_at(value: Value, pointers: Iterable[str], scope: Mapping[str, Value]) -> Value:
    """The value with the template texts at these JSON pointers evaluated, and only those."""
    budget = Budget()
    result: Value = value
    for pointer in pointers:
        result = _replaced(result, steps_of(pointer), (), scope, budget)
    return result


def _replaced(
    value: Value, steps: list[str], place: Place, scope: Mapping[str, Value], budget: Budget
) -> Value:
    """A copy along the way to one text; everything beside it is shared."""
    if steps:
        key, inner = value_at(value, steps[0])
        new = _replaced(inner, steps[1:], (*place, key), scope, budget)
        if isinstance(value, dict):
            return {**value, str(key): new}  # type: ignore[dict-item]
        assert isinstance(value, list)
        return [new if i == key else item for i, item in enumerate(value)]  # type: ignore[misc]
    if not isinstance(value, str):
        raise ExpressionError(f"no template text stands at {pointer_of(place) or 'the root'}")
    problems: list[ExpressionError] = []
    root = _text_branch(value, place, [], problems)
    if problems:
        raise problems[0]
    return _filled(root, lambda leaf: _evaluated(leaf, scope, budget))
