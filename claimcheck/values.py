"""Values and the claims in them: putting large parts away, and putting them back."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Callable, Coroutine, Iterable, Iterator, Mapping
from contextlib import suppress
from functools import reduce
from operator import getitem
from typing import Any, TypeAlias, TypeVar

from temporalio.api.common.v1 import Payload

from claimcheck.claim import Claim
from claimcheck.cloakroom import MOST_IN_MEMORY, Cloakroom
from claimcheck.errors import BlobTooLarge, ClaimInvalid
from claimcheck.keys import digest_of, folder_of
from claimcheck.payloads import (
    CLAIMS,
    REFERENCE,
    OrderedJsonConverter,
    claim_of,
    claims_in,
    json_of,
    metadata_of,
    payload_of,
    read_json,
    says_claims,
    write_json,
)
from claimcheck.pointers import part_of

__all__ = [
    "Loading",
    "all_or_none",
    "hold_all",
    "keep",
    "load",
    "load_all",
    "open_whole",
    "skeleton",
    "stow",
]

T = TypeVar("T")

_DEEPEST = 20
"""Claims inside the values of claims: ours are at most two deep."""

_LEVELS = 4
"""How far down a value's large parts are looked for."""

_CLAIM_GROWS = 50
"""A claim has more digits in its size than there may be in one we look at, and `at`."""

_EACH = 10 * 1024
"""What a value that is read counts for beside its bytes: many small ones fill memory, too."""

_NOT_PLAIN = (dict, list, tuple, Claim)

_TOO_DEEP = "a value with claims in it is nested too deeply"


# -- putting away --------------------------------------------------------------------------------


async def stow(cloakroom: Cloakroom, value: Any, *, workflow_id: str, levels: int = _LEVELS) -> Any:
    """The JSON value if it is small, else with claims for its large parts, or one for the whole.

    So the small parts of a large object stay where everybody can read them, and all that stays is
    no larger than the threshold.
    """
    specimen = Claim(key=f"{folder_of(cloakroom.namespace, workflow_id)}/{digest_of(b'')}", size=0)
    places = _large(value, cloakroom.threshold, levels, specimen)
    claims = await all_or_none(
        keep(cloakroom, reduce(getitem, place, value), workflow_id=workflow_id) for place in places
    )
    return _put_at(value, dict(zip(places, claims, strict=True)))


def skeleton(claim: Claim, value: Any, threshold: int, levels: int = _LEVELS) -> Any:
    """The value a claim stands for, its large parts as claims for parts of the same blob."""
    places = _large(value, threshold, levels, claim)
    return _put_at(value, {place: claim.inside(*place) for place in places})


async def keep(cloakroom: Cloakroom, value: Any, *, workflow_id: str) -> Claim:
    """A claim for the JSON value, however small it is."""
    payload = OrderedJsonConverter().to_payload(value)
    if payload is None:
        raise TypeError("the value cannot be written as JSON")
    if CLAIMS in payload.metadata:
        claims = (claim for _, claim in claims_in(json_of(payload)))
        await hold_all(cloakroom, claims, by=[workflow_id])
    return await cloakroom.deposit(
        payload.data, workflow_id=workflow_id, metadata=metadata_of(payload)
    )


async def hold_all(cloakroom: Cloakroom, claims: Iterable[Claim], *, by: Iterable[str]) -> None:
    """Note that these workflows need what is claimed; claims that are none of ours are left to
    whoever redeems them."""

    async def hold(claim: Claim, holder: str) -> None:
        with suppress(ClaimInvalid):
            await cloakroom.hold(claim, by=holder)

    holders = list(by)
    blobs = {claim.key: claim for claim in claims if claim.flaw is None}
    await all_or_none(hold(claim, holder) for claim in blobs.values() for holder in holders)


_Place: TypeAlias = tuple[str, ...]


def _large(value: Any, threshold: int, levels: int, claim: Claim) -> list[_Place]:
    """Where the parts are that are put away, so that the rest has at most `threshold` bytes.

    `claim` is one such as will stand there.
    """
    if _size(value) <= threshold:
        return []
    return _split(value, threshold, threshold, levels, _size(claim) + _CLAIM_GROWS)[0]


