"""What a value has against a JSON Schema, told so that one knows what to write instead."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, replace
from decimal import Decimal
from itertools import islice
from typing import Any, Literal, TypeAlias

from jsonschema_rs import ValidationErrorKind as Kind

from flowspec.jsonschemas.places import looked_up
from flowspec.jsonschemas.validators import FORMATS, validator
from flowspec.problems import Path
from flowspec.values import Json
from flowspec.wording import describe, did_you_mean, listed, nearest, spelled

__all__ = ["MOST_TOLD", "Judge", "Violation", "ViolationKind", "violations"]

MOST_TOLD = 100
"""More would help nobody, and hostile input would keep us busy."""

ViolationKind: TypeAlias = Literal["missing", "unknown", "type", "value"]


@dataclass(frozen=True, kw_only=True)
class Violation:
    """One thing a value has against a schema.

    `path` leads to the value; of an unknown key to that key, of a missing key to the mapping
    that lacks it (`expected` is the key). `keyword` is the schema's own word for the rule.
    """

    path: Path
    message: str
    kind: ViolationKind
    keyword: str
    found: str | None = None
    expected: str | None = None
    suggestion: str | None = None


class Judge:
    """A schema made ready to be asked about any number of values; `ValueError` if it is none.

    `path` leads to the part of the schema that is to judge, if that is not the whole.
    """

    def __init__(self, schema: Json, path: Path = ()) -> None:
        self._schema = schema
        self._validator = validator(schema, path)

    def violations(self, value: Json, *, holes: Collection[Path] = ()) -> list[Violation]:
        """What `value` has against the schema, up to `MOST_TOLD`.

        `holes` are the paths of values that are not known yet (templates): what stands there is
        taken to fit, and so is what depends on it.
        """
        try:
            found_errors = self._validator.iter_errors(value)
        except ValueError as error:
            return [_beyond(error)]
        errors = (e for e in found_errors if not _in_hole(e, holes))
        all_told = (found for error in errors for found in _told(error, self._schema, holes))
        told = list(islice(all_told, MOST_TOLD))
        return _without_echoes(told)


def violations(
    schema: Json, value: Json, *, holes: Collection[Path] = (), path: Path = ()
) -> list[Violation]:
    """What a `Judge` of the schema says; `ValueError` if that is no schema."""
    return Judge(schema, path).violations(value, holes=holes)


def _beyond(error: ValueError) -> Violation:
    """A value that no schema can be asked about."""
    if isinstance(error, UnicodeEncodeError):
        what = "a text in it has half a character (a surrogate without its other half)"
    else:
        what = "it is nested too deeply to be checked; 250 levels are possible"
    return Violation(path=(), message=what, kind="value", keyword="type")


def _in_hole(error: Any, holes: Collection[Path]) -> bool:
    path = tuple(error.instance_path)
    if any(path[: len(hole)] == hole for hole in holes):
        return True
    holds_hole = any(hole[: len(path)] == path for hole in holes)
    return holds_hole and (
        isinstance(error.kind, _WHOLE) or not _CONDITIONAL.isdisjoint(error.schema_path)
    )


_WHOLE = (
    Kind.AnyOf,
    Kind.Constant,
    Kind.Contains,
    Kind.Enum,
    Kind.Not,
    Kind.OneOfMultipleValid,
    Kind.OneOfNotValid,
    Kind.UnevaluatedItems,
    Kind.UnevaluatedProperties,
    Kind.UniqueItems,
)
"""Rules about all that is in a value, which a hole in it leaves open."""

_CONDITIONAL = frozenset(("then", "else"))


def _without_echoes(found: Iterable[Violation]) -> list[Violation]:
    """Each once; a key that is missing because it is misspelt is told as misspelt only."""
    once = list(dict.fromkeys(found))
    meant = {(*v.path[:-1], v.suggestion) for v in once if v.kind == "unknown"}
    return [v for v in once if not (v.kind == "missing" and (*v.path, v.expected) in meant)]


def _told(error: Any, schema: Json, holes: Collection[Path]) -> Iterator[Violation]:
    path: Path = tuple(error.instance_path)
    kind = error.kind
    match kind:
        case Kind.Required(property):
            yield _missing(path, property, error, schema)
        case Kind.AdditionalProperties(unexpected) | Kind.UnevaluatedProperties(unexpected):
            for key in unexpected:
                yield _unknown(path, key, error, schema)
        case Kind.AnyOf(branches) | Kind.OneOfNotValid(branches):
            yield from _nearest_branch(error, branches, schema, holes)
        case Kind.PropertyNames(inner):
            for found in _told(inner, schema, holes):
                text = f"the key {inner.instance!r} is not allowed: {found.message}"
                yield replace(found, path=path, message=text, kind="value", keyword=kind.name)
        case Kind.Type(types):
            owner = looked_up(schema, error.schema_path[:-1])
            found = _wrong_type(path, error.instance, types)
            yield _as_duration(found, error.instance) if _is_duration(owner) else found
        case _:
            yield _wrong_value(path, error)


def _missing(path: Path, key: str, error: Any, schema: Json) -> Violation:
    owner = looked_up(schema, error.schema_path[:-1])
    property = looked_up(owner, ("properties", key))
    about = property.get("description") if isinstance(property, dict) else None
    return Violation(
        path=path,
        message=f"{key!r} is missing{_told_of(about)}",
        kind="missing",
        keyword="required",
        expected=key,
    )


def _told_of(description: Json) -> str:
    """On one line, as every problem is."""
    return f": {' '.join(description.split())}" if isinstance(description, str) else ""


def _unknown(path: Path, key: str, error: Any, schema: Json) -> Violation:
    owner = looked_up(schema, error.schema_path[:-1])
    properties = looked_up(owner, ("properties",))
    known = list(properties) if isinstance(properties, dict) else []
    given = error.instance if isinstance(error.instance, dict) else {}
    meant = nearest(key, [name for name in known if name not in given])
    allowed = f"; the keys are {listed(known, 'and')}" if known else "; none is taken here"
    return Violation(
        path=(*path, key),
        message=f"unknown key {key!r}{did_you_mean(meant) or allowed}",
        kind="unknown",
        keyword=error.kind.name,
        found=key,
        expected=listed(known) or None,
        suggestion=meant,
    )


_TYPES = {
    "string": "text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "array": "a list",
    "object": "a mapping",
    "null": "null",
}


def _type_words(types: Iterable[str]) -> list[str]:
    given = list(types)
    return [_TYPES.get(name, name) for name in _TYPES if name in given]


def _wrong_type(path: Path, value: Json, types: Iterable[str]) -> Violation:
    names = list(types)
    expected = listed(_type_words(names))
    fix = _converted(value, names)
    return Violation(
        path=path,
        message=f"expected {expected}, found {describe(value)}" + (f"; write {fix}" if fix else ""),
        kind="type",
        keyword="type",
        found=describe(value),
        expected=expected,
        suggestion=fix,
    )


def _is_duration(schema: Json) -> bool:
    return isinstance(schema, dict) and schema.get("format") == "duration-text"


def _as_duration(found: Violation, value: Json) -> Violation:
    """A bare number is not a duration however it is quoted: it lacks its unit."""
    expected = "a duration such as 30s, 5m or 3d"
    fix = f"{spelled(value)}s" if isinstance(value, int) and not isinstance(value, bool) else None
    advice = f"; write {fix}" if fix else ""
    message = f"expected {expected}, found {found.found}{advice}"
    return replace(found, message=message, expected=expected, suggestion=fix)


def _converted(value: Json, types: list[str]) -> str | None:
    """How to write the value so that it has the type, where that is clear."""
    plain = isinstance(value, (int, float)) and not isinstance(value, bool)
    if "string" in types and (plain or isinstance(value, bool)):
        return f'"{spelled(value)}"'
    if not isinstance(value, str):
        return None
    if ("integer" in types or "number" in types) and value.isascii() and value.isdigit():
        return value
    if "boolean" in types:
        return {"yes": "true", "true": "true", "no": "false", "false": "false"}.get(value.lower())
    return f"[{value}]" if types == ["array"] and value.isidentifier() else None


def _wrong_value(path: Path, error: Any) -> Violation:
    found, expected = describe(error.instance), _expectation(error)
    suggestion = None
    match error.kind:
        case Kind.Enum(options) if isinstance(error.instance, str):
            words = [option for option in options if isinstance(option, str)]
            suggestion = nearest(error.instance, words)
        case Kind.Constant(only):
            suggestion = _constant(only)
    advice = did_you_mean(suggestion) if isinstance(error.kind, Kind.Enum) else ""
    return Violation(
        path=path,
        message=f"expected {expected}, found {found}{advice}",
        kind="value",
        keyword=error.kind.name,
        found=found,
        expected=expected,
        suggestion=suggestion,
    )


def _expectation(error: Any) -> str:
    match error.kind:
        case Kind.Enum(options):
            return listed([_constant(option) for option in options])
        case Kind.Constant(only):
            return _constant(only)
        case Kind.Format(name):
            return FORMATS.get(name, f"text of the format {name}")
        case Kind.Pattern(pattern):
            return f"text that matches {pattern}"
        case Kind.MultipleOf(step):
            return f"a multiple of {step}"
        case Kind.Contains():
            return "a list with more entries of the kind that it has to contain"
        case Kind.UniqueItems():
            return "a list without repetitions"
        case Kind.Not() | Kind.FalseSchema():
            return "no such value here"
        case Kind.OneOfMultipleValid():
            return "a value that fits exactly one of the alternatives"
    return _bound(error.kind)


def _constant(value: Any) -> str:
    return str(value) if isinstance(value, Decimal) else spelled(value)


def _bound(kind: Any) -> str:
    limit = getattr(kind, "limit", None)
    match kind:
        case Kind.Minimum():
            return f"a number of at least {limit}"
        case Kind.Maximum():
            return f"a number of at most {limit}"
        case Kind.ExclusiveMinimum():
            return f"a number over {limit}"
        case Kind.ExclusiveMaximum():
            return f"a number under {limit}"
        case Kind.MinLength():
            return "text that is not empty" if limit == 1 else f"at least {limit} characters"
        case Kind.MaxLength():
            return f"at most {limit} characters"
        case Kind.MinItems():
            return "a list that is not empty" if limit == 1 else f"at least {limit} entries"
        case Kind.MaxItems() | Kind.AdditionalItems():
            return f"at most {limit} entries"
        case Kind.MinProperties():
            return "a mapping that is not empty" if limit == 1 else f"at least {limit} keys"
        case Kind.MaxProperties():
            return f"at most {limit} keys"
    return f"a value that the rule {kind.name!r} of the schema allows"


def _nearest_branch(
    error: Any, branches: list[list[Any]], schema: Json, holes: Collection[Path]
) -> Iterator[Violation]:
    """The alternatives by their types if none is of the value's type, else the closest one."""
    path = tuple(error.instance_path)
    told = [[v for e in branch for v in _told(e, schema, holes)] for branch in branches]
    close = [branch for branch in told if not any(_is_at(v, path) for v in branch)]
    if len(close) == 1:
        yield from close[0]
        return
    if close:
        best = min(close, key=len)
        yield replace(best[0], message=f"{best[0].message} (the closest of several alternatives)")
        return
    words = dict.fromkeys(v.expected for branch in told for v in branch[:1] if v.expected)
    expected, found = listed(list(words)), describe(error.instance)
    kind: ViolationKind = "type" if all(b[0].kind == "type" for b in told if b) else "value"
    yield Violation(
        path=path,
        message=f"expected {expected}, found {found}",
        kind=kind,
        keyword=error.kind.name,
        found=found,
        expected=expected,
    )


def _is_at(found: Violation, path: Path) -> bool:
    """Whether it is about the value as such and not about something in it."""
    return found.path == path and found.kind in ("type", "value")
