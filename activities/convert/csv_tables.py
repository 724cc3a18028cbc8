"""Between CSV and rows."""

from __future__ import annotations

import csv
import io
import json
import math
import re
from collections import Counter
from collections.abc import Iterator
from itertools import islice
from typing import TYPE_CHECKING, BinaryIO, Final

from activities.convert.csv import (
    INVALID_CSV,
    NOT_A_TABLE,
    CsvReadParams,
    CsvReadResult,
    CsvWriteParams,
    CsvWriteResult,
    Row,
)
from activities.errors import INVALID_PARAMS, NodeFailed
from activities.pieces import CONTENT_TOO_LARGE
from flowspec.values import Json
from flowspec.wording import did_you_mean, listed, nearest

if TYPE_CHECKING:
    from _csv import Reader as _Reader

__all__ = ["read_table", "write_table"]

_MOST_UNASKED: Final = 100_000
_MOST_CHARACTERS: Final = 64_000_000
_MOST_CELLS: Final = 5_000_000
_LONGEST_CELL: Final = 10_000_000
_MOST_COLUMNS: Final = 2_000
_SHOWN: Final = 10
_INTEGER: Final = re.compile(r"-?(?:0|[1-9][0-9]{0,17})")
_DECIMAL: Final = re.compile(r"-?(?:0|[1-9][0-9]{0,15})(?:\.[0-9]{1,15})?(?:[eE][-+]?[0-9]{1,3})?")
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")
_NUMBER: Final = re.compile(r"[-+]?[0-9.,]+")


def read_table(file: BinaryIO, encoding: str, params: CsvReadParams) -> CsvReadResult:
    csv.field_size_limit(_LONGEST_CELL)
    text = _as_text(file, encoding)
    try:
        reader = csv.reader(
            _lines(text), delimiter=params.delimiter, quotechar=params.quote, strict=True
        )
        return _told(reader, encoding, params)
    finally:
        text.detach()


def _as_text(file: BinaryIO, encoding: str) -> io.TextIOWrapper:
    """Cells may have line breaks in them, so none is changed."""
    codec = "utf-8-sig" if encoding.lower() in ("utf-8", "utf8") else encoding
    try:
        return io.TextIOWrapper(file, codec, newline="")
    except LookupError as error:
        raise NodeFailed(
            INVALID_CSV, f"there is no encoding {encoding!r}; `encoding` says another"
        ) from error


def _lines(text: io.TextIOWrapper) -> Iterator[str]:
    while line := text.readline(_LONGEST_CELL):
        if len(line) == _LONGEST_CELL:
            raise NodeFailed(CONTENT_TOO_LARGE, f"a line has {_LONGEST_CELL:,} characters")
        yield line


def _told(reader: _Reader, encoding: str, params: CsvReadParams) -> CsvReadResult:
    try:
        return _read(reader, params)
    except csv.Error as error:
        raise _wrong(reader.line_num, str(error)) from error
    except UnicodeError as error:
        message = f"it is not {encoding}; `encoding` says what it is to be read as"
        raise NodeFailed(INVALID_CSV, message) from error


def _read(reader: _Reader, params: CsvReadParams) -> CsvReadResult:
    names = _header(reader, params)
    pick = _picked(names, params) if names is not None else None
    width = len(names) if names is not None else None
    rows: list[Row] = []
    count = _Count(params)
    more = False
    for cells in islice(_rows(reader, width, params), params.skip, None):
        if params.limit is not None and len(rows) == params.limit:
            more = True
            break
        row = [_inferred(cell) for cell in cells] if params.infer else list[Json](cells)
        rows.append(row if pick is None else {name: row[at] for name, at in pick.items()})
        count.add(cells)
    columns = [] if pick is None else list(pick)
    return {"rows": rows, "columns": columns, "count": len(rows), "more": more}


class _Count:
    """Ends the reading when there is too much of it."""

    def __init__(self, params: CsvReadParams) -> None:
        self._most_rows = params.limit or _MOST_UNASKED
        self._rows = self._cells = self._characters = 0

    def add(self, cells: list[str | None]) -> None:
        self._rows += 1
        self._cells += len(cells)
        self._characters += sum(len(cell) for cell in cells if cell is not None)
        self._check("rows", self._rows, self._most_rows)
        self._check("cells", self._cells, _MOST_CELLS)
        self._check("characters", self._characters, _MOST_CHARACTERS)

    def _check(self, what: str, found: int, most: int) -> None:
        if found > most:
            raise NodeFailed(
                CONTENT_TOO_LARGE,
                f"there are more than {most:,} {what}; read them in parts with skip and limit",
            )


