"""What the node types that run programs have in common: parameters, result and errors."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, Field
from typing_extensions import TypedDict

from activities.blobs import Blob, Kept
from activities.declaration import Params
from activities.durations import Seconds
from flowspec.catalogue import ErrorType
from flowspec.values import Json

__all__ = [
    "CANNOT_START",
    "COMMAND_ERRORS",
    "COMMAND_FAILED",
    "FILES_REFUSED",
    "INVALID_OUTPUT",
    "NOT_ALLOWED",
    "NOT_ENABLED",
    "OUTPUT_TOO_LARGE",
    "TIMED_OUT",
    "Collected",
    "Done",
    "Text",
    "Work",
    "check_variables",
]

_LONGEST_TIME = 3600.0
_MOST_IN_MEMORY = 100_000_000
_MOST_READ = 1_000_000
_MOST_SAVED = 1_000_000_000
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")

NOT_ENABLED = ErrorType(
    name="NotEnabled",
    permanent=True,
    meaning="The operator lets flows run nothing of the kind; the message names the setting",
)
NOT_ALLOWED = ErrorType(
    name="NotAllowed",
    permanent=True,
    meaning="This program, image or network is not one that the operator lets flows use",
)
COMMAND_FAILED = ErrorType(
    name="CommandFailed",
    permanent=False,
    meaning="It ended with a code that is not in `ok`, or was killed; the code and the end of what "
    "it wrote to stderr are in the details",
)
CANNOT_START = ErrorType(
    name="CannotStart",
    permanent=False,
    meaning="It could not be started, or the container engine is in trouble",
)
TIMED_OUT = ErrorType(
    name="TimedOut", permanent=False, meaning="It took longer than its `time`, and was killed"
)
OUTPUT_TOO_LARGE = ErrorType(
    name="OutputTooLarge",
    permanent=True,
    meaning="What it wrote is more than `max_bytes` where it cannot be cut off, or the files to "
    "collect are too many or too large",
)
INVALID_OUTPUT = ErrorType(
    name="InvalidOutput", permanent=True, meaning="With `parse: json`, what it wrote is no JSON"
)
FILES_REFUSED = ErrorType(
    name="FilesRefused",
    permanent=True,
    meaning="A name in `files` or a pattern in `collect` leads out of its folder",
)

COMMAND_ERRORS = (
    NOT_ENABLED,
    NOT_ALLOWED,
    COMMAND_FAILED,
    CANNOT_START,
    TIMED_OUT,
    OUTPUT_TOO_LARGE,
    INVALID_OUTPUT,
    FILES_REFUSED,
)


def _no_nul(text: str) -> str:
    if "\0" in text:
        raise ValueError("expected text without NUL")
    return text


def check_variables(env: dict[str, str]) -> dict[str, str]:
    """The same; raises ValueError for a name that is none."""
    for name in env:
        if not _VARIABLE.fullmatch(name):
            raise ValueError(f"{name!r} is not a variable's name")
    return env


def _at_most_an_hour(seconds: float) -> float:
    if seconds > _LONGEST_TIME:
        raise ValueError("expected 1h at most")
    return seconds


Text = Annotated[str, Field(max_length=100_000), AfterValidator(_no_nul)]


class Work(Params):
    """What is run and what it is given, and what is taken back from it."""

    command: list[Text] = Field(min_length=1, max_length=1_000)
    """The program and its arguments, a list: no shell looks at them, so nothing in them needs
    quoting. No secrets: arguments can be seen by whoever is on the machine."""
    stdin: Blob | None = None
    """What it reads from stdin: a text, bytes kept in the object store, any other value as its
    JSON."""
    env: Annotated[dict[str, Text], AfterValidator(check_variables)] = Field(
        default_factory=dict, max_length=100
    )
    """Its environment variables, besides those it needs to run. It has none of the worker's."""
    files: dict[str, Blob] = Field(default_factory=dict, max_length=1_000)
    """Files to put into its folder beforehand, contents by name, such as `in/data.csv`."""
    collect: list[str] = Field(default_factory=list, max_length=100)
    """Files to bring back from its folder, such as `out/*.pdf`; `**` stands for any folders."""
    ok: list[Annotated[int, Field(ge=0, le=255)]] = Field(default=[0], min_length=1, max_length=256)
    """The exit codes that mean success."""
    parse: Literal["text", "json"] = "text"
    """Whether what it writes to stdout is JSON, to be had as `value`."""
    save: bool = False
    """Put what it writes to stdout into the object store, where it may be larger than memory, and
    bytes."""
    time: Annotated[Seconds, AfterValidator(_at_most_an_hour)] = Field(
        default="60s", validate_default=True
    )
    """How long it may take, one hour at most."""
    max_bytes: int | None = Field(default=None, ge=1, le=100_000_000_000)
    """How much of stdout is kept: 1 MB if nothing else is said, 100 MB at most. The rest is cut
    off, and `truncated` says so. With `save`, and for the files collected, more than `max_bytes`
    is an error: 1 GB if nothing else is said."""

    @property
    def called(self) -> str:
        """What errors call it."""
        return self.command[0]

    @property
    def most_read(self) -> int:
        return min(self.max_bytes or _MOST_READ, _MOST_IN_MEMORY)

    @property
    def most_saved(self) -> int:
        return self.max_bytes or _MOST_SAVED


class Collected(TypedDict):
    """One file that was brought back."""

    name: Annotated[str, Field(description="Its name in the folder")]
    bytes: Annotated[int, Field(description="Its size")]
    content: Annotated[Kept, Field(description="What is in it, in the object store")]


class Done(TypedDict):
    """How it ended."""

    code: Annotated[int, Field(description="Its exit code")]
    stdout: Annotated[
        str | Kept,
        Field(description="What it wrote to stdout; what is not UTF-8 only with `save` as it was"),
    ]
    stderr: Annotated[str, Field(description="What it wrote to stderr, the last 64 KB")]
    truncated: Annotated[bool, Field(description="Whether some of stdout was cut off")]
    value: Annotated[Json, Field(description="With `parse: json`, what it wrote; else null")]
    files: Annotated[list[Collected], Field(description="What `collect` found, by name")]
