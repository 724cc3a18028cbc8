"""What every mapping of a flow document has in common."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

__all__ = ["Strict"]


class Strict(BaseModel):
    """Has no keys but its own, takes no value for another, and does not change."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)
