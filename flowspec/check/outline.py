"""A flow's graphs as the checks see them: valid edges, shape, and what surely runs before what."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from flowspec.catalogue import Catalogue, NodeType
from flowspec.check.damage import Damage
from flowspec.check.guards import Guards, Step
from flowspec.graph import Shape, analyse
from flowspec.model import Edge, Flow, Graph, Node
from flowspec.plan import EdgePlan
from flowspec.values import Json

__all__ = ["OUTCOMES", "Outline", "Section", "actions_of", "outline"]

OUTCOMES = ("success", "failure", "timeout", "skipped", "cancelled", "always")
"""What `on` can be for every node type."""


@dataclass(frozen=True, kw_only=True)
class Section:
    """One graph: the flow's, or the one inside the block `owner`.

    `edges` are those between existing nodes, and `written` the same as the document has them.
    `guards` is None where what runs before what cannot be told.
    """

    graph: Graph
    owner: Node | None
    parent: Section | None
    written: tuple[Edge, ...]
    edges: tuple[EdgePlan, ...]
    shape: Shape
    guards: Guards | None

    @property
    def is_whole(self) -> bool:
        """Whether all its edges lead from node to node."""
        return len(self.written) == len(self.graph.edges)

    def in_loop(self, node: str) -> bool:
        return node in self._looped

    def undoes(self, node: str) -> bool:
        return node in self._undo_targets

    def into(self, node: str) -> Sequence[EdgePlan]:
        return self._incoming.get(node, ())

    def out_of(self, node: str) -> Sequence[EdgePlan]:
        return self._outgoing.get(node, ())

    def written_at(self, node: str) -> Sequence[Edge]:
        """The edges that leave a node as the document has them, wherever they lead."""
        return self._written_at.get(node, ())

    @cached_property
    def _written_at(self) -> dict[str, list[Edge]]:
        edges: dict[str, list[Edge]] = {}
        for edge in self.graph.edges:
            edges.setdefault(edge.source, []).append(edge)
        return edges

    @cached_property
    def _looped(self) -> dict[str, None]:
        return {member: None for loop in self.shape.loops for member in loop.members}

    @cached_property
    def _undo_targets(self) -> dict[str | None, None]:
        return {node.undo: None for node in self.graph.nodes.values()}

    @cached_property
    def _incoming(self) -> dict[str, list[EdgePlan]]:
        edges: dict[str, list[EdgePlan]] = {}
        for edge in self.edges:
            edges.setdefault(edge.target, []).append(edge)
        return edges

    @cached_property
    def _outgoing(self) -> dict[str, list[EdgePlan]]:
        edges: dict[str, list[EdgePlan]] = {}
        for edge in self.edges:
            edges.setdefault(edge.source, []).append(edge)
        return edges


@dataclass(frozen=True, kw_only=True)
class Outline:
    """All graphs of a flow, outer ones first, and in which of them each node is."""

    flow: Flow
    sections: tuple[Section, ...]
    home: Mapping[str, Section]

    def nodes(self) -> Iterator[tuple[Section, Node]]:
        for section in self.sections:
            for node in section.graph.nodes.values():
                yield section, node

    def block_around(self, name: str, section: Section) -> Node | None:
        """The block of `section` that has the node somewhere inside; None if none has."""
        here = self.home[name]
        while here.parent is not None and here.parent is not section:
            here = here.parent
        return here.owner if here.parent is section else None


def outline(flow: Flow, catalogue: Catalogue, damage: Damage) -> Outline:
    """Lay out the graphs of a flow; edges to or from nodes that do not exist are left out."""
    sections: list[Section] = []
    home: dict[str, Section] = {}
    waiting: list[tuple[Graph, Node | None, Section | None]] = [(flow.graph, None, None)]
    while waiting:
        graph, owner, parent = waiting.pop(0)
        section = _section(graph, owner, parent, catalogue, damage)
        sections.append(section)
        for node in graph.nodes.values():
            home.setdefault(node.id, section)
            if node.graph is not None:
                waiting.append((node.graph, node, section))
    return Outline(flow=flow, sections=tuple(sections), home=home)


def _section(
    graph: Graph,
    owner: Node | None,
    parent: Section | None,
    catalogue: Catalogue,
    damage: Damage,
) -> Section:
    written = tuple(e for e in graph.edges if e.source in graph.nodes and e.target in graph.nodes)
    undo = {node.undo: None for node in graph.nodes.values() if node.undo in graph.nodes}
    connected = {node for edge in written for node in (edge.source, edge.target)}
    shape = analyse(
        list(graph.nodes),
        [(edge.source, edge.target) for edge in written],
        [node for node in undo if node is not None and node not in connected],
    )
    edges = tuple(_plan(edge, back) for edge, back in zip(written, shape.back, strict=True))
    guards = None
    if len(written) == len(graph.edges) and not damage.hides_edges(graph.path):
        guards = _guards(graph, edges, shape, catalogue)
    return Section(
        graph=graph,
        owner=owner,
        parent=parent,
        written=written,
        edges=edges,
        shape=shape,
        guards=guards,
    )


def _plan(edge: Edge, back: bool) -> EdgePlan:
    return EdgePlan(
        source=edge.source,
        target=edge.target,
        on=edge.on,
        when=edge.when,
        otherwise=edge.otherwise,
        back=back,
        limit=edge.limit,
    )


def _guards(
    graph: Graph, edges: tuple[EdgePlan, ...], shape: Shape, catalogue: Catalogue
) -> Guards | None:
    names = _names_asked_for(edges)
    steps = []
    for id, node in graph.nodes.items():
        node_type, asked = catalogue.get(node.type), names.get(id, [])
        given = actions_of(node, node_type) if node_type is not None else None
        if given is not None and not all(name in given for name in asked):
            return None
        actions = given if given is not None else (*asked, *(["success"] if asked else ()))
        steps.append(_step(node, node_type, actions))
    return None if shape.irreducible else Guards(steps, edges, shape)


def _names_asked_for(edges: Iterable[EdgePlan]) -> dict[str, list[str]]:
    """The actions that the edges of each node wait for, whether it has them or not."""
    names: dict[str, list[str]] = {}
    for edge in edges:
        names.setdefault(edge.source, []).extend(on for on in edge.on if on not in OUTCOMES)
    return names


def _step(node: Node, node_type: NodeType | None, actions: tuple[str, ...]) -> Step:
    outcomes = node_type.outcomes if node_type is not None else ("success", "failure")
    return Step(
        id=node.id,
        join=node.join,
        conditional=node.when is not None and node.when is not True,
        actions=actions,
        fails=outcomes == ("failure",),
        ends=not outcomes,
        undo=node.undo,
    )


def actions_of(node: Node, node_type: NodeType) -> tuple[str, ...] | None:
    """The actions the node can give; None if only a run will know."""
    if node_type.actions_param is None or node_type.actions_param not in node.params:
        return node_type.actions
    given = node.params[node_type.actions_param]
    if not isinstance(given, list) or not all(_is_plain(action) for action in given):
        return None
    return tuple(str(action) for action in given)


def _is_plain(value: Json) -> bool:
    return isinstance(value, str) and "${" not in value
