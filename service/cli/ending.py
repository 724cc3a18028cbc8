"""How the end of a run, or its not starting, is told."""

from __future__ import annotations

from typing import Any

from temporalio.client import WorkflowHandle

from service.cli.exits import Ending, ExitCode
from service.cli.screen import note, print_json
from service.errors import FlowInvalid, InputInvalid, ServiceError
from service.runs.looking import outcome_of
from service.runs.outcome import RunError, RunOutcome

__all__ = ["failure_text", "finish", "not_started", "print_detached", "print_started"]

_WRONG = ("FlowInvalid", "FlowNotFound", "InputInvalid")
"""Failures of a run that never got to its first node, the flow or its input being wrong."""


def not_started(error: ServiceError) -> None:
    """The JSON object of a run that there is not."""
    details = error.problems if isinstance(error, FlowInvalid | InputInvalid) else None
    told = RunError(type=type(error).__name__, message=str(error), details=details)
    print_json(RunOutcome(status="not_started", error=told).as_json())


def print_started(handle: WorkflowHandle[Any, Any], flow: str | None, *, json: bool) -> None:
    """The run has been started and is left to itself."""
    if json:
        _print_running(handle, flow)
    else:
        note(f"started {handle.id} (run {_run_id(handle)})\n{_next_steps(handle.id)}")


def print_detached(handle: WorkflowHandle[Any, Any], flow: str | None, *, json: bool) -> None:
    """The person has stopped following."""
    if json:
        _print_running(handle, flow)
    note(f"{handle.id} goes on without being followed\n{_next_steps(handle.id)}")


def _print_running(handle: WorkflowHandle[Any, Any], flow: str | None) -> None:
    running = RunOutcome(status="running", workflow_id=handle.id, run_id=_run_id(handle), flow=flow)
    print_json(running.as_json())


def _run_id(handle: WorkflowHandle[Any, Any]) -> str | None:
    return handle.run_id or handle.first_execution_run_id or handle.result_run_id


def _next_steps(workflow_id: str) -> str:
    return (
        f"  see it     flowrunner status {workflow_id}\n"
        f"  its end    flowrunner result {workflow_id}\n"
        f"  cancel it  flowrunner cancel {workflow_id}"
    )


async def finish(handle: WorkflowHandle[Any, Any], *, flow: str | None, json: bool) -> None:
    """Wait for the run's end, print its output, end the command if it did not complete."""
    outcome = await outcome_of(handle, flow=flow)
    if json:
        print_json(outcome.as_json())
    elif outcome.status == "completed":
        print_json(outcome.output)
    if outcome.error is not None:
        if not json:
            note(failure_text(outcome))
        raise Ending(_code(outcome.error))


def failure_text(outcome: RunOutcome) -> str:
    """Which node, what, after how many attempts, and where to look next."""
    error = outcome.error
    assert error is not None
    lines = [f"{outcome.workflow_id} {outcome.status.replace('_', ' ')}: {error.type}"]
    if error.node:
        lines.append(f"  node      {error.node}")
    lines.append("  message   " + error.message.replace("\n", "\n            "))
    if error.attempt:
        allowed = f" of {error.attempts}" if error.attempts else ""
        lines.append(f"  attempts  {error.attempt}{allowed}")
    if error.details not in (None, [], {}) and error.type != "FlowInvalid":
        import json

        lines.append(f"  details   {json.dumps(error.details, ensure_ascii=False)[:1000]}")
    lines.append(f"See what happened with: flowrunner logs {outcome.workflow_id}")
    return "\n".join(lines)


def _code(error: RunError) -> ExitCode:
    return ExitCode.WRONG if error.type in _WRONG and not error.node else ExitCode.FLOW_FAILED
