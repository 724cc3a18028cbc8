"""Node types `file.read`, `file.write` and `file.list`: files on the worker's machine."""

from __future__ import annotations

from typing import Annotated, Literal, NotRequired, Self

from pydantic import Field, model_validator
from typing_extensions import TypedDict

from activities.attempt import Attempt
from activities.blobs import Blob, Kept
from activities.declaration import AnyImplementation, Params, declare
from flowspec.catalogue import ErrorType, RetryDefaults

__all__ = [
    "FILE_EXISTS",
    "FILE_MISSING",
    "FILE_REFUSED",
    "FILE_TOO_LARGE",
    "FILE_TROUBLE",
    "NODE_TYPES",
    "FoundFile",
    "ListParams",
    "ListResult",
    "ReadParams",
    "ReadResult",
    "WriteParams",
    "WriteResult",
]

_MAX_READ = 32_000_000
_MOST_IN_MEMORY = 256_000_000
_MAX_SAVED = 10_000_000_000

FILE_MISSING = ErrorType(
    name="FileMissing", permanent=True, meaning="There is no such file, or no such folder"
)
FILE_EXISTS = ErrorType(
    name="FileExists",
    permanent=True,
    meaning="With `mode: create`, the file is there with another content",
)
FILE_REFUSED = ErrorType(
    name="FileRefused",
    permanent=True,
    meaning="The path is in none of the folders that flows may use, leads over a symbolic link, "
    "is no file, or the worker has no right to it",
)
FILE_TOO_LARGE = ErrorType(
    name="FileTooLarge",
    permanent=True,
    meaning="The file, or what is to be written, is larger than `max_bytes`",
)
FILE_TROUBLE = ErrorType(
    name="FileTrouble",
    permanent=False,
    meaning="The disk is full, or does not work",
)
_ERRORS = (FILE_MISSING, FILE_REFUSED, FILE_TOO_LARGE, FILE_TROUBLE)

_Path = Annotated[str, Field(min_length=1, max_length=4_000)]


class ReadParams(Params):
    """Which file."""

    path: _Path
    """An absolute path in one of the folders of `FLOWRUNNER_FILES_DIRS`, or one below the first of
    them, such as `in/orders.csv`."""
    save: bool = False
    """Put the file into the object store as it is, whatever its size: the output has it as
    `content`, which other nodes take without loading it."""
    max_bytes: int | None = Field(default=None, ge=1)
    """The largest file that is read: 32 MB if left out and at most 256 MB; with `save` 10 GB if
    left out, and as much as you like."""

    @model_validator(mode="after")
    def _fits_into_memory(self) -> Self:
        if self.most > _MOST_IN_MEMORY and not self.save:
            raise ValueError(
                f"expected max_bytes to be at most {_MOST_IN_MEMORY} for a file that is read into "
                "memory; save: true keeps larger ones in the object store"
            )
        return self

    @property
    def most(self) -> int:
        """The bytes that are accepted."""
        return self.max_bytes or (_MAX_SAVED if self.save else _MAX_READ)


class ReadResult(TypedDict):
    """The file; of `text`, `base64` and `content` one is there."""

    path: str
    bytes: Annotated[int, Field(description="Its size")]
    modified: Annotated[str, Field(description="When it was last changed, such as a date in UTC")]
    text: NotRequired[Annotated[str, Field(description="What is in it, if it is text in UTF-8")]]
    base64: NotRequired[Annotated[str, Field(description="What is in it, if it is not")]]
    content: NotRequired[
        Annotated[Kept, Field(description="With `save`, what is in it, in the object store")]
    ]


class WriteParams(Params):
    """What to write where."""

    path: _Path
    """An absolute path in one of the folders of `FLOWRUNNER_FILES_DIRS`, or one below the first of
    them."""
    content: Blob
    """What to write: text in UTF-8, bytes that were kept by `save`, however large, or any other
    value as its JSON."""
    base64: bool = False
    """The content is text that stands for bytes in base64."""
    mode: Literal["create", "replace", "append"] = "create"
    """`create` a file that must not be there yet, unless with the same content; `replace` what is
    there, at once; or `append` to it."""
    folders: bool = False
    """Make the folders on the way that are missing."""
    max_bytes: int = Field(default=_MAX_SAVED, ge=1)
    """The most bytes that are written."""


