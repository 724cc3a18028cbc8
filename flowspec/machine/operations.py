"""What a run asks of the world: each operation is answered once, by its id."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import Any, Literal, TypeAlias, cast

from flowspec.plan import RetryPlan
from flowspec.values import Json, JsonObject

__all__ = [
    "NOT_STARTED",
    "Call",
    "Child",
    "Evaluate",
    "Finished",
    "ForeignCall",
    "Operation",
    "Sleep",
    "Stop",
    "Want",
    "dump_operation",
    "load_operation",
    "make_error",
]

NOT_STARTED = "NotStarted"
"""The type of an activity's failure that says that this attempt never began: its arguments could
not be loaded. It counts as no attempt; the machine asks again. Histories hold it: never changed."""

Want: TypeAlias = Literal["condition", "value", "members", "items", "digest", "joined"]


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
class ForeignCall:
    """Run an activity that is none of ours, as it is; answered with `{output}` or an error.

    The arguments are plain JSON, unless the activity's worker understands `claims`.
    """

    id: str
    activity: str
    arguments: list[Json]
    claims: bool = False
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
    """Evaluate what needs a value workflow code must not load.

    `source` is a template, or an expression if `want` is `condition`. The answer is, by `want`,
    `condition`: a plain boolean; `value`: anything, and anything in it may be opaque; `members`:
    an object of whose members those named in `loose` (all if it is None) may be or hold something
    opaque; `items`: what `foreach` goes over, as a list of such values, or `{items, count}` with
    an opaque list; `digest`: the SHA-256, in hex, of the value as canonical JSON.

    With `deferred`, `source` is a value in which only the texts at these JSON pointers are still
    to be evaluated; what is opaque beside them need not be read for that.
    """

    id: str
    node: str
    source: Json
    want: Want
    loose: tuple[str, ...] | None = None
    deferred: tuple[str, ...] | None = None
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
    """The operation of this id is no longer wanted; all but sleeps are still answered."""

    id: str


Operation: TypeAlias = Call | ForeignCall | Evaluate | Sleep | Child | Stop


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


def dump_operation(operation: Call | Evaluate) -> JsonObject:
    """The operation as JSON; its values are handed on, not copied."""
    data: dict[str, Any] = {item.name: getattr(operation, item.name) for item in fields(operation)}
    if isinstance(operation, Call):
        retry = asdict(operation.retry)
        data["retry"] = {**retry, "only": [*retry["only"]], "never": [*retry["never"]]}
    elif operation.loose is not None:
        data["loose"] = [*operation.loose]
    return {"kind": type(operation).__name__, **data}


def load_operation(data: JsonObject) -> Call | Evaluate:
    given = cast("dict[str, Any]", {key: value for key, value in data.items() if key != "kind"})
    if data["kind"] == "Call":
        retry = given["retry"]
        lists = {"only": tuple(retry["only"]), "never": tuple(retry["never"])}
        return Call(**{**given, "retry": RetryPlan(**{**retry, **lists})})
    loose = given["loose"]
    return Evaluate(**{**given, "loose": None if loose is None else tuple(loose)})
