"""What a plain YAML scalar means, by the core rules of YAML 1.2: `on` is text, `017` is 17."""

from __future__ import annotations

import math
import re
from typing import Literal

from flowspec.values import Json

__all__ = ["ScalarRefused", "read_plain"]

_WORDS: dict[str, Json] = {
    "": None,
    **dict.fromkeys(("null", "Null", "NULL", "~")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_INTEGER = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+", re.ASCII)
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?", re.ASCII)
_NOT_FINITE = re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)", re.ASCII)
_NUMERIC_START = tuple("+-.0123456789")
_LONGEST_INTEGER = 64
"""Characters; longer ones are out of range, whatever they are, and are not worth converting."""


class ScalarRefused(Exception):
    """YAML has such a number, but JSON has not."""

    def __init__(self, reason: Literal["not finite", "too long"]) -> None:
        super().__init__(reason)
        self.reason = reason


def read_plain(text: str) -> Json:
    """The value of a scalar written without quotes; raises `ScalarRefused`."""
    if text in _WORDS:
        return _WORDS[text]
    if not text.startswith(_NUMERIC_START):
        return text
    if _INTEGER.fullmatch(text):
        return _integer(text)
    if _FLOAT.fullmatch(text):
        number = float(text)
        if math.isinf(number):
            raise ScalarRefused("not finite")
        return number
    if _NOT_FINITE.fullmatch(text):
        raise ScalarRefused("not finite")
    return text


def _integer(text: str) -> int:
    if len(text) > _LONGEST_INTEGER:
        raise ScalarRefused("too long")
    number = int(text, {"0o": 8, "0x": 16}.get(text[:2], 10))
    if not -(2**63) <= number < 2**63:
        raise ScalarRefused("too long")
    return number
