"""What a node gives back: plain JSON, without secrets, small enough to travel."""

from __future__ import annotations

import json
from typing import Any

from pydantic import TypeAdapter
from pydantic_core import PydanticSerializationError, to_jsonable_python

from activities.declaration import Acted, AnyImplementation
from activities.errors import INVALID_RESULT, TOO_LARGE, NodeFailed
from activities.redaction import Redactor
from flowspec.values import Json, JsonObject

__all__ = ["MAX_RESULT_BYTES", "ResultWriter"]

MAX_RESULT_BYTES = 1_900_000
"""Temporal refuses 2 MB; the rest is for what it wraps around."""


class ResultWriter:
    """Turns what one node type's handler returns into what the interpreter reads."""

    def __init__(self, implementation: AnyImplementation) -> None:
        self._adapter: TypeAdapter[Any] = TypeAdapter(implementation.result)
        self._actions = implementation.node_type.actions

    def write(self, returned: object, *, node: str, redactor: Redactor) -> JsonObject:
        """`{output, action}`; fails with `InvalidResult` or `TooLarge`."""
        action = returned.action if isinstance(returned, Acted) else None
        output = returned.output if isinstance(returned, Acted) else returned
        if action is not None and action not in self._actions:
            raise NodeFailed(INVALID_RESULT, f"the action {action!r} is not one it declares")
        result: JsonObject = {"output": redactor.value(self._plain(output)), "action": action}
        _check_size(result, node)
        return result

    def _plain(self, output: object) -> Json:
        try:
            dumped = self._adapter.dump_python(output, by_alias=True, warnings="error")
            plain: Json = to_jsonable_python(dumped, inf_nan_mode="constants")
        except PydanticSerializationError as error:
            raise NodeFailed(
                INVALID_RESULT, f"the result is not what the node type declares: {error}"
            ) from error
        return plain


def _check_size(result: JsonObject, node: str) -> None:
    try:
        text = json.dumps(result, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
        size = len(text.encode())
    except (TypeError, ValueError, RecursionError) as error:
        raise NodeFailed(INVALID_RESULT, f"the result is not JSON: {error}") from error
    if size > MAX_RESULT_BYTES:
        raise NodeFailed(
            TOO_LARGE,
            f"the result of node {node!r} is {size} bytes and {MAX_RESULT_BYTES} is the most: let "
            "it return less, or keep the data elsewhere and return where it is",
            details={"bytes": size, "limit": MAX_RESULT_BYTES},
        )
