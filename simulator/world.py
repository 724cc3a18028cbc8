"""The world of a simulation: one clock for all runs, and what is yet to happen in order."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from flowspec.catalogue import Catalogue
from flowspec.plan import Plan
from flowspec.values import Json, JsonObject
from simulator.answers import Answer, Mocks
from simulator.attempts import NeverEnds
from simulator.shared import Grant, Shared
from simulator.trace import Played

__all__ = ["EPOCH", "Performs", "Scene", "Unmocked", "World"]

EPOCH = 1_893_488_400.0
"""When a run begins if nobody says when: 2030-01-01T09:00:00Z."""

_MOST_EVENTS = 200_000


class Unmocked(Exception):
    """Something is asked of the world, and nobody has said what it answers."""

    def __init__(self, path: str, node: str, type: str, params: Json) -> None:
        super().__init__(f"{path} ({type}) is called, and nothing says what it answers")
        self.path = path
        self.node = node
        self.type = type
        self.params = params


class Performs(Protocol):
    """Really performs the node types that need nothing but their parameters."""

    def __call__(self, type: str, params: JsonObject) -> Answer | None:
        """None for a type that is none of those."""


@dataclass(frozen=True, kw_only=True)
class Scene:
    """What a run is played with.

    `flows` are the plans of the folder by name. With `assume` what nobody has mocked gets an
    answer made from its node type's schema; without, it raises `Unmocked`. `late` is how much
    longer each operation takes than it should.
    """

    catalogue: Catalogue
    flows: Mapping[str, Plan]
    mocks: Mocks = field(default_factory=Mocks)
    performs: Performs = lambda _type, _params: None
    assume: bool = False
    late: Callable[[], float] = lambda: 0.0


class World:
    def __init__(self, scene: Scene, played: Played) -> None:
        self.scene = scene
        self.played = played
        self.shared = Shared()
        self.now = played.began
        self.grants: dict[str, Callable[[JsonObject], None]] = {}
        self.open_ids: dict[str, None] = {}
        self.calls: dict[str, int] = {}
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._count = 0

    def at(self, moment: float, action: Callable[[], None]) -> None:
        """Let something happen then; what is to happen in one moment does so as it was said."""
        self._count += 1
        heapq.heappush(self._events, (max(moment, self.now), self._count, action))

    def go_on(self) -> None:
        """Let everything happen, until nothing is left. Raises `NeverEnds`, `Unmocked`."""
        for _ in range(_MOST_EVENTS):
            if not self._events:
                return
            self.now, _, action = heapq.heappop(self._events)
            action()
        raise NeverEnds(f"the run is not at its end after {_MOST_EVENTS:,} events")

    def grant(self, grants: list[Grant]) -> None:
        """Tell runs of the locks they hold, as soon as what is going on now is done."""
        for run, grant in grants:
            self.at(self.now, lambda run=run, grant=grant: self._told(run, grant))  # type: ignore[misc]

    def _told(self, run: str, grant: JsonObject) -> None:
        if run in self.grants:
            self.grants[run](grant)

    def next_call(self, name: str) -> int:
        """How often what stands under this name has been called by now, this time included."""
        self.calls[name] = self.calls.get(name, 0) + 1
        return self.calls[name]
