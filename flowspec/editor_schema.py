"""One JSON Schema of the whole flow document, for completion and hints in editors.

It is more lenient than the checks of a flow where a schema cannot say what they look at.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations
from typing import cast

from pydantic import BaseModel

from flowspec.agents import AGENT, NOT_FOR_TOOLS
from flowspec.callbacks import SENDS
from flowspec.catalogue import Catalogue, NodeType
from flowspec.document import Defaults, Flow
from flowspec.durations import DURATION_PATTERN
from flowspec.edges import Arrow, Link
from flowspec.jsonschemas import embedded
from flowspec.jsonschemas.validators import FORMATS
from flowspec.modifiers import Cache, Foreach, Lock, Rate, Repeat, Retry
from flowspec.moments import MOMENT_PATTERN
from flowspec.names import (
    FLOW_NAME,
    IDENTIFIER,
    LABEL_NAME,
    NODE_ID,
    SCHEDULE_NAME,
    SECRET_NAME,
)
from flowspec.nodes import Node, Tool
from flowspec.recurrence import PARTS, Part
from flowspec.schedules import OVERLAPS, Calendar, Every, Schedule
from flowspec.values import Json, JsonObject

__all__ = ["flow_json_schema"]

_OUTCOMES = {
    "success": "It ended well, whatever the action; what `on` means if left out",
    "failure": "It failed; a timeout only if the node has no edge for `timeout`",
    "timeout": "It took longer than its `timeout`",
    "skipped": "It was not run, by its `when` or because no edge led to it",
    "cancelled": "It was given up",
    "always": "However it ended",
}
_BLOCK_KEYS = ("nodes", "edges", "output", "on_failure")


def flow_json_schema(catalogue: Catalogue) -> JsonObject:
    """The schema (draft 2020-12) of a flow that uses the node types of `catalogue`.

    The parameters are described for each node type; a template may stand for any of them.
    """
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Flow",
        "description": "A flow: steps, the edges between them, and what goes in and comes out",
        **_mapping(Flow, _FLOW, required=("flow", "nodes")),
        "$defs": {
            **_definitions(),
            "node": _node(Node, _NODE, catalogue),
            "tool": _node(Tool, _TOOL, catalogue),
            **_callbacks(catalogue),
            **_params(catalogue),
        },
    }


def _callbacks(catalogue: Catalogue) -> JsonObject:
    """The webhook that is sent at the end of a run: it has a payload of its own."""
    node_type = catalogue.get(SENDS)
    whole = _params_of(node_type) if node_type is not None else {"properties": {}, "required": []}
    needed = [name for name in cast("list[str]", whole["required"]) if name != "payload"]
    told = cast(JsonObject, whole["properties"])
    return {
        "callback": {**whole, **_has(*needed)},
        "failing": {
            **whole,
            "properties": {"running": _RUNNING, **told},
            "required": [],
            "anyOf": [{"maxProperties": 1, **_has("running")}, _has(*needed)],
        },
    }


def _ref(name: str) -> JsonObject:
    return {"$ref": f"#/$defs/{name}"}


def _either(*schemas: Json) -> JsonObject:
    return {"anyOf": list(schemas)}


def _names(pattern: str) -> JsonObject:
    return {"type": "string", "pattern": f"^{pattern}$"}


def _list(items: Json, **more: Json) -> JsonObject:
    return {"type": "array", "items": items, **more}


def _keyed(pattern: str, value: Json, **more: Json) -> JsonObject:
    return {
        "type": "object",
        "propertyNames": {"pattern": f"^{pattern}$"},
        "additionalProperties": value,
        **more,
    }


def _whole(low: int, high: int | None = None) -> JsonObject:
    limits: JsonObject = {"type": "integer", "minimum": low}
    return limits if high is None else {**limits, "maximum": high}


_TEXT: JsonObject = {"type": "string"}
_ANY: JsonObject = {}
_LIMIT = _either(_whole(1), {"const": "unlimited"})
_NODES = _keyed(NODE_ID, _ref("node"), minProperties=1)
_EDGES = _list(_either({"type": "string", "pattern": "->", "examples": ["a -> b"]}, _ref("link")))
_ON_FAILURE: JsonObject = {"enum": ["cancel", "finish"], "default": "cancel"}
_RUNNING: JsonObject = {**_ON_FAILURE, "description": "What happens to nodes that still run"}
_PRIORITY = _whole(1, 5)
_ERROR_TYPES = _list(_TEXT, uniqueItems=True)

_FLOW: Mapping[str, JsonObject] = {
    "flow": {**_names(FLOW_NAME), "not": {"pattern": "^(flow$|flowrunner)"}},
    "description": _TEXT,
    "input": _ref("inputSchema"),
    "secrets": _list(_names(SECRET_NAME), uniqueItems=True),
    "vars": _keyed(IDENTIFIER, _ANY),
    "defaults": _ref("defaults"),
    "labels": _keyed(LABEL_NAME, _TEXT),
    "nodes": _NODES,
    "edges": _EDGES,
    "output": _ANY,
    "timeout": _ref("duration"),
    "on_complete": _ref("callback"),
    "on_failure": _either(_ON_FAILURE, _ref("failing")),
    "schedules": _keyed(SCHEDULE_NAME, _ref("schedule")),
}
_NODE: Mapping[str, JsonObject] = {
    "type": _TEXT,
    "title": _TEXT,
    "description": _TEXT,
    "params": {"type": "object"},
    "next": _ref("next"),
    "join": _either({"enum": ["all", "any", "race"]}, _whole(1)),
    "when": _ref("condition"),
    "foreach": _either(_ref("template"), {"type": "array"}, _ref("foreach")),
    "repeat": _ref("repeat"),
    "retry": _either(_LIMIT, _ref("retry")),
    "timeout": _either(_ref("duration"), _ref("template")),
    "attempt_timeout": _ref("duration"),
    "heartbeat": _ref("duration"),
    "cache": _either(_ref("duration"), _ref("cache")),
    "lock": _either(_TEXT, _ref("lock")),
    "rate": _either({**_TEXT, "pattern": "^[0-9]", "examples": ["10/s", "100/m"]}, _ref("rate")),
    "undo": _ref("nodeId"),
    "queue": _TEXT,
    "priority": _PRIORITY,
    "execution": {"enum": ["local", "remote"]},
    "nodes": _NODES,
    "edges": _EDGES,
    "output": _ANY,
    "on_failure": _ON_FAILURE,
    "tools": _keyed(NODE_ID, _ref("tool")),
}
_TOOL: Mapping[str, JsonObject] = {
    **{key: schema for key, schema in _NODE.items() if key not in NOT_FOR_TOOLS},
    "parameters": _ref("valueSchema"),
}
_ARROW: Mapping[str, JsonObject] = {
    "to": _ref("nodeId"),
    "on": _either(_ref("outcome"), _list(_ref("outcome"), minItems=1, uniqueItems=True)),
    "when": _ref("condition"),
    "otherwise": {"type": "boolean"},
    "limit": _LIMIT,
}
_DEFAULTS: Mapping[str, JsonObject] = {
    "retry": _either(_LIMIT, _ref("retry")),
    "attempt_timeout": _ref("duration"),
    "heartbeat": _ref("duration"),
    "queue": _TEXT,
    "priority": _PRIORITY,
}
_RETRY: Mapping[str, JsonObject] = {
    "attempts": _LIMIT,
    "interval": _ref("duration"),
    "factor": {"type": "number", "minimum": 1},
    "max_interval": _ref("duration"),
    "jitter": {"type": "number", "minimum": 0, "maximum": 1},
    "only": _ERROR_TYPES,
    "never": _ERROR_TYPES,
}
_FOREACH: Mapping[str, JsonObject] = {
    "in": _either(_ref("template"), {"type": ["array", "object"]}),
    "as": _names(IDENTIFIER),
    "concurrency": _whole(1, 1000),
    "tolerate": _either(_whole(0), {"type": "string", "pattern": "^[0-9.]+ *%$"}),
    "batch": _whole(1),
}
_REPEAT: Mapping[str, JsonObject] = {
    "until": _ref("condition"),
    "while": _ref("condition"),
    "every": _ref("duration"),
    "limit": _LIMIT,
}
_CACHE: Mapping[str, JsonObject] = {"key": _ANY, "ttl": _ref("duration")}
_LOCK: Mapping[str, JsonObject] = {
    "name": _TEXT,
    "slots": _whole(1, 1000),
    "expires": _ref("duration"),
    "wait": _ref("duration"),
}
_RATE: Mapping[str, JsonObject] = {
    "name": _TEXT,
    "limit": _whole(1, 1000),
    "per": _ref("duration"),
}
_CRON: JsonObject = {**_TEXT, "examples": ["0 2 * * *", "*/15 9-17 * * mon-fri", "@daily"]}
_MOMENT: JsonObject = {
    **_TEXT,
    "pattern": MOMENT_PATTERN,
    "examples": ["2026-11-21", "2026-11-21T09:30", "2026-11-21T09:30:00Z"],
}
_SCHEDULE: Mapping[str, JsonObject] = {
    "cron": _either(_CRON, _list(_CRON, minItems=1)),
    "every": _either(_ref("duration"), _ref("every")),
    "calendar": _either(_ref("calendar"), _list(_ref("calendar"), minItems=1)),
    "timezone": {**_TEXT, "examples": ["Europe/Vienna", "UTC"]},
    "jitter": _ref("duration"),
    "from": _MOMENT,
    "until": _MOMENT,
    "overlap": {"enum": list[Json](OVERLAPS), "default": "skip"},
    "catch_up": _ref("duration"),
    "pause_on_failure": {"type": "boolean"},
    "paused": {"type": "boolean"},
    "input": {"type": "object"},
    "note": _TEXT,
}
_EVERY: Mapping[str, JsonObject] = {"interval": _ref("duration"), "offset": _ref("duration")}


def _range(part: Part) -> JsonObject:
    highest = 7 if part.name == "weekday" else part.high
    one = _either(_whole(part.low, highest), {**_TEXT, "pattern": "^[A-Za-z0-9*,/ -]+$"})
    return _either(one, _list(one, minItems=1))


_CALENDAR: Mapping[str, JsonObject] = {name: _range(part) for name, part in PARTS.items()}


def _mapping(
    model: type[BaseModel], keys: Mapping[str, JsonObject], required: tuple[str, ...] = ()
) -> JsonObject:
    """The mapping that `model` describes; its descriptions are the model's."""
    about = {field.alias or name: field for name, field in model.model_fields.items()}
    return {
        "type": "object",
        "properties": {
            key: {**schema, "description": about[key].description} for key, schema in keys.items()
        },
        "required": list[Json](required),
        "additionalProperties": False,
    }


