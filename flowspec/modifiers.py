"""What a node is told beside its parameters: to try again, to go over a list, to hold a lock."""

from __future__ import annotations

import re
from typing import Annotated, Self, TypeAlias

from pydantic import Field, model_validator

from flowspec.fields import (
    Attempts,
    Condition,
    Duration,
    Items,
    JsonValue,
    Limit,
    Maybe,
    PositiveDuration,
    Text,
    Tolerance,
    Tolerated,
    number,
    shorthand,
    whole,
)
from flowspec.names import ErrorTypes, ItemName
from flowspec.refusals import refuse
from flowspec.strict import Strict
from flowspec.values import Json

__all__ = [
    "Cache",
    "Foreach",
    "Lock",
    "Rate",
    "Repeat",
    "Retry",
    "WrittenCache",
    "WrittenForeach",
    "WrittenLock",
    "WrittenRate",
    "WrittenRepeat",
    "WrittenRetry",
]

MOST_SLOTS = 1000
MOST_STARTS = 1000
"""The moments of so many starts are remembered: that many have to fit into one history."""

_RATE = re.compile(r"\s*([0-9]+)\s*/\s*([0-9][0-9.]*)?\s*(ms|s|m|h|d|w)\s*", re.ASCII)


class Retry(Strict):
    """What was written of a `retry`; None is what was not."""

    attempts: Maybe[Attempts] = Field(
        default=None, description="How often to try in all, or unlimited"
    )
    interval: Maybe[PositiveDuration] = Field(
        default=None, description="The pause before the second attempt"
    )
    factor: Maybe[Annotated[float, number(1)]] = Field(
        default=None, description="How much longer each pause is than the one before"
    )
    max_interval: Maybe[PositiveDuration] = Field(
        default=None, description="The longest pause between two attempts"
    )
    jitter: Maybe[Annotated[float, number(0, 1)]] = Field(
        default=None, description="By which share a pause may be longer or shorter, from 0 to 1"
    )
    only: Maybe[ErrorTypes] = Field(
        default=None, description="Try again only after errors of these types"
    )
    never: Maybe[ErrorTypes] = Field(
        default=None, description="Never try again after errors of these types"
    )

    def over(self, defaults: Retry | None) -> Retry:
        """This one, with what it leaves out taken from `defaults`."""
        if defaults is None:
            return self
        return defaults.model_copy(
            update={name: getattr(self, name) for name in self.model_fields_set}
        )


class Foreach(Strict):
    """Run the node once per item. `items` is a list, a mapping, or a template that gives one."""

    items: Items = Field(alias="in", description="The items: a list, or a template that gives one")
    name: ItemName = Field(
        default="item", alias="as", description="What expressions call the item; `item` if left out"
    )
    concurrency: Annotated[int, whole(1, 1000)] = Field(
        default=10, description="How many items are worked on at once; 10 if left out"
    )
    tolerate: Tolerated = Field(
        default=Tolerance(),
        description='How many items may fail, or which share, such as "10%"; none if left out',
    )
    batch: Maybe[Annotated[int, whole(1)]] = Field(
        default=None, description="Hand over this many items at once, as a list"
    )


class Repeat(Strict):
    """Run the node again and again; exactly one of `until` and `while` is there."""

    until: Maybe[Condition] = Field(default=None, description="Go on until this holds")
    while_: Maybe[Condition] = Field(
        default=None, alias="while", description="Go on as long as this holds"
    )
    every: Duration = Field(default=0.0, description="The pause between two rounds")
    limit: Limit = Field(
        default=1000, description="How many rounds at most, or unlimited; 1000 if left out"
    )

    @model_validator(mode="after")
    def _one_condition(self) -> Self:
        if (self.until is None) == (self.while_ is None):
            given = "this one has both" if self.until is not None else "this one has neither"
            raise refuse("FR212", f"a repeat has either `until` or `while`; {given}")
        return self

    @property
    def condition(self) -> str | bool:
        """What is evaluated after each round."""
        return self.until if self.until is not None else self.while_ or False

    @property
    def is_until(self) -> bool:
        return self.until is not None


class Cache(Strict):
    """Keep the node's output. `key` None means the resolved parameters."""

    key: JsonValue = Field(
        default=None, description="What the output depends on; the params if left out"
    )
    ttl: PositiveDuration = Field(description="How long the output is kept")


class Lock(Strict):
    """Hold a lock that runs share by its name while the node runs."""

    name: Text = Field(description="What runs share it by, in the whole namespace; a template")
    slots: Annotated[int, whole(1, MOST_SLOTS)] = Field(
        default=1, description="How many may hold it at once; 1 if left out"
    )
    expires: Maybe[PositiveDuration] = Field(
        default=None, description="The node fails with LockExpired if it has held it so long"
    )
    wait: Maybe[PositiveDuration] = Field(
        default=None, description="The node fails with LockTimeout if it waits longer for it"
    )


class Rate(Strict):
    """Start no more often than so, together with every run that shares the name."""

    name: Maybe[Text] = Field(
        default=None,
        description="What runs share it by, in the whole namespace; this node of this flow if left "
        "out",
    )
    limit: Annotated[int, whole(1, MOST_STARTS)] = Field(
        description="How many starts are possible within `per`"
    )
    per: PositiveDuration = Field(description="The time in which they are counted")


def _expand_retry(value: Json) -> Json:
    plain = isinstance(value, (int, str)) and not isinstance(value, bool)
    return {"attempts": value} if plain else value


def _expand_foreach(value: Json) -> Json:
    return {"in": value} if isinstance(value, (str, list)) else value


def _expand_cache(value: Json) -> Json:
    plain = isinstance(value, (int, float, str)) and not isinstance(value, bool)
    return {"ttl": value} if plain else value


def _expand_lock(value: Json) -> Json:
    return {"name": value} if isinstance(value, str) else value


def _expand_rate(value: Json) -> Json:
    found = _RATE.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        return value
    return {"limit": int(found[1]), "per": f"{found[2] or 1}{found[3]}"}


WrittenRetry: TypeAlias = Annotated[
    Retry | None, shorthand(_expand_retry, "how often to try in all, or a mapping")
]
WrittenForeach: TypeAlias = Annotated[
    Foreach | None,
    shorthand(_expand_foreach, "a list, a template that gives one, or a mapping with `in`"),
]
WrittenCache: TypeAlias = Annotated[
    Cache | None, shorthand(_expand_cache, "how long to keep the output, or a mapping with `ttl`")
]
WrittenRepeat: TypeAlias = Annotated[
    Repeat | None, shorthand(lambda value: value, "a mapping with `until` or `while`")
]
WrittenLock: TypeAlias = Annotated[
    Lock | None, shorthand(_expand_lock, "the name of a lock, or a mapping with `name`")
]
WrittenRate: TypeAlias = Annotated[
    Rate | None,
    shorthand(_expand_rate, "a rate such as 10/s, or a mapping with `limit` and `per`"),
]
