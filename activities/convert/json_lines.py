"""Between JSON as text and values."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import BinaryIO, Final

from pydantic_core import from_json

from activities.convert.json import (
    INVALID_JSON,
    NOT_A_LIST,
    JsonReadParams,
    JsonReadResult,
    JsonWriteParams,
)
from activities.errors import NodeFailed
from activities.pieces import CONTENT_TOO_LARGE
from flowspec.values import Json

__all__ = ["read_lines", "read_whole", "written"]

_MOST_UNASKED: Final = 100_000
_MOST_BYTES: Final = 64_000_000
_LONGEST_LINE: Final = 10_000_000
_MARK: Final = b"\xef\xbb\xbf"


def read_whole(file: BinaryIO) -> Json:
    data = file.read(_MOST_BYTES + 1)
    if len(data) > _MOST_BYTES:
        raise NodeFailed(
            CONTENT_TOO_LARGE, f"the JSON has more than {_MOST_BYTES:,} bytes; lines may have more"
        )
    return _value(data.removeprefix(_MARK))


def read_lines(file: BinaryIO, params: JsonReadParams) -> JsonReadResult:
    values: list[Json] = []
    room = _MOST_BYTES
    most = params.limit or _MOST_UNASKED
    for place, (number, line) in enumerate(_lines(file)):
        if place < params.skip:
            continue
        if len(values) == most and params.limit is not None:
            return {"value": values, "more": True}
        room -= len(line)
        if len(values) == most or room < 0:
            what = f"{_MOST_BYTES:,} bytes" if room < 0 else f"{most:,} values"
            raise NodeFailed(
                CONTENT_TOO_LARGE,
                f"there are more than {what}; read them in parts with skip and limit",
            )
        values.append(_value(line, number))
    return {"value": values, "more": False}


def _lines(file: BinaryIO) -> Iterator[tuple[int, bytes]]:
    """Those that are not empty, by number."""
    number = 0
    while line := file.readline(_LONGEST_LINE):
        number += 1
        if len(line) == _LONGEST_LINE:
            raise NodeFailed(
                CONTENT_TOO_LARGE, f"line {number} has more than {_LONGEST_LINE:,} bytes"
            )
        line = line.removeprefix(_MARK) if number == 1 else line
        if line := line.strip():
            yield number, line


def _value(data: bytes, line: int | None = None) -> Json:
    try:
        value: Json = from_json(data, allow_inf_nan=False)
    except ValueError as error:
        where = "it is not JSON" if line is None else f"line {line} is not JSON"
        details: Json = None if line is None else {"line": line}
        raise NodeFailed(INVALID_JSON, f"{where}: {error}", details=details) from error
    return value


def written(params: JsonWriteParams) -> str:
    if not params.lines:
        return json.dumps(
            params.value,
            ensure_ascii=False,
            indent=params.indent,
            separators=None if params.indent is not None else (",", ":"),
            sort_keys=params.sort_keys,
        )
    if not isinstance(params.value, list):
        raise NodeFailed(NOT_A_LIST, "with lines: true the value has to be a list")
    encode = json.JSONEncoder(
        ensure_ascii=False, separators=(",", ":"), sort_keys=params.sort_keys
    ).encode
    return "".join(f"{encode(item)}\n" for item in params.value)
