"""Node type `shell`: a program on the worker's machine."""

from __future__ import annotations

import re
from typing import Self

from pydantic import Field, model_validator

from activities.attempt import Attempt
from activities.declaration import AnyImplementation, declare
from activities.shell.work import COMMAND_ERRORS, Done, Work

__all__ = ["NODE_TYPES", "SHELL", "ShellParams"]

_LOADS_CODE = re.compile(r"(LD_.*|DYLD_.*|GCONV_PATH|PATH)")


class ShellParams(Work):
    """A command, and how much it may take."""

    memory: int = Field(default=4_000_000_000, ge=10_000_000)
    """How many bytes of address space each of its processes may have."""
    cpu: int | None = Field(default=None, ge=1)
    """How many seconds of processor time each of its processes may use; left out, as many as
    there are in its `time`."""

    @model_validator(mode="after")
    def _loads_nothing(self) -> Self:
        for name in self.env:
            if _LOADS_CODE.fullmatch(name):
                raise ValueError(
                    f"the variable {name} says what code a program loads, which flows may not"
                )
        return self


async def run(params: ShellParams, attempt: Attempt) -> Done:
    from activities.shell.commands import ran

    return await ran(params, attempt)


SHELL = declare(
    name="shell",
    summary="Run a program on the worker's machine",
    description=(
        "Off, until the operator lists the programs that flows may run in "
        "`FLOWRUNNER_SHELL_ALLOW`. The program runs as the worker's user, in a folder of its own "
        "that is removed afterwards, with `PATH`, `LANG`, `HOME` and `TMPDIR` and the variables in "
        "`env` as its environment. Everything it has started is killed when it ends, takes too "
        "long or is cancelled, and when the worker dies. There is no second attempt unless the "
        "node's `retry` asks for one, for nobody knows what a program has done before it failed."
    ),
    example="""\
flow: sorted
input: {required: [lines], properties: {lines: {type: string}}}
nodes:
  sort:
    type: shell
    params:
      command: [sort, --unique]
      stdin: ${input.lines}
output: ${nodes.sort.output.stdout}
""",
    params=ShellParams,
    result=Done,
    handler=run,
    errors=COMMAND_ERRORS,
    secret_params=("stdin", "env", "files"),
    attempt_timeout=4 * 3600,
    heartbeat=30,
)

NODE_TYPES: tuple[AnyImplementation, ...] = (SHELL,)
