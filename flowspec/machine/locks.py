"""The modifier `lock`: a node that begins once it holds a lock, and gives it back at its end.

The run asks for it, and is told by a signal when it has it; in between it waits for nothing that
would keep it from moving. Asking twice, giving back twice and being told twice do no harm.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from flowspec.durations import format_duration
from flowspec.machine.calls import title_of
from flowspec.machine.core import Core
from flowspec.machine.inline import iso
from flowspec.machine.operations import Call, make_error
from flowspec.machine.patches import ASKS_UNDER_ANOTHER_NAME
from flowspec.machine.state import NodeRun
from flowspec.plan import LockPlan, RetryPlan
from flowspec.sharing import lock_id, wrong_name
from flowspec.values import Json, JsonObject

if TYPE_CHECKING:
    from flowspec.machine.runs import Runs

__all__ = ["Locks"]

_ASK, _GIVE_BACK = "flowrunner.lock.ask", "flowrunner.lock.return"
_RETRY = RetryPlan(attempts=10, interval=0.5, max_interval=30.0)


class Locks:
    """Where a run stands with its lock is its `lock`, whose `state` is `asking` until it is sure
    that it was asked for, then `waiting`, `granted`, `held` and at last `returning`."""

    def __init__(self, core: Core, runs: Runs) -> None:
        self._core = core
        self._runs = runs
        core.on("lock.named", self.named)
        core.on("lock.asked", self.asked)
        core.on("lock.unasked", self.unasked)
        core.on("lock.held", self.held)
        core.on("lock.waited", self.waited)
        core.on("lock.expired", self.expired)
        core.on("lock.returned", self.returned)
        core.on("lock.declined", lambda _: None)

    def take(self, run: NodeRun) -> None:
        """Bring the node to its beginning, with the lock."""
        name: JsonObject = {"name": self._plan(run).name}
        source = self._core.program.template(run.node, "lock", name)
        frame = self._core.state.frames[run.frame]
        error: JsonObject | None = {"error": run.error} if run.error is not None else None
        run.asked = self._core.evaluate(
            source,
            self._core.scope(frame, source, node=run.node, extra=error),
            id=f"{run.path}~lockname",
            raw=name,
            then=["lock.named", run.path],
            otherwise=["run.error", run.path],
            want="members",
            loose=(),
        )

    def _plan(self, run: NodeRun) -> LockPlan:
        plan = self._core.plan_of(run).lock
        assert plan is not None
        return plan

    def named(self, path: str, told: JsonObject) -> None:
        run = self._core.state.runs.get(path)
        if run is None:
            return
        run.asked = None
        name, plan = told["name"], self._plan(run)
        wrong = wrong_name(name)
        if wrong is not None:
            self._fail(run, "InvalidParams", f"lock: {wrong}")
            return
        lock: JsonObject = {
            "id": lock_id(cast(str, name)),
            "name": name,
            "token": self._token(path),
        }
        run.lock = {**lock, "state": "asking"}
        self._note(run, plan)
        asked: JsonObject = {**lock, "slots": plan.slots, "expires": plan.expires}
        call = _call(f"{path}~lock", _ASK, asked, f"{path} asks for lock {name}")
        self._core.ask(call, ["lock.asked", path], ["lock.unasked", path])

    def _token(self, path: str) -> str:
        """Who asks: the same if a worker died over it and it is asked again, but never one that
        was declined."""
        state = self._core.state
        again = f"~{state.declined}" if state.declined else ""
        return f"{state.run['workflow_id']}/{state.run['id']}/{path}{again}"

    def _note(self, run: NodeRun, plan: LockPlan) -> None:
        """Let people see the wait, and bound it."""
        assert run.lock is not None
        now, wait = self._core.now, plan.wait
        frame = self._core.state.frames[run.frame]
        self._core.state.waits[run.path] = {
            "path": run.path,
            "node": run.node,
            "title": title_of(self._core, frame, None, self._core.plan_of(run)),
            "since": iso(now),
            **({"until": iso(now + wait)} if wait is not None else {}),
            "kind": "lock",
            "name": run.lock["name"],
        }
        if wait is not None:
            title = f"{run.path} waits for lock {run.lock['name']}"
            self._core.sleep(f"{run.path}~lockwait", now + wait, ["lock.waited", run.path], title)

    # -- asked for -----------------------------------------------------------------------------

    @staticmethod
    def is_asking(run: NodeRun) -> bool:
        """Whether nobody knows yet if there is something to give back."""
        return run.lock is not None and run.lock["state"] == "asking"

    def asked(self, path: str, _: Json) -> None:
        run = self._core.state.runs.get(path)
        if run is None or run.lock is None or not self.is_asking(run):
            return
        run.lock["state"] = "waiting"
        if run.ending is not None:
            self._runs.settle(run)

    def unasked(self, path: str, error: JsonObject) -> None:
        run = self._core.state.runs.get(path)
        if run is None or run.lock is None or not self.is_asking(run):
            return
        run.lock["state"] = "waiting"
        if run.ending is not None:
            self._runs.settle(run)
        else:
            told = f"the lock {run.lock['name']!r} cannot be asked for: {error['message']}"
            self._fail(run, "LockUnavailable", told)

    def waited(self, path: str, _: Json) -> None:
        run = self._core.state.runs.get(path)
        if run is None or run.lock is None or run.lock["state"] not in ("asking", "waiting"):
            return
        waited = format_duration(cast(float, self._plan(run).wait))
        self._fail(run, "LockTimeout", f"waited {waited} for the lock {run.lock['name']!r}")

    # -- held ----------------------------------------------------------------------------------

    def granted(self, grant: JsonObject) -> None:
        """The run holds a lock; one that no node wants any more goes back. Anybody can say so,
        and what makes no sense is passed over."""
        token, until = grant.get("token"), grant.get("until")
        if not isinstance(grant.get("id"), str) or not isinstance(token, str):
            return
        if until is not None and not isinstance(until, int | float):
            return
        runs = self._core.state.runs.values()
        run = next((run for run in runs if run.lock and run.lock["token"] == token), None)
        if run is None:
            self._decline(grant)
        elif run.lock is not None and run.lock["state"] in ("asking", "waiting"):
            run.lock |= {"state": "granted", "until": until}
            self._core.do("lock.held", run.path)

    def _decline(self, grant: JsonObject) -> None:
        """The node that asked has given up, or has not begun: a worker died before it could say
        that the node asked, and the node will ask again."""
        if self._core.patched(ASKS_UNDER_ANOTHER_NAME):
            self._core.state.declined += 1
        id = f"~unlock {grant['token']}"
        if id not in self._core.state.waiters:
            call = _call(id, _GIVE_BACK, {"id": grant["id"], "token": grant["token"]})
            self._core.ask(call, ["lock.declined"], ["lock.declined"])

    def held(self, path: str) -> None:
        run = self._core.state.runs.get(path)
        if run is None or run.lock is None or run.lock["state"] != "granted":
            return
        if run.ending is not None:
            self._runs.settle(run)
            return
        run.lock["state"] = "held"
        self._forget_wait(run)
        until = run.lock["until"]
        if until is not None:
            title = f"lock {run.lock['name']} of {path} expires"
            self._core.sleep(f"{path}~lockend", cast(float, until), ["lock.expired", path], title)
        self._runs.open(run, self._core.plan_of(run))

    def _forget_wait(self, run: NodeRun) -> None:
        self._core.state.waits.pop(run.path, None)
        self._core.wake(f"{run.path}~lockwait")

    def expired(self, path: str, _: Json) -> None:
        run = self._core.state.runs.get(path)
        if run is None or run.lock is None:
            return
        expires = format_duration(cast(float, self._plan(run).expires))
        told = f"not done within the {expires} for which it may hold the lock"
        self._fail(run, "LockExpired", f"{told} {run.lock['name']!r}")

    def _fail(self, run: NodeRun, type: str, message: str) -> None:
        error = make_error(type, message, node=run.path)
        self._runs.end(run, {"outcome": "failure", "error": error})

    # -- given back ----------------------------------------------------------------------------

    def give_back(self, run: NodeRun, result: JsonObject) -> None:
        """The run ends with this result once the lock is given back, or cannot be: then it is
        taken away when the whole run has ended. The first result counts."""
        assert run.lock is not None
        if run.lock["state"] == "returning":
            return
        run.ending = run.ending or result
        run.lock["state"] = "returning"
        self._forget_wait(run)
        self._core.wake(f"{run.path}~lockend")
        told: JsonObject = {"id": run.lock["id"], "token": run.lock["token"]}
        call = _call(f"{run.path}~unlock", _GIVE_BACK, told)
        then: list[Json] = ["lock.returned", run.path, result]
        self._core.ask(call, then, then)

    def returned(self, path: str, result: JsonObject, _: Json) -> None:
        run = self._core.state.runs[path]
        run.lock = None
        self._runs.finish(run, result)


def _call(id: str, activity: str, argument: JsonObject, title: str = "") -> Call:
    return Call(
        id=id,
        activity=activity,
        argument=argument,
        local=True,
        node=id,
        title=title,
        attempt_timeout=10.0,
        retry=_RETRY,
    )
