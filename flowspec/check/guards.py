"""Which nodes have surely succeeded when something is read, and which cannot have run yet.

The analysis follows the scheduler's rules over sets of nodes, once backward (`promises`) and
once forward through the graph: what it calls sure holds in every run, whatever the conditions
say. Three facts carry it:

* a node that runs was led to by a taken edge, so what that edge knows is known;
* a failure that no edge handles ends the run, so after it nothing else is started;
* what surely follows a node that ran has run, once it has ended at all.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from flowspec.check.endings import Ending, Endings, Step, all_of, any_of, at_least
from flowspec.check.promises import Promises
from flowspec.graph import Shape
from flowspec.plan import EdgePlan

__all__ = ["Guards", "Step", "View"]


@dataclass(frozen=True, kw_only=True)
class View:
    """The nodes as a reader finds them: surely succeeded, surely ended, possibly ended."""

    succeeded: int
    ended: int
    possible: int
    place: Mapping[str, int]

    def surely_succeeded(self, node: str) -> bool:
        return self._has(self.succeeded, node)

    def surely_ended(self, node: str) -> bool:
        return self._has(self.ended, node)

    def possibly_ended(self, node: str) -> bool:
        return self._has(self.possible, node)

    def _has(self, bits: int, node: str) -> bool:
        return bool(bits >> self.place[node] & 1)


class Guards:
    """The analysis of one graph; nodes it cannot place (unreachable ones) are given every fact."""

    def __init__(self, steps: Sequence[Step], edges: Sequence[EdgePlan], shape: Shape) -> None:
        self._endings = Endings(steps, edges, shape)
        self._all = self._endings.everything
        promises = Promises(self._endings)
        self._round, self._last, self._end = promises.round, promises.last, promises.end
        self._follow()
        self._close()

    # -- what is asked ---------------------------------------------------------------------------

    def before(self, node: str) -> View:
        """What the node finds when it starts; an undo target follows the nodes it undoes."""
        undone = self._endings.undone_by.get(node)
        if undone:
            succeeded = all_of((self._undoing(n, self._succeeded(n)) for n in undone), self._all)
            ended = all_of((self._undoing(n, self._ended_before(n)) for n in undone), self._all)
            return self._view(succeeded, ended, self._all)
        return self._view(self._succeeded(node), self._ended_before(node), self._possible[node])

    def after(self, node: str) -> View:
        """What is found once the node has succeeded, before anything follows from it."""
        before, bit = self.before(node), self._endings.bit(node)
        return self._view(before.succeeded | bit, before.ended | bit, before.possible | bit)

    def along(self, edge: int) -> View:
        """What the `when` of an edge finds once its source has ended."""
        node = self._endings.edges[edge].source
        after, bit = self.after(node), self._endings.bit(node)
        succeeded = self._all
        for ending in self._endings.of[node]:
            if edge in ending.matched:
                self_too = bit if ending.kind == "success" else 0
                succeeded &= self._known(node, ending) & (self._cleanup[node] | self_too)
        if _follows_cancellation(self._endings.edges[edge]):
            succeeded &= self._succeeded(node)
        return self._view(succeeded, after.ended, after.possible)

    def at_end(self) -> View:
        """What the graph's `output` finds, once everything has ended well."""
        known = self._end.from_start
        for node in self._endings.order:
            if node not in self._endings.raced_by:
                known |= all_of((self._known(node, e) for e in self._endings.of[node]), self._all)
        closed = 0
        while known != closed:
            fresh, closed = known & ~closed, known
            for node in self._endings.nodes(fresh):
                known |= self._run[node] | self._end.after[node]
            known |= self._met_joins(known)
        return self._view(known, self._all, self._all)

    def _undoing(self, node: str, known: int) -> int:
        """An undo comes late: in a loop, the others may have been reset for another round."""
        return known & ~self._endings.repeated_with[node] | self._endings.bit(node)

    def _succeeded(self, node: str) -> int:
        return self._run[node] & self._cleanup[node]

    def _ended_before(self, node: str) -> int:
        return self._ended[node] & self._cleanup_ended[node]

    def _met_joins(self, known: int) -> int:
        """The joins that wait for a number of edges, where that many are surely taken."""
        endings, met = self._endings, 0
        for node in endings.order:
            step = endings.steps[node]
            if not isinstance(step.join, int) or step.conditional or node in endings.raced_by:
                continue
            sure = [
                edge
                for edge in endings.incoming[node]
                if known & endings.bit(endings.edges[edge].source)
                and endings.is_sure_after_success(edge)
            ]
            failure_ends_it = not any(ending.kind == "failure" for ending in endings.of[node])
            if len(sure) >= step.join and failure_ends_it and not step.ends:
                met |= endings.bit(node)
        return met

    # -- forward: what surely came before --------------------------------------------------------

    def _follow(self) -> None:
        endings = self._endings
        unknown = dict.fromkeys(endings.steps, self._all) | dict.fromkeys(endings.order, 0)
        self._run, self._skip = dict(unknown), dict(unknown)
        self._ended, self._possible = endings.ended, dict(unknown)
        self._promised = dict.fromkeys(endings.steps, (0, 0))
        promised = self._round.from_start, self._last.from_start
        for node in endings.order:
            incoming = endings.incoming[node]
            possible = endings.repeated_with[node]
            for edge in incoming:
                source = endings.edges[edge].source
                possible |= self._possible[source] | endings.bit(source)
            self._possible[node] = possible
            known = self._join(node, incoming) if incoming else self._all_if_never_skipped(node)
            if incoming and self._wakes_when_skipped(node):
                known &= self._skip[node]
                self._run[node], self._promised[node] = known, (0, 0)
            else:
                self._run[node] = self._completed(node, known, promised)
            if endings.steps[node].conditional:
                self._skip[node] &= self._run[node]
            if node in endings.raced_by:  # it may be given up before anything is known
                self._skip[node] = 0

    def _wakes_when_skipped(self, header: str) -> bool:
        """Whether a loop that is not entered may go round all the same, from a skipped node."""
        endings, members = self._endings, self._endings.loops.get(header, 0)
        return any(
            members & endings.bit(edge.target) and {"skipped", "always"} & {*edge.on}
            for node in endings.nodes(members)
            for edge in (endings.edges[index] for index in endings.outgoing[node])
        )

    def _all_if_never_skipped(self, node: str) -> int:
        self._skip[node] = self._all
        return 0

    def _join(self, node: str, incoming: Sequence[int]) -> int:
        """What is known when the join is met; sets what is known when it can no longer be."""
        taken = [self._fact(edge, taken=True) for edge in incoming]
        dead = [self._fact(edge, taken=False) for edge in incoming]
        join = self._endings.steps[node].join
        if join == "all":
            self._skip[node] = any_of(dead)
            either = any_of(t & d for t, d in zip(taken, dead, strict=True))
            return either | all_of(taken, self._all)
        needed = join if isinstance(join, int) else 1
        met = len(incoming) - needed + 1
        self._skip[node] = at_least(needed, dead)
        return at_least(met, taken)

    def _completed(self, node: str, known: int, promised: tuple[int, int]) -> int:
        """`known`, with what it promises of the nodes that have surely ended.

        Starts from what a node before found, for most of it is the same.
        """
        ended, same = self._ended[node], self._endings.repeated_with[node]
        base, (in_round, in_last) = self._nearest_before(node, known)
        fresh = known & ~base
        in_round, in_last = in_round | promised[0], in_last | promised[1]
        while True:
            for other in self._endings.nodes(fresh):
                in_round |= self._round.after[other]
                in_last |= self._last.after[other]
            more = (in_round | in_last & ~same) & ended & ~known
            if not more:
                break
            before, known = known, known | more
            known |= any_of(self._run[other] for other in self._endings.nodes(more))
            fresh = known & ~before
        self._promised[node] = in_round, in_last
        return known

    def _nearest_before(self, node: str, known: int) -> tuple[int, tuple[int, int]]:
        """What the source of an edge knew that is known here too, and what that promises."""
        edges = self._endings.incoming[node]
        sources = [self._endings.edges[edge].source for edge in edges]
        subsets = [source for source in sources if not self._run[source] & ~known]
        if not subsets:
            return 0, (0, 0)
        nearest = max(subsets, key=lambda source: self._run[source].bit_count())
        return self._run[nearest], self._promised[nearest]

    def _known(self, node: str, ending: Ending) -> int:
        if ending.kind == "skipped":
            return self._skip[node]
        return self._run[node] | (self._endings.bit(node) if ending.kind == "success" else 0)

    def _fact(self, edge: int, *, taken: bool) -> int:
        """What is known once the edge is taken, or dead."""
        endings, node = self._endings, self._endings.edges[edge].source
        return all_of(
            (
                self._known(node, ending)
                for ending in endings.of[node]
                if (edge in ending.matched if taken else edge not in ending.sure)
            ),
            self._all,
        )

    # -- closing: what cleans up after a cancelled node ------------------------------------------

    def _close(self) -> None:
        """What is known where a run that is ending follows `cancelled` edges."""
        self._cleanup = dict.fromkeys(self._endings.steps, self._all)
        self._cleanup_ended = dict.fromkeys(self._endings.steps, self._all)
        reached: dict[str, None] = {}
        for node in self._endings.order:
            for edge in self._endings.incoming[node]:
                plan = self._endings.edges[edge]
                source, bit = plan.source, self._endings.bit(plan.source)
                if _follows_cancellation(plan):
                    reached[node] = None
                    self._cleanup[node] &= self._succeeded(source)
                    self._cleanup_ended[node] &= self._ended_before(source) | bit
                if source in reached:
                    reached[node] = None
                    self_too = bit if _follows_only_success(plan) else 0
                    self._cleanup[node] &= self._cleanup[source] | self_too
                    self._cleanup_ended[node] &= self._cleanup_ended[source] | bit

    def _view(self, succeeded: int, ended: int, possible: int) -> View:
        return View(succeeded=succeeded, ended=ended, possible=possible, place=self._endings.place)


def _follows_cancellation(edge: EdgePlan) -> bool:
    return "cancelled" in edge.on or "always" in edge.on


def _follows_only_success(edge: EdgePlan) -> bool:
    return not {"failure", "timeout", "skipped", "cancelled", "always"} & {*edge.on}
