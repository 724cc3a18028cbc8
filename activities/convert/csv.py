"""Node types `csv.read` and `csv.write`: tables as text, and as rows."""

from __future__ import annotations

import asyncio
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator
from typing_extensions import TypedDict

from activities.attempt import Attempt
from activities.blobs import Blob
from activities.declaration import AnyImplementation, Params, declare
from activities.pieces import CONTENT_TOO_LARGE, charset_of, read_aside
from flowspec.catalogue import ErrorType, RetryDefaults
from flowspec.values import Json

__all__ = [
    "INVALID_CSV",
    "NODE_TYPES",
    "NOT_A_TABLE",
    "CsvReadParams",
    "CsvReadResult",
    "CsvWriteParams",
    "CsvWriteResult",
    "Encoding",
    "Row",
]

MOST_ROWS = 1_000_000
_MOST_BYTES = 10_000_000_000

Encoding = Literal[
    "utf-8",
    "utf-16",
    "iso-8859-1",
    "iso-8859-15",
    "windows-1250",
    "windows-1251",
    "windows-1252",
    "shift_jis",
    "euc-kr",
    "big5",
    "gb18030",
]
Row = dict[str, Json] | list[Json]
_Character = Annotated[str, Field(min_length=1, max_length=1, pattern=r"^[^\r\n]$")]

INVALID_CSV = ErrorType(
    name="InvalidCsv",
    permanent=True,
    meaning="The text is not CSV of this dialect; the message says in which line",
)
NOT_A_TABLE = ErrorType(
    name="NotATable", permanent=True, meaning="The rows do not fit the columns, or each other"
)


class Dialect(Params):
    """How the cells stand in the text."""

    delimiter: _Character = ","
    """What stands between two cells, `"\\t"` for a tab."""
    quote: _Character = '"'
    """What stands around a cell that has a delimiter, a quote or a line break in it. A quote
    inside is doubled."""

    @model_validator(mode="after")
    def _two_characters(self) -> Self:
        if self.delimiter == self.quote:
            raise ValueError("expected delimiter and quote to differ")
        return self


class CsvReadParams(Dialect):
    """What to read, and how."""

    content: Blob
    """The text, or bytes that were kept by `save`; however large."""
    encoding: Encoding | None = None
    """What bytes are to be read as. Left out: what their content type says, else UTF-8. A byte
    order mark is left away."""
    header: bool = True
    """Whether the first row names the columns."""
    columns: list[str] | None = Field(default=None, min_length=1, max_length=2_000)
    """With a header: the columns to take, in this order, which must all be there. Without one:
    what the columns are called; left out, rows are lists."""
    infer: bool = False
    """Read `12` and `-1.5` as numbers, `true` and `false` as booleans and nothing at all as null.
    What has leading zeros or more digits than a number keeps stays text. Off, all is text."""
    ragged: bool = False
    """Accept rows with fewer cells than columns: the rest is null."""
    skip: int = Field(default=0, ge=0)
    """Rows to leave out at the beginning, after the header."""
    limit: int | None = Field(default=None, ge=1, le=MOST_ROWS)
    """Rows to read at most; `more` says whether others follow. Left out, all of them, and more
    than 100,000 are an error."""


class CsvReadResult(TypedDict):
    """What was read."""

    rows: Annotated[
        list[Row],
        Field(description="Objects by column, or lists if the columns have no names"),
    ]
    columns: Annotated[list[str], Field(description="The columns' names; none without names")]
    count: Annotated[int, Field(description="How many rows there are in `rows`")]
    more: Annotated[bool, Field(description="Whether `limit` left rows out")]


class CsvWriteParams(Dialect):
    """What to write, and how."""

    rows: list[Row] = Field(max_length=MOST_ROWS)
    """The rows, all of them objects or all of them lists. Text, numbers and booleans are written
    as they are, null as nothing, other values as JSON."""
    columns: list[str] | None = Field(default=None, min_length=1, max_length=2_000)
    """The columns in order. Left out, they are the keys of all the objects, as they come. Keys
    that are no column are left out."""
    header: bool = True
    """Write the columns' names first, if they have names."""
    line_break: Literal["lf", "crlf"] = "lf"
    """What ends a line: a line feed, or with `crlf` a carriage return before it, as RFC 4180 has
    it."""
    bom: bool = False
    """Begin with a byte order mark, by which Excel knows UTF-8."""
    formulas: Literal["keep", "escape"] = "keep"
    """With `escape` an apostrophe goes before text that a spreadsheet would take for a formula:
    for tables that people open, with text from elsewhere in them."""


class CsvWriteResult(TypedDict):
    """What was written."""

    text: Annotated[str, Field(description="The table as text")]
    columns: Annotated[list[str], Field(description="The columns' names")]
    count: Annotated[int, Field(description="How many rows were written, the header not counted")]


async def read(params: CsvReadParams, _attempt: Attempt) -> CsvReadResult:
    from activities.convert.csv_tables import read_table

    encoding = params.encoding or await charset_of(params.content) or "utf-8"
    return await read_aside(
        params.content, lambda file: read_table(file, encoding, params), most=_MOST_BYTES
    )


async def write(params: CsvWriteParams, _attempt: Attempt) -> CsvWriteResult:
    from activities.convert.csv_tables import write_table

    return await asyncio.to_thread(write_table, params)


CSV_READ = declare(
    name="csv.read",
    summary="Read rows from CSV",
    description=(
        "Quotes must be right, every row must have as many cells as there are columns, and empty "
        "lines are left out. The text may have 10 GB; the rows taken from it 64 million characters "
        "and 5 million cells, so read larger tables in parts with `skip` and `limit`."
    ),
    example="""\
flow: import-people
input: {required: [url], properties: {url: {type: string}}}
nodes:
  get: {type: http.request, params: {url: "${input.url}", save: true}, next: rows}
  rows:
    type: csv.read
    params:
      content: ${nodes.get.output.body}
      delimiter: ";"
      encoding: windows-1252
      columns: [Name, Email]
output: ${nodes.rows.output.rows}
""",
    params=CsvReadParams,
    result=CsvReadResult,
    handler=read,
    errors=(INVALID_CSV, CONTENT_TOO_LARGE),
    retry=RetryDefaults(attempts=3),
    attempt_timeout=300,
    heartbeat=30,
)

CSV_WRITE = declare(
    name="csv.write",
    summary="Write rows as CSV",
    description="A large text goes into the object store by itself.",
    example="""\
flow: export-people
input: {required: [people], properties: {people: {type: array}}}
nodes:
  table:
    type: csv.write
    params: {rows: "${input.people}", columns: [name, email], formulas: escape}
output: ${nodes.table.output.text}
""",
    params=CsvWriteParams,
    result=CsvWriteResult,
    handler=write,
    errors=(NOT_A_TABLE, CONTENT_TOO_LARGE),
    tier="local",
    retry=RetryDefaults(attempts=3),
    attempt_timeout=60,
)

NODE_TYPES: tuple[AnyImplementation, ...] = (CSV_READ, CSV_WRITE)
