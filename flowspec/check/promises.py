"""What surely follows once a node has run: the part of the analysis that looks ahead.

A promise is kept only by a run that goes on, and how much it says depends on who relies on it:

* `round`: a reader in the same round of a loop. Where the loop goes round again, nothing is
  promised about this round; outside the loop everything after it is, for a round that is not the
  last decides nothing there.
* `last`: a reader after the loop, for whom only the last round counts.
* `end`: a reader once the whole graph has ended well, so that ways into `fail` do not count.

For all of them the work is the same, and is done once: their sets stand side by side in one
integer.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from flowspec.check.endings import Ending, Endings, all_of, any_of

__all__ = ["Promised", "Promises"]


@dataclass(frozen=True, kw_only=True)
class Promised:
    """For one kind of reader: what surely succeeds once the graph has started, and what does once
    a node has succeeded."""

    from_start: int
    after: Mapping[str, int]


class Promises:
    """What is promised in a `round`, in the `last` one, and once all has come to its `end`."""

    def __init__(self, endings: Endings) -> None:
        self._endings = endings
        width = len(endings.steps)
        for_each = 1 | 1 << width | 1 << 2 * width
        self._everything = endings.everything * for_each
        self._all_at_end = endings.everything << 2 * width
        self._bits = {node: endings.bit(node) * for_each for node in endings.steps}
        self._after = dict.fromkeys(endings.steps, 0)
        self._arrival = dict.fromkeys(endings.steps, 0)
        """What surely succeeds once an edge to the node was taken."""
        self._below = dict.fromkeys(endings.steps, 0)
        self._some_count = any(map(self._counts, endings.order))
        self._look_below()
        self._work_out_all()
        if endings.loops:  # a second time, if the first found something new behind joins
            before = dict(self._below)
            self._look_below()
            if self._below != before or endings.raced_by:
                self._work_out_all()
        self.round, self.last, self.end = (self._promised(n * width) for n in range(3))

    def _promised(self, place: int) -> Promised:
        everything, arrival = self._endings.everything, self._arrival
        return Promised(
            from_start=any_of(arrival[start] >> place for start in self._endings.starts)
            & everything,
            after={node: after >> place & everything for node, after in self._after.items()},
        )

    def _look_below(self) -> None:
        for node in reversed(self._endings.order):
            self._below[node] = any_of(map(self._beyond, self._endings.outgoing[node]))

    def _work_out_all(self) -> None:
        for node in reversed(self._endings.order):
            self._work_out(node)

    def _work_out(self, node: str) -> None:
        endings, step = self._endings, self._endings.steps[node]
        following = [(ending.kind, self._following(ending)) for ending in endings.of[node]]
        succeeded = [bits for kind, bits in following if kind == "success"]
        ran = [bits for kind, bits in following if kind != "skipped"]
        after = all_of(succeeded, self._everything) if succeeded else self._all_at_end
        arrival = all_of(ran, self._everything) if ran else self._all_at_end
        if succeeded and len(ran) == len(succeeded):
            arrival |= self._bits[node]
        if step.conditional:
            arrival &= all_of((b for kind, b in following if kind == "skipped"), arrival)
        if self._counts(node):
            arrival = 0
        if node in endings.raced_by:
            arrival &= self._if_given_up(node) & ~self._bits[node]
            after &= self._if_given_up(node)
        self._after[node], self._arrival[node] = after, arrival

    def _if_given_up(self, node: str) -> int:
        """What follows where a race is decided without the node."""
        if self._some_count:
            return 0
        winners = (self._arrival[winner] for winner in self._endings.raced_by[node])
        return all_of(winners, self._everything)

    def _beyond(self, edge: int) -> int:
        """What cannot have ended before the edge is resolved, or has surely succeeded all the
        same, because its join did not wait for the edge."""
        endings, plan = self._endings, self._endings.edges[edge]
        target = plan.target
        if plan.back:
            return 0
        if endings.steps[target].join == "all" or len(endings.incoming[target]) == 1:
            return self._below[target] | self._bits[target]
        return self._arrival[target]

    def _counts(self, node: str) -> bool:
        """Whether its join may give up before all edges into it are resolved."""
        join = self._endings.steps[node].join
        return isinstance(join, int) and join > 1

    def _following(self, ending: Ending) -> int:
        """What surely succeeds once a node has ended like this."""
        known = 0
        for group in ending.groups:
            sure = self._everything
            for edge in group:
                sure &= self._along(edge)
            known |= sure
        return known

    def _along(self, edge: int) -> int:
        plan = self._endings.edges[edge]
        target = plan.target
        if not plan.back:
            return self._arrival[target]
        in_round = self._endings.loops[target]  # the sets of `round` come first
        return self._below[target] & ~in_round | self._all_at_end
