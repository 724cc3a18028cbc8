"""The scheduler: a pure state machine that says which node of one graph may run next.

It knows nodes, edges, joins and loops, no values. Whoever drives it starts the nodes it calls
ready, judges the conditions it asks about, and tells it how each node ended. Its state is plain
JSON between any two calls.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeAlias, cast

from flowspec.fates import Fate, Fates
from flowspec.routes import Graph
from flowspec.values import Json, JsonObject

__all__ = [
    "Cancel",
    "Graph",
    "Outcome",
    "OutcomeName",
    "Overrun",
    "Ready",
    "Resolution",
    "Scheduler",
    "Skip",
    "Step",
]

OutcomeName = Literal["success", "failure", "skipped", "cancelled"]
_Phase = Literal["waiting", "running", "ended"]


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """How a node ended; `timeout` marks the failure that a `timeout` edge is for."""

    name: OutcomeName
    action: str | None = None
    timeout: bool = False


@dataclass(frozen=True)
class Ready:
    """The node may run now."""

    node: str


@dataclass(frozen=True)
class Skip:
    """The node will not run: report it as ended `skipped`."""

    node: str


@dataclass(frozen=True)
class Cancel:
    """The running node is no longer wanted: stop it and report how it ended."""

    node: str


@dataclass(frozen=True)
class Overrun:
    """The loop has gone round as often as its backward edge allows."""

    header: str
    limit: int


Step: TypeAlias = Ready | Skip | Cancel | Overrun


@dataclass(frozen=True, kw_only=True)
class Resolution:
    """What follows from a node's end; `taken` are those of its edges that were."""

    steps: tuple[Step, ...]
    taken: tuple[int, ...]

    @property
    def handled(self) -> bool:
        return bool(self.taken)


@dataclass
class _State:
    phases: dict[str, _Phase]
    fates: Fates
    held: dict[int, Fate] = field(default_factory=dict)
    rounds: list[int] = field(default_factory=list)
    closing: bool = False
    cleanup: dict[str, None] = field(default_factory=dict)


