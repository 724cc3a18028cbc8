"""`run` and `start`: flows become runs."""

from __future__ import annotations

from typing import Annotated

import typer

from service.cli.context import composition_of, run_async
from service.cli.options import (
    InputOption,
    JsonFlag,
    OutputOption,
    SetOption,
    Target,
    TimeoutOption,
    WorkflowIdOption,
    command,
)

__all__ = ["register"]

_PANEL = "Runs"


def register(app: typer.Typer) -> None:
    command(
        app,
        run,
        "flowrunner run flows/onboarding.yaml --set employee=Ada --set email=ada@example.org",
        "flowrunner run onboarding --input @ada.json --id onboard-ada",
        "flowrunner run onboarding --input @- --json < ada.json",
        "flowrunner run report --output report.json --timeout 10m",
        panel=_PANEL,
    )
    command(
        app, start, "flowrunner start onboarding --set employee=Ada --id onboard-ada", panel=_PANEL
    )


def run(
    context: typer.Context,
    target: Target,
    input: InputOption = None,
    set: SetOption = None,
    id: WorkflowIdOption = None,
    attach: Annotated[
        bool,
        typer.Option(
            "--attach", help="If a run with that --id is open, follow it and start nothing."
        ),
    ] = False,
    detach: Annotated[
        bool, typer.Option("--detach", help="Do not wait for the end; the same as `start`.")
    ] = False,
    output: OutputOption = None,
    timeout: TimeoutOption = None,
    json: JsonFlag = False,
) -> None:
    """Start a flow and follow it to its end.

    The output goes to standard output, the progress to standard error. Ctrl-C stops following;
    the run goes on. The exit code is 0 if the run completed, 1 if it failed, 2 if the input or
    the flow is wrong, 3 if Temporal cannot be reached.

    A run waits for a worker, for as long as there is none: this command says so after a moment,
    and waits with it until --timeout, or for ever.
    """
    from service.cli.launching import Launch, launch

    wanted = Launch(
        target=target,
        input=input,
        settings=tuple(set or ()),
        workflow_id=id,
        attach=attach,
        follow=not detach,
        json=json,
        output=output,
        timeout=timeout,
    )
    run_async(launch(wanted, composition_of(context).catalogue))


def start(
    context: typer.Context,
    target: Target,
    input: InputOption = None,
    set: SetOption = None,
    id: WorkflowIdOption = None,
    json: JsonFlag = False,
) -> None:
    """Start a flow and do not wait for its end.

    A run whose --id is open already is never started twice: the exit code is then 2.
    """
    from service.cli.launching import Launch, launch

    wanted = Launch(
        target=target,
        input=input,
        settings=tuple(set or ()),
        workflow_id=id,
        follow=False,
        json=json,
    )
    run_async(launch(wanted, composition_of(context).catalogue))
