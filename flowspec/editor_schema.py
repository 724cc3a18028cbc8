"""One JSON Schema of the whole flow document, for completion and hints in editors.

It is more lenient than the checks of a flow where a schema cannot say what they look at.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations
from typing import cast

from flowspec.agents import AGENT
from flowspec.callbacks import SENDS
from flowspec.catalogue import Catalogue, NodeType
from flowspec.document import Flow
from flowspec.editor_keys import FLOW, NODE, RUNNING, TOOL, definitions, mapping
from flowspec.editor_pieces import either, has, ref
from flowspec.jsonschemas import embedded
from flowspec.nodes import Node, Tool
from flowspec.values import Json, JsonObject

__all__ = ["flow_json_schema"]

_BLOCK_KEYS = ("nodes", "edges", "output", "on_failure")


def flow_json_schema(catalogue: Catalogue) -> JsonObject:
    """The schema (draft 2020-12) of a flow that uses the node types of `catalogue`.

    The parameters are described for each node type; a template may stand for any of them.
    """
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Flow",
        "description": "A flow: steps, the edges between them, and what goes in and comes out",
        **mapping(Flow, FLOW, required=("flow", "nodes")),
        "$defs": {
            **definitions(),
            "node": _node(Node, NODE, catalogue),
            "tool": _node(Tool, TOOL, catalogue),
            **_callbacks(catalogue),
            **_params(catalogue),
        },
    }


def _callbacks(catalogue: Catalogue) -> JsonObject:
    """The webhook that is sent at the end of a run: it has a payload of its own."""
    node_type = catalogue.get(SENDS)
    params = _params_of(node_type) if node_type is not None else {"properties": {}, "required": []}
    needed = [name for name in cast("list[str]", params["required"]) if name != "payload"]
    told = cast(JsonObject, params["properties"])
    return {
        "callback": {**params, **has(*needed)},
        "failing": {
            **params,
            "properties": {"running": RUNNING, **told},
            "required": [],
            "anyOf": [{"maxProperties": 1, **has("running")}, has(*needed)],
        },
    }


def _node(model: type[Node], keys: Mapping[str, JsonObject], catalogue: Catalogue) -> JsonObject:
    node = mapping(model, keys, required=("type",))
    properties = node["properties"]
    assert isinstance(properties, dict)
    properties["type"] = {
        "description": "What the node does",
        "enum": list[Json](catalogue),
        "enumDescriptions": [node_type.summary for node_type in catalogue.values()],
    }
    return {**node, "allOf": [*map(_by_type, catalogue.values()), _BLOCK, _AGENT]}


def _by_type(node_type: NodeType) -> JsonObject:
    then: JsonObject = {"properties": {"params": ref(_params_name(node_type))}}
    if node_type.params_schema().get("required") or node_type.require_one:
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


def _params_name(node_type: NodeType) -> str:
    return f"params.{node_type.name}"


def _params(catalogue: Catalogue) -> JsonObject:
    return {_params_name(node_type): _params_of(node_type) for node_type in catalogue.values()}


def _params_of(node_type: NodeType) -> JsonObject:
    """The node type's own schema, with templates let in and its rules between parameters."""
    schema = embedded(
        node_type.params_schema(), f"#/$defs/{_params_name(node_type)}", ref("template")
    )
    rules: list[Json] = [either(*map(has, group)) for group in node_type.require_one]
    rules += [
        {"not": has(*pair)} for group in node_type.exclusive for pair in combinations(group, 2)
    ]
    described = {"description": node_type.description or node_type.summary, **schema}
    if not rules:
        return described
    every = described.get("allOf")
    return {**described, "allOf": [*(every if isinstance(every, list) else []), *rules]}
