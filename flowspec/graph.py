"""The shape of a graph: where it starts, which edges go backward, which loops they close.

Loops are the natural loops of a reducible graph: one entry each, nested or apart. A backward
edge is one whose target dominates its source.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field

from flowspec.plan import LoopPlan

__all__ = ["Shape", "analyse"]


@dataclass(frozen=True, kw_only=True)
class Shape:
    """`back` runs parallel to the edges given; `order` is topological over the forward edges."""

    nodes: tuple[str, ...]
    edges: tuple[tuple[str, str], ...]
    starts: tuple[str, ...]
    back: tuple[bool, ...]
    loops: tuple[LoopPlan, ...]
    unreachable: tuple[str, ...]
    irreducible: tuple[tuple[str, ...], ...]
    order: tuple[str, ...] = field(repr=False)

    def races(self, join: str) -> tuple[str, ...]:
        """The nodes that can only ever lead to `join`: what a race gives up once it is met."""
        candidates = self._ancestors(join)
        for loop in self.loops:
            if loop.header in candidates and join not in loop.members:
                candidates.update(dict.fromkeys(loop.members))
        outgoing: dict[str, list[str]] = {}
        for source, target in self.edges:
            outgoing.setdefault(source, []).append(target)
        while escaping := [
            node
            for node in candidates
            if any(next_ != join and next_ not in candidates for next_ in outgoing.get(node, ()))
        ]:
            for node in escaping:
                del candidates[node]
        return tuple(node for node in self.nodes if node in candidates)

    def _ancestors(self, node: str) -> dict[str, None]:
        incoming: dict[str, list[str]] = {}
        for (source, target), back in zip(self.edges, self.back, strict=True):
            if not back:
                incoming.setdefault(target, []).append(source)
        return _closure(incoming.get(node, ()), incoming)


def analyse(
    nodes: Sequence[str],
    edges: Sequence[tuple[str, str]],
    undo_targets: Collection[str] = (),
) -> Shape:
    """Analyse a graph whose edges all name existing nodes; undo targets are nobody's start."""
    active = [node for node in nodes if node not in undo_targets]
    outgoing: dict[str, list[str]] = {node: [] for node in nodes}
    incoming: dict[str, list[str]] = {node: [] for node in nodes}
    for source, target in edges:
        outgoing[source].append(target)
        incoming[target].append(source)
    starts = _starts(active, outgoing, incoming)
    reached = _closure(starts, outgoing)
    postorder = _postorder(starts, outgoing)
    dominates = _dominance(starts, postorder, incoming)
    back = tuple(source in reached and dominates(target, source) for source, target in edges)
    forward: dict[str, list[str]] = {node: [] for node in nodes}
    for (source, target), is_back in zip(edges, back, strict=True):
        if not is_back:
            forward[source].append(target)
    cycles = tuple(
        tuple(component)
        for component in _components(nodes, forward)
        if len(component) > 1 and component[0] in reached
    )
    return Shape(
        nodes=tuple(nodes),
        edges=tuple(edges),
        starts=tuple(starts),
        back=back,
        loops=_loops(nodes, edges, back, incoming),
        unreachable=tuple(node for node in active if node not in reached),
        irreducible=cycles,
        order=tuple(reversed(_postorder(starts, forward))),
    )


def _starts(
    nodes: Sequence[str], outgoing: dict[str, list[str]], incoming: dict[str, list[str]]
) -> list[str]:
    starts = [node for node in nodes if all(source == node for source in incoming[node])]
    if nodes and nodes[0] not in starts and _is_entered_by_nobody(nodes[0], outgoing, incoming):
        starts.insert(0, nodes[0])
    return starts


def _is_entered_by_nobody(
    node: str, outgoing: dict[str, list[str]], incoming: dict[str, list[str]]
) -> bool:
    after, before = _closure([node], outgoing), _closure([node], incoming)
    return all(source in after for source in before)


def _closure(start: Iterable[str], neighbours: dict[str, list[str]]) -> dict[str, None]:
    """Everything reachable from `start`, itself included, as an ordered set."""
    seen = dict.fromkeys(start)
    stack = list(seen)
    while stack:
        for node in neighbours.get(stack.pop(), ()):
            if node not in seen:
                seen[node] = None
                stack.append(node)
    return seen


