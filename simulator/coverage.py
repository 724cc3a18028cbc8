"""Which parts of flows the runs that were played have come by."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from flowspec.machine import Program
from flowspec.plan import EdgePlan, Plan
from simulator.trace import Played

__all__ = ["Coverage", "Part", "coverage_of"]

_HANDLING = frozenset(("failure", "timeout", "cancelled"))


@dataclass(frozen=True, kw_only=True)
class Part:
    """`missed` names what no run has come by."""

    total: int
    missed: tuple[str, ...]

    @property
    def seen(self) -> int:
        return self.total - len(self.missed)


@dataclass(frozen=True, kw_only=True)
class Coverage:
    """Of one flow: its nodes, its edges, and of both those that deal with what goes wrong: edges
    for failures, timeouts and cancellations, and undo nodes."""

    flow: str
    nodes: Part
    edges: Part
    handlers: Part

    @property
    def percent(self) -> float:
        """Of nodes and edges together; handlers are among them."""
        total = self.nodes.total + self.edges.total
        return 100.0 * (self.nodes.seen + self.edges.seen) / total if total else 100.0


def coverage_of(plan: Plan, played: Iterable[Played]) -> Coverage:
    """What of this flow was seen in those runs, whichever flow they began with."""
    ran: dict[str, None] = {}
    taken: dict[tuple[str, int], None] = {}
    for each in played:
        for flow, node, outcome in each.visited:
            if flow == plan.flow and outcome != "skipped":
                ran[node] = None
        for edge in each.taken:
            if edge.flow == plan.flow:
                taken[edge.block, edge.edge] = None
    return _coverage(plan, ran, taken)


def _coverage(plan: Plan, ran: dict[str, None], taken: dict[tuple[str, int], None]) -> Coverage:
    graphs = Program(plan).graphs
    nodes = [node for graph in graphs.values() for node in graph.plan.nodes]
    edges = [
        (_named(edge), (block, index), edge)
        for block, graph in graphs.items()
        for index, edge in enumerate(graph.edges)
    ]
    undos = list(dict.fromkeys(node.undo for node in nodes if node.undo is not None))
    handling = [each for each in edges if not _HANDLING.isdisjoint(each[2].on)]
    return Coverage(
        flow=plan.flow,
        nodes=_part((node.id, node.id in ran) for node in nodes),
        edges=_part((name, key in taken) for name, key, _ in edges),
        handlers=_part(
            [(name, key in taken) for name, key, _ in handling]
            + [(f"undo {undo}", undo in ran) for undo in undos]
        ),
    )


def _part(seen: Iterable[tuple[str, bool]]) -> Part:
    listed = list(seen)
    return Part(total=len(listed), missed=tuple(name for name, there in listed if not there))


def _named(edge: EdgePlan) -> str:
    on = "" if edge.on == ("success",) else f" on {'/'.join(edge.on)}"
    when = "" if edge.when is None else f" when {edge.when}"
    otherwise = " otherwise" if edge.otherwise else ""
    return f"{edge.source} -> {edge.target}{on}{when}{otherwise}"
