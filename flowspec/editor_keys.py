"""What editors are told of each key of a flow document, whatever node types there are."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import BaseModel

from flowspec.agents import NOT_FOR_TOOLS
from flowspec.document import Defaults
from flowspec.durations import DURATION_PATTERN
from flowspec.edges import Arrow, Link
from flowspec.editor_pieces import array, either, has, keyed, named, ref, whole
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
from flowspec.recurrence import PARTS, Part
from flowspec.schedules import OVERLAPS, Calendar, Every, Schedule
from flowspec.values import Json, JsonObject

__all__ = ["FLOW", "NODE", "RUNNING", "TOOL", "definitions", "mapping"]

_OUTCOMES = {
    "success": "It ended well, whatever the action; what `on` means if left out",
    "failure": "It failed; a timeout only if the node has no edge for `timeout`",
    "timeout": "It took longer than its `timeout`",
    "skipped": "It was not run, by its `when` or because no edge led to it",
    "cancelled": "It was given up",
    "always": "However it ended",
}
_TEXT: JsonObject = {"type": "string"}
_ANY: JsonObject = {}
_LIMIT = either(whole(1), {"const": "unlimited"})
_NODES = keyed(NODE_ID, ref("node"), minProperties=1)
_EDGES = array(either({"type": "string", "pattern": "->", "examples": ["a -> b"]}, ref("link")))
_ON_FAILURE: JsonObject = {"enum": ["cancel", "finish"], "default": "cancel"}
RUNNING: JsonObject = {**_ON_FAILURE, "description": "What happens to nodes that still run"}
_PRIORITY = whole(1, 5)
_ERROR_TYPES = array(_TEXT, uniqueItems=True)

FLOW: Mapping[str, JsonObject] = {
    "flow": {**named(FLOW_NAME), "not": {"pattern": "^(flow$|flowrunner)"}},
    "description": _TEXT,
    "input": ref("inputSchema"),
    "secrets": array(named(SECRET_NAME), uniqueItems=True),
    "vars": keyed(IDENTIFIER, _ANY),
    "defaults": ref("defaults"),
    "labels": keyed(LABEL_NAME, _TEXT),
    "nodes": _NODES,
    "edges": _EDGES,
    "output": _ANY,
    "timeout": ref("duration"),
    "on_complete": ref("callback"),
    "on_failure": either(_ON_FAILURE, ref("failing")),
    "schedules": keyed(SCHEDULE_NAME, ref("schedule")),
}
NODE: Mapping[str, JsonObject] = {
    "type": _TEXT,
    "title": _TEXT,
    "description": _TEXT,
    "params": {"type": "object"},
    "next": ref("next"),
    "join": either({"enum": ["all", "any", "race"]}, whole(1)),
    "when": ref("condition"),
    "foreach": either(ref("template"), {"type": "array"}, ref("foreach")),
    "repeat": ref("repeat"),
    "retry": either(_LIMIT, ref("retry")),
    "timeout": either(ref("duration"), ref("template")),
    "attempt_timeout": ref("duration"),
    "heartbeat": ref("duration"),
    "cache": either(ref("duration"), ref("cache")),
    "lock": either(_TEXT, ref("lock")),
    "rate": either({**_TEXT, "pattern": "^[0-9]", "examples": ["10/s", "100/m"]}, ref("rate")),
    "undo": ref("nodeId"),
    "queue": _TEXT,
    "priority": _PRIORITY,
    "execution": {"enum": ["local", "remote"]},
    "nodes": _NODES,
    "edges": _EDGES,
    "output": _ANY,
    "on_failure": _ON_FAILURE,
    "tools": keyed(NODE_ID, ref("tool")),
}
TOOL: Mapping[str, JsonObject] = {
    **{key: schema for key, schema in NODE.items() if key not in NOT_FOR_TOOLS},
    "parameters": ref("valueSchema"),
}
_ARROW: Mapping[str, JsonObject] = {
    "to": ref("nodeId"),
    "on": either(ref("outcome"), array(ref("outcome"), minItems=1, uniqueItems=True)),
    "when": ref("condition"),
    "otherwise": {"type": "boolean"},
    "limit": _LIMIT,
}
_DEFAULTS: Mapping[str, JsonObject] = {
    "retry": either(_LIMIT, ref("retry")),
    "attempt_timeout": ref("duration"),
    "heartbeat": ref("duration"),
    "queue": _TEXT,
    "priority": _PRIORITY,
}
_RETRY: Mapping[str, JsonObject] = {
    "attempts": _LIMIT,
    "interval": ref("duration"),
    "factor": {"type": "number", "minimum": 1},
    "max_interval": ref("duration"),
    "jitter": {"type": "number", "minimum": 0, "maximum": 1},
    "only": _ERROR_TYPES,
    "never": _ERROR_TYPES,
}
_FOREACH: Mapping[str, JsonObject] = {
    "in": either(ref("template"), {"type": ["array", "object"]}),
    "as": named(IDENTIFIER),
    "concurrency": whole(1, 1000),
    "tolerate": either(whole(0), {"type": "string", "pattern": "^[0-9.]+ *%$"}),
    "batch": whole(1),
}
_REPEAT: Mapping[str, JsonObject] = {
    "until": ref("condition"),
    "while": ref("condition"),
    "every": ref("duration"),
    "limit": _LIMIT,
}
_CACHE: Mapping[str, JsonObject] = {"key": _ANY, "ttl": ref("duration")}
_LOCK: Mapping[str, JsonObject] = {
    "name": _TEXT,
    "slots": whole(1, 1000),
    "expires": ref("duration"),
    "wait": ref("duration"),
}
_RATE: Mapping[str, JsonObject] = {
    "name": _TEXT,
    "limit": whole(1, 1000),
    "per": ref("duration"),
}
_CRON: JsonObject = {**_TEXT, "examples": ["0 2 * * *", "*/15 9-17 * * mon-fri", "@daily"]}
_MOMENT: JsonObject = {
    **_TEXT,
    "pattern": MOMENT_PATTERN,
    "examples": ["2026-11-21", "2026-11-21T09:30", "2026-11-21T09:30:00Z"],
}
_SCHEDULE: Mapping[str, JsonObject] = {
    "cron": either(_CRON, array(_CRON, minItems=1)),
    "every": either(ref("duration"), ref("every")),
    "calendar": either(ref("calendar"), array(ref("calendar"), minItems=1)),
    "timezone": {**_TEXT, "examples": ["Europe/Vienna", "UTC"]},
    "jitter": ref("duration"),
    "from": _MOMENT,
    "until": _MOMENT,
    "overlap": {"enum": list[Json](OVERLAPS), "default": "skip"},
    "catch_up": ref("duration"),
    "pause_on_failure": {"type": "boolean"},
    "paused": {"type": "boolean"},
    "input": {"type": "object"},
    "note": _TEXT,
}
_EVERY: Mapping[str, JsonObject] = {"interval": ref("duration"), "offset": ref("duration")}


def _range(part: Part) -> JsonObject:
    highest = 7 if part.name == "weekday" else part.high
    one = either(whole(part.low, highest), {**_TEXT, "pattern": "^[A-Za-z0-9*,/ -]+$"})
    return either(one, array(one, minItems=1))


_CALENDAR: Mapping[str, JsonObject] = {name: _range(part) for name, part in PARTS.items()}


def mapping(
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


def definitions() -> JsonObject:
    outcomes: JsonObject = {
        name: {**ref("targets"), "description": about} for name, about in _OUTCOMES.items()
    }
    return {
        "nodeId": named(NODE_ID),
        "duration": {
            "type": "string",
            "minLength": 2,
            "pattern": DURATION_PATTERN,
            "examples": ["30s", "5m", "1h30m", "3d"],
        },
        "condition": either({"type": "string", "minLength": 1}, {"type": "boolean"}),
        "template": {"type": "string", "pattern": "\\$\\{"},
        "outcome": either({"enum": list[Json](_OUTCOMES)}, named(IDENTIFIER)),
        "arrow": mapping(Arrow, _ARROW, required=("to",)),
        "link": mapping(Link, {"from": ref("nodeId"), **_ARROW}, required=("from", "to")),
        "targets": either(ref("nodeId"), ref("arrow"), array(either(ref("nodeId"), ref("arrow")))),
        "next": either(
            ref("targets"),
            keyed(IDENTIFIER, ref("targets"), properties=outcomes, minProperties=1),
        ),
        "defaults": mapping(Defaults, _DEFAULTS),
        "retry": mapping(Retry, _RETRY),
        "foreach": mapping(Foreach, _FOREACH, required=("in",)),
        "repeat": {
            **mapping(Repeat, _REPEAT),
            "oneOf": [{"required": ["until"]}, {"required": ["while"]}],
        },
        "cache": mapping(Cache, _CACHE, required=("ttl",)),
        "lock": mapping(Lock, _LOCK, required=("name",)),
        "rate": mapping(Rate, _RATE, required=("limit", "per")),
        "schedule": {
            **mapping(Schedule, _SCHEDULE),
            "anyOf": [has("cron"), has("every"), has("calendar")],
        },
        "every": mapping(Every, _EVERY, required=("interval",)),
        "calendar": mapping(Calendar, _CALENDAR),
        "inputSchema": {
            **_value_schema(),
            "description": "JSON Schema of what a run is started with; defaults are filled in",
        },
        "valueSchema": _value_schema(),
    }


def _value_schema() -> JsonObject:
    """The usual part of JSON Schema: an editor completes it without fetching anything."""
    types = ("string", "number", "integer", "boolean", "array", "object", "null")
    values: JsonObject = {"type": "object", "additionalProperties": ref("valueSchema")}
    return {
        "type": ["object", "boolean"],
        "properties": {
            "type": either({"enum": list[Json](types)}, array({"enum": list[Json](types)})),
            "title": _TEXT,
            "description": _TEXT,
            "default": {"description": "Filled in if the value is left out"},
            "enum": {"type": "array", "description": "The values it may have"},
            "format": {"enum": list[Json](FORMATS)},
            "properties": {**values, "description": "What it has, by name"},
            "required": {**array(_TEXT), "description": "The names it cannot do without"},
            "additionalProperties": {
                **ref("valueSchema"),
                "description": "What may be there beside `properties`",
            },
            "items": {**ref("valueSchema"), "description": "What each entry of the list is"},
            "$defs": values,
        },
    }
