"""The one workflow: it runs any flow, under the flow's own name as the workflow type."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any, NoReturn, TypeVar, cast

from temporalio import workflow
from temporalio.common import RawValue
from temporalio.exceptions import ActivityError, ApplicationError

from flowspec.jsonschemas import check_input, input_refused
from flowspec.machine import Finished, Machine, Program, Stop, program_of
from flowspec.plan import NodePlan, Plan, PlanInvalid, dump_plan
from flowspec.values import Json, JsonObject, Opaque
from workflows.failures import run_failure
from workflows.names import (
    COMPLETE,
    CONTINUED,
    FLOW_LABELS,
    FLOW_NAME,
    FLOW_STATUS,
    FLOW_VERSION,
    KEEPS_LARGE,
    LEAVES_TRACES,
    LOCK_GRANTED,
    PAUSE,
    RESOLVE,
    RESUME,
    TRACE,
)
from workflows.opening import Beginning, read_beginning, value_of
from workflows.packing import pack
from workflows.payloads import held_by, inline, size_of
from workflows.performing import LEAN, MAX_INLINE, MAX_VALUE, Performer, keep, too_large
from workflows.summary import markdown

__all__ = ["FlowWorkflow"]

T = TypeVar("T")

_STATUS_NODES = 500
_DETAIL_NODES = 20
_ROOMY = 512 * 1024
"""What must stay inline is made smaller from here on, by putting away values in it."""

_WORTH_KEEPING = 1024
_DRAIN_AT_EVENTS = 20_000
_DRAIN_AT_BYTES = 20 * 1024 * 1024
"""Where a run that never comes to a quiet moment by itself is brought to one."""


@workflow.defn(dynamic=True, sandboxed=False)
class FlowWorkflow:
    """Resolves the flow, then drives its machine until it has finished or must continue anew."""

    def __init__(self) -> None:
        self._machine: Machine | None = None
        self._plan: Plan | None = None
        self._early: list[tuple[str, Json]] = []
        self._woken = False
        self._asked = self._decided = False
        self._attributes = False
        self._shown_status = ""

    # -- life ----------------------------------------------------------------------------------

    @workflow.run
    async def run(self, args: Sequence[RawValue]) -> Any:
        beginning = read_beginning(workflow.info().workflow_type, args)
        machine = self._guarded(lambda: self._continue(beginning))
        if machine is None:
            machine = await self._resolve(beginning)
        self._machine = machine
        machine.let_differ(workflow.patched)
        for name, value in self._early:
            self._deliver(name, value)
        finished = await self._drive(machine)
        await workflow.wait_condition(workflow.all_handlers_finished)
        return await self._end(finished)

    async def _resolve(self, beginning: Beginning) -> Machine:
        try:
            resolved: dict[str, Any] = await workflow.execute_local_activity(
                RESOLVE,
                {**beginning.request, "run": _run()} if beginning.hidden else beginning.request,
                start_to_close_timeout=timedelta(seconds=60),
                summary="resolve the flow",
            )
        except ActivityError as error:
            if isinstance(error.cause, ApplicationError):
                raise ApplicationError(
                    error.cause.message,
                    *error.cause.details,
                    type=error.cause.type,
                    non_retryable=True,
                ) from None  # the user's mistake, told whole: no stack of ours beside it
            raise
        self._attributes = bool(resolved["search_attributes"])
        program = self._guarded(lambda: self._pin(resolved["plan"]))
        if beginning.hidden:  # checked where it could be read
            labels = resolved["labels"]
            return self._guarded(lambda: self._begin(program, resolved["input"], labels))
        given = self._guarded(lambda: _checked(program.plan, beginning.input))
        return self._guarded(lambda: self._begin(program, given))

    def _pin(self, plan: Json) -> Program:
        program = program_of(plan)
        self._plan = program.plan
        return program

    def _begin(
        self, program: Program, value: Json, labels: dict[str, str] | None = None
    ) -> Machine:
        plan = program.plan
        run = {**_run(), "flow": plan.flow, "version": plan.version}
        machine = Machine.start(program, run=run, input=value, now=workflow.time())
        if self._attributes:
            self._label(plan, machine.labels() if labels is None else labels)
        return machine

    def _label(self, plan: Plan, labels: dict[str, str]) -> None:
        """Make the run one that can be found."""
        texts = [f"{name}={label}" for name, label in labels.items()]
        workflow.upsert_search_attributes(
            [
                FLOW_NAME.value_set(plan.flow),
                FLOW_VERSION.value_set(plan.version),
                FLOW_STATUS.value_set("running"),
                *([FLOW_LABELS.value_set(texts)] if texts else []),
            ]
        )
        self._shown_status = "running"

    def _continue(self, beginning: Beginning) -> Machine | None:
        if beginning.shard is not None:
            return self._begin_shard(beginning.shard)
        if beginning.continued is None:
            return None
        self._attributes = bool(beginning.continued["search_attributes"])
        self._shown_status = str(beginning.continued["shown_status"])
        state = cast(JsonObject, beginning.continued["state"])
        machine = Machine.load(self._pin(beginning.continued["plan"]), state)
        machine.rearm()
        return machine

    def _begin_shard(self, shard: JsonObject) -> Machine:
        run = cast(JsonObject, shard["run"])
        program = self._pin(shard["plan"])
        return Machine.start_shard(program, run=run, shard=shard, now=workflow.time())

    async def _drive(self, machine: Machine) -> Finished:
        performer = Performer(machine, self._wake)
        while True:
            self._woken = False
            done = self._guarded(lambda: machine.advance(workflow.time()))
            try:
                operations = machine.take()
                await performer.perform(operations)
                if machine.finished is not None:
                    return machine.finished
                shown = self._show(machine)
                if not shown and all(isinstance(each, Stop) for each in operations):
                    self._leave_a_trace(machine)
                self._asked, self._decided = machine.asks, False
                await self._make_room(machine)
                if not done:
                    await workflow.sleep(0.001, summary="taking a breath")
                    continue
                await workflow.wait_condition(lambda: self._woken)
            except asyncio.CancelledError:
                machine.cancel(workflow.cancellation_reason() or "the run was cancelled")

    def _leave_a_trace(self, machine: Machine) -> None:
        """While somebody may decide, no workflow task goes by without a command.

        A worker that reads a run from its history is told of such tasks and of the next decision
        together, and of the decision first; once it is accepted, the history says it came last.
        """
        may_decide = machine.asks or self._asked
        if may_decide and not self._decided and workflow.patched(LEAVES_TRACES):
            workflow.upsert_memo({TRACE: inline(workflow.info().get_current_history_length())})

    async def _make_room(self, machine: Machine) -> None:
        """Continue as new once the server suggests it and nothing is under way."""
        info = workflow.info()
        if not info.is_continue_as_new_suggested():
            return
        if self._may_move(machine):
            await self._lighten(machine)
        if self._may_move(machine):
            self._move(machine)
        if (
            info.get_current_history_length() > _DRAIN_AT_EVENTS
            or info.get_current_history_size() > _DRAIN_AT_BYTES
        ):
            machine.drain()

    def _may_move(self, machine: Machine) -> bool:
        return machine.may_move and workflow.all_handlers_finished() and not self._woken

    async def _lighten(self, machine: Machine) -> None:
        """Put values of a large state away; to the run they are the same as before."""
        if size_of(machine.dump()) <= _ROOMY:
            return
        places = [
            (container, key)
            for container, key in machine.slots()
            if not isinstance(container[key], Opaque) and size_of(container[key]) > _WORTH_KEEPING
        ]
        kept = await keep([container[key] for container, key in places])
        for (container, key), claim in zip(places, kept, strict=True):
            container[key] = claim

    def _move(self, machine: Machine) -> NoReturn:
        assert self._plan is not None
        state: JsonObject = {
            "plan": dump_plan(self._plan),
            "state": machine.dump(),
            "search_attributes": self._attributes,
            "shown_status": self._shown_status,
        }
        size = size_of(state)
        if size > MAX_INLINE:
            state = pack(state)
            size = size_of(state)
        if size > MAX_INLINE:
            raise ApplicationError(
                too_large("the run's state to carry on with, packed, measures", size, MAX_INLINE),
                type="TooLarge",
                non_retryable=True,
            )
        workflow.continue_as_new(inline({CONTINUED: state}))

    async def _end(self, finished: Finished) -> Any:
        machine = self._machine
        assert machine is not None
        self._show(machine)
        if finished.status == "cancelled":
            raise asyncio.CancelledError
        if finished.status == "failed":
            node = self._node_of(machine, finished)
            attempts = node.retry.attempts if node is not None else None
            raise run_failure(finished, node.type if node is not None else None, attempts)
        size = size_of(finished.output)
        if size > MAX_VALUE:
            raise ApplicationError(
                too_large("the flow's output measures", size, MAX_VALUE),
                type="TooLarge",
                non_retryable=True,
            )
        return await self._handed_over(finished.output, shard=machine.is_shard)

    async def _handed_over(self, output: Json, *, shard: bool) -> Any:
        """The output as the payload it leaves by; a parent needs what it claims."""
        parent = workflow.info().parent
        if parent is None:
            return output
        if not shard:
            return held_by(output, parent.workflow_id)
        answer = cast(JsonObject, output)
        assert self._machine is not None
        apart = self._machine.stays_apart
        large = size_of(answer["outputs"]) > (LEAN if apart else _ROOMY)
        if large and (apart or workflow.patched(KEEPS_LARGE)):
            (claim,) = await keep([answer["outputs"]])
            answer = {**answer, "outputs": cast(Json, claim)}
        return held_by(answer, parent.workflow_id, stays=True)

    @staticmethod
    def _node_of(machine: Machine, finished: Finished) -> NodePlan | None:
        path = (finished.error or {}).get("node")
        return machine.node_at(path) if isinstance(path, str) else None

    def _guarded(self, action: Callable[[], T]) -> T:
        """A bug in the interpreter ends the run, visibly; it must not look like a stuck one."""
        try:
            return action()
        except ApplicationError:
            raise
        except PlanInvalid as error:
            raise ApplicationError(str(error), type="PlanInvalid", non_retryable=True) from error
        except Exception as error:
            raise ApplicationError(
                f"a bug in Flowrunner, not in your flow: {type(error).__name__}: {error}",
                type="InterpreterError",
                non_retryable=True,
            ) from error

    def _wake(self) -> None:
        self._woken = True

    # -- what people see -----------------------------------------------------------------------

    def _show(self, machine: Machine) -> bool:
        """Whether Temporal was told by a command."""
        over = machine.finished is not None
        seen = machine.status(_DETAIL_NODES) if over else machine.glance(_DETAIL_NODES)
        workflow.set_current_details(markdown(seen))
        status = cast(str, seen["status"])
        if not self._attributes or status == self._shown_status:
            return False
        self._shown_status = status
        workflow.upsert_search_attributes([FLOW_STATUS.value_set(status)])
        return True

    @workflow.query
    def status(self) -> Any:
        """What the run is doing: its nodes, what it waits for, whether it is paused."""
        if self._machine is None:
            return {"status": "starting", "nodes": [], "waiting": [], "paused": False}
        return inline(self._machine.status(_STATUS_NODES))  # not a blob for each time it is asked

    @workflow.query
    def plan(self) -> Any:
        """The plan this run is pinned to."""
        return inline({} if self._plan is None else dump_plan(self._plan))

    # -- what people say -----------------------------------------------------------------------

    @workflow.signal(dynamic=True)
    def on_signal(self, name: str, args: Sequence[RawValue]) -> None:
        try:
            value = value_of(args[0]) if args else None
        except ApplicationError as error:  # anybody can send one: no reason to stop the run
            workflow.logger.warning("signal %r is passed over: %s", name, error.message)
            return
        self._deliver(name, value)

    @workflow.signal(name=PAUSE)
    def pause(self) -> None:
        self._deliver(PAUSE, None)

    @workflow.signal(name=RESUME)
    def resume(self) -> None:
        self._deliver(RESUME, None)

    def _deliver(self, name: str, value: Json) -> None:
        machine = self._machine
        if machine is None:
            self._early.append((name, value))
        elif name == PAUSE:
            machine.pause()
        elif name == RESUME:
            machine.resume()
        elif name == LOCK_GRANTED and isinstance(value, dict):
            self._guarded(lambda: machine.granted(value))
        elif not self._guarded(lambda: machine.signal(name, value)):
            workflow.logger.warning("no node of this flow waits for signal %r", name)
        self._wake()

    @workflow.update(name=COMPLETE)
    def complete(self, decision: dict[str, Any]) -> dict[str, Any]:
        """Decide an approval: `{node, action, data, by, comment}`."""
        self._check_decision(decision)
        machine = self._machine
        assert machine is not None
        accepted = self._guarded(lambda: machine.complete(decision))
        self._decided = True
        self._wake()
        return accepted

    @complete.validator
    def _check_decision(self, decision: dict[str, Any]) -> None:
        if self._machine is None:
            raise _not_accepted("the run is only starting; try again in a moment")
        if isinstance(decision, Opaque):
            raise _not_accepted(
                "the decision is too large to be read here: it has to stay below the claim "
                "check's threshold; put large data elsewhere and give its address"
            )
        if not isinstance(decision, dict):
            raise _not_accepted("a decision is an object: {node, action, data, by, comment}")
        machine = self._machine
        objection = self._guarded(lambda: machine.objection(decision))
        if objection is not None:
            raise _not_accepted(objection)


def _checked(plan: Plan, given: Json) -> Json:
    value, problems = check_input(plan.input, given)
    if problems:
        raise ApplicationError(
            input_refused(plan.flow, problems), type="InputInvalid", non_retryable=True
        )
    return value


def _run() -> JsonObject:
    """What expressions see as `run`, as far as it is known without the flow."""
    info = workflow.info()
    started = info.workflow_start_time.isoformat(timespec="milliseconds")
    return {
        "id": info.first_execution_run_id,
        "workflow_id": info.workflow_id,
        "flow": "",
        "version": "",
        "started": started.replace("+00:00", "Z"),
    }


def _not_accepted(message: str) -> ApplicationError:
    return ApplicationError(message, type="NotAccepted", non_retryable=True)
