"""What a run remembers: frames, the node runs in them and the items of those, as plain JSON.

A *frame* is one walk through a graph: the flow's, or one execution of a block. A *run* is one
execution of a node in a frame. An *item* is one element of a run's `foreach`, or its only one.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field, fields
from typing import Any, TypeAlias, cast

from flowspec.values import Json, JsonObject

__all__ = ["SHOWN_FAILURES", "FrameState", "ItemState", "NodeRun", "RunState", "Todo", "Waiter"]

SHOWN_FAILURES = 100
"""How many failed items of a `foreach` are told one by one; the rest are counted."""

Todo: TypeAlias = list[Json]
"""A step still to be made: the name of a handler, then its arguments."""


@dataclass(kw_only=True)
class Waiter:
    """Which steps follow once an operation is answered, or has failed."""

    then: Todo
    otherwise: Todo


@dataclass(kw_only=True)
class FrameState:
    """`owner` is the item whose block this is; `vars` is None where the outer frame's count."""

    path: str
    block: str = ""
    owner: str | None = None
    results: dict[str, JsonObject] = field(default_factory=dict)
    vars: dict[str, Json] | None = None
    ending: JsonObject | None = None
    done: list[JsonObject] = field(default_factory=list)
    undoing: JsonObject | None = None


@dataclass(kw_only=True)
class NodeRun:
    """`items` is None without `foreach`; `ending` says why a run is being brought to its end."""

    path: str
    frame: str
    node: str
    error: JsonObject | None = None
    undo: JsonObject | None = None
    timer: str | None = None
    items: list[Json] | None = None
    next: int = 0
    active: list[str] = field(default_factory=list)
    outputs: list[Json] = field(default_factory=list)
    failed: list[JsonObject] = field(default_factory=list)
    failures: int = 0
    tolerated: int = 0
    shard: str | None = None
    ending: JsonObject | None = None


@dataclass(kw_only=True)
class ItemState:
    """`operation` is what it waits for; `cancelled` once nobody wants its result."""

    path: str
    run: str
    index: int | None = None
    value: Json = None
    round: int = 1
    attempt: int = 1
    operation: str | None = None
    frame: str | None = None
    cancelled: bool = False
    cache: JsonObject | None = None
    last: JsonObject | None = None


@dataclass(kw_only=True)
class RunState:
    """Everything a run needs to go on elsewhere; schedulers are kept beside their frames.

    `outer` holds the names a shard's expressions see from the run it belongs to; `shard` its items.
    """

    run: JsonObject
    input: Json
    outer: JsonObject = field(default_factory=dict)
    shard: JsonObject | None = None
    frames: dict[str, FrameState] = field(default_factory=dict)
    runs: dict[str, NodeRun] = field(default_factory=dict)
    items: dict[str, ItemState] = field(default_factory=dict)
    todo: deque[Todo] = field(default_factory=deque)
    held: list[Todo] = field(default_factory=list)
    paused: bool = False
    waiters: dict[str, Waiter] = field(default_factory=dict)
    sleeping: dict[str, float] = field(default_factory=dict)
    waits: dict[str, JsonObject] = field(default_factory=dict)
    signals: dict[str, list[Json]] = field(default_factory=dict)
    records: dict[str, dict[str, JsonObject]] = field(default_factory=dict)
    finished: JsonObject | None = None

    def dump(self) -> JsonObject:
        """Shallow where it can be: values are handed on, not copied."""
        data: dict[str, Any] = {item.name: getattr(self, item.name) for item in fields(self)}
        for name in ("frames", "runs", "items", "waiters"):
            data[name] = {key: dict(vars(entry)) for key, entry in data[name].items()}
        data["todo"] = list(self.todo)
        return data

    @classmethod
    def load(cls, data: JsonObject) -> RunState:
        raw = cast("dict[str, Any]", dict(data))
        for name, kind in (
            ("frames", FrameState),
            ("runs", NodeRun),
            ("items", ItemState),
            ("waiters", Waiter),
        ):
            raw[name] = {key: kind(**entry) for key, entry in raw[name].items()}
        raw["todo"] = deque(raw["todo"])
        return cls(**raw)
