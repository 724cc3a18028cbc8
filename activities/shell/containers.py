"""Running a container by the command of Docker or Podman."""

from __future__ import annotations

import asyncio
import hashlib
import os
from pathlib import Path

from activities.attempt import Attempt
from activities.errors import NodeFailed
from activities.shell.container import ContainerParams
from activities.shell.folder import check_names, lay_out
from activities.shell.options import ContainerOptions
from activities.shell.place import Plan, open_place
from activities.shell.running import carried_out
from activities.shell.work import CANNOT_START, COMMAND_FAILED, NOT_ALLOWED, NOT_ENABLED, Done

__all__ = ["container_name", "ran", "run_command"]

_NOBODY = 65534
_ENGINE_FAILED = 125
_TMP = "/tmp:rw,nosuid,nodev,size=64m,mode=1777"
_FOR_THE_ENGINE = ("HOME", "LANG", "PATH", "TMPDIR", "XDG_CONFIG_HOME", "XDG_RUNTIME_DIR")
_FOR_ENGINES = ("DOCKER_", "CONTAINER_", "CONTAINERS_", "PODMAN_")


async def ran(params: ContainerParams, attempt: Attempt) -> Done:
    engine = _engine(params, attempt.options.get(ContainerOptions))
    check_names([*params.files], "files")
    check_names(params.collect, "collect")
    name = container_name(attempt)
    async with open_place() as place:
        await lay_out(place.folder, params.files, attempt)
        await asyncio.to_thread(_prepare, place.folder, params)
        command = run_command(engine, params, name, place.folder)
        removal = _removal(engine, name)
        plan = Plan(
            program=command[0],
            command=command,
            env=_environment(),
            folder=str(place.folder),
            sweep=False,  # the engine's own helpers are let finish
            beforehand=removal,
            afterwards=removal,
        )
        try:
            return await carried_out(place, plan, params, attempt)
        except NodeFailed as failed:
            raise _trouble(failed) from failed


def _engine(params: ContainerParams, options: ContainerOptions) -> Path:
    if not options.images:
        raise NodeFailed(
            NOT_ENABLED,
            "this worker lets flows run no containers; its setting FLOWRUNNER_CONTAINER_ALLOW "
            "lists the images they may run",
        )
    if options.engine is None:
        raise NodeFailed(CANNOT_START, "this worker has neither docker nor podman")
    if not options.allows(params.image):
        raise NodeFailed(
            NOT_ALLOWED,
            f"the image {params.image!r} is not one of the worker's FLOWRUNNER_CONTAINER_ALLOW: "
            f"{', '.join(options.images)}",
        )
    if params.network == "bridge" and not options.bridge:
        raise NodeFailed(
            NOT_ALLOWED,
            "network: bridge is allowed on no worker without FLOWRUNNER_CONTAINER_NETWORK=bridge",
        )
    return options.engine


def container_name(attempt: Attempt) -> str:
    """The same for every attempt at a node."""
    return f"flowrunner-{hashlib.sha256(attempt.key.encode()).hexdigest()[:32]}"


def run_command(engine: Path, params: ContainerParams, name: str, folder: Path) -> list[str]:
    """Values of variables are not in it: it can be seen by whoever is on the machine."""
    return [
        *(str(engine), "run", "--rm", "--interactive", f"--name={name}"),
        *("--label=flowrunner=1", f"--pull={params.pull}", f"--network={params.network}"),
        *("--read-only", f"--tmpfs={_TMP}", "--cap-drop=ALL"),
        *("--security-opt=no-new-privileges", f"--user={_user()}"),
        *(f"--memory={params.memory}", f"--memory-swap={params.memory}"),
        *(f"--cpus={params.cpus}", f"--pids-limit={params.processes}"),
        *(f"--volume={folder}:/work:rw", "--workdir=/work", f"--env-file={_variables(folder)}"),
        *(["--userns=keep-id"] if os.getuid() and engine.name.startswith("podman") else []),
        *(params.image, *params.command),
    ]


def _removal(engine: Path, name: str) -> list[list[str]]:
    """At once: Podman's `rm --force` alone waits for the container to end by itself."""
    return [[str(engine), "kill", name], [str(engine), "rm", "--force", name]]


def _prepare(folder: Path, params: ContainerParams) -> None:
    """The variables, in a file beside the folder, and the folder for the container's user."""
    lines = "".join(f"{name}={value}\n" for name, value in params.env.items())
    _variables(folder).write_text(lines, encoding="utf-8")
    if os.getuid() == 0:
        for inside, folders, files in os.walk(folder):
            for path in (Path(inside), *(Path(inside, name) for name in (*folders, *files))):
                os.chown(path, _NOBODY, _NOBODY, follow_symlinks=False)


def _variables(folder: Path) -> Path:
    return folder.parent / "variables"


def _user() -> str:
    """The worker's own, who may write into the folder; but never root."""
    return f"{os.getuid() or _NOBODY}:{os.getgid() if os.getuid() else _NOBODY}"


def _environment() -> dict[str, str]:
    """What the engine's command needs to find its engine; the container sees nothing of it."""
    return {
        name: value
        for name, value in os.environ.items()
        if name in _FOR_THE_ENGINE or name.startswith(_FOR_ENGINES)
    }


def _trouble(failed: NodeFailed) -> NodeFailed:
    """The engine's own code says that there was no container."""
    details = failed.details
    code = details.get("code") if isinstance(details, dict) else None
    if failed.error is COMMAND_FAILED and code == _ENGINE_FAILED:
        return NodeFailed(CANNOT_START, failed.message, details=details)
    return failed
