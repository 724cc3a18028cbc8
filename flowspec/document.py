"""The flow document as typed values.

Templates and conditions are kept as they are written, durations become seconds. What the names
in a document refer to is not looked at here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Literal, Self, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, model_validator

from flowspec.agents import AGENT, OF_EACH_TURN, agent_graph, made_ids
from flowspec.edges import Arrows, Edge, Link, Links, Written
from flowspec.fields import (
    Attempts,
    Condition,
    Duration,
    ErrorTypes,
    FlowName,
    ItemName,
    Items,
    Join,
    JsonValue,
    LabelName,
    Limit,
    Maybe,
    NodeId,
    PositiveDuration,
    QueueName,
    ScheduleName,
    SecretNames,
    Text,
    TimeLimit,
    Tolerance,
    Tolerated,
    VariableName,
    choice,
    number,
    refuse,
    shorthand,
    whole,
)
from flowspec.modifiers import (
    Failing,
    OnFailure,
    WrittenCallback,
    WrittenFailing,
    WrittenLock,
    WrittenRate,
)
from flowspec.problems import Path
from flowspec.schedules import Schedule
from flowspec.values import Json, JsonObject

__all__ = [
    "Cache",
    "Defaults",
    "Edge",
    "Flow",
    "Foreach",
    "Graph",
    "Node",
    "OnFailure",
    "Repeat",
    "Retry",
    "Tool",
]


class _Shape(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Retry(_Shape):
    """What was written of a `retry`; None is what was not."""

    attempts: Maybe[Attempts] = Field(
        default=None, description="How often to try in all, or unlimited"
    )
    interval: Maybe[PositiveDuration] = Field(
        default=None, description="The pause before the second attempt"
    )
    factor: Maybe[Annotated[float, number(1)]] = Field(
        default=None, description="How much longer each pause is than the one before"
    )
    max_interval: Maybe[PositiveDuration] = Field(
        default=None, description="The longest pause between two attempts"
    )
    jitter: Maybe[Annotated[float, number(0, 1)]] = Field(
        default=None, description="By which share a pause may be longer or shorter, from 0 to 1"
    )
    only: Maybe[ErrorTypes] = Field(
        default=None, description="Try again only after errors of these types"
    )
    never: Maybe[ErrorTypes] = Field(
        default=None, description="Never try again after errors of these types"
    )

    def over(self, defaults: Retry | None) -> Retry:
        """This one, with what it leaves out taken from `defaults`."""
        if defaults is None:
            return self
        return defaults.model_copy(
            update={name: getattr(self, name) for name in self.model_fields_set}
        )


class Foreach(_Shape):
    """Run the node once per item. `items` is a list, a mapping, or a template that gives one."""

    items: Items = Field(alias="in", description="The items: a list, or a template that gives one")
    name: ItemName = Field(
        default="item", alias="as", description="What expressions call the item; `item` if left out"
    )
    concurrency: Annotated[int, whole(1, 1000)] = Field(
        default=10, description="How many items are worked on at once; 10 if left out"
    )
    tolerate: Tolerated = Field(
        default=Tolerance(),
        description='How many items may fail, or which share, such as "10%"; none if left out',
    )
    batch: Maybe[Annotated[int, whole(1)]] = Field(
        default=None, description="Hand over this many items at once, as a list"
    )


class Repeat(_Shape):
    """Run the node again and again; exactly one of `until` and `while` is there."""

    until: Maybe[Condition] = Field(default=None, description="Go on until this holds")
    while_: Maybe[Condition] = Field(
        default=None, alias="while", description="Go on as long as this holds"
    )
    every: Duration = Field(default=0.0, description="The pause between two rounds")
    limit: Limit = Field(
        default=1000, description="How many rounds at most, or unlimited; 1000 if left out"
    )

    @model_validator(mode="after")
    def _one_condition(self) -> Self:
        if (self.until is None) == (self.while_ is None):
            given = "this one has both" if self.until is not None else "this one has neither"
            raise refuse("FR212", f"a repeat has either `until` or `while`; {given}")
        return self

    @property
    def condition(self) -> str | bool:
        """What is evaluated after each round."""
        return self.until if self.until is not None else self.while_ or False

    @property
    def is_until(self) -> bool:
        return self.until is not None


class Cache(_Shape):
    """Keep the node's output. `key` None means the resolved parameters."""

    key: JsonValue = Field(
        default=None, description="What the output depends on; the params if left out"
    )
    ttl: PositiveDuration = Field(description="How long the output is kept")


@dataclass(frozen=True, kw_only=True)
class Graph:
    """The nodes of a flow or a block and the edges between them, both in document order.

    A node's edges are ordered: its `next` first, then those of `edges`. `path` is where the flow
    or the block stands in the document.
    """

    nodes: Mapping[str, Node]
    edges: tuple[Edge, ...]
    output: Json = None
    on_failure: OnFailure = "cancel"
    path: Path = ()


def _expand_retry(value: Json) -> Json:
    plain = isinstance(value, (int, str)) and not isinstance(value, bool)
    return {"attempts": value} if plain else value


