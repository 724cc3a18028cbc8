"""JSON Schemas of parameters and results, made plain enough that an error about one teaches.

They are made when they are asked for, from the classes and what is written under their fields.
"""

from __future__ import annotations

import ast
import inspect
from collections.abc import Callable
from functools import cache
from itertools import pairwise
from textwrap import dedent
from typing import Any

from pydantic import BaseModel, TypeAdapter
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from flowspec.values import Json, JsonObject

__all__ = ["plain_schema", "schema_of_params", "schema_of_result"]


def schema_of_params(params: type[BaseModel]) -> Callable[[], JsonObject]:
    """What makes it, once."""
    return cache(lambda: plain_schema(params.model_json_schema(schema_generator=_Described)))


def schema_of_result(result: type[Any]) -> Callable[[], JsonObject]:
    """What makes it, once."""
    return cache(lambda: plain_schema(TypeAdapter(result).json_schema(mode="serialization")))


class _Described(GenerateJsonSchema):
    """With the text under a field as its description.

    Pydantic can do so too, but reads the source of each class as soon as it is defined: a quarter
    of a second for all of them, at the start of each worker and of each check.
    """

    def model_schema(self, schema: core_schema.ModelSchema) -> JsonSchemaValue:
        made = super().model_schema(schema)
        for base in schema["cls"].__mro__:
            if issubclass(base, BaseModel) and base is not BaseModel:
                _describe(made, base)
        return made

    def typed_dict_schema(self, schema: core_schema.TypedDictSchema) -> JsonSchemaValue:
        made = super().typed_dict_schema(schema)
        if "cls" in schema:
            _describe(made, schema["cls"])
        return made


def _describe(schema: JsonSchemaValue, class_: type[Any]) -> None:
    properties = schema.get("properties", {})
    aliases = {name: field.alias for name, field in getattr(class_, "model_fields", {}).items()}
    for name, text in _texts_under_fields(class_).items():
        if (known_as := aliases.get(name) or name) in properties:
            properties[known_as].setdefault("description", text)


def _texts_under_fields(class_: type[Any]) -> dict[str, str]:
    try:
        definition = ast.parse(dedent(inspect.getsource(class_))).body[0]
    except (OSError, TypeError, SyntaxError):  # made without a file, or written in odd ways
        return {}
    assert isinstance(definition, ast.ClassDef)
    return {
        field.target.id: inspect.cleandoc(text.value.value)
        for field, text in pairwise(definition.body)
        if isinstance(field, ast.AnnAssign)
        and isinstance(field.target, ast.Name)
        and isinstance(text, ast.Expr)
        and isinstance(text.value, ast.Constant)
        and isinstance(text.value.value, str)
    }


def plain_schema(schema: dict[str, Any]) -> JsonObject:
    """Pydantic's schema as one tree without `$ref`, without titles made from names.

    Alternatives that differ in type become one schema with several types, for of `anyOf` a
    validator can only say that nothing matched. An optional parameter is not offered null.
    """
    plain = _expand(schema, schema.get("$defs", {}), ())
    assert isinstance(plain, dict)
    plain.pop("$defs", None)
    plain.pop("description", None)
    return plain


def _expand(schema: Any, definitions: dict[str, Any], inside: tuple[str, ...]) -> Json:
    if isinstance(schema, list):
        return [_expand(item, definitions, inside) for item in schema]
    if not isinstance(schema, dict):
        plain: Json = schema
        return plain
    name = str(schema.get("$ref", "")).removeprefix("#/$defs/")
    if name:
        return _expand_reference(schema, name, definitions, inside)
    expanded: JsonObject = {
        key: _expand_properties(value, definitions, inside)
        if key == "properties"
        else _expand(value, definitions, inside)
        for key, value in schema.items()
        if key != "$defs" and not (key == "title" and isinstance(value, str))
    }
    return _merge_alternatives(expanded)


def _expand_properties(
    properties: dict[str, Any], definitions: dict[str, Any], inside: tuple[str, ...]
) -> JsonObject:
    """Here a key is a parameter's name, so that one called `title` stays."""
    return {key: _expand(value, definitions, inside) for key, value in properties.items()}


def _expand_reference(
    schema: dict[str, Any], name: str, definitions: dict[str, Any], inside: tuple[str, ...]
) -> JsonObject:
    """A type that holds itself is `Json`: whatever JSON there is."""
    around = {key: value for key, value in schema.items() if key not in ("$ref", "title")}
    if name in inside or name == "Json":
        return _without_null_default(around)
    expanded = _expand(definitions[name], definitions, (*inside, name))
    assert isinstance(expanded, dict)
    return {**expanded, **around}


def _merge_alternatives(schema: JsonObject) -> JsonObject:
    alternatives = schema.pop("anyOf", None)
    if not isinstance(alternatives, list):
        return schema
    members = [member for member in alternatives if isinstance(member, dict)]
    if "default" in schema and schema["default"] is None:
        members = [member for member in members if member != {"type": "null"}]
        schema = _without_null_default(schema)
    if len(members) == 1:
        return {**members[0], **schema}
    merged = _merged(members)
    return {**schema, "anyOf": list[Json](members)} if merged is None else {**merged, **schema}


def _merged(members: list[JsonObject]) -> JsonObject | None:
    """One schema for members of different types; None if they cannot be told apart by type."""
    types: list[Json] = []
    merged: JsonObject = {}
    for member in members:
        kind = member.get("type")
        rest = {key: value for key, value in member.items() if key not in ("type", "description")}
        shared = rest.keys() & merged.keys() or not rest.keys().isdisjoint({"enum", "const"})
        if not isinstance(kind, str) or kind in types or shared:
            return None
        types.append(kind)
        merged.update(rest)
    if "number" in types and "integer" in types:
        types.remove("integer")
    return {"type": types, **merged}


def _without_null_default(schema: JsonObject) -> JsonObject:
    return {k: v for k, v in schema.items() if not (k == "default" and v is None)}
