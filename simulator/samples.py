"""A value made from a JSON Schema: the least that fits it."""

from __future__ import annotations

from flowspec.values import Json, JsonObject

__all__ = ["completed", "sample_of"]

_DEEPEST = 8


def sample_of(schema: Json, root: JsonObject | None = None, depth: int = 0) -> Json:
    """Required members alone, each with its default, first choice, or nothing much."""
    if not isinstance(schema, dict) or depth > _DEEPEST:
        return None
    root = root or schema
    schema = _resolved(schema, root)
    if "default" in schema:
        return schema["default"]
    if "const" in schema:
        return schema["const"]
    choices = schema.get("enum")
    if isinstance(choices, list) and choices:
        return choices[0]
    for word in ("anyOf", "oneOf"):
        alternatives = schema.get(word)
        if isinstance(alternatives, list) and alternatives:
            return _simplest(alternatives, root, depth)
    return _of_type(schema, root, depth)


def completed(value: Json, schema: JsonObject, root: JsonObject | None = None) -> Json:
    """The value with those members that the schema requires and it does not have, at any depth."""
    root = root or schema
    found = _resolved(schema, root)
    sample = sample_of(found, root) if isinstance(value, dict) else None
    if not isinstance(sample, dict) or not isinstance(value, dict):
        return value
    members = found.get("properties")
    told = members if isinstance(members, dict) else {}
    given: JsonObject = {
        name: completed(each, inner, root) if isinstance(inner := told.get(name), dict) else each
        for name, each in value.items()
    }
    return {**sample, **given}


def _resolved(schema: JsonObject, root: JsonObject) -> JsonObject:
    reference = schema.get("$ref")
    if not isinstance(reference, str):
        return schema
    here: Json = root
    for step in reference.removeprefix("#").split("/")[1:]:
        here = here.get(step) if isinstance(here, dict) else None
    return here if isinstance(here, dict) else {}


def _simplest(alternatives: list[Json], root: JsonObject, depth: int) -> Json:
    """Null where that will do: it claims nothing."""
    if any(isinstance(each, dict) and each.get("type") == "null" for each in alternatives):
        return None
    return sample_of(alternatives[0], root, depth + 1)


def _of_type(schema: JsonObject, root: JsonObject, depth: int) -> Json:
    types = schema.get("type")
    type = types[0] if isinstance(types, list) and types else types
    match type:
        case "string":
            return ""
        case "integer" | "number":
            least = schema.get("minimum", 0)
            return least if isinstance(least, int | float) else 0
        case "boolean":
            return False
        case "array":
            return []
        case "object":
            return _object(schema, root, depth)
    return None


def _object(schema: JsonObject, root: JsonObject, depth: int) -> JsonObject:
    properties, required = schema.get("properties"), schema.get("required")
    if not isinstance(properties, dict) or not isinstance(required, list):
        return {}
    return {str(name): sample_of(properties.get(str(name)), root, depth + 1) for name in required}