def _expand_foreach(value: Json) -> Json:
    return {"in": value} if isinstance(value, (str, list)) else value


def _expand_cache(value: Json) -> Json:
    plain = isinstance(value, (int, float, str)) and not isinstance(value, bool)
    return {"ttl": value} if plain else value


_mapping = shorthand(lambda value: value, "a mapping")
_WrittenRetry: TypeAlias = Annotated[
    Retry | None, shorthand(_expand_retry, "how often to try in all, or a mapping")
]
_WrittenForeach: TypeAlias = Annotated[
    Foreach | None,
    shorthand(_expand_foreach, "a list, a template that gives one, or a mapping with `in`"),
]
_WrittenCache: TypeAlias = Annotated[
    Cache | None, shorthand(_expand_cache, "how long to keep the output, or a mapping with `ttl`")
]
_WrittenRepeat: TypeAlias = Annotated[
    Repeat | None, shorthand(lambda value: value, "a mapping with `until` or `while`")
]
_Object: TypeAlias = Annotated[dict[str, JsonValue], _mapping]
_Priority: TypeAlias = Annotated[int, whole(1, 5)]


class Node(_Shape):
    """A node as it is written: `defaults` of the flow and of its type are not merged in.

    `graph` is what is inside of a block or an agent, None for every other node. One that
    `is_made` was not written: it is part of what an agent stands for.
    """

    type: Text = Field(description="What the node does")
    title: Text = Field(default="", description="What people see it called; may hold templates")
    description: Text = Field(default="", description="For people who read the flow")
    params: _Object = Field(
        default_factory=dict, description="What the node type takes; may hold templates"
    )
    arrows: Arrows = Field(
        default=(),
        alias="next",
        description="Which nodes come after it: an id, a list, or a mapping from outcomes to ids",
    )
    join: Join = Field(
        default="all",
        description=(
            "How many of the edges into it have to be taken: all that are resolved (all), the "
            "first (any), the first and the others are given up (race), or a number"
        ),
    )
    when: Maybe[Condition] = Field(default=None, description="Skipped unless this holds")
    foreach: _WrittenForeach = Field(default=None, description="Run once for each item of a list")
    repeat: _WrittenRepeat = Field(default=None, description="Run again until a condition holds")
    retry: _WrittenRetry = Field(default=None, description="How often and when to try again")
    timeout: Maybe[TimeLimit] = Field(
        default=None,
        description="How long it may take in all, attempts and items included; may be a template",
    )
    attempt_timeout: Maybe[PositiveDuration] = Field(
        default=None, description="How long one attempt may take"
    )
    heartbeat: Maybe[PositiveDuration] = Field(
        default=None, description="After which silence an attempt counts as lost"
    )
    cache: _WrittenCache = Field(
        default=None, description="Keep the output, and use it again instead of running"
    )
    lock: WrittenLock = Field(
        default=None, description="Hold a lock that runs share while the node runs"
    )
    rate: WrittenRate = Field(
        default=None, description="How often it may start, over all runs that share the rate"
    )
    undo: Maybe[NodeId] = Field(
        default=None,
        description="The node that undoes this one when the run fails or is cancelled later",
    )
    queue: Maybe[QueueName] = Field(
        default=None, description="The Temporal task queue whose workers run it"
    )
    priority: Maybe[_Priority] = Field(
        default=None, description="From 1, most urgent, to 5; 3 if left out"
    )
    execution: Annotated[Literal["local", "remote"] | None, choice("local", "remote")] = Field(
        default=None,
        description="local for short idempotent work beside the workflow, else remote",
    )
    nodes: Annotated[dict[NodeId, Node] | None, _mapping] = Field(
        default=None, description="The nodes inside; blocks only"
    )
    links: Links = Field(default=(), alias="edges", description="The edges inside; blocks only")
    output: JsonValue = Field(default=None, description="The block's output; blocks only")
    on_failure: Annotated[OnFailure, choice("cancel", "finish")] = Field(
        default="cancel", description="What happens to the nodes inside when one fails; blocks only"
    )
    tools: Annotated[dict[NodeId, Tool] | None, _mapping] = Field(
        default=None, description="What the model may call; agents only"
    )
    _id: str = PrivateAttr(default="")
    _path: Path = PrivateAttr(default=())
    _graph: Graph | None = PrivateAttr(default=None)
    _is_made: bool = PrivateAttr(default=False)

    @classmethod
    def made(cls, id: str, type: str, params: JsonObject, *, path: Path) -> Self:
        """One that stands nowhere by itself, with nothing but its parameters."""
        node = cls.model_validate({"type": type, "params": params})
        node._settle(id, path)
        return node

    @property
    def id(self) -> str:
        return self._id

    @property
    def is_made(self) -> bool:
        return self._is_made

    @property
    def path(self) -> Path:
        return self._path

    @property
    def graph(self) -> Graph | None:
        return self._graph

    def _settle(self, id: str, path: Path) -> None:
        self._id, self._path = id, path
        if self.type == AGENT:
            self._graph = self._loop()
        elif self.nodes is not None:
            self._graph = _settled(
                self.nodes, self.links, path, output=self.output, on_failure=self.on_failure
            )

    def _loop(self) -> Graph:
        """The graph that an agent stands for."""
        told: dict[str, Json] = {id: tool.told for id, tool in (self.tools or {}).items()}
        taken = made_ids(self.id, told)  # one that has such an id is told so elsewhere
        tools = {id: tool for id, tool in (self.tools or {}).items() if id not in taken}
        loop = agent_graph(self.id, self.params, {id: tool.told for id, tool in tools.items()})
        nodes: dict[str, Node] = {}
        own = {name: getattr(self, name) for name in OF_EACH_TURN}
        for id, written in loop.made.items():
            nodes[id] = Node.model_validate(written).model_copy(update=own)
            nodes[id]._is_made = True
            nodes[id]._settle(id, self.path)
        for id, tool in tools.items():
            changed = Node.model_validate(loop.tools[id] | {"type": tool.type})
            changes = {name: getattr(changed, name) for name in loop.tools[id]}
            nodes[id] = tool.model_copy(update=changes)
            nodes[id]._settle(id, (*self.path, "tools", id))
        edges = (Written((), Link.model_validate(edge)) for edge in loop.edges)
        return Graph(
            nodes=nodes,
            edges=tuple(each.settled(each.edge.source, self.path) for each in edges),
            output=loop.output,
            path=self.path,
        )


