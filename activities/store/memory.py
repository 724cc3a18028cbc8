"""A key-value store in memory: for tests, and to see what a store is."""

from __future__ import annotations

import time

from activities.store.contract import REMEMBERED, Clock, Decide, Item, KeyValueStore
from flowspec.values import JsonObject

__all__ = ["MemoryKeyValueStore"]


class MemoryKeyValueStore(KeyValueStore):
    """Everything is lost with the process."""

    name = "memory"

    def __init__(self, *, clock: Clock = time.time) -> None:
        super().__init__(clock=clock)
        self._items: dict[tuple[str, str], Item] = {}
        self._done: dict[tuple[str, str], tuple[float, JsonObject]] = {}

    async def read(self, space: str, key: str) -> Item | None:
        item = self._items.get((space, key))
        return item if item is not None and item.lives(self.clock()) else None

    async def change(self, space: str, key: str, decide: Decide, *, once: str) -> JsonObject:
        now = self.clock()
        until, result = self._done.get((space, once), (0.0, {}))
        if until > now:
            return result
        outcome = decide(await self.read(space, key), now)
        if outcome.writes:
            self._items.pop((space, key), None)
            if outcome.item is not None:
                self._items[space, key] = outcome.item
            self._done[space, once] = (now + REMEMBERED, outcome.result)
        return outcome.result

    async def page(self, space: str, prefix: str, *, after: str, limit: int) -> list[Item]:
        now = self.clock()
        found = sorted(
            (item.key, item)
            for (where, key), item in self._items.items()
            if where == space and key.startswith(prefix) and key > after and item.lives(now)
        )
        return [item for _, item in found[:limit]]
