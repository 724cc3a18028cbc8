"""What the check calls sure holds in every walk the scheduler can make."""

from __future__ import annotations

from random import Random
from typing import Any

from hypothesis import assume, event, given, settings
from hypothesis import strategies as st

from flowspec.check.guards import Guards, Step, View
from flowspec.graph import Shape, analyse
from flowspec.plan import EdgePlan, GraphPlan, NodePlan
from flowspec.scheduler import Cancel, Graph, Outcome, Overrun, Ready, Scheduler, Skip
from flowspec.scheduler import Step as Move

OUTCOME_WORDS = ("success", "success", "success", "failure", "timeout", "skipped", "cancelled")
JOINS = ("all", "all", "all", "any", "race", 2, 3)


class Model:
    """A random graph, as the check sees it and as the scheduler runs it."""

    def __init__(self, random: Random) -> None:
        names = [f"n{place}" for place in range(random.randint(2, 9))]
        self.steps = [self._step(random, name) for name in names]
        self.undo = random.random() < 0.4
        if self.undo:
            self.steps.append(Step(id="undo"))
            place = random.randrange(len(names))
            self.steps[place] = Step(id=names[place], undo="undo")
        edges = self._edges(random, names)
        self.shape = analyse(
            [step.id for step in self.steps],
            [(edge["source"], edge["target"]) for edge in edges],
            ["undo"] if self.undo else [],
        )
        self.edges = [
            EdgePlan(**edge, back=back) for edge, back in zip(edges, self.shape.back, strict=True)
        ]
        self.guards = Guards(self.steps, self.edges, self.shape)
        self.graph = Graph(self._plan(self.shape))

    @property
    def usable(self) -> bool:
        """Races inside loops are left out: what they give up is more than the check may know."""
        looped = [node for loop in self.shape.loops for node in loop.members]
        races = any(step.join == "race" and step.id in looped for step in self.steps)
        return not (self.shape.irreducible or self.shape.unreachable or races)

    @staticmethod
    def _step(random: Random, name: str) -> Step:
        kind = random.random()
        return Step(
            id=name,
            join=random.choice(JOINS),
            conditional=random.random() < 0.15,
            actions=("yes", "no") if random.random() < 0.2 else (),
            fails=kind < 0.07,
            ends=kind > 0.95,
        )

    def _edges(self, random: Random, names: list[str]) -> list[dict[str, Any]]:
        pairs = [(names[random.randrange(place)], names[place]) for place in range(1, len(names))]
        pairs = [pair for pair in pairs if random.random() < 0.85]
        for _ in range(random.randint(0, len(names))):
            one, other = sorted(random.choices(range(len(names)), k=2))
            backward = random.random() < 0.25
            if one != other or backward:
                pair = (names[one], names[other])
                pairs.append(pair[::-1] if backward else pair)
        random.shuffle(pairs)
        return [self._edge(random, *pair) for pair in pairs if not self._step_of(pair[0]).ends]

    def _edge(self, random: Random, source: str, target: str) -> dict[str, Any]:
        words = (*OUTCOME_WORDS, "always", *self._step_of(source).actions)
        on = dict.fromkeys(random.choice(words) for _ in range(1 + (random.random() < 0.2)))
        kind = random.random()
        return {
            "source": source,
            "target": target,
            "on": tuple(on) if random.random() < 0.6 else ("success",),
            "when": "c" if kind < 0.25 else random.choice((True, False)) if kind > 0.93 else None,
            "otherwise": 0.25 < kind < 0.4,
            "limit": 3,
        }

    def _step_of(self, name: str) -> Step:
        return next(step for step in self.steps if step.id == name)

    def _plan(self, shape: Shape) -> GraphPlan:
        nodes = [
            NodePlan(
                id=step.id,
                type="noop",
                tier="inline",
                params={},
                join=step.join,  # type: ignore[arg-type]
                races=shape.races(step.id) if step.join == "race" else (),
                undo=step.undo,
            )
            for step in self.steps
        ]
        return GraphPlan(
            nodes=tuple(nodes), edges=tuple(self.edges), starts=shape.starts, loops=shape.loops
        )


