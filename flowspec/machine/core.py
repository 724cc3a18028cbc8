"""The core that all parts of the machine share: its steps, its questions to the world."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import cast

from flowspec.expressions import (
    Budget,
    Expression,
    ExpressionError,
    Reader,
    Template,
    scope_for,
)
from flowspec.machine.asking import Asking
from flowspec.machine.operations import Evaluate, Want, make_error
from flowspec.machine.patches import RESTS_BY_EFFORT
from flowspec.machine.program import Program
from flowspec.machine.state import FrameState, ItemState, NodeRun, RunState, Todo
from flowspec.machine.wants import wanted
from flowspec.machine.watching import Watcher
from flowspec.plan import NodePlan
from flowspec.scheduler import Scheduler
from flowspec.values import Json, JsonObject, NeedsWorker

__all__ = ["Core"]

_STARTS = ("node.start", "run.fill", "run.shard", "item.round", "call.again")
"""The steps that start new work: a paused run keeps them until it is resumed."""

_MOST_STEPS = 20_000
_MOST_EFFORT = 200_000
"""In one go, which has to be done within seconds (`service/patience.py`), on a busy machine, too.
The unit is a step of the evaluator, which takes a third of a microsecond to two; what else is done
costs about so many:"""
_STEP_EFFORT = 20
_OPERATION_EFFORT = 200


class Core(Asking):
    """State, pending steps and outgoing operations of one run."""

    def __init__(self, program: Program, state: RunState) -> None:
        super().__init__(state)
        self.program = program
        self.schedulers: dict[str, Scheduler] = {}
        self.draining = False
        self.watcher: Watcher | None = None
        self.effort = 0
        self.patched: Callable[[str], bool] = lambda _: True
        self._handlers: dict[str, Callable[..., None]] = {
            "call.rest": self.rest,
            "call.again": self.ask_again,
        }

    # -- steps ---------------------------------------------------------------------------------

    def on(self, name: str, handler: Callable[..., None]) -> None:
        self._handlers[name] = handler

    def do(self, name: str, *arguments: Json) -> None:
        self.state.todo.append([name, *arguments])

    def do_now(self, name: str, *arguments: Json) -> None:
        """Make a step at once: what is stopped must not start first."""
        self._handlers[name](*arguments)

    def advance(self, steps: int = _MOST_STEPS) -> bool:
        """Make the pending steps, as many as can be made in one go; False if some are left."""
        state, todo, handlers = self.state, self.state.todo, self._handlers
        self.effort = 0
        while todo:
            self.effort += _STEP_EFFORT
            step = todo.popleft()
            name = cast(str, step[0])
            if (state.paused or self.draining) and name in _STARTS:
                state.held.append(step)
            else:
                handlers[name](*step[1:])
            steps -= 1
            if todo and (steps <= 0 or (self._is_tired() and self.patched(RESTS_BY_EFFORT))):
                return False
        return True

    def _is_tired(self) -> bool:
        return self.effort + len(self.operations) * _OPERATION_EFFORT > _MOST_EFFORT

    def resume(self) -> None:
        """End a pause: a run that comes to its end is not kept from it."""
        self.state.paused = False
        self.release()

    def release(self) -> None:
        """Let the held steps go."""
        self.state.todo.extend(self.state.held)
        self.state.held = []

    # -- values --------------------------------------------------------------------------------

    def evaluate(
        self,
        source: Template | Expression,
        scope: Mapping[str, Json],
        *,
        id: str,
        raw: Json,
        then: Todo,
        otherwise: Todo,
        want: Want = "value",
        loose: tuple[str, ...] | None = None,
    ) -> str | None:
        """Go on with what is wanted of the value: at once, before any other step, so that nobody
        changes a variable in between; or when an activity worker has worked it out: then this
        gives the id of that question."""
        try:
            value = self.value(source, scope)
            if want not in ("value", "condition"):
                value = wanted(value, want, loose)
        except NeedsWorker:
            self.ask(self._question(source, scope, id, raw, want, loose), then, otherwise)
            return id
        except ExpressionError as error:
            self.state.todo.appendleft([*otherwise, make_error("ExpressionError", str(error))])
        else:
            self.state.todo.appendleft([*then, value])
        return None

    def value(self, source: Template | Expression, scope: Mapping[str, Json]) -> Json:
        """Raises as `evaluate` of the source does."""
        budget = Budget()
        try:
            return cast(Json, source.evaluate(scope, budget))
        finally:
            self.effort += budget.spent

    def partial_value(
        self, source: Template, scope: Mapping[str, Json], *unavailable: str
    ) -> tuple[Json, list[str]]:
        """As `Template.evaluate_partially` gives it."""
        budget = Budget()
        try:
            value, standing = source.evaluate_partially(scope, frozenset(unavailable), budget)
            return cast(Json, value), standing
        finally:
            self.effort += budget.spent

    def _question(
        self,
        source: Template | Expression,
        scope: Mapping[str, Json],
        id: str,
        raw: Json,
        want: Want,
        loose: tuple[str, ...] | None,
    ) -> Evaluate:
        """What a worker is asked; of a template only what cannot be had here, so that it need not
        read what is handed on whole."""
        references, deferred = source.references, None
        if isinstance(source, Template) and want in ("value", "members"):
            raw, standing = self.partial_value(source, scope)
            deferred = tuple(standing)
            references = source.references_at(standing)
        return Evaluate(
            id=id,
            node=id,
            source=raw,
            want=want,
            loose=loose,
            deferred=deferred,
            scope=cast(JsonObject, scope_for(references, scope)),
        )

    def scope(
        self,
        frame: FrameState,
        source: Reader,
        *,
        item: ItemState | None = None,
        node: str | None = None,
        extra: Mapping[str, Json] | None = None,
    ) -> dict[str, Json]:
        """The names an expression may see, as far as it mentions them."""
        scope: dict[str, Json] = {}
        has_locals = False
        for root in source.roots:
            if root == "nodes":
                scope["nodes"] = self._nodes(frame, source, item)
            elif root == "input":
                scope["input"] = self.state.input
            elif root == "run":
                scope["run"] = self.state.run
            elif root == "vars":
                scope["vars"] = dict(self.vars(frame))  # what is handed on whole stays as it is
            else:
                has_locals = True
        if has_locals:
            scope = {**self._locals(frame, item, node), **scope}
        return {**scope, **extra} if extra else scope

    def vars(self, frame: FrameState) -> dict[str, Json]:
        while frame.vars is None:
            frame = self.outer(frame)
        return frame.vars

    def outer(self, frame: FrameState) -> FrameState:
        assert frame.owner is not None
        return self.frame_of(self.state.items[frame.owner])

    def frame_of(self, item: ItemState) -> FrameState:
        return self.state.frames[self.state.runs[item.run].frame]

    def plan_of(self, run: NodeRun) -> NodePlan:
        return self.program.graphs[self.state.frames[run.frame].block].nodes[run.node]

    def _nodes(self, frame: FrameState, source: Reader, item: ItemState | None) -> dict[str, Json]:
        found = self._special_results(item)
        return {
            name: found[name] if name in found else self._result(frame, name)
            for name in source.nodes
        }

    def _result(self, frame: FrameState, node: str) -> Json:
        """What became of the node in the innermost frame that knows, or outside of a shard."""
        while node not in frame.results:
            if frame.owner is None:
                return cast(JsonObject, self.state.outer.get("nodes", {})).get(node, {})
            frame = self.outer(frame)
        return frame.results[node]

    def _special_results(self, item: ItemState | None) -> dict[str, Json]:
        """A repeating item sees its own last round; an undo sees what it undoes."""
        if item is None:
            return {}
        run = self.state.runs[item.run]
        own: dict[str, Json] = {run.node: item.last} if item.last is not None else {}
        if run.undo is not None:
            own[cast(str, run.undo["node"])] = {
                "outcome": "success",
                "output": run.undo["output"],
            }
        return own

    def _locals(
        self, frame: FrameState, item: ItemState | None, node: str | None
    ) -> dict[str, Json]:
        names: dict[str, Json] = {}
        outer: FrameState | None = frame
        while outer is not None:
            names = {**self._item_names(outer, item, node), **names}
            item = self.state.items[outer.owner] if outer.owner is not None else None
            node = self.state.runs[item.run].node if item is not None else None
            outer = self.frame_of(item) if item is not None else None
        inherited = {k: v for k, v in self.state.outer.items() if k != "nodes"}
        return {**inherited, **names}

    def _item_names(
        self, frame: FrameState, item: ItemState | None, node: str | None
    ) -> dict[str, Json]:
        names: dict[str, Json] = {}
        if node is not None:
            iteration = self.schedulers[frame.path].iteration(node)
            if iteration is not None:
                names["iteration"] = iteration
        if item is None:
            return names
        run = self.state.runs[item.run]
        plan = self.plan_of(run)
        if plan.repeat is not None:
            names["iteration"] = item.round
        if plan.foreach is not None and item.index is not None:
            names[plan.foreach.name] = item.value
            names["index"] = item.index + self.first_index(run)
        if run.error is not None:
            names["error"] = run.error
        return names

    def first_index(self, run: NodeRun) -> int:
        """What to add to an item's index: a shard counts on from the items before it."""
        shard = self.state.shard
        outermost = self.state.frames[run.frame].owner is None
        return cast(int, shard["base"]) if shard is not None and outermost else 0

    # -- what people see -----------------------------------------------------------------------

    def record(self, frame: str, node: str, **changes: Json) -> None:
        """Note for people what became of a node; a later round replaces an earlier one."""
        self.state.records.setdefault(frame, {}).setdefault(node, {}).update(changes)

    def forget_records(self, frame: str) -> None:
        """Drop what is noted of a frame and those inside it."""
        inside = f"{frame}/"
        for path in list(self.state.records):
            if path == frame or path.startswith(inside):
                del self.state.records[path]