class Scheduler:
    """One walk through a graph.

    Call `begin` once; then `ended` for each node that was `Ready` or `Skip`, exactly once. Before
    `ended`, judge the edges that `questions` names.
    """

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self._state = _State(
            phases=dict.fromkeys(graph.nodes, "waiting"),
            fates=Fates(graph, {}),
            rounds=[1] * len(graph.loops),
        )
        self._running = 0
        self._unended = [len(loop.members) for loop in graph.loops]

    # -- what the driver asks ------------------------------------------------------------------

    @property
    def at_rest(self) -> bool:
        """Nothing runs and nothing is about to."""
        return self._running == 0

    def phase(self, node: str) -> _Phase:
        return self._state.phases[node]

    def iteration(self, node: str) -> int | None:
        """Which round the innermost loop around the node is in, from 1; None outside loops."""
        around = self.graph.around[node]
        return self._state.rounds[around[0]] if around else None

    def iterations(self, node: str) -> tuple[int, ...]:
        """The rounds of all loops around the node, outermost first."""
        around = self.graph.around[node]
        return tuple(self._state.rounds[loop] for loop in reversed(around)) if around else ()

    def taken_into(self, node: str) -> list[int]:
        """The taken edges that led to the node, backward ones first."""
        fates = self._state.fates
        return [edge for edge in self.graph.leading[node] if fates.of(edge) == "taken"]

    def questions(self, node: str, outcome: Outcome) -> list[int]:
        """The edges whose `when` has to be judged now that the node ended like this."""
        judged = self.graph.judged[node]
        return self._matched(judged, node, outcome) if judged else []

    # -- what the driver tells -----------------------------------------------------------------

    def begin(self) -> tuple[Step, ...]:
        return tuple(self._ready(node) for node in self.graph.plan.starts)

    def ended(
        self, node: str, outcome: Outcome, verdicts: Mapping[int, bool] | None = None
    ) -> Resolution:
        """The node ended; `verdicts` answers the `questions` asked about it."""
        self._end(node)
        taken = self._taken(node, outcome, verdicts or {})
        steps: list[Step] = []
        for edge in self.graph.outgoing[node]:
            steps += self._resolve(edge, "taken" if edge in taken else "dead")
        for loop in self.graph.around[node]:
            if self._unended[loop]:
                break
            more, again = self._loop_rests(loop)
            steps += more
            if again:
                break
        return Resolution(steps=tuple(steps), taken=tuple(taken))

    def close(self, *, cancel: bool) -> tuple[Step, ...]:
        """Start nothing more, save what cleans up: what `cancelled` edges lead to, going forward.

        With `cancel` the running nodes are given up, else they are left to end.
        """
        state = self._state
        state.closing = True
        for edge, plan in enumerate(self.graph.edges):
            may_count = plan.back or state.phases[plan.target] == "waiting"
            if may_count and state.fates.of(edge) is not None:
                state.fates.decide(edge, "dead")
            state.held.update({edge: "dead"} if edge in state.held else {})
        steps: list[Step] = []
        if cancel:
            steps += [Cancel(n) for n, phase in state.phases.items() if phase == "running"]
        for node, phase in list(state.phases.items()):
            if phase == "waiting" and self.graph.incoming[node]:
                steps += self._consider(node)
        return tuple(steps)

    # -- edges ---------------------------------------------------------------------------------

    def _matched(self, edges: Sequence[int], node: str, outcome: Outcome) -> list[int]:
        """Those of the node's edges that are for this outcome."""
        on, names = self.graph.on, self._names(node, outcome)
        return [edge for edge in edges if not on[edge].isdisjoint(names)]

    def _names(self, node: str, outcome: Outcome) -> Sequence[str]:
        """The words in `on` that this outcome answers to; none where it must not go on."""
        if self._state.closing and node not in self._state.cleanup:
            return ("cancelled", "always") if outcome.name == "cancelled" else ()
        names: list[str] = [outcome.name, "always"]
        if outcome.name == "success" and outcome.action is not None:
            names.append(outcome.action)
        if outcome.timeout:
            names.append("timeout")
            if any("timeout" in self.graph.on[edge] for edge in self.graph.outgoing[node]):
                names.remove("failure")
        return names

    def _taken(self, node: str, outcome: Outcome, verdicts: Mapping[int, bool]) -> dict[int, None]:
        matched = self._matched(self.graph.outgoing[node], node, outcome)
        if not self.graph.judged[node]:
            return dict.fromkeys(matched)
        edges = self.graph.edges
        chosen = any(edges[e].when is not None and verdicts[e] for e in matched)
        return dict.fromkeys(
            edge
            for edge in matched
            if (
                verdicts[edge]
                if edges[edge].when is not None
                else not (edges[edge].otherwise and chosen)
            )
        )

    def _resolve(self, edge: int, fate: Fate) -> list[Step]:
        state, plan = self._state, self.graph.edges[edge]
        if self.graph.left[edge] is not None:
            state.held[edge] = fate
            return []
        if plan.back:
            state.fates.decide(edge, "dead" if state.closing else fate)
            return []
        state.fates.decide(edge, fate)
        return self._consider(plan.target)

    # -- joins ---------------------------------------------------------------------------------

    def _consider(self, node: str) -> list[Step]:
        """Start or skip a waiting node if its join is now decided."""
        if self._state.phases[node] != "waiting":
            return []
        fates = self._state.fates
        taken, undecided = fates.taken_into(node), fates.undecided_into(node)
        join = self.graph.nodes[node].join
        if join == "all":
            decided, met = undecided == 0, taken > 0
        else:
            needed = join if isinstance(join, int) else 1
            met = taken >= needed
            decided = met or taken + undecided < needed
        if not decided:
            return []
        if not met or self._given_up_for(node):
            return [self._skip(node)]
        return [self._ready(node), *self._give_up(node)]

    def _given_up_for(self, node: str) -> Sequence[str]:
        """The races that are over and that the node was only there for."""
        joins = self.graph.raced_by.get(node)
        return [join for join in joins if self._state.phases[join] != "waiting"] if joins else ()

    def _give_up(self, join: str) -> Sequence[Step]:
        losers = self.graph.nodes[join].races
        return [Cancel(node) for node in losers if self._state.phases[node] == "running"]

    def _ready(self, node: str) -> Step:
        self._state.phases[node] = "running"
        self._running += 1
        if self._state.closing:
            self._state.cleanup[node] = None
        return Ready(node)

    def _skip(self, node: str) -> Step:
        self._state.phases[node] = "running"
        self._running += 1
        return Skip(node)

    def _end(self, node: str) -> None:
        if self._state.phases[node] != "running":
            raise ValueError(f"node {node!r} is not running")
        self._state.phases[node] = "ended"
        self._running -= 1
        for loop in self.graph.around[node]:
            self._unended[loop] -= 1

    # -- loops ---------------------------------------------------------------------------------

    def _loop_rests(self, index: int) -> tuple[list[Step], bool]:
        """All members have ended: go round again, or let the edges that leave count."""
        loop, state = self.graph.loops[index], self._state
        taken = [edge for edge in loop.back if state.fates.of(edge) == "taken"]
        outside = [join for join in self._given_up_for(loop.header) if join not in loop.members]
        if not taken or outside:
            return self._leave(index), False
        limits = [self.graph.edges[edge].limit for edge in taken]
        bounded = [limit for limit in limits if limit is not None]
        if bounded and len(bounded) == len(limits) and state.rounds[index] >= max(bounded):
            state.held.update({edge: "dead" for edge in loop.inside if edge in state.held})
            return [Overrun(loop.header, max(bounded)), *self._leave(index)], False
        self._reset(index)
        return [self._ready(loop.header)], True

    def _leave(self, index: int) -> list[Step]:
        steps: list[Step] = []
        for edge in self.graph.loops[index].inside:
            if self.graph.left[edge] == index and edge in self._state.held:
                self._state.fates.decide(edge, self._state.held.pop(edge))
                steps += self._consider(self.graph.edges[edge].target)
        return steps

    def _reset(self, index: int) -> None:
        loop, state = self.graph.loops[index], self._state
        state.rounds[index] += 1
        for nested in loop.nested:
            state.rounds[nested] = 1
        for node in loop.members:
            state.phases[node] = "waiting"
            for around in self.graph.around[node]:
                self._unended[around] += 1
        for edge in loop.inside:
            state.held.pop(edge, None)
            if edge not in loop.back:
                state.fates.forget(edge)

    # -- keeping -------------------------------------------------------------------------------

    def dump(self) -> JsonObject:
        state = self._state
        phases: list[Json] = list(state.phases.values())
        return {
            "phases": phases,
            "fates": {str(edge): fate for edge, fate in state.fates.as_dict().items()},
            "held": {str(edge): fate for edge, fate in state.held.items()},
            "rounds": list[Json](state.rounds),
            "closing": state.closing,
            "cleanup": list[Json](state.cleanup),
        }

    @classmethod
    def load(cls, graph: Graph, data: JsonObject) -> Scheduler:
        """The scheduler that `dump` described, over the same graph."""
        self = cls(graph)
        phases = cast("list[_Phase]", data["phases"])
        fates = cast("dict[str, Fate]", data["fates"])
        held = cast("dict[str, Fate]", data["held"])
        self._state = _State(
            phases=dict(zip(graph.nodes, phases, strict=True)),
            fates=Fates(graph, {int(edge): fate for edge, fate in fates.items()}),
            held={int(edge): fate for edge, fate in held.items()},
            rounds=list(cast("list[int]", data["rounds"])),
            closing=bool(data["closing"]),
            cleanup=dict.fromkeys(cast("list[str]", data["cleanup"])),
        )
        self._running = phases.count("running")
        self._unended = [
            sum(self._state.phases[member] != "ended" for member in loop.members)
            for loop in graph.loops
        ]
        return self
