"""Starting a run."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import Any

from temporalio.client import Client, WorkflowHandle
from temporalio.common import WorkflowIDConflictPolicy, WorkflowIDReusePolicy
from temporalio.exceptions import WorkflowAlreadyStartedError

from flowspec.values import JsonObject
from service.errors import AlreadyRunning
from service.runs.failures import mapped

__all__ = ["StartRequest", "new_workflow_id", "start"]

_INLINE_TYPE = "flow"


@dataclass(frozen=True, kw_only=True)
class StartRequest:
    """`text` is the YAML to run; None runs the flow that the worker knows by the name `flow`."""

    flow: str
    workflow_id: str
    task_queue: str
    text: str | None = None
    input: JsonObject | None = None

    @property
    def workflow_type(self) -> str:
        return self.flow if self.text is None else _INLINE_TYPE

    @property
    def arguments(self) -> list[JsonObject]:
        if self.text is not None:
            return [{"flow": self.text, "input": self.input or {}}]
        return [] if self.input is None else [self.input]


def new_workflow_id(flow: str) -> str:
    return f"{flow}-{secrets.token_hex(4)}"


async def start(client: Client, request: StartRequest) -> WorkflowHandle[Any, Any]:
    """Start it and return at once; raises `AlreadyRunning` rather than start it twice."""
    try:
        with mapped():
            return await client.start_workflow(
                request.workflow_type,
                args=request.arguments,
                id=request.workflow_id,
                task_queue=request.task_queue,
                id_conflict_policy=WorkflowIDConflictPolicy.FAIL,
                id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE,
            )
    except WorkflowAlreadyStartedError as error:
        raise AlreadyRunning(request.workflow_id, error.run_id) from error
