"""What happens to a flow that fails, and whom it tells of its end."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Literal, TypeAlias, cast

from pydantic import BaseModel, ConfigDict, Field

from flowspec.fields import choice, shorthand
from flowspec.values import Json, JsonObject

__all__ = ["SENDS", "Failing", "OnFailure", "WrittenCallback", "WrittenFailing"]

OnFailure: TypeAlias = Literal["cancel", "finish"]

SENDS = "webhook.send"
"""The node type whose parameters a callback takes."""

_running = choice("cancel", "finish")


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


def _expand_failing(value: Json) -> Json:
    if not isinstance(value, str):
        return value
    return {"running": cast("Callable[[Json], Json]", _running.func)(value)}


WrittenCallback: TypeAlias = Annotated[
    JsonObject | None, shorthand(lambda value: value, "a mapping with the `url` that is told")
]
WrittenFailing: TypeAlias = Annotated[
    Failing,
    shorthand(_expand_failing, "cancel, finish, or a mapping with the `url` that is told"),
]
