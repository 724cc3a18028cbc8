"""`test` and `simulate`: flows played without a server."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from service.cli.composition import Composition
from service.cli.context import composition_of
from service.cli.exits import Ending, ExitCode
from service.cli.options import InputOption, JsonFlag, SetOption, command, complete_flows

__all__ = ["register"]

_PANEL = "Flows"


def register(app: typer.Typer) -> None:
    command(
        app,
        try_,
        "flowrunner test flows",
        "flowrunner test flows/onboarding.yaml -k declined --watch",
        "flowrunner test --record onboarding-1f2e3d4c",
        "flowrunner test flows --coverage --fail-under 90 --junit results.xml",
        panel=_PANEL,
        name="test",
    )
    command(
        app,
        simulate,
        "flowrunner simulate flows/onboarding.yaml --set employee=Ada",
        panel=_PANEL,
    )


def try_(
    context: typer.Context,
    paths: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="PATH…",
            help="Test files, flows whose tests are meant, or folders; FLOWS_DIR if left out.",
            autocompletion=complete_flows,
        ),
    ] = None,
    keyword: Annotated[
        str | None,
        typer.Option("-k", "--keyword", metavar="TEXT", help="Only cases with this in the name."),
    ] = None,
    coverage: Annotated[
        bool, typer.Option("--coverage", help="Show what of the flows no case has come by.")
    ] = False,
    fail_under: Annotated[
        float | None,
        typer.Option(
            "--fail-under",
            metavar="PERCENT",
            help="Fail if of any flow's nodes and edges fewer were come by; shows the coverage.",
            min=0,
            max=100,
        ),
    ] = None,
    junit: Annotated[
        Path | None,
        typer.Option("--junit", metavar="FILE", help="Write the results as JUnit XML, too."),
    ] = None,
    watch: Annotated[
        bool, typer.Option("--watch", help="Try again whenever a flow or a test changes.")
    ] = False,
    record: Annotated[
        str | None,
        typer.Option(
            "--record",
            metavar="ID",
            help="Write the run of this id as a test, to PATH or into FLOWS_DIR, and try that.",
        ),
    ] = None,
    json: JsonFlag = False,
) -> None:
    """Try flows against their tests: files NAME.test.yaml beside them, or in a folder `tests`.

    Nothing is started and nothing is called: runs are played in virtual time, and what nodes
    would be answered is in the test. The exit code is 1 if a case fails, and 2 if a test or a
    flow cannot be used.
    """
    from service.cli.trying import Trying, try_and_tell, watch_and_try

    composition = composition_of(context)
    if record is not None:
        paths = [_recorded(record, paths, composition)]
    trying = Trying(
        paths=tuple(paths or ()),
        keyword=keyword,
        coverage=coverage or fail_under is not None,
        fail_under=fail_under,
        junit=junit,
        json=json,
    )
    if watch:
        watch_and_try(trying, composition)
    else:
        code = try_and_tell(trying, composition)
        if code is not ExitCode.OK:
            raise Ending(code)


def _recorded(run: str, paths: list[str] | None, composition: Composition) -> str:
    from service.cli.recording import record_run
    from service.cli.screen import note
    from service.errors import InputWrong

    if len(paths or ()) > 1:
        raise InputWrong("--record writes one file: give one PATH, or none")
    file, notes = record_run(run, Path(paths[0]) if paths else None, composition)
    note("\n".join([*notes, f"written to {file}"]))
    return str(file)


def simulate(
    context: typer.Context,
    target: Annotated[
        str,
        typer.Argument(
            metavar="FILE_OR_NAME",
            help="A YAML file, or the name of a flow in FLOWS_DIR.",
            autocompletion=complete_flows,
        ),
    ],
    input: InputOption = None,
    set_: SetOption = None,
    mocks: Annotated[
        str | None,
        typer.Option(
            "--mocks",
            metavar="FILE",
            help="What nodes answer: a test file, of which `mocks` are taken.",
        ),
    ] = None,
    json: JsonFlag = False,
) -> None:
    """Show what a flow would do for an input: what runs when, and who is told what.

    Nothing is started and nothing is called. What `--mocks` says nothing of is assumed to give
    the least that its node type gives, and marked; decisions and events that are not mocked
    never come.
    """
    from service.cli.simulating import Simulation, show_simulation

    simulation = Simulation(
        target=target, input=input, settings=tuple(set_ or ()), mocks=mocks, json=json
    )
    show_simulation(simulation, composition_of(context), sys.stdin)
