"""How the end of a run, or its not starting, is told."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from temporalio.client import Client, WorkflowHandle

from service.cli.exits import Ending, ExitCode, explain
from service.cli.inputs import read_duration
from service.cli.outfile import check_output, write_output
from service.cli.screen import note, print_json
from service.errors import (
    FlowInvalid,
    InputInvalid,
    InputWrong,
    ServiceError,
    ValueLost,
)
from service.runs.looking import outcome_of
from service.runs.outcome import RunError, RunOutcome

__all__ = [
    "Waiting",
    "failure_text",
    "finish",
    "not_known",
    "not_started",
    "print_detached",
    "print_started",
    "read_waiting",
    "unread_text",
]

_WRONG = ("FlowInvalid", "FlowNotFound", "InputInvalid")
"""Failures of a run that never got to its first node, the flow or its input being wrong."""


_AS_TEXT = (
    "A value of --set that reads as JSON is that, where the flow is not in FLOWS_DIR here; text "
    "takes quotes then: --set 'zip=\"12345\"'"
)


@dataclass(frozen=True, kw_only=True)
class Waiting:
    """How the end of a run is waited for, and where its output goes; `timeout` in seconds."""

    json: bool = False
    output: Path | None = None
    timeout: float | None = None


def read_waiting(*, json: bool, output: Path | None, timeout: str | None) -> Waiting:
    """From the command line. Raises `InputWrong`, too if the file can never be written."""
    if output is not None:
        if json:
            raise InputWrong("--output takes the output alone: leave out --json")
        check_output(output)
    seconds = None if timeout is None else read_duration(timeout, option="--timeout")
    return Waiting(json=json, output=output, timeout=seconds)


def not_started(error: ServiceError) -> None:
    """The JSON object of a run that there is not."""
    details = error.problems if isinstance(error, FlowInvalid | InputInvalid) else None
    outcome = RunOutcome(status="not_started", error=RunError.of(error, details))
    print_json(outcome.as_json())


def not_known(error: ServiceError, workflow_id: str, flow: str | None = None) -> None:
    """The JSON object of a run of which nothing more is to be learned now."""
    outcome = RunOutcome(
        status="unknown", workflow_id=workflow_id, flow=flow, error=RunError.of(error)
    )
    print_json(outcome.as_json())


def print_started(handle: WorkflowHandle[Any, Any], flow: str | None, *, json: bool) -> None:
    """The run has been started and is left to itself."""
    if json:
        _print_running(handle, flow)
    else:
        note(f"started {handle.id} (run {_run_id(handle)})\n{_next_steps(handle.id)}")


def print_detached(handle: WorkflowHandle[Any, Any], flow: str | None, *, json: bool) -> None:
    """The person has stopped following, or the time for it is over."""
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


async def finish(
    client: Client, handle: WorkflowHandle[Any, Any], waiting: Waiting, *, flow: str | None
) -> None:
    """Wait for the run's end, give its output, end the command if it did not complete."""
    outcome = await outcome_of(client, handle, flow=flow)
    if waiting.json:
        print_json(outcome.as_json())
    if outcome.unread is not None:
        note(unread_text(outcome.workflow_id or handle.id, outcome.unread))
        raise Ending(explain(outcome.unread)[0])
    if outcome.error is not None:
        if not waiting.json:
            note(failure_text(outcome))
        raise Ending(_code(outcome.error))
    if waiting.output is not None:
        write_output(waiting.output, outcome.output)
    elif not waiting.json:
        print_json(outcome.output)


def unread_text(workflow_id: str, why: ServiceError) -> str:
    """The run did what it should, and still there is nothing to show for it."""
    next_step = (
        f"See what happened with: flowrunner logs {workflow_id}"
        if isinstance(why, ValueLost)
        else f"Get it later with: flowrunner result {workflow_id}"
    )
    return f"{workflow_id} completed, but its output cannot be read: {why}\n{next_step}"


def failure_text(outcome: RunOutcome) -> str:
    """Which node, what, after how many attempts, and where to look next."""
    error = outcome.error
    assert error is not None
    lines = [f"{outcome.workflow_id} {outcome.status.replace('_', ' ')}: {error.type}"]
    if error.node:
        lines.append(f"  node      {error.node}")
    lines.append("  message   " + error.message.replace("\n", "\n            "))
    if error.attempt:
        lines.append(f"  attempts  {_attempts(error.attempt, error.attempts)}")
    if error.details not in (None, [], {}) and error.type != "FlowInvalid":
        import json

        lines.append(f"  details   {json.dumps(error.details, ensure_ascii=False)[:1000]}")
    if error.type == "InputInvalid" and not error.node and "expected text, found" in error.message:
        lines.append(_AS_TEXT)
    lines.append(f"See what happened with: flowrunner logs {outcome.workflow_id}")
    return "\n".join(lines)


def _attempts(made: int, allowed: int | None) -> str:
    """A failure with attempts left was one that another attempt would not mend."""
    if allowed is None:
        return str(made)
    if made < allowed:
        return f"{made} of {allowed}: an error of this type is permanent, and not tried again"
    return f"{made} of {allowed}"


def _code(error: RunError) -> ExitCode:
    return ExitCode.WRONG if error.type in _WRONG and not error.node else ExitCode.FLOW_FAILED
