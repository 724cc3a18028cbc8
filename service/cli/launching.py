"""What `run` and `start` do: check, start, follow, and say how it ended."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from temporalio.client import Client, WorkflowHandle

from flowspec.jsonschemas import check_input
from flowspec.problems import as_json, text
from flowspec.values import JsonObject
from service.cli.context import connected
from service.cli.ending import Waiting, not_started, print_started, read_waiting
from service.cli.flow_files import is_file, known_input
from service.cli.inputs import read_input
from service.cli.screen import note
from service.cli.watching import watch_to_end
from service.errors import AlreadyRunning, InputInvalid, InputWrong, ServiceError
from service.runs.starting import StartRequest, new_workflow_id, start
from service.settings import load_worker_settings

if TYPE_CHECKING:
    from flowspec.catalogue import Catalogue

__all__ = ["Launch", "launch"]


@dataclass(frozen=True, kw_only=True)
class Launch:
    """The command line of `run` or `start`."""

    target: str
    input: str | None = None
    settings: tuple[str, ...] = ()
    workflow_id: str | None = None
    attach: bool = False
    follow: bool = True
    json: bool = False
    output: Path | None = None
    timeout: str | None = None

    def waiting(self) -> Waiting:
        """Raises `InputWrong`."""
        if not self.follow and (self.output or self.timeout):
            option = "--output" if self.output else "--timeout"
            raise InputWrong(f"{option} is for a run that is waited for: leave out --detach")
        return read_waiting(json=self.json, output=self.output, timeout=self.timeout)


async def launch(wanted: Launch, catalogue: Callable[[], Catalogue]) -> None:
    """Raises what keeps the run from starting; `--json` says it on standard output as well."""
    try:
        waiting = wanted.waiting()
        request = _request(wanted, catalogue)
        client = await connected()
        handle = await _start(client, request, wanted)
    except ServiceError as error:
        if wanted.json:
            not_started(error)
        raise
    if not wanted.follow:
        print_started(handle, request.flow, json=wanted.json)
        return
    await watch_to_end(client, handle, waiting, flow=request.flow)


def _request(wanted: Launch, catalogue: Callable[[], Catalogue]) -> StartRequest:
    settings = load_worker_settings()
    plan = yaml = None
    flow = wanted.target
    if is_file(wanted.target):
        from service.cli.checking import checked_plan  # not for a name: that is the worker's work

        checked = checked_plan(wanted.target, catalogue())
        plan = checked.plan
        assert plan is not None
        if checked.problems and not wanted.json:
            note(checked.text())
        flow, yaml = plan.flow, checked.source.text
    schema = plan.input if plan else known_input(flow) if wanted.settings else None
    given = read_input(wanted.input, wanted.settings, sys.stdin, schema=schema)
    if plan:
        _check_input(plan.input, given)
    return StartRequest(
        flow=flow,
        workflow_id=wanted.workflow_id or new_workflow_id(flow),
        task_queue=settings.task_queue,
        text=yaml,
        input=given,
    )


def _check_input(schema: JsonObject | None, given: JsonObject | None) -> None:
    """The run would refuse it all the same; here it costs no run."""
    _, problems = check_input(schema, given or {})
    if problems:
        raise InputInvalid(text(problems), as_json(problems))


async def _start(client: Client, request: StartRequest, wanted: Launch) -> WorkflowHandle[Any, Any]:
    try:
        return await start(client, request)
    except AlreadyRunning:
        if not wanted.attach:
            raise
        return client.get_workflow_handle(request.workflow_id)
