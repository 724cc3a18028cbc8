"""From text to a typed flow, with every problem of the document's shape found at once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ValidationError

from flowspec.document import (
    Cache,
    Defaults,
    Flow,
    Foreach,
    Graph,
    Node,
    Repeat,
    Retry,
)
from flowspec.edges import Arrow, Edge, Link
from flowspec.problems import Path, Problem, in_order
from flowspec.source import Source, read_damaged
from flowspec.values import Json
from flowspec.wording import describe, did_you_mean, listed, nearest

__all__ = [
    "Cache",
    "Defaults",
    "Edge",
    "Flow",
    "Foreach",
    "Graph",
    "Node",
    "ParsedFlow",
    "Repeat",
    "Retry",
    "parse_flow",
]


@dataclass(frozen=True, kw_only=True)
class ParsedFlow:
    """What a text says, and what is wrong with its shape.

    `flow` is there whenever it makes sense to look further, which can be so in spite of problems;
    it may be run only if there are none. `source` is None where the text is not YAML at all.
    """

    flow: Flow | None
    source: Source | None
    problems: tuple[Problem, ...]


def parse_flow(text: str) -> ParsedFlow:
    """Read a flow document; never raises, whatever the text."""
    reading = read_damaged(text)
    source = reading.source
    if source is None:
        return ParsedFlow(flow=None, source=None, problems=reading.problems)
    flow, shape = _validate(source)
    sound = [p for p in shape if not _touches(p.path, reading.damaged)]
    return ParsedFlow(
        flow=None if reading.problems else flow,
        source=source,
        problems=in_order((*reading.problems, *sound)),
    )


def _touches(path: Path, damaged: Iterable[Path]) -> bool:
    return any(path[: len(place)] == place for place in damaged)


def _validate(source: Source) -> tuple[Flow | None, list[Problem]]:
    problems = list(_structure(source))
    try:
        flow = Flow.model_validate(source.data)
    except ValidationError as error:
        return None, [*problems, *_told(error, source)]
    return flow, problems


# -- what one node cannot know ---------------------------------------------------------------------

_BLOCK_KEYS = ("nodes", "edges", "output", "on_failure")


def _structure(source: Source) -> Iterator[Problem]:
    first: dict[str, Path] = {}
    for graph_path, nodes in _graphs(source.data):
        if not nodes:
            yield _at(source, "FR209", (*graph_path, "nodes"), "there are no nodes; add one")
        for id, node in nodes.items():
            path = (*graph_path, "nodes", id)
            if id in first:
                line = source.locate_key(first[id]).line
                yield _at(
                    source,
                    "FR208",
                    path,
                    f"the node id {id!r} is already used in line {line}; ids are unique in the "
                    "whole document, also inside blocks",
                    key=True,
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
            yield _at(
                source,
                "FR202",
                path,
                "'nodes' is missing: a block has nodes inside",
                key=True,
                expected="nodes",
            )
        return
    if not isinstance(kind, str):
        return
    for key in _BLOCK_KEYS:
        if key in node:
            yield _at(
                source,
                "FR210",
                (*path, key),
                f"only a block has {key!r}, and this node is of type {kind!r}",
                key=True,
                found=key,
            )


def _at(
    source: Source,
    code: str,
    path: Path,
    message: str,
    *,
    key: bool = False,
    found: str | None = None,
    expected: str | None = None,
    suggestion: str | None = None,
) -> Problem:
    mark = source.locate_key(path) if key else source.locate(path)
    return Problem(
        code=code,
        message=message,
        path=path,
        line=mark.line,
        column=mark.column,
        found=found,
        expected=expected,
        suggestion=suggestion,
    )


# -- pydantic's errors, in our words ----------------------------------------------------------------

_KEY = "[key]"
_MAPPINGS = ("model_type", "dict_type", "model_attributes_type")
_LISTS = ("tuple_type", "list_type")

_ELSEWHERE: Mapping[type[BaseModel], Mapping[str, str]] = {
    Flow: {
        **dict.fromkeys(("name", "id"), "flow"),
        **dict.fromkeys(("steps", "tasks", "jobs", "states"), "nodes"),
        "variables": "vars",
    },
    Node: {
        **dict.fromkeys(("if", "condition"), "when"),
        **dict.fromkeys(("with", "args", "parameters", "input", "inputs"), "params"),
        **dict.fromkeys(("name", "label"), "title"),
        **dict.fromkeys(("uses", "action", "kind"), "type"),
        **dict.fromkeys(("for_each", "with_items", "items"), "foreach"),
        **dict.fromkeys(("then", "goto"), "next"),
        "retries": "retry",
    },
    Arrow: {"if": "when", "target": "to", "limits": "limit"},
    Link: {"if": "when", "target": "to", "source": "from"},
}
"""Words from other systems."""


def _told(error: ValidationError, source: Source) -> list[Problem]:
    problems = [_tell(found, source) for found in error.errors(include_url=False)]
    meant = {(*p.path[:-1], p.suggestion) for p in problems if p.code == "FR201"}
    return [p for p in problems if not (p.code == "FR202" and (*p.path, p.expected) in meant)]


def _tell(error: Any, source: Source) -> Problem:
    path: Path = tuple(error["loc"])
    kind, value = error["type"], error["input"]
    if kind == "extra_forbidden":
        return _unknown_key(path, source)
    if kind == "missing":
        return _missing_key(path, source)
    if path[-1:] == (_KEY,):
        return _from_context(error, path[:-1], source, key=True)
    if kind.startswith("FR"):
        return _from_context(error, path, source, key=value is None)
    expected = "a mapping" if kind in _MAPPINGS else "a list" if kind in _LISTS else "another value"
    return _at(
        source,
        "FR203",
        path,
        f"expected {expected}, found {describe(value)}",
        found=describe(value),
        expected=expected,
    )


def _from_context(error: Any, path: Path, source: Source, *, key: bool) -> Problem:
    context = error["ctx"]
    return _at(
        source,
        error["type"],
        path,
        context["message"],
        key=key,
        found=describe(error["input"]),
        expected=context["expected"],
        suggestion=context["suggestion"],
    )


def _unknown_key(path: Path, source: Source) -> Problem:
    model = _model_at(path[:-1])
    key = str(path[-1])
    known = _keys(model)
    meant = _ELSEWHERE.get(model, {}).get(key) or nearest(key, known)
    advice = did_you_mean(meant)
    if not advice and model is Node:
        advice = "; what a node type takes goes under 'params'"
    return _at(
        source,
        "FR201",
        path,
        f"unknown key {key!r}{advice}",
        key=True,
        found=key,
        expected=listed(known),
        suggestion=meant,
    )


def _missing_key(path: Path, source: Source) -> Problem:
    key = str(path[-1])
    field = next(f for n, f in _model_at(path[:-1]).model_fields.items() if (f.alias or n) == key)
    return _at(
        source,
        "FR202",
        path[:-1],
        f"{key!r} is missing: {field.description}",
        key=True,
        expected=key,
    )


def _keys(model: type[BaseModel]) -> list[str]:
    return [field.alias or name for name, field in model.model_fields.items()]


_INSIDE: Mapping[str, type[BaseModel]] = {
    "defaults": Defaults,
    "retry": Retry,
    "foreach": Foreach,
    "repeat": Repeat,
    "cache": Cache,
    "next": Arrow,
    "edges": Link,
}


def _model_at(path: Path) -> type[BaseModel]:
    """Which mapping of the language stands at the path."""
    model: type[BaseModel] = Flow
    steps = iter(path)
    for step in steps:
        if step == "nodes":
            next(steps, None)
            model = Node
        elif step in _INSIDE:
            model = _INSIDE[str(step)]
            if model in (Arrow, Link):
                return model
    return model
