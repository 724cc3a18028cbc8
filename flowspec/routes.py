"""The routes through a graph plan: its edges by node, and the loops around each node."""

from __future__ import annotations

from dataclasses import dataclass

from flowspec.plan import EdgePlan, GraphPlan, NodePlan

__all__ = ["Graph", "Loop"]


@dataclass(frozen=True, kw_only=True)
class Loop:
    header: str
    members: tuple[str, ...]
    back: tuple[int, ...]
    inside: tuple[int, ...]
    nested: tuple[int, ...]


class Graph:
    """A graph plan made ready for scheduling: shared by all runs of the plan, never changed."""

    def __init__(self, plan: GraphPlan) -> None:
        self.plan = plan
        self.nodes: dict[str, NodePlan] = {node.id: node for node in plan.nodes}
        self.edges: tuple[EdgePlan, ...] = plan.edges
        self.outgoing: dict[str, list[int]] = {node: [] for node in self.nodes}
        self.incoming: dict[str, list[int]] = {node: [] for node in self.nodes}
        for index, edge in enumerate(plan.edges):
            self.outgoing[edge.source].append(index)
            if not edge.back:
                self.incoming[edge.target].append(index)
        self.around: dict[str, list[int]] = {node: [] for node in self.nodes}
        by_size = sorted(range(len(plan.loops)), key=lambda i: len(plan.loops[i].members))
        for index in by_size:
            for member in plan.loops[index].members:
                self.around[member].append(index)
        self.loops = tuple(self._loop(index) for index in range(len(plan.loops)))
        self.left = [self._left(edge) for edge in plan.edges]
        self.leading = {node: self._leading(node) for node in self.nodes}
        self.judged = {node: self._judged(node) for node in self.nodes}
        self.on = [frozenset(edge.on) for edge in plan.edges]
        self.raced_by: dict[str, list[str]] = {}
        for node in plan.nodes:
            for loser in node.races:
                self.raced_by.setdefault(loser, []).append(node.id)

    def _loop(self, index: int) -> Loop:
        loop = self.plan.loops[index]
        members = dict.fromkeys(loop.members)
        return Loop(
            header=loop.header,
            members=loop.members,
            back=tuple(i for i, e in enumerate(self.edges) if e.back and e.target == loop.header),
            inside=tuple(i for i, e in enumerate(self.edges) if e.source in members),
            nested=tuple(
                other
                for other, candidate in enumerate(self.plan.loops)
                if other != index
                and candidate.header in members
                and len(candidate.members) < len(loop.members)
            ),
        )

    def _leading(self, node: str) -> tuple[int, ...]:
        """The edges that lead to the node, backward ones first."""
        loops = (self.loops[index] for index in self.around[node])
        back = [edge for loop in loops if loop.header == node for edge in loop.back]
        return (*back, *self.incoming[node])

    def _judged(self, node: str) -> tuple[int, ...]:
        """The edges that lead away from the node and have a `when`."""
        return tuple(edge for edge in self.outgoing[node] if self.edges[edge].when is not None)

    def _left(self, edge: EdgePlan) -> int | None:
        """The outermost loop a forward edge leaves: it counts only once that loop is over."""
        if edge.back:
            return None
        target = dict.fromkeys(self.around[edge.target])
        leaving = [loop for loop in self.around[edge.source] if loop not in target]
        return leaving[-1] if leaving else None
