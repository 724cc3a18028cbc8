"""The catalogue of node types, as text for people and as JSON for programs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from difflib import get_close_matches
from typing import cast

from flowspec.catalogue import Catalogue, NodeType
from flowspec.durations import format_duration
from flowspec.values import Json, JsonObject
from service.cli.screen import columns
from service.errors import InputWrong

__all__ = ["as_json", "describe", "listing", "named", "problems"]


def named(catalogue: Catalogue, name: str) -> NodeType:
    """Raises `InputWrong`, with the nearest name."""
    if name in catalogue:
        return catalogue[name]
    near = get_close_matches(name, list(catalogue), n=1)
    hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(catalogue)}"
    broken = "".join(f"\n{told}" for told in problems(catalogue))
    raise InputWrong(f"there is no node type {name!r}; {hint}{broken}")


def listing(catalogue: Catalogue) -> str:
    """One line each; of those that plug-ins declare, with the package."""
    return columns([(one.name, one.tier, _told(one, catalogue)) for one in catalogue.values()])


def _told(node_type: NodeType, catalogue: Catalogue) -> str:
    package = catalogue.packages.get(node_type.name)
    return f"{node_type.summary} [{package}]" if package else node_type.summary


def problems(catalogue: Catalogue) -> list[str]:
    """What is wrong with plug-ins."""
    return [f"a plug-in has a problem: {trouble}" for trouble in catalogue.troubles]


def as_json(node_type: NodeType, catalogue: Catalogue) -> JsonObject:
    """The declaration; `package` is null for what is built in."""
    declared = asdict(node_type)
    del declared["objections"]  # which is code
    declared["params_schema"] = node_type.params_schema()
    declared["output_schema"] = node_type.output_schema()
    data: JsonObject = json.loads(json.dumps(declared))
    return {**data, "package": catalogue.packages.get(node_type.name)}


def describe(node_type: NodeType, catalogue: Catalogue) -> str:
    """Everything that the declaration says."""
    return "\n".join(_lines(node_type, catalogue.packages.get(node_type.name))).rstrip()


def _lines(node_type: NodeType, package: str | None) -> Iterator[str]:
    yield f"{node_type.name}: {node_type.summary}"
    yield f"Runs {_TIERS[node_type.tier]}."
    if package:
        yield f"From the package {package}."
    if node_type.description:
        yield from ("", node_type.description)
    if rows := [_param(*one) for one in _params(node_type)]:
        yield from ("", "Parameters", _indented(columns(rows)))
    if output := node_type.output_schema():
        yield from ("", "Output", _indented(_output(output)))
    if node_type.actions:
        yield from ("", f"Actions: {', '.join(node_type.actions)}")
    if node_type.errors:
        errors = [
            (one.name, "permanent" if one.permanent else "retried", one.meaning)
            for one in node_type.errors
        ]
        yield from ("", "Errors", _indented(columns(errors)))
    if node_type.is_activity:
        yield from ("", f"Unless the flow says otherwise: {_defaults(node_type)}.")
    yield from ("", "Example", _indented(node_type.example.rstrip("\n")))


_TIERS = {
    "inline": "in the interpreter itself: no activity, no worker slot",
    "local": "as a local activity: short and idempotent, one event",
    "remote": "as an activity on any worker",
}


def _params(node_type: NodeType) -> Iterator[tuple[str, JsonObject, bool]]:
    schema = node_type.params_schema()
    required = cast("list[str]", schema.get("required") or [])
    properties = cast("dict[str, JsonObject]", schema.get("properties") or {})
    for name, one in properties.items():
        yield name, one, name in required


def _param(name: str, schema: JsonObject, required: bool) -> tuple[str, str, str]:
    told = str(schema.get("description", ""))
    if schema.get("default") is not None:
        told = f"{told} (default {json.dumps(schema['default'])})".strip()
    return (f"{name}{' *' if required else ''}", _type_of(schema), told)


def _type_of(schema: JsonObject) -> str:
    if isinstance(schema.get("enum"), list):
        return " | ".join(str(one) for one in cast("list[Json]", schema["enum"]))
    kind = schema.get("type")
    if isinstance(kind, list):
        return " | ".join(str(one) for one in kind)
    if isinstance(kind, str):
        return kind
    options = schema.get("anyOf") or schema.get("oneOf")
    if isinstance(options, list):
        return " | ".join(dict.fromkeys(_type_of(cast(JsonObject, one)) for one in options))
    return "any"


def _output(schema: JsonObject) -> str:
    properties = schema.get("properties")
    if not isinstance(properties, dict):
        return str(schema.get("description") or _type_of(schema))
    inner = cast("dict[str, JsonObject]", properties)
    rows = [(name, _type_of(one), str(one.get("description", ""))) for name, one in inner.items()]
    return columns(rows)


def _defaults(node_type: NodeType) -> str:
    attempts = node_type.retry.attempts
    parts = ["attempts without end" if attempts is None else f"{attempts} attempts"]
    if attempts == 1:
        parts = ["1 attempt"]
    if node_type.attempt_timeout:
        parts.append(f"{format_duration(node_type.attempt_timeout)} for each")
    if node_type.heartbeat:
        parts.append(f"a heartbeat every {format_duration(node_type.heartbeat)}")
    return ", ".join(parts)


def _indented(text: str) -> str:
    return "\n".join(f"  {line}" if line else "" for line in text.splitlines())
