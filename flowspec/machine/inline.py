"""The node types without a handler of ours, and the waits among them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import cast

from flowspec.durations import parse_duration
from flowspec.jsonschemas import violations
from flowspec.machine.calls import build_foreign_call, title_of
from flowspec.machine.core import Core
from flowspec.machine.operations import Child, make_error
from flowspec.machine.state import ItemState
from flowspec.machine.wants import is_plain
from flowspec.plan import NodePlan
from flowspec.values import Json, JsonObject

__all__ = ["Inline", "Waits", "iso"]

_TOO_LARGE = (
    "the decision is too large to be read here: it has to stay below the size from which values "
    "are kept in the store (CLAIM_CHECK_THRESHOLD); give less data, or put it elsewhere and give "
    "its address"
)


class Inline:
    """Performs one round of such a node once its parameters are known."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._kinds = {
            "set": self._set,
            "noop": self._noop,
            "fail": self._fail,
            "return": self._return,
            "wait": self._wait,
            "event": self._event,
            "approval": self._approval,
            "flow": self._flow,
            "call": self._call,
        }
        core.on("inline.waited", self._waited)

    def perform(self, item: ItemState, plan: NodePlan, params: JsonObject, operation: str) -> None:
        item.operation = operation
        self._kinds[plan.type](item, plan, params)

    def _succeed(self, item: ItemState, output: Json) -> None:
        self._core.do("item.result", item.path, output)

    def _refuse(self, item: ItemState, message: str) -> None:
        self._core.do("item.error", item.path, make_error("InvalidParams", message))

    def _set(self, item: ItemState, plan: NodePlan, params: JsonObject) -> None:  # noqa: ARG002
        self._core.vars(self._core.frame_of(item)).update(params)
        self._succeed(item, params)

    def _noop(self, item: ItemState, plan: NodePlan, params: JsonObject) -> None:  # noqa: ARG002
        self._succeed(item, None)

    def _fail(self, item: ItemState, plan: NodePlan, params: JsonObject) -> None:  # noqa: ARG002
        message = params["message"]
        error = make_error(
            str(params.get("type", "Failed")),
            message if isinstance(message, str) else str(message),
            details=params.get("details"),
        )
        self._core.do("item.error", item.path, error)

    def _return(self, item: ItemState, plan: NodePlan, params: JsonObject) -> None:  # noqa: ARG002
        frame = self._core.frame_of(item)
        self._core.do("item.result", item.path, params.get("value"))
        self._core.do("frame.return", frame.path, params.get("value"))

    # -- waits ---------------------------------------------------------------------------------

    def _wait(self, item: ItemState, plan: NodePlan, params: JsonObject) -> None:
        until = self._moment(params)
        if isinstance(until, str):
            self._refuse(item, until)
            return
        self._note_wait(item, plan, {"kind": "timer", "until": iso(until)})
        assert item.operation is not None
        title = title_of(self._core, self._core.frame_of(item), item, plan) or item.path
        self._core.sleep(item.operation, until, ["inline.waited", item.path, until], title)

    def _moment(self, params: JsonObject) -> float | str:
        if "for" in params:
            try:
                return self._core.now + parse_duration(cast(str, params["for"]))
            except (ValueError, TypeError) as error:
                return f"for: {error}"
        until = params.get("until")
        try:
            moment = datetime.fromisoformat(cast(str, until))
        except (ValueError, TypeError):
            return f"until: {until!r} is not a moment such as 2030-01-31T09:00:00Z"
        if moment.tzinfo is None:
            return f"until: {until!r} needs an offset, such as 2030-01-31T09:00:00Z"
        return moment.timestamp()

    def _waited(self, path: str, until: float, _: Json) -> None:
        self._core.state.waits.pop(path, None)
        self._core.do("item.result", path, {"until": iso(until)})

    def _event(self, item: ItemState, plan: NodePlan, params: JsonObject) -> None:
        name = str(params.get("name", plan.id))
        waiting = self._core.state.signals.get(name)
        if waiting:
            value = waiting.pop(0)
            if not waiting:
                del self._core.state.signals[name]
            self._succeed(item, value)
        else:
            self._note_wait(item, plan, {"kind": "event", "name": name})

    def _approval(self, item: ItemState, plan: NodePlan, params: JsonObject) -> None:
        wait: JsonObject = {
            "kind": "approval",
            "actions": params.get("actions", ["approved", "rejected"]),
            "form": params.get("form"),
            "description": params.get("description"),
        }
        if params.get("title"):
            wait["title"] = params["title"]
        self._note_wait(item, plan, wait)

    def _note_wait(self, item: ItemState, plan: NodePlan, wait: JsonObject) -> None:
        run = self._core.state.runs[item.run]
        timer = self._core.state.sleeping.get(run.timer or "")
        self._core.state.waits[item.path] = {
            "path": item.path,
            "node": plan.id,
            "title": title_of(self._core, self._core.frame_of(item), item, plan),
            "since": iso(self._core.now),
            **({"until": iso(timer)} if timer is not None else {}),
            **wait,
        }

    def _flow(self, item: ItemState, plan: NodePlan, params: JsonObject) -> None:
        assert item.operation is not None
        wait = params.get("wait", True)
        name = params.get("flow")
        if not isinstance(name, str) or not isinstance(wait, bool):
            self._refuse(item, "flow needs the name of a flow, and wait true or false")
            return
        child = Child(
            id=item.operation,
            node=item.path,
            flow=name,
            argument=params.get("input", {}),
            wait=wait,
            workflow_id=cast("str | None", params.get("id")),
            title=title_of(self._core, self._core.frame_of(item), item, plan),
            queue=plan.queue,
            priority=plan.priority,
        )
        self._core.ask(child, ["item.result", item.path], ["item.error", item.path])

    def _call(self, item: ItemState, plan: NodePlan, params: JsonObject) -> None:
        call = build_foreign_call(self._core, item, plan, params)
        if isinstance(call, str):
            self._refuse(item, call)
        else:
            self._core.ask(call, ["item.answer", item.path], ["item.error", item.path])