class WriteResult(TypedDict):
    """What was written."""

    path: str
    bytes: Annotated[int, Field(description="The size of what was written")]


class ListParams(Params):
    """Which files."""

    path: str = Field(default=".", min_length=1, max_length=4_000)
    """The folder: an absolute path, or one below the first of `FLOWRUNNER_FILES_DIRS`."""
    match: str = Field(default="*", min_length=1, max_length=500)
    """What a file's name is like, such as `*.csv`."""
    recursive: bool = False
    """Look into the folders in it as well; `match` is still about names alone."""
    limit: int = Field(default=1_000, ge=1, le=10_000)
    """The most files that are told; `more` says whether others are left."""


class FoundFile(TypedDict):
    """One file."""

    path: Annotated[str, Field(description="Its path, as `file.read` takes it")]
    name: str
    bytes: Annotated[int, Field(description="Its size")]
    modified: Annotated[str, Field(description="When it was last changed, in UTC")]


class ListResult(TypedDict):
    """The files."""

    files: Annotated[list[FoundFile], Field(description="The files in the order of their paths")]
    more: Annotated[bool, Field(description="Whether `limit` left files out")]


async def read(params: ReadParams, attempt: Attempt) -> ReadResult:
    from activities.files.reading import read_file

    return await read_file(params, attempt)


async def write(params: WriteParams, attempt: Attempt) -> WriteResult:
    from activities.files.writing import write_file

    return await write_file(params, attempt)


async def list_(params: ListParams, attempt: Attempt) -> ListResult:
    from activities.files.reading import list_files

    return await list_files(params, attempt)


_RETRY = RetryDefaults(attempts=3, interval=1, factor=4, max_interval=60, jitter=0.1)
_WHERE = (
    "Files of the machine the worker runs on, in the folders that its setting "
    "`FLOWRUNNER_FILES_DIRS` lists; without it nothing can be used. Symbolic links are never "
    "followed. With several workers, let the folder be on a disk that all of them have. "
)

FILE_READ = declare(
    name="file.read",
    summary="Read a file on the worker's machine",
    description=_WHERE.strip(),
    example="""\
flow: import-orders
nodes:
  get: {type: file.read, params: {path: in/orders.csv, save: true}, next: rows}
  rows: {type: csv.read, params: {content: "${nodes.get.output.content}"}}
output: ${nodes.rows.output.rows}
""",
    params=ReadParams,
    result=ReadResult,
    handler=read,
    errors=_ERRORS,
    retry=_RETRY,
    attempt_timeout=600,
    heartbeat=30,
)

FILE_WRITE = declare(
    name="file.write",
    summary="Write a file on the worker's machine",
    description=(
        f"{_WHERE}A new or replaced file is written under another name first and then renamed, so "
        "nobody sees half of it. Writing the same again changes nothing, and a repeated attempt "
        "to append looks whether the one before has done it."
    ),
    example="""\
flow: export-orders
input: {required: [orders], properties: {orders: {type: array}}}
nodes:
  table: {type: csv.write, params: {rows: "${input.orders}"}, next: save}
  save:
    type: file.write
    params:
      path: out/orders.csv
      content: ${nodes.table.output.text}
      mode: replace
      folders: true
""",
    params=WriteParams,
    result=WriteResult,
    handler=write,
    errors=(*_ERRORS, FILE_EXISTS),
    retry=_RETRY,
    attempt_timeout=600,
    heartbeat=30,
)

FILE_LIST = declare(
    name="file.list",
    summary="List files on the worker's machine",
    description=f"{_WHERE}Only files are listed, no folders and no links.",
    example="""\
flow: import-all
nodes:
  find: {type: file.list, params: {path: in, match: "*.csv"}, next: read}
  read:
    type: file.read
    foreach: ${nodes.find.output.files}
    params: {path: "${item.path}"}
output: "${[file.text for file in nodes.read.output]}"
""",
    params=ListParams,
    result=ListResult,
    handler=list_,
    errors=_ERRORS,
    retry=_RETRY,
    attempt_timeout=60,
)

NODE_TYPES: tuple[AnyImplementation, ...] = (FILE_READ, FILE_WRITE, FILE_LIST)
