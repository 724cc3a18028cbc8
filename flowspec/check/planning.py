"""From a flow without problems to its plan: every default filled in."""

from __future__ import annotations

from typing import TypeVar

from flowspec.catalogue import Catalogue, NodeType, Tier
from flowspec.check.callbacks import callbacks
from flowspec.check.outline import Outline, Section
from flowspec.check.tiers import takes, tier_of
from flowspec.model import Defaults, Flow, Foreach, Node, Retry
from flowspec.plan import (
    CachePlan,
    ForeachPlan,
    GraphPlan,
    LockPlan,
    NodePlan,
    Plan,
    RatePlan,
    RepeatPlan,
    RetryPlan,
)

__all__ = ["plan_of"]

_T = TypeVar("_T")

_NOTHING_SAID = Retry()


def plan_of(outline: Outline, catalogue: Catalogue) -> Plan:
    """The plan of a flow that has no errors."""
    flow = outline.flow
    planner = _Planner(outline, catalogue)
    told = {each.key: planner.node(outline.sections[0], each.node) for each in callbacks(flow)}
    return Plan(
        flow=flow.name,
        description=flow.description,
        input=flow.input,
        secrets=flow.secrets,
        vars=flow.vars,
        labels=flow.labels,
        timeout=flow.timeout,
        graph=planner.graph(outline.sections[0]),
        on_complete=told.get("on_complete"),
        on_failure=told.get("on_failure"),
    )


class _Planner:
    def __init__(self, outline: Outline, catalogue: Catalogue) -> None:
        self._flow: Flow = outline.flow
        self._catalogue = catalogue
        self._inside = {
            section.owner.id: section for section in outline.sections if section.owner is not None
        }

    def graph(self, section: Section) -> GraphPlan:
        return GraphPlan(
            nodes=tuple(self.node(section, node) for node in section.graph.nodes.values()),
            edges=section.edges,
            starts=section.shape.starts,
            loops=section.shape.loops,
            output=section.graph.output,
            on_failure=section.graph.on_failure,
        )

    def node(self, section: Section, node: Node) -> NodePlan:
        node_type = self._catalogue[node.type]
        tier = tier_of(node, node_type)
        defaults = self._flow.defaults
        return NodePlan(
            id=node.id,
            type=node.type,
            tier=tier,
            title=node.title,
            params=node.params if node.graph is None else {},
            join=node.join,
            races=section.shape.races(node.id) if node.join == "race" else (),
            when=node.when,
            foreach=_foreach(node.foreach) if node.foreach is not None else None,
            repeat=_repeat(node),
            retry=_retry(node, node_type, tier, defaults),
            timeout=None if isinstance(node.timeout, str) else node.timeout,
            timeout_text=node.timeout if isinstance(node.timeout, str) else None,
            attempt_timeout=_setting(
                node_type,
                tier,
                "attempt_timeout",
                (node.attempt_timeout, defaults.attempt_timeout, node_type.attempt_timeout),
            ),
            heartbeat=_setting(
                node_type,
                tier,
                "heartbeat",
                (
                    node.heartbeat,
                    # ours beat by themselves, others only if they were written to
                    defaults.heartbeat if node.type != "call" else None,
                    node_type.heartbeat,
                ),
            ),
            cache=_cache(node),
            undo=node.undo,
            queue=_setting(node_type, tier, "queue", (node.queue, defaults.queue)),
            priority=_setting(node_type, tier, "priority", (node.priority, defaults.priority)),
            graph=self.graph(self._inside[node.id]) if node.id in self._inside else None,
            lock=_lock(node),
            rate=_rate(node, self._flow),
        )


def _setting(
    node_type: NodeType, tier: Tier, name: str, choices: tuple[_T | None, ...]
) -> _T | None:
    """The first choice that was made, where the setting means something."""
    if not takes(node_type, tier, name):
        return None
    return next((choice for choice in choices if choice is not None), None)


def _foreach(foreach: Foreach) -> ForeachPlan:
    return ForeachPlan(
        items=foreach.items,
        name=foreach.name,
        concurrency=foreach.concurrency,
        tolerate=foreach.tolerate.amount,
        tolerate_percent=foreach.tolerate.percent,
        batch=foreach.batch,
    )


def _repeat(node: Node) -> RepeatPlan | None:
    if node.repeat is None:
        return None
    return RepeatPlan(
        condition=node.repeat.condition,
        until=node.repeat.is_until,
        every=node.repeat.every,
        limit=node.repeat.limit,
    )


def _cache(node: Node) -> CachePlan | None:
    return None if node.cache is None else CachePlan(key=node.cache.key, ttl=node.cache.ttl)


def _lock(node: Node) -> LockPlan | None:
    if node.lock is None:
        return None
    lock = node.lock
    return LockPlan(name=lock.name, slots=lock.slots, expires=lock.expires, wait=lock.wait)


def _rate(node: Node, flow: Flow) -> RatePlan | None:
    if node.rate is None:
        return None
    name = node.rate.name or f"{flow.name}/{node.id}"
    return RatePlan(name=name, limit=node.rate.limit, per=node.rate.per)


def _retry(node: Node, node_type: NodeType, tier: Tier, defaults: Defaults) -> RetryPlan:
    """The node's own, over the flow's defaults, over the type's.

    The flow's are for activities: a block that is tried again tries everything in it again.
    """
    if not takes(node_type, tier, "retry"):
        return RetryPlan()
    written = node.retry or _NOTHING_SAID
    if tier != "inline":
        written = written.over(defaults.retry)
    base = node_type.retry
    interval = _or(written.interval, base.interval)
    longest = max(interval, _or(written.max_interval, base.max_interval))
    attempts = base.attempts if written.attempts is None else written.attempts
    return RetryPlan(
        attempts=None if attempts == "unlimited" else attempts,
        interval=interval,
        factor=_or(written.factor, base.factor),
        max_interval=longest,
        jitter=_or(written.jitter, base.jitter),
        only=written.only or (),
        never=written.never or (),
    )


def _or(written: float | None, otherwise: float) -> float:
    return otherwise if written is None else written
