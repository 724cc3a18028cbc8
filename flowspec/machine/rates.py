"""The modifier `rate`: items that start when it is their turn, among those of all runs.

The items of a node that ask at the same time ask together.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from flowspec.machine.core import Core
from flowspec.machine.operations import Call, make_error
from flowspec.machine.state import ItemState, NodeRun
from flowspec.plan import NodePlan, RatePlan, RetryPlan
from flowspec.sharing import rate_id, wrong_name
from flowspec.values import JsonObject

__all__ = ["Rates"]

_RESERVE = "flowrunner.rate.reserve"
_RETRY = RetryPlan(attempts=20, interval=0.2, max_interval=10.0)
_MISSED = 10.0
"""Who is so late that others may have started in between asks for another turn, in seconds."""


class Rates:
    def __init__(self, core: Core) -> None:
        self._core = core
        core.on("rate.ask", self.ask)
        core.on("rate.named", self.named)
        core.on("rate.given", self.given)
        core.on("rate.failed", self.failed)
        core.on("rate.unavailable", self.unavailable)

    def admits(self, item: ItemState, plan: NodePlan) -> bool:
        """Whether it is the item's turn. If not, its round begins anew when it is."""
        assert plan.rate is not None
        turn, item.turn = item.turn, None
        if turn is not None and self._core.now <= turn + max(plan.rate.per, _MISSED):
            return True
        run = self._core.state.runs[item.run]
        run.queue.append(item.path)
        if not run.queueing:
            run.queueing = True
            self._core.do("rate.ask", run.path)
        return False

    def drop(self, item: ItemState) -> bool:
        """Take an item out of the queue; False if it is in none."""
        run = self._core.state.runs[item.run]
        if item.path not in run.queue:
            return False
        run.queue.remove(item.path)
        if not run.queue:
            self._core.stop(_operation(run))
        return True

    def _plan(self, run: NodeRun) -> RatePlan:
        plan = self._core.plan_of(run).rate
        assert plan is not None
        return plan

    def ask(self, path: str) -> None:
        run = self._core.state.runs.get(path)
        if run is None or not run.queue:
            if run is not None:
                run.queueing = False
            return
        run.turns += 1
        name: JsonObject = {"name": self._plan(run).name}
        source = self._core.program.template(run.node, "rate", name)
        error: JsonObject | None = {"error": run.error} if run.error is not None else None
        frame = self._core.state.frames[run.frame]
        self._core.evaluate(
            source,
            self._core.scope(frame, source, node=run.node, extra=error),
            id=f"{path}~ratename{run.turns}",
            raw=name,
            then=["rate.named", path],
            otherwise=["rate.failed", path],
            want="members",
            loose=(),
        )

    def named(self, path: str, told: JsonObject) -> None:
        run = self._core.state.runs.get(path)
        if run is None:
            return
        name, plan = told["name"], self._plan(run)
        wrong = wrong_name(name)
        if wrong is not None:
            self.failed(path, make_error("InvalidParams", f"rate: {wrong}"))
            return
        about = self._core.state.run
        call = Call(
            id=_operation(run),
            activity=_RESERVE,
            argument={
                "id": rate_id(cast(str, name)),
                "key": f"{about['workflow_id']}/{about['id']}/{_operation(run)}",
                "count": len(run.queue),
                "limit": plan.limit,
                "per": plan.per,
            },
            local=False,
            node=path,
            attempt_timeout=30.0,
            retry=_RETRY,
        )
        self._core.ask(call, ["rate.given", path], ["rate.unavailable", path])

    def given(self, path: str, answer: JsonObject) -> None:
        run = self._core.state.runs.get(path)
        if run is None:
            return
        moments = cast("Sequence[float]", answer["moments"])
        turns = list(zip(run.queue, moments, strict=False))
        del run.queue[: len(turns)]
        for item, moment in turns:
            self._give(self._core.state.items[item], moment)
        if run.queue:
            self._core.do("rate.ask", path)
        else:
            run.queueing = False

    def _give(self, item: ItemState, moment: float) -> None:
        item.turn = max(moment, self._core.now)
        if moment <= self._core.now:
            self._core.do("item.round", item.path)
            return
        item.operation = f"{item.path}~turn"
        title = f"turn of {item.path}"
        self._core.sleep(item.operation, moment, ["item.again", item.path], title)

    def unavailable(self, path: str, error: JsonObject) -> None:
        told = f"no start can be reserved: {error['message']}"
        self.failed(path, make_error("RateUnavailable", told))

    def failed(self, path: str, error: JsonObject) -> None:
        run = self._core.state.runs.get(path)
        if run is None:
            return
        waiting, run.queue, run.queueing = run.queue, [], False
        for item in waiting:
            self._core.do("item.error", item, {**error, "node": item})


def _operation(run: NodeRun) -> str:
    return f"{run.path}~rate{run.turns}"
