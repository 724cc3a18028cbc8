"""`dev`, `worker` and `codec-server`: what has to run so that flows can, and can be looked at."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Annotated

import typer

from service.cli.context import composition_of, run_async
from service.cli.options import command

__all__ = ["register"]

_PANEL = "Services"
_PORT = 7233
_UI_OFFSET = 1000
_CODEC_OFFSET = 1001


def register(app: typer.Typer) -> None:
    command(
        app, dev, "flowrunner dev", "flowrunner dev --port 7300 --data-dir /tmp/try", panel=_PANEL
    )
    command(
        app,
        worker,
        "flowrunner worker",
        "TEMPORAL_ADDRESS=temporal.example:7233 flowrunner worker",
        "flowrunner worker --processes 4",
        panel=_PANEL,
    )
    command(
        app,
        codec_server,
        "flowrunner codec-server",
        "FLOWRUNNER_CODEC_ADDRESS=127.0.0.1:9000 flowrunner codec-server",
        panel=_PANEL,
        name="codec-server",
    )
    command(app, version, "flowrunner version", panel=_PANEL)


def version() -> None:
    """Print the version of Flowrunner, of the Temporal SDK and of Python."""
    import platform
    from importlib.metadata import version as version_of

    from service.cli.screen import print_text

    print_text(f"flowrunner {version_of('flowrunner')}")
    print_text(f"temporalio {version_of('temporalio')}")
    print_text(f"Python {platform.python_version()}")


def dev(
    context: typer.Context,
    port: Annotated[
        int, typer.Option(metavar="N", help="Port of the Temporal server.", min=1, max=65535)
    ] = (_PORT),
    ui_port: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            help="Port of Temporal's web UI; that of the server and 1000 if unset.",
            min=1,
            max=65535,
        ),
    ] = None,
    codec_port: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            help="Port of the codec server; that of the server and 1001 if unset.",
            min=1,
            max=65535,
        ),
    ] = None,
    data_dir: Annotated[
        Path,
        typer.Option(
            metavar="DIR",
            help="Folder of the server's database and log, and of the key-value store.",
            file_okay=False,
        ),
    ] = Path(".flowrunner"),
    headless: Annotated[bool, typer.Option("--headless", help="Start no web UI.")] = False,
) -> None:
    """Start a Temporal server and a worker, and keep them running.

    Everything is kept in a database file: runs go on where they were when it is stopped and
    started again. A codec server runs beside them, and shows the web UI the values that are in
    the store. Ctrl-C stops the worker, then the server; the exit code is then 0.
    """
    from service.cli.codec import LocalCodec
    from service.cli.development import develop
    from service.devserver import DevServerOptions
    from service.settings import load_dev_server_settings
    from service.temporal_cli import find_temporal_cli

    composition = composition_of(context)
    settings = composition.settings(local=True)
    shown_ui = None if headless else ui_port or port + _UI_OFFSET
    codec = LocalCodec(port=codec_port or port + _CODEC_OFFSET, ui_port=shown_ui)
    options = DevServerOptions(
        cli=find_temporal_cli(load_dev_server_settings().temporal_cli),
        data_dir=data_dir,
        port=port,
        ui_port=shown_ui,
        codec_url=codec.url,
    )
    run_async(develop(options, settings, composition, codec))


def worker(
    context: typer.Context,
    processes: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            help="How many worker processes; FLOWRUNNER_PROCESSES, or 1, if unset.",
            min=1,
            max=256,
        ),
    ] = None,
    health_socket: Annotated[int | None, typer.Option(hidden=True)] = None,
) -> None:
    """Run a worker until Ctrl-C or SIGTERM; its nodes then get time to finish.

    The exit code is then 0. Any number of workers share the work of a task queue. One process
    makes use of about one core: with --processes there are several under one supervisor, which
    starts those again that end by themselves.
    """
    composition = composition_of(context)
    settings = composition.settings()
    if processes is not None:
        settings = settings.model_copy(update={"processes": processes})
    if health_socket is not None:
        run_async(composition.serve(settings, health=socket.socket(fileno=health_socket)))
    elif settings.processes == 1:
        run_async(composition.serve(settings))
    elif code := run_async(composition.supervise(settings)):
        raise typer.Exit(code)


def codec_server() -> None:
    """Show Temporal's web UI and CLI the values behind references, until Ctrl-C or SIGTERM.

    The UI and the CLI are told its address: `--codec-endpoint`. It reads what every process with
    its settings could read, so it listens on this machine alone unless it has a token to ask for.
    """
    from service.cli.codec import serve_codec
    from service.settings import (
        load_claim_check_settings,
        load_codec_server_settings,
        load_temporal_settings,
    )

    run_async(
        serve_codec(
            load_codec_server_settings(),
            load_claim_check_settings(),
            load_temporal_settings().namespace,
        )
    )
