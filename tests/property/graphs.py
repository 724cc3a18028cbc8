"""Random graphs of every shape the checker would accept, and a driver that walks them."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Literal, TypeAlias

from hypothesis import strategies as st

from flowspec.graph import analyse
from flowspec.plan import EdgePlan, GraphPlan, NodePlan
from flowspec.routes import Graph
from flowspec.scheduler import Cancel, Outcome, Overrun, Ready, Scheduler, Skip, Step

ONS = (
    "success",
    "success",
    "success",
    "failure",
    "timeout",
    "skipped",
    "cancelled",
    "always",
    "go",
)
Join: TypeAlias = Literal["all", "any", "race"] | int
JOINS: tuple[Join, ...] = ("all", "all", "all", "any", "race", 1, 2)


@st.composite
def graph_plans(draw: st.DrawFn, *, largest: int = 9) -> GraphPlan:
    """A graph with forward edges at will and a few backward ones, all loops with one entry."""
    names = [f"n{i}" for i in range(draw(st.integers(1, largest)))]
    pairs = [(a, b) for i, a in enumerate(names) for b in names[i + 1 :]]
    forward = draw(st.lists(st.sampled_from(pairs), max_size=14)) if pairs else []
    backward = draw(
        st.lists(
            st.tuples(st.sampled_from(names), st.sampled_from(names)).filter(
                lambda pair: pair[0] >= pair[1]
            ),
            max_size=3,
        )
    )
    wanted = forward
    for pair in backward:
        shape = analyse(names, [*wanted, pair])
        if not shape.irreducible and not shape.unreachable and shape.back[-1]:
            wanted = [*wanted, pair]
    shape = analyse(names, wanted)
    edges = tuple(
        EdgePlan(
            source=source,
            target=target,
            on=(draw(st.sampled_from(ONS)),),
            when=draw(st.sampled_from([None, None, "asked"])),
            back=back,
            limit=draw(st.integers(1, 4)) if back else 1000,
        )
        for (source, target), back in zip(wanted, shape.back, strict=True)
    )
    edges = tuple(
        replace(edge, otherwise=True) if edge.when is None and draw(st.booleans()) else edge
        for edge in edges
    )
    nodes = tuple(
        NodePlan(
            id=name,
            type="noop",
            tier="inline",
            params={},
            join=(join := draw(st.sampled_from(JOINS))),
            races=shape.races(name) if join == "race" else (),
        )
        for name in names
    )
    return GraphPlan(nodes=nodes, edges=edges, starts=shape.starts, loops=shape.loops)


@dataclass
class Walk:
    """What a driver did, in order, and what was left in the end."""

    trace: list[str] = field(default_factory=list)
    starts: dict[tuple[str, tuple[int, ...]], int] = field(default_factory=dict)
    phases: dict[str, str] = field(default_factory=dict)


def walk(
    plan: GraphPlan, seed: int, *, revive: bool = False, close_after: int | None = None
) -> Walk:
    """Drive a scheduler to its rest with outcomes drawn from `seed`."""
    return _Driver(plan, seed, revive).go(close_after)


class _Driver:
    def __init__(self, plan: GraphPlan, seed: int, revive: bool) -> None:
        self._graph = Graph(plan)
        self._scheduler = Scheduler(self._graph)
        self._random = random.Random(seed)
        self._revive = revive
        self._walk = Walk()
        self._running: dict[str, None] = {}
        self._skips: list[str] = []

    def go(self, close_after: int | None) -> Walk:
        self._note(self._scheduler.begin())
        ended = 0
        while self._running or self._skips:
            assert ended < 5_000, "the walk does not end"
            if self._revive:
                kept = json.loads(json.dumps(self._scheduler.dump()))
                self._scheduler = Scheduler.load(self._graph, kept)
            self._end_one()
            ended += 1
            if ended == close_after:
                self._note(self._scheduler.close(cancel=self._random.random() < 0.7))
        assert self._scheduler.at_rest
        self._walk.phases = {name: self._scheduler.phase(name) for name in self._graph.nodes}
        return self._walk

    def _end_one(self) -> None:
        if self._skips:
            node, outcome = self._skips.pop(0), Outcome(name="skipped")
        else:
            node = self._random.choice(list(self._running))
            del self._running[node]
            outcome = self._outcome()
        asked = self._scheduler.questions(node, outcome)
        verdicts = {edge: self._random.random() < 0.5 for edge in asked}
        self._walk.trace.append(f"{node} {outcome.name} {outcome.action} {verdicts}")
        self._note(self._scheduler.ended(node, outcome, verdicts).steps)

    def _outcome(self) -> Outcome:
        kind = self._random.choice(("success", "success", "go", "failure", "timeout", "cancelled"))
        if kind == "go":
            return Outcome(name="success", action="go")
        if kind == "timeout":
            return Outcome(name="failure", timeout=True)
        return Outcome(name=kind)  # type: ignore[arg-type]

    def _note(self, steps: Sequence[Step]) -> None:
        for step in steps:
            self._walk.trace.append(repr(step))
            match step:
                case Ready(node):
                    key = (node, self._scheduler.iterations(node))
                    self._walk.starts[key] = self._walk.starts.get(key, 0) + 1
                    self._running[node] = None
                case Skip(node):
                    self._skips.append(node)
                case Cancel(node):
                    assert node in self._running or node in self._skips
                case Overrun():
                    pass
