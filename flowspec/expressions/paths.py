"""Reading one thing inside another, and saying what is there when it is missing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import islice
from typing import Final

from flowspec.expressions.errors import ExpressionError, MissingValue, did_you_mean
from flowspec.expressions.values import Value, kind, needs_worker, with_article
from flowspec.values import Json, Opaque

__all__ = [
    "ABSENT",
    "Absent",
    "find_in_scope",
    "item_of",
    "missing_in_scope",
    "parse_path",
    "path_text",
    "read_path",
]

Key = str | int
_KEYS_SHOWN = 5
_LONGEST_KEY_SHOWN = 60
_LONGEST_TEXT_INDEX = 18


class Absent:
    """Stands for what is not there, without the cost of an exception."""


ABSENT: Final = Absent()


def path_text(keys: Sequence[Key]) -> str:
    """A path as an expression writes it: `nodes.a.output["x y"][0]`."""
    return "".join(map(_step_text, keys)).removeprefix(".")


def _step_text(key: Key) -> str:
    if isinstance(key, str) and len(key) <= _LONGEST_KEY_SHOWN and key.isidentifier():
        return f".{key}"
    return f"[{_quoted(key)}]"


def _quoted(key: Key) -> str:
    if isinstance(key, int):
        return str(key)
    shown = key if len(key) <= _LONGEST_KEY_SHOWN else key[:_LONGEST_KEY_SHOWN] + "…"
    return '"' + shown.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'


def item_of(container: Value, key: Value, name: str) -> Value:
    """The part of a list, object or text at a key or position; `name` is the container's."""
    if isinstance(key, Opaque) or isinstance(container, Opaque):
        raise needs_worker()
    if isinstance(key, bool) or not isinstance(key, str | int):
        raise ExpressionError(
            f"a part is named by a text or a whole number; {kind(key)} cannot stand in […]"
        )
    found = _step(container, key)
    if isinstance(found, Absent):
        raise _missing(container, key, name)
    return found


def _step(container: Value, key: Key) -> Value | Absent:
    if isinstance(container, dict):
        return container.get(key, ABSENT) if isinstance(key, str) else ABSENT
    if isinstance(container, list | str) and isinstance(key, int):
        return container[key] if -len(container) <= key < len(container) else ABSENT
    kind(container)
    return ABSENT


def find_in_scope(scope: Mapping[str, Value], keys: Sequence[Key]) -> Value | Absent:
    """The value at a path, or ABSENT; raises NeedsWorker where the path enters an opaque value."""
    found: Value | Absent = scope.get(str(keys[0]), ABSENT)
    for key in keys[1:]:
        if isinstance(found, Absent):
            break
        found = _step(found, key)
    return found


def read_path(value: Value, keys: Sequence[Key], name: str) -> Value:
    """The value at a path; raises MissingValue at the first step that is not there."""
    for key in keys:
        value = item_of(value, key, name)
        name += _step_text(key)
    return value


def parse_path(path: str | list[Json]) -> list[Key]:
    """The steps of `a.b.0` or of a list of keys. A number in the text is a position."""
    if isinstance(path, str):
        return [_text_step(step) for step in path.split(".")]
    steps: list[Key] = []
    for step in path:
        if isinstance(step, bool) or not isinstance(step, str | int):
            raise ExpressionError(
                f"a path is a list of texts and whole numbers, not of {kind(step)}"
            )
        steps.append(step)
    return steps


def _text_step(step: str) -> Key:
    digits = step.removeprefix("-")
    if digits.isascii() and digits.isdigit() and len(step) <= _LONGEST_TEXT_INDEX:
        return int(step)
    return step


def missing_in_scope(
    scope: Mapping[str, Value], keys: Sequence[Key], offset: int
) -> ExpressionError | Exception:
    """Why a path from the scope cannot be read: what to raise."""
    root = str(keys[0])
    if root not in scope:
        return _missing_root(scope, root, offset)
    value = scope[root]
    for depth, key in enumerate(keys[1:], start=1):
        if isinstance(value, Opaque):
            return needs_worker()
        found = _step(value, key)
        if isinstance(found, Absent):
            return _missing_at(value, keys, depth, offset)
        value = found
    raise AssertionError("the path is there")


def _missing_root(scope: Mapping[str, Value], root: str, offset: int) -> MissingValue:
    names = list(scope)

    def describe() -> str:
        return f"there is no {root!r} here (found: {_listed(names)}){did_you_mean(root, names)}"

    return MissingValue(root, describe, offset=offset)


def _missing_at(value: Value, keys: Sequence[Key], depth: int, offset: int) -> MissingValue:
    key = keys[depth]
    if keys[0] == "nodes" and depth == 2 and key == "output" and isinstance(value, dict):
        return _no_output(value, str(keys[1]), path_text(keys[:3]), offset)
    return _missing(value, key, path_text(keys[:depth]), offset)


def _no_output(node: dict[str, Json], name: str, path: str, offset: int) -> MissingValue:
    outcome = node.get("outcome")

    def describe() -> str:
        why = f" (its outcome is {outcome!r})" if isinstance(outcome, str) else ""
        return (
            f"node {name!r} has no output{why}; guard the read: default({path}, …), "
            f"or … if has({path}) else …"
        )

    return MissingValue(path, describe, offset=offset)


def _missing(container: Value, key: Key, name: str, offset: int | None = None) -> MissingValue:
    path = name + _step_text(key)

    def describe() -> str:
        return f"{name} {_lacks(container, key)}"

    return MissingValue(path, describe, offset=offset)


def _lacks(container: Value, key: Key) -> str:
    if isinstance(container, dict):
        if isinstance(key, int):
            return f'is an object, read by a text such as ["{key}"], not by a position'
        names = list(container)
        return f"has no {_quoted(key)} (found keys: {_listed(names)}){did_you_mean(key, names)}"
    if isinstance(container, list | str) and isinstance(key, int):
        unit = "items" if isinstance(container, list) else "characters"
        return f"has no position {key}: it has {len(container)} {unit}, counted from 0"
    found = kind(container)
    if isinstance(key, int):
        return f"is {with_article(found)}, which has no positions"
    advice = "; use len(…)" if key in ("length", "size", "count") else ""
    return f"is {with_article(found)}, which has no keys such as {_quoted(key)}{advice}"


def _listed(names: Sequence[str]) -> str:
    if not names:
        return "none"
    shown = [
        name if name.isidentifier() and len(name) <= _LONGEST_KEY_SHOWN else _quoted(name)
        for name in islice(names, _KEYS_SHOWN)
    ]
    more = len(names) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more > 0 else "")
