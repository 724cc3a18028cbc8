"""What is wrong with a JSON Schema itself, before it judges anything."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from flowspec.jsonschemas.defaults import EndlessDefaults, fill_defaults
from flowspec.jsonschemas.places import is_local, resolved, subschemas
from flowspec.jsonschemas.validators import FORMATS, META, is_pattern, validator
from flowspec.jsonschemas.violations import MOST_TOLD, violations
from flowspec.problems import Path
from flowspec.values import Json, JsonObject
from flowspec.wording import describe, did_you_mean, listed, nearest

__all__ = ["SchemaProblem", "schema_problems"]

_DIALECT = "https://json-schema.org/draft/2020-12/schema"

_TYPES = ("string", "number", "integer", "boolean", "array", "object", "null")
_FAMILIAR = {
    **dict.fromkeys(("text", "str"), "string"),
    **dict.fromkeys(("int", "long"), "integer"),
    **dict.fromkeys(("float", "double", "decimal"), "number"),
    "bool": "boolean",
    **dict.fromkeys(("list", "tuple"), "array"),
    **dict.fromkeys(("dict", "map", "mapping"), "object"),
    "none": "null",
}
"""What other languages call JSON's types."""

_KEYWORDS = (
    *("$schema", "$id", "$ref", "$defs", "$comment", "$anchor", "$dynamicRef", "$dynamicAnchor"),
    *("definitions", "title", "description", "default", "examples", "deprecated"),
    *("readOnly", "writeOnly", "type", "enum", "const", "format"),
    *("properties", "required", "additionalProperties", "patternProperties", "propertyNames"),
    *("minProperties", "maxProperties", "dependentRequired", "dependentSchemas"),
    *("unevaluatedProperties", "unevaluatedItems"),
    *("items", "prefixItems", "contains", "minContains", "maxContains"),
    *("minItems", "maxItems", "uniqueItems"),
    *("minLength", "maxLength", "pattern"),
    *("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"),
    *("allOf", "anyOf", "oneOf", "not", "if", "then", "else"),
    *("contentEncoding", "contentMediaType", "contentSchema"),
)


@dataclass(frozen=True, kw_only=True)
class SchemaProblem:
    """What is wrong with a schema, by the code of the problem it makes.

    `path` leads to the place inside the schema; `at_key` says that the key there is meant.
    """

    code: str
    path: Path
    message: str
    at_key: bool = False
    found: str | None = None
    expected: str | None = None
    suggestion: str | None = None


def schema_problems(schema: Json) -> list[SchemaProblem]:
    """What keeps `schema` from being used; what it judges is then sure to be judged.

    Stricter than the standard, which ignores what it does not know: unknown keywords (save those
    that begin with `x-`) and formats are problems, and so are references out of the schema.
    """
    if not isinstance(schema, dict):
        return [_not_a_schema((), schema)]
    own = (problem for path, inner in subschemas(schema) for problem in _own(schema, path, inner))
    found = list(islice(own, MOST_TOLD))
    paths = [problem.path for problem in found]
    found += [
        SchemaProblem(
            code="FR214",
            path=violation.path,
            message=violation.message,
            found=violation.found,
            expected=violation.expected,
            suggestion=violation.suggestion,
        )
        for violation in violations(META, schema)
        if violation.keyword != "propertyNames"
        and not any(violation.path[: len(path)] == path for path in paths)
    ]
    return found or _uncompilable(schema) or _defaults(schema)


def _not_a_schema(path: Path, schema: Json) -> SchemaProblem:
    return SchemaProblem(
        code="FR214",
        path=path,
        message=f"expected a JSON Schema such as {{type: string}}, found {describe(schema)}",
        found=describe(schema),
        expected="a JSON Schema",
    )


def _own(root: JsonObject, path: Path, schema: Json) -> Iterator[SchemaProblem]:
    """What is wrong with one schema, apart from those inside it."""
    if isinstance(schema, bool):
        return
    if not isinstance(schema, dict):
        yield _not_a_schema(path, schema)
        return
    for keyword, value in schema.items():
        here = (*path, keyword)
        if keyword not in _KEYWORDS and not keyword.startswith("x-"):
            yield _unknown_keyword(here, keyword, value)
        elif keyword == "type":
            yield from _types(here, value)
        elif keyword == "format":
            yield from _format(here, value)
        elif keyword == "pattern":
            yield from _pattern(here, value)
        elif keyword == "patternProperties" and isinstance(value, dict):
            for pattern in value:
                yield from _pattern((*here, pattern), pattern)
        elif keyword == "required":
            yield from _required(here, value)
        elif keyword in ("$ref", "$dynamicRef", "$id", "$schema"):
            yield from _reference(root, here, keyword, value)


