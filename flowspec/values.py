"""What a value is: JSON, or something opaque that stands for JSON kept elsewhere."""

from __future__ import annotations

from typing import TypeAlias

from typing_extensions import TypeAliasType

Json = TypeAliasType("Json", "bool | int | float | str | list[Json] | dict[str, Json] | None")
JsonObject: TypeAlias = dict[str, Json]

__all__ = ["Json", "JsonObject", "NeedsWorker", "Opaque"]


class Opaque:
    """A value only an activity worker can load.

    An expression may hand it on whole; looking inside raises `NeedsWorker`. It may stand
    wherever a value may, and wherever one may be that lists and objects hold.
    """

    __slots__ = ()

    @property
    def may_be_null(self) -> bool:
        """Whether the value may be null: False only if that is known without loading it."""
        return True

    def part(self, start: int, stop: int | None = None) -> Opaque:
        """The item at a position of a list that is kept elsewhere, or the items from `start` up
        to `stop`. Both lie within the list."""
        raise NotImplementedError


class NeedsWorker(Exception):
    """The expression needs a value that workflow code must not load."""
