"""What a node gives back: plain JSON without secrets, with claims for what it has kept."""

from __future__ import annotations

import json
from functools import cached_property
from typing import Any

from pydantic import TypeAdapter
from pydantic_core import PydanticSerializationError, to_jsonable_python

from activities.blobs import Kept
from activities.declaration import Acted, AnyImplementation
from activities.errors import INVALID_RESULT, NodeFailed
from activities.redaction import Redactor
from activities.standins import StandIns
from flowspec.values import Json, JsonObject

__all__ = ["ResultWriter"]


class ResultWriter:
    """Turns what one node type's handler returns into what the interpreter reads."""

    def __init__(self, implementation: AnyImplementation) -> None:
        self._result = implementation.result
        self._actions = implementation.node_type.actions

    @cached_property
    def _adapter(self) -> TypeAdapter[Any]:
        return TypeAdapter(self._result)

    def write(self, returned: object, *, redactor: Redactor) -> JsonObject:
        """`{output, action}`; fails with `InvalidResult`."""
        action = returned.action if isinstance(returned, Acted) else None
        output = returned.output if isinstance(returned, Acted) else returned
        if action is not None and action not in self._actions:
            raise NodeFailed(INVALID_RESULT, f"the action {action!r} is not one it declares")
        stand_ins = StandIns()
        plain = stand_ins.put_back(self._plain(output, stand_ins))
        return {"output": redactor.value(plain), "action": action}

    def _plain(self, output: object, stand_ins: StandIns) -> Json:
        def stand_in(other: object) -> str:
            if isinstance(other, Kept):
                return stand_ins.text_for(other.claim)
            raise PydanticSerializationError(f"a {type(other).__name__} cannot be written as JSON")

        try:
            dumped = self._adapter.dump_python(output, by_alias=True, warnings="error")
            plain: Json = to_jsonable_python(dumped, inf_nan_mode="constants", fallback=stand_in)
        except PydanticSerializationError as error:
            raise NodeFailed(
                INVALID_RESULT, f"the result is not what the node type declares: {error}"
            ) from error
        _refuse_what_is_no_json(plain)
        return plain


def _refuse_what_is_no_json(plain: Json) -> None:
    """A number that is none, or half of a character: other readers would stumble over it."""
    try:
        json.dumps(plain, ensure_ascii=False, allow_nan=False).encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise NodeFailed(INVALID_RESULT, f"the result is not JSON: {error}") from error
