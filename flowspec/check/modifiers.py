"""Checks of settings that say nothing for the node they stand on."""

from __future__ import annotations

from collections.abc import Iterator

from flowspec.catalogue import Catalogue, NodeType
from flowspec.check.notes import Notes
from flowspec.check.outline import Outline
from flowspec.check.tiers import takes, tier_of
from flowspec.model import Node

__all__ = ["check_modifiers"]


def check_modifiers(outline: Outline, catalogue: Catalogue, notes: Notes) -> None:
    for _, node in outline.nodes():
        node_type = catalogue.get(node.type)
        if node_type is None:
            continue
        for key, why in _pointless(node, node_type):
            message = f"{key!r} has no effect on {node.id!r}: {why}; remove it"
            notes.add("FR505", (*node.path, key), message, key=True, found=key)


def _pointless(node: Node, node_type: NodeType) -> Iterator[tuple[str, str]]:
    inline = node_type.tier == "inline"
    doer = f"{node.type} is performed by the interpreter itself"
    given = {
        "retry": node.retry,
        "attempt_timeout": node.attempt_timeout,
        "heartbeat": node.heartbeat,
        "cache": node.cache,
        "queue": node.queue,
        "priority": node.priority,
    }
    if inline and node.execution is not None:
        yield "execution", doer
    for key, value in given.items():
        if value is not None and not takes(node_type, tier_of(node, node_type), key):
            yield key, doer if inline else "it runs as a local activity"
    if not node_type.outcomes:
        for key, modifier in (("foreach", node.foreach), ("repeat", node.repeat)):
            if modifier is not None:
                yield key, f"{node.type} ends its graph the first time it runs"
    if node.cache is not None and node.repeat is not None:
        yield "cache", "with `repeat`, every round would be given the first round's output"
    if node.undo is not None and "success" not in node_type.outcomes:
        yield "undo", f"{node.type} never succeeds, so there is nothing to undo"