def _rows(reader: _Reader, width: int | None, params: CsvReadParams) -> Iterator[list[str | None]]:
    for found in reader:
        if not found:
            continue
        width = len(found) if width is None else width
        if len(found) > width or (len(found) < width and not params.ragged):
            raise _wrong(reader.line_num, f"expected {width} cells, found {len(found)}")
        yield [*found, *[None] * (width - len(found))]


def _header(reader: _Reader, params: CsvReadParams) -> list[str] | None:
    if not params.header:
        return params.columns
    names: list[str] | None = next((row for row in reader if row), None)
    if names is None:
        return params.columns or []
    if len(names) > _MOST_COLUMNS:
        raise _wrong(reader.line_num, f"there are more than {_MOST_COLUMNS:,} columns")
    for name, times in Counter(names).items():
        if times > 1:
            raise _wrong(
                reader.line_num,
                f"the column {name!r} is there {times} times; with header: false, skip: 1 and "
                "columns you name them yourself",
            )
    return names


def _picked(names: list[str], params: CsvReadParams) -> dict[str, int]:
    """Where each column stands in a row."""
    places = {name: at for at, name in enumerate(names)}
    wanted = params.columns or names
    for name in wanted:
        if name not in places:
            shown = listed(names[:_SHOWN], "and")
            raise _wrong(
                1, f"there is no column {name!r}{did_you_mean(nearest(name, names))}; found {shown}"
            )
    if len(set(wanted)) < len(wanted):
        raise NodeFailed(INVALID_PARAMS, "`columns` has a name twice")
    return {name: places[name] for name in wanted}


def _inferred(cell: str | None) -> Json:
    if not cell:
        return None
    if cell in ("true", "false"):
        return cell == "true"
    if _INTEGER.fullmatch(cell):
        return int(cell)
    if _DECIMAL.fullmatch(cell) and math.isfinite(number := float(cell)):
        return number
    return cell


def _wrong(line: int, message: str) -> NodeFailed:
    line = max(line, 1)
    return NodeFailed(INVALID_CSV, f"line {line}: {message}", details={"line": line})


def write_table(params: CsvWriteParams) -> CsvWriteResult:
    columns = _columns(params)
    text = _Text("\ufeff" if params.bom else "", "\r\n" if params.line_break == "crlf" else "\n")
    # With this line break every cell that has one of the two characters is quoted.
    writer = csv.writer(
        text, delimiter=params.delimiter, quotechar=params.quote, lineterminator="\r\n"
    )
    cell = _safe_cell if params.formulas == "escape" else _cell
    if params.header and columns:
        writer.writerow([cell(name) for name in columns])
    for row in _cells(params, columns):
        writer.writerow([cell(value) for value in row])
    return {"text": "".join(text.pieces), "columns": columns, "count": len(params.rows)}


class _Text:
    """Takes a line at a time from `csv.writer`, and ends it as was asked for."""

    def __init__(self, start: str, line_break: str) -> None:
        self.pieces = [start]
        self._line_break = line_break
        self._room = 2 * _MOST_CHARACTERS

    def write(self, line: str) -> None:
        self._room -= len(line)
        if self._room < 0:
            raise NodeFailed(CONTENT_TOO_LARGE, "the table is too large; write it in parts")
        self.pieces.append(line.removesuffix("\r\n") + self._line_break)


def _columns(params: CsvWriteParams) -> list[str]:
    """All keys in the order in which they come up."""
    if params.columns is not None:
        return params.columns
    found: dict[str, None] = {}
    for row in params.rows:
        if isinstance(row, dict):
            found.update(dict.fromkeys(row))
    return list(found)


def _cells(params: CsvWriteParams, columns: list[str]) -> Iterator[list[Json]]:
    as_objects = bool(params.rows) and isinstance(params.rows[0], dict)
    for number, row in enumerate(params.rows, start=1):
        if isinstance(row, dict) != as_objects:
            raise _odd(number, "expected all rows to be objects or all to be lists, found both")
        if isinstance(row, dict):
            yield [row.get(name) for name in columns]
        elif columns and len(row) != len(columns):
            raise _odd(number, f"expected {len(columns)} cells, found {len(row)}")
        else:
            yield row


def _odd(number: int, message: str) -> NodeFailed:
    return NodeFailed(NOT_A_TABLE, f"row {number}: {message}", details={"row": number})


def _cell(value: Json) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False)


def _safe_cell(value: Json) -> str:
    text = _cell(value)
    is_formula = isinstance(value, str) and text.startswith(_FORMULA)
    return f"'{text}" if is_formula and not _NUMBER.fullmatch(text) else text
