"""The format of test files as JSON Schema: what editors complete by, and what files are held to."""

from __future__ import annotations

from flowspec.values import Json, JsonObject

__all__ = ["test_json_schema"]


def test_json_schema() -> JsonObject:
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Flow test",
        "description": "What a flow is to do for given inputs, with given answers of others",
        **_mapping(_FILE, "cases"),
        "$defs": _DEFINITIONS,
    }


def _mapping(properties: JsonObject, *required: str) -> JsonObject:
    return {
        "type": "object",
        "properties": properties,
        "required": list[Json](required),
        "additionalProperties": False,
    }


def _ref(name: str) -> JsonObject:
    return {"$ref": f"#/$defs/{name}"}


def _about(text: str, schema: JsonObject | None = None) -> JsonObject:
    return {**(schema or {}), "description": text}


def _listed(items: JsonObject, least: int = 0) -> JsonObject:
    return {"type": "array", "items": items, "minItems": least}


def _named(values: JsonObject) -> JsonObject:
    return {"type": "object", "additionalProperties": values}


_TEXT: JsonObject = {"type": "string", "minLength": 1}
_PATHS = _listed(_TEXT)
_COUNT: JsonObject = {"type": "integer", "minimum": 0}
_YES: JsonObject = {"const": True}
_DURATION: JsonObject = {"type": "string", "format": "duration-text"}
_MOMENT: JsonObject = {"type": "string", "format": "date-time"}
_OUTCOMES: JsonObject = {"enum": ["success", "failure", "skipped", "cancelled"]}

_SHARED: JsonObject = {
    "input": _about("What the run is started with", {"type": "object"}),
    "start": _about("When the run starts; 2030-01-01T09:00:00Z if left out", _MOMENT),
    "mocks": _about(
        "What nodes answer, by the node's id, or by a path such as `poll#2` or `each.3/inner`",
        _named(_ref("mock")),
    ),
    "unmocked": _about(
        "Whether a call that nothing answers is an error (the default), or gets a sample made "
        "from what its node type gives",
        {"enum": ["error", "sample"]},
    ),
}

_FILE: JsonObject = {
    "flow": _about(
        "The flow: its name, or a file beside this one; as this file if left out", _TEXT
    ),
    "description": _about("For people", _TEXT),
    **_SHARED,
    "cases": _about("What is tried", _listed(_ref("case"), least=1)),
}

_CASE: JsonObject = {
    "name": _about("What it shows; unique in the file", _TEXT),
    "description": _about("For people", _TEXT),
    **_SHARED,
    "locks": _about(
        "Locks that somebody else holds, and how long from the start", _named(_DURATION)
    ),
    "at": _about(
        "What is said to the run, by the time since its start",
        {
            "type": "object",
            "propertyNames": {"format": "duration-text"},
            "additionalProperties": _ref("said"),
        },
    ),
    "expect": _about("What is to come of it; that it completes, if left out", _ref("expectation")),
}

_ANSWER: JsonObject = {
    "output": _about("What it gives; templates may read `params`, `call` and `attempt`"),
    "data": _about("What comes with an event or a decision"),
    "action": _about("The action it ends with; for a decision, the first one if left out", _TEXT),
    "error": _about(
        "What it fails with: an error's type, or a mapping",
        {"type": ["string", "object"], "if": {"type": "object"}, "then": _ref("error")},
    ),
    "delay": _about("How long it takes", _DURATION),
    "by": _about("Who decides", _TEXT),
    "comment": _about("What they say to it", _TEXT),
}

_ERROR: JsonObject = {
    "type": _about("The error's type", _TEXT),
    "message": _about("Its message", {"type": "string"}),
    "details": _about("Its details, any value"),
    "permanent": _about(
        "Whether it is no use to try again; as the node type says if left out", {"type": "boolean"}
    ),
    "retry_after": _about("How long the other side wants to be left alone", _DURATION),
}

_SAID: JsonObject = {
    "approve": _about("The approval that is decided: its node, or its path", _TEXT),
    "action": _about("How it is decided; needed with `approve`", _TEXT),
    "by": _about("Who decides", _TEXT),
    "comment": _about("What they say to it", _TEXT),
    "signal": _about("The name of the signal that comes", _TEXT),
    "data": _about("What comes with the signal or the decision"),
    "cancel": _about("The run is cancelled: why", {"type": ["string", "boolean"]}),
    "pause": _about("The run is paused", _YES),
    "resume": _about("The run goes on", _YES),
}

_EXPECTATION: JsonObject = {
    "status": _about(
        "How it ends; `waiting` if it waits for what never comes",
        {"enum": ["completed", "failed", "cancelled", "waiting"]},
    ),
    "output": _about("The flow's output"),
    "error": _about("What it fails with; `status` is then `failed`"),
    "path": _about(
        "The nodes that ran, in the order in which they began. Those inside blocks count if one "
        "of them is named",
        _PATHS,
    ),
    "undone": _about("The undo nodes that ran, in order", _PATHS),
    "not_run": _about("Nodes that must not have run", _PATHS),
    "nodes": _about("What became of nodes, by id or path", _named(_ref("node"))),
    "waiting": _about("What it waits for in the end: paths", _PATHS),
    "took": _about("How long it took", _DURATION),
}

_NODE: JsonObject = {
    "outcome": _about("How it ended", _OUTCOMES),
    "action": _about("The action it ended with"),
    "output": _about("What it gave"),
    "error": _about("What it failed with: `type`, `message`, `attempt`, `details`"),
    "params": _about("What it was told"),
    "attempts": _about("How many attempts its last call took", _COUNT),
    "runs": _about("How often it ran", _COUNT),
    "began": _about("When it began, from the start of the run", _DURATION),
    "took": _about("How long it took", _DURATION),
}

_DEFINITIONS: JsonObject = {
    "case": _mapping(_CASE, "name"),
    "mock": {
        "description": "One answer, one for each attempt, or `calls`: one for each call",
        "type": ["object", "array"],
        "if": {"type": "array"},
        "then": _listed(_ref("answer"), least=1),
        "else": {
            "if": {"required": ["calls"]},
            "then": _mapping({"calls": _listed(_ref("attempts"), least=1)}),
            "else": _ref("answer"),
        },
    },
    "attempts": {
        "type": ["object", "array"],
        "if": {"type": "array"},
        "then": _listed(_ref("answer"), least=1),
        "else": _ref("answer"),
    },
    "answer": _mapping(_ANSWER),
    "error": _mapping(_ERROR, "type"),
    "said": {
        "type": ["object", "array"],
        "if": {"type": "array"},
        "then": _listed(_ref("word"), least=1),
        "else": _ref("word"),
    },
    "word": _mapping(_SAID),
    "expectation": _mapping(_EXPECTATION),
    "node": {
        "type": ["string", "object"],
        "if": {"type": "object"},
        "then": _mapping(_NODE),
        "else": _OUTCOMES,
    },
}
