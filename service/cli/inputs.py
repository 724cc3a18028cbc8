"""The input of a run, and data for an event or a decision, from the command line."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn, TextIO

from flowspec.values import Json, JsonObject
from service.errors import InputWrong

__all__ = ["read_data", "read_duration", "read_input"]

_YAML = (".yaml", ".yml")


def read_input(
    given: str | None,
    settings: Sequence[str],
    stdin: TextIO,
    *,
    schema: JsonObject | None = None,
) -> JsonObject | None:
    """`given` is JSON, `@FILE`, or `@-` for standard input; `settings` are `key=value`.

    A value that reads as JSON is that, anything else is text; so is `12345` where the flow's
    `schema` wants text. Dots in a key go inwards. None if neither was given. Raises `InputWrong`.
    """
    value = read_data(given, settings, stdin, option="--input", schema=schema)
    if value is not None and not isinstance(value, dict):
        raise InputWrong(
            f'--input: a flow\'s input is an object such as {{"name": "Ada"}}; found {_kind(value)}'
        )
    return value


def read_data(
    given: str | None,
    settings: Sequence[str],
    stdin: TextIO,
    *,
    option: str = "--data",
    schema: JsonObject | None = None,
) -> Json:
    """As `read_input`, but any JSON will do when there are no `settings`."""
    value = None if given is None else _read(given, stdin, option)
    if not settings:
        return value
    if value is not None and not isinstance(value, dict):
        raise InputWrong(f"--set adds to an object; {option} gives {_kind(value)}")
    merged: JsonObject = dict(value or {})
    for setting in settings:
        _assign(merged, setting, schema or {})
    return merged


def read_duration(text: str, *, option: str) -> float:
    """The seconds that `30s` or `1h30m` lasts. Raises `InputWrong`."""
    from flowspec.durations import DurationInvalid, parse_duration

    try:
        return parse_duration(text)
    except DurationInvalid as error:
        hint = f"; did you mean {error.suggestion}?" if error.suggestion else ""
        raise InputWrong(f"{option}: {error}{hint}") from error


def _read(given: str, stdin: TextIO, option: str) -> Json:
    if not given.startswith("@"):
        return _json(given, option)
    name = given[1:]
    if name == "-":
        return _json(stdin.read(), f"{option} from standard input")
    try:
        text = Path(name).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise InputWrong(f"{option}: the file {name!r} cannot be read: {reason}") from error
    if name.endswith(_YAML):
        return _yaml(text, name)
    return _json(text, f"{option} from {name!r}")


def _json(text: str, what: str) -> Json:
    try:
        return _parse(text)
    except json.JSONDecodeError as error:
        where = f"line {error.lineno} column {error.colno}"
        raise InputWrong(
            f"{what} is not JSON: {error.msg} at {where}\n"
            "Give JSON in quotes, a file as @FILE, or single values with --set key=value."
        ) from error
    except ValueError as error:
        raise InputWrong(f"{what}: {error}") from error
    except RecursionError as error:
        raise InputWrong(f"{what}: it is nested too deeply") from error


def _yaml(text: str, name: str) -> Json:
    from flowspec.problems import FlowInvalid
    from flowspec.problems import text as lines
    from flowspec.source import read_yaml

    try:
        return read_yaml(text).data
    except FlowInvalid as error:
        raise InputWrong(lines(error.problems, name)) from error


def _parse(text: str) -> Json:
    value: Json = json.loads(text, object_pairs_hook=_object, parse_constant=_not_json)
    return value


def _object(pairs: list[tuple[str, Json]]) -> JsonObject:
    found: JsonObject = {}
    for key, value in pairs:
        if key in found:
            raise ValueError(f"the key {key!r} is there twice")
        found[key] = value
    return found


def _not_json(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not JSON")


def _assign(target: JsonObject, setting: str, schema: JsonObject) -> None:
    path, equals, text = setting.partition("=")
    keys = path.split(".")
    if not equals or not all(keys):
        raise InputWrong(f"--set: found {setting!r}, expected key=value, for example name=Ada")
    for depth, key in enumerate(keys[:-1], start=1):
        inner = target.setdefault(key, {})
        if not isinstance(inner, dict):
            where = ".".join(keys[:depth])
            raise InputWrong(f"--set: {path!r} goes into {where!r}, which is {_kind(inner)}")
        target, schema = inner, _schema_of(key, schema)
    target[keys[-1]] = _value(text, _schema_of(keys[-1], schema))


def _schema_of(key: str, schema: JsonObject) -> JsonObject:
    """Empty, which says nothing, where that of the object does not name the key plainly."""
    properties = schema.get("properties")
    named = properties.get(key) if isinstance(properties, dict) else None
    found = schema.get("additionalProperties") if named is None else named
    return found if isinstance(found, dict) else {}


def _value(text: str, schema: JsonObject) -> Json:
    try:
        value = _parse(text)
    except (ValueError, RecursionError):
        return text
    types = schema.get("type")
    wanted = types if isinstance(types, list) else [types]
    return text if "string" in wanted and not _TYPES[type(value)] & set(wanted) else value


_TYPES: dict[type, set[Json]] = {
    type(None): {"null"},
    bool: {"boolean"},
    int: {"integer", "number"},
    float: {"integer", "number"},
    str: {"string"},
    list: {"array"},
    dict: {"object"},
}


def _kind(value: Json) -> str:
    if value is None:
        return "null"
    names: dict[type, str] = {
        bool: "true or false",
        int: "a number",
        float: "a number",
        str: "text",
        list: "a list",
    }
    return names.get(type(value), "an object")