class Walk:
    """One run of a model's graph, with everything the check claimed put to the test."""

    def __init__(self, model: Model, random: Random) -> None:
        self.model, self.random = model, random
        self.scheduler = Scheduler(model.graph)
        self.results: dict[str, str] = {}
        self.running: dict[str, Outcome] = {}
        self.dropped: dict[str, None] = {}
        self.done: list[Step] = []
        self.failed = self.returned = False
        self.moves = 0

    def go(self) -> None:
        self.follow(self.scheduler.begin())
        while self.running and not self.returned and self.moves < 300:
            self.moves += 1
            self.end(self.random.choice(list(self.running)))
        if self.running or self.returned:
            return
        if self.failed:
            for step in self.done:
                found = {**self.results, step.id: "success"}
                self.holds(self.model.guards.before("undo"), f"undo of {step.id}", found)
        else:
            self.holds(self.model.guards.at_end(), "output")

    def follow(self, moves: tuple[Move, ...], *, drop: bool = False) -> None:
        overrun = any(isinstance(move, Overrun) for move in moves)
        drop = drop or (overrun and not self.failed)
        for move in moves:
            if isinstance(move, Overrun):
                self.close()
            elif isinstance(move, Cancel):
                if move.node not in self.dropped:
                    self.running[move.node] = Outcome(name="cancelled")
            elif isinstance(move, Skip) or drop:
                self.dropped[move.node] = None
                self.running[move.node] = Outcome(name="skipped")
            else:
                self.dropped.pop(move.node, None)
                self.holds(self.model.guards.before(move.node), f"start of {move.node}")
                self.running[move.node] = self.outcome(self.model._step_of(move.node))

    def outcome(self, step: Step) -> Outcome:
        if step.conditional and self.random.random() < 0.5:
            return Outcome(name="skipped")
        if step.ends:
            return Outcome(name="success", action="return")
        if step.fails or self.random.random() < 0.15:
            return Outcome(name="failure", timeout=self.random.random() < 0.3)
        action = self.random.choice(step.actions) if step.actions else None
        return Outcome(name="success", action=action)

    def end(self, node: str) -> None:
        outcome = self.running.pop(node)
        step = self.model._step_of(node)
        if step.ends and outcome.name == "success":
            self.returned = True
            return
        self.results[node] = outcome.name
        verdicts = {}
        for edge in self.scheduler.questions(node, outcome):
            when = self.model.edges[edge].when
            verdicts[edge] = when if isinstance(when, bool) else self.random.random() < 0.5
            if not isinstance(when, bool):
                self.holds(self.model.guards.along(edge), f"condition of {self.model.edges[edge]}")
        resolution = self.scheduler.ended(node, outcome, verdicts)
        if self.failed and self.goes_round(resolution.steps):
            self.returned = True
            return
        if step.undo and outcome.name == "success":
            self.done.append(step)
        ends = outcome.name == "failure" and not resolution.handled and not self.failed
        self.follow(resolution.steps, drop=ends)
        if ends:
            self.close()

    def goes_round(self, moves: tuple[Move, ...]) -> bool:
        headers = [loop.header for loop in self.model.shape.loops]
        return any(isinstance(move, Ready) and move.node in headers for move in moves)

    def close(self) -> None:
        self.failed = True
        self.follow(self.scheduler.close(cancel=self.random.random() < 0.7))

    def holds(self, view: View, where: str, found: dict[str, str] | None = None) -> None:
        results = found or self.results
        for node in self.model.graph.nodes:
            if view.surely_succeeded(node):
                assert results.get(node) == "success", f"{node} at {where}: {results}"
            if view.surely_ended(node) and where != "output":
                assert node in results, f"{node} at {where}: {results}"


@settings(max_examples=300, deadline=None)
@given(st.integers(min_value=0, max_value=2**32))
def test_what_is_called_sure_holds_in_every_walk(seed: int) -> None:
    random = Random(seed)
    model = Model(random)
    assume(model.usable)
    event("loops" if model.shape.loops else "no loops")
    for _ in range(20):
        Walk(model, random).go()
