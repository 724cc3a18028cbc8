"""How a run looks from outside at one moment: what it says itself, and what Temporal knows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, cast

from flowspec.values import Json, JsonObject

__all__ = ["NodeView", "PendingAttempt", "RunView", "WaitView", "read_view", "with_pending"]


@dataclass(frozen=True, kw_only=True)
class PendingAttempt:
    """An activity that Temporal has not seen the end of.

    `attempt` counts from 1. `queued_at` is from when on a worker may take it up, None while one
    works on it; `failure` is what the last attempt came to.
    """

    path: str
    attempt: int = 1
    queued_at: datetime | None = None
    task_queue: str = ""
    failure: str | None = None


@dataclass(frozen=True, kw_only=True)
class NodeView:
    """A node that a run has reached. `state` is `running`, `retrying` or how it ended."""

    path: str
    type: str = ""
    title: str = ""
    state: str = "running"
    action: str | None = None
    iteration: int | None = None
    done: int | None = None
    total: int | None = None
    attempt: int | None = None
    started: datetime | None = None
    ended: datetime | None = None
    error: str | None = None
    next_at: datetime | None = None

    @property
    def is_tolerant(self) -> bool:
        """Whether something in it failed that it did not fail of."""
        return self.state == "success" and self.error is not None


@dataclass(frozen=True, kw_only=True)
class WaitView:
    """What a run waits for: `kind` is `approval`, `event`, `timer` or `lock`; `name` an event's
    signal, or the lock."""

    path: str
    kind: str
    name: str | None = None
    title: str = ""
    actions: tuple[str, ...] = ()
    form: Json = None
    until: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class RunView:
    """`truncated` is how many nodes were left out."""

    status: str
    flow: str = ""
    version: str = ""
    started: datetime | None = None
    paused: bool = False
    nodes: tuple[NodeView, ...] = ()
    waiting: tuple[WaitView, ...] = ()
    truncated: int = 0


def read_view(status: Mapping[str, Any]) -> RunView:
    """From the answer to the query `status`; keys it does not know are left alone."""
    return RunView(
        status=str(status.get("status", "running")),
        flow=str(status.get("flow", "")),
        version=str(status.get("version", "")),
        started=_moment(status.get("started")),
        paused=bool(status.get("paused")),
        nodes=tuple(_node(node) for node in _objects(status.get("nodes"))),
        waiting=tuple(_wait(wait) for wait in _objects(status.get("waiting"))),
        truncated=_count(status.get("truncated")) or 0,
    )


def with_pending(view: RunView, pending: Mapping[str, PendingAttempt]) -> RunView:
    """Add what only Temporal knows: which attempt is under way, and why the last one failed."""
    return replace(view, nodes=tuple(_with_attempt(node, pending) for node in view.nodes))


def _with_attempt(node: NodeView, pending: Mapping[str, PendingAttempt]) -> NodeView:
    if node.state != "running":
        return node
    # A node's items and rounds are attempts of their own: `each.3`, `poll#2`.
    own = [one for path, one in pending.items() if _belongs(path, node.path)]
    worst = max(own, key=lambda one: one.attempt, default=None)
    if worst is None or worst.attempt < 2:
        return node
    return replace(
        node,
        state="retrying" if worst.queued_at else node.state,
        attempt=worst.attempt,
        error=worst.failure,
        next_at=worst.queued_at,
    )


def _belongs(path: str, node: str) -> bool:
    rest = path.removeprefix(node)
    return path.startswith(node) and (not rest or rest[0] in ".#")


def _node(data: JsonObject) -> NodeView:
    error = data.get("error")
    told: JsonObject = error if isinstance(error, dict) else {}
    path = str(data.get("path", data.get("id", "?")))
    return NodeView(
        path=path,
        type=str(data.get("type", "")),
        title=str(data.get("title", "")),
        state=str(data.get("state", "running")),
        action=_text(data.get("action")),
        iteration=_count(data.get("iteration")),
        done=_count(data.get("done")),
        total=_count(data.get("total")),
        attempt=_count(data.get("attempts", told.get("attempt"))),
        started=_moment(data.get("started")),
        ended=_moment(data.get("ended")),
        error=_error(path, told) if told else None,
    )


def _error(path: str, told: JsonObject) -> str:
    text = f"{told.get('type')}: {told.get('message')}"
    first = told.get("first")
    if not isinstance(first, dict):
        return text
    return f"{text}; {path}.{first.get('index')}: {first.get('type')}: {first.get('message')}"


def _wait(data: JsonObject) -> WaitView:
    actions = data.get("actions")
    return WaitView(
        path=str(data.get("path", "?")),
        kind=str(data.get("kind", "")),
        name=_text(data.get("name")),
        title=str(data.get("title") or ""),
        actions=tuple(str(action) for action in actions) if isinstance(actions, list) else (),
        form=data.get("form"),
        until=_moment(data.get("until")),
    )


def _objects(value: object) -> list[JsonObject]:
    found = value if isinstance(value, list) else []
    return [cast(JsonObject, one) for one in found if isinstance(one, dict)]


def _text(value: Json) -> str | None:
    return value if isinstance(value, str) else None


def _count(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _moment(value: object) -> datetime | None:
    return datetime.fromisoformat(value) if isinstance(value, str) else None
