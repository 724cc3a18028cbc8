"""Items: one element's work, with `repeat`, the retry of composites, and the `cache`."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

from flowspec.machine.calls import build_call, cache_entry, foreign_params
from flowspec.machine.core import Core
from flowspec.machine.frames import Frames
from flowspec.machine.inline import Inline
from flowspec.machine.operations import make_error
from flowspec.machine.rates import Rates
from flowspec.machine.state import FrameState, ItemState
from flowspec.plan import NodePlan, RetryPlan
from flowspec.values import Json, JsonObject, Opaque

__all__ = ["Items"]

_COMPOSITES = ("block", "flow")
_LOOSE: dict[str, tuple[str, ...] | None] = {
    "set": None,
    "return": ("value",),
    "fail": ("details",),
    "flow": ("input",),
}
"""The parameters of inline nodes that are only handed on; None for all of them."""

_DETAILS = '${details if type_of(details) == "object" else {"details": details}}'


class Items:
    """Round after round of one item, until it has a result nobody wants to improve."""

    def __init__(self, core: Core, frames: Frames) -> None:
        self._core = core
        self._frames = frames
        self._inline = Inline(core)
        self._rates = Rates(core)
        handlers: dict[str, Callable[..., None]] = {
            "item.round": self.round,
            "item.params": self.params_known,
            "item.set": self.set_known,
            "item.result": self.succeed,
            "item.answer": self.answered,
            "item.error": self.fail,
            "item.again": self.again,
            "item.cancel": self.cancel,
            "item.frame_ended": self.frame_ended,
            "item.details": self.details_known,
            "item.no_details": self.details_unknown,
            "item.repeat": self.repeat_known,
            "item.cache_key": self.cache_key_known,
            "item.cached": self.cached,
            "item.stored": self.stored,
        }
        for name, handler in handlers.items():
            core.on(name, handler)

    def _plan(self, item: ItemState) -> NodePlan:
        return self._core.plan_of(self._core.state.runs[item.run])

    # -- start of a round ----------------------------------------------------------------------

    def round(self, path: str, _: Json = None) -> None:
        """Begin a round, or another attempt at it."""
        item = self._core.state.items.get(path)
        if item is None:
            return
        item.operation = None
        if item.cancelled:
            self._done(item, _cancelled(path))
            return
        plan = self._plan(item)
        if not self._may_start(item, plan):
            return
        if plan.graph is not None:
            self._open_block(item, plan)
        elif plan.tier == "inline":
            self._ask_params(item, plan)
        else:
            self._call(item, plan)

    def _may_start(self, item: ItemState, plan: NodePlan) -> bool:
        """Whether it is its turn; a look into the cache is no start."""
        if plan.rate is None:
            return True
        looks_up = plan.cache is not None and item.cache is None
        return looks_up or self._rates.admits(item, plan)

    def _ask_params(self, item: ItemState, plan: NodePlan) -> None:
        frame = self._core.frame_of(item)
        params, loose = _asked(plan)
        source = self._core.program.template(plan.id, "params", params)
        scope = self._core.scope(frame, source, item=item, node=plan.id)
        then: list[Json] = ["item.params", item.path]
        if plan.type == "set" and "vars" in scope:
            then = ["item.set", item.path, scope["vars"]]
        item.operation = self._core.evaluate(
            source,
            scope,
            id=f"{self._operation(item)}~params",
            raw=params,
            then=then,
            otherwise=["item.error", item.path],
            want="members",
            loose=loose,
        )

    def set_known(self, path: str, seen: JsonObject, params: JsonObject) -> None:
        """A change of variables holds only if they are still what it was computed from."""
        item = self._core.state.items.get(path)
        if item is None:
            return
        if item.cancelled or seen == self._core.vars(self._core.frame_of(item)):
            self.params_known(path, params)
        else:
            self._ask_params(item, self._plan(item))

    def params_known(self, path: str, params: JsonObject) -> None:
        item = self._core.state.items.get(path)
        if item is None:
            return
        if item.cancelled:
            self._done(item, _cancelled(path))
        else:
            self._inline.perform(item, self._plan(item), params, self._operation(item))

    def _operation(self, item: ItemState) -> str:
        rounds = f"#{item.round}" if item.round > 1 else ""
        attempts = f"~{item.attempt}" if item.attempt > 1 else ""
        return f"{item.path}{rounds}{attempts}"

    def _open_block(self, item: ItemState, plan: NodePlan) -> None:
        if item.frame is not None:
            self._core.forget_records(item.frame)
        item.frame = self._operation(item)
        own_vars = None
        if item.index is not None:
            own_vars = dict(self._core.vars(self._core.frame_of(item)))
        frame = FrameState(path=item.frame, block=plan.id, owner=item.path, vars=own_vars)
        self._frames.open(frame)

    def frame_ended(self, path: str, ending: JsonObject) -> None:
        if ending["status"] in ("success", "returned"):
            self.succeed(path, ending.get("output"))
        else:
            self.fail(path, cast(JsonObject, ending["error"]))

    # -- activities ----------------------------------------------------------------------------

    def _call(self, item: ItemState, plan: NodePlan) -> None:
        if plan.cache is not None and item.cache is None:
            self._look_up(item, plan)
            return
        if plan.type == "call":
            self._ask_params(item, plan)
            return
        frame = self._core.frame_of(item)
        item.operation = self._operation(item)
        call = build_call(self._core, frame, item, plan)
        if isinstance(call, dict):
            self._core.do("item.error", item.path, call)
            return
        self._core.ask(call, ["item.answer", item.path], ["item.error", item.path])

    def answered(self, path: str, answer: JsonObject) -> None:
        item = self._core.state.items[path]
        plan = self._plan(item)
        if plan.cache is not None and item.cache is not None:
            item.operation = f"{self._operation(item)}~store"
            call = cache_entry(item.operation, "put", {**item.cache, "value": answer})
            then: list[Json] = ["item.stored", path, answer]
            self._core.ask(call, then, then)
        else:
            self._succeeded(item, plan, answer.get("output"), answer.get("action"))

    # -- cache ---------------------------------------------------------------------------------

    def _look_up(self, item: ItemState, plan: NodePlan) -> None:
        assert plan.cache is not None
        raw, source = self._core.program.cache_key(plan)
        item.operation = self._core.evaluate(
            source,
            self._core.scope(self._core.frame_of(item), source, item=item, node=plan.id),
            id=f"{self._operation(item)}~key",
            raw=raw,
            then=["item.cache_key", item.path],
            otherwise=["item.error", item.path],
            want="digest",
        )

    def cache_key_known(self, path: str, digest: str) -> None:
        item = self._core.state.items[path]
        plan = self._plan(item)
        assert plan.cache is not None
        if item.cancelled:
            self._done(item, _cancelled(path))
            return
        name = f"{self._core.program.plan.flow}/{plan.id}/{digest}"
        item.cache = {"id": f"flowrunner-cache/{name}", "ttl": plan.cache.ttl}
        item.operation = f"{self._operation(item)}~cache"
        call = cache_entry(item.operation, "get", item.cache)
        self._core.ask(call, ["item.cached", path], ["item.round", path])

    def cached(self, path: str, answer: JsonObject) -> None:
        if answer.get("hit"):
            value = cast(JsonObject, answer["value"])
            self.succeed(path, value.get("output"), value.get("action"))
        else:
            self.round(path)

    def stored(self, path: str, answer: JsonObject, _: Json) -> None:
        self.succeed(path, answer.get("output"), answer.get("action"))

    # -- results -------------------------------------------------------------------------------

    def succeed(self, path: str, output: Json, action: Json = None) -> None:
        item = self._core.state.items.get(path)
        if item is not None:
            self._succeeded(item, self._plan(item), output, action)

    def _succeeded(self, item: ItemState, plan: NodePlan, output: Json, action: Json) -> None:
        item.operation = None
        item.cache = None
        result: JsonObject = {"outcome": "success", "output": output}
        if action is not None:
            result["action"] = action
        if plan.repeat is None or item.cancelled:
            self._done(item, result)
            return
        item.last = result
        source = self._core.program.condition(plan.repeat.condition)
        item.operation = self._core.evaluate(
            source,
            self._core.scope(self._core.frame_of(item), source, item=item, node=plan.id),
            id=f"{self._operation(item)}~repeat",
            raw=plan.repeat.condition,
            then=["item.repeat", item.path],
            otherwise=["item.error", item.path],
            want="condition",
        )

    def repeat_known(self, path: str, value: Json) -> None:
        item = self._core.state.items[path]
        repeat = self._plan(item).repeat
        assert repeat is not None
        assert item.last is not None
        if value is repeat.until or item.cancelled:
            self._done(item, item.last)
            return
        if repeat.limit is not None and item.round >= repeat.limit:
            message = f"repeated {item.round} times, its limit"
            error = make_error("LoopLimit", message, node=item.path)
            self._done(item, {"outcome": "failure", "error": error})
            return
        item.round += 1
        item.attempt = 1
        item.last = None
        self._later(item, repeat.every, f"next round of {item.path}")

    def fail(self, path: str, error: JsonObject) -> None:
        item = self._core.state.items.get(path)
        if item is None:
            return
        if error.get("type") == "Cancelled" and item.cancelled:
            self._done(item, item.last or _cancelled(path))
            return
        plan = self._plan(item)
        if plan.type in _COMPOSITES and not item.cancelled and _may_retry(plan.retry, item, error):
            delay = _backoff(plan.retry, item.attempt)
            item.attempt += 1
            self._later(item, delay, f"attempt {item.attempt} of {item.path}")
            return
        attempt = item.attempt if plan.type in _COMPOSITES else error.get("attempt", 1)
        named: JsonObject = {**error, "node": error.get("node") or path, "attempt": attempt}
        if item.index is not None and isinstance(named.get("details"), Opaque):
            self._open_details(item, named)
        else:
            self._failed(item, named)

    def _failed(self, item: ItemState, error: JsonObject) -> None:
        self._done(item, {"outcome": "failure", "error": error})

    def _open_details(self, item: ItemState, error: JsonObject) -> None:
        """The index of the item is told among the details of its error: they must be an object."""
        item.operation = self._core.evaluate(
            self._core.program.template("", "details", _DETAILS),
            {"details": error["details"]},
            id=f"{self._operation(item)}~details",
            raw=_DETAILS,
            then=["item.details", item.path, error],
            otherwise=["item.no_details", item.path, error],
            want="members",
        )

    def details_known(self, path: str, error: JsonObject, details: Json) -> None:
        self._failed(self._core.state.items[path], {**error, "details": details})

    def details_unknown(self, path: str, error: JsonObject, _: Json) -> None:
        self._failed(self._core.state.items[path], error)

    def _later(self, item: ItemState, delay: float, title: str) -> None:
        if delay <= 0:
            self._core.do("item.round", item.path)
            return
        item.operation = f"{self._operation(item)}~pause"
        until = self._core.now + delay
        self._core.sleep(item.operation, until, ["item.again", item.path], title)

    def again(self, path: str, _: Json) -> None:
        self._core.do("item.round", path)

    def _done(self, item: ItemState, result: JsonObject) -> None:
        self._core.state.waits.pop(item.path, None)
        self._core.do("item.done", item.path, result)

    # -- cancelling ----------------------------------------------------------------------------

    def cancel(self, path: str) -> None:
        """Stop an item: timers and waits at once, calls and blocks when they have wound up."""
        item = self._core.state.items.get(path)
        if item is None or item.cancelled:
            return
        item.cancelled = True
        state = self._core.state
        if item.frame in state.frames:
            self._core.do_now("frame.cancel", item.frame, "it was no longer wanted")
        elif path in state.waits or item.operation in state.sleeping:
            self._core.wake(item.operation)
            self._done(item, _cancelled(path))
        elif item.operation is not None and item.operation in state.waiters:
            self._core.stop(item.operation)
        elif self._rates.drop(item):
            self._done(item, _cancelled(path))
        elif ["item.round", path] in state.held:
            state.held.remove(["item.round", path])
            self._done(item, _cancelled(path))


def _asked(plan: NodePlan) -> tuple[JsonObject, tuple[str, ...] | None]:
    """The parameters as they are evaluated, and those of them that are only handed on."""
    if plan.type == "call":
        return foreign_params(plan)
    return plan.params, _LOOSE.get(plan.type, ())


def _cancelled(path: str) -> JsonObject:
    error = make_error("Cancelled", "it was no longer wanted", node=path)
    return {"outcome": "cancelled", "error": error}


def _may_retry(retry: RetryPlan, item: ItemState, error: JsonObject) -> bool:
    kind = error.get("type")
    if retry.attempts is not None and item.attempt >= retry.attempts:
        return False
    return kind not in retry.never and (not retry.only or kind in retry.only)


def _backoff(retry: RetryPlan, attempt: int) -> float:
    """Without jitter: a workflow's timers must be the same on every replay."""
    return min(retry.interval * retry.factor ** min(attempt - 1, 64), retry.max_interval)
