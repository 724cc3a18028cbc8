"""Wide `foreach`: shards of the items run as runs of their own, one after the other.

The history of the run they belong to holds a few events a shard, however many items there are;
`concurrency` holds within the shard, so it holds for the whole.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, cast

from flowspec.expressions import scope_for
from flowspec.machine.core import Core
from flowspec.machine.elements import drop_items, section
from flowspec.machine.operations import Child
from flowspec.machine.state import SHOWN_FAILURES, NodeRun
from flowspec.plan import GraphPlan, NodePlan, Plan, dump_plan
from flowspec.values import Json, JsonObject, Opaque

if TYPE_CHECKING:
    from flowspec.machine.runs import Runs

__all__ = ["SHARD_ARGUMENT", "Shards"]

SHARD_ARGUMENT = "flowrunner/shard"
"""The key under which a run is told that it is a shard: in histories, so never changed."""


class Shards:
    """Sends the items of a run out in shards and gathers what comes back."""

    def __init__(self, core: Core, runs: Runs) -> None:
        self._core = core
        self._runs = runs
        core.on("run.shard", self.send)
        core.on("shard.done", self.done)
        core.on("shard.failed", self.failed)

    def possible(self, run: NodeRun) -> bool:
        """Not inside a shard or block, nor where signals or decisions have to reach the items,
        nor where an item changes the run's variables or ends its flow."""
        plan = self._core.plan_of(run)
        return (
            self._core.state.shard is None
            and self._core.state.frames[run.frame].owner is None
            and plan.type not in ("set", "return")
            and not self._core.program.listens(plan)
        )

    def send(self, path: str) -> None:
        run = self._core.state.runs.get(path)
        if run is None or run.items is None or run.ending is not None:
            return
        plan = self._core.plan_of(run)
        assert plan.foreach is not None
        stop = min(run.next + plan.foreach.shard, len(run.outputs))
        run.shard = f"{path}~shard{run.next // plan.foreach.shard}"
        child = Child(
            id=run.shard,
            node=path,
            flow=self._core.program.plan.flow,
            argument={SHARD_ARGUMENT: self._argument(run, plan, stop)},
            title=f"{path}, items {run.next} to {stop - 1}",
            priority=plan.priority,
        )
        self._core.ask(child, ["shard.done", path, stop - run.next], ["shard.failed", path])

    def given(self) -> Json:
        """The items this shard was told to work off."""
        shard = self._core.state.shard
        assert shard is not None
        items, self._core.state.shard = shard["items"], {**shard, "items": []}
        return {"items": items, "count": shard["count"]} if "count" in shard else items

    def _argument(self, run: NodeRun, plan: NodePlan, stop: int) -> JsonObject:
        assert plan.foreach is not None
        frame = self._core.state.frames[run.frame]
        mentioned = self._core.program.inside(plan)
        scope = self._core.scope(frame, mentioned, node=plan.id)
        if run.error is not None:
            scope["error"] = run.error
        return {
            "plan": dump_plan(self._plan(run, plan)),
            "path": run.path,
            **section(run, plan.foreach, run.next, stop),
            "base": run.next,
            "scope": cast(JsonObject, scope_for(mentioned.references, scope)),
            "run": self._core.state.run,
        }

    def _plan(self, run: NodeRun, node: NodePlan) -> Plan:
        assert node.foreach is not None
        foreach = replace(
            node.foreach,
            items=[],
            batch=node.foreach.batch if isinstance(run.items, Opaque) else None,
            tolerate=run.tolerated - run.failures,
            tolerate_percent=False,
        )
        alone = replace(
            node,
            foreach=foreach,
            when=None,
            undo=None,
            join="all",
            races=(),
            timeout=None,
            lock=None,
        )
        output: JsonObject = {
            "outputs": f"${{nodes.{node.id}.output}}",
            "error": f"${{default(nodes.{node.id}.error, null)}}",
        }
        graph = GraphPlan(nodes=(alone,), starts=(node.id,), output=output)
        return replace(
            self._core.program.plan,
            graph=graph,
            vars={},
            labels={},
            timeout=None,
            input=None,
            on_complete=None,
            on_failure=None,
        )

    def done(self, path: str, count: int, answer: JsonObject) -> None:
        run = self._core.state.runs.get(path)
        if run is None:
            return
        run.shard = None
        outputs = answer["outputs"]
        if isinstance(outputs, Opaque):
            outputs = [cast(Json, outputs.part(index)) for index in range(count)]
        run.outputs[run.next : run.next + count] = cast("list[Json]", outputs)
        drop_items(run, run.next, run.next + count)
        run.next += count
        self._count_failures(run, answer.get("error"))
        self._core.record(run.frame, run.node, done=run.next)
        if run.ending is None and run.next < len(run.outputs):
            self._core.do("run.shard", path)
        else:
            self._runs.settle(run)

    @staticmethod
    def _count_failures(run: NodeRun, error: Json) -> None:
        if isinstance(error, dict):
            details = cast(JsonObject, error["details"])
            run.failures += cast(int, details["count"])
            run.failed += cast("list[JsonObject]", details["failed"])
            del run.failed[SHOWN_FAILURES:]

    def failed(self, path: str, error: JsonObject) -> None:
        run = self._core.state.runs.get(path)
        if run is None:
            return
        run.shard = None
        if run.ending is None:
            run.ending = {"outcome": "failure", "error": error}
        self._runs.settle(run)
