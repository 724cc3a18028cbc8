"""What a run leaves for its next execution, made small enough for one payload of Temporal's.

Packed it measures about a tenth. The claims in it stay beside it, where the claim check sees them.
"""

from __future__ import annotations

import zlib
from base64 import b64decode, b64encode
from typing import Any, cast

from pydantic_core import from_json, to_json
from temporalio import workflow

from flowspec.values import Json, JsonObject, Opaque

__all__ = ["pack", "unpack"]

_PACKED = "packed"
_MOST = 64 * 1024 * 1024
"""What may come out again: anybody can start a workflow with something packed."""


def pack(value: JsonObject) -> JsonObject:
    mark = f"claim {workflow.uuid4()} "  # stands in no value
    claims: list[Json] = []

    def put_aside(value: Any) -> str:
        if not isinstance(value, Opaque):
            raise TypeError(f"{type(value).__name__} is no JSON")
        claims.append(cast(Json, value))
        return f"{mark}{len(claims) - 1}"

    text = zlib.compress(to_json(value, fallback=put_aside))
    return {_PACKED: b64encode(text).decode(), "mark": mark, "claims": claims}


def unpack(value: JsonObject) -> JsonObject:
    """What was packed, or the value itself; raises `ValueError` if it cannot be read."""
    if _PACKED not in value:
        return value
    try:
        reader = zlib.decompressobj()
        text = reader.decompress(b64decode(str(value[_PACKED])), _MOST)
        if not reader.eof:
            raise ValueError(f"it is cut off, or over {_MOST:,} bytes")
        mark, claims = str(value["mark"]), cast(list[Json], value["claims"])
        return cast(JsonObject, _with_claims(from_json(text), mark, claims))
    except (LookupError, TypeError, zlib.error) as error:
        raise ValueError(str(error)) from None


def _with_claims(value: Json, mark: str, claims: list[Json]) -> Json:
    if isinstance(value, dict):
        return {key: _with_claims(entry, mark, claims) for key, entry in value.items()}
    if isinstance(value, list):
        return [_with_claims(entry, mark, claims) for entry in value]
    if isinstance(value, str) and value.startswith(mark):
        return claims[int(value.removeprefix(mark))]
    return value
