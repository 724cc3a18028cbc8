"""Frames: one walk through a graph, from its start nodes to its output or its end in failure."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import cast

from flowspec.machine.core import Core
from flowspec.machine.operations import make_error
from flowspec.machine.state import FrameState
from flowspec.scheduler import Cancel, Outcome, OutcomeName, Overrun, Ready, Scheduler, Skip, Step
from flowspec.values import Json, JsonObject

__all__ = ["Frames", "node_path"]

_PLAIN = {name: Outcome(name=name) for name in ("success", "skipped", "cancelled")}


class Frames:
    """Drives a scheduler per frame: judges edges, keeps results, closes and undoes."""

    def __init__(self, core: Core) -> None:
        self._core = core
        handlers: dict[str, Callable[..., None]] = {
            "frame.begin": self.begin,
            "frame.fail": self.fail,
            "frame.cancel": self.cancel,
            "frame.return": self.give_back,
            "frame.check": self.check,
            "frame.output": self.finish,
            "frame.output_failed": self.output_failed,
            "node.end": self.node_ended,
            "node.judge": self.judge,
            "node.judged": self.judged,
            "node.judge_failed": self.judge_failed,
            "undo.end": self.undo_ended,
        }
        for name, handler in handlers.items():
            core.on(name, handler)

    def open(self, frame: FrameState) -> None:
        """Add a frame; it begins with the next steps."""
        graph = self._core.program.graphs[frame.block]
        self._core.state.frames[frame.path] = frame
        self._core.schedulers[frame.path] = Scheduler(graph)
        self._core.do("frame.begin", frame.path)

    def begin(self, path: str) -> None:
        self._follow(path, self._core.schedulers[path].begin())
        self._core.do("frame.check", path)

    def _follow(self, path: str, steps: Iterable[Step]) -> None:
        for step in steps:
            match step:
                case Ready(node):
                    self._core.do("node.start", path, node)
                case Skip(node):
                    self._core.do("node.end", path, node, {"outcome": "skipped"})
                case Cancel(node):
                    self._core.do_now("node.cancel", path, node)
                case Overrun(header, limit):
                    message = f"loop at node {header!r} went round {limit} times, its limit"
                    error = make_error("LoopLimit", message, node=header)
                    self.fail(path, error)

    # -- a node has ended ----------------------------------------------------------------------

    def node_ended(self, path: str, node: str, result: JsonObject) -> None:
        """`result` holds outcome, action, error, and output only where there is one."""
        frame = self._core.state.frames[path]
        frame.results[node] = result
        self._tell(path, node, result, undo=False)
        edges = self._core.schedulers[path].questions(node, _outcome(result))
        self._core.do("node.judge", path, node, [*edges], {})

    def _tell(self, path: str, node: str, result: JsonObject, *, undo: bool) -> None:
        if self._core.watcher is not None:
            iterations = self._core.schedulers[path].iterations(node)
            self._core.watcher.ended(node_path(path, node, iterations), node, result, undo=undo)

    def judge(self, path: str, node: str, edges: list[Json], verdicts: JsonObject) -> None:
        """Judge the edges one after another, in document order, then move on."""
        if not edges:
            self._resolve(path, node, verdicts)
            return
        frame = self._core.state.frames[path]
        edge = cast(int, edges[0])
        raw = self._core.schedulers[path].graph.edges[edge].when
        assert raw is not None
        source = self._core.program.condition(raw)
        error = frame.results[node].get("error")
        scope = self._core.scope(
            frame, source, node=node, extra={"error": error} if error is not None else None
        )
        rest: list[Json] = [path, node, edges, verdicts]
        self._core.evaluate(
            source,
            scope,
            id=f"{_prefix(path)}{node}~edge{edge}",
            raw=raw,
            then=["node.judged", *rest],
            otherwise=["node.judge_failed", *rest],
            want="condition",
        )

    def judged(
        self, path: str, node: str, edges: list[Json], verdicts: JsonObject, value: Json
    ) -> None:
        self.judge(path, node, edges[1:], {**verdicts, str(edges[0]): value})

    def judge_failed(
        self, path: str, node: str, edges: list[Json], verdicts: JsonObject, error: JsonObject
    ) -> None:
        edge = self._core.schedulers[path].graph.edges[cast(int, edges[0])]
        where = f"{_prefix(path)}{edge.source} -> {edge.target}"
        named = {**error, "node": f"{_prefix(path)}{node}"}
        named["message"] = f"the condition of edge {where}: {error['message']}"
        self._core.do("frame.fail", path, named)
        self.judge(path, node, edges[1:], {**verdicts, str(edges[0]): False})

    def _resolve(self, path: str, node: str, verdicts: JsonObject) -> None:
        frame = self._core.state.frames[path]
        scheduler = self._core.schedulers[path]
        result = frame.results[node]
        iterations = scheduler.iterations(node)  # before the loop goes round again
        resolution = scheduler.ended(
            node,
            _outcome(result),
            {int(edge): bool(verdict) for edge, verdict in verdicts.items()},
        )
        if self._core.watcher is not None:
            for edge in resolution.taken:
                self._core.watcher.took(frame.block, edge)
        undo = scheduler.graph.nodes[node].undo
        if result["outcome"] == "success" and undo is not None:
            frame.done.append(
                {
                    "node": node,
                    "undo": undo,
                    "output": result.get("output"),
                    "iterations": [*iterations],
                }
            )
        self._follow(path, resolution.steps)
        if result["outcome"] == "failure" and not resolution.handled:
            self.fail(path, cast(JsonObject, result["error"]))
        self._core.do("frame.check", path)

    # -- ways to end ---------------------------------------------------------------------------

    def fail(self, path: str, error: JsonObject) -> None:
        """Bring the frame to its end as failed; a later failure does not hide the first."""
        frame = self._core.state.frames.get(path)
        if frame is None or frame.ending is not None:
            return
        cancel = self._core.program.graphs[frame.block].plan.on_failure == "cancel"
        self._close(frame, {"status": "failed", "error": error}, cancel=cancel)

    def cancel(self, path: str, reason: str) -> None:
        """Bring the frame to its end as cancelled; one that fails already stays failed."""
        frame = self._core.state.frames.get(path)
        if frame is None:
            return
        error = make_error("Cancelled", reason)
        self._close(frame, frame.ending or {"status": "cancelled", "error": error}, cancel=True)

    def give_back(self, path: str, value: Json) -> None:
        frame = self._core.state.frames[path]
        if frame.ending is None:
            self._close(frame, {"status": "returned", "output": value}, cancel=True)

    def _close(self, frame: FrameState, ending: JsonObject, *, cancel: bool) -> None:
        frame.ending = ending
        self._drop_starts(frame.path)
        self._follow(frame.path, self._core.schedulers[frame.path].close(cancel=cancel))
        if frame.owner is None:
            self._core.resume()
        self._core.do("frame.check", frame.path)

    def _drop_starts(self, path: str) -> None:
        """Nodes that were ready but have not started will not start any more."""
        state = self._core.state
        for steps in (state.todo, state.held):
            for step in [step for step in steps if step[:2] == ["node.start", path]]:
                steps.remove(step)
                self._core.do("node.end", path, step[2], {"outcome": "skipped"})

    # -- rest, undo, output --------------------------------------------------------------------

    def check(self, path: str) -> None:
        """If nothing runs any more: undo what has to be undone, then end."""
        frame = self._core.state.frames.get(path)
        if frame is None or not self._core.schedulers[path].at_rest or frame.undoing is not None:
            return
        if frame.ending is None:
            self._output(frame)
        elif frame.ending["status"] == "output":
            return
        elif frame.ending["status"] in ("failed", "cancelled") and frame.done:
            frame.undoing = frame.done.pop()
            self._core.do("undo.start", path, frame.undoing, frame.ending["error"])
        else:
            self._close_down(frame, frame.ending)

    def undo_ended(self, path: str, node: str, result: JsonObject) -> None:
        """An undo that failed is kept in the ending error's details, and the next one runs."""
        frame = self._core.state.frames[path]
        assert frame.ending is not None
        frame.undoing = None
        frame.results[node] = result
        self._tell(path, node, result, undo=True)
        if result["outcome"] == "failure":
            error = cast(JsonObject, frame.ending["error"])
            failed = [*cast("list[Json]", error.get("undo_failed", [])), result["error"]]
            frame.ending = {**frame.ending, "error": {**error, "undo_failed": failed}}
        self._core.do("frame.check", path)

    def _output(self, frame: FrameState) -> None:
        frame.ending = {"status": "output"}
        raw = self._core.program.graphs[frame.block].plan.output
        source = self._core.program.template(frame.block, "output", raw)
        self._core.evaluate(
            source,
            self._core.scope(frame, source),
            id=f"{_prefix(frame.path)}output~",
            raw=raw,
            then=["frame.output", frame.path],
            otherwise=["frame.output_failed", frame.path],
        )

    def finish(self, path: str, value: Json) -> None:
        frame = self._core.state.frames.get(path)
        if frame is not None:
            self._close_down(frame, {"status": "success", "output": value})

    def output_failed(self, path: str, error: JsonObject) -> None:
        frame = self._core.state.frames.get(path)
        if frame is None:
            return
        frame.ending = {
            "status": "failed",
            "error": {**error, "message": f"the output: {error['message']}"},
        }
        self._core.do("frame.check", path)

    def _close_down(self, frame: FrameState, ending: JsonObject) -> None:
        if frame.owner is None:
            self._core.do("root.end", ending)
            return
        self._core.do("item.frame_ended", frame.owner, ending)
        if self._core.state.items[frame.owner].index is not None:
            self._core.forget_records(frame.path)
        del self._core.schedulers[frame.path], self._core.state.frames[frame.path]


def _prefix(path: str) -> str:
    return f"{path}/" if path else ""


def _outcome(result: JsonObject) -> Outcome:
    name = cast(OutcomeName, result["outcome"])
    action = cast("str | None", result.get("action"))
    if action is None and name in _PLAIN:
        return _PLAIN[name]
    error = result.get("error")
    timeout = isinstance(error, dict) and error.get("type") == "Timeout"
    return Outcome(name=name, action=action, timeout=timeout and name == "failure")


def node_path(frame: str, node: str, iterations: tuple[int, ...]) -> str:
    """`poll`, `poll#2` in the second round of a loop, `block/poll` inside a block."""
    going_round = iterations and any(n > 1 for n in iterations)
    suffix = "".join(f"#{n}" for n in iterations) if going_round else ""
    return f"{_prefix(frame)}{node}{suffix}"
