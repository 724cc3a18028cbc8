"""The machine: a whole run as a pure state machine.

Whoever drives it performs the operations it asks for, answers them by id, hands it signals and
decisions, and calls `advance`. Its state is plain JSON between any two calls, so a run can go on
in another process, or in another Temporal execution, with nothing lost.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, cast

from flowspec.durations import format_duration
from flowspec.machine.callbacks import Callbacks
from flowspec.machine.calls import labels_of
from flowspec.machine.core import Core
from flowspec.machine.endings import failure_message
from flowspec.machine.frames import Frames
from flowspec.machine.inline import Waits
from flowspec.machine.items import Items
from flowspec.machine.operations import (
    NOT_STARTED,
    Call,
    Child,
    Evaluate,
    Finished,
    ForeignCall,
    Operation,
    Sleep,
    Stop,
    make_error,
)
from flowspec.machine.program import Program, program_of
from flowspec.machine.runs import Runs
from flowspec.machine.shards import SHARD_ARGUMENT
from flowspec.machine.state import FrameState, RunState, slots
from flowspec.machine.status import glance_of, status_of
from flowspec.machine.watching import Watcher
from flowspec.plan import NodePlan
from flowspec.scheduler import Scheduler
from flowspec.values import Json, JsonObject

__all__ = [
    "NOT_STARTED",
    "SHARD_ARGUMENT",
    "Call",
    "Child",
    "Evaluate",
    "Finished",
    "ForeignCall",
    "Machine",
    "Operation",
    "Program",
    "Sleep",
    "Stop",
    "Watcher",
    "failure_message",
    "labels_of",
    "make_error",
    "program_of",
]


class Machine:
    """One run of a program."""

    def __init__(self, program: Program, state: RunState) -> None:
        self._core = Core(program, state)
        self._frames = Frames(self._core)
        self._runs = Runs(self._core)
        self._items = Items(self._core, self._frames)
        self._waits = Waits(self._core)
        self._callbacks = Callbacks(self._core, self._ended)
        self._core.on("root.timeout", self._timed_out)
        self._core.on("root.vars", self._vars_known)
        self._core.on("root.failed", self._refused)
        self._core.on("root.end", self._callbacks.tell)

    # -- life ----------------------------------------------------------------------------------

    @classmethod
    def start(cls, program: Program, *, run: JsonObject, input: Json, now: float) -> Machine:
        """A new run; nothing happens before `advance`."""
        self = cls(program, RunState(run=run, input=input))
        self._core.now = now
        plan = program.plan
        if plan.timeout is not None:
            self._core.sleep("~timeout", now + plan.timeout, ["root.timeout"], "timeout of the run")
        source = program.template("", "vars", plan.vars)
        self._core.evaluate(
            source,
            {"input": input, "run": run},
            id="~vars",
            raw=plan.vars,
            then=["root.vars"],
            otherwise=["root.failed"],
            want="members",
        )
        return self

    @classmethod
    def start_shard(
        cls, program: Program, *, run: JsonObject, shard: JsonObject, now: float
    ) -> Machine:
        """Some of the items of a wide `foreach`, as the run it belongs to described them."""
        outer = dict(cast(JsonObject, shard["scope"]))
        values = cast(JsonObject, outer.pop("vars", {}))
        needed = ("path", "items", "count", "base", "apart")
        told: JsonObject = {name: shard[name] for name in needed if name in shard}
        state = RunState(run=run, input=outer.pop("input", None), outer=outer, shard=told)
        self = cls(program, state)
        self._core.now = now
        self._core.do("root.vars", values)
        return self

    @classmethod
    def load(cls, program: Program, data: JsonObject) -> Machine:
        """The run that `dump` described: its sleeps are asked for again, nothing else is."""
        raw = dict(data)
        schedulers = cast("dict[str, JsonObject]", raw.pop("schedulers"))
        self = cls(program, RunState.load(raw))
        for path, scheduler in schedulers.items():
            graph = program.graphs[self._core.state.frames[path].block]
            self._core.schedulers[path] = Scheduler.load(graph, scheduler)
        if not self._core.state.paused:
            self._core.release()
        return self

    def dump(self) -> JsonObject:
        schedulers: JsonObject = {p: s.dump() for p, s in self._core.schedulers.items()}
        return {**self._core.state.dump(), "schedulers": schedulers}

    def slots(self) -> Iterator[tuple[Any, Any]]:
        """Every place (container and key) where a whole value of the user's is kept.

        Between two calls of `advance` the value may be replaced by an opaque one that stands for
        the same: the run goes on as before.
        """
        return slots(self._core.state)

    def rearm(self) -> None:
        """Ask again for the sleeps a dumped run was in the middle of."""
        for id, until in self._core.state.sleeping.items():
            self._core.operations.append(Sleep(id=id, until=until))

    # -- what the driver does ------------------------------------------------------------------

    def advance(self, now: float) -> bool:
        """Make the steps that are due; False if the driver should pause and call again."""
        self._core.now = now
        return self._core.advance()

    def take(self) -> list[Operation]:
        """The operations asked for since the last call, in order."""
        operations, self._core.operations = self._core.operations, []
        return operations

    def answer(self, id: str, value: Json) -> None:
        self._core.answer(id, value)

    def fail(self, id: str, error: JsonObject) -> None:
        """The operation failed; an error of type `Cancelled` says it was stopped."""
        self._core.fail(id, error)

    def signal(self, name: str, value: Json) -> bool:
        """False if no node of this flow ever waits for that signal."""
        return self._waits.signal(name, value)

    @property
    def asks(self) -> bool:
        """Whether a decision could be taken now."""
        return any(wait["kind"] == "approval" for wait in self._core.state.waits.values())

    def objection(self, decision: JsonObject) -> str | None:
        """Why a decision cannot be accepted, whatever it is; None if it can."""
        return self._waits.objection(decision)

    def complete(self, decision: JsonObject) -> JsonObject:
        return self._waits.complete(decision)

    def cancel(self, reason: str) -> None:
        """Bring the run to its end: `cancelled` edges and undos still run."""
        if "" in self._core.state.frames:
            self._core.do("frame.cancel", "", reason)
        else:
            error = make_error("Cancelled", reason)
            self._callbacks.tell({"status": "cancelled", "error": error})

    def granted(self, grant: JsonObject) -> None:
        """The run holds a lock it asked for: `{id, token, until}`."""
        self._runs.locks.granted(grant)

    def pause(self) -> None:
        """Start nothing new; what runs goes on."""
        self._core.state.paused = True

    def resume(self) -> None:
        self._core.resume()

    def drain(self) -> None:
        """Start nothing new until the run has moved, so that it can."""
        self._core.draining = True

    def let_differ(self, patched: Callable[[str], bool]) -> None:
        """Ask this, with a patch's id, before anything is done that an earlier release did
        otherwise: a run that it took so far must go on as it would have."""
        self._core.patched = patched

    def watch(self, watcher: Watcher) -> None:
        """Let somebody look on from here; what they see is in no dump."""
        self._core.watcher = watcher

    # -- what the driver sees ------------------------------------------------------------------

    @property
    def finished(self) -> Finished | None:
        ending = self._core.state.finished
        if ending is None:
            return None
        error = cast("JsonObject | None", ending.get("error"))
        match ending["status"]:
            case "success" | "returned":
                return Finished(status="completed", output=ending.get("output"))
            case "cancelled":
                return Finished(status="cancelled", error=error)
            case _:
                return Finished(status="failed", error=error)

    @property
    def is_shard(self) -> bool:
        """Whether this is a part of another run's wide `foreach`."""
        return self._core.state.shard is not None

    @property
    def stays_apart(self) -> bool:
        """Whether the outputs of this shard are to be put away unless they are small."""
        return self._core.state.shard is not None and self._core.state.shard.get("apart") is True

    @property
    def may_move(self) -> bool:
        """Whether all that is outstanding can be asked for again elsewhere: only sleeps are, and
        what has to be asked again anyway."""
        state = self._core.state
        quiet = (id in state.sleeping or waiter.resting for id, waiter in state.waiters.items())
        return not state.todo and all(quiet)

    @property
    def phase(self) -> str:
        """One word for people: running, waiting (for an event or a decision), paused, failing,
        cancelling, or how it ended."""
        state = self._core.state
        finished = self.finished
        if finished is not None:
            return finished.status
        root = state.frames.get("")
        ending = root.ending if root is not None else None
        if ending is not None and ending["status"] in ("failed", "cancelled"):
            return "failing" if ending["status"] == "failed" else "cancelling"
        if state.paused:
            return "paused"
        awaited = state.waits and any(wait["kind"] != "timer" for wait in state.waits.values())
        return "waiting" if awaited else "running"

    def node_at(self, path: str) -> NodePlan | None:
        """The plan of the node a path such as `each.3/inner#2` stands for."""
        return self._core.program.node_at(path)

    def labels(self) -> dict[str, str]:
        """As `labels_of` tells them."""
        state = self._core.state
        return labels_of(self._core.program, input=state.input, run=state.run)

    def status(self, limit: int) -> JsonObject:
        """What people want to know of the run, with at most `limit` nodes."""
        return status_of(self._core.state, self.phase, limit)

    def glance(self, limit: int) -> JsonObject:
        """The status with only the nodes that run now: cheap however large the flow is."""
        return glance_of(self._core.state, self.phase, limit)

    # -- root ----------------------------------------------------------------------------------

    def _vars_known(self, values: JsonObject) -> None:
        if self._core.state.finished is None and self._core.state.telling is None:
            self._frames.open(FrameState(path="", vars=dict(values)))

    def _refused(self, error: JsonObject) -> None:
        message = f"vars: {error['message']}"
        self._callbacks.tell({"status": "failed", "error": {**error, "message": message}})

    def _timed_out(self, _: Json) -> None:
        timeout = cast(float, self._core.program.plan.timeout)
        message = f"the run was not done within its timeout of {format_duration(timeout)}"
        error = make_error("Timeout", message)
        if "" in self._core.state.frames:
            self._core.do("frame.fail", "", error)
        else:
            self._callbacks.tell({"status": "failed", "error": error})

    def _ended(self, ending: JsonObject) -> None:
        self._core.state.finished = ending
