"""What the machine does otherwise than in earlier releases: the ids of Temporal's patches.

A run that began before goes on as it would have; so each is asked for where the ways part.
"""

from __future__ import annotations

__all__ = ["ASKS_UNDER_ANOTHER_NAME", "JOINS_SHARDS", "ORDERS_FAILURES"]

ASKS_UNDER_ANOTHER_NAME = "asks-under-another-name-2026-11"
"""Once a lock was declined, those that are asked for afterwards are under tokens that were not
there before. Earlier, a lock could be asked for and declined under the same token at once."""

JOINS_SHARDS = "joins-shards-2026-11"
"""Shards of a wide `foreach` run side by side, put their outputs away unless they are small, and
these are joined by a local activity. Before, they ran one after the other, and the run listed a
claim for each item."""

ORDERS_FAILURES = "orders-failures-2026-11"
"""Failed items of a `foreach` are told in the order of its items. Before, they were told in the
order in which they failed."""
