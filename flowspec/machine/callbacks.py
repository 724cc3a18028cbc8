"""Callbacks: a run that has come to its end tells somebody before it closes."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

from flowspec.expressions import ExpressionError
from flowspec.machine.calls import argument_of, deferred_part
from flowspec.machine.core import Core
from flowspec.machine.inline import iso
from flowspec.machine.operations import Call, make_error
from flowspec.plan import NodePlan
from flowspec.values import Json, JsonObject

__all__ = ["Callbacks"]

_EVENTS = {
    "success": "flow.completed",
    "returned": "flow.completed",
    "failed": "flow.failed",
    "cancelled": "flow.cancelled",
}

_LONGEST = 3600.0
"""After so many seconds a run closes though nobody has heard of its end."""


class Callbacks:
    """Sends what the flow says, once. How the run ends does not depend on whether it arrives."""

    def __init__(self, core: Core, end: Callable[[JsonObject], None]) -> None:
        self._core = core
        self._end = end
        core.on("callback.sent", self.sent)
        core.on("callback.failed", self.failed)

    def tell(self, ending: JsonObject) -> None:
        """End the run, after whoever is to be told of it has been."""
        state = self._core.state
        if state.finished is not None or state.telling is not None:
            return
        self._core.wake("~timeout")
        state.telling = dict(ending)
        plan = self._plan()
        if plan is None:
            self._end(state.telling)
            return
        self._core.record(
            "",
            plan.id,
            path=plan.id,
            id=plan.id,
            type=plan.type,
            state="running",
            started=self._core.now,
        )
        call = self._call(plan, state.telling)
        if isinstance(call, Call):
            self._core.ask(call, ["callback.sent"], ["callback.failed"])
        else:
            self.failed(call)

    def _plan(self) -> NodePlan | None:
        """Whom the ending concerns; a part of another run concerns nobody."""
        telling = self._core.state.telling
        assert telling is not None
        plan = self._core.program.plan
        return plan.on_complete if "error" not in telling else plan.on_failure

    def _call(self, plan: NodePlan, ending: JsonObject) -> Call | JsonObject:
        source = self._core.program.template(plan.id, "params", plan.params)
        about: JsonObject = (
            {"error": ending["error"]} if "error" in ending else {"output": ending.get("output")}
        )
        scope: JsonObject = {
            "input": self._core.state.input,
            "run": self._core.state.run,
            **about,
        }
        try:
            params, deferred = self._core.partial_value(source, scope, "secrets")
        except ExpressionError as error:
            place = ".".join(map(str, error.at))
            return make_error("ExpressionError", f"{place}: {error}", node=plan.id)
        event: JsonObject = {"payload": self._event(ending, about)}
        return Call(
            id=plan.id,
            activity=plan.type,
            argument={
                **argument_of(self._core, plan, plan.id, ""),
                "params": {**event, **cast(JsonObject, params)},
                **deferred_part(self._core, source, deferred, scope),
            },
            local=plan.tier == "local",
            node=plan.id,
            timeout=_LONGEST,
            attempt_timeout=plan.attempt_timeout,
            heartbeat=plan.heartbeat,
            retry=plan.retry,
            queue=plan.queue,
            priority=plan.priority,
        )

    def _event(self, ending: JsonObject, about: JsonObject) -> JsonObject:
        run = self._core.state.run
        return {
            "type": _EVENTS[cast(str, ending["status"])],
            "flow": run["flow"],
            "version": run["version"],
            "run": {"id": run["workflow_id"], "run_id": run["id"]},
            "started": run["started"],
            "ended": iso(self._core.now),
            **about,
        }

    def sent(self, _: Json) -> None:
        self._done(state="success")

    def failed(self, error: JsonObject) -> None:
        told = {"type": error["type"], "message": str(error["message"])[:500]}
        self._done(state="failure", error={**told, "attempt": error["attempt"]})

    def _done(self, **outcome: Json) -> None:
        plan, telling = self._plan(), self._core.state.telling
        assert plan is not None
        assert telling is not None
        self._core.record("", plan.id, ended=self._core.now, **outcome)
        self._end(telling)
