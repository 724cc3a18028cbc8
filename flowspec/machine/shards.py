"""Wide `foreach`: shards of the items run as runs of their own, a few side by side.

The history of the run they belong to holds a few events a shard, however many items there are.
Each shard has its share of `concurrency`, so it holds for the whole. What a shard gives stays one
value, and those are joined in the end where they are kept: the run itself never has an output for
each item.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, cast

from flowspec.expressions import scope_for
from flowspec.machine.core import Core
from flowspec.machine.elements import drop_items, lanes_of, number_of, section
from flowspec.machine.operations import Child, make_error
from flowspec.machine.patches import JOINS_SHARDS
from flowspec.machine.state import SHOWN_FAILURES, NodeRun
from flowspec.plan import ForeachPlan, GraphPlan, NodePlan, Plan, dump_plan
from flowspec.values import Json, JsonObject, Opaque

if TYPE_CHECKING:
    from flowspec.machine.runs import Runs

__all__ = ["SHARD_ARGUMENT", "Shards"]

SHARD_ARGUMENT = "flowrunner/shard"
"""The key under which a run is told that it is a shard: in histories, so never changed."""

_PARTS = "${parts}"


class Shards:
    """Sends the items of a run out in shards and gathers what comes back."""

    def __init__(self, core: Core, runs: Runs) -> None:
        self._core = core
        self._runs = runs
        core.on("run.shard", self.send)
        core.on("shard.done", self.done)
        core.on("shard.failed", self.failed)
        core.on("shard.joined", self.joined)

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

    def begin(self, run: NodeRun, plan: ForeachPlan) -> None:
        total = number_of(run, plan)
        run.parts = [None] * -(-total // plan.shard)
        run.apart = self._core.patched(JOINS_SHARDS)
        run.lanes = lanes_of(plan, total) if run.apart else 1
        self._core.do("run.shard", run.path)

    def send(self, path: str) -> None:
        run = self._core.state.runs.get(path)
        if run is None or run.items is None or run.ending is not None:
            return
        plan = self._core.plan_of(run)
        assert plan.foreach is not None
        if run.parts is None:
            _cut(run, plan.foreach)
        while len(run.shards) < run.lanes and run.next < number_of(run, plan.foreach):
            self._send(run, plan, plan.foreach)

    def _send(self, run: NodeRun, plan: NodePlan, foreach: ForeachPlan) -> None:
        start, stop = run.next, min(run.next + foreach.shard, number_of(run, foreach))
        child = Child(
            id=f"{run.path}~shard{start // foreach.shard}",
            node=run.path,
            flow=self._core.program.plan.flow,
            argument={SHARD_ARGUMENT: self._argument(run, plan, stop)},
            title=f"{run.path}, items {start} to {stop - 1}",
            priority=plan.priority,
        )
        run.next = stop
        run.shards.append(child.id)
        then: list[Json] = ["shard.done", run.path, child.id, start, stop]
        self._core.ask(child, then, ["shard.failed", run.path, child.id])

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
        told: JsonObject = {"apart": True} if run.apart else {}
        return {
            **told,
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
            concurrency=max(1, node.foreach.concurrency // run.lanes),
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

    def done(self, path: str, id: str, start: int, stop: int, answer: JsonObject) -> None:
        run = self._core.state.runs.get(path)
        if run is None:
            return
        plan = self._core.plan_of(run).foreach
        assert plan is not None
        assert run.parts is not None
        run.shards.remove(id)
        run.parts[start // plan.shard] = answer["outputs"]
        drop_items(run, start, stop)
        self._count_failures(run, answer.get("error"))
        self._core.record(run.frame, run.node, done=self._done_of(run) + stop - start)
        if run.ending is None and run.failures > run.tolerated:
            self._runs.stop(run, {"outcome": "failure", "error": _too_many(run)})
        if run.ending is None and run.next < number_of(run, plan):
            self._core.do("run.shard", path)
        elif not run.shards:
            self._join(run)

    def _done_of(self, run: NodeRun) -> int:
        return cast(int, self._core.state.records[run.frame][run.node]["done"])

    @staticmethod
    def _count_failures(run: NodeRun, error: Json) -> None:
        if isinstance(error, dict):
            details = cast(JsonObject, error["details"])
            run.failures += cast(int, details["count"])
            told = run.failed + cast("list[JsonObject]", details["failed"])
            run.failed = sorted(told, key=lambda each: cast(int, each["index"]))[:SHOWN_FAILURES]

    def failed(self, path: str, id: str, error: JsonObject) -> None:
        run = self._core.state.runs.get(path)
        if run is None:
            return
        run.shards.remove(id)
        self._runs.stop(run, {"outcome": "failure", "error": error})
        if not run.shards:
            self._runs.settle(run)

    # -- one list of many ----------------------------------------------------------------------

    def _join(self, run: NodeRun) -> None:
        assert run.parts is not None
        if run.ending is not None:
            self._runs.settle(run)
        elif not run.apart:
            plan = self._core.plan_of(run).foreach
            assert plan is not None
            self.joined(run.path, _item_by_item(run.parts, plan.shard, number_of(run, plan)))
        else:
            run.asked = self._core.evaluate(
                self._core.program.template("", "parts", _PARTS),
                {"parts": run.parts},
                id=f"{run.path}~join",
                raw=_PARTS,
                then=["shard.joined", run.path],
                otherwise=["run.error", run.path],
                want="joined",
            )

    def joined(self, path: str, outputs: Json) -> None:
        run = self._core.state.runs.get(path)
        if run is not None:
            run.asked = None
            self._runs.complete(run, outputs)


def _cut(run: NodeRun, plan: ForeachPlan) -> None:
    """Release 0.1.0 kept the outputs item by item."""
    starts = range(0, number_of(run, plan), plan.shard)
    run.parts = [run.outputs[start : start + plan.shard] for start in starts]
    run.outputs = []


def _item_by_item(parts: list[Json], size: int, total: int) -> list[Json]:
    outputs: list[Json] = []
    for part in parts:
        if isinstance(part, Opaque):
            count = min(size, total - len(outputs))
            outputs += [cast(Json, part.part(index)) for index in range(count)]
        else:
            outputs += cast("list[Json]", part)
    return outputs


def _too_many(run: NodeRun) -> JsonObject:
    """Each shard stayed within what was tolerated when it began; all of them together did not."""
    last = run.failed[-1]
    node = f"{run.path}.{last['index']}"
    details: JsonObject = {"index": last["index"], "count": run.failures}
    return make_error(str(last["type"]), str(last["message"]), node=node, details=details)
