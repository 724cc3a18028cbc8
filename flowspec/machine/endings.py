"""How the end of a failed run is told to people, and to the run that waits for it."""

from __future__ import annotations

from flowspec.values import JsonObject

__all__ = ["failure_message"]

_LONGEST_MESSAGE = 4_000


def failure_message(error: JsonObject, node_type: str | None) -> str:
    """The failing node, how often it was tried, and what it says."""
    message = str(error.get("message", "failed"))[:_LONGEST_MESSAGE]
    node = error.get("node")
    if node is None:
        return message
    kind = f" ({node_type})" if node_type else ""
    tried = error.get("attempt", 1)
    after = f" after {tried} attempts" if isinstance(tried, int) and tried > 1 else ""
    return f"node {node!r}{kind} failed{after}: {message}"
