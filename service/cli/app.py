"""The command `flowrunner`: its groups of commands, and its end."""

from __future__ import annotations

import os
import sys
from typing import Annotated, NoReturn

import typer

from service.cli.commands import (
    blobs,
    flows,
    looking,
    running,
    schedules,
    secrets,
    services,
    steering,
    testing,
)
from service.cli.composition import Composition
from service.cli.exits import ExitCode, explain

__all__ = ["build", "run"]

_DEBUG = "FLOWRUNNER_DEBUG"
_PROMISING = frozenset(("run", "start", "result"))
"""The commands whose `--json` always prints the object of a run."""


def build(composition: Composition) -> typer.Typer:
    """The whole command; it imports neither Temporal nor any handler before one is needed."""
    app = typer.Typer(
        name="flowrunner",
        context_settings={"obj": composition, "help_option_names": ["-h", "--help"]},
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        rich_markup_mode="rich",
    )
    app.callback()(_root)
    for group in (services, flows, testing, running, schedules, looking, steering, blobs, secrets):
        group.register(app)
    return app


def run(composition: Composition, arguments: list[str] | None = None) -> NoReturn:
    """Run the command and end the process with its exit code."""
    app = build(composition)
    try:
        app(arguments, prog_name="flowrunner")
        code = 0
    except SystemExit as ended:  # how typer ends: help, usage errors, Ctrl-C
        code = ended.code if isinstance(ended.code, int) else ExitCode.WRONG
        _tell_script(ended.__context__, sys.argv[1:] if arguments is None else arguments)
    except BaseException as error:
        code = _present(error)
    _end(code)


def _tell_script(mistake: BaseException | None, arguments: list[str]) -> None:
    """Of a wrong command line, the object that a script was promised."""
    wording = getattr(mistake, "format_message", None)  # typer's errors have it, and no public root
    promised = "--json" in arguments and not _PROMISING.isdisjoint(arguments[:1])
    if wording is None or not promised:
        return
    from service.cli.screen import print_json
    from service.runs.outcome import RunError, RunOutcome

    error = RunError(type="UsageError", message=wording())
    print_json(RunOutcome(status="not_started", error=error).as_json())


def _present(error: BaseException) -> ExitCode:
    code, text = explain(error)
    if text:
        from service.cli.screen import note

        note(text)
    if text and os.environ.get(_DEBUG):
        import traceback

        traceback.print_exception(error)
    return code


def _end(code: int) -> NoReturn:
    """Past the interpreter's own shutdown once the Temporal SDK has been loaded.

    Its threads sometimes abort the process there, after all work is done, and with that the
    exit code is lost.
    """
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except BrokenPipeError:
        code = code or 1
    if "temporalio" in sys.modules:
        os._exit(code)
    sys.exit(code)


def _show_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        from service.cli.screen import print_text

        print_text(f"flowrunner {version('flowrunner')}")
        raise typer.Exit


def _note_debug(wanted: bool) -> None:
    if wanted:
        os.environ[_DEBUG] = "1"


def _root(
    version: Annotated[
        bool,
        typer.Option("--version", help="Print the version.", is_eager=True, callback=_show_version),
    ] = False,
    debug: Annotated[
        bool,
        typer.Option(
            "--debug",
            help="Show where an error comes from; the same as FLOWRUNNER_DEBUG=1.",
            is_eager=True,
            callback=_note_debug,
        ),
    ] = False,
) -> None:
    """Run flows, YAML graphs of steps, as durable workflows on Temporal.

    The server is found by TEMPORAL_ADDRESS and TEMPORAL_NAMESPACE, or by the configuration file
    of the Temporal CLI.
    """
