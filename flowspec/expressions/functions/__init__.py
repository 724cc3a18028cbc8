"""Every function an expression may call."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from flowspec.expressions.function import Function
from flowspec.expressions.functions.encodings import ENCODINGS
from flowspec.expressions.functions.lists import LISTS
from flowspec.expressions.functions.numbers import CONVERSIONS, NUMBERS
from flowspec.expressions.functions.objects import OBJECTS
from flowspec.expressions.functions.patterns import PATTERNS
from flowspec.expressions.functions.presence import PRESENCE
from flowspec.expressions.functions.queries import QUERIES
from flowspec.expressions.functions.text import TEXT
from flowspec.expressions.functions.times import TIMES

__all__ = ["FUNCTIONS"]

FUNCTIONS: Mapping[str, Function] = MappingProxyType(
    {
        declared.name: declared
        for declared in (
            *PRESENCE,
            *TEXT,
            *PATTERNS,
            *NUMBERS,
            *CONVERSIONS,
            *LISTS,
            *OBJECTS,
            *TIMES,
            *ENCODINGS,
            *QUERIES,
        )
    }
)
