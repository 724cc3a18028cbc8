"""The claim check as activities use it: values put away, and put back."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import structlog
from pydantic_core import to_json
from temporalio import activity
from temporalio.api.common.v1 import Payload

from claimcheck.claim import Claim
from claimcheck.cloakroom import Cloakroom
from claimcheck.errors import ClaimCheckError, ClaimInvalid, StoreUnavailable
from claimcheck.joining import join
from claimcheck.payloads import CLAIMS, json_of, payload_of
from claimcheck.pointers import part_of
from claimcheck.values import keep, load_all, open_whole, skeleton, stow
from flowspec.values import Json, Opaque

__all__ = ["Claims", "FlowClaim"]

T = TypeVar("T")

_LARGEST_DETAIL = 64 * 1024
_LEAST_TIME = 0.5
_LONGEST_PAUSE = 5.0
_LEFT_OVER = timedelta(seconds=2)
"""What is left of an attempt's time to tell Temporal how it ended."""

_BYTES = {"encoding": "binary/plain"}
_DEEPEST = 20

_logger = structlog.stdlib.get_logger(__name__)


class FlowClaim(Claim, Opaque):
    """A claim where flows handle values, which are JSON: to them, bytes are text in base64."""

    __slots__ = ()

    @property
    def means_json(self) -> bool:
        return not self.is_json

    @property
    def may_be_null(self) -> bool:
        if not self.is_json:
            return False
        return bool(self.at) or CLAIMS in self.metadata or self.size <= len("null")

    def part(self, start: int, stop: int | None = None) -> FlowClaim:
        return self.inside(start if stop is None else (start, stop))


class Claims:
    """Used inside an activity, whose workflow owns what is put away."""

    def __init__(self, cloakroom: Cloakroom) -> None:
        self.cloakroom = cloakroom

    async def loaded(self, value: Any) -> Any:
        """The JSON with everything it claims in its place. Raises `ClaimCheckError`.

        In time to say so if it takes longer than the attempt may: what has been asked for still
        comes, for the next one.
        """
        left = (_attempt_ends() - datetime.now(UTC)).total_seconds()
        try:
            async with asyncio.timeout(max(left, _LEAST_TIME)):
                return (await load_all(self.cloakroom, [value]))[0]
        except TimeoutError:
            raise StoreUnavailable(
                "the object store is too slow for the attempt_timeout of this node"
            ) from None

    async def opened(self, value: Any) -> Any:
        """The JSON itself where a claim stands for the whole of it; claims inside stay claims."""
        return await open_whole(self.cloakroom, value, FlowClaim)

    async def followed(self, claim: Claim) -> Any:
        """Where the claim leads in the end: to all the bytes of one blob, as a claim for them, or
        to JSON that has been put together, with everything it claims in its place."""
        for _ in range(_DEEPEST):
            if CLAIMS not in claim.metadata:
                return await self.loaded(claim) if claim.at else claim
            data = await self.cloakroom.redeem(claim)
            value = part_of(_json(payload_of(data, claim.metadata)), claim.at)
            if not isinstance(value, Claim):
                return await self.loaded(value)
            claim = value
        raise ClaimInvalid(f"claims inside claims are {_DEEPEST} deep at most")

    async def stream(self, claim: Claim) -> AsyncGenerator[bytes, None]:
        """The bytes of the blob, as `Cloakroom.stream` gives them."""
        async with aclosing(self.cloakroom.stream(claim)) as pieces:
            async for piece in pieces:
                yield piece

    async def stowed(self, value: Json) -> Any:
        """The JSON with claims for its large parts, or one for the whole."""
        workflow_id = _workflow_id()
        return await patiently(lambda: stow(self.cloakroom, value, workflow_id=workflow_id))

    async def kept(self, value: Json) -> Any:
        """A claim for the JSON, however small."""
        workflow_id = _workflow_id()
        return await patiently(lambda: keep(self.cloakroom, value, workflow_id=workflow_id))

    async def joined(self, parts: list[Any]) -> Claim:
        """A claim for the list of all items of these lists, or of those that they claim; one of
        them is in memory at a time."""
        workflow_id = _workflow_id()
        return await patiently(lambda: join(self.cloakroom, parts, workflow_id=workflow_id))

    async def kept_stream(self, pieces: AsyncIterator[bytes]) -> Claim:
        """A claim for bytes that come in pieces and need not fit into memory."""
        return await self.cloakroom.deposit_stream(
            pieces, workflow_id=_workflow_id(), metadata=_BYTES, putting=patiently
        )

    async def detail(self, value: Json) -> Any:
        """The JSON as a detail of a failure: put away only if it is very large, for flows that
        look into errors should find what they look for; left out if even that cannot be done."""
        try:
            large = len(to_json(value)) > _LARGEST_DETAIL
            return await self.kept(value) if large else value
        except ClaimCheckError:
            return "left out: too large, and the object store is away"

    def shown(self, claim: Claim, value: Json) -> Any:
        """The value a claim stands for, its large parts as claims for parts of the same blob."""
        return skeleton(claim, value, self.cloakroom.threshold)


async def patiently(work: Callable[[], Awaitable[T]]) -> T:
    """Do it again for as long as the store is away and the attempt may last.

    What an attempt has done must not be lost, nor done twice, because a store is away for a
    while. Raises `ClaimCheckError` once there is no time left, or at once for what does not pass.
    """
    ends = _attempt_ends()
    pause = 0.2
    while True:
        try:
            return await work()
        except ClaimCheckError as error:
            if not error.passing or datetime.now(UTC) + timedelta(seconds=pause) > ends:
                raise
            _logger.warning("store away, trying again", error=str(error), seconds=round(pause, 1))
        await asyncio.sleep(pause * random.uniform(0.8, 1.2))
        pause = min(pause * 2, _LONGEST_PAUSE)


def _json(payload: Payload) -> Any:
    try:
        return json_of(payload)
    except ValueError as error:
        raise ClaimInvalid(f"the value of the claim is no JSON: {error}") from None


def _attempt_ends() -> datetime:
    info = activity.info()
    lasts = info.start_to_close_timeout or info.schedule_to_close_timeout
    return info.started_time + (lasts or timedelta(minutes=1)) - _LEFT_OVER


def _workflow_id() -> str:
    workflow_id = activity.info().workflow_id
    assert workflow_id is not None, "an activity of a flow is always started by its run"
    return workflow_id
