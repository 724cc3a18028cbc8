"""From text to a typed flow, with every problem of the document's shape found at once."""

from __future__ import annotations

from collections.abc import Iterable
from copy import deepcopy
from dataclasses import dataclass

from pydantic import ValidationError

from flowspec.complaints import told
from flowspec.document import Cache, Defaults, Flow, Foreach, Graph, Node, Repeat, Retry
from flowspec.edges import Edge
from flowspec.fields import Tolerance
from flowspec.located import Source
from flowspec.problems import Path, Problem, in_order
from flowspec.source import read_damaged
from flowspec.structure import structure
from flowspec.values import Json

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
    "Tolerance",
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
    flow, shape = _validated(source)
    sound = [p for p in shape if not _touches(p.path, reading.damaged)]
    return ParsedFlow(
        flow=None if reading.problems else flow,
        source=source,
        problems=in_order((*reading.problems, *sound)),
    )


def _touches(path: Path, damaged: Iterable[Path]) -> bool:
    return any(path[: len(place)] == place for place in damaged)


def _validated(source: Source) -> tuple[Flow | None, list[Problem]]:
    problems = list(structure(source))
    try:
        flow = Flow.model_validate(source.data)
    except ValidationError as error:
        problems += told(error, source)
        return _repaired(source.data, problems), problems
    return (None if any(map(_spreads, problems)) else flow), problems


_MARGINS = frozenset(
    (
        *("title", "description", "labels", "priority", "queue", "defaults", "on_failure"),
        *("retry", "timeout", "attempt_timeout", "heartbeat", "cache"),
    )
)
"""Keys that can be left out without a change to what the graph and its expressions mean."""


def _spreads(problem: Problem) -> bool:
    """Whether other problems would be found that are no more than its consequences."""
    harmless = problem.code in ("FR210", "FR216")
    return not harmless and _margin(problem) is None


def _margin(problem: Problem) -> Path | None:
    """The key of a node or the flow to leave out to be rid of the problem."""
    depth = 0
    while problem.path[depth : depth + 1] == ("nodes",):
        depth += 2
    if len(problem.path) <= depth:
        return None
    unknown = problem.code == "FR201" and len(problem.path) == depth + 1
    key = problem.suggestion if unknown else problem.path[depth]
    return problem.path[: depth + 1] if key in _MARGINS or problem.code == "FR210" else None


def _repaired(data: Json, problems: Iterable[Problem]) -> Flow | None:
    """The flow without what is wrong on its margins, if that is all that is wrong."""
    if any(map(_spreads, problems)):
        return None
    repaired = deepcopy(data)
    for problem in problems:
        margin = _margin(problem)
        if margin is not None:
            _remove(repaired, margin)
    try:
        return Flow.model_validate(repaired)
    except ValidationError:
        return None


def _remove(data: Json, path: Path) -> None:
    *parents, key = path
    for step in parents:
        data = data[str(step)] if isinstance(data, dict) else None
    if isinstance(data, dict):
        data.pop(str(key), None)
