"""What failed in nodes that succeeded all the same: the first of it, from the run's history."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from temporalio.client import Client, WorkflowHandle

from service.runs.history import HistoryReader, LogEntry
from service.runs.looking import events_of
from service.runs.payloads import reader_for
from service.runs.view import NodeView, RunView, belongs

__all__ = ["first_failures", "with_failures"]

_FAILED = ("node.failed", "node.timed_out", "flow.failed", "flow.timed_out")


async def with_failures(client: Client, handle: WorkflowHandle[Any, Any], view: RunView) -> RunView:
    """The view with the first failure beside «n of m items failed».

    What a run answers is to stay small, so it only counts them; its history is read if need be.
    """
    tolerant = [node for node in view.nodes if node.is_tolerant]
    if not tolerant:
        return view
    reader = HistoryReader(reader_for(client))
    entries: list[LogEntry] = []
    async for event in events_of(client, handle):
        entries += [entry for entry in reader.read(event) if entry.kind in _FAILED]
    told = first_failures(tolerant, entries)
    return replace(view, nodes=tuple(_with(node, told) for node in view.nodes))


def first_failures(nodes: list[NodeView], entries: list[LogEntry]) -> dict[str, str]:
    """For each of the nodes what failed first in its last execution, by the node's path."""
    found: dict[str, str] = {}
    for node in nodes:
        for entry in entries:
            path = entry.node or ""
            is_older = node.started is not None and entry.time < node.started
            if belongs(path, node.path) and not is_older:
                found[node.path] = f"{path}: {entry.error}"
                break
    return found


def _with(node: NodeView, told: Mapping[str, str]) -> NodeView:
    if not node.is_tolerant or node.path not in told:
        return node
    return replace(node, error=f"{node.error}; {told[node.path]}")
