"""The local activity that puts values away which workflow code has become too large with."""

from __future__ import annotations

import asyncio
from typing import Any

from temporalio import activity

from activities.claims import Claims
from claimcheck.interceptor import takes_claims
from claimcheck.payloads import Inline

__all__ = ["KEEP", "Keeper"]

KEEP = "flowrunner.keep"


class Keeper:
    def __init__(self, claims: Claims) -> None:
        self._claims = claims

    @activity.defn(name=KEEP)
    @takes_claims
    async def keep(self, values: Any) -> Any:
        """A list of values → a claim for each; claims inside them stay claims."""
        given = await self._claims.opened(values)
        return Inline(list(await asyncio.gather(*(self._claims.kept(value) for value in given))))
