"""Node runs: `when`, `foreach` and `timeout`, and everything that stops a node early."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

from flowspec.durations import format_duration, parse_duration
from flowspec.machine.calls import title_of
from flowspec.machine.core import Core
from flowspec.machine.elements import batched, number_of, take_item
from flowspec.machine.frames import node_path
from flowspec.machine.locks import Locks
from flowspec.machine.operations import make_error
from flowspec.machine.patches import ORDERS_FAILURES
from flowspec.machine.shards import Shards
from flowspec.machine.state import SHOWN_FAILURES, FrameState, ItemState, NodeRun, Todo
from flowspec.machine.status import brief
from flowspec.plan import ForeachPlan, NodePlan
from flowspec.values import Json, JsonObject, Opaque

__all__ = ["Runs"]

_TIMERLESS = ("set", "noop", "fail", "return")


class Runs:
    """One execution of a node, from being ready to its outcome."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._shards = Shards(core, self)
        self.locks = Locks(core, self)
        handlers: dict[str, Callable[..., None]] = {
            "node.start": self.start,
            "node.cancel": self.cancel_node,
            "undo.start": self.start_undo,
            "run.when": self.when_known,
            "run.error": self.fail,
            "run.items": self.items_known,
            "run.fill": self.fill,
            "run.timeout": self.timed_out,
            "run.timeout_known": self.timeout_known,
            "item.done": self.item_done,
        }
        for name, handler in handlers.items():
            core.on(name, handler)

    # -- start ---------------------------------------------------------------------------------

    def start(self, frame_path: str, node: str) -> None:
        frame = self._core.state.frames[frame_path]
        scheduler = self._core.schedulers[frame_path]
        path = self._path(frame_path, node)
        run = NodeRun(path=path, frame=frame_path, node=node, error=self._cause(frame, node))
        plan = scheduler.graph.nodes[node]
        self._add(run, plan, iteration=scheduler.iteration(node))
        when = plan.when
        if when is None:
            self._enter(run, plan)
            return
        source = self._core.program.condition(when)
        run.asked = self._core.evaluate(
            source,
            self._core.scope(frame, source, node=node, extra=_error_name(run)),
            id=f"{path}~when",
            raw=when,
            then=["run.when", path],
            otherwise=["run.error", path],
            want="condition",
        )

    def _path(self, frame: str, node: str) -> str:
        """A shard's node goes by the path it has in the run that the shard belongs to."""
        shard = self._core.state.shard
        if shard is not None and not frame:
            return cast(str, shard["path"])
        return node_path(frame, node, self._core.schedulers[frame].iterations(node))

    def start_undo(self, frame_path: str, done: JsonObject, error: JsonObject) -> None:
        node = cast(str, done["undo"])
        iterations = tuple(cast("list[int]", done["iterations"]))
        path = node_path(frame_path, node, iterations)
        run = NodeRun(path=path, frame=frame_path, node=node, error=error, undo=done)
        plan = self._core.plan_of(run)
        self._add(run, plan, iteration=iterations[-1] if iterations else None)
        self._enter(run, plan)

    def _add(self, run: NodeRun, plan: NodePlan, iteration: int | None) -> None:
        state = self._core.state
        state.runs[run.path] = run
        record: JsonObject = {
            "path": run.path,
            "id": run.node,
            "type": plan.type,
            "title": title_of(self._core, state.frames[run.frame], None, plan),
            "state": "running",
            "started": self._core.now,
        }
        if iteration is not None:
            record["iteration"] = iteration
        records = state.records.setdefault(run.frame, {})
        records.pop(run.node, None)  # a later round stands where it began
        records[run.node] = record
        if self._core.watcher is not None:
            self._core.watcher.started(run.path, run.node)

    def _cause(self, frame: FrameState, node: str) -> JsonObject | None:
        """The error behind the first edge that led here from a node that did not succeed."""
        scheduler = self._core.schedulers[frame.path]
        for edge in scheduler.taken_into(node):
            source = frame.results.get(scheduler.graph.edges[edge].source, {})
            if source.get("error") is not None and source["outcome"] != "success":
                return cast(JsonObject, source["error"])
        return None

    def when_known(self, path: str, value: Json) -> None:
        run = self._core.state.runs.get(path)
        if run is None:
            return
        run.asked = None
        if value is False:
            self.finish(run, {"outcome": "skipped"})
        else:
            self._enter(run, self._core.plan_of(run))

    def _enter(self, run: NodeRun, plan: NodePlan) -> None:
        if plan.lock is None:
            self.open(run, plan)
        else:
            self.locks.take(run)

    def open(self, run: NodeRun, plan: NodePlan) -> None:
        """Begin the node's work."""
        if plan.timeout_text is not None and self._needs_timer(plan):
            self._ask_timeout(run, plan.timeout_text)
            return
        if plan.timeout is not None and self._needs_timer(plan):
            self._start_timer(run, plan.timeout)
        self._work(run, plan)

    def _ask_timeout(self, run: NodeRun, text: str) -> None:
        raw: JsonObject = {"timeout": text}
        source = self._core.program.template(run.node, "timeout", raw)
        frame = self._core.state.frames[run.frame]
        run.asked = self._core.evaluate(
            source,
            self._core.scope(frame, source, node=run.node, extra=_error_name(run)),
            id=f"{run.path}~limit",
            raw=raw,
            then=["run.timeout_known", run.path],
            otherwise=["run.error", run.path],
            want="members",
            loose=(),
        )

    def timeout_known(self, path: str, told: JsonObject) -> None:
        run = self._core.state.runs.get(path)
        if run is None:
            return
        run.asked = None
        try:
            seconds = parse_duration(cast(str, told["timeout"]))
        except (ValueError, TypeError) as error:
            self.fail(path, make_error("InvalidParams", f"timeout: {error}"))
            return
        self._start_timer(run, seconds)
        self._work(run, self._core.plan_of(run))

    def _start_timer(self, run: NodeRun, seconds: float) -> None:
        run.timer, run.seconds = f"{run.path}~timeout", seconds
        until = self._core.now + seconds
        self._core.sleep(run.timer, until, ["run.timeout", run.path], f"timeout of {run.path}")

    def _work(self, run: NodeRun, plan: NodePlan) -> None:
        if plan.foreach is None:
            self._begin_item(run, None, None)
            return
        frame = self._core.state.frames[run.frame]
        if self._core.state.shard is not None and frame.owner is None:
            self._core.do("run.items", run.path, self._shards.given())
            return
        source = self._core.program.template(run.node, "foreach", plan.foreach.items)
        run.asked = self._core.evaluate(
            source,
            self._core.scope(frame, source, node=run.node, extra=_error_name(run)),
            id=f"{run.path}~foreach",
            raw=plan.foreach.items,
            then=["run.items", run.path],
            otherwise=["run.error", run.path],
            want="items",
        )

    @staticmethod
    def _needs_timer(plan: NodePlan) -> bool:
        """A single activity is timed by Temporal itself; everything else by a timer here."""
        if plan.tier == "inline" or plan.timeout_text is not None:
            return plan.type not in _TIMERLESS or plan.foreach is not None
        return plan.foreach is not None or plan.repeat is not None or plan.rate is not None

    # -- foreach -------------------------------------------------------------------------------

    def items_known(self, path: str, value: list[Json] | JsonObject) -> None:
        """`value` is a list, or `{items, count}` with an opaque one."""
        run = self._core.state.runs.get(path)
        if run is None:
            return
        run.asked = None
        plan = self._core.plan_of(run).foreach
        assert plan is not None
        if isinstance(value, list):
            run.items = batched(value, plan.batch)
        else:
            run.items, run.count = cast(Opaque, value["items"]), cast(int, value["count"])
        total = number_of(run, plan)
        run.tolerated = _tolerated(plan, total)
        self._core.record(run.frame, run.node, done=0, total=total)
        if total > plan.shard and self._shards.possible(run):
            self._shards.begin(run, plan)
        else:
            run.outputs = [None] * total
            self._core.do("run.fill", path)

    def fill(self, path: str) -> None:
        """Start as many items as may run at once."""
        run = self._core.state.runs.get(path)
        if run is None or run.items is None:
            return
        foreach = self._core.plan_of(run).foreach
        assert foreach is not None
        while (
            run.ending is None
            and run.next < len(run.outputs)
            and len(run.active) < foreach.concurrency
        ):
            index = run.next
            run.next += 1
            self._begin_item(run, index, take_item(run, foreach, index))
        if not run.active:
            self.settle(run)

    def _begin_item(self, run: NodeRun, index: int | None, value: Json) -> None:
        path = run.path if index is None else f"{run.path}.{index + self._core.first_index(run)}"
        self._core.state.items[path] = ItemState(path=path, run=run.path, index=index, value=value)
        run.active.append(path)
        self._core.do("item.round", path)

    # -- an item has ended ---------------------------------------------------------------------

    def item_done(self, path: str, result: JsonObject) -> None:
        item = self._core.state.items.pop(path)
        run = self._core.state.runs[item.run]
        run.active.remove(path)
        if item.index is None:
            self.finish(run, self._overruled(run, result))
            return
        if result["outcome"] == "success":
            run.outputs[item.index] = result.get("output")
        elif result["outcome"] == "failure":
            self._item_failed(run, item.index, cast(JsonObject, result["error"]))
        self._core.record(run.frame, run.node, done=run.next - len(run.active))
        if run.ending is None and run.next < len(run.outputs):
            self._core.do("run.fill", run.path)
        elif not run.active:
            self.settle(run)

    def _item_failed(self, run: NodeRun, index: int, error: JsonObject) -> None:
        number = index + self._core.first_index(run)
        run.failures += 1
        if len(run.failed) < SHOWN_FAILURES:
            told = {"index": number, "type": error["type"], "message": error["message"]}
            run.failed.append(told)
        if run.failures > run.tolerated:
            details = error.get("details")
            merged = details if isinstance(details, dict) else {"details": details}
            failed: JsonObject = {**error, "details": {**merged, "index": number}}
            self.stop(run, {"outcome": "failure", "error": failed})

    # -- ways to end ---------------------------------------------------------------------------

    def cancel_node(self, frame: str, node: str) -> None:
        """Stop a node that is not wanted any more; one that has not started is skipped."""
        state = self._core.state
        run = state.runs.get(self._path(frame, node))
        if run is not None:
            error = make_error("Cancelled", self._why(frame), node=run.path)
            self.end(run, {"outcome": "cancelled", "error": error})
            return
        start: Todo = ["node.start", frame, node]
        for steps in (state.todo, state.held):
            if start in steps:
                steps.remove(start)
                self._core.do("node.end", frame, node, {"outcome": "skipped"})
                return

    def _why(self, frame: str) -> str:
        """What a node is told that is cancelled: the run's own reason, if it is cancelled too."""
        ending = self._core.state.frames[frame].ending
        if ending is not None and ending["status"] == "cancelled":
            return str(cast(JsonObject, ending["error"])["message"])
        return "it was no longer wanted"

    def timed_out(self, path: str, _: Json) -> None:
        run = self._core.state.runs.get(path)
        if run is not None:
            run.timer = None
            timeout = cast(float, run.seconds or self._core.plan_of(run).timeout)
            message = f"not done within its timeout of {format_duration(timeout)}"
            error = make_error("Timeout", message, node=path)
            self.end(run, {"outcome": "failure", "error": error})

    def fail(self, path: str, error: JsonObject) -> None:
        run = self._core.state.runs.get(path)
        if run is not None:
            run.asked = None
            self.end(run, {"outcome": "failure", "error": {**error, "node": path}})

    def end(self, run: NodeRun, ending: JsonObject) -> None:
        """Bring the run to this end: stop what is active, then settle."""
        if run.ending is not None:
            return
        self.stop(run, ending)
        if not run.active and not run.shards and not self.locks.is_asking(run):
            self.settle(run)

    def stop(self, run: NodeRun, ending: JsonObject) -> None:
        """Let what is active wind up for this ending."""
        if run.ending is not None:
            return
        run.ending = ending
        self._core.stop(run.asked)
        for shard in run.shards:
            self._core.stop(shard)
        for item in list(run.active):
            self._core.do_now("item.cancel", item)

    def settle(self, run: NodeRun) -> None:
        """Nothing of the run is active any more: work out its outcome."""
        if run.ending is not None:
            self.finish(run, run.ending)
        else:
            self.complete(run, run.outputs)

    def complete(self, run: NodeRun, outputs: Json) -> None:
        """All items are done, with these outputs."""
        result: JsonObject = {"outcome": "success", "output": outputs}
        if run.failed:
            foreach = self._core.plan_of(run).foreach
            assert foreach is not None
            self._order_failures(run)
            message = f"{run.failures} of {number_of(run, foreach)} items failed"
            details: JsonObject = {"failed": list[Json](run.failed), "count": run.failures}
            result["error"] = make_error("ItemsFailed", message, node=run.path, details=details)
        self.finish(run, result)

    def _order_failures(self, run: NodeRun) -> None:
        in_order = sorted(run.failed, key=lambda failed: cast(int, failed["index"]))
        if in_order != run.failed and self._core.patched(ORDERS_FAILURES):
            run.failed = in_order

    @staticmethod
    def _overruled(run: NodeRun, result: JsonObject) -> JsonObject:
        """A run being ended takes that end, unless its only item succeeded all the same."""
        if run.ending is None or (
            result["outcome"] == "success" and run.ending["outcome"] == "cancelled"
        ):
            return result
        return run.ending

    def finish(self, run: NodeRun, result: JsonObject) -> None:
        """The run has this outcome; what it still holds goes back first."""
        self._core.wake(run.timer)
        if run.lock is not None:
            self.locks.give_back(run, result)
            return
        del self._core.state.runs[run.path]
        self._core.record(
            run.frame,
            run.node,
            state=result["outcome"],
            ended=self._core.now,
            action=result.get("action"),
            error=brief(result),
        )
        self._core.do("undo.end" if run.undo else "node.end", run.frame, run.node, result)


def _error_name(run: NodeRun) -> JsonObject | None:
    return {"error": run.error} if run.error is not None else None


def _tolerated(plan: ForeachPlan, total: int) -> int:
    return int(total * plan.tolerate / 100) if plan.tolerate_percent else int(plan.tolerate)
