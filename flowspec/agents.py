"""An agent as the graph it stands for: a model's turn, the tools it may call, and back again.

What is made here is written like a document, so that an agent is a loop in a block like any
other: every turn and every call of a tool is a step of its own, and nothing else has to know of
agents.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from flowspec.values import Json, JsonObject

__all__ = [
    "AGENT",
    "CALL",
    "MCP_CALL",
    "NOT_FOR_TOOLS",
    "OF_EACH_TURN",
    "AgentGraph",
    "agent_graph",
    "made_ids",
    "turn_of",
]

AGENT = "agent"
TURN = "agent.turn"
MCP_CALL, _MCP_TOOLS = "mcp.call", "mcp.tools"

CALL = "call"
"""What a tool's expressions call the arguments that the model gave."""

NOT_FOR_TOOLS = ("next", "join", "when", "foreach", "undo")
"""The keys of a node that say when it runs: a tool runs when the model calls it."""

OF_EACH_TURN = ("retry", "attempt_timeout", "heartbeat", "queue", "priority")
"""The keys that an agent has for its turns, and not for itself."""

_AT_ONCE = 10


@dataclass(frozen=True, kw_only=True)
class AgentGraph:
    """`made` are the nodes nobody wrote; `tools` what is to be changed in those that are there."""

    made: Mapping[str, JsonObject]
    tools: Mapping[str, JsonObject]
    edges: tuple[JsonObject, ...]
    output: str


def turn_of(agent: str) -> str:
    """The id of the node that is a turn of the model."""
    return f"{agent}_turn"


def made_ids(agent: str, tools: Mapping[str, Json]) -> list[str]:
    """The ids of the nodes that are made for an agent."""
    lists = [_tools_of(id) for id, tool in tools.items() if _is_server(tool)]
    return [*lists, turn_of(agent)]


def agent_graph(agent: str, params: JsonObject, tools: Mapping[str, JsonObject]) -> AgentGraph:
    """The graph of the agent with that id; `tools` are mappings with type, description,
    parameters and params."""
    turn = turn_of(agent)
    servers = {id: tool for id, tool in tools.items() if _is_server(tool)}
    lists: dict[str, JsonObject] = {
        _tools_of(id): {"type": _MCP_TOOLS, "params": tool["params"]}
        for id, tool in servers.items()
    }
    offered: JsonObject = {
        id: _standing({"description": tool["description"], "parameters": tool["parameters"]})
        for id, tool in tools.items()
        if id not in servers
    }
    lists_of: JsonObject = {id: f"${{nodes.{_tools_of(id)}.output.tools}}" for id in servers}
    asked: JsonObject = {
        **params,
        "tools": offered,
        "servers": lists_of,
        "so_far": f"${{default(nodes.{turn}.output, null)}}",
        "results": {id: _result(id) for id in tools},
    }
    return AgentGraph(
        made={**lists, turn: {"type": TURN, "params": asked}},
        tools={id: _called(turn, id, tool, server=id in servers) for id, tool in tools.items()},
        edges=(*_edges(turn, lists, tools),),
        output=f"${{nodes.{turn}.output.result}}",
    )


def _standing(value: Json) -> Json:
    """What is to be read as it stands: it is for the model, and holds no expressions."""
    if isinstance(value, str):
        return value.replace("${", "$${")
    if isinstance(value, dict):
        return {key: _standing(entry) for key, entry in value.items()}
    return [_standing(entry) for entry in value] if isinstance(value, list) else value


def _tools_of(server: str) -> str:
    return f"{server}_tools"


def _is_server(tool: Json) -> bool:
    """Whether it stands for all tools of an MCP server, and not for one of them."""
    if not isinstance(tool, dict) or tool.get("type") != MCP_CALL:
        return False
    params = tool.get("params")
    return not isinstance(params, dict) or "tool" not in params


def _result(tool: str) -> JsonObject:
    return {
        "output": f"${{default(nodes.{tool}.output, null)}}",
        "error": f"${{default(nodes.{tool}.error, null)}}",
    }


def _called(turn: str, id: str, tool: JsonObject, *, server: bool) -> JsonObject:
    """A tool is run once for each call of it; one that fails is told to the model."""
    foreach: JsonObject = {
        "in": f"${{{_calls(turn, id)}}}",
        "as": CALL,
        "concurrency": _AT_ONCE,
        "tolerate": "100%",
    }
    if not server:
        return {"foreach": foreach}
    params = tool["params"]
    assert isinstance(params, dict)
    named: JsonObject = {"tool": f"${{{CALL}.tool}}", "arguments": f"${{{CALL}.arguments}}"}
    return {"foreach": foreach, "params": {**params, **named}}


def _edges(turn: str, lists: Iterable[str], tools: Iterable[str]) -> Iterable[JsonObject]:
    endless: JsonObject = {"limit": "unlimited"}
    for made in lists:
        yield {"from": made, "to": turn}
    for tool in tools:
        called = f"len({_calls(turn, tool)}) > 0"
        yield {"from": turn, "to": tool, "on": "tools", "when": called}
        yield {"from": tool, "to": turn, "on": ["success", "failure"], **endless}
    yield {"from": turn, "to": turn, "on": "again", **endless}


def _calls(turn: str, tool: str) -> str:
    return f"nodes.{turn}.output.calls.{tool}"
