"""What is left of a document with mistakes in its shape, so that the rest can be checked too.

What a mistake makes unreadable is cut out, and remembered: nobody shall be told that an input is
unknown because the mapping that declares it was misspelt.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from pydantic import ValidationError

from flowspec.model import Flow, ParsedFlow
from flowspec.problems import Path, Problem
from flowspec.values import Json, JsonObject

__all__ = ["UNREADABLE", "Damage", "salvage"]

UNREADABLE = "unreadable"
"""Stands for a node type or flow name that cannot be read."""

_ROUNDS = 5


@dataclass(frozen=True, kw_only=True)
class Damage:
    """The places that were cut out of a document."""

    cuts: tuple[Path, ...] = ()

    def hides(self, *path: str | int) -> bool:
        """Whether something is missing at, below or above a place."""
        return any(_overlap(cut, path) for cut in self.cuts)

    def hides_edges(self, graph: Path) -> bool:
        """Whether an edge of the graph at a path may be missing, or a node."""
        return any(
            cut[: len(graph)] == graph and _concerns_edges(cut[len(graph) :]) for cut in self.cuts
        )


def _overlap(one: Path, other: Path) -> bool:
    shorter = min(len(one), len(other))
    return one[:shorter] == other[:shorter]


def _concerns_edges(cut: Path) -> bool:
    if not cut or cut[0] in ("edges", "tools"):
        return True
    return cut[0] == "nodes" and (len(cut) < 3 or "next" in cut)


def salvage(parsed: ParsedFlow) -> tuple[Flow | None, Damage]:
    """The readable part of a document, as a flow; None if too little is left."""
    if parsed.flow is not None:
        return parsed.flow, Damage()
    if parsed.source is None or not isinstance(parsed.source.data, dict):
        return None, Damage()
    data: JsonObject = copy.deepcopy(parsed.source.data)
    cuts = dict.fromkeys(_meant(parsed.problems))
    broken: list[Path] = [problem.path for problem in parsed.problems]
    for _ in range(_ROUNDS):
        for path in broken:
            if not _went_with(cuts, data, path):
                cuts.setdefault(_cut(data, path))
        try:
            return Flow.model_validate(data), Damage(cuts=tuple(cuts))
        except ValidationError as error:
            broken = _paths(error)
    return None, Damage(cuts=tuple(cuts))


def _went_with(cuts: Iterable[Path], data: JsonObject, path: Path) -> bool:
    """Whether what stood there is gone already, with something around it."""
    around = any(len(cut) < len(path) and path[: len(cut)] == cut for cut in cuts)
    return around and _existing(data, path) != path


def _meant(problems: Iterable[Problem]) -> Iterator[Path]:
    """Where misspelt keys were meant to stand: what they say is missing there."""
    for problem in problems:
        if problem.code == "FR201" and problem.suggestion is not None:
            yield (*problem.path[:-1], problem.suggestion)


def _paths(error: ValidationError) -> list[Path]:
    return [tuple(found["loc"]) for found in error.errors(include_url=False)]


def _cut(data: JsonObject, path: Path) -> Path:
    """Remove what stands at the path, or the nearest thing around it; say what was removed."""
    place = _existing(data, path)
    container: Json = data
    for step in place[:-1]:
        container = _at(container, step)
    name = place[-1] if place else None
    if not place or place == ("nodes",):
        return _patch_top(data)
    if _is_node(place):
        _patch_node(container, name)
    elif place == ("flow",):
        data["flow"] = UNREADABLE
    elif place[-1] == "type" and _is_node(place[:-1]):
        assert isinstance(container, dict)
        container["type"] = UNREADABLE
    elif isinstance(container, dict):
        container.pop(str(name), None)
    elif isinstance(container, list) and isinstance(name, int):
        return _cut(data, place[:-1])
    return place


def _patch_top(data: JsonObject) -> Path:
    """Something that every flow has is missing: its name, or its nodes."""
    if not isinstance(data.get("nodes"), dict):
        data["nodes"] = {}
        return ("nodes",)
    data.setdefault("flow", UNREADABLE)
    return ("flow",)


def _patch_node(nodes: Json, name: str | int | None) -> None:
    """Something is wrong with the node itself: it is no mapping, or has no type."""
    if isinstance(nodes, dict) and isinstance(name, str):
        node = nodes[name]
        if isinstance(node, dict) and "type" not in node:
            node["type"] = UNREADABLE
        elif not isinstance(node, dict):
            nodes[name] = {"type": UNREADABLE}


def _is_node(path: Path) -> bool:
    return len(path) >= 2 and len(path) % 2 == 0 and _alternates(path)


def _alternates(path: Path) -> bool:
    return path[0] == "nodes" and all(step in ("nodes", "tools") for step in path[::2])


def _existing(data: Json, path: Iterable[str | int]) -> Path:
    """The longest beginning of the path that leads somewhere."""
    place: list[str | int] = []
    for step in path:
        if not _has(data, step):
            break
        data = _at(data, step)
        place.append(step)
    return tuple(place)


def _has(data: Json, step: str | int) -> bool:
    if isinstance(data, dict):
        return step in data
    return isinstance(data, list) and isinstance(step, int) and step < len(data)


def _at(data: Json, step: str | int) -> Json:
    if isinstance(data, dict):
        return data[str(step)]
    assert isinstance(data, list)
    return data[int(step)]
