"""What the machine does otherwise than in earlier releases: the ids of Temporal's patches.

A run that began before goes on as it would have; so each is asked for where the ways part.
"""

from __future__ import annotations

__all__ = ["ASKS_UNDER_ANOTHER_NAME", "JOINS_SHARDS", "ORDERS_FAILURES", "RESTS_BY_EFFORT"]

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

RESTS_BY_EFFORT = "rests-by-effort-2026-11"
"""A run that has much to do pauses by how much work its steps are. Before, it did so by their
number alone, and with costly expressions could not be done in time with one workflow task."""
