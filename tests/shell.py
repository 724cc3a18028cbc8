"""Attempts at the node types that run programs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from temporalio.exceptions import ApplicationError

from activities.attempt import Options
from activities.claims import Claims
from activities.shell.container import CONTAINER
from activities.shell.options import ContainerOptions, ShellOptions, read_programs
from activities.shell.shell import SHELL
from flowspec.values import JsonObject
from tests import attempts

__all__ = ["contain", "failed", "processes", "run"]


async def run(
    *command: str,
    allow: tuple[str, ...] = ("sh",),
    claims: Claims | None = None,
    **params: Any,
) -> Any:
    """What `shell` gives, the programs in `allow` being allowed."""
    options = Options(ShellOptions(programs=read_programs(allow)))
    call = _call({"command": [*command], **params})
    return (await attempts.perform(SHELL, call, claims=claims, options=options))["output"]


async def contain(
    *command: str,
    engine: Path,
    images: tuple[str, ...] = ("localhost/*",),
    bridge: bool = False,
    claims: Claims | None = None,
    **params: Any,
) -> Any:
    """What `container` gives."""
    options = Options(ContainerOptions(engine=engine, images=images, bridge=bridge))
    call = _call({"command": [*command], **params})
    return (await attempts.perform(CONTAINER, call, claims=claims, options=options))["output"]


def _call(params: JsonObject) -> JsonObject:
    return {"node": "n", "flow": "f", "run_id": "r", "key": "k", "params": params}


async def failed(error: str, attempt: Any) -> ApplicationError:
    """The error of that type with which the attempt ends."""
    with pytest.raises(ApplicationError) as caught:
        await attempt
    assert caught.value.type == error, caught.value
    return caught.value


def processes(mark: str) -> list[int]:
    """Those that have the mark in their command or environment."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            told = (process / "cmdline").read_bytes() + (process / "environ").read_bytes()
        except OSError:
            continue
        if mark.encode() in told:
            found.append(int(process.name))
    return found
