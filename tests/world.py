"""A world for the machine: it performs operations in memory, with a clock of its own.

The machine is the thing under test, so this side is as plain as it can be. Everything random
comes from one seed; with `revive`, the machine is written to JSON and read back before each step.
"""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from temporalio.exceptions import ApplicationError

from activities.evaluate import Evaluator
from flowspec.expressions import ExpressionError, compile_template, evaluate_at, scope_for
from flowspec.machine import (
    NOT_STARTED,
    SHARD_ARGUMENT,
    Call,
    Child,
    Evaluate,
    Finished,
    ForeignCall,
    Machine,
    Operation,
    Program,
    Sleep,
    Stop,
    make_error,
)
from flowspec.plan import Plan, load_plan
from flowspec.sharing import Claimant, LockBook, RateBook
from flowspec.values import Json, JsonObject
from tests.claims import Claim, Putter, from_text, loaded, to_text

__all__ = ["Fail", "Handler", "World", "as_performed"]

Handler = Callable[[JsonObject], Json]
T = TypeVar("T")


class Fail(Exception):
    """A handler's failure, after all its attempts."""

    def __init__(self, type: str = "Failed", message: str = "no", details: Json = None) -> None:
        super().__init__(message)
        self.error = make_error(type, message, details=details)


@dataclass(kw_only=True)
class World:
    """Runs plans; `handlers` say what activities answer, by activity type or by operation id.

    `trace` lists what was performed, `decide` is asked whenever nothing but waits is left.
    `put` says which values are kept elsewhere; they are loaded for whatever performs an operation.
    With `at_once` what the machine has to have evaluated is answered before any other step, as if
    it had been able to look: then a run does the same step by step. The first `away` times, no
    call and no evaluation begins. Locks and rates are this world's own.
    """

    plans: Mapping[str, Plan]
    handlers: Mapping[str, Handler] = field(default_factory=dict)
    decide: Callable[[World, Machine], bool] = lambda _world, _machine: False
    seed: int | None = None
    revive: bool = False
    put: Putter = field(default_factory=Putter)
    at_once: bool = False
    away: int = 0
    slow: Sequence[str] = ()
    now: float = 1_900_000_000.0
    trace: list[str] = field(default_factory=list)
    calls: list[Call] = field(default_factory=list)
    locks: dict[str, LockBook] = field(default_factory=dict)
    rates: dict[str, RateBook] = field(default_factory=dict)
    granted: list[JsonObject] = field(default_factory=list)

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
        given = self.put({} if input is None else input)
        return Machine.start(Program(plan), run=run, input=given, now=self.now)

    def drive(self, machine: Machine) -> Finished:
        self._random = random.Random(self.seed)
        self._open: dict[str, Operation] = {}
        self._stopped: dict[str, None] = {}
        self._turned_away: dict[str, int] = {}
        for _ in range(20_000):
            machine = self._revived(machine)
            while not self._advance(machine):
                machine = self._revived(machine)
            for operation in machine.take():
                self._begin(operation)
            if machine.finished is not None:
                return _readable(machine.finished)
            machine = self._revived(machine)
            answered = self._answer_one(machine) or self.decide(self, machine)
            left = machine._core.state.todo or machine._core.operations  # after a move, for one
            if not answered and not left:
                raise AssertionError(f"stuck: {json.dumps(machine.status(50), indent=1)}")
        raise AssertionError("the run does not end")

    def _advance(self, machine: Machine) -> bool:
        if not self.at_once:
            return machine.advance(self.now)
        core = machine._core
        core.now = self.now
        done = core.advance(1)
        for operation in core.operations[:]:
            if isinstance(operation, Evaluate) and operation.id not in self.slow:
                core.operations.remove(operation)
                self._answer(machine, operation)
                core.state.todo.rotate(1)
        return done and not core.state.todo

    def _revived(self, machine: Machine) -> Machine:
        if not self.revive:
            return machine
        kept = from_text(to_text(machine.dump()))
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
            if not (self.at_once and isinstance(operation, Evaluate)):
                self.trace.append(f"failed {operation.id}")
            machine.fail(operation.id, {**failure.error, "node": operation.id})
        else:
            if self.seed is None or self.seed % 2:  # a signal may come before the answer
                machine.answer(operation.id, value)
                self._tell(machine)
            else:
                self._tell(machine)
                machine.answer(operation.id, value)

    def _tell(self, machine: Machine) -> None:
        granted, self.granted = self.granted, []
        for grant in granted:
            machine.granted(grant)

    def _turn_away(self, operation: Call | Evaluate) -> None:
        name = re.sub(r"~s\d+$", "", operation.id)
        self._turned_away[name] = self._turned_away.get(name, 0) + 1
        if self._turned_away[name] <= self.away:
            raise Fail(NOT_STARTED, "the store is away")

    def _perform(self, operation: Operation) -> Any:
        if isinstance(operation, Call | Evaluate):
            self._turn_away(operation)
        match operation:
            case Sleep():
                self.now = max(self.now, operation.until)
                return None
            case Evaluate():
                return self._evaluate(operation)
            case Call():
                return self._call(operation)
            case ForeignCall():
                return self._foreign(operation)
            case Child():
                return self._child(operation)
        raise AssertionError(operation)

    def _evaluate(self, evaluate: Evaluate) -> Json:
        if evaluate.id in self._stopped:
            raise Fail("Cancelled")
        request = {
            "source": evaluate.source,
            "want": evaluate.want,
            "loose": evaluate.loose,
            "deferred": evaluate.deferred,
            "scope": evaluate.scope,
        }
        try:
            answer = _awaited(Evaluator(_Values(self.put)).evaluate(from_text(to_text(request))))
        except ApplicationError as error:
            raise Fail(error.type or "", error.message) from error
        return answer.value  # type: ignore[no-any-return]

    def _call(self, call: Call) -> Json:
        call = replace(call, argument=as_performed(call.argument))
        self.calls.append(call)
        if call.id in self._stopped:
            raise Fail("Cancelled")
        json.dumps(call.argument)
        handler = self.handlers.get(call.id) or self.handlers.get(call.activity)
        if handler is None and call.activity.startswith(("flowrunner.lock.", "flowrunner.rate.")):
            return self._shared(call.activity, call.argument)
        answer = handler(call.argument) if handler else call.argument.get("params")
        if call.activity.startswith("flowrunner."):
            return self._cache_answer(answer)
        if isinstance(answer, tuple):
            return {"output": self.put(answer[0]), "action": answer[1]}
        return {"output": self.put(answer), "action": None}

    def _shared(self, activity: str, told: Any) -> Json:
        if activity == "flowrunner.rate.reserve":
            rate = self.rates.setdefault(told["id"], RateBook())
            asked = {name: told[name] for name in ("count", "limit", "per")}
            return {"moments": list[Json](rate.reserve(self.now, **asked))}
        lock = self.locks.setdefault(told["id"], LockBook())
        if activity == "flowrunner.lock.ask":
            who = {name: told[name] for name in ("token", "slots", "expires")}
            lock.ask(Claimant(workflow_id="w", run_id="r", **who))
        else:
            lock.leave(told["token"])
        for each in lock.let_in(self.now):
            self.granted.append({"id": told["id"], "token": each.token, "until": each.until})
        return None

    def _foreign(self, call: ForeignCall) -> Json:
        """A handler is given the arguments as a list."""
        if call.id in self._stopped:
            raise Fail("Cancelled")
        if not call.claims:
            json.dumps(call.arguments)
        arguments = loaded(call.arguments)
        handler = self.handlers.get(call.activity)
        return {"output": self.put(handler({"args": arguments}) if handler else arguments)}

    def _cache_answer(self, answer: Any) -> Json:
        if isinstance(answer, dict) and answer.get("hit"):
            value = answer["value"]
            return {**answer, "value": {**value, "output": self.put(value["output"])}}
        return answer  # type: ignore[no-any-return]

    def _child(self, child: Child) -> Json:
        world = World(
            plans=self.plans,
            handlers=self.handlers,
            revive=self.revive,
            put=self.put,
            at_once=self.at_once,
            away=self.away,
            trace=self.trace,
        )
        argument = child.argument
        if isinstance(argument, dict) and SHARD_ARGUMENT in argument:
            return self._shard(world, argument[SHARD_ARGUMENT])
        if child.flow not in self.plans:
            raise Fail("FlowNotFound", f"no flow {child.flow!r}")
        output = _output(world.run(child.flow, loaded(argument)))
        return self.put(output)  # type: ignore[no-any-return]

    def _shard(self, world: World, argument: Json) -> Json:
        """The items of a shard, and its outputs, are put away as a driver does it: whole."""
        shard: Any = from_text(to_text(argument))
        if isinstance(shard["items"], list):
            items = self.put(shard["items"])
            if isinstance(items, Claim):
                shard = {**shard, "items": items, "count": len(shard["items"])}
        program = Program(load_plan(shard["plan"]))
        machine = Machine.start_shard(program, run=shard["run"], shard=shard, now=self.now)
        output: Any = _output(world.drive(machine))
        return {**output, "outputs": self.put(output["outputs"])}


