"""The one workflow: it runs any flow, under the flow's own name as the workflow type."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any, NoReturn, TypeVar, cast

from pydantic_core import to_json
from temporalio import workflow
from temporalio.common import RawValue, RetryPolicy
from temporalio.exceptions import ActivityError, ApplicationError

from flowspec.jsonschemas import check_input
from flowspec.machine import Finished, Machine, program_for
from flowspec.plan import NodePlan, PlanInvalid, load_plan
from flowspec.values import Json, JsonObject
from workflows.failures import run_failure
from workflows.names import (
    COMPLETE,
    CONTINUED,
    FLOW_LABELS,
    FLOW_NAME,
    FLOW_STATUS,
    FLOW_VERSION,
    PAUSE,
    RESOLVE,
    RESUME,
)
from workflows.opening import Opening, read_opening
from workflows.performing import MAX_PAYLOAD, Performer, too_large
from workflows.summary import markdown

__all__ = ["FlowWorkflow"]

T = TypeVar("T")

_STATUS_NODES = 500
_DETAIL_NODES = 20
_DRAIN_AT_EVENTS = 20_000
_DRAIN_AT_BYTES = 20 * 1024 * 1024
"""Where a run that never comes to a quiet moment by itself is brought to one."""


@workflow.defn(dynamic=True, sandboxed=False)
class FlowWorkflow:
    """Resolves the flow, then drives its machine until it has finished or must continue anew."""

    def __init__(self) -> None:
        self._machine: Machine | None = None
        self._plan_json: JsonObject = {}
        self._early: list[tuple[str, Json]] = []
        self._woken = False
        self._attributes = False
        self._shown_status = ""

    # -- life ----------------------------------------------------------------------------------

    @workflow.run
    async def run(self, args: Sequence[RawValue]) -> Any:
        opening = read_opening(workflow.info().workflow_type, args)
        machine = self._guarded(lambda: self._continue(opening))
        if machine is None:
            machine = await self._resolve(opening)
        self._machine = machine
        for name, value in self._early:
            self._deliver(name, value)
        finished = await self._drive(machine)
        await workflow.wait_condition(workflow.all_handlers_finished)
        return self._end(finished)

    async def _resolve(self, opening: Opening) -> Machine:
        try:
            resolved: dict[str, Any] = await workflow.execute_local_activity(
                RESOLVE,
                opening.source,
                start_to_close_timeout=timedelta(seconds=30),
                retry_policy=RetryPolicy(maximum_attempts=5),
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
        self._plan_json = resolved["plan"]
        return self._guarded(lambda: self._begin(opening.input))

    def _begin(self, given: Json) -> Machine:
        plan = load_plan(self._plan_json)
        value, problems = check_input(plan.input, given)
        if problems:
            lines = "; ".join(problem.message for problem in problems)
            raise ApplicationError(
                f"the input does not fit flow {plan.flow!r}: {lines}",
                type="InputInvalid",
                non_retryable=True,
            )
        info = workflow.info()
        run: JsonObject = {
            "id": info.first_execution_run_id,
            "workflow_id": info.workflow_id,
            "flow": plan.flow,
            "version": plan.version,
            "started": info.workflow_start_time.isoformat(timespec="milliseconds").replace(
                "+00:00", "Z"
            ),
        }
        program = program_for(plan)
        machine = Machine.start(program, run=run, input=value, now=workflow.time())
        if self._attributes:
            labels = [f"{name}={label}" for name, label in machine.labels().items()]
            workflow.upsert_search_attributes(
                [
                    FLOW_NAME.value_set(plan.flow),
                    FLOW_VERSION.value_set(plan.version),
                    FLOW_STATUS.value_set("running"),
                    *([FLOW_LABELS.value_set(labels)] if labels else []),
                ]
            )
            self._shown_status = "running"
        return machine

    def _continue(self, opening: Opening) -> Machine | None:
        if opening.shard is not None:
            return self._begin_shard(opening.shard)
        if opening.continued is None:
            return None
        self._plan_json = cast(JsonObject, opening.continued["plan"])
        self._attributes = bool(opening.continued["search_attributes"])
        self._shown_status = str(opening.continued["shown_status"])
        state = cast(JsonObject, opening.continued["state"])
        machine = Machine.load(program_for(load_plan(self._plan_json)), state)
        machine.rearm()
        return machine

    def _begin_shard(self, shard: JsonObject) -> Machine:
        self._plan_json = cast(JsonObject, shard["plan"])
        run = cast(JsonObject, shard["run"])
        program = program_for(load_plan(self._plan_json))
        return Machine.start_shard(program, run=run, shard=shard, now=workflow.time())

    async def _drive(self, machine: Machine) -> Finished:
        performer = Performer(machine, self._wake)
        while True:
            self._woken = False
            done = self._guarded(lambda: machine.advance(workflow.time()))
            try:
                await performer.perform(machine.take())
                if machine.finished is not None:
                    return machine.finished
                self._show(machine)
                self._make_room(machine)
                if not done:
                    await workflow.sleep(0.001, summary="taking a breath")
                    continue
                await workflow.wait_condition(lambda: self._woken)
            except asyncio.CancelledError:
                machine.cancel(workflow.cancellation_reason() or "the run was cancelled")

    def _make_room(self, machine: Machine) -> None:
        """Continue as new once the server suggests it and nothing is under way."""
        info = workflow.info()
        if not info.is_continue_as_new_suggested():
            return
        if machine.may_move and workflow.all_handlers_finished() and not self._woken:
            self._move(machine)
        if (
            info.get_current_history_length() > _DRAIN_AT_EVENTS
            or info.get_current_history_size() > _DRAIN_AT_BYTES
        ):
            machine.drain()

    def _move(self, machine: Machine) -> NoReturn:
        state: JsonObject = {
            "plan": self._plan_json,
            "state": machine.dump(),
            "search_attributes": self._attributes,
            "shown_status": self._shown_status,
        }
        size = len(to_json(state))
        if size > MAX_PAYLOAD:
            raise ApplicationError(
                too_large("the run's state to carry on with measures", size),
                type="TooLarge",
                non_retryable=True,
            )
        workflow.continue_as_new({CONTINUED: state})

    def _end(self, finished: Finished) -> Json:
        machine = self._machine
        assert machine is not None
        self._show(machine)
        if finished.status == "cancelled":
            raise asyncio.CancelledError
        if finished.status == "failed":
            node = self._node_of(machine, finished)
            attempts = node.retry.attempts if node is not None else None
            raise run_failure(finished, node.type if node is not None else None, attempts)
        size = len(to_json(finished.output))
        if size > MAX_PAYLOAD:
            raise ApplicationError(
                too_large("the flow's output measures", size), type="TooLarge", non_retryable=True
            )
        return finished.output

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

    def _show(self, machine: Machine) -> None:
        status = machine.phase
        over = machine.finished is not None
        seen = machine.status(_DETAIL_NODES) if over else machine.glance(_DETAIL_NODES)
        workflow.set_current_details(markdown(seen))
        if self._attributes and status != self._shown_status:
            self._shown_status = status
            workflow.upsert_search_attributes([FLOW_STATUS.value_set(status)])

    @workflow.query
    def status(self) -> dict[str, Any]:
        """What the run is doing: its nodes, what it waits for, whether it is paused."""
        if self._machine is None:
            return {"status": "starting", "nodes": [], "waiting": [], "paused": False}
        return self._machine.status(_STATUS_NODES)

    @workflow.query
    def plan(self) -> dict[str, Any]:
        """The plan this run is pinned to."""
        return self._plan_json

    # -- what people say -----------------------------------------------------------------------

    @workflow.signal(dynamic=True)
    def on_signal(self, name: str, args: Sequence[RawValue]) -> None:
        converter = workflow.payload_converter()
        value: Any = converter.from_payload(args[0].payload) if args else None
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
        self._wake()
        return accepted

    @complete.validator
    def _check_decision(self, decision: dict[str, Any]) -> None:
        if self._machine is None:
            raise _not_accepted("the run is only starting; try again in a moment")
        if not isinstance(decision, dict):
            raise _not_accepted("a decision is an object: {node, action, data, by, comment}")
        machine = self._machine
        objection = self._guarded(lambda: machine.objection(decision))
        if objection is not None:
            raise _not_accepted(objection)


def _not_accepted(message: str) -> ApplicationError:
    return ApplicationError(message, type="NotAccepted", non_retryable=True)
