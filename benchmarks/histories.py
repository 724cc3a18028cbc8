"""What a run leaves in Temporal: its events by kind, and bytes; those of its sub-flows too."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import HistoryEvent
from temporalio.client import Client

__all__ = ["Left", "difference", "left_by"]


@dataclass(frozen=True, kw_only=True)
class Left:
    size: int
    kinds: Counter[str] = field(default_factory=Counter)

    @property
    def events(self) -> int:
        return self.kinds.total()


async def left_by(client: Client, workflow_id: str) -> Left:
    """A run's history and those of its sub-flows; each run in one execution."""
    handle = client.get_workflow_handle(workflow_id)
    size = (await handle.describe()).raw_description.workflow_execution_info.history_size_bytes
    kinds: Counter[str] = Counter()
    async for event in handle.fetch_history_events():
        kinds[_kind(event)] += 1
        started = event.child_workflow_execution_started_event_attributes
        if child := started.workflow_execution.workflow_id:
            below = await left_by(client, child)
            size += below.size
            kinds += below.kinds
    return Left(size=size, kinds=kinds)


def difference(flow: Left, by_hand: Left) -> dict[str, int]:
    """Of which kinds there are more, or fewer, in the flow's history."""
    kinds = sorted({*flow.kinds, *by_hand.kinds})
    return {
        kind: flow.kinds[kind] - by_hand.kinds[kind]
        for kind in kinds
        if flow.kinds[kind] != by_hand.kinds[kind]
    }


def _kind(event: HistoryEvent) -> str:
    name = EventType.Name(event.event_type).removeprefix("EVENT_TYPE_")
    return name.replace("_", " ").lower()
