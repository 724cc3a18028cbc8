"""What a node shares with other runs, a lock or a rate, and whom a flow tells of its end."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Annotated, Literal, TypeAlias, cast

from pydantic import BaseModel, ConfigDict, Field

from flowspec.fields import Maybe, PositiveDuration, Text, choice, shorthand, whole
from flowspec.values import Json, JsonObject

__all__ = [
    "SENDS",
    "Failing",
    "Lock",
    "OnFailure",
    "Rate",
    "WrittenCallback",
    "WrittenFailing",
    "WrittenLock",
    "WrittenRate",
]

OnFailure: TypeAlias = Literal["cancel", "finish"]

SENDS = "webhook.send"
"""The node type whose parameters a callback takes."""

MOST_SLOTS = 1000
MOST_STARTS = 1000
"""The moments of so many starts are remembered: that many have to fit into one history."""

_running = choice("cancel", "finish")
_RATE = re.compile(r"\s*([0-9]+)\s*/\s*([0-9][0-9.]*)?\s*(ms|s|m|h|d|w)\s*", re.ASCII)


class _Shape(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Lock(_Shape):
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


class Rate(_Shape):
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


class Failing(BaseModel):
    """What happens when a flow fails: to nodes that still run, and who is told."""

    model_config = ConfigDict(extra="allow", strict=True, frozen=True)

    running: Annotated[OnFailure, _running] = Field(
        default="cancel", description="What happens to nodes that still run: cancel or finish"
    )

    @property
    def callback(self) -> JsonObject | None:
        """The parameters of the webhook; None if nobody is told."""
        return self.model_extra or None


def _expand_lock(value: Json) -> Json:
    return {"name": value} if isinstance(value, str) else value


def _expand_rate(value: Json) -> Json:
    found = _RATE.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        return value
    return {"limit": int(found[1]), "per": f"{found[2] or 1}{found[3]}"}


def _expand_failing(value: Json) -> Json:
    if not isinstance(value, str):
        return value
    return {"running": cast("Callable[[Json], Json]", _running.func)(value)}


WrittenLock: TypeAlias = Annotated[
    Lock | None, shorthand(_expand_lock, "the name of a lock, or a mapping with `name`")
]
WrittenRate: TypeAlias = Annotated[
    Rate | None,
    shorthand(_expand_rate, "a rate such as 10/s, or a mapping with `limit` and `per`"),
]
WrittenCallback: TypeAlias = Annotated[
    JsonObject | None, shorthand(lambda value: value, "a mapping with the `url` that is told")
]
WrittenFailing: TypeAlias = Annotated[
    Failing,
    shorthand(_expand_failing, "cancel, finish, or a mapping with the `url` that is told"),
]
