"""What a value is: JSON, or something opaque that stands for JSON kept elsewhere."""

from __future__ import annotations

from typing import TypeAlias

from typing_extensions import TypeAliasType

Json = TypeAliasType("Json", "bool | int | float | str | list[Json] | dict[str, Json] | None")
JsonObject: TypeAlias = dict[str, Json]

__all__ = ["Json", "JsonObject", "NeedsWorker", "Opaque"]


class Opaque:
    """A value only an activity worker can load.

    An expression may hand it on whole; looking inside raises `NeedsWorker`.
    """


class NeedsWorker(Exception):
    """The expression needs a value that workflow code must not load."""
