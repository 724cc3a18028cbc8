"""Looking on while a machine makes its steps, for those who play runs rather than run them."""

from __future__ import annotations

from flowspec.values import JsonObject

__all__ = ["Watcher"]


class Watcher:
    """Is told of what is in no operation, in order."""

    def started(self, path: str, node: str) -> None:
        """A node began: its path, and its id."""

    def ended(self, path: str, node: str, result: JsonObject, *, undo: bool) -> None:
        """A node ended, skipped ones too; `result` has `outcome`, `output`, `action`, `error`."""

    def took(self, block: str, edge: int) -> None:
        """An edge was taken: of the graph of that block, the flow's own by ``""``."""
