"""What runs share, kept by the world: locks, rates and the results that `cache` keeps."""

from __future__ import annotations

from typing import Any, cast

from flowspec.sharing import Claimant, LockBook, RateBook
from flowspec.values import Json, JsonObject

__all__ = ["Grant", "Shared"]

Grant = tuple[str, JsonObject]
"""Which run is to be told that it holds a lock, and what."""


class Shared:
    def __init__(self) -> None:
        self._locks: dict[str, LockBook] = {}
        self._rates: dict[str, RateBook] = {}
        self._kept: dict[str, tuple[float, Json]] = {}

    def perform(
        self, activity: str, told: JsonObject, *, run: str, now: float
    ) -> tuple[Json, list[Grant]]:
        """The answer to an activity of the interpreter's own, and who is let in by it."""
        asked = cast("dict[str, Any]", told)
        match activity:
            case "flowrunner.cache.get":
                return self._look_up(asked["id"], asked["ttl"], now), []
            case "flowrunner.cache.put":
                self._kept[asked["id"]] = now, asked["value"]
                return None, []
            case "flowrunner.rate.reserve":
                book = self._rates.setdefault(asked["id"], RateBook())
                wanted = {name: asked[name] for name in ("count", "limit", "per")}
                return {"moments": list[Json](book.reserve(now, **wanted))}, []
        return None, self._lock(activity, asked, run, now)

    def hold(self, lock: str, *, token: str) -> None:
        """Somebody else holds it."""
        book = self._locks.setdefault(lock, LockBook())
        book.holders[token] = Claimant(token=token, workflow_id="", run_id="")

    def let_go(self, lock: str, *, token: str, now: float) -> list[Grant]:
        self._locks[lock].leave(token)
        return self._let_in(lock, now)

    def _look_up(self, id: str, ttl: float, now: float) -> Json:
        kept = self._kept.get(id)
        if kept is None or now - kept[0] > ttl:
            return {"hit": False, "value": None}
        return {"hit": True, "value": kept[1]}

    def _lock(self, activity: str, asked: dict[str, Any], run: str, now: float) -> list[Grant]:
        book = self._locks.setdefault(asked["id"], LockBook())
        if activity == "flowrunner.lock.ask":
            who = {name: asked[name] for name in ("token", "slots", "expires")}
            book.ask(Claimant(workflow_id=run, run_id=run, **who))
        else:
            book.leave(asked["token"])
        return self._let_in(asked["id"], now)

    def _let_in(self, lock: str, now: float) -> list[Grant]:
        return [
            (each.run_id, {"id": lock, "token": each.token, "until": each.until})
            for each in self._locks[lock].let_in(now)
        ]
