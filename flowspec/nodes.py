"""The nodes of a flow document, and the graphs they make with the edges between them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Literal, NamedTuple, Self

from pydantic import Field

from flowspec.callbacks import OnFailure
from flowspec.edges import Arrows, Edge, Links
from flowspec.fields import (
    Condition,
    Join,
    JsonValue,
    Maybe,
    Object,
    PositiveDuration,
    Priority,
    Text,
    TimeLimit,
    choice,
    mapping,
)
from flowspec.modifiers import (
    WrittenCache,
    WrittenForeach,
    WrittenLock,
    WrittenRate,
    WrittenRepeat,
    WrittenRetry,
)
from flowspec.names import NodeId, QueueName
from flowspec.problems import Path
from flowspec.strict import Strict
from flowspec.values import Json, JsonObject

__all__ = ["Graph", "Node", "Tool"]


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


class _Place(NamedTuple):
    """What a node is told of itself once the whole document is read."""

    id: str
    path: Path
    graph: Graph | None
    is_made: bool


class Node(Strict):
    """A node as it is written: `defaults` of the flow and of its type are not merged in.

    `graph` is what is inside of a block or an agent, None for every other node. One that
    `is_made` was not written: it is part of what an agent stands for.
    """

    type: Text = Field(description="What the node does")
    title: Text = Field(default="", description="What people see it called; may hold templates")
    description: Text = Field(default="", description="For people who read the flow")
    params: Object = Field(
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
    foreach: WrittenForeach = Field(default=None, description="Run once for each item of a list")
    repeat: WrittenRepeat = Field(default=None, description="Run again until a condition holds")
    retry: WrittenRetry = Field(default=None, description="How often and when to try again")
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
    cache: WrittenCache = Field(
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
    priority: Maybe[Priority] = Field(
        default=None, description="From 1, most urgent, to 5; 3 if left out"
    )
    execution: Annotated[Literal["local", "remote"] | None, choice("local", "remote")] = Field(
        default=None,
        description="local for short idempotent work beside the workflow, else remote",
    )
    nodes: Annotated[dict[NodeId, Node] | None, mapping] = Field(
        default=None, description="The nodes inside; blocks only"
    )
    links: Links = Field(default=(), alias="edges", description="The edges inside; blocks only")
    output: JsonValue = Field(default=None, description="The block's output; blocks only")
    on_failure: Annotated[OnFailure, choice("cancel", "finish")] = Field(
        default="cancel", description="What happens to the nodes inside when one fails; blocks only"
    )
    tools: Annotated[dict[NodeId, Tool] | None, mapping] = Field(
        default=None, description="What the model may call; agents only"
    )

    # no private attribute of Pydantic's, for they are slow to read, and this is read most of all
    __slots__ = ("_place",)

    @classmethod
    def made(cls, id: str, type: str, params: JsonObject, *, path: Path) -> Self:
        """One that stands nowhere by itself, with nothing but its parameters."""
        node = cls.model_validate({"type": type, "params": params})
        node.settle(id, path)
        return node

    @property
    def id(self) -> str:
        return self._place.id

    @property
    def is_made(self) -> bool:
        return self._place.is_made

    @property
    def path(self) -> Path:
        return self._place.path

    @property
    def graph(self) -> Graph | None:
        return self._place.graph

    def settle(
        self, id: str, path: Path, graph: Graph | None = None, *, is_made: bool = False
    ) -> None:
        """Tell it where it stands and what is inside of it; done once, before anyone reads it."""
        self._place = _Place(id, path, graph, is_made)


class Tool(Node):
    """A node that an agent's model may call, which reads as `call` what the model gave."""

    parameters: Object = Field(
        default_factory=dict, description="JSON Schema of what the model gives; nothing if left out"
    )

    @property
    def told(self) -> JsonObject:
        """What an agent has to know of it."""
        about: JsonObject = {"type": self.type, "description": self.description}
        return {**about, "parameters": self.parameters, "params": self.params}