class Waits:
    """What reaches a run from outside while it waits: signals and decisions."""

    def __init__(self, core: Core) -> None:
        self._core = core

    def signal(self, name: str, value: Json) -> bool:
        """Hand a signal to the node that has waited longest, or keep it; False if no node
        of the flow ever waits for that name."""
        events = self._core.program.events
        if events is not None and name not in events:
            return False
        for path, wait in self._core.state.waits.items():
            if wait["kind"] == "event" and wait["name"] == name:
                del self._core.state.waits[path]
                self._core.do("item.result", path, value)
                return True
        self._core.state.signals.setdefault(name, []).append(value)
        return True

    def objection(self, decision: JsonObject) -> str | None:
        """Why a decision cannot be accepted, in words for the person who gave it."""
        if not is_plain(decision):
            return _TOO_LARGE
        wait = self._find(decision.get("node"))
        if isinstance(wait, str):
            return wait
        actions = cast("list[str]", wait["actions"])
        action = decision.get("action")
        if action not in actions:
            return f"action must be one of {', '.join(actions)}; found {action!r}"
        data, form = decision.get("data"), wait.get("form")
        if form is None or (data is None and action != actions[0]):
            return None
        schema = cast(JsonObject, {"type": "object", **cast(JsonObject, form)})
        found = violations(schema, {} if data is None else data)
        return "; ".join(str(violation.message) for violation in found) or None

    def complete(self, decision: JsonObject) -> JsonObject:
        """Accept a decision that `objection` has nothing against."""
        wait = self._find(decision.get("node"))
        assert not isinstance(wait, str)
        path = cast(str, wait["path"])
        del self._core.state.waits[path]
        action = cast(str, decision["action"])
        output: JsonObject = {
            "action": action,
            "by": decision.get("by"),
            "comment": decision.get("comment"),
            "form": decision.get("data"),
            "at": iso(self._core.now),
        }
        self._core.do("item.result", path, output, action)
        return {"node": path, "action": action}

    def _find(self, node: Json) -> JsonObject | str:
        waits = [w for w in self._core.state.waits.values() if w["kind"] == "approval"]
        if node is None and len(waits) == 1:
            return waits[0]
        named = [w for w in waits if node in (w["path"], w["node"])]
        if len(named) == 1:
            return named[0]
        open_ = ", ".join(repr(w["path"]) for w in waits) or "none"
        if named:
            return f"several approvals are open for {node!r}; give the whole path: {open_}"
        what = "say which approval" if node is None else f"no approval {node!r} is waiting"
        return f"{what}; waiting: {open_}"


def iso(moment: float) -> str:
    """A moment as people and expressions see it: ISO 8601, UTC, milliseconds."""
    text = datetime.fromtimestamp(moment, UTC).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")
