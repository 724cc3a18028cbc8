"""The reference page of the node types, written from their declarations.

python -m scripts.node_types_page > docs/reference/node-types.md
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import cast

from activities.catalogue import built_in
from flowspec.catalogue import NodeType
from flowspec.durations import format_duration
from flowspec.values import Json, JsonObject

__all__ = ["node_types_page"]

_HEAD = """\
# Node types

What a node can do. `flowrunner nodes` prints the same, `flowrunner nodes NAME` one of them, and \
`--json` both for programs. A node's own keys (`retry`, `foreach`, `when`, …) are in \
[the flow document](flow-format.md#nodes).

| node type | | runs |
|---|---|---|
"""

_TIERS = {
    "inline": "in the interpreter itself, without an activity",
    "local": "as a local activity: short and idempotent, one event",
    "remote": "as an activity, on any worker of its task queue",
}


def node_types_page() -> str:
    """The whole page."""
    types = built_in().values()
    rows = [
        f"| [`{one.name}`](#{_anchor(one.name)}) | {one.summary} | {one.tier} |" for one in types
    ]
    sections = ["\n".join(_section(one)).rstrip() for one in types]
    return "\n\n".join([_HEAD + "\n".join(rows), *sections]) + "\n"


def _section(node_type: NodeType) -> Iterator[str]:
    yield f"## {node_type.name}\n"
    yield f"{node_type.summary}. Runs {_TIERS[node_type.tier]}.\n"
    if node_type.description:
        yield f"{node_type.description}\n"
    yield f"```yaml\n{node_type.example.rstrip()}\n```\n"
    yield from _table("Parameter", _params(node_type))
    yield from _table("Output", _output(node_type.output_schema()))
    if node_type.actions:
        yield f"Actions: {', '.join(f'`{action}`' for action in node_type.actions)}.\n"
    yield from _table("Error", _errors(node_type))
    if node_type.is_activity:
        yield f"Unless the flow says otherwise: {_defaults(node_type)}."


def _table(title: str, rows: list[tuple[str, str, str]]) -> Iterator[str]:
    if not rows:
        return
    yield f"| {title} | | |\n|---|---|---|"
    for name, kind, told in rows:
        yield f"| `{name}` | {_cell(kind)} | {_cell(told)} |"
    yield ""


def _params(node_type: NodeType) -> list[tuple[str, str, str]]:
    declared = node_type.params_schema()
    required = cast("list[str]", declared.get("required") or [])
    rows = _properties(declared)
    one_of = {name for group in node_type.require_one for name in group}
    told: list[tuple[str, str, str]] = []
    for name, schema in rows:
        need = ", required" if name in required else ", one of these" if name in one_of else ""
        told.append((name, f"{_kind(schema)}{need}", _description(schema)))
    return told


def _output(schema: JsonObject) -> list[tuple[str, str, str]]:
    rows = [(name, _kind(one), _description(one)) for name, one in _properties(schema)]
    if not rows and schema.get("description"):
        return [("output", _kind(schema), _description(schema))]
    return rows


def _errors(node_type: NodeType) -> list[tuple[str, str, str]]:
    return [
        (error.name, "permanent" if error.permanent else "retried", error.meaning)
        for error in node_type.errors
    ]


def _properties(schema: JsonObject) -> list[tuple[str, JsonObject]]:
    return list(cast("dict[str, JsonObject]", schema.get("properties") or {}).items())


def _description(schema: JsonObject) -> str:
    told = str(schema.get("description", ""))
    if schema.get("default") not in (None, {}, []):
        told = f"{told} Default `{json.dumps(schema['default'])}`.".strip()
    return told


def _kind(schema: JsonObject) -> str:
    if schema.get("format") == "duration-text":
        return "duration"
    if isinstance(schema.get("enum"), list):
        return " or ".join(f"`{one}`" for one in cast("list[Json]", schema["enum"]))
    options = schema.get("anyOf") or schema.get("oneOf")
    if isinstance(options, list):
        return " or ".join(dict.fromkeys(_kind(cast(JsonObject, one)) for one in options))
    kind = schema.get("type", "any JSON")
    return " or ".join(str(one) for one in kind) if isinstance(kind, list) else str(kind)


def _defaults(node_type: NodeType) -> str:
    attempts = node_type.retry.attempts
    parts = ["1 attempt" if attempts == 1 else f"{attempts or 'unlimited'} attempts"]
    if node_type.attempt_timeout:
        parts.append(f"{format_duration(node_type.attempt_timeout)} for each")
    if node_type.heartbeat:
        parts.append(f"a sign of life every {format_duration(node_type.heartbeat)}")
    return ", ".join(parts)


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def _anchor(name: str) -> str:
    return name.replace(".", "").lower()


if __name__ == "__main__":
    print(node_types_page(), end="")
