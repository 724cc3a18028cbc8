"""What an expression reads, seen without evaluating it, and whether it may be missing."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import TypeAlias, cast

from flowspec.expressions.errors import ExpressionError, did_you_mean
from flowspec.expressions.functions import FUNCTIONS
from flowspec.expressions.tree import (
    Call,
    Choice,
    Comparison,
    Comprehension,
    Junction,
    Literal,
    Node,
    Not,
    Path,
    children,
)
from flowspec.values import Json, Opaque

__all__ = ["CONTEXT_NAMES", "Reference", "find_references", "scope_for", "unknown_names"]

CONTEXT_NAMES = frozenset(
    {"error", "index", "input", "item", "iteration", "nodes", "run", "secrets", "vars"}
)
"""The names that may stand in a scope, besides those that `foreach` gives."""

_PathKeys: TypeAlias = tuple[str | int, ...]
_Facts: TypeAlias = frozenset[_PathKeys]
_Needs: TypeAlias = "dict[str, _Needs | None]"
_NOTHING: _Facts = frozenset()
_NODE_PART = 3
_GET_WITHOUT_FALLBACK = 2
_PROVEN = {"success": "output", "failure": "error"}


@dataclass(frozen=True, kw_only=True)
class Reference:
    """A read of the scope. `path` stops before the first step that is computed.

    `guarded` means that the author has provided for its absence. `at` is the place of the text
    inside a template's value, `offset` and `length` count characters of that text.
    """

    path: tuple[str | int, ...]
    guarded: bool
    offset: int
    length: int
    at: tuple[str | int, ...] = ()


def find_references(root: Node) -> tuple[Reference, ...]:
    """All reads, in the order of the text."""
    found: list[Reference] = []
    _visit(root, False, _NOTHING, found)
    return tuple(sorted(found, key=lambda reference: reference.offset))


def _visit(node: Node, guarded: bool, facts: _Facts, found: list[Reference]) -> None:
    if isinstance(node, Path):
        if node.slot is None:
            safe = guarded or _is_proven(node.whole, facts)
            found.append(
                Reference(path=node.whole, guarded=safe, offset=node.offset, length=node.length)
            )
        return
    for child, child_guarded, child_facts in _inside(node, guarded, facts):
        _visit(child, child_guarded, child_facts, found)


def _inside(node: Node, guarded: bool, facts: _Facts) -> Iterable[tuple[Node, bool, _Facts]]:
    """The parts of a node, each with what guards it there."""
    if isinstance(node, Call) and node.function.lazy:
        kept = _kept_arguments(node)
        for index, argument in enumerate(node.arguments):
            yield argument, guarded or index not in kept, facts
    elif isinstance(node, Choice):
        when_true, when_false = _facts(node.test)
        yield node.test, guarded, facts
        yield node.then, guarded, facts | when_true
        yield node.otherwise, guarded, facts | when_false
    elif isinstance(node, Junction):
        for part in node.parts:
            yield part, guarded, facts
            facts = facts | _facts(part)[0 if node.every else 1]
    elif isinstance(node, Comprehension):
        yield from _inside_comprehension(node, guarded, facts)
    else:
        for child in children(node):
            yield child, guarded, facts


def _kept_arguments(node: Call) -> tuple[int, ...]:
    """The arguments of a special form whose absence it does not forgive."""
    if node.function.name == "has":
        return ()
    if node.function.name == "get" and len(node.arguments) == _GET_WITHOUT_FALLBACK:
        return (0, 1)
    return (len(node.arguments) - 1,)


def _inside_comprehension(
    node: Comprehension, guarded: bool, facts: _Facts
) -> Iterable[tuple[Node, bool, _Facts]]:
    for loop in node.loops:
        yield loop.items, guarded, facts
        for condition in loop.conditions:
            yield condition, guarded, facts
            facts = facts | _facts(condition)[0]
    if node.key is not None:
        yield node.key, guarded, facts
    yield node.value, guarded, facts


def _facts(test: Node) -> tuple[_Facts, _Facts]:
    """The paths that are there if the test is true, and if it is false."""
    if isinstance(test, Not):
        when_true, when_false = _facts(test.operand)
        return when_false, when_true
    if isinstance(test, Junction):
        return _junction_facts(test)
    if isinstance(test, Call) and test.function.name == "has":
        path = test.arguments[0]
        if isinstance(path, Path) and path.slot is None:
            return frozenset({path.whole}), _NOTHING
    if isinstance(test, Comparison) and len(test.rest) == 1:
        return _outcome_facts(test)
    return _NOTHING, _NOTHING


def _junction_facts(test: Junction) -> tuple[_Facts, _Facts]:
    sides = [_facts(part) for part in test.parts]
    true_sides, false_sides = [side[0] for side in sides], [side[1] for side in sides]
    if test.every:
        return _NOTHING.union(*true_sides), false_sides[0].intersection(*false_sides)
    return true_sides[0].intersection(*true_sides), _NOTHING.union(*false_sides)


def _outcome_facts(test: Comparison) -> tuple[_Facts, _Facts]:
    """`nodes.x.outcome == "success"` proves `nodes.x.output`, `"failure"` proves the error."""
    operator, right = test.rest[0]
    path, literal = (test.first, right) if isinstance(right, Literal) else (right, test.first)
    if not isinstance(path, Path) or not isinstance(literal, Literal) or path.slot is not None:
        return _NOTHING, _NOTHING
    keys = path.whole
    part = _PROVEN.get(literal.value) if isinstance(literal.value, str) else None
    if len(keys) != _NODE_PART or (keys[0], keys[2]) != ("nodes", "outcome") or part is None:
        return _NOTHING, _NOTHING
    proven: _Facts = frozenset({("nodes", keys[1], part)})
    if operator == "==":
        return proven, _NOTHING
    return (_NOTHING, proven) if operator == "!=" else (_NOTHING, _NOTHING)


def _is_proven(path: _PathKeys, facts: _Facts) -> bool:
    return any(fact[: len(path)] == path or _covers(fact, path) for fact in facts)


def _covers(fact: _PathKeys, path: _PathKeys) -> bool:
    """That a node is there proves nothing of its output; otherwise a path proves what is in it."""
    return path[: len(fact)] == fact and (fact[0] != "nodes" or len(fact) >= _NODE_PART)


def unknown_names(
    references: Iterable[Reference], names: Collection[str]
) -> list[tuple[Reference, ExpressionError]]:
    """The references whose first name is none of `names`, each with what to tell the author."""
    known = sorted(names)
    return [
        (reference, _unknown(reference, str(reference.path[0]), known))
        for reference in references
        if reference.path[0] not in names
    ]


def _unknown(reference: Reference, name: str, known: list[str]) -> ExpressionError:
    if name in FUNCTIONS:
        message = f"{name!r} is a function; call it: {FUNCTIONS[name].signature}"
    else:
        hint = did_you_mean(name, known) or f'; a text stands in quotes: "{name[:40]}"'
        message = f"there is no name {name[:40]!r} here (names: {', '.join(known)}){hint}"
    error = ExpressionError(message, offset=reference.offset)
    error.at = reference.at
    return error


def scope_for(
    references: Iterable[Reference], scope: Mapping[str, Json | Opaque]
) -> dict[str, Json | Opaque]:
    """The least of a scope with which these references read the same.

    Containers on the way are new, what the references name is shared with `scope`. A list is
    taken whole, so that positions stay what they are. Where something is missing that should
    not be, the names beside it are kept, with null for their values: the error will list them.
    """
    needs: _Needs = {}
    paths = [(_object_path(reference.path), reference.guarded) for reference in references]
    for path, _ in paths:
        _need(needs, path)
    least = {name: _part(scope[name], below) for name, below in needs.items() if name in scope}
    for path, guarded in paths:
        if not guarded:
            _keep_names(least, scope, path)
    return least


def _keep_names(
    least: dict[str, Json | Opaque], scope: Mapping[str, Json | Opaque], path: list[str]
) -> None:
    """Keep the names in the container at which the path ends early, and a node's outcome."""
    for depth, key in enumerate(path):
        if key not in scope:
            names = {name: least.get(name) for name in scope}
            if path[0] == "nodes" and depth == _NODE_PART - 1 and "outcome" in scope:
                names["outcome"] = scope["outcome"]
            least.clear()
            least.update(names)
            return
        inside, part = scope[key], least[key]
        if not isinstance(inside, dict) or not isinstance(part, dict) or part is inside:
            return
        scope, least = inside, cast("dict[str, Json | Opaque]", part)


def _object_path(path: _PathKeys) -> list[str]:
    keys: list[str] = []
    for key in path:
        if isinstance(key, int):
            break
        keys.append(key)
    return keys


def _need(needs: _Needs, path: list[str]) -> None:
    """Note that the value at a path is needed; None stands for all that is below."""
    for key in path[:-1]:
        below = needs.setdefault(key, {})
        if below is None:
            return
        needs = below
    needs[path[-1]] = None


def _part(value: Json | Opaque, needs: _Needs | None) -> Json | Opaque:
    if needs is None or not isinstance(value, dict):
        return value
    return {key: _part(value[key], below) for key, below in needs.items() if key in value}  # type: ignore[misc]
