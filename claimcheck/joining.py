"""Lists that are kept in parts, joined without ever being in memory as a whole."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Any, Final

from pydantic_core import to_json

from claimcheck.claim import JSON_METADATA, Claim
from claimcheck.cloakroom import Cloakroom
from claimcheck.errors import BlobTooLarge, ClaimInvalid
from claimcheck.payloads import CLAIMS, claims_in, write_json
from claimcheck.values import hold_all, open_whole

__all__ = ["MOST_POINTERS", "join"]

MOST_POINTERS: Final = 1024 * 1024
"""Bytes that say where claims stand in a list: they travel with the claim for it."""


async def join(cloakroom: Cloakroom, parts: Sequence[Any], *, workflow_id: str) -> Claim:
    """A claim for the list of all items of these lists; a part may be a claim for a list.

    Claims among the items stay claims. Raises `BlobTooLarge` if there are too many of them, and
    `ClaimInvalid` for a part that is no list.
    """
    pointers: list[str] = []

    async def pieces() -> AsyncIterator[bytes]:
        pointers.clear()
        count = 0
        yield b"["
        for part in parts:
            items = await open_whole(cloakroom, part, Claim)
            if not isinstance(items, list):
                raise ClaimInvalid("a part of a list is none itself")
            data, claimed = write_json(items)
            if claimed:
                found = list(claims_in(items))
                await hold_all(cloakroom, (claim for _, claim in found), by=[workflow_id])
                pointers.extend(_moved(pointer, count) for pointer, _ in found)
            if items:
                yield b"," + data[1:-1] if count else data[1:-1]
            count += len(items)
        yield b"]"

    claim = await cloakroom.deposit_stream(pieces(), workflow_id=workflow_id)
    if not pointers:
        return claim
    written = to_json(pointers)
    if len(written) > MOST_POINTERS:
        raise BlobTooLarge(
            f"{len(pointers):,} of the items of this list are large values, or have such in them; "
            "let each item give less, or give an address of what is large"
        )
    metadata = {**JSON_METADATA, CLAIMS: written.decode()}
    return Claim(key=claim.key, size=claim.size, metadata=metadata)


def _moved(pointer: str, by: int) -> str:
    """The pointer into a list, in the list that has so many items before it."""
    _, index, *rest = pointer.split("/")
    return "/".join(["", str(int(index) + by), *rest])