def _postorder(starts: Sequence[str], outgoing: dict[str, list[str]]) -> list[str]:
    seen: dict[str, None] = {}
    order: list[str] = []
    for start in reversed(starts):
        stack = [(start, iter(reversed(outgoing[start])))] if start not in seen else []
        seen[start] = None
        while stack:
            node, following = stack[-1]
            child = next((next_ for next_ in following if next_ not in seen), None)
            if child is None:
                order.append(node)
                stack.pop()
            else:
                seen[child] = None
                stack.append((child, iter(reversed(outgoing[child]))))
    return order


class _Dominance:
    """Dominator tree after Cooper, Harvey and Kennedy, under one root above all starts."""

    def __init__(
        self, starts: Sequence[str], postorder: Sequence[str], incoming: dict[str, list[str]]
    ) -> None:
        self._rank = {node: rank for rank, node in enumerate(postorder)}
        self._root = len(postorder)
        self._idom: list[int | None] = [None] * self._root + [self._root]
        first = {self._rank[start] for start in starts}
        before = [
            [self._rank[source] for source in incoming[node] if source in self._rank]
            + ([self._root] if self._rank[node] in first else [])
            for node in postorder
        ]
        changed = True
        while changed:
            changed = False
            for node in range(self._root - 1, -1, -1):
                found = self._nearest(before[node])
                if found != self._idom[node]:
                    self._idom[node] = found
                    changed = True

    def _nearest(self, before: Sequence[int]) -> int | None:
        nearest: int | None = None
        for node in before:
            if self._idom[node] is not None:
                nearest = node if nearest is None else self._meet(node, nearest)
        return nearest

    def _meet(self, one: int, other: int) -> int:
        while one != other:
            while one < other:
                one = self._above(one)
            while other < one:
                other = self._above(other)
        return one

    def _above(self, node: int) -> int:
        above = self._idom[node]
        assert above is not None
        return above

    def __call__(self, upper: str, lower: str) -> bool:
        goal, node = self._rank[upper], self._rank[lower]
        while node < goal:
            node = self._above(node)
        return node == goal


def _dominance(
    starts: Sequence[str], postorder: Sequence[str], incoming: dict[str, list[str]]
) -> _Dominance:
    return _Dominance(starts, postorder, incoming)


def _loops(
    nodes: Sequence[str],
    edges: Sequence[tuple[str, str]],
    back: Sequence[bool],
    incoming: dict[str, list[str]],
) -> tuple[LoopPlan, ...]:
    bodies: dict[str, dict[str, None]] = {}
    for (source, header), is_back in zip(edges, back, strict=True):
        if is_back:
            _add_body(bodies.setdefault(header, {header: None}), source, incoming)
    headers = [node for node in nodes if node in bodies]
    place = {node: position for position, node in enumerate(nodes)}
    return tuple(
        LoopPlan(
            header=header,
            members=(header, *sorted(list(bodies[header])[1:], key=place.__getitem__)),
            parent=_parent(header, headers, bodies),
        )
        for header in headers
    )


def _add_body(body: dict[str, None], source: str, incoming: dict[str, list[str]]) -> None:
    """Add to a loop what leads to the source of an edge back to its header, which is in it."""
    waiting = [source]
    while waiting:
        node = waiting.pop()
        if node not in body:
            body[node] = None
            waiting.extend(incoming[node])


def _parent(header: str, headers: Sequence[str], bodies: dict[str, dict[str, None]]) -> int | None:
    around = [
        index for index, other in enumerate(headers) if other != header and header in bodies[other]
    ]
    return min(around, key=lambda index: len(bodies[headers[index]]), default=None)


def _components(nodes: Sequence[str], outgoing: dict[str, list[str]]) -> list[list[str]]:
    """Strongly connected components (Tarjan, without recursion), each in document order."""
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    on_stack: dict[str, None] = {}
    found: list[list[str]] = []
    place = {node: position for position, node in enumerate(nodes)}
    for root in nodes:
        if root in index:
            continue
        index[root] = low[root] = len(index)
        on_stack[root] = None
        work = [(root, iter(outgoing[root]))]
        while work:
            node, following = work[-1]
            for child in following:
                if child not in index:
                    index[child] = low[child] = len(index)
                    on_stack[child] = None
                    work.append((child, iter(outgoing[child])))
                    break
                if child in on_stack:
                    low[node] = min(low[node], index[child])
            else:
                work.pop()
                if work:
                    low[work[-1][0]] = min(low[work[-1][0]], low[node])
                if low[node] == index[node]:
                    found.append(sorted(_pop_until(node, on_stack), key=place.__getitem__))
    return found


def _pop_until(node: str, stack: dict[str, None]) -> list[str]:
    popped = []
    while True:
        last, _ = stack.popitem()
        popped.append(last)
        if last == node:
            return popped
