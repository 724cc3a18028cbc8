"""Random plans: random graphs whose nodes carry every modifier and composite, and read `INPUT`."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from hypothesis import strategies as st

from flowspec.plan import (
    CachePlan,
    EdgePlan,
    ForeachPlan,
    GraphPlan,
    LockPlan,
    NodePlan,
    Plan,
    RatePlan,
    RepeatPlan,
    RetryPlan,
)
from flowspec.values import JsonObject
from tests.property.graphs import graph_plans

INPUT: JsonObject = {
    "one": 1,
    "two": 2,
    "three": 3,
    "yes": True,
    "pause": "5s",
    "why": "on purpose",
    "list": [1, 2, 3, 4, 5],
    "object": {"a": 1},
    "none": [],
}
KINDS = ("work", "work", "work", "noop", "set", "wait", "event", "approval", "fail", "flow")
PARAMS: dict[str, dict[str, Any]] = {
    "work": {"where": "${run.flow}", "what": ["${input.list}", "${input.list[0]}"]},
    "noop": {},
    "set": {"count": "${vars.count + input.one}"},
    "wait": {"for": "${input.pause}"},
    "event": {"name": "ping"},
    "approval": {"title": "${input.why}"},
    "fail": {"message": "${input.why}", "details": "${input.object}"},
    "flow": {"flow": "child", "input": "${input}"},
    "return": {"value": "${input.list}"},
    "block": {},
}


@st.composite
def plans(draw: st.DrawFn) -> Plan:
    graph = _furnished(draw, draw(graph_plans(largest=6)), prefix="", depth=0)
    return Plan(
        flow="parent",
        vars={"count": "${input.one - 1}"},
        labels={},
        timeout=draw(st.sampled_from([None, None, 40.0])),
        graph=graph,
        on_complete=draw(st.sampled_from([None, _callback("on_complete", "${output}")])),
        on_failure=draw(st.sampled_from([None, _callback("on_failure", "${error.type}")])),
    )


def _callback(key: str, payload: str) -> NodePlan:
    params: JsonObject = {"payload": payload, "list": "${input.list}"}
    return NodePlan(id=f"~{key}", type="work", tier="remote", params=params)


def child_plan() -> Plan:
    nodes = (NodePlan(id="c", type="wait", tier="inline", params={"for": "1s"}),)
    graph = GraphPlan(nodes=nodes, starts=("c",), output="${[run.flow, input.list]}")
    return Plan(flow="child", vars={}, labels={}, graph=graph)


def _furnished(draw: st.DrawFn, graph: GraphPlan, prefix: str, depth: int) -> GraphPlan:
    nodes = [_node(draw, node, prefix, depth) for node in graph.nodes]
    edges = tuple(_edge(draw, edge, prefix) for edge in graph.edges)
    starts = tuple(prefix + name for name in graph.starts)
    loops = tuple(
        replace(
            loop,
            header=prefix + loop.header,
            members=tuple(prefix + member for member in loop.members),
        )
        for loop in graph.loops
    )
    undo = draw(st.sampled_from([None, *(node.id for node in nodes)]))
    if undo is not None:
        target = NodePlan(
            id=f"{prefix}undo",
            type="work",
            tier="local",
            params={"undo": "${error}", "l": "${input.list[1]}"},
        )
        nodes = [replace(n, undo=target.id) if n.id == undo else n for n in nodes] + [target]
    return GraphPlan(
        nodes=tuple(nodes),
        edges=edges,
        starts=starts,
        loops=loops,
        output=draw(
            st.sampled_from(["${vars.count}", "${vars.count + input.one}", "${input.list}"])
        ),
        on_failure=draw(st.sampled_from(["cancel", "cancel", "finish"])),
    )


def _edge(draw: st.DrawFn, edge: EdgePlan, prefix: str) -> EdgePlan:
    conditions: list[str | bool] = [True, False, "vars.count < input.three", "input.yes"]
    when = None if edge.when is None else draw(st.sampled_from(conditions))
    return replace(edge, source=prefix + edge.source, target=prefix + edge.target, when=when)


def _node(draw: st.DrawFn, node: NodePlan, prefix: str, depth: int) -> NodePlan:
    kinds = (*KINDS, "return", *(("block", "block") if depth == 0 else ()))
    kind = draw(st.sampled_from(kinds))
    inner = None
    if kind == "block":
        inner = _furnished(draw, draw(graph_plans(largest=3)), f"{node.id}_", depth + 1)
    return replace(
        node,
        id=prefix + node.id,
        type=kind,
        tier="remote" if kind == "work" else "inline",
        params=PARAMS[kind],
        races=tuple(prefix + name for name in node.races),
        graph=inner,
        when=draw(st.sampled_from([None, None, None, True, False, "vars.count < input.two"])),
        foreach=draw(st.sampled_from([None, None, None, *_FOREACHES])),
        repeat=draw(st.sampled_from([None, None, None, *_REPEATS])),
        retry=draw(st.sampled_from([RetryPlan(), RetryPlan(attempts=2, interval=1.0)])),
        timeout=draw(st.sampled_from([None, None, 3.0, 7.0])),
        cache=draw(st.sampled_from([None, None, CachePlan(ttl=9.0)])) if kind == "work" else None,
        lock=draw(st.sampled_from([None, None, *_LOCKS[depth]])),
        rate=draw(st.sampled_from([None, None, *_RATES])) if kind in _STARTING else None,
    )


_STARTING = ("work", "flow", "block")
_LOCKS = [
    (
        LockPlan(name=name),
        LockPlan(name=name, slots=2, expires=6.0),
        LockPlan(name=f"${{input.why}} {name}", wait=2.0),
    )
    for name in ("outer", "inner")
]
"""Whoever holds an outer one may wait for an inner one, and never the other way round."""

_RATES = (
    RatePlan(name="slow", limit=1, per=2.0),
    RatePlan(name="${input.why}", limit=2, per=0.5),
)
_FOREACHES = (
    ForeachPlan(items=[1, "${input.two}", 3], concurrency=2),
    ForeachPlan(items="${input.object}", tolerate=50.0, tolerate_percent=True),
    ForeachPlan(items="${input.list}", batch=2, tolerate=1.0),
    ForeachPlan(items="${input.list}", shard=2, tolerate=1.0),
    ForeachPlan(items="${input.list}", batch=2, shard=2, tolerate=1.0),
    ForeachPlan(items="${input.none}"),
)
_REPEATS = (
    RepeatPlan(condition="iteration == input.two", until=True),
    RepeatPlan(condition=True, until=False, every=2.0, limit=3),
)
