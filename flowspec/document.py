"""The flow document as typed values.

Templates and conditions are kept as they are written, durations become seconds. What the names
in a document refer to is not looked at here.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, PrivateAttr

from flowspec.callbacks import Failing, WrittenCallback, WrittenFailing
from flowspec.edges import Edge, Links
from flowspec.fields import JsonValue, Maybe, PositiveDuration, Priority, Text, mapping
from flowspec.modifiers import WrittenRetry
from flowspec.names import (
    FlowName,
    LabelName,
    NodeId,
    QueueName,
    ScheduleName,
    SecretNames,
    VariableName,
)
from flowspec.nodes import Graph, Node
from flowspec.schedules import Schedule
from flowspec.settling import settled
from flowspec.strict import Strict
from flowspec.values import JsonObject

__all__ = ["Defaults", "Flow"]


class Defaults(Strict):
    """What nodes that say nothing else do."""

    retry: WrittenRetry = Field(default=None, description="As on a node; merged key by key")
    attempt_timeout: Maybe[PositiveDuration] = Field(
        default=None, description="How long one attempt may take"
    )
    heartbeat: Maybe[PositiveDuration] = Field(
        default=None, description="After which silence an attempt counts as lost"
    )
    queue: Maybe[QueueName] = Field(
        default=None, description="The Temporal task queue whose workers run the nodes"
    )
    priority: Maybe[Priority] = Field(
        default=None, description="From 1, most urgent, to 5; 3 if left out"
    )


class Flow(Strict):
    """A whole flow document; `graph` has its nodes and edges."""

    name: FlowName = Field(alias="flow", description="The flow's name, by which runs are started")
    description: Text = Field(default="", description="For people who read the flow")
    input: Annotated[JsonObject | None, mapping] = Field(
        default=None, description="JSON Schema of what a run is started with"
    )
    secrets: SecretNames = Field(default=(), description="The names of the secrets its nodes use")
    vars: Annotated[dict[VariableName, JsonValue], mapping] = Field(
        default_factory=dict, description="Variables and their first values; `set` changes them"
    )
    defaults: Annotated[Defaults, mapping] = Field(
        default=Defaults(), description="Settings of nodes that have none of their own"
    )
    labels: Annotated[dict[LabelName, Text], mapping] = Field(
        default_factory=dict, description="Names and values to find runs by in Temporal"
    )
    nodes: Annotated[dict[NodeId, Node], mapping] = Field(description="The steps, by id")
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
    schedules: Annotated[dict[ScheduleName, Schedule], mapping] = Field(
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
        self._graph = settled(
            self.nodes, self.links, (), output=self.output, on_failure=self.on_failure.running
        )