def _definitions() -> JsonObject:
    outcomes: JsonObject = {
        name: {**_ref("targets"), "description": about} for name, about in _OUTCOMES.items()
    }
    return {
        "nodeId": _names(NODE_ID),
        "duration": {
            "type": "string",
            "minLength": 2,
            "pattern": DURATION_PATTERN,
            "examples": ["30s", "5m", "1h30m", "3d"],
        },
        "condition": _either({"type": "string", "minLength": 1}, {"type": "boolean"}),
        "template": {"type": "string", "pattern": "\\$\\{"},
        "outcome": _either({"enum": list[Json](_OUTCOMES)}, _names(IDENTIFIER)),
        "arrow": _mapping(Arrow, _ARROW, required=("to",)),
        "link": _mapping(Link, {"from": _ref("nodeId"), **_ARROW}, required=("from", "to")),
        "targets": _either(
            _ref("nodeId"), _ref("arrow"), _list(_either(_ref("nodeId"), _ref("arrow")))
        ),
        "next": _either(
            _ref("targets"),
            _keyed(IDENTIFIER, _ref("targets"), properties=outcomes, minProperties=1),
        ),
        "defaults": _mapping(Defaults, _DEFAULTS),
        "retry": _mapping(Retry, _RETRY),
        "foreach": _mapping(Foreach, _FOREACH, required=("in",)),
        "repeat": {
            **_mapping(Repeat, _REPEAT),
            "oneOf": [{"required": ["until"]}, {"required": ["while"]}],
        },
        "cache": _mapping(Cache, _CACHE, required=("ttl",)),
        "lock": _mapping(Lock, _LOCK, required=("name",)),
        "rate": _mapping(Rate, _RATE, required=("limit", "per")),
        "schedule": {
            **_mapping(Schedule, _SCHEDULE),
            "anyOf": [_has("cron"), _has("every"), _has("calendar")],
        },
        "every": _mapping(Every, _EVERY, required=("interval",)),
        "calendar": _mapping(Calendar, _CALENDAR),
        "inputSchema": {
            **_value_schema(),
            "description": "JSON Schema of what a run is started with; defaults are filled in",
        },
        "valueSchema": _value_schema(),
    }


