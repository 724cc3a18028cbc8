"""Values and the claims in them: putting large parts away, and putting them back."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Callable, Coroutine, Iterable
from typing import Any, TypeVar

from temporalio.converter import DefaultPayloadConverter

from claimcheck.claim import Claim
from claimcheck.cloakroom import MOST_IN_MEMORY, Cloakroom
from claimcheck.errors import BlobTooLarge, ClaimInvalid
from claimcheck.payloads import (
    CLAIMS,
    OrderedJsonConverter,
    claims_in,
    json_of,
    metadata_of,
    payload_of,
    write_json,
)
from claimcheck.pointers import part_of

__all__ = ["all_or_none", "keep", "load", "load_all", "open_whole", "skeleton", "stow"]

T = TypeVar("T")

_DEEPEST = 20
"""Claims inside the values of claims: ours are at most two deep."""

_LEVELS = 4
"""How far down a value's large parts are looked for."""

_CLAIM_BYTES = 250
"""What a claim measures where a value was."""


# -- putting away --------------------------------------------------------------------------------


async def stow(cloakroom: Cloakroom, value: Any, *, workflow_id: str, levels: int = _LEVELS) -> Any:
    """The JSON value if it is small, else with claims for its large parts, or one for the whole.

    So the small parts of a large object stay where everybody can read them.
    """
    data, _ = write_json(value)
    if len(data) <= cloakroom.threshold:
        return value
    if isinstance(value, dict) and levels:
        large = _large_parts(value, cloakroom.threshold)
        if large:
            parts = await all_or_none(
                stow(cloakroom, value[key], workflow_id=workflow_id, levels=levels - 1)
                for key in large
            )
            return {**value, **dict(zip(large, parts, strict=True))}
    return await keep(cloakroom, value, workflow_id=workflow_id)


def _large_parts(value: dict[str, Any], threshold: int) -> list[str]:
    """The members to put away so that the rest is small; none if that does not help."""
    sizes = {key: len(write_json(entry)[0]) for key, entry in value.items()}
    large = [key for key, size in sizes.items() if size > max(threshold, _CLAIM_BYTES)]
    names = sum(len(key) + 4 for key in value)
    rest = sum(size for key, size in sizes.items() if key not in large)
    fits = names + rest + len(large) * _CLAIM_BYTES <= threshold
    return large if fits else []


async def keep(cloakroom: Cloakroom, value: Any, *, workflow_id: str) -> Claim:
    """A claim for the JSON value, however small it is."""
    payload = OrderedJsonConverter().to_payload(value)
    if payload is None:
        raise TypeError("the value cannot be written as JSON")
    return await cloakroom.deposit(
        payload.data, workflow_id=workflow_id, metadata=metadata_of(payload)
    )


def skeleton(claim: Claim, value: Any, threshold: int, levels: int = _LEVELS) -> Any:
    """The value a claim stands for, its large parts as claims for parts of the same blob."""
    if len(write_json(value)[0]) <= threshold:
        return value
    if isinstance(value, dict) and levels:
        large = _large_parts(value, threshold)
        if large:
            return {
                key: skeleton(claim.inside(key), entry, threshold, levels - 1)
                if key in large
                else entry
                for key, entry in value.items()
            }
    return claim


# -- putting back --------------------------------------------------------------------------------


async def load_all(cloakroom: Cloakroom, values: list[Any]) -> list[Any]:
    """The values with everything they claim in its place; the values given are not changed.

    What is claimed more than once is read once. Raises `BlobTooLarge` if all of it together does
    not fit into memory.
    """
    loading = _Loading(cloakroom)
    return list(await asyncio.gather(*(loading.filled(value, 0) for value in values)))


async def load(cloakroom: Cloakroom, claim: Claim) -> Any:
    """The JSON a claim stands for: text for what is text, base64 for other bytes."""
    return (await load_all(cloakroom, [claim]))[0]


async def open_whole(cloakroom: Cloakroom, value: Any, claim_type: type[Claim]) -> Any:
    """The JSON a claim stands for, claims inside it as claims; any other value as it is."""
    if not isinstance(value, Claim):
        return value
    if not value.is_json or value.at:
        return await load(cloakroom, value)
    payload = payload_of(await cloakroom.redeem(value), value.metadata)
    return json_of(payload, claim_type)


class _Loading:
    """Reads each blob once, and no more than fits."""

    def __init__(self, cloakroom: Cloakroom) -> None:
        self._cloakroom = cloakroom
        self._wholes: dict[tuple[str, int], asyncio.Task[Any]] = {}
        self._bytes = 0

    async def filled(self, value: Any, depth: int) -> Any:
        found = [claim for _, claim in claims_in(value)]
        if not found:
            return value
        loaded = iter(await all_or_none(self._load(claim, depth) for claim in found))
        return _rebuilt(value, lambda: next(loaded))

    async def _load(self, claim: Claim, depth: int) -> Any:
        if depth > _DEEPEST:
            raise ClaimInvalid(f"claims inside claims are {_DEEPEST} deep at most")
        part = part_of(await self._whole(claim), claim.at)
        if CLAIMS in claim.metadata:
            return await self.filled(part, depth + 1)
        return part

    async def _whole(self, claim: Claim) -> Any:
        """The whole value, with the claims inside it; read by one task for all its claims."""
        wanted = (claim.key, claim.size)
        if wanted not in self._wholes:
            self._bytes += claim.size
            if self._bytes > MOST_IN_MEMORY:
                raise BlobTooLarge(
                    f"the values claimed here have more than {MOST_IN_MEMORY:,} bytes together; "
                    "take them as streams, or a part at a time"
                )
            self._wholes[wanted] = asyncio.create_task(self._read(claim))
        return await self._wholes[wanted]

    async def _read(self, claim: Claim) -> Any:
        if not claim.at:
            return _value(await self._cloakroom.redeem(claim), claim)
        known = self._cloakroom.parsed.get(claim.key)
        if known is None or known[0] != claim.size:
            known = (claim.size, _value(await self._cloakroom.redeem(claim), claim))
            self._cloakroom.parsed.add(claim.key, known, claim.size)
        return known[1]


async def all_or_none(works: Iterable[Coroutine[Any, Any, T]]) -> list[T]:
    """What all of them give; if one fails, the others are not left running."""
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(work) for work in works]
    except ExceptionGroup as failures:
        raise failures.exceptions[0] from None
    return [task.result() for task in tasks]


def _rebuilt(value: Any, next_value: Callable[[], Any]) -> Any:
    """In the order in which `claims_in` finds them."""
    if isinstance(value, Claim):
        return next_value()
    if isinstance(value, dict):
        return {key: _rebuilt(entry, next_value) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_rebuilt(entry, next_value) for entry in value]
    return value


def _value(data: bytes, claim: Claim) -> Any:
    encoding = claim.encoding
    try:
        if encoding == "json/plain":
            return json_of(payload_of(data, claim.metadata))
        if encoding.startswith("text/"):
            return data.decode()
    except ValueError as error:
        raise ClaimInvalid(f"the value of the claim is no {encoding}: {error}") from None
    if encoding == "binary/plain":
        return base64.b64encode(data).decode()
    try:
        return DefaultPayloadConverter().from_payload(payload_of(data, claim.metadata))
    except Exception as error:
        raise ClaimInvalid(f"a value of encoding {encoding!r} cannot be read here") from error
