"""A world in which whole flows are played: with slow work and a script from outside."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any, TypeAlias, cast

import pytest

from activities.catalogue import catalogue
from flowspec.check import check
from flowspec.machine import Call, Child, Finished, Machine, Operation
from flowspec.plan import Plan
from flowspec.values import Json, JsonObject
from tests.claims import Keeps, Putter
from tests.world import Fail, Handler, World, as_performed

__all__ = [
    "IN_ORDER",
    "Cue",
    "Played",
    "Stage",
    "Way",
    "cancel",
    "decide",
    "every_way",
    "fails",
    "plan_of",
    "play_plans",
    "play_text",
    "refuse",
    "signal",
]

Cue: TypeAlias = Callable[[Machine], None] | None
"""What happens outside once only waits and slow work are left; None lets those go on."""


@dataclass(frozen=True, kw_only=True)
class Way:
    """A way the world may go: the order of its answers, whether every step is revived, and which
    values are kept elsewhere. What has to be evaluated for that is answered at once, unless
    `late`: then like anything else. The first `away` times, nothing that a worker does begins."""

    seed: int | None = None
    revive: bool = False
    keeps: Keeps = "nothing"
    late: bool = False
    away: int = 0

    def __str__(self) -> str:
        order = "in-order" if self.seed is None else f"seed-{self.seed}"
        kept = "" if self.keeps == "nothing" else f"-{self.keeps}-kept-elsewhere"
        return f"{order}{'-revived' if self.revive else ''}{kept}{'-late' if self.late else ''}"


IN_ORDER = Way()

every_way = pytest.mark.parametrize(
    "way",
    [
        IN_ORDER,
        Way(revive=True),
        Way(seed=1),
        Way(seed=2, revive=True),
        Way(seed=3),
        Way(seed=4, revive=True),
        Way(keeps="all"),
        Way(seed=1, revive=True, keeps="all"),
        Way(seed=2, keeps="some"),
        Way(seed=4, revive=True, keeps="some"),
        Way(keeps="all", late=True),
        Way(seed=3, keeps="all", late=True),
    ],
    ids=str,
)
"""With values kept elsewhere a run does the same, step by step."""


@dataclass(kw_only=True)
class Stage(World):
    """Operations named in `slow` are answered only when there is nothing else to do.

    A child that is not awaited is run after the run that started it. Two children of one
    workflow id cannot be open at once.
    """

    script: Iterator[Cue] = field(default_factory=lambda: iter(()))
    machine: Machine | None = None
    operations: list[Operation] = field(default_factory=list)
    _later: list[Child] = field(default_factory=list)
    _holders: dict[str, str] = field(default_factory=dict)
    _refused: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.decide = lambda _world, machine: self._next_cue(machine)

    def play(self, flow: str, input: Json) -> Finished:
        finished = self.run(flow, input)
        for child in self._later:
            super()._child(child)
        return finished

    def _next_cue(self, machine: Machine) -> bool:
        cue = next(self.script, None)
        if cue is None:
            return False
        cue(cast(Machine, _Outside(machine, self.put)))
        return True

    def _revived(self, machine: Machine) -> Machine:
        self.machine = super()._revived(machine)
        return self.machine

    def _begin(self, operation: Operation) -> None:
        super()._begin(operation)
        self.operations.append(_as_performed(operation))
        if isinstance(operation, Child) and operation.workflow_id is not None:
            holder = self._holders.setdefault(operation.workflow_id, operation.id)
            if holder != operation.id:
                self._refused.append(operation.id)

    def _answer_one(self, machine: Machine) -> bool:
        held = {
            id: operation
            for id, operation in self._open.items()
            if id in self.slow and id not in self._stopped
        }
        for id in held:
            del self._open[id]
        answered = super()._answer_one(machine) or self._next_cue(machine)
        self._open.update(held)
        return answered or super()._answer_one(machine)

    def _child(self, child: Child) -> Json:
        if child.id in self._refused:
            raise Fail("AlreadyRunning", f"{child.workflow_id} is open")
        if child.workflow_id is not None:
            del self._holders[child.workflow_id]
        if child.id in self._stopped:
            raise Fail("Cancelled")
        if child.wait:
            return super()._child(child)
        self._later.append(child)
        return {"id": child.id, "run_id": "1"}


def _as_performed(operation: Operation) -> Operation:
    if not isinstance(operation, Call):
        return operation
    try:
        return replace(operation, argument=as_performed(operation.argument))
    except Fail:
        return operation


class _Outside:
    """The machine, for those whose values may be kept elsewhere before they reach it."""

    def __init__(self, machine: Machine, put: Putter) -> None:
        self._machine = machine
        self._put = put

    def signal(self, name: str, value: Json) -> bool:
        return self._machine.signal(name, self._put(value))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._machine, name)


@dataclass(frozen=True, kw_only=True)
class Played:
    """How a run went. The trace has what was asked for, and `done <node>` where it was done."""

    finished: Finished
    trace: list[str]
    messages: list[str]
    operations: list[Operation]
    machine: Machine

    @property
    def calls(self) -> list[str]:
        """The activities started, in order."""
        return [entry.removeprefix("call ") for entry in self.trace if entry.startswith("call ")]

    @property
    def stopped(self) -> list[str]:
        return [entry.removeprefix("stop ") for entry in self.trace if entry.startswith("stop ")]

    @property
    def error(self) -> JsonObject:
        assert self.finished.error is not None, self.finished
        return self.finished.error

    def call(self, id: str) -> Call:
        return next(o for o in self.operations if isinstance(o, Call) and o.id == id)

    def told(self, id: str) -> JsonObject:
        """The `data` that a `log` node was given."""
        params = self.call(id).argument["params"]
        assert isinstance(params, dict)
        data = params["data"]
        assert isinstance(data, dict)
        return data

    def before(self, *entries: str) -> bool:
        """Whether these stand in the trace, once each, in this order."""
        once = all(self.trace.count(entry) == 1 for entry in entries)
        places = [self.trace.index(entry) for entry in entries if entry in self.trace]
        return once and places == sorted(places)


@cache
def plan_of(text: str) -> Plan:
    """The plan of a flow that has to be valid."""
    checked = check(text, catalogue())
    assert checked.plan is not None, [str(problem) for problem in checked.problems]
    return checked.plan


def play_plans(
    plans: Sequence[Plan],
    way: Way,
    input: JsonObject | None = None,
    *,
    flow: str | None = None,
    slow: Sequence[str] = (),
    script: Sequence[Cue] = (),
    answers: Mapping[str, Handler] | None = None,
) -> Played:
    """Play the first of the flows, or the one named; `answers` by activity or operation."""
    trace: list[str] = []
    messages: list[str] = []

    def noted(handler: Handler) -> Handler:
        def answer(argument: JsonObject) -> Json:
            value = handler(argument)
            if "node" in argument:
                trace.append(f"done {argument['node']}")
            return value

        return answer

    def write(argument: JsonObject) -> Json:
        params = argument["params"]
        assert isinstance(params, dict)
        messages.append(str(params["message"]))
        return params

    handlers = {"log": write, "http.request": _response, **(answers or {})}
    stage = Stage(
        plans={plan.flow: plan for plan in plans},
        handlers={name: noted(handler) for name, handler in handlers.items()},
        trace=trace,
        seed=way.seed,
        revive=way.revive,
        put=Putter(keeps=way.keeps, seed=way.seed or 0),
        at_once=not way.late,
        away=way.away,
        slow=slow,
        script=iter(script),
    )
    finished = stage.play(flow or plans[0].flow, input or {})
    assert list(stage.script) == [], "the run ended before the script did"
    assert stage.machine is not None
    return Played(
        finished=finished,
        trace=[entry for entry in trace if not entry.startswith("evaluate ")],
        messages=messages,
        operations=stage.operations,
        machine=stage.machine,
    )


def play_text(
    text: str,
    way: Way = IN_ORDER,
    input: JsonObject | None = None,
    *,
    others: Sequence[str] = (),
    slow: Sequence[str] = (),
    script: Sequence[Cue] = (),
    answers: Mapping[str, Handler] | None = None,
) -> Played:
    """Play a flow given as text; `others` are the flows it may call."""
    plans = [plan_of(each) for each in (text, *others)]
    return play_plans(plans, way, input, slow=slow, script=script, answers=answers)


def fails(type: str = "Boom", message: str = "it broke", details: Json = None) -> Handler:
    """An activity that fails for good."""

    def answer(_: JsonObject) -> Json:
        raise Fail(type, message, details)

    return answer


def _response(argument: JsonObject) -> Json:
    return {"status": 200, "headers": {}, "json": {"by": argument["node"]}}


def signal(name: str, value: Json = None) -> Cue:
    """The signal comes, and some node of the flow waits for it at some time."""

    def cue(machine: Machine) -> None:
        assert machine.signal(name, value)

    return cue


def decide(node: str, action: str, **more: Json) -> Cue:
    """The decision comes, and is accepted."""

    def cue(machine: Machine) -> None:
        decision: JsonObject = {"node": node, "action": action, **more}
        assert machine.objection(decision) is None
        assert machine.complete(decision)["action"] == action

    return cue


def refuse(node: str, action: str, reason: str = "is waiting", **more: Json) -> Cue:
    """The decision comes, and is refused for this reason."""

    def cue(machine: Machine) -> None:
        objection = machine.objection({"node": node, "action": action, **more})
        assert objection is not None
        assert reason in objection

    return cue


def cancel(reason: str = "not wanted any more") -> Cue:
    """Somebody cancels the run."""
    return lambda machine: machine.cancel(reason)
