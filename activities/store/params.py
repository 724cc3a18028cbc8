"""Parameters and results of the node types `store.*`."""

from __future__ import annotations

from typing import Annotated, NotRequired, Self

from pydantic import Field, model_validator
from typing_extensions import TypedDict

from activities.declaration import Params
from activities.durations import PositiveSeconds
from activities.store.filters import Condition, Order
from flowspec.values import Json

__all__ = [
    "AppendParams",
    "AppendResult",
    "CompareAndSetParams",
    "CompareAndSetResult",
    "DeleteParams",
    "DeleteResult",
    "Entry",
    "GetParams",
    "GetResult",
    "IncrementParams",
    "IncrementResult",
    "ListParams",
    "ListResult",
    "QueryParams",
    "QueryResult",
    "SetParams",
    "SetResult",
    "SpaceParams",
]

_Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]{1,64}$")]
_Key = Annotated[str, Field(pattern=r"^[^\x00-\x1f\x7f]{1,256}$")]
_Prefix = Annotated[str, Field(pattern=r"^[^\x00-\x1f\x7f]{0,256}$")]


class SpaceParams(Params):
    """In which space."""

    shared: _Name | None = None
    """The name of a space that flows share, one of `FLOWRUNNER_STORE_SHARED`; left out, the
    flow's own, which no other flow sees."""


class _KeyParams(SpaceParams):
    key: _Key
    """The key: any text of up to 256 characters in one line, such as `orders/1024`."""


class GetParams(_KeyParams):
    """What to look up."""

    default: Json = None
    """What to give if there is nothing."""


class GetResult(TypedDict):
    """What is kept under the key."""

    found: bool
    value: Annotated[Json, Field(description="The value, or `default`")]
    version: Annotated[
        int | None, Field(description="A number that grows with each write; null if not found")
    ]
    expires: Annotated[str | None, Field(description="When it expires, in UTC; null for never")]


class SetParams(_KeyParams):
    """What to keep."""

    value: Json
    """Any JSON of up to 256 KB."""
    ttl: PositiveSeconds | None = None
    """How long to keep it, such as `1h`; left out, for good."""


class SetResult(TypedDict):
    """What was written."""

    version: Annotated[int, Field(description="A number that grows with each write")]
    created: Annotated[bool, Field(description="Whether there was nothing before")]


class DeleteParams(_KeyParams):
    """What to delete."""


class DeleteResult(TypedDict):
    """What was done."""

    deleted: Annotated[bool, Field(description="Whether there was anything")]


class IncrementParams(_KeyParams):
    """What to add."""

    by: int | float = 1
    """How much; less than 0 to take away."""
    start: int | float = 0
    """What it is added to if there is nothing yet."""
    ttl: PositiveSeconds | None = None
    """How long to keep the number, from when the key is made: later writes leave that as it is."""


class IncrementResult(TypedDict):
    """The number after it."""

    value: Annotated[int | float, Field(description="The sum")]
    version: Annotated[int, Field(description="A number that grows with each write")]


class AppendParams(_KeyParams):
    """What to append."""

    value: Json
    """The item to append."""
    limit: int | None = Field(default=None, ge=1)
    """How many items to keep: the last ones."""
    unique: bool = False
    """Not if the list has such an item already."""
    ttl: PositiveSeconds | None = None
    """How long to keep the list, from when the key is made: later writes leave that as it is."""


class AppendResult(TypedDict):
    """The list after it."""

    length: Annotated[int, Field(description="How many items it has")]
    appended: Annotated[bool, Field(description="False if `unique` kept it out")]
    version: Annotated[int, Field(description="A number that grows with each write")]


class CompareAndSetParams(_KeyParams):
    """What to keep instead of what."""

    value: Json
    """What to keep: any JSON of up to 256 KB."""
    expected: Json = None
    """The value that has to be there."""
    version: int | None = None
    """The version that has to be there."""
    absent: bool | None = None
    """`true`: there may be nothing under the key."""
    ttl: PositiveSeconds | None = None
    """How long to keep it; left out, for good."""

    @model_validator(mode="after")
    def _expects_one_thing(self) -> Self:
        if len(self.model_fields_set & {"expected", "version", "absent"}) != 1:
            raise ValueError("expected one of expected, version and absent")
        if "version" in self.model_fields_set and self.version is None:
            raise ValueError("expected a number as version, found null: absent: true is nothing")
        if self.absent is False:
            raise ValueError("expected absent to be true, or left out")
        return self


class CompareAndSetResult(TypedDict):
    """What came of it."""

    swapped: bool
    version: Annotated[
        int | None, Field(description="The version there is now; null if there is nothing")
    ]
    current: NotRequired[
        Annotated[Json, Field(description="With the action `conflict`, the value there is")]
    ]


class Entry(TypedDict):
    """An item."""

    key: str
    value: NotRequired[Json]
    version: int
    expires: str | None


class ListParams(SpaceParams):
    """What to list."""

    prefix: _Prefix = ""
    """What the keys begin with."""
    values: bool = True
    """Whether to give the values, or the keys alone."""
    limit: int = Field(default=100, ge=1, le=1_000)
    """The most items that are given."""
    cursor: _Key | None = None
    """Where to go on: the `cursor` of the list before."""


class ListResult(TypedDict):
    """Some items, in the order of their keys."""

    items: Annotated[
        list[Entry], Field(description="`key`, `value`, `version` and `expires` of each")
    ]
    cursor: Annotated[
        str | None, Field(description="For the next list, if more are left; otherwise null")
    ]


class QueryParams(SpaceParams):
    """What to look for."""

    where: list[Condition] = Field(default_factory=list, max_length=100)
    """What the values have to be: all of these hold."""
    prefix: _Prefix = ""
    """What the keys begin with: the rest is not looked at."""
    sort: list[Order] = Field(default_factory=list, max_length=8)
    """By what to sort; left out, by key."""
    limit: int = Field(default=100, ge=1, le=1_000)
    """The most items that are given."""
    cursor: Annotated[str, Field(max_length=400_000)] | None = None
    """Where to go on: the `cursor` of the query before, which was the same otherwise."""


class QueryResult(TypedDict):
    """Some items that fit."""

    items: Annotated[
        list[Entry], Field(description="`key`, `value`, `version` and `expires` of each")
    ]
    cursor: Annotated[
        str | None,
        Field(description="For the next query, if there is more to look at; otherwise null"),
    ]
