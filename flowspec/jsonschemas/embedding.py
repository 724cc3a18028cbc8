"""Putting one JSON Schema into another."""

from __future__ import annotations

from flowspec.jsonschemas.places import LISTS, MAPS, SINGLES
from flowspec.values import Json, JsonObject

__all__ = ["embedded"]

_VALUES = ("properties", "patternProperties", "prefixItems", "items", "additionalProperties")
"""Keywords whose schemas judge a value inside the value."""

_ABOUT = ("title", "description", "default", "examples", "deprecated")


def embedded(schema: JsonObject, place: str, template: JsonObject) -> JsonObject:
    """`schema` as it reads at the reference `place` of a larger one.

    What it says of values inside also lets in what `template` describes.
    """
    return _Embedding(place, template).schema(schema)


class _Embedding:
    def __init__(self, place: str, template: JsonObject) -> None:
        self._place = place
        self._template = template

    def schema(self, schema: JsonObject) -> JsonObject:
        return {keyword: self._keyword(keyword, value) for keyword, value in schema.items()}

    def _keyword(self, keyword: str, value: Json) -> Json:
        if keyword == "$ref" and isinstance(value, str) and value.startswith("#"):
            return self._place + value[1:]
        if keyword in MAPS and isinstance(value, dict):
            return {name: self._inner(keyword, inner) for name, inner in value.items()}
        if keyword in LISTS and isinstance(value, list):
            return [self._inner(keyword, inner) for inner in value]
        return self._inner(keyword, value) if keyword in SINGLES else value

    def _inner(self, keyword: str, value: Json) -> Json:
        if not isinstance(value, dict):
            return value
        schema = self.schema(value)
        return self._open(schema) if keyword in _VALUES else schema

    def _open(self, schema: JsonObject) -> JsonObject:
        """The schema, or a template; what is said about the value stays where editors look."""
        about = {keyword: value for keyword, value in schema.items() if keyword in _ABOUT}
        rules = {keyword: value for keyword, value in schema.items() if keyword not in _ABOUT}
        if not rules or rules == {"type": "string"}:
            return schema
        return {**about, "anyOf": [rules, self._template]}
