"""The plan: a checked flow with everything resolved, as closed, versioned JSON.

The same flow gives the same bytes. A run is pinned to its plan, so this format is a contract:
fields are added with a default and a new format number, never reinterpreted.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, fields, is_dataclass
from functools import cache, cached_property
from typing import Any, Literal, cast

from pydantic import ConfigDict, TypeAdapter, ValidationError, with_config

from flowspec.catalogue import Tier
from flowspec.values import Json, JsonObject

__all__ = [
    "PLAN_FORMAT",
    "CachePlan",
    "EdgePlan",
    "ForeachPlan",
    "GraphPlan",
    "LockPlan",
    "LoopPlan",
    "NodePlan",
    "Plan",
    "PlanInvalid",
    "RatePlan",
    "RepeatPlan",
    "RetryPlan",
    "canonical",
    "dump_plan",
    "load_plan",
]

PLAN_FORMAT = 1

_closed = with_config(ConfigDict(extra="forbid", strict=True))


class PlanInvalid(Exception):
    """The JSON is not a plan this version can run; the text says why."""


@_closed
@dataclass(frozen=True, kw_only=True)
class RetryPlan:
    """Seconds; `attempts` None means without end."""

    attempts: int | None = 1
    interval: float = 1.0
    factor: float = 2.0
    max_interval: float = 60.0
    jitter: float = 0.0
    only: tuple[str, ...] = ()
    never: tuple[str, ...] = ()

    def excludes(self, error: str) -> bool:
        """Whether an error of this type is not tried again, whatever it is."""
        return error in self.never or bool(self.only and error not in self.only)


@_closed
@dataclass(frozen=True, kw_only=True)
class ForeachPlan:
    """`items` is a template; `tolerate_percent` says whether `tolerate` is a percentage.

    More items than `shard` are worked off in runs of their own, that many at a time.
    """

    items: Json
    name: str = "item"
    concurrency: int = 10
    tolerate: float = 0.0
    tolerate_percent: bool = False
    batch: int | None = None
    shard: int = 1000


@_closed
@dataclass(frozen=True, kw_only=True)
class RepeatPlan:
    """Go round again until (or while) `condition` holds; `limit` None means without end."""

    condition: str | bool
    until: bool
    every: float = 0.0
    limit: int | None = 1000


@_closed
@dataclass(frozen=True, kw_only=True)
class CachePlan:
    """`key` None means the resolved parameters."""

    key: Json = None
    ttl: float


@_closed
@dataclass(frozen=True, kw_only=True)
class LockPlan:
    """`name` is a template; seconds, None means without end."""

    name: str
    slots: int = 1
    expires: float | None = None
    wait: float | None = None


@_closed
@dataclass(frozen=True, kw_only=True)
class RatePlan:
    """At most `limit` starts in any `per` seconds; `name` is a template."""

    name: str
    limit: int
    per: float


@_closed
@dataclass(frozen=True, kw_only=True)
class EdgePlan:
    """`back` edges close a loop; `limit` is theirs alone, None means without end."""

    source: str
    target: str
    on: tuple[str, ...] = ("success",)
    when: str | bool | None = None
    otherwise: bool = False
    back: bool = False
    limit: int | None = 1000


@_closed
@dataclass(frozen=True, kw_only=True)
class LoopPlan:
    """A natural loop: its one entry, its members (entry first, document order), its parent."""

    header: str
    members: tuple[str, ...]
    parent: int | None = None


@_closed
@dataclass(frozen=True, kw_only=True)
class NodePlan:
    """A node with every default filled in; durations are seconds. `timeout_text` is a template, of
    a `timeout` that only a run knows."""

    id: str
    type: str
    tier: Tier
    title: str = ""
    params: JsonObject
    join: Literal["all", "any", "race"] | int = "all"
    races: tuple[str, ...] = ()
    when: str | bool | None = None
    foreach: ForeachPlan | None = None
    repeat: RepeatPlan | None = None
    retry: RetryPlan = RetryPlan()
    timeout: float | None = None
    timeout_text: str | None = None
    attempt_timeout: float | None = None
    heartbeat: float | None = None
    cache: CachePlan | None = None
    undo: str | None = None
    queue: str | None = None
    priority: int | None = None
    graph: GraphPlan | None = None
    lock: LockPlan | None = None
    rate: RatePlan | None = None


@_closed
@dataclass(frozen=True, kw_only=True)
class GraphPlan:
    """Nodes and edges in document order: a flow's, or a block's."""

    nodes: tuple[NodePlan, ...]
    edges: tuple[EdgePlan, ...] = ()
    starts: tuple[str, ...]
    loops: tuple[LoopPlan, ...] = ()
    output: Json = None
    on_failure: Literal["cancel", "finish"] = "cancel"


@_closed
@dataclass(frozen=True, kw_only=True)
class Plan:
    """A whole flow; `input` is its JSON Schema, None where it takes no input.

    `on_complete` and `on_failure` tell somebody of its end; they are no nodes of its graph.
    """

    format: int = PLAN_FORMAT
    flow: str
    description: str = ""
    input: JsonObject | None = None
    secrets: tuple[str, ...] = ()
    vars: JsonObject
    labels: dict[str, str]
    timeout: float | None = None
    graph: GraphPlan
    on_complete: NodePlan | None = None
    on_failure: NodePlan | None = None

    @cached_property
    def hash(self) -> str:
        return hashlib.sha256(canonical(dump_plan(self)).encode()).hexdigest()

    @property
    def version(self) -> str:
        """The short form of the hash that people see as the flow's version."""
        return self.hash[:12]


_ADAPTER = TypeAdapter(Plan)


def dump_plan(plan: Plan) -> JsonObject:
    """The plan as JSON; `load_plan` gives the same plan back.

    What stands at its default is left out, so those defaults belong to the format and stay.
    """
    return {"format": plan.format, **_told(plan)}


def _told(part: Any) -> JsonObject:
    told: JsonObject = {}
    for name, default, is_number in _fields(part.__class__):
        given = getattr(part, name)
        if given is not default and given != default:
            told[name] = _number(given) if is_number else _as_json(given)
    return told


@cache
def _fields(kind: type) -> tuple[tuple[str, object, bool], ...]:
    """Of each field its name, its default if it has one, and whether it is a number."""
    return tuple((each.name, each.default, "float" in str(each.type)) for each in fields(kind))


def _number(value: float | None) -> Json:
    """One spelling: 60 and 60.0 are the same number and must give the same bytes."""
    return int(value) if value is not None and value == int(value) else value


def _as_json(value: object) -> Json:
    if isinstance(value, (str, dict)):  # as most are
        return value
    if is_dataclass(value) and not isinstance(value, type):
        return _told(value)
    if isinstance(value, tuple):
        return [_as_json(entry) for entry in value]
    return cast(Json, value)


def load_plan(data: Json) -> Plan:
    """Read a plan; raises `PlanInvalid` for another format or anything malformed."""
    found = data.get("format") if isinstance(data, dict) else None
    if found != PLAN_FORMAT:
        raise PlanInvalid(f"plan format {found!r} is not known here (this version: {PLAN_FORMAT})")
    try:
        return _ADAPTER.validate_json(json.dumps(data))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise PlanInvalid(f"not a plan: {where}: {first['msg']}") from error


def canonical(data: Json) -> str:
    """One spelling per value; the order of keys is kept, for it is the document's own."""
    return json.dumps(data, separators=(",", ":"), ensure_ascii=False)
