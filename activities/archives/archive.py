"""Node types `archive.create` and `archive.extract`: files put into a zip or tar, and out of it."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field
from typing_extensions import TypedDict

from activities.attempt import Attempt
from activities.blobs import Blob, Kept
from activities.declaration import AnyImplementation, Params, declare
from activities.pieces import CONTENT_TOO_LARGE
from flowspec.catalogue import ErrorType, RetryDefaults

__all__ = [
    "INVALID_ARCHIVE",
    "NODE_TYPES",
    "UNSAFE_ARCHIVE",
    "CreateParams",
    "CreateResult",
    "Entry",
    "ExtractParams",
    "ExtractResult",
]

MOST_FILES = 10_000

INVALID_ARCHIVE = ErrorType(
    name="InvalidArchive",
    permanent=True,
    meaning="It is not such an archive, is damaged, or encrypted",
)
UNSAFE_ARCHIVE = ErrorType(
    name="UnsafeArchive",
    permanent=True,
    meaning="A name leads out of the archive (`../`, `/etc/…`), is there twice, or is no file's",
)


class CreateParams(Params):
    """What goes into the archive."""

    files: dict[str, Blob] = Field(min_length=1, max_length=MOST_FILES)
    """Contents by name, such as `reports/may.csv`: text, bytes that were kept by `save`, however
    large, or any other value as its JSON."""
    format: Literal["zip", "tar.gz"] = "zip"
    """What kind of archive."""


class CreateResult(TypedDict):
    """The archive."""

    archive: Annotated[
        Kept, Field(description="The archive in the object store; hand it on whole as a `body`")
    ]
    bytes: Annotated[int, Field(description="Its size")]
    count: Annotated[int, Field(description="How many files are in it")]


class ExtractParams(Params):
    """What to take out of what."""

    content: Blob
    """The archive, as kept by `save`."""
    format: Literal["auto", "zip", "tar", "tar.gz"] = "auto"
    """What kind of archive; `auto` looks at how it begins."""
    include: list[str] = Field(default_factory=list, max_length=100)
    """Take only names like one of these, such as `*.csv` or `data/*`; `*` stands for slashes as
    well. Left out, all."""
    max_files: int = Field(default=1_000, ge=1, le=MOST_FILES)
    """The most files that are taken out."""
    max_bytes: int = Field(default=1_000_000_000, ge=1)
    """The most bytes they may have together, and the archive too, unpacked or not: it rests in
    the worker's temporary folder."""


class Entry(TypedDict):
    """One file out of an archive."""

    name: Annotated[str, Field(description="Its name, with `/` between folders")]
    bytes: Annotated[int, Field(description="Its size")]
    content: Annotated[
        str | Kept,
        Field(description="Text, if it is text in UTF-8; else bytes in the object store"),
    ]


class ExtractResult(TypedDict):
    """What was taken out."""

    files: Annotated[list[Entry], Field(description="The files, in the order of the archive")]
    count: int
    bytes: Annotated[int, Field(description="Their sizes together")]


async def create(params: CreateParams, attempt: Attempt) -> CreateResult:
    from activities.archives.making import made

    return await made(params, attempt)


async def extract(params: ExtractParams, attempt: Attempt) -> ExtractResult:
    from activities.archives.opening import opened

    return await opened(params, attempt)


ARCHIVE_CREATE = declare(
    name="archive.create",
    summary="Put files into a zip or tar.gz",
    description=(
        "Nothing is held in memory; the archive rests in the worker's temporary folder until it is "
        "in the store, up to 10 GB. The same files give the same archive, byte for byte: every "
        "file has the date 1980-01-01."
    ),
    example="""\
flow: pack
input: {required: [rows], properties: {rows: {type: array}}}
nodes:
  table: {type: csv.write, params: {rows: "${input.rows}"}, next: pack}
  pack:
    type: archive.create
    params:
      files:
        people.csv: ${nodes.table.output.text}
        people.json: ${input.rows}
output: ${nodes.pack.output.bytes}
""",
    params=CreateParams,
    result=CreateResult,
    handler=create,
    errors=(UNSAFE_ARCHIVE, CONTENT_TOO_LARGE),
    retry=RetryDefaults(attempts=3),
    attempt_timeout=600,
    heartbeat=30,
)

ARCHIVE_EXTRACT = declare(
    name="archive.extract",
    summary="Take files out of a zip, tar or tar.gz",
    description=(
        "Nothing is written to folders. Names that lead out of the archive, links, devices and "
        "encrypted files end it with an error, and so does an archive that unpacks to more than "
        "`max_files` or `max_bytes`. Text of up to 64 KB is in the output, the rest in the object "
        "store. Heartbeats tell how many `files` are out."
    ),
    example="""\
flow: unpack
input: {required: [url], properties: {url: {type: string}}}
nodes:
  get: {type: http.request, params: {url: "${input.url}", save: true}, next: unpack}
  unpack:
    type: archive.extract
    params: {content: "${nodes.get.output.body}", include: ["*.csv"]}
    next: read
  read:
    type: csv.read
    foreach: ${nodes.unpack.output.files}
    params: {content: "${item.content}"}
output: "${[table.count for table in nodes.read.output]}"
""",
    params=ExtractParams,
    result=ExtractResult,
    handler=extract,
    errors=(INVALID_ARCHIVE, UNSAFE_ARCHIVE, CONTENT_TOO_LARGE),
    retry=RetryDefaults(attempts=3),
    attempt_timeout=600,
    heartbeat=30,
)

NODE_TYPES: tuple[AnyImplementation, ...] = (ARCHIVE_CREATE, ARCHIVE_EXTRACT)
