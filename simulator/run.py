"""One run that is played: what its machine asks for, the world does."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

from flowspec.jsonschemas import check_input, input_refused
from flowspec.machine import (
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
    Watcher,
    failure_message,
    make_error,
)
from flowspec.machine.inline import iso
from flowspec.plan import Plan, load_plan
from flowspec.values import Json, JsonObject
from simulator.asked import Asked
from simulator.trace import Ended, NodeEnd, Performed, Taken
from simulator.world import World

__all__ = ["Run", "start_run"]

Told = Callable[[Finished], None]
_MOST_WAITS = 1_000


def start_run(
    world: World, plan: Plan, input: Json, *, id: str, path: str = "", told: Told
) -> Run | None:
    """Begin a run of a flow; None, and an end to it at once, if it takes no such input."""
    value, problems = check_input(plan.input, input)
    if problems:
        error = make_error("InputInvalid", input_refused(plan.flow, problems))
        told(Finished(status="failed", error=error))
        return None
    about: JsonObject = {
        "id": f"run-of-{id}",
        "workflow_id": id,
        "flow": plan.flow,
        "version": plan.version,
        "started": iso(world.now),
    }
    program = Program(plan)
    machine = Machine.start(program, run=about, input=value, now=world.now)
    return Run(world, machine, program, id=id, path=path, told=told)


@dataclass(kw_only=True)
class _Open:
    """What is under way; `stop` is what giving it up means."""

    operation: Operation
    stop: Callable[[], None]


class Run(Watcher):
    """`path` is "" for the run itself, for another the path of the node that started it."""

    def __init__(
        self, world: World, machine: Machine, program: Program, *, id: str, path: str, told: Told
    ) -> None:
        self.world = world
        self.machine = machine
        self.id = id
        self.path = path
        self._program = program
        self._told = told
        self._open: dict[str, _Open] = {}
        self._since: dict[str, float] = {}
        self._asked = Asked(self)
        self._over = False
        world.grants[id] = self._granted
        machine.watch(self)
        world.at(world.now, self.wake)

    def name_of(self, node: str) -> str:
        """What a node is called in a test: in another flow than the tested one with its flow."""
        return f"{self._program.plan.flow}/{node}" if self.path else node

    def place_of(self, path: str) -> str:
        return f"{self.path}/{path}" if self.path else path

    # -- the loop ------------------------------------------------------------------------------

    def wake(self) -> None:
        """Something has happened: let the machine go on, and do what it asks for."""
        if self._over:
            return
        done = False
        while not done:
            done = self.machine.advance(self.world.now)
            for operation in self.machine.take():
                self._perform(operation)
        finished = self.machine.finished
        if finished is not None:
            self._end(finished)
        else:
            self._asked.look(self.waits())

    def waits(self) -> list[JsonObject]:
        return cast("list[JsonObject]", self.machine.glance(_MOST_WAITS)["waiting"])

    def _end(self, finished: Finished) -> None:
        self._over = True
        del self.world.grants[self.id]
        for each in list(self._open.values()):
            if isinstance(each.operation, Child):
                each.stop()
        self._told(finished)

    @property
    def standing(self) -> Ended:
        """Where it stands if nothing happens any more."""
        return Ended(status="waiting", waiting=tuple(self.waits()))

    # -- what it asks for ----------------------------------------------------------------------

    def _perform(self, operation: Operation) -> None:
        match operation:
            case Stop():
                open_ = self._open.get(operation.id)
                if open_ is not None:
                    open_.stop()
            case Sleep():
                self._open[operation.id] = _Open(
                    operation=operation, stop=lambda: self._forget(operation.id)
                )
                self._later(operation, operation.until, lambda: self.answer(operation.id, None))
            case Call() if operation.activity.startswith("flowrunner."):
                self._share(operation)
            case Call() | ForeignCall():
                self._activity(operation)
            case Child():
                self._child(operation)
            case Evaluate():
                raise AssertionError("nothing is kept elsewhere here")

    def _later(self, operation: Operation, moment: float, action: Callable[[], None]) -> None:
        """Unless it has been given up by then."""
        mine = self._open[operation.id]

        def due() -> None:
            if self._open.get(operation.id) is mine:
                action()

        self.world.at(moment + self.world.scene.late(), due)

    def _forget(self, id: str) -> None:
        self._open.pop(id, None)

    def answer(self, id: str, value: Json) -> None:
        self._forget(id)
        self.machine.answer(id, value)
        self.wake()

    def fail(self, id: str, error: JsonObject) -> None:
        self._forget(id)
        self.machine.fail(id, error)
        self.wake()

    def _share(self, call: Call) -> None:
        self._open[call.id] = _Open(operation=call, stop=lambda: None)

        def do() -> None:
            answer, grants = self.world.shared.perform(
                call.activity, call.argument, run=self.id, now=self.world.now
            )
            self.world.grant(grants)
            self.answer(call.id, answer)

        self._later(call, self.world.now, do)

    def _granted(self, grant: JsonObject) -> None:
        self.machine.granted(grant)
        self.wake()

    def node_of(self, path: str) -> str:
        plan = self._program.node_at(path)
        return path if plan is None else plan.id

    # -- activities ----------------------------------------------------------------------------

    def _activity(self, call: Call | ForeignCall) -> None:
        underway = self._asked.activity(call)
        course = underway.course

        def stop() -> None:
            if course.ended + self.world.scene.late() <= self.world.now:
                return  # it is done already, and says so in this very moment
            underway.cut(self.world.now)
            cancelled = make_error("Cancelled", "it was cancelled", node=call.node)
            self._later(call, self.world.now, lambda: self.fail(call.id, cancelled))

        def end() -> None:
            underway.settle()
            if course.error is not None:
                self.fail(call.id, course.error)
            else:
                self.answer(call.id, underway.answer)

        self._open[call.id] = _Open(operation=call, stop=stop)
        self._later(call, course.ended, end)

    # -- other runs ----------------------------------------------------------------------------

    def _child(self, child: Child) -> None:
        argument = child.argument
        self._open[child.id] = _Open(operation=child, stop=lambda: None)
        if isinstance(argument, dict) and SHARD_ARGUMENT in argument:
            shard = self._shard(child, cast(JsonObject, argument[SHARD_ARGUMENT]))
            self._open[child.id].stop = lambda: shard.cancel(_CANCELLED)
        else:
            self._asked.flow(child)

    def open_child(self, child: Child, performed: Performed) -> None:
        """Start the flow that a `flow` node names, if there is one."""
        plan = self.world.scene.flows.get(child.flow)
        id = child.workflow_id or f"{self.id}/{child.id}"
        wrong = self._why_not(child, plan, id)
        if plan is None or wrong is not None:
            self.end_child(child, performed, error=wrong)
            return
        self.world.open_ids[id] = None

        def told(finished: Finished) -> None:
            del self.world.open_ids[id]
            if child.wait:
                error = _error_of(plan, finished)
                self.end_child(child, performed, error=error, output=finished.output)

        place = self.place_of(child.id)
        run = start_run(self.world, plan, child.argument, id=id, path=place, told=told)
        if not child.wait:
            self.end_child(child, performed, output={"id": id, "run_id": f"run-of-{id}"})
        elif run is not None:
            self._open[child.id].stop = lambda: run.cancel(_CANCELLED)

    def _why_not(self, child: Child, plan: Plan | None, id: str) -> JsonObject | None:
        if plan is None:
            names = ", ".join(self.world.scene.flows) or "none"
            return make_error("FlowNotFound", f"no flow {child.flow!r}; there are: {names}")
        if id in self.world.open_ids:
            return make_error("AlreadyRunning", f"a run with the id {id!r} is open already")
        return None

    def end_child(
        self,
        child: Child,
        performed: Performed,
        *,
        error: JsonObject | None = None,
        output: Json = None,
    ) -> None:
        named = None if error is None else {**error, "node": child.node}
        performed.ended = self.world.now
        performed.outcome = "success" if error is None else "failure"
        performed.output, performed.error = output, named
        if child.id not in self._open:
            return
        if named is not None:
            self._later(child, self.world.now, lambda: self.fail(child.id, named))
        else:
            self._later(child, self.world.now, lambda: self.answer(child.id, output))

    def _shard(self, child: Child, shard: JsonObject) -> Run:
        program = Program(load_plan(shard["plan"]))
        about = cast(JsonObject, shard["run"])
        machine = Machine.start_shard(program, run=about, shard=shard, now=self.world.now)

        def told(finished: Finished) -> None:
            error = _error_of(program.plan, finished)
            if error is None:
                self._later(child, self.world.now, lambda: self.answer(child.id, finished.output))
            else:
                named: JsonObject = {**error, "node": child.node}
                self._later(child, self.world.now, lambda: self.fail(child.id, named))

        id = f"{self.id}/{child.id}"
        return Run(self.world, machine, program, id=id, path=self.path, told=told)

    # -- what is said to it --------------------------------------------------------------------

    def later(self, child: Child, moment: float, action: Callable[[], None]) -> None:
        """Let something happen to what a `flow` node asked for, unless it is given up by then."""
        self._later(child, moment, action)

    def say(self, action: Callable[[Machine], None]) -> None:
        """Let somebody tell the run something, and go on."""
        if not self._over:
            action(self.machine)
            self.wake()

    def cancel(self, reason: str) -> None:
        if not self._over:
            self.machine.cancel(reason)
            self.world.at(self.world.now, self.wake)

    # -- what is seen of it --------------------------------------------------------------------

    def started(self, path: str, node: str) -> None:  # noqa: ARG002
        if self._is_part(path):
            return
        self._since[path] = self.world.now
        self.world.played.begun.append((self.path, self.place_of(path)))

    def ended(self, path: str, node: str, result: JsonObject, *, undo: bool) -> None:
        flow, outcome = self._program.plan.flow, str(result["outcome"])
        self.world.played.visited.append((flow, node, outcome))
        if self._is_part(path):
            return
        self.world.played.nodes.append(
            NodeEnd(
                run=self.path,
                path=self.place_of(path),
                name=self.name_of(node),
                undo=undo,
                started=self._since.pop(path, None),
                ended=self.world.now,
                result=result,
            )
        )

    def _is_part(self, path: str) -> bool:
        """Of a node whose other items are in other shards, the run itself knows all."""
        return self.machine.is_shard and "/" not in path

    def took(self, block: str, edge: int) -> None:
        flow = self._program.plan.flow
        self.world.played.taken.append(Taken(flow=flow, block=block, edge=edge))


_CANCELLED = "the run was cancelled"


def _error_of(plan: Plan, finished: Finished) -> JsonObject | None:
    """How the run that waits for it is told of a run that did not complete."""
    if finished.status == "completed":
        return None
    if finished.status == "cancelled":
        return make_error("Cancelled", "it was cancelled")
    error = finished.error or {}
    node = error.get("node")
    found = Program(plan).node_at(node) if isinstance(node, str) else None
    return make_error(
        str(error.get("type", "Failed")),
        failure_message(error, found.type if found else None),
        attempt=cast(int, error.get("attempt", 1)),
        details=error.get("details"),
    )