def _split(
    value: Any, threshold: int, room: int, levels: int, claim: int
) -> tuple[list[_Place], int]:
    """The places within a large value, and how many bytes it has without them.

    If what is small in an object fits into the room, what is large is split within the rest of
    the room, one after the other; else the object is put away as a whole. A claim has `claim`
    bytes, and more by the name of each member that leads to it.
    """
    if isinstance(value, dict) and levels:
        names = {key: _size(key) + 1 for key in value}
        sizes = {key: names[key] + _size(entry) + 1 for key, entry in value.items()}
        large = [key for key, size in sizes.items() if size > max(threshold, claim + names[key])]
        away = {key: 2 * names[key] + claim + 1 for key in large}
        used = 1 + sum(away.get(key, size) for key, size in sizes.items())
        if large and used <= room:
            places: list[_Place] = []
            for key in large:
                free = room - used + claim + names[key]
                inner, size = _split(value[key], threshold, free, levels - 1, claim + names[key])
                places += [(key, *place) for place in inner]
                used += size - claim - names[key]
            return places, used
    return [()], claim


def _size(value: Any) -> int:
    return len(write_json(value)[0])


def _put_at(value: Any, claims: Mapping[_Place, Claim]) -> Any:
    """The value with the claims in those places."""
    if () in claims:
        return claims[()]
    members: dict[str, dict[_Place, Claim]] = {}
    for (key, *rest), claim in claims.items():
        members.setdefault(key, {})[tuple(rest)] = claim
    changed = {key: _put_at(value[key], inner) for key, inner in members.items()}
    return {**value, **changed} if changed else value


# -- putting back --------------------------------------------------------------------------------


async def load_all(cloakroom: Cloakroom, values: list[Any]) -> list[Any]:
    """The values with everything they claim in its place; the values given are not changed.

    What is claimed more than once is read once, and given to each as its own. Raises
    `BlobTooLarge` if all of it together does not fit into memory.
    """
    loading = Loading(cloakroom)
    return await all_or_none(loading.filled(value) for value in values)


async def load(cloakroom: Cloakroom, claim: Claim) -> Any:
    """The JSON a claim stands for: text for what is text, base64 for other bytes."""
    return await Loading(cloakroom).filled(claim)


async def open_whole(cloakroom: Cloakroom, value: Any, claim_type: type[Claim]) -> Any:
    """The JSON a claim stands for, claims inside it as claims; any other value as it is."""
    if not isinstance(value, Claim):
        return value
    if not value.is_json or value.at:
        return await load(cloakroom, value)
    return _value(await cloakroom.redeem(value), value, claim_type)


