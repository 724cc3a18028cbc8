"""What was seen of a run that was played."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from flowspec.values import Json, JsonObject
from simulator.attempts import Attempt

__all__ = ["Ended", "NodeEnd", "Performed", "Played", "Status", "Taken"]

Status: TypeAlias = Literal["completed", "failed", "cancelled", "waiting"]


@dataclass(kw_only=True)
class Performed:
    """Something that was asked of the world: an activity, or another flow.

    `path` is the operation's, `name` what its node is called. `params` is what it was told, with
    secrets as their names in angle brackets. `assumed` if nobody said what it answers. `ended` is
    None while it is under way.
    """

    run: str
    path: str
    name: str
    type: str
    title: str = ""
    params: Json
    started: float
    ended: float | None = None
    attempts: list[Attempt] = field(default_factory=list)
    outcome: Literal["success", "failure", "cancelled", "running"] = "running"
    output: Json = None
    action: str | None = None
    error: JsonObject | None = None
    assumed: bool = False


@dataclass(frozen=True, kw_only=True)
class NodeEnd:
    """A node that ended, once for each time it did; `started` None if it never began."""

    run: str
    path: str
    name: str
    undo: bool
    started: float | None
    ended: float
    result: JsonObject

    @property
    def outcome(self) -> str:
        return str(self.result["outcome"])


@dataclass(frozen=True, kw_only=True)
class Taken:
    """An edge that was taken, by the flow and block it belongs to and its place there."""

    flow: str
    block: str
    edge: int


@dataclass(frozen=True, kw_only=True)
class Ended:
    """How a run ended; one that waits for what never comes has not."""

    status: Status
    output: Json = None
    error: JsonObject | None = None
    waiting: tuple[JsonObject, ...] = ()


@dataclass(kw_only=True)
class Played:
    """A run from its start to its end, and the runs it started, in the order of what happened.

    `run` is "" for the run itself, for another the path of the node that started it.
    """

    flow: str
    began: float
    ended: Ended = field(default_factory=lambda: Ended(status="waiting"))
    at: float = 0.0
    performed: list[Performed] = field(default_factory=list)
    nodes: list[NodeEnd] = field(default_factory=list)
    visited: list[tuple[str, str, str]] = field(default_factory=list)
    """Flow, node and outcome, of whatever run."""
    begun: list[tuple[str, str]] = field(default_factory=list)
    """Run and path of the nodes that began, in order."""
    taken: list[Taken] = field(default_factory=list)
    standing: list[JsonObject] = field(default_factory=list)
    """The nodes as the status of the run shows them in the end."""
    notes: list[str] = field(default_factory=list)
    """What somebody said to the run that it did not take."""

    @property
    def path(self) -> list[str]:
        """The nodes of the run itself that began, in order; undos are none of them."""
        undone = [node.path for node in self.nodes if node.undo and not node.run]
        return [path for run, path in self.begun if not run and path not in undone]

    @property
    def undone(self) -> list[str]:
        """The undos of the run itself that ran, in order."""
        return [node.path for node in self.nodes if node.undo and not node.run]

    @property
    def took(self) -> float:
        """Seconds from the start to the end, or to where it stands."""
        return self.at - self.began