def _unknown_keyword(path: Path, keyword: str, value: Json) -> SchemaProblem:
    meant = nearest(keyword, _KEYWORDS)
    advice = did_you_mean(meant)
    if meant is None and isinstance(value, (dict, bool)):
        advice = "; if it is the name of a value, it goes under 'properties'"
    return SchemaProblem(
        code="FR214",
        path=path,
        message=f"JSON Schema has no keyword {keyword!r}{advice}",
        at_key=True,
        found=keyword,
        expected="a keyword of JSON Schema",
        suggestion=meant,
    )


def _types(path: Path, value: Json) -> Iterator[SchemaProblem]:
    several = isinstance(value, list)
    for index, name in enumerate(value if isinstance(value, list) else [value]):
        if isinstance(name, str) and name in _TYPES:
            continue
        meant = None
        if isinstance(name, str):
            meant = _FAMILIAR.get(name.lower()) or nearest(name, _TYPES)
        yield SchemaProblem(
            code="FR214",
            path=(*path, index) if several else path,
            message=f"expected {listed(_TYPES)}, found {describe(name)}{did_you_mean(meant)}",
            found=describe(name),
            expected=listed(_TYPES),
            suggestion=meant,
        )


def _format(path: Path, value: Json) -> Iterator[SchemaProblem]:
    if not isinstance(value, str) or value in FORMATS:
        return
    meant = nearest(value, FORMATS)
    yield SchemaProblem(
        code="FR214",
        path=path,
        message=(
            f"the format {value!r} is not known, so nothing would be checked"
            f"{did_you_mean(meant) or '; remove it, or use `pattern`'}"
        ),
        found=value,
        expected=listed(list(FORMATS)),
        suggestion=meant,
    )


def _pattern(path: Path, value: Json) -> Iterator[SchemaProblem]:
    if isinstance(value, str) and not is_pattern(value):
        yield SchemaProblem(
            code="FR214",
            path=path,
            message=(
                f"{value!r} is not a regular expression of the kind used here, which has no "
                "look-around and no back-references"
            ),
            found=value,
            expected="a regular expression that takes linear time",
        )


def _required(path: Path, value: Json) -> Iterator[SchemaProblem]:
    if isinstance(value, bool):
        yield SchemaProblem(
            code="FR214",
            path=path,
            message=(
                "`required` is a list of names and stands beside `properties`, not inside of one "
                "of them; write required: [name]"
            ),
            found=describe(value),
            expected="a list of names",
        )


def _reference(root: JsonObject, path: Path, keyword: str, value: Json) -> Iterator[SchemaProblem]:
    if not isinstance(value, str):
        return
    if keyword == "$schema":
        if value.rstrip("#") != _DIALECT:
            yield SchemaProblem(
                code="FR214",
                path=path,
                message=f"only JSON Schema draft 2020-12 is used here; write {_DIALECT}",
                found=value,
                expected=_DIALECT,
                suggestion=_DIALECT,
            )
        return
    if keyword == "$id":
        if len(path) > 1:
            yield _outside(path, "a schema inside another has no `$id` here; remove it", value)
        return
    if keyword == "$dynamicRef" and value.startswith("#"):
        return
    if not is_local(value):
        yield _outside(
            path,
            f"{value!r} points out of the schema, and nothing is fetched; copy what it means "
            "under `$defs` and write '#/$defs/NAME'",
            value,
        )
    elif resolved(root, value) is None:
        definitions = root.get("$defs")
        names = definitions if isinstance(definitions, dict) else {}
        meant = nearest(value, [f"#/$defs/{name}" for name in names])
        yield _outside(path, f"there is nothing at {value!r}{did_you_mean(meant)}", value, meant)


def _outside(path: Path, message: str, found: str, suggestion: str | None = None) -> SchemaProblem:
    return SchemaProblem(
        code="FR215",
        path=path,
        message=message,
        found=found,
        expected="a path inside of the schema, such as #/$defs/NAME",
        suggestion=suggestion,
    )


def _uncompilable(schema: JsonObject) -> list[SchemaProblem]:
    """The last word is the validator's; everything that people get wrong is told before."""
    try:
        validator(schema)
    except ValueError as error:
        return [SchemaProblem(code="FR214", path=(), message=str(error))]
    return []


def _defaults(root: JsonObject) -> list[SchemaProblem]:
    try:
        fill_defaults(root, {})
    except EndlessDefaults as error:
        return [SchemaProblem(code="FR216", path=(), message=str(error))]
    return [
        SchemaProblem(
            code="FR216",
            path=(*path, "default", *violation.path),
            message=f"the default would be refused: {violation.message}",
            found=violation.found,
            expected=violation.expected,
            suggestion=violation.suggestion,
        )
        for path, schema in subschemas(root)
        if isinstance(schema, dict) and "default" in schema
        for violation in violations(root, fill_defaults(root, schema["default"], path), path=path)
    ]
