"""What a run remembers: frames, the node runs in them and the items of those, as plain JSON.

A *frame* is one walk through a graph: the flow's, or one execution of a block. A *run* is one
execution of a node in a frame. An *item* is one element of a run's `foreach`, or its only one.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field, fields
from typing import Any, TypeAlias, cast

from flowspec.expressions.pointers import steps_of
from flowspec.machine.operations import Call, Evaluate, dump_operation, load_operation
from flowspec.values import Json, JsonObject, Opaque

__all__ = [
    "SHOWN_FAILURES",
    "FrameState",
    "ItemState",
    "NodeRun",
    "RunState",
    "Todo",
    "Waiter",
    "slots",
]

SHOWN_FAILURES = 100
"""How many failed items of a `foreach` are told one by one; the rest are counted."""

Todo: TypeAlias = list[Json]
"""A step still to be made: the name of a handler, then its arguments."""


@dataclass(kw_only=True)
class Waiter:
    """Which steps follow once an operation is answered, or has failed.

    `asked` is what can be asked again if it never begins; it has been `starts` times, first in
    the moment `since`, and has `spent` attempts on the way. While `resting` it is not under way.
    """

    then: Todo
    otherwise: Todo
    asked: Call | Evaluate | None = None
    since: float = 0.0
    starts: int = 1
    spent: int = 0
    resting: bool = False
    stopped: bool = False

    @property
    def ends(self) -> float | None:
        """When the time of a call is over."""
        if not isinstance(self.asked, Call) or self.asked.timeout is None:
            return None
        return self.since + self.asked.timeout

    def dump(self) -> dict[str, Any]:
        if self.asked is None:
            return {"then": self.then, "otherwise": self.otherwise}
        return {**vars(self), "asked": dump_operation(self.asked)}

    @classmethod
    def load(cls, data: dict[str, Any]) -> Waiter:
        asked = data.get("asked")
        return cls(**{**data, "asked": None if asked is None else load_operation(asked)})


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
    """`items` is None without `foreach`; if it is opaque, `count` says how many items it has.

    In a wide `foreach` at most `lanes` of `shards` are under way at a time, `parts` are the outputs
    of each, and `apart` says whether those are kept as they come and joined at the end.
    `seconds` is how long it may take, where a `timer` watches over that.
    `asked` is the question about the run that is open; `ending` says why it is being brought to
    its end. `lock` is where it stands with its lock; `queue` are the items that wait to be given
    a turn, while it is `queueing` for the `turns`th time.
    """

    path: str
    frame: str
    node: str
    error: JsonObject | None = None
    undo: JsonObject | None = None
    timer: str | None = None
    seconds: float | None = None
    items: list[Json] | Opaque | None = None
    count: int = 0
    next: int = 0
    active: list[str] = field(default_factory=list)
    outputs: list[Json] = field(default_factory=list)
    failed: list[JsonObject] = field(default_factory=list)
    failures: int = 0
    tolerated: int = 0
    lanes: int = 1
    shards: list[str] = field(default_factory=list)
    parts: list[Json] | None = None
    apart: bool = False
    asked: str | None = None
    ending: JsonObject | None = None
    lock: JsonObject | None = None
    queue: list[str] = field(default_factory=list)
    queueing: bool = False
    turns: int = 0


@dataclass(kw_only=True)
class ItemState:
    """`operation` is what it waits for; `cancelled` once nobody wants its result. `turn` is when
    it may start, by its rate."""

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
    turn: float | None = None


@dataclass(kw_only=True)
class RunState:
    """Everything a run needs to go on elsewhere; schedulers are kept beside their frames.

    `outer` holds the names a shard's expressions see from the run it belongs to; `shard` its items.
    `telling` is how the run will have ended once whoever is to know has been told.
    `renamed` tells the ids of operations that had to be asked again from what the run calls them.
    `declined` counts the locks that came and that nobody wanted.
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
    renamed: dict[str, str] = field(default_factory=dict)
    sleeping: dict[str, float] = field(default_factory=dict)
    waits: dict[str, JsonObject] = field(default_factory=dict)
    signals: dict[str, list[Json]] = field(default_factory=dict)
    records: dict[str, dict[str, JsonObject]] = field(default_factory=dict)
    telling: JsonObject | None = None
    finished: JsonObject | None = None
    declined: int = 0

    def dump(self) -> JsonObject:
        """Shallow where it can be: values are handed on, not copied."""
        data: dict[str, Any] = {item.name: getattr(self, item.name) for item in fields(self)}
        for name in ("frames", "runs", "items"):
            data[name] = {key: dict(vars(entry)) for key, entry in data[name].items()}
        data["waiters"] = {key: waiter.dump() for key, waiter in self.waiters.items()}
        data["todo"] = list(self.todo)
        if not self.declined:  # so that earlier releases read it, too
            del data["declined"]
        return data

    @classmethod
    def load(cls, data: JsonObject) -> RunState:
        raw = cast("dict[str, Any]", dict(data))
        raw["runs"] = {key: _of_now(run) for key, run in raw["runs"].items()}
        for name, kind in (
            ("frames", FrameState),
            ("runs", NodeRun),
            ("items", ItemState),
        ):
            raw[name] = {key: kind(**entry) for key, entry in raw[name].items()}
        raw["waiters"] = {key: Waiter.load(entry) for key, entry in raw["waiters"].items()}
        raw["todo"] = deque(raw["todo"])
        return cls(**raw)


