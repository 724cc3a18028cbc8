"""The ways a node can end, and which of its edges are then taken: surely, perhaps, or never."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence, Set
from dataclasses import dataclass

from flowspec.graph import Shape
from flowspec.plan import EdgePlan

__all__ = ["Ending", "Endings", "Step", "all_of", "any_of", "at_least"]

_SKIPPED = frozenset(("skipped", "always"))
_FAILURE = frozenset(("failure", "always"))
_TIMEOUT = frozenset(("timeout", "always"))


@dataclass(frozen=True, kw_only=True)
class Step:
    """What the analysis has to know of a node; `conditional` if it has a `when` of its own.

    `fails` and `ends` mark nodes that only ever fail, and that end the graph. A node with
    `actions` always gives one of them when it succeeds.
    """

    id: str
    join: str | int = "all"
    conditional: bool = False
    actions: tuple[str, ...] = ()
    fails: bool = False
    ends: bool = False
    undo: str | None = None


@dataclass(frozen=True, kw_only=True)
class Ending:
    """A way a node can end and the run goes on; `matched` are the edges whose `on` fits.

    A failure that no edge handles ends the run, so of a `failure` at least one edge is taken.
    `sure` are those that are taken whenever the node ends like this; of each of the `groups`
    at least one is.
    """

    kind: str
    matched: tuple[int, ...]
    sure: tuple[int, ...]
    groups: tuple[tuple[int, ...], ...]


class Endings:
    """A graph's nodes and edges, looked up; sets of nodes are kept as the bits of integers."""

    def __init__(self, steps: Sequence[Step], edges: Sequence[EdgePlan], shape: Shape) -> None:
        self.steps = {step.id: step for step in steps}
        self.edges = edges
        self.names = tuple(self.steps)
        self.place = {step.id: place for place, step in enumerate(steps)}
        self._bits = {step.id: 1 << place for place, step in enumerate(steps)}
        self.everything = (1 << len(steps)) - 1
        self.order = tuple(node for node in shape.order if node in self.steps)
        self.starts = shape.starts
        self.outgoing: dict[str, list[int]] = {step.id: [] for step in steps}
        self.incoming: dict[str, list[int]] = {step.id: [] for step in steps}
        for index, edge in enumerate(edges):
            self.outgoing[edge.source].append(index)
            if not edge.back:
                self.incoming[edge.target].append(index)
        self.loops = {
            loop.header: any_of(self.bit(member) for member in loop.members) for loop in shape.loops
        }
        self.around: dict[str, list[int]] = {step.id: [] for step in steps}
        for loop in shape.loops:
            for member in loop.members:
                self.around[member].append(self.loops[loop.header])
        self.repeated_with = {node: any_of(loops) for node, loops in self.around.items()}
        self.undone_by: dict[str, list[str]] = {}
        for step in steps:
            if step.undo is not None:
                self.undone_by.setdefault(step.undo, []).append(step.id)
        self.ended: dict[str, int] = dict.fromkeys(self.steps, self.everything)
        for node in self.order:
            self.ended[node] = self._ended_before(node)
        self.raced_by = self._races(shape)
        self.of = {step.id: tuple(self._endings(step)) for step in steps}

    def bit(self, node: str) -> int:
        return self._bits[node]

    def nodes(self, bits: int) -> Iterator[str]:
        while bits:
            lowest = bits & -bits
            yield self.names[lowest.bit_length() - 1]
            bits ^= lowest

    def is_sure_after_success(self, edge: int) -> bool:
        endings = self.of[self.edges[edge].source]
        return all(edge in ending.sure for ending in endings if ending.kind == "success")

    def _endings(self, step: Step) -> Iterator[Ending]:
        outgoing = [
            (edge, self.edges[edge].on)
            for edge in self.outgoing[step.id]
            if self.edges[edge].when is not False
        ]
        for kind, names in self._ways(step):
            matched = tuple(edge for edge, on in outgoing if not names.isdisjoint(on))
            if matched or kind != "failure":
                yield self._ending(kind, matched)

    def _ways(self, step: Step) -> Iterator[tuple[str, Set[str]]]:
        """The kinds of ending a node can have, each with what the edges wait for that fit."""
        if not step.fails and not step.ends:
            for action in step.actions or ("success",):
                yield "success", {"success", "always", action}
        yield "skipped", _SKIPPED
        if step.ends:
            return
        has_timeout = any("timeout" in self.edges[edge].on for edge in self.outgoing[step.id])
        yield "failure", _FAILURE
        yield "failure", _TIMEOUT if has_timeout else _FAILURE | _TIMEOUT

    def _ending(self, kind: str, matched: tuple[int, ...]) -> Ending:
        edges = self.edges
        if kind == "failure" and len(matched) == 1:
            return Ending(kind=kind, matched=matched, sure=matched, groups=(matched,))
        conditional = [edge for edge in matched if edges[edge].when is not None]
        sure = tuple(edge for edge in matched if _is_sure(edges[edge], conditional))
        groups = [matched] if kind == "failure" else []
        for edge in matched:
            if edge in sure:
                groups.append((edge,))
            elif edges[edge].otherwise:
                groups.append((edge, *conditional))
        return Ending(kind=kind, matched=matched, sure=sure, groups=tuple(groups))

    def _ended_before(self, node: str) -> int:
        """What has surely ended, one way or another, once the node's join is met."""
        ended = [self._ended_along(edge) for edge in self.incoming[node]]
        join = self.steps[node].join
        if join == "all":
            return any_of(ended)
        needed = join if isinstance(join, int) else 1
        return at_least(max(len(ended) - needed + 1, needed), ended)

    def _ended_along(self, edge: int) -> int:
        plan = self.edges[edge]
        ended, bit = self.ended[plan.source] | self._bits[plan.source], self._bits[plan.target]
        for members in self.around[plan.source]:
            if not members & bit:
                ended |= members
        return ended

    def _races(self, shape: Shape) -> dict[str, list[str]]:
        """The nodes that a race may give up: what surely ended before it was met it cannot."""
        raced: dict[str, list[str]] = {}
        for step in self.steps.values():
            if step.join == "race":
                for loser in shape.races(step.id):
                    if not self.ended[step.id] & self.bit(loser):
                        raced.setdefault(loser, []).append(step.id)
        return raced


def _is_sure(edge: EdgePlan, conditional: Sequence[int]) -> bool:
    """Whether it is taken whenever its `on` fits; `conditional` are the edges with a `when`."""
    if edge.otherwise:
        return not conditional
    return edge.when is None or edge.when is True


def any_of(sets: Iterable[int]) -> int:
    union = 0
    for bits in sets:
        union |= bits
    return union


def all_of(sets: Iterable[int], everything: int) -> int:
    for bits in sets:
        everything &= bits
    return everything


def at_least(count: int, sets: Sequence[int]) -> int:
    """The members of at least `count` of the sets."""
    if count <= 0 or count > len(sets):
        return 0
    reached = [-1] + [0] * count
    for bits in sets:
        for level in range(count, 0, -1):
            reached[level] |= reached[level - 1] & bits
    return reached[count]
