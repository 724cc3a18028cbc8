"""`signal`, `approve`, `cancel`, `pause` and `resume`: messages to a run."""

from __future__ import annotations

from typing import Annotated

import typer

from service.cli.context import run_async
from service.cli.options import DataOption, JsonFlag, RunArgument, SetOption, command

__all__ = ["register"]

_PANEL = "Messages to a run"


def register(app: typer.Typer) -> None:
    command(app, signal, "flowrunner signal order-7 payment --set amount=99", panel=_PANEL)
    command(
        app,
        approve,
        "flowrunner approve onboard-ada",
        "flowrunner approve onboard-ada approve --action rejected --comment 'Not this year'",
        "flowrunner approve onboard-ada --set badge=A17 --by grace",
        panel=_PANEL,
    )
    command(app, cancel, "flowrunner cancel onboard-ada", panel=_PANEL)
    command(app, pause, "flowrunner pause onboard-ada", panel=_PANEL)
    command(app, resume, "flowrunner resume onboard-ada", panel=_PANEL)


def signal(
    id: RunArgument,
    name: Annotated[str, typer.Argument(metavar="NAME", help="The event's name.")],
    data: DataOption = None,
    set: SetOption = None,
    json: JsonFlag = False,
) -> None:
    """Send a run the event that an `event` node waits for, now or later."""
    from service.cli.messages import send_event

    run_async(send_event(id, name, data=data, settings=tuple(set or ()), json=json))


def approve(
    id: RunArgument,
    node: Annotated[
        str | None,
        typer.Argument(metavar="NODE", help="The approval; the one that waits if left out."),
    ] = None,
    action: Annotated[
        str, typer.Option("--action", metavar="ACTION", help="The decision.")
    ] = "approved",
    data: DataOption = None,
    set: SetOption = None,
    by: Annotated[
        str | None,
        typer.Option("--by", metavar="WHO", help="Who decides; your user name if left out."),
    ] = None,
    comment: Annotated[
        str | None, typer.Option("--comment", metavar="TEXT", help="A word to go with it.")
    ] = None,
    json: JsonFlag = False,
) -> None:
    """Give the decision that an `approval` node waits for.

    The data is checked against the node's form before the decision is accepted.
    """
    from service.cli.messages import Answer, give_decision

    answer = Answer(
        node=node, action=action, data=data, settings=tuple(set or ()), by=by, comment=comment
    )
    run_async(give_decision(id, answer, json=json))


def cancel(id: RunArgument, json: JsonFlag = False) -> None:
    """Ask a run to end: what runs is stopped, and what can be undone is undone."""
    from service.cli.messages import ask_to_cancel

    run_async(ask_to_cancel(id, json=json))


def pause(id: RunArgument, json: JsonFlag = False) -> None:
    """Start no more nodes in a run; those that run end by themselves."""
    from service.cli.messages import send_control

    run_async(send_control(id, "pause", json=json))


def resume(id: RunArgument, json: JsonFlag = False) -> None:
    """Let a paused run go on."""
    from service.cli.messages import send_control

    run_async(send_control(id, "resume", json=json))
