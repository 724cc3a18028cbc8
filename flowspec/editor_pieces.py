"""Pieces that the JSON Schema for editors is made of."""

from __future__ import annotations

from flowspec.values import Json, JsonObject

__all__ = ["array", "either", "has", "keyed", "named", "ref", "whole"]


def ref(name: str) -> JsonObject:
    return {"$ref": f"#/$defs/{name}"}


def either(*schemas: Json) -> JsonObject:
    return {"anyOf": list(schemas)}


def named(pattern: str) -> JsonObject:
    return {"type": "string", "pattern": f"^{pattern}$"}


def array(items: Json, **more: Json) -> JsonObject:
    return {"type": "array", "items": items, **more}


def keyed(pattern: str, value: Json, **more: Json) -> JsonObject:
    return {
        "type": "object",
        "propertyNames": {"pattern": f"^{pattern}$"},
        "additionalProperties": value,
        **more,
    }


def whole(low: int, high: int | None = None) -> JsonObject:
    limits: JsonObject = {"type": "integer", "minimum": low}
    return limits if high is None else {**limits, "maximum": high}


def has(*keys: str) -> JsonObject:
    return {"required": list[Json](keys)}
