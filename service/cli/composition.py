"""What the command needs and must not import: handed in by the composition root."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from socket import socket

    from flowspec.catalogue import Catalogue
    from service.settings import ClaimCheckSettings, NodeSettings, WorkerSettings
    from simulator.world import Performs

__all__ = ["Composition", "ReadSettings", "Serve", "Supervise"]


class ReadSettings(Protocol):
    """What the environment says to a worker; `local` to the one of `flowrunner dev`.

    Raises `SettingsInvalid` with all that the worker would stumble over.
    """

    def __call__(self, *, local: bool = False) -> WorkerSettings: ...


class Serve(Protocol):
    """Runs a worker until it is cancelled or told to stop by SIGTERM.

    `address` is that of a local server without TLS; None takes the way to Temporal from the
    environment, and so it is with `storage` and `nodes`. `health` listens already, and stands
    for the health address of the settings.
    """

    def __call__(
        self,
        settings: WorkerSettings,
        *,
        address: str | None = None,
        storage: ClaimCheckSettings | None = None,
        nodes: NodeSettings | None = None,
        health: socket | None = None,
    ) -> Coroutine[Any, Any, None]: ...


class Supervise(Protocol):
    """Runs as many worker processes as the settings say, until SIGTERM; gives the exit code."""

    def __call__(self, settings: WorkerSettings) -> Coroutine[Any, Any, int]: ...


@dataclass(frozen=True, kw_only=True)
class Composition:
    """Each is called only by the commands that need it, so that `--help` stays quick."""

    catalogue: Callable[[], Catalogue]
    settings: ReadSettings
    serve: Serve
    supervise: Supervise
    performs: Callable[[], Performs]