class Tool(Node):
    """A node that an agent's model may call, which reads as `call` what the model gave."""

    parameters: _Object = Field(
        default_factory=dict, description="JSON Schema of what the model gives; nothing if left out"
    )

    @property
    def told(self) -> JsonObject:
        """What an agent has to know of it."""
        about: JsonObject = {"type": self.type, "description": self.description}
        return {**about, "parameters": self.parameters, "params": self.params}


class Defaults(_Shape):
    """What nodes that say nothing else do."""

    retry: _WrittenRetry = Field(default=None, description="As on a node; merged key by key")
    attempt_timeout: Maybe[PositiveDuration] = Field(
        default=None, description="How long one attempt may take"
    )
    heartbeat: Maybe[PositiveDuration] = Field(
        default=None, description="After which silence an attempt counts as lost"
    )
    queue: Maybe[QueueName] = Field(
        default=None, description="The Temporal task queue whose workers run the nodes"
    )
    priority: Maybe[_Priority] = Field(
        default=None, description="From 1, most urgent, to 5; 3 if left out"
    )


class Flow(_Shape):
    """A whole flow document; `graph` has its nodes and edges."""

    name: FlowName = Field(alias="flow", description="The flow's name, by which runs are started")
    description: Text = Field(default="", description="For people who read the flow")
    input: Annotated[JsonObject | None, _mapping] = Field(
        default=None, description="JSON Schema of what a run is started with"
    )
    secrets: SecretNames = Field(default=(), description="The names of the secrets its nodes use")
    vars: Annotated[dict[VariableName, JsonValue], _mapping] = Field(
        default_factory=dict, description="Variables and their first values; `set` changes them"
    )
    defaults: Annotated[Defaults, _mapping] = Field(
        default=Defaults(), description="Settings of nodes that have none of their own"
    )
    labels: Annotated[dict[LabelName, Text], _mapping] = Field(
        default_factory=dict, description="Names and values to find runs by in Temporal"
    )
    nodes: Annotated[dict[NodeId, Node], _mapping] = Field(description="The steps, by id")
    links: Links = Field(
        default=(), alias="edges", description="Edges between nodes, beside those under `next`"
    )
    output: JsonValue = Field(default=None, description="The run's result; may hold templates")
    timeout: Maybe[PositiveDuration] = Field(
        default=None, description="How long a run may take in all"
    )
    on_complete: WrittenCallback = Field(
        default=None, description="The webhook that is sent when a run has completed"
    )
    on_failure: WrittenFailing = Field(
        default=Failing(),
        description="What happens to running nodes when one fails (cancel them, or let them "
        "finish), and the webhook that is sent when a run has failed or was cancelled",
    )
    schedules: Annotated[dict[ScheduleName, Schedule], _mapping] = Field(
        default_factory=dict, description="When it starts by itself, by name; no part of a run"
    )
    _graph: Graph = PrivateAttr()

    @property
    def graph(self) -> Graph:
        return self._graph

    @property
    def edges(self) -> tuple[Edge, ...]:
        return self._graph.edges

    def model_post_init(self, _context: object) -> None:
        self._graph = _settled(
            self.nodes, self.links, (), output=self.output, on_failure=self.on_failure.running
        )


def _settled(
    nodes: Mapping[str, Node],
    links: Links,
    path: Path,
    *,
    output: Json,
    on_failure: OnFailure,
) -> Graph:
    for id, node in nodes.items():
        node._settle(id, (*path, "nodes", id))
    nexts = (
        arrow.settled(id, (*node.path, "next"))
        for id, node in nodes.items()
        for arrow in node.arrows
    )
    listed = (link.settled(link.edge.source, (*path, "edges")) for link in links)
    return Graph(
        nodes=nodes,
        edges=(*nexts, *listed),
        output=output,
        on_failure=on_failure,
        path=path,
    )
