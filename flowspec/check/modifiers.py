"""Checks of settings that say nothing for the node they stand on."""

from __future__ import annotations

from collections.abc import Iterator

from flowspec.catalogue import Catalogue, NodeType
from flowspec.check.notes import Notes
from flowspec.check.outline import Outline, Section
from flowspec.check.tiers import takes, tier_of
from flowspec.model import Node
from flowspec.problems import Path
from flowspec.sharing import wrong_name

__all__ = ["check_modifiers"]


_AT_ONCE = ("set", "noop", "fail", "return")
_WAITING = ("wait", "event", "approval")


def check_modifiers(outline: Outline, catalogue: Catalogue, notes: Notes) -> None:
    _names(outline, notes)
    _held_outside(outline, notes)
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
    if node.type == "call" and node.execution == "local":
        yield "execution", "the activity runs where its own worker is"
    for key, value in given.items():
        if value is not None and not takes(node_type, tier_of(node, node_type), key):
            yield key, doer if inline else "it runs as a local activity"
    if not node_type.outcomes:
        for key, modifier in (("foreach", node.foreach), ("repeat", node.repeat)):
            if modifier is not None:
                yield key, f"{node.type} ends its graph the first time it runs"
    if node.cache is not None and node.repeat is not None:
        yield "cache", "with `repeat`, every round would be given the first round's output"
    yield from _shared(node, node_type)
    if node.undo is not None and "success" not in node_type.outcomes:
        yield "undo", f"{node.type} never succeeds, so there is nothing to undo"


def _shared(node: Node, node_type: NodeType) -> Iterator[tuple[str, str]]:
    if node.lock is not None and node_type.name in _AT_ONCE:
        why = "takes no time, so that nobody could notice that it holds a lock"
        yield "lock", f"{node.type} {why}"
    if node.rate is not None and node_type.name in (*_AT_ONCE, *_WAITING):
        yield "rate", f"{node.type} starts nothing outside of the run"


def _names(outline: Outline, notes: Notes) -> None:
    """The names of locks and rates, as far as they are written out."""
    for _, node in outline.nodes():
        for key, modifier in (("lock", node.lock), ("rate", node.rate)):
            name = modifier.name if modifier is not None else None
            if name is None or "${" in name:
                continue
            wrong = wrong_name(name)
            if wrong is not None:
                notes.add("FR204", _place(node, key, notes), f"{key}: {wrong}", found=name)


def _held_outside(outline: Outline, notes: Notes) -> None:
    """A lock that a block holds is not let go for a node inside it."""
    for section, node in outline.nodes():
        if node.lock is None or node.lock.slots > 1:
            continue
        around: Section | None = section
        while around is not None and around.owner is not None:
            outer = around.owner
            if outer.lock is not None and outer.lock.name == node.lock.name:
                message = (
                    f"{node.id!r} would wait for ever for the lock {node.lock.name!r}, which "
                    f"{outer.id!r} around it holds; remove it here, or give it another name"
                )
                notes.add("FR512", _place(node, "lock", notes), message, found=node.lock.name)
            around = around.parent


def _place(node: Node, key: str, notes: Notes) -> Path:
    longer = (*node.path, key, "name")
    return longer if longer in notes.source.marks else (*node.path, key)
