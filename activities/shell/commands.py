"""Running a program on this machine."""

from __future__ import annotations

import math
import os
from pathlib import Path

from activities.attempt import Attempt
from activities.errors import NodeFailed
from activities.shell.folder import check_names, lay_out
from activities.shell.options import ShellOptions
from activities.shell.place import Plan, open_place
from activities.shell.running import carried_out
from activities.shell.shell import ShellParams
from activities.shell.work import NOT_ALLOWED, NOT_ENABLED, Done

__all__ = ["ran"]

_LARGEST_FILE = 10_000_000_000
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


async def ran(params: ShellParams, attempt: Attempt) -> Done:
    program = _program(params.command[0], attempt.options.get(ShellOptions))
    check_names([*params.files], "files")
    check_names(params.collect, "collect")
    async with open_place() as place:
        await lay_out(place.folder, params.files, attempt)
        return await carried_out(place, _plan(params, program, place.folder), params, attempt)


def _program(name: str, options: ShellOptions) -> Path:
    if not options.programs:
        raise NodeFailed(
            NOT_ENABLED,
            "this worker lets flows run no programs; its setting FLOWRUNNER_SHELL_ALLOW lists "
            "those they may run",
        )
    if name not in options.programs:
        raise NodeFailed(
            NOT_ALLOWED,
            f"{name[:200]!r} is not in the worker's FLOWRUNNER_SHELL_ALLOW; flows may run "
            f"{', '.join(sorted({path.name for path in options.programs.values()}))}",
        )
    return options.programs[name]


def _plan(params: ShellParams, program: Path, folder: Path) -> Plan:
    home = str(folder)
    return Plan(
        program=str(program),
        command=params.command,
        env={
            "LANG": "C.UTF-8",
            **params.env,
            "PATH": os.environ.get("PATH", _PATH),
            "HOME": home,
            "TMPDIR": home,
        },
        folder=home,
        limits={
            "RLIMIT_AS": params.memory,
            "RLIMIT_CPU": params.cpu or math.ceil(params.time) * (os.cpu_count() or 1),
            "RLIMIT_FSIZE": _LARGEST_FILE,
            "RLIMIT_CORE": 0,
        },
    )
