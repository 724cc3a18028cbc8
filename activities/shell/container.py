"""Node type `container`: a program in a container of its own."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from activities.attempt import Attempt
from activities.declaration import AnyImplementation, declare
from activities.shell.work import COMMAND_ERRORS, Done, Text, Work, check_variables

__all__ = ["CONTAINER", "NODE_TYPES", "ContainerParams"]


def _in_one_line(env: dict[str, str]) -> dict[str, str]:
    for name, value in env.items():
        if "\n" in value or "\r" in value:
            raise ValueError(f"{name}: expected one line; what has several goes by `files`")
    return env


def _at_most_all(count: float) -> float:
    if not 0.01 <= count <= 1024:
        raise ValueError("expected 0.01 to 1024 processors")
    return count


class ContainerParams(Work):
    """An image, a command, and how much it may take."""

    image: str = Field(min_length=1, max_length=512)
    """The image, one of those the operator allows; best by its digest."""
    command: list[Text] = Field(default_factory=list, max_length=1_000)
    """The program in it and its arguments; left out, what the image runs by itself. No secrets:
    arguments can be seen by whoever is on the machine."""
    env: Annotated[
        dict[str, Text], AfterValidator(check_variables), AfterValidator(_in_one_line)
    ] = Field(default_factory=dict, max_length=100)
    """Its environment variables, each of one line, besides those of the image."""
    network: Literal["none", "bridge"] = "none"
    """Whether it has a network; `bridge` only where the operator allows it."""
    memory: int = Field(default=512_000_000, ge=10_000_000)
    """How many bytes of memory all of it may have."""
    cpus: Annotated[float | int, AfterValidator(_at_most_all)] = 1
    """How many processors it may use."""
    processes: int = Field(default=256, ge=1, le=32_768)
    """How many processes and threads it may have."""
    pull: Literal["missing", "never", "always"] = "missing"
    """When to fetch the image from its registry, which counts as its `time`."""

    @property
    def called(self) -> str:
        return self.image


async def run(params: ContainerParams, attempt: Attempt) -> Done:
    from activities.shell.containers import ran

    return await ran(params, attempt)


CONTAINER = declare(
    name="container",
    summary="Run a program in a container",
    description=(
        "Off, until the operator lists the images that flows may run in "
        "`FLOWRUNNER_CONTAINER_ALLOW`. The container is run by Docker or Podman, without a "
        "network, with its own files read-only but for `/tmp`, without capabilities, by a user "
        "that is not root. Its folder, where it finds `files` and leaves what is collected, is "
        "`/work`. It is killed and removed when it ends, takes too long or is cancelled, and when "
        "the worker dies. There is no second attempt unless the node's `retry` asks for one; it "
        "first removes what an attempt before it may have left."
    ),
    example="""\
flow: checksum
input: {required: [file], properties: {file: {type: string}}}
nodes:
  sum:
    type: container
    params:
      image: docker.io/library/busybox:1.37
      command: [sha256sum, in/file]
      files: {in/file: "${input.file}"}
output: ${split(nodes.sum.output.stdout, ' ')[0]}
""",
    params=ContainerParams,
    result=Done,
    handler=run,
    errors=COMMAND_ERRORS,
    secret_params=("stdin", "env", "files"),
    attempt_timeout=4 * 3600,
    heartbeat=30,
)

NODE_TYPES: tuple[AnyImplementation, ...] = (CONTAINER,)
