"""`blobs health`, `ls`, `get`, `stats`, `sweep` and `new-key`: the store of large values."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from service.cli.context import run_async
from service.cli.options import JsonFlag, command

__all__ = ["register"]

_PANEL = "Services"


def register(app: typer.Typer) -> None:
    group = typer.Typer(
        help="Look into the store of large values, and clean it up.", no_args_is_help=True
    )
    command(group, health, "flowrunner blobs health")
    command(
        group,
        ls,
        "flowrunner blobs ls onboard-ada",
        "flowrunner blobs ls --prefix v1/default/onboard- --json",
    )
    command(
        group,
        get,
        'flowrunner blobs get \'{"claim": 1, "key": "v1/default/…", "size": 90000}\'',
        "flowrunner blobs get v1/default/onboard-ada/… --output value.json",
    )
    command(group, stats, "flowrunner blobs stats")
    command(
        group,
        sweep,
        "flowrunner blobs sweep",
        "flowrunner blobs sweep --delete --grace 72h",
    )
    command(
        group,
        new_key,
        "flowrunner blobs new-key",
        "flowrunner blobs new-key 2027-01 >> keys",
        name="new-key",
    )
    app.add_typer(group, name="blobs", rich_help_panel=_PANEL)


_Namespace = Annotated[
    str | None,
    typer.Option("--namespace", metavar="NAME", help="Instead of TEMPORAL_NAMESPACE."),
]
_After = Annotated[
    str | None,
    typer.Option("--after", metavar="KEY", help="Go on behind this key, in the order of keys."),
]


def health(json: JsonFlag = False) -> None:
    """Write a blob, read it and remove it again.

    The exit code is 3 if that does not go well.
    """
    from service.cli.storage import report_health

    run_async(report_health(json=json))


def ls(
    workflow_id: Annotated[
        str | None,
        typer.Argument(metavar="WORKFLOW_ID", help="Only what this workflow owns."),
    ] = None,
    prefix: Annotated[
        str | None,
        typer.Option("--prefix", metavar="KEY", help="Only keys that begin so."),
    ] = None,
    namespace: _Namespace = None,
    after: _After = None,
    limit: Annotated[int | None, typer.Option("--limit", help="At most so many.", min=1)] = None,
    json: JsonFlag = False,
) -> None:
    """List blobs: size, age and key, in the order of the keys.

    A line without a size is a note that another workflow holds what the workflow owns. With
    --json, one object a line.
    """
    from service.cli.storage import report_blobs

    run_async(
        report_blobs(
            workflow_id=workflow_id,
            prefix=prefix,
            namespace=namespace,
            after=after,
            limit=limit,
            json=json,
        )
    )


def get(
    wanted: Annotated[
        str,
        typer.Argument(
            metavar="CLAIM_OR_KEY",
            help="A claim as JSON, or the key of a blob, whose hash may be abbreviated.",
        ),
    ],
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            dir_okay=False,
            help="Write a file, as a whole or not at all, instead of standard output.",
        ),
    ] = None,
) -> None:
    """Write a value that is in the store, as it was before it was compressed and encrypted.

    It may be larger than memory. If reading fails halfway, the exit code is not 0, and what has
    been written to standard output is not to be relied on.
    """
    from service.cli.fetching import fetch

    run_async(fetch(wanted, output))


def stats(
    namespace: Annotated[
        str | None, typer.Option("--namespace", metavar="NAME", help="This one alone.")
    ] = None,
    json: JsonFlag = False,
) -> None:
    """Count the blobs of each namespace in the store, and name the largest workflows.

    The whole store is listed for it, which may take a while.
    """
    from service.cli.storage import report_stats

    run_async(report_stats(namespace=namespace, json=json))


def sweep(
    delete: Annotated[
        bool, typer.Option("--delete", help="Really delete; without it, tell what would go.")
    ] = False,
    grace: Annotated[
        str,
        typer.Option(
            "--grace", metavar="DURATION", help="Keep what was put, or needed, within this time."
        ),
    ] = "24h",
    namespace: _Namespace = None,
    after: _After = None,
    take_over: Annotated[
        bool,
        typer.Option(
            "--take-over",
            help="Say that no other Temporal server has values in this store any more.",
        ),
    ] = False,
    force: Annotated[
        bool,
        typer.Option("--force", help="Take a grace of less than 12h: nothing else may run then."),
    ] = False,
    json: JsonFlag = False,
) -> None:
    """Find the blobs that no run can need any more, and delete them with --delete.

    A workflow's blobs stay while Temporal retains any run, open or closed, of that workflow, of
    one that holds them, or of a schedule that starts it; and while anything of theirs is young.
    Workers may run meanwhile. If Temporal cannot tell all it retains, nothing is deleted.

    The exit code is 3 if something could not be deleted. A sweep that was broken off can be
    started again, with --after where it was.
    """
    from service.cli.sweeping import SweepOptions, report_sweep

    run_async(
        report_sweep(
            SweepOptions(
                delete=delete,
                grace=grace,
                namespace=namespace,
                after=after,
                take_over=take_over,
                force=force,
                json=json,
            )
        )
    )


def new_key(
    name: Annotated[
        str | None,
        typer.Argument(metavar="NAME", help="What the key is known by; today's date if left out."),
    ] = None,
) -> None:
    """Print a new key for CLAIM_CHECK_KEYS. It is a secret.

    Give every process the first key with CLAIM_CHECK_ENCRYPT=off, then all of them without that.
    To change keys, put the new one behind the others, and once every process has it before them.
    Old keys stay as long as runs do whose values they have encrypted.
    """
    from service.cli.storage import print_new_key

    print_new_key(name)