def _readable(finished: Finished) -> Finished:
    return replace(finished, output=loaded(finished.output), error=loaded(finished.error))


def _output(finished: Finished) -> Json:
    if finished.status != "completed":
        error = finished.error or {}
        raise Fail(str(error.get("type")), str(error.get("message")))
    return finished.output


def as_performed(argument: JsonObject) -> JsonObject:
    """What an activity is told, once its worker has loaded and computed what it can.

    The world has no secrets, so what needs one is left as it stands.
    """
    told: Any = loaded(argument)
    if "deferred" not in told:
        return told  # type: ignore[no-any-return]
    read = {
        pointer: compile_template(_at(told["params"], pointer)).references
        for pointer in told["deferred"]
    }
    secret = [
        p for p, references in read.items() if any(r.path[0] == "secrets" for r in references)
    ]
    try:
        due = [pointer for pointer in read if pointer not in secret]
        told["params"] = evaluate_at(told["params"], due, told["scope"])
    except ExpressionError as error:
        place = ".".join(map(str, ("params", *error.at)))
        raise Fail("ExpressionError", f"{place}: {error}") from error
    if secret:
        needs = [r for pointer in secret for r in read[pointer] if r.path[0] != "secrets"]
        return {**told, "deferred": secret, "scope": scope_for(needs, told["scope"])}
    return {key: told[key] for key in told if key not in ("deferred", "scope", "secrets")}


def _at(value: Any, pointer: str) -> Any:
    for step in pointer.split("/")[1:]:
        value = value[int(step) if isinstance(value, list) else step]
    return value


def _awaited(coroutine: Coroutine[Any, Any, T]) -> T:
    """The result of a coroutine that waits for nothing."""
    try:
        coroutine.send(None)
    except StopIteration as ended:
        return ended.value  # type: ignore[no-any-return]
    raise AssertionError("it waits for something")


@dataclass(frozen=True)
class _Values:
    """What the worker of this world does with values."""

    put: Putter

    async def opened(self, value: Any) -> Any:
        return value

    async def loaded(self, value: Any) -> Any:
        return loaded(value)

    async def stowed(self, value: Json) -> Any:
        return self.put(value)

    async def kept(self, value: Json) -> Any:
        return Claim(loaded(value))

    async def joined(self, parts: list[Any]) -> Any:
        return self.put([item for part in parts for item in loaded(part)])
