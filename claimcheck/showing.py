"""What people are shown of payloads: as much of what they claim as can be looked at.

Nothing here fails for what somebody else has written: what cannot be shown is told in its place,
and everything beside it is shown.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from temporalio.api.common.v1 import Payload

from claimcheck.claim import Claim
from claimcheck.cloakroom import Cloakroom
from claimcheck.codec import ClaimCodec
from claimcheck.errors import BlobTooLarge, ClaimCheckError, ClaimInvalid
from claimcheck.payloads import (
    CLAIMS,
    REFERENCE,
    claim_of,
    claims_in,
    json_of,
    payload_of,
    write_json,
)
from claimcheck.pointers import part_of
from claimcheck.values import load

__all__ = ["DOWNLOAD", "GLANCE", "WHOLE", "Download", "Limits", "Showing"]

_logger = logging.getLogger(__name__)

_KILOBYTE = 1024
_MEGABYTE = 1024 * _KILOBYTE

_DEEPEST = 5
"""Claims inside the values of claims: ours are at most two deep."""

_AT_ONCE = 16
"""Values that are read from the store at the same time, for all that ask."""

_EACH = _KILOBYTE
"""What a value counts for beside its bytes: many small ones take their time, too."""

_SECONDS = 5.0
"""The longest that the values of one request are waited for; the CLI gives a page of a history 10,
and makes a request for each of its events, one after the other."""


@dataclass(frozen=True, kw_only=True)
class Limits:
    """How many bytes of claimed values one payload, and all of a request, may bring along."""

    payload: int
    request: int


GLANCE = Limits(payload=256 * _KILOBYTE, request=2 * _MEGABYTE)
"""For a page that shows many values at once and offers to download the large ones."""

WHOLE = Limits(payload=2 * _MEGABYTE, request=16 * _MEGABYTE)
"""For a caller that wants every value: as much of one as Temporal itself would hold."""

DOWNLOAD = Limits(payload=64 * _MEGABYTE, request=256 * _MEGABYTE)
"""For one value: put together in memory, and in pieces. A browser takes a download into one
text, which cannot be twice as long as this in any of them."""


@dataclass(frozen=True, kw_only=True)
class Download:
    """A payload whose bytes come in pieces; rely on none before the last has come."""

    metadata: dict[str, str]
    first: bytes
    rest: AsyncGenerator[bytes]


class Showing:
    """Decodes and encodes for people, who come without the id of a workflow."""

    def __init__(self, cloakroom: Cloakroom) -> None:
        self._cloakroom = cloakroom
        self._codec = ClaimCodec(cloakroom, role="replay")
        self._reading = asyncio.Semaphore(_AT_ONCE)

    async def encoded(self, payloads: Sequence[Payload]) -> list[Payload]:
        """Encrypted if there are keys, and never put into the store.

        Nobody says here which workflow a payload is for, so its blob would belong to none and be
        swept away while a run still needs it.
        """
        return await self._codec.encode(payloads)

    async def decoded(
        self, payloads: Sequence[Payload], *, limits: Limits, keep_references: bool
    ) -> list[Payload]:
        """As many as are given, in their order; never raises for one of them.

        With `keep_references`, a payload that stands for another one stays what it is.
        """
        room = _Room.of(limits.request)
        until = asyncio.get_running_loop().time() + _SECONDS
        return list(
            await asyncio.gather(
                *(
                    self._shown(payload, room.within(limits.payload), until, keep_references)
                    for payload in payloads
                )
            )
        )

    async def download(self, payload: Payload) -> Payload | Download:
        """What a reference stands for: in pieces, if they can be handed on as they are stored.

        Raises `ClaimCheckError`.
        """
        claim = self._claim_behind(payload)
        if not _is_plain(claim):
            return await self._sight(_Room.of(DOWNLOAD.payload)).redeemed(claim)
        if claim.size > DOWNLOAD.request:
            raise BlobTooLarge(f"the value is {_too_large(claim)}")
        pieces = self._cloakroom.stream(claim)
        assert isinstance(pieces, AsyncGenerator)
        return Download(metadata=dict(claim.metadata), first=await anext(pieces, b""), rest=pieces)

    def _claim_behind(self, payload: Payload) -> Claim:
        opened = self._codec.unsealed(payload)
        if not _is_reference(opened):
            raise ClaimInvalid("this payload is no reference to a stored value: it is all there is")
        claim = claim_of(opened)
        if claim.flaw is not None:
            raise ClaimInvalid(claim.flaw)
        return claim

    async def _shown(
        self, payload: Payload, room: _Room, until: float, keep_references: bool
    ) -> Payload:
        try:
            async with asyncio.timeout_at(until):
                opened = self._codec.unsealed(payload)
                if _is_reference(opened) and not keep_references:
                    return await self._sight(room).redeemed(claim_of(opened))
                if CLAIMS in opened.metadata and not _is_reference(opened):
                    return await self._sight(room).filled(json_of(opened))
                return opened
        except (ClaimCheckError, TimeoutError, ValueError) as error:
            return _json_payload({"note": _cannot(error)})

    def _sight(self, room: _Room) -> _Sight:
        return _Sight(self._cloakroom, room, self._reading)


class _Allowance:
    """Bytes that may still be taken, by itself and by all that share in it."""

    def __init__(self, size: int, shared: _Allowance | None = None) -> None:
        self._left = size
        self._shared = shared

    def take(self, size: int) -> bool:
        if size > self._left or not (self._shared is None or self._shared.take(size)):
            return False
        self._left -= size
        return True


@dataclass(frozen=True, kw_only=True)
class _Room:
    """What is read counts once for each blob, what is shown for each place it is shown in.

    For claims may stand for parts of one blob, and many claims in a small payload for the same.
    """

    to_read: _Allowance
    to_show: _Allowance

    @classmethod
    def of(cls, size: int) -> _Room:
        return cls(to_read=_Allowance(size), to_show=_Allowance(size))

    def within(self, size: int) -> _Room:
        return _Room(to_read=_Allowance(size, self.to_read), to_show=_Allowance(size, self.to_show))


_Blob: TypeAlias = tuple[str, int, tuple[tuple[str, str], ...]]


class _Sight:
    """One payload, and what it claims."""

    def __init__(self, cloakroom: Cloakroom, room: _Room, reading: asyncio.Semaphore) -> None:
        self._cloakroom = cloakroom
        self._room = room
        self._reading = reading
        self._values: dict[_Blob, Any] = {}
        self._problems: dict[_Blob, str] = {}

    async def redeemed(self, claim: Claim) -> Payload:
        """The payload that the claim stands for; its very bytes where that can be."""
        if not _is_plain(claim):
            return await self.filled(claim)
        if not self._room.to_read.take(claim.size):
            return _json_payload(_note(claim, _too_large(claim)))
        try:
            async with self._reading:
                return payload_of(await self._cloakroom.redeem(claim), claim.metadata)
        except ClaimCheckError as error:
            return _json_payload(_note(claim, _cannot(error)))

    async def filled(self, value: Any) -> Payload:
        """The JSON value, with what it claims in its place."""
        for _ in range(_DEEPEST):
            claims = [claim for _, claim in claims_in(value)]
            if not claims:
                break
            await self._bring(claims)
            value = _replaced(value, self._in_place_of)
        return _json_payload(value)

    async def _bring(self, claims: Iterable[Claim]) -> None:
        new = {
            blob: claim
            for claim in claims
            if (blob := _blob(claim)) not in self._values and blob not in self._problems
        }
        for blob, claim in list(new.items()):
            if not self._room.to_read.take(claim.size + _EACH):
                self._problems[blob] = _too_large(new.pop(blob))
        await asyncio.gather(*(self._read(blob, claim) for blob, claim in new.items()))

    async def _read(self, blob: _Blob, claim: Claim) -> None:
        whole = Claim(key=claim.key, size=claim.size, metadata=claim.metadata, flaw=claim.flaw)
        try:
            async with self._reading:
                self._values[blob] = await self._value(whole)
        except (ClaimCheckError, ValueError) as error:
            self._problems[blob] = _cannot(error)

    async def _value(self, whole: Claim) -> Any:
        if CLAIMS in whole.metadata:
            return json_of(payload_of(await self._cloakroom.redeem(whole), whole.metadata))
        return await load(self._cloakroom, whole)

    def _in_place_of(self, claim: Claim) -> Any:
        blob = _blob(claim)
        if blob not in self._values:
            return _note(claim, self._problems[blob])
        try:
            part = _part(self._values[blob], claim)
        except ClaimInvalid as error:
            return _note(claim, _cannot(error))
        if isinstance(part, Claim) or self._room.to_show.take(len(write_json(part)[0])):
            return part
        return _note(claim, _too_large(claim))


def _is_reference(payload: Payload) -> bool:
    return payload.metadata.get("encoding") == REFERENCE.encode()


def _is_plain(claim: Claim) -> bool:
    """Whether the stored bytes are what it stands for."""
    return not claim.at and CLAIMS not in claim.metadata and claim.flaw is None


def _blob(claim: Claim) -> _Blob:
    return claim.key, claim.size, tuple(sorted(claim.metadata.items()))


def _part(value: Any, claim: Claim) -> Any:
    """Where the way leads through another claim, that one's part: it is brought next."""
    for index, step in enumerate(claim.at):
        if isinstance(value, Claim):
            return value.inside(*claim.at[index:])
        value = part_of(value, (step,))
    return value


def _replaced(value: Any, by: Callable[[Claim], Any]) -> Any:
    """The value anew, each claim in it replaced."""
    if isinstance(value, Claim):
        return by(value)
    if isinstance(value, dict):
        return {key: _replaced(entry, by) for key, entry in value.items()}
    if isinstance(value, list):
        return [_replaced(entry, by) for entry in value]
    return value


def _json_payload(value: Any) -> Payload:
    return Payload(metadata={"encoding": b"json/plain"}, data=write_json(value)[0])


def _note(claim: Claim, words: str) -> dict[str, Any]:
    """What is shown where a value cannot be."""
    return {"note": words} if claim.flaw else {**claim.as_json(), "note": words}


def _too_large(claim: Claim) -> str:
    return f"too large to be shown here; get it with: flowrunner blobs get {claim.key}"


def _cannot(error: Exception) -> str:
    if isinstance(error, ClaimCheckError) and error.passing:
        _logger.warning("a value cannot be shown: %s", error)  # whoever runs the store can mend it
    words = "the store has not answered in time" if isinstance(error, TimeoutError) else str(error)
    return f"cannot be shown: {words}"
