"""The line to a server: what carries the messages, and what it knows of why it broke."""

from __future__ import annotations

from typing import Final, Protocol

from mcp.client import Transport

from activities.errors import NodeFailed

__all__ = ["MOST_BYTES", "Line"]

MOST_BYTES: Final = 16_000_000
"""Of one answer: it is read into memory."""


class Line(Protocol):
    """One attempt's own."""

    def transport(self) -> Transport:
        """Carries the messages; to be entered once."""

    async def explained(self, failed: NodeFailed) -> NodeFailed:
        """The same failure, or what was behind it, once the transport has been left."""
