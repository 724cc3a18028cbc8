"""What a run asks of the world: each operation is answered once, by its id."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from flowspec.plan import RetryPlan
from flowspec.values import Json, JsonObject

__all__ = [
    "Call",
    "Child",
    "Evaluate",
    "Finished",
    "Operation",
    "Sleep",
    "Stop",
    "make_error",
]


@dataclass(frozen=True, kw_only=True)
class Call:
    """Run an activity; answered with `{output, action}` or an error. Times are seconds."""

    id: str
    activity: str
    argument: JsonObject
    local: bool
    node: str
    title: str = ""
    timeout: float | None = None
    attempt_timeout: float | None = None
    heartbeat: float | None = None
    retry: RetryPlan
    queue: str | None = None
    priority: int | None = None


@dataclass(frozen=True, kw_only=True)
class Evaluate:
    """Evaluate what needs a value workflow code must not load; answered with the result."""

    id: str
    node: str
    source: Json
    condition: bool
    scope: JsonObject


@dataclass(frozen=True, kw_only=True)
class Sleep:
    """Answer (with null) once the moment `until` has come, in seconds since 1970."""

    id: str
    until: float
    title: str = ""


@dataclass(frozen=True, kw_only=True)
class Child:
    """Start another run; answered with its output, or `{id, run_id}` unless it is awaited."""

    id: str
    node: str
    flow: str
    argument: Json
    wait: bool = True
    workflow_id: str | None = None
    title: str = ""
    queue: str | None = None
    priority: int | None = None


@dataclass(frozen=True, kw_only=True)
class Stop:
    """The operation of this id is no longer wanted; calls and children are still answered."""

    id: str


Operation: TypeAlias = Call | Evaluate | Sleep | Child | Stop


@dataclass(frozen=True, kw_only=True)
class Finished:
    """How the run ended: with `output`, or with `error`."""

    status: Literal["completed", "failed", "cancelled"]
    output: Json = None
    error: JsonObject | None = None


def make_error(
    type: str,
    message: str,
    *,
    node: str | None = None,
    attempt: int = 1,
    details: Json = None,
) -> JsonObject:
    """An error as flows see it under `error` and `nodes.<id>.error`."""
    return {"type": type, "message": message, "node": node, "attempt": attempt, "details": details}