class Loading:
    """Puts values back that are wanted at the same time.

    Reads each blob once, and no more than fits into memory, be it what is read or what is made of
    it: a small payload may claim a large value many times, and values claims in their turn.
    """

    def __init__(self, cloakroom: Cloakroom) -> None:
        self._cloakroom = cloakroom
        self._read = _Room(MOST_IN_MEMORY)
        self._given = _Room(MOST_IN_MEMORY)
        self._blobs: dict[tuple[str, int, str | None], asyncio.Task[bytes]] = {}
        self._wholes: dict[_Whole, Any] = {}

    async def payload(self, payload: Payload) -> Payload:
        """The payload with everything it claims in its place."""
        if payload.metadata.get("encoding") == REFERENCE.encode():
            claim = claim_of(payload)
            if claim.at:
                return _json_payload(await self.filled(claim))
            return await self.payload(payload_of(await self.whole(claim), claim.metadata))
        if says_claims(payload):
            try:
                value = json_of(payload)
            except ValueError as error:
                raise ClaimInvalid(f"a payload with claims is no JSON: {error}") from None
            return _json_payload(await self.filled(value))
        return payload

    async def whole(self, claim: Claim) -> bytes:
        """The bytes of the whole value."""
        self._given.take(claim.size)
        return await self._bytes(claim)

    async def filled(self, value: Any) -> Any:
        """The JSON value with everything it claims in its place; nothing of it is shared."""
        try:
            return await self._filled(value, 0)
        except RecursionError:
            raise ClaimInvalid(_TOO_DEEP) from None

    async def _filled(self, value: Any, depth: int) -> Any:
        found = list(_claims(value))
        if not found:
            return value
        loaded = iter(await all_or_none(self._loaded(claim, depth) for claim in found))
        return _replaced(value, lambda _: next(loaded))

    async def _loaded(self, claim: Claim, depth: int) -> Any:
        if depth > _DEEPEST:
            raise ClaimInvalid(f"claims inside claims are {_DEEPEST} deep at most")
        if claim.at:
            part = await self._part(claim)
        else:
            part = _value(await self.whole(claim), claim)
        return await self._filled(part, depth + 1) if CLAIMS in claim.metadata else part

    async def _part(self, claim: Claim) -> Any:
        """A copy, for the whole is kept for others, and whoever gets a value may change it."""
        part = part_of(await self._parsed(claim), claim.at)
        data, claims = _written(part)
        self._given.take(len(data))
        return part if claims else read_json(data)

    async def _parsed(self, claim: Claim) -> Any:
        """The value a claim is for a part of; it is parsed once for all of its parts."""
        whole = (claim.key, claim.size, tuple(sorted(claim.metadata.items())))
        if whole not in self._wholes:
            known = self._cloakroom.parsed.get(whole)
            data = b"" if known else await self._bytes(claim)
            if whole not in self._wholes:  # for another part, meanwhile
                known = known or (_value(data, claim),)
                self._cloakroom.parsed.add(whole, known, claim.size)
                self._wholes[whole] = known[0]
        return self._wholes[whole]

    async def _bytes(self, claim: Claim) -> bytes:
        wanted = (claim.key, claim.size, claim.flaw)
        if wanted not in self._blobs:
            self._read.take(claim.size)
            self._blobs[wanted] = asyncio.create_task(self._cloakroom.redeem(claim))
        return await self._blobs[wanted]


_Whole: TypeAlias = tuple[str, int, tuple[tuple[str, str], ...]]


class _Room:
    def __init__(self, size: int) -> None:
        self._size = self._left = size

    def take(self, size: int) -> None:
        self._left -= size + _EACH
        if self._left < 0:
            raise BlobTooLarge(
                f"the values claimed here have more than {self._size:,} bytes together; take them "
                "as streams, or a part at a time"
            )


async def all_or_none(works: Iterable[Coroutine[Any, Any, T]]) -> list[T]:
    """What all of them give; if one fails, the others are not left running."""
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(work) for work in works]
    except ExceptionGroup as failures:
        error = failures.exceptions[0]
        raise error from error.__cause__
    return [task.result() for task in tasks]


def _claims(value: Any) -> Iterator[Claim]:
    """Those in the JSON value, in the order in which `_replaced` comes to them."""
    if isinstance(value, Claim):
        yield value
    elif isinstance(value, dict | list | tuple):
        for entry in value.values() if isinstance(value, dict) else value:
            if isinstance(entry, _NOT_PLAIN):
                yield from _claims(entry)


def _replaced(value: Any, by: Callable[[Claim], Any]) -> Any:
    """The JSON value anew, each claim in it replaced."""
    if isinstance(value, Claim):
        return by(value)
    if isinstance(value, dict):
        return {key: _replaced(entry, by) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_replaced(entry, by) for entry in value]
    return value


def _value(data: bytes, claim: Claim, claim_type: type[Claim] = Claim) -> Any:
    """As JSON, whatever the encoding."""
    encoding = claim.encoding
    try:
        if encoding == "json/plain":
            return json_of(payload_of(data, claim.metadata), claim_type)
        if encoding.startswith("json/"):
            return read_json(data)
        if encoding.startswith("text/"):
            return data.decode()
    except ValueError as error:
        raise ClaimInvalid(f"the value of the claim is no {encoding}: {error}") from None
    return None if encoding == "binary/null" else base64.b64encode(data).decode()


def _json_payload(value: Any) -> Payload:
    return Payload(metadata={"encoding": b"json/plain"}, data=_written(value)[0])


def _written(value: Any) -> tuple[bytes, int]:
    """What was read as JSON, as JSON again."""
    try:
        return write_json(value)
    except ValueError:
        raise ClaimInvalid(_TOO_DEEP) from None
