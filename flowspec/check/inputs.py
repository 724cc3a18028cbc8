"""What the `input` schema of a flow says about a path that an expression reads."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from flowspec.problems import Path
from flowspec.values import Json, JsonObject

__all__ = ["Lack", "lack"]

_OPEN = ("additionalProperties", "unevaluatedProperties")
_MANY_SHAPES = ("allOf", "anyOf", "oneOf", "if", "patternProperties", "dependentSchemas")
_DEEPEST = 50


@dataclass(frozen=True, kw_only=True)
class Lack:
    """The first step of a path that is not surely there: never, or not always."""

    kind: Literal["unknown", "optional"]
    path: Path
    choices: tuple[str, ...]


def lack(schema: JsonObject, keys: Path) -> Lack | None:
    """What is wrong with reading `keys` from an input that fits; None if nothing is known to be.

    Where a schema leaves open what it takes, or names several shapes, anything may be there.
    """
    here: Json = schema
    for depth, key in enumerate(keys):
        here = _resolved(schema, here)
        if not isinstance(here, dict):
            return None
        if isinstance(key, int):
            here = here.get("items")
            continue
        properties = here.get("properties", {})
        if not isinstance(properties, dict):
            return None
        if not _is_surely_there(schema, here, properties, key):
            return _lack(here, properties, keys[: depth + 1])
        here = properties.get(key)
    return None


def _is_surely_there(root: JsonObject, here: JsonObject, properties: JsonObject, key: str) -> bool:
    required = here.get("required", ())
    if isinstance(required, list) and key in required:
        return True
    return key in properties and any(
        isinstance(part, dict) and "default" in part for part in _chain(root, properties[key])
    )


def _lack(here: JsonObject, properties: JsonObject, path: Path) -> Lack | None:
    choices = tuple(properties)
    if path[-1] in properties:
        many = any(keyword in here for keyword in ("allOf", "anyOf", "oneOf"))
        return None if many else Lack(kind="optional", path=path, choices=choices)
    if any(keyword in here for keyword in _MANY_SHAPES):
        return None
    is_top = len(path) == 1
    if here.get("additionalProperties") is False or (is_top and not any(k in here for k in _OPEN)):
        return Lack(kind="unknown", path=path, choices=choices)
    return Lack(kind="optional", path=path, choices=choices) if properties or is_top else None


def _resolved(root: JsonObject, schema: Json) -> Json:
    last: Json = schema
    for part in _chain(root, schema):
        last = part
    return last


def _chain(root: JsonObject, schema: Json) -> Iterator[Json]:
    """The schema, and what its `$ref` leads to, step by step."""
    for _ in range(_DEEPEST):
        yield schema
        reference = schema.get("$ref") if isinstance(schema, dict) else None
        if not isinstance(reference, str):
            return
        schema = root
        for step in reference.split("/")[1:]:
            name = step.replace("~1", "/").replace("~0", "~")
            schema = schema.get(name) if isinstance(schema, dict) else None
