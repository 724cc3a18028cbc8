"""How a run stands or ended, as scripts read it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from flowspec.values import Json, JsonObject
from service.errors import ServiceError

__all__ = ["RunError", "RunOutcome", "RunState"]

RunState: TypeAlias = Literal[
    "not_started",
    "running",
    "completed",
    "failed",
    "cancelled",
    "terminated",
    "timed_out",
    "unknown",
]


@dataclass(frozen=True, kw_only=True)
class RunError:
    """Why a run did not complete; `node` None where no node is to blame."""

    type: str
    message: str
    node: str | None = None
    attempt: int | None = None
    attempts: int | None = None
    details: Json = None

    @classmethod
    def of(cls, error: ServiceError, details: Json = None) -> RunError:
        return cls(type=type(error).__name__, message=str(error), details=details)

    def as_json(self) -> JsonObject:
        return {
            "type": self.type,
            "message": self.message,
            "node": self.node,
            "attempt": self.attempt,
            "attempts": self.attempts,
            "details": self.details,
        }


@dataclass(frozen=True, kw_only=True)
class RunOutcome:
    """`not_started` has no ids; `output` and `error` are there once the run has ended.

    `unknown` is a run that cannot be asked for, `error` says why; `unread` is why the output of
    a run that completed is not here.
    """

    status: RunState
    workflow_id: str | None = None
    run_id: str | None = None
    flow: str | None = None
    output: Json = None
    error: RunError | None = None
    unread: ServiceError | None = None

    def as_json(self) -> JsonObject:
        """What `--json` prints: these keys, all of them, always."""
        error = RunError.of(self.unread) if self.unread else self.error
        return {
            "run_id": self.run_id,
            "workflow_id": self.workflow_id,
            "flow": self.flow,
            "status": self.status,
            "output": self.output,
            "error": error.as_json() if error else None,
        }
