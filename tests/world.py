"""A world for the machine: it performs operations in memory, with a clock of its own.

The machine is the thing under test, so this side is as plain as it can be. Everything random
comes from one seed; with `revive`, the machine is written to JSON and read back before each step.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from flowspec.expressions import compile_condition, compile_template
from flowspec.machine import (
    SHARD_ARGUMENT,
    Call,
    Child,
    Evaluate,
    Finished,
    Machine,
    Operation,
    Program,
    Sleep,
    Stop,
    make_error,
)
from flowspec.plan import Plan, load_plan
from flowspec.values import Json, JsonObject

__all__ = ["Fail", "World"]

Handler = Callable[[JsonObject], Json]


class Fail(Exception):
    """A handler's failure, after all its attempts."""

    def __init__(self, type: str = "Failed", message: str = "no", details: Json = None) -> None:
        super().__init__(message)
        self.error = make_error(type, message, details=details)


@dataclass(kw_only=True)
class World:
    """Runs plans; `handlers` say what activities answer, by activity type or by operation id.

    `trace` lists what was performed, `decide` is asked whenever nothing but waits is left.
    """

    plans: Mapping[str, Plan]
    handlers: Mapping[str, Handler] = field(default_factory=dict)
    decide: Callable[[World, Machine], bool] = lambda _world, _machine: False
    seed: int | None = None
    revive: bool = False
    now: float = 1_900_000_000.0
    trace: list[str] = field(default_factory=list)
    calls: list[Call] = field(default_factory=list)

    def run(self, flow: str, input: Json = None) -> Finished:
        """Run a flow to its end; fails the test if it gets stuck."""
        return self.drive(self.start(flow, input))

    def start(self, flow: str, input: Json = None) -> Machine:
        plan = self.plans[flow]
        run: JsonObject = {
            "id": "run-1",
            "workflow_id": flow,
            "flow": flow,
            "version": plan.version,
            "started": "2030-03-17T17:46:40.000Z",
        }
        return Machine.start(Program(plan), run=run, input=input or {}, now=self.now)

    def drive(self, machine: Machine) -> Finished:
        self._random = random.Random(self.seed)
        self._open: dict[str, Operation] = {}
        self._stopped: dict[str, None] = {}
        for _ in range(20_000):
            machine = self._revived(machine)
            while not machine.advance(self.now):
                machine = self._revived(machine)
            for operation in machine.take():
                self._begin(operation)
            if machine.finished is not None:
                return machine.finished
            machine = self._revived(machine)
            if not self._answer_one(machine) and not self.decide(self, machine):
                raise AssertionError(f"stuck: {json.dumps(machine.status(50), indent=1)}")
        raise AssertionError("the run does not end")

    def _revived(self, machine: Machine) -> Machine:
        if not self.revive:
            return machine
        kept = json.loads(json.dumps(machine.dump()))
        pending = machine.take()
        again = Machine.load(machine._core.program, kept)
        again._core.operations = pending
        again._core.now = machine._core.now
        return again

    @property
    def is_idle(self) -> bool:
        """Nothing is left to answer, not even a timer."""
        return not self._open

    # -- operations ----------------------------------------------------------------------------

    def _begin(self, operation: Operation) -> None:
        if isinstance(operation, Stop):
            self.trace.append(f"stop {operation.id}")
            self._stopped[operation.id] = None
            if isinstance(self._open.get(operation.id), Sleep):
                del self._open[operation.id]
            return
        self.trace.append(f"{type(operation).__name__.lower()} {operation.id}")
        assert operation.id not in self._open, f"{operation.id} is open already"
        self._open[operation.id] = operation

    def _answer_one(self, machine: Machine) -> bool:
        ready: list[Operation] = [o for o in self._open.values() if not isinstance(o, Sleep)]
        if not ready:
            sleeps = [o for o in self._open.values() if isinstance(o, Sleep)]
            if not sleeps:
                return False
            if self.decide(self, machine):
                return True
            ready = [min(sleeps, key=lambda sleep: sleep.until)]
        operation = ready[0] if self.seed is None else self._random.choice(ready)
        del self._open[operation.id]
        self._answer(machine, operation)
        return True

    def _answer(self, machine: Machine, operation: Operation) -> None:
        try:
            value = self._perform(operation)
        except Fail as failure:
            self.trace.append(f"failed {operation.id}")
            machine.fail(operation.id, {**failure.error, "node": operation.id})
        else:
            machine.answer(operation.id, value)

    def _perform(self, operation: Operation) -> Any:
        match operation:
            case Sleep():
                self.now = max(self.now, operation.until)
                return None
            case Evaluate():
                compiled = compile_condition if operation.condition else compile_template
                return compiled(operation.source).evaluate(operation.scope)  # type: ignore[arg-type]
            case Call():
                return self._call(operation)
            case Child():
                return self._child(operation)
        raise AssertionError(operation)

    def _call(self, call: Call) -> Json:
        self.calls.append(call)
        if call.id in self._stopped:
            raise Fail("Cancelled")
        json.dumps(call.argument)
        handler = self.handlers.get(call.id) or self.handlers.get(call.activity)
        answer = handler(call.argument) if handler else call.argument.get("params")
        if call.activity.startswith("flowrunner."):
            return answer
        if isinstance(answer, tuple):
            return {"output": answer[0], "action": answer[1]}
        return {"output": answer, "action": None}

    def _child(self, child: Child) -> Json:
        world = World(
            plans=self.plans, handlers=self.handlers, revive=self.revive, trace=self.trace
        )
        argument = child.argument
        if isinstance(argument, dict) and SHARD_ARGUMENT in argument:
            shard: Any = json.loads(json.dumps(argument[SHARD_ARGUMENT]))
            program = Program(load_plan(shard["plan"]))
            machine = Machine.start_shard(program, run=shard["run"], shard=shard, now=self.now)
            finished = world.drive(machine)
        else:
            if child.flow not in self.plans:
                raise Fail("FlowNotFound", f"no flow {child.flow!r}")
            finished = world.run(child.flow, argument)
        if finished.status != "completed":
            error = finished.error or {}
            raise Fail(str(error.get("type")), str(error.get("message")))
        return finished.output
