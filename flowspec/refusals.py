"""What is wrong with a value of a flow document, told by an error that teaches."""

from __future__ import annotations

import re

from pydantic_core import PydanticCustomError

from flowspec.values import Json
from flowspec.wording import describe

__all__ = ["refuse", "wrong_kind"]

_GLUED = re.compile(r"([A-Za-z_]\w*):(\S+)", re.ASCII)
"""`type:noop`, which is one word to YAML."""


def refuse(
    code: str, message: str, *, expected: str | None = None, suggestion: str | None = None
) -> PydanticCustomError:
    """A problem with the value being validated, to be raised."""
    context = {"message": message, "expected": expected, "suggestion": suggestion}
    return PydanticCustomError(code, "{message}", context)


def wrong_kind(value: Json, expected: str, suggestion: str | None = None) -> PydanticCustomError:
    glued = _GLUED.fullmatch(value) if isinstance(value, str) else None
    if glued is not None and "mapping" in expected:
        suggestion = f"{glued[1]}: {glued[2]}"
    advice = f"; write {suggestion}" if suggestion else ""
    return refuse(
        "FR203",
        f"expected {expected}, found {describe(value)}{advice}",
        expected=expected,
        suggestion=suggestion,
    )
