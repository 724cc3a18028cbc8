"""What a key-value store promises: three methods, and the same tests for every store."""

from __future__ import annotations

import json
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Self, TypeAlias

from flowspec.values import Json, JsonObject

__all__ = [
    "REMEMBERED",
    "Clock",
    "Decide",
    "Item",
    "KeyValueStore",
    "KeyValueStoreError",
    "Outcome",
    "after_all_with",
]

REMEMBERED: Final = 7 * 24 * 3600.0
"""Seconds for which a store knows that an attempt's change was made."""

Clock: TypeAlias = Callable[[], float]
"""Seconds since 1970; whether an item has expired is judged by the clock of who asks."""


class KeyValueStoreError(Exception):
    """The store cannot be used now; the message has no credentials in it."""


@dataclass(frozen=True, kw_only=True)
class Item:
    """What is kept under a key. `text` is the JSON of the value; `version` only ever grows, also
    when the key is deleted and made anew."""

    key: str
    text: str
    version: int
    expires: float | None = None

    @property
    def value(self) -> Json:
        value: Json = json.loads(self.text)
        return value

    def lives(self, now: float) -> bool:
        return self.expires is None or self.expires > now


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What a change comes to: the item as it is to be, or None for none, and what to tell.

    Without `writes` everything stays as it is.
    """

    result: JsonObject
    item: Item | None = None
    writes: bool = True


Decide: TypeAlias = Callable[[Item | None, float], Outcome]
"""A change, as a function of the item and of the time. It may be asked more than once."""


class KeyValueStore(ABC):
    """Items by space and key. No method sees anything of another space, whatever the key.

    Every method may be called from many tasks and processes at once, sees at once what any other
    has written, never sees an item that has expired, and raises `KeyValueStoreError` alone, in
    bounded time. A store opens itself at its first use, and makes the tables it needs, whoever
    else does so at the same moment.
    """

    name: str
    """What kind of store this is, for people."""

    def __init__(self, *, clock: Clock = time.time) -> None:
        self.clock = clock

    @abstractmethod
    async def read(self, space: str, key: str) -> Item | None:
        """The item; None if there is none."""

    @abstractmethod
    async def change(self, space: str, key: str, decide: Decide, *, once: str) -> JsonObject:
        """Read the item, decide, and write, as one: nobody else writes to the key in between.

        Returns the result of the outcome. Once it does, what was written survives a crash. A
        change that has written is remembered by `once`, a short text, as one with it: for a week
        it is not made again for the same `once` in the same space, but its result is returned as
        it was. After an error the change may have been made; to ask again with the same `once` is
        safe.
        What `decide` raises is raised, and nothing is written.
        """

    @abstractmethod
    async def page(self, space: str, prefix: str, *, after: str, limit: int) -> list[Item]:
        """Items whose keys begin with `prefix`, in the order of the keys' code points, those
        after the key `after`: `limit` of them, fewer only if there are no more."""

    async def close(self) -> None:  # noqa: B027 - a store may have nothing to give back
        """Give back what was opened; may be called twice."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()


def after_all_with(prefix: str) -> str | None:
    """The first text after all that begin so, by code points; None if nothing is after them."""
    for end in range(len(prefix), 0, -1):
        last = ord(prefix[end - 1])
        if last < 0x10FFFF:
            following = 0xE000 if last == 0xD7FF else last + 1
            return prefix[: end - 1] + chr(following)
    return None