def _of_now(run: dict[str, Any]) -> dict[str, Any]:
    """Release 0.1.0 noted the one shard that was under way, which none is where a run moves."""
    return {name: value for name, value in run.items() if name != "shard"}


# -- where values are ------------------------------------------------------------------------------

_Slots: TypeAlias = Iterator[tuple[Any, Any]]
"""Containers (objects and lists), each with the key of a value in it."""


def slots(state: RunState | JsonObject) -> _Slots:
    """Every place in a state, or in a dumped one, that holds a whole value of the user's.

    Whatever is there may be replaced by an opaque value that stands for the same; no container
    is a part of the plan. Holds where nothing is to be done at once.
    """
    told = _fields(state)
    yield told, "input"
    yield from ((told["outer"], name) for name in told["outer"] if name != "nodes")
    for result in told["outer"].get("nodes", {}).values():
        yield from _in_result(result)
    yield from _in_result(told.get("telling"))
    if told["shard"] is not None:
        yield from _in_list(told["shard"]["items"])
    for waiting in told["signals"].values():
        yield from _in_list(waiting)
    for name, inside in (("frames", _in_frame), ("runs", _in_run), ("items", _in_item)):
        for entry in told[name].values():
            yield from inside(_fields(entry))
    for waiter in told["waiters"].values():
        yield from _in_waiter(_fields(waiter))


def _fields(entry: Any) -> dict[str, Any]:
    return entry if isinstance(entry, dict) else vars(entry)


def _in_list(values: list[Json] | Opaque | None, start: int = 0) -> _Slots:
    if isinstance(values, list):
        yield from ((values, index) for index in range(start, len(values)))


def _in_result(result: dict[str, Any] | None) -> _Slots:
    """Of a result, or whatever else has an output or an error."""
    if result is None:
        return
    if "output" in result:
        yield result, "output"
    if isinstance(result.get("error"), dict):
        yield result["error"], "details"


def _in_frame(frame: dict[str, Any]) -> _Slots:
    yield from ((frame["vars"], name) for name in frame["vars"] or ())
    for result in (*frame["results"].values(), *frame["done"], frame["undoing"], frame["ending"]):
        yield from _in_result(result)


def _in_run(run: dict[str, Any]) -> _Slots:
    yield from _in_list(run["items"], run["next"])
    yield from _in_list(run["outputs"])
    yield from _in_list(run["parts"])
    for result in (run["undo"], run["ending"], {"error": run["error"]}):
        yield from _in_result(result)


def _in_item(item: dict[str, Any]) -> _Slots:
    yield item, "value"
    yield from _in_result(item["last"])


def _in_waiter(waiter: dict[str, Any]) -> _Slots:
    """What is asked again, and what the next steps were told."""
    if not waiter.get("resting"):
        return
    asked = _fields(waiter["asked"])
    argument = asked.get("argument", asked)
    yield from _in_partial(argument.get("params", asked.get("source")), argument)
    yield from _in_result(argument.get("value"))
    scope = argument.get("scope", {})
    yield from ((scope, name) for name in scope)
    for step in (waiter["then"], waiter["otherwise"]):
        if step[0] == "item.set":
            yield from ((step[2], name) for name in step[2])
        elif step[0] == "item.stored":
            yield from _in_result(step[2])


def _in_partial(value: Any, argument: dict[str, Any]) -> _Slots:
    """Of a value that was evaluated in part, what stands beside the texts that were not."""
    if "params" in argument or argument.get("deferred") is not None:
        places = [steps_of(place) for place in argument.get("deferred", ())]
        if all(places):
            yield from _beside(places, value)


def _beside(places: list[list[str]], value: Any) -> _Slots:
    for key in value if isinstance(value, dict) else range(len(value)):
        inside = [place[1:] for place in places if place[0] == str(key)]
        if not inside:
            yield value, key
        elif all(inside):
            yield from _beside(inside, value[key])
