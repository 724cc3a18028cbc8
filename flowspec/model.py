"""From text to a typed flow, with every problem of the document's shape found at once."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice

from pydantic import ValidationError

from flowspec.complaints import told
from flowspec.document import Defaults, Flow
from flowspec.edges import Edge
from flowspec.fields import Tolerance
from flowspec.located import Source
from flowspec.modifiers import Cache, Foreach, Lock, Rate, Repeat, Retry
from flowspec.nodes import Graph, Node, Tool
from flowspec.problems import Path, Problem, in_order
from flowspec.source import read_damaged
from flowspec.structure import structure

__all__ = [
    "Cache",
    "Defaults",
    "Edge",
    "Flow",
    "Foreach",
    "Graph",
    "Lock",
    "Node",
    "ParsedFlow",
    "Rate",
    "Repeat",
    "Retry",
    "Tolerance",
    "Tool",
    "parse_flow",
]


_MOST_TOLD = 100


@dataclass(frozen=True, kw_only=True)
class ParsedFlow:
    """What a text says, and what is wrong with its shape.

    `flow` is there if nothing is. `source` is None where the text is not YAML; else it holds what
    could be read in spite of the problems.
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
    sound = (problem for problem in shape if not _touches(problem.path, reading.damaged))
    problems = in_order((*reading.problems, *sound))
    return ParsedFlow(flow=None if problems else flow, source=source, problems=problems)


def _touches(path: Path, damaged: Iterable[Path]) -> bool:
    """Whether a problem there may be no more than the consequence of one of reading."""
    return any(path[: len(place)] == place for place in damaged)


def _validated(source: Source) -> tuple[Flow | None, list[Problem]]:
    problems = list(islice(structure(source), _MOST_TOLD))
    try:
        return Flow.model_validate(source.data), problems
    except ValidationError as error:
        return None, [*problems, *told(error, source)]
