"""Finding one's way inside a JSON Schema."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypeAlias
from urllib.parse import unquote

from flowspec.problems import Path
from flowspec.values import Json, JsonObject

__all__ = [
    "LISTS",
    "MAPS",
    "SINGLES",
    "children",
    "dotted",
    "is_local",
    "looked_up",
    "resolved",
    "subschemas",
]

_Place: TypeAlias = tuple[Path, Json]

# Keywords by what they hold: schemas by name, a list of schemas, one schema.
MAPS = ("properties", "patternProperties", "$defs", "definitions", "dependentSchemas")
LISTS = ("allOf", "anyOf", "oneOf", "prefixItems")
SINGLES = (
    "items",
    "contains",
    "additionalProperties",
    "unevaluatedProperties",
    "unevaluatedItems",
    "propertyNames",
    "not",
    "if",
    "then",
    "else",
    "contentSchema",
)


def subschemas(schema: Json, path: Path = ()) -> Iterator[_Place]:
    """The schema and every schema in it, outer ones first, each with its path."""
    yield path, schema
    if not isinstance(schema, dict):
        return
    for keyword, value in schema.items():
        for below, inner in children(keyword, value):
            yield from subschemas(inner, (*path, keyword, *below))


def children(keyword: str, value: Json) -> Iterator[_Place]:
    """The schemas directly under a keyword, each with the rest of its path."""
    if keyword in MAPS and isinstance(value, dict):
        yield from (((name,), inner) for name, inner in value.items())
    elif keyword in LISTS and isinstance(value, list):
        yield from (((index,), inner) for index, inner in enumerate(value))
    elif keyword in SINGLES:
        yield (), value


def is_local(reference: str) -> bool:
    """Whether a `$ref` points into the schema it stands in, by path."""
    return reference == "#" or reference.startswith("#/")


def looked_up(root: Json, path: Sequence[str | int]) -> Json:
    """What stands at a path; None if nothing does."""
    found = root
    for step in path:
        if isinstance(found, dict):
            found = found.get(str(step))
        elif isinstance(found, list) and str(step).isdigit() and int(step) < len(found):
            found = found[int(step)]
        else:
            return None
    return found


def resolved(root: Json, reference: str) -> JsonObject | bool | None:
    """The schema that a local `$ref` means; None if there is none."""
    steps = [unquote(s).replace("~1", "/").replace("~0", "~") for s in reference.split("/")[1:]]
    found = looked_up(root, steps)
    return found if isinstance(found, (dict, bool)) else None


def dotted(path: Path) -> str:
    """A path as expressions spell it: `address.lines[0]`."""
    written = ""
    for step in path:
        if isinstance(step, int):
            written += f"[{step}]"
        elif step.isidentifier():
            written += f".{step}" if written else step
        else:
            written += f"[{step!r}]"
    return written
