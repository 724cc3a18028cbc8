"""What one node of a document cannot know: its neighbours, and what its type makes of a key."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

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
        if not nodes:
            yield source.problem("FR209", (*graph_path, "nodes"), "there are no nodes; add one")
        for id, node in nodes.items():
            path = (*graph_path, "nodes", id)
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
                yield from _block(source, path, node)


def _graphs(data: Json, path: Path = ()) -> Iterator[tuple[Path, Mapping[str, Json]]]:
    nodes = data.get("nodes") if isinstance(data, dict) else None
    if not isinstance(nodes, dict):
        return
    yield path, nodes
    for id, node in nodes.items():
        yield from _graphs(node, (*path, "nodes", id))


def _block(source: Source, path: Path, node: Mapping[str, Json]) -> Iterator[Problem]:
    kind = node.get("type")
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
