"""What one node of a document cannot know: its neighbours, and what its type makes of a key."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from flowspec.agents import AGENT, NOT_FOR_TOOLS, made_ids
from flowspec.jsonschemas import input_schema_problems
from flowspec.located import Source
from flowspec.problems import Path, Problem
from flowspec.values import Json

__all__ = ["structure"]

_BLOCK_KEYS = ("nodes", "edges", "output", "on_failure")


def structure(source: Source) -> Iterator[Problem]:
    """The problems of a document that concern more than one value; the data may be anything."""
    yield from _input(source)
    first: dict[str, Path] = {}
    for graph_path, nodes in _graphs(source.data):
        if not nodes and graph_path[-1] == "nodes":
            yield source.problem("FR209", graph_path, "there are no nodes; add one")
        for id, node in nodes.items():
            path = (*graph_path, id)
            if id in first:
                line = source.locate_key(first[id]).line
                yield source.problem(
                    "FR208",
                    path,
                    f"the node id {id!r} is already used in line {line}; ids are unique in the "
                    "whole document, also inside blocks",
                    at_key=True,
                    found=id,
                )
            first.setdefault(id, path)
            if isinstance(node, dict):
                yield from _inside(source, path, node)
                yield from _tool(source, path, node)
    yield from _made(source, first)


def _graphs(data: Json, path: Path = ()) -> Iterator[tuple[Path, Mapping[str, Json]]]:
    """Where nodes are: a flow's and those of blocks, and the tools of agents."""
    for key in ("nodes", "tools"):
        nodes = data.get(key) if isinstance(data, dict) else None
        if not isinstance(nodes, dict):
            continue
        yield (*path, key), nodes
        for id, node in nodes.items():
            yield from _graphs(node, (*path, key, id))


def _made(source: Source, first: Mapping[str, Path]) -> Iterator[Problem]:
    """An agent stands for nodes that nobody wrote, whose ids are taken as well."""
    for agent, path in first.items():
        node = _at(source.data, path)
        if not isinstance(node, dict) or node.get("type") != AGENT:
            continue
        tools = node.get("tools")
        for id in made_ids(agent, tools if isinstance(tools, dict) else {}):
            if id in first:
                yield source.problem(
                    "FR208",
                    first[id],
                    f"the node id {id!r} is taken: the agent {agent!r} has a step of that name",
                    at_key=True,
                    found=id,
                )


def _at(data: Json, path: Path) -> Json:
    for step in path:
        assert isinstance(data, dict)
        data = data[str(step)]
    return data


def _tool(source: Source, path: Path, node: Mapping[str, Json]) -> Iterator[Problem]:
    if path[-2] != "tools":
        return
    for key in NOT_FOR_TOOLS:
        if key in node:
            yield source.problem(
                "FR210",
                (*path, key),
                f"a tool has no {key!r}: it is run when the model calls it, once for each call",
                at_key=True,
                found=key,
            )


def _inside(source: Source, path: Path, node: Mapping[str, Json]) -> Iterator[Problem]:
    kind = node.get("type")
    if kind != AGENT and isinstance(kind, str) and "tools" in node:
        yield source.problem(
            "FR210",
            (*path, "tools"),
            f"only an agent has 'tools', and this node is of type {kind!r}",
            at_key=True,
            found="tools",
        )
    if kind == "block":
        if "nodes" not in node:
            yield source.problem(
                "FR202",
                path,
                "'nodes' is missing: a block has nodes inside",
                at_key=True,
                expected="nodes",
            )
        return
    if not isinstance(kind, str):
        return
    for key in _BLOCK_KEYS:
        if key in node:
            yield source.problem(
                "FR210",
                (*path, key),
                f"only a block has {key!r}, and this node is of type {kind!r}",
                at_key=True,
                found=key,
            )


def _input(source: Source) -> Iterator[Problem]:
    schema = source.data.get("input") if isinstance(source.data, dict) else None
    for problem in input_schema_problems(schema) if isinstance(schema, dict) else ():
        yield source.problem(
            problem.code,
            ("input", *problem.path),
            problem.message,
            at_key=problem.at_key,
            found=problem.found,
            expected=problem.expected,
            suggestion=problem.suggestion,
        )
