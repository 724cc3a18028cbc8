"""What a `foreach` goes over: a list at hand, or an opaque one of which parts are handed on."""

from __future__ import annotations

from typing import cast

from flowspec.machine.state import NodeRun
from flowspec.plan import ForeachPlan
from flowspec.values import Json, JsonObject, Opaque

__all__ = ["batched", "drop_items", "lanes_of", "number_of", "section", "take_item"]

_LANES = 8
_LANE = 25
"""So many items at a time, at least, make a lane worth its while."""


def batched(items: list[Json], size: int | None) -> list[Json]:
    """The items in lists of that size, in a list of the run's own."""
    if size is None:
        return list(items)
    return [items[start : start + size] for start in range(0, len(items), size)]


def number_of(run: NodeRun, plan: ForeachPlan) -> int:
    """How many items the run has; a batch is one."""
    if isinstance(run.items, Opaque):
        return -(-run.count // (plan.batch or 1))
    return len(run.items or ())


def lanes_of(plan: ForeachPlan, total: int) -> int:
    """How many shards run side by side, each with its share of the concurrency."""
    shards = -(-total // plan.shard)
    return max(1, min(_LANES, plan.concurrency // _LANE, shards))


def take_item(run: NodeRun, plan: ForeachPlan, index: int) -> Json:
    """The item, which the run itself does not need any more."""
    if not isinstance(run.items, Opaque):
        assert run.items is not None
        item, run.items[index] = run.items[index], None
        return item
    if plan.batch is None:
        return cast(Json, run.items.part(index))
    return cast(Json, _part(run, plan, index, index + 1)[0])


def section(run: NodeRun, plan: ForeachPlan, start: int, stop: int) -> JsonObject:
    """The items from `start` to before `stop`, as a shard is told of them.

    A list is told in batches already; an opaque one has still to be read in batches.
    """
    if isinstance(run.items, Opaque):
        items, count = _part(run, plan, start, stop)
        return {"items": cast(Json, items), "count": count}
    assert run.items is not None
    return {"items": run.items[start:stop]}


def drop_items(run: NodeRun, start: int, stop: int) -> None:
    """The run does not need these any more."""
    if isinstance(run.items, list):
        run.items[start:stop] = [None] * (stop - start)


def _part(run: NodeRun, plan: ForeachPlan, start: int, stop: int) -> tuple[Opaque, int]:
    assert isinstance(run.items, Opaque)
    size = plan.batch or 1
    start, stop = start * size, min(stop * size, run.count)
    return run.items.part(start, stop), stop - start
