"""Options and arguments that several commands share, so that they mean the same everywhere."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

__all__ = [
    "DataOption",
    "InputOption",
    "JsonFlag",
    "OutputOption",
    "RunArgument",
    "SetOption",
    "Target",
    "TimeoutOption",
    "WorkflowIdOption",
    "command",
    "complete_flows",
]


def command(
    app: typer.Typer,
    function: Callable[..., None],
    *examples: str,
    panel: str | None = None,
    name: str | None = None,
    surplus: bool = False,
) -> None:
    """Add a command; its docstring is the help, reflowed, and `examples` come at its end.

    With `surplus` it is called with any arguments, which the context's `args` holds.
    """
    paragraphs = inspect.cleandoc(function.__doc__ or "").split("\n\n")
    app.command(
        name,
        help="\n\n".join(paragraph.replace("\n", " ") for paragraph in paragraphs),
        rich_help_panel=panel,
        epilog="\n".join(["Examples:", *(f"  {line}" for line in examples)]),
        context_settings={"allow_extra_args": surplus, "ignore_unknown_options": surplus},
    )(function)


def complete_flows(incomplete: str) -> list[str]:
    """For the shell: YAML files, and the names of the flows in FLOWS_DIR."""
    import os

    folder = Path(os.environ.get("FLOWS_DIR") or "flows")
    names = [path.stem for path in folder.glob("*.y*ml")] if folder.is_dir() else []
    typed = Path(incomplete)
    near = typed if incomplete.endswith("/") else typed.parent
    found = near.glob("*") if near.is_dir() else ()
    files = [f"{path}/" if path.is_dir() else str(path) for path in found if _may_hold(path)]
    return sorted(one for one in (*names, *files) if one.startswith(incomplete))


def _may_hold(path: Path) -> bool:
    return path.suffix in (".yaml", ".yml") or (path.is_dir() and not path.name.startswith("."))


Target = Annotated[
    str,
    typer.Argument(
        metavar="FILE_OR_NAME",
        help="A YAML file, or the name of a flow in the worker's FLOWS_DIR.",
        autocompletion=complete_flows,
    ),
]
RunArgument = Annotated[
    str, typer.Argument(metavar="ID", help="The run's id (Temporal's workflow id).")
]
JsonFlag = Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")]
InputOption = Annotated[
    str | None,
    typer.Option(
        "--input",
        metavar="JSON",
        help="The input as JSON; @FILE reads a JSON or YAML file, @- standard input.",
    ),
]
DataOption = Annotated[
    str | None,
    typer.Option(
        "--data",
        metavar="JSON",
        help="The data as JSON; @FILE reads a JSON or YAML file, @- standard input.",
    ),
]
SetOption = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="KEY=VALUE",
        help="One value: JSON if it reads as that, else text, which is also taken where the flow "
        "is known to want text. Dots go inwards: a.b=1. Repeatable.",
    ),
]
WorkflowIdOption = Annotated[
    str | None,
    typer.Option(
        "--id", metavar="ID", help="The run's id; the flow's name and eight random digits if unset."
    ),
]
OutputOption = Annotated[
    Path | None,
    typer.Option(
        "--output",
        metavar="FILE",
        help="Write the output to this file, once all of it is there, and print nothing.",
    ),
]
TimeoutOption = Annotated[
    str | None,
    typer.Option(
        "--timeout",
        metavar="DURATION",
        help="Stop waiting after so long, such as 30s or 1h30m; the run goes on. The exit code is "
        "then 124.",
    ),
]