def _value_schema() -> JsonObject:
    """The usual part of JSON Schema: an editor completes it without fetching anything."""
    types = ("string", "number", "integer", "boolean", "array", "object", "null")
    values: JsonObject = {"type": "object", "additionalProperties": _ref("valueSchema")}
    return {
        "type": ["object", "boolean"],
        "properties": {
            "type": _either({"enum": list[Json](types)}, _list({"enum": list[Json](types)})),
            "title": _TEXT,
            "description": _TEXT,
            "default": {"description": "Filled in if the value is left out"},
            "enum": {"type": "array", "description": "The values it may have"},
            "format": {"enum": list[Json](FORMATS)},
            "properties": {**values, "description": "What it has, by name"},
            "required": {**_list(_TEXT), "description": "The names it cannot do without"},
            "additionalProperties": {
                **_ref("valueSchema"),
                "description": "What may be there beside `properties`",
            },
            "items": {**_ref("valueSchema"), "description": "What each entry of the list is"},
            "$defs": values,
        },
    }


def _node(model: type[Node], keys: Mapping[str, JsonObject], catalogue: Catalogue) -> JsonObject:
    node = _mapping(model, keys, required=("type",))
    properties = node["properties"]
    assert isinstance(properties, dict)
    properties["type"] = {
        "description": "What the node does",
        "enum": list[Json](catalogue),
        "enumDescriptions": [node_type.summary for node_type in catalogue.values()],
    }
    return {**node, "allOf": [*map(_by_type, catalogue.values()), _BLOCK, _AGENT]}


