"""What surely follows once a node has run: the part of the analysis that looks ahead.

A promise is kept only by a run that goes on, and how much it says depends on who relies on it:

* `round`: a reader in the same round of a loop. Where the loop goes round again, nothing is
  promised about this round; outside the loop everything after it is, for a round that is not the
  last decides nothing there.
* `last`: a reader after the loop, for whom only the last round counts.
* `end`: a reader once the whole graph has ended well, so that ways into `fail` do not count.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

from flowspec.check.endings import Ending, Endings, all_of, any_of

__all__ = ["Promises", "Reader"]

Reader: TypeAlias = Literal["round", "last", "end"]


class Promises:
    """`after[node]` is what surely succeeds once the node has succeeded, `arrival[node]` once an
    edge to it was taken."""

    def __init__(self, endings: Endings, reader: Reader) -> None:
        self._endings = endings
        self._reader = reader
        self.after = dict.fromkeys(endings.steps, 0)
        self.arrival = dict.fromkeys(endings.steps, 0)
        self._below = dict.fromkeys(endings.steps, 0)
        self._some_count = any(map(self._counts, endings.order))
        self._look_below()
        self._work_out_all()
        if endings.loops:  # a second time, if the first found something new behind joins
            before = dict(self._below)
            self._look_below()
            if self._below != before or endings.raced_by:
                self._work_out_all()

    @property
    def from_start(self) -> int:
        return any_of(self.arrival[start] for start in self._endings.starts)

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
        contradiction = endings.everything if self._reader == "end" else 0
        after = all_of(succeeded, endings.everything) if succeeded else contradiction
        arrival = all_of(ran, endings.everything) if ran else contradiction
        if succeeded and len(ran) == len(succeeded):
            arrival |= endings.bit(node)
        if step.conditional:
            arrival &= all_of((b for kind, b in following if kind == "skipped"), arrival)
        if self._counts(node):
            arrival = 0
        if node in endings.raced_by:
            arrival &= self._if_given_up(node) & ~endings.bit(node)
            after &= self._if_given_up(node)
        self.after[node], self.arrival[node] = after, arrival

    def _if_given_up(self, node: str) -> int:
        """What follows where a race is decided without the node."""
        if self._some_count:
            return 0
        winners = (self.arrival[winner] for winner in self._endings.raced_by[node])
        return all_of(winners, self._endings.everything)

    def _beyond(self, edge: int) -> int:
        """What cannot have ended before the edge is resolved, or has surely succeeded all the
        same, because its join did not wait for the edge."""
        endings, plan = self._endings, self._endings.edges[edge]
        target = plan.target
        if plan.back:
            return 0
        if endings.steps[target].join == "all" or len(endings.incoming[target]) == 1:
            return self._below[target] | endings.bit(target)
        return self.arrival[target]

    def _counts(self, node: str) -> bool:
        """Whether its join may give up before all edges into it are resolved."""
        join = self._endings.steps[node].join
        return isinstance(join, int) and join > 1

    def _following(self, ending: Ending) -> int:
        """What surely succeeds once a node has ended like this."""
        known = 0
        for group in ending.groups:
            sure = self._endings.everything
            for edge in group:
                sure &= self._along(edge)
            known |= sure
        return known

    def _along(self, edge: int) -> int:
        plan = self._endings.edges[edge]
        target = plan.target
        if not plan.back:
            return self.arrival[target]
        if self._reader == "end":
            return self._endings.everything
        below = self._below[target]
        return below if self._reader == "last" else below & ~self._endings.loops[target]
