"""`schedule apply`, `list`, `show`, `pause`, `resume`, `trigger`, `backfill` and `delete`."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from service.cli.context import composition_of, run_async
from service.cli.options import JsonFlag, command, complete_flows

__all__ = ["register"]

_PANEL = "Runs"


class OverlapPolicy(StrEnum):
    SKIP = "skip"
    BUFFER_ONE = "buffer_one"
    BUFFER_ALL = "buffer_all"
    CANCEL_OTHER = "cancel_other"
    TERMINATE_OTHER = "terminate_other"
    ALLOW_ALL = "allow_all"


def register(app: typer.Typer) -> None:
    group = typer.Typer(help="Start flows by the clock.", no_args_is_help=True)
    command(
        group,
        apply,
        "flowrunner schedule apply flows/nightly-sync.yaml",
        "flowrunner schedule apply nightly-sync report --prune --dry-run",
    )
    command(group, list_, "flowrunner schedule list", name="list")
    command(group, show, "flowrunner schedule show nightly-sync.night")
    command(
        group, pause, "flowrunner schedule pause nightly-sync.night --note 'The source is down'"
    )
    command(group, resume, "flowrunner schedule resume nightly-sync.night")
    command(group, trigger, "flowrunner schedule trigger nightly-sync.night")
    command(
        group,
        backfill,
        "flowrunner schedule backfill nightly-sync.night --from 2026-11-01 --to 2026-11-03T12:00",
    )
    command(group, delete, "flowrunner schedule delete nightly-sync.night")
    app.add_typer(group, name="schedule", rich_help_panel=_PANEL)


_Id = Annotated[
    str,
    typer.Argument(metavar="ID", help="The schedule's id: the flow's name, a dot, its own name."),
]
_Note = Annotated[
    str | None, typer.Option("--note", metavar="TEXT", help="Why; `schedule list` shows it.")
]


def apply(
    context: typer.Context,
    targets: Annotated[
        list[str],
        typer.Argument(
            metavar="FILE_OR_NAME…",
            help="YAML files, or names of flows in FLOWS_DIR.",
            autocompletion=complete_flows,
        ),
    ],
    prune: Annotated[
        bool,
        typer.Option("--prune", help="Delete schedules of these flows that they no longer have."),
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be done, and do nothing.")
    ] = False,
    json: JsonFlag = False,
) -> None:
    """Make Temporal's schedules those that the flows have under `schedules`.

    What is not there is created, what differs is updated, the rest is left as it is. A schedule
    that was paused by hand stays paused, unless the flow says `paused`. All flows are checked
    before anything is done.

    A schedule starts its flow by name: the workers have to know the flow by that name when the
    time comes, and run what they then have under it.
    """
    from service.cli.scheduling import Application, report_apply

    wanted = Application(targets=tuple(targets), prune=prune, dry_run=dry_run, json=json)
    run_async(report_apply(wanted, composition_of(context).catalogue))


def list_(
    flow: Annotated[
        str | None, typer.Option("--flow", metavar="NAME", help="Only those that start this flow.")
    ] = None,
    all: Annotated[
        bool, typer.Option("--all", help="Also those that Flowrunner has not made.")
    ] = False,
    json: JsonFlag = False,
) -> None:
    """List the schedules, with their next and last times.

    A new one shows up a moment after it was created.
    """
    from service.cli.scheduling import report_schedules

    run_async(report_schedules(flow=flow, all=all, json=json))


def show(id: _Id, json: JsonFlag = False) -> None:
    """Show a schedule in full, with its next ten times in its own time zone."""
    from service.cli.scheduling import report_schedule

    run_async(report_schedule(id, json=json))


def pause(id: _Id, note: _Note = None, json: JsonFlag = False) -> None:
    """Start nothing by this schedule until `schedule resume`; runs that are open go on."""
    from service.cli.scheduling import set_paused

    run_async(set_paused(id, True, note=note, json=json))


def resume(id: _Id, note: _Note = None, json: JsonFlag = False) -> None:
    """Let a paused schedule start runs again; times that have passed are not made up for."""
    from service.cli.scheduling import set_paused

    run_async(set_paused(id, False, note=note, json=json))


def trigger(
    id: _Id,
    overlap: Annotated[
        OverlapPolicy | None,
        typer.Option("--overlap", help="Instead of the schedule's own policy."),
    ] = None,
    json: JsonFlag = False,
) -> None:
    """Start a run now, and print its id; also while the schedule is paused.

    The exit code is 2 if nothing was started because a run of the schedule is still open.
    """
    from service.cli.scheduling import trigger_now

    run_async(trigger_now(id, overlap=overlap.value if overlap else None, json=json))


def backfill(
    id: _Id,
    begin: Annotated[
        str, typer.Option("--from", metavar="TIME", help="The first time that counts.")
    ],
    end: Annotated[str, typer.Option("--to", metavar="TIME", help="The last time that counts.")],
    overlap: Annotated[
        OverlapPolicy, typer.Option("--overlap", help="What happens where runs would overlap.")
    ] = OverlapPolicy.BUFFER_ALL,
    json: JsonFlag = False,
) -> None:
    """Start the runs that the schedule would have started in a time that is over.

    Times are written as in `from` and `until` of a flow's schedules, and without a zone are those
    of the schedule's zone. Both ends count.
    """
    from service.cli.scheduling import make_up

    run_async(make_up(id, begin, end, overlap=overlap.value, json=json))


def delete(id: _Id, json: JsonFlag = False) -> None:
    """Delete a schedule. Its runs stay, and those that are open go on."""
    from service.cli.scheduling import remove

    run_async(remove(id, json=json))