def _by_type(node_type: NodeType) -> JsonObject:
    then: JsonObject = {"properties": {"params": _ref(_params_name(node_type))}}
    if node_type.params_schema.get("required") or node_type.require_one:
        then["required"] = ["params"]
    return {"if": _is_type(node_type.name), "then": then}


def _is_type(name: str) -> JsonObject:
    return {"properties": {"type": {"const": name}}, "required": ["type"]}


_BLOCK: JsonObject = {
    "if": _is_type("block"),
    "then": {"required": ["nodes"]},
    "else": {"properties": dict.fromkeys(_BLOCK_KEYS, False)},
}
_AGENT: JsonObject = {"if": _is_type(AGENT), "else": {"properties": {"tools": False}}}


def _has(*keys: str) -> JsonObject:
    return {"required": list[Json](keys)}


def _params_name(node_type: NodeType) -> str:
    return f"params.{node_type.name}"


def _params(catalogue: Catalogue) -> JsonObject:
    return {_params_name(node_type): _params_of(node_type) for node_type in catalogue.values()}


def _params_of(node_type: NodeType) -> JsonObject:
    """The node type's own schema, with templates let in and its rules between parameters."""
    schema = embedded(
        node_type.params_schema, f"#/$defs/{_params_name(node_type)}", _ref("template")
    )
    rules: list[Json] = [_either(*map(_has, group)) for group in node_type.require_one]
    rules += [
        {"not": _has(*pair)} for group in node_type.exclusive for pair in combinations(group, 2)
    ]
    described = {"description": node_type.description or node_type.summary, **schema}
    if not rules:
        return described
    every = described.get("allOf")
    return {**described, "allOf": [*(every if isinstance(every, list) else []), *rules]}
