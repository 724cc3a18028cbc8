"""What the world has been asked, and which steps follow its answers."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, cast

from flowspec.machine.operations import (
    NOT_STARTED,
    Call,
    Evaluate,
    Operation,
    Sleep,
    Stop,
    make_error,
)
from flowspec.machine.state import RunState, Todo, Waiter
from flowspec.values import Json, JsonObject

__all__ = ["Asking"]

_REPEATABLE = (Call, Evaluate)
_LONGEST_PAUSE = 30.0
_SHORTEST_TIMEOUT = 0.01


class Asking:
    """The open operations of one run.

    Those who ask know an operation by the id they gave it. A call or an evaluation that never
    began is asked again, to the world as another operation, with an id such as `fetch~s2`.
    """

    def __init__(self, state: RunState) -> None:
        self.state = state
        self.operations: list[Operation] = []
        self.now = 0.0

    def ask(self, operation: Operation, then: Todo, otherwise: Todo) -> None:
        self.operations.append(operation)
        waiter = Waiter(then=then, otherwise=otherwise)
        if isinstance(operation, _REPEATABLE):
            waiter.asked, waiter.since = operation, self.now
        self.state.waiters[operation.id] = waiter

    def sleep(self, id: str, until: float, then: Todo, title: str = "") -> None:
        self.state.sleeping[id] = until
        self.ask(Sleep(id=id, until=until, title=title), then, then)

    def answer(self, id: str, value: Json) -> None:
        self.state.sleeping.pop(id, None)
        waiter = self.state.waiters.pop(self.state.renamed.pop(id, id), None)
        if waiter is not None:
            self.state.todo.append([*waiter.then, value])

    def fail(self, id: str, error: JsonObject) -> None:
        self.state.sleeping.pop(id, None)
        id = self.state.renamed.pop(id, id)
        waiter = self.state.waiters.get(id)
        if waiter is None:
            return
        if waiter.asked is not None and error.get("type") == NOT_STARTED:
            self.state.todo.append(["call.rest", id, error])
            return
        del self.state.waiters[id]
        self.state.todo.append([*waiter.otherwise, _as_of_the_whole(waiter, error)])

    def wake(self, id: str | None) -> None:
        """Give up a sleep; nothing follows from it."""
        if id is not None and self.state.sleeping.pop(id, None) is not None:
            del self.state.waiters[id]
            self.operations.append(Stop(id=id))

    def stop(self, id: str | None) -> None:
        """Give up an operation that is no sleep, if it is open; it will be answered all the
        same, by an error of type `Cancelled` as a rule."""
        waiter = self.state.waiters.get(id or "")
        if id is None or waiter is None:
            return
        waiter.stopped = True
        if waiter.resting:
            self.wake(_name(id, waiter, "~pause"))
            self._cancelled(id, waiter)
        else:
            self.operations.append(Stop(id=_name(id, waiter)))

    # -- what never began ----------------------------------------------------------------------

    def rest(self, id: str, error: JsonObject) -> None:
        """Wait before the operation is asked again, each time longer than the last."""
        waiter = self.state.waiters[id]
        if waiter.stopped:
            self._cancelled(id, waiter)
            return
        until = self.now + min(2.0 ** min(waiter.starts - 1, 10), _LONGEST_PAUSE)
        waiter.resting = True
        waiter.asked = _on_its_own(waiter.asked)
        waiter.starts += 1
        waiter.spent += _attempt(error) - 1
        ends = waiter.ends
        self.sleep(
            _name(id, waiter, "~pause"),
            until if ends is None else min(until, ends),
            ["call.again", id],
            f"{id} cannot start yet",
        )

    def ask_again(self, id: str, _: Json = None) -> None:
        waiter = self.state.waiters.get(id)
        if waiter is None or waiter.asked is None or not waiter.resting:
            return
        asked, left = waiter.asked, None if waiter.ends is None else waiter.ends - self.now
        if isinstance(asked, Call) and left is not None and left < _SHORTEST_TIMEOUT:
            del self.state.waiters[id]
            self.state.todo.append([*waiter.otherwise, _too_late(asked, waiter.spent)])
            return
        waiter.resting = False
        name = _name(id, waiter)
        self.state.renamed[name] = id
        again = replace(asked, id=name)
        if isinstance(again, Call):
            again = replace(_with_less(again, waiter.spent), timeout=left)
        self.operations.append(again)

    def _cancelled(self, id: str, waiter: Waiter) -> None:
        del self.state.waiters[id]
        self.state.todo.append([*waiter.otherwise, make_error("Cancelled", "it was cancelled")])


def _name(id: str, waiter: Waiter, suffix: str = "") -> str:
    """The id of an operation to the world: each time it is asked, another one."""
    return f"{id}~s{waiter.starts}{suffix}" if waiter.starts > 1 else id


def _on_its_own(asked: Call | Evaluate | None) -> Call | Evaluate | None:
    """Parameters in which nothing was to be evaluated are a part of the plan."""
    if not isinstance(asked, Call) or "params" not in asked.argument:
        return asked
    params = dict(cast(JsonObject, asked.argument["params"]))
    return replace(asked, argument={**asked.argument, "params": params})


def _attempt(error: JsonObject) -> int:
    attempt = error.get("attempt")
    return attempt if isinstance(attempt, int) else 1


def _with_less(call: Call, spent: int) -> Call:
    """The call with only those attempts that it has left."""
    attempts = call.retry.attempts
    if attempts is None or not spent:
        return call
    retry = replace(call.retry, attempts=max(1, attempts - spent))
    argument = dict(call.argument)
    if "retry" in argument:
        told = cast("dict[str, Any]", argument["retry"])
        argument["retry"] = {**told, "attempts": retry.attempts}
    return replace(call, retry=retry, argument=argument)


def _as_of_the_whole(waiter: Waiter, error: JsonObject) -> JsonObject:
    """An evaluation is part of its node; attempts count from the first start on."""
    if isinstance(waiter.asked, Evaluate):
        return {**error, "node": None, "attempt": 1}
    return {**error, "attempt": _attempt(error) + waiter.spent} if waiter.spent else error


def _too_late(call: Call, spent: int) -> JsonObject:
    message = "not done within its timeout"
    return make_error("Timeout", message, node=call.node, attempt=max(1, spent))
