"""`status`, `list`, `logs` and `result`: how runs stand, and what happened in them."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from service.cli.context import run_async
from service.cli.options import JsonFlag, OutputOption, RunArgument, TimeoutOption, command

__all__ = ["register"]

_PANEL = "Runs"


class RunStatus(StrEnum):
    RUNNING = "running"
    WAITING = "waiting"
    PAUSED = "paused"
    FAILING = "failing"
    CANCELLING = "cancelling"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"
    TERMINATED = "terminated"
    TIMED_OUT = "timed_out"


def register(app: typer.Typer) -> None:
    command(
        app,
        status,
        "flowrunner status onboard-ada",
        "flowrunner status onboard-ada --json",
        panel=_PANEL,
    )
    command(
        app,
        list_,
        "flowrunner list --status running",
        "flowrunner list --flow onboarding --label team=hr --json",
        panel=_PANEL,
        name="list",
    )
    command(
        app,
        logs,
        "flowrunner logs onboard-ada",
        "flowrunner logs onboard-ada --follow",
        panel=_PANEL,
    )
    command(
        app,
        result,
        "flowrunner result onboard-ada",
        "flowrunner result onboard-ada --json",
        "flowrunner result onboard-ada --output report.json",
        panel=_PANEL,
    )


def status(id: RunArgument, json: JsonFlag = False) -> None:
    """Show how a run stands: its nodes, and what it waits for.

    Without a worker it is told from the run's history, as far as that goes.
    """
    from service.cli.reports import report_status

    run_async(report_status(id, json=json))


def list_(
    flow: Annotated[
        str | None, typer.Option("--flow", metavar="NAME", help="Only runs of this flow.")
    ] = None,
    status: Annotated[
        RunStatus | None, typer.Option("--status", help="Only runs that stand so.")
    ] = None,
    label: Annotated[
        list[str] | None,
        typer.Option(
            "--label", metavar="NAME=VALUE", help="Only runs with this label. Repeatable."
        ),
    ] = None,
    limit: Annotated[int, typer.Option("--limit", help="At most so many.", min=1)] = 20,
    json: JsonFlag = False,
) -> None:
    """List the runs on the task queue, the newest first."""
    from service.cli.reports import report_list

    run_async(
        report_list(
            flow=flow,
            status=status.value if status else None,
            labels=tuple(label or ()),
            limit=limit,
            json=json,
        )
    )


def logs(
    id: RunArgument,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Go on until the run has ended.")
    ] = False,
    json: JsonFlag = False,
) -> None:
    """Print what happened in a run, node by node, from its history.

    Needs no worker, and works for runs that have ended. With --json, one object a line.
    """
    from service.cli.reports import report_logs

    run_async(report_logs(id, follow=follow, json=json))


def result(
    id: RunArgument,
    output: OutputOption = None,
    timeout: TimeoutOption = None,
    json: JsonFlag = False,
) -> None:
    """Print a run's output; wait for its end if need be.

    What is in the store is fetched from there. The exit code is 1 if the run did not complete.
    """
    from service.cli.reports import report_result

    run_async(report_result(id, json=json, output=output, longest=timeout))
