"""Where a node runs, and which settings mean something there."""

from __future__ import annotations

from flowspec.agents import AGENT, OF_EACH_TURN
from flowspec.catalogue import NodeType, Tier
from flowspec.model import Node

__all__ = ["takes", "tier_of"]

_ACTIVITY = ("retry", "attempt_timeout", "cache")
_REMOTE = (*_ACTIVITY, "heartbeat", "queue", "priority")
_COMPOSITES = {
    "block": ("retry",),
    "flow": ("retry", "queue", "priority"),
    AGENT: OF_EACH_TURN,
}


def tier_of(node: Node, node_type: NodeType) -> Tier:
    """What the node says of its execution, else what its type says."""
    fixed = node_type.tier == "inline" or node_type.name == "call"
    return node_type.tier if fixed else node.execution or node_type.tier


def takes(node_type: NodeType, tier: Tier, setting: str) -> bool:
    """Whether a setting means something for a node of this type in this tier."""
    if tier == "inline":
        return setting in _COMPOSITES.get(node_type.name, ())
    return setting in (_REMOTE if tier == "remote" else _ACTIVITY)
