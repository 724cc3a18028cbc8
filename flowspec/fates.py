"""What became of the edges of a graph, and at once how many of those into a node are decided."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, TypeAlias

from flowspec.routes import Graph

__all__ = ["Fate", "Fates"]

Fate: TypeAlias = Literal["taken", "dead"]


class Fates:
    """Fates by edge, in the order they were decided.

    Of the edges into a node only forward ones are counted: a join waits for no others.
    """

    def __init__(self, graph: Graph, decided: Mapping[int, Fate]) -> None:
        self._graph = graph
        self._fates: dict[int, Fate] = {}
        self._taken = dict.fromkeys(graph.nodes, 0)
        self._undecided = {node: len(graph.incoming[node]) for node in graph.nodes}
        for edge, fate in decided.items():
            self.decide(edge, fate)

    def of(self, edge: int) -> Fate | None:
        return self._fates.get(edge)

    def as_dict(self) -> Mapping[int, Fate]:
        return self._fates

    def taken_into(self, node: str) -> int:
        return self._taken[node]

    def undecided_into(self, node: str) -> int:
        return self._undecided[node]

    def decide(self, edge: int, fate: Fate) -> None:
        """Give the edge a fate, another one if need be."""
        if edge in self._fates:
            self._count(edge, self._fates[edge], -1)
        self._fates[edge] = fate
        self._count(edge, fate, +1)

    def forget(self, edge: int) -> None:
        if edge in self._fates:
            self._count(edge, self._fates.pop(edge), -1)

    def _count(self, edge: int, fate: Fate, one: int) -> None:
        plan = self._graph.edges[edge]
        if plan.back:
            return
        self._undecided[plan.target] -= one
        if fate == "taken":
            self._taken[plan.target] += one
