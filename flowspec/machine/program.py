"""A plan made ready to run: graphs and compiled expressions, shared by all runs of the plan."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from functools import lru_cache

from flowspec.expressions import (
    Expression,
    Reader,
    Reference,
    Template,
    compile_condition,
    compile_template,
)
from flowspec.machine.caching import keyed
from flowspec.plan import GraphPlan, NodePlan, Plan, canonical, load_plan
from flowspec.routes import Graph
from flowspec.values import Json

__all__ = ["Program", "program_of"]


class Program:
    """Graphs by the id of their block (the flow's own by ""), and templates by where they stand."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.graphs: dict[str, Graph] = {"": Graph(plan.graph)}
        for node in _nodes(plan.graph):
            if node.graph is not None:
                self.graphs[node.id] = Graph(node.graph)
        self._templates: dict[tuple[str, str], Template] = {}
        self._conditions: dict[str | bool, Expression] = {}
        self._keys: dict[str, tuple[Json, Template]] = {}
        self._inside: dict[str, Reader] = {}
        self.events = self._event_names()

    def node_at(self, path: str) -> NodePlan | None:
        """The node that a path such as `each.3/inner#2` stands for."""
        name = re.split(r"[#.~]", path.rsplit("/", 1)[-1], maxsplit=1)[0]
        nodes = (graph.nodes.get(name) for graph in self.graphs.values())
        return next((node for node in nodes if node is not None), None)

    def template(self, owner: str, part: str, value: Json) -> Template:
        """The compiled form of a value of the plan, which `owner` and `part` identify."""
        key = (owner, part)
        known = self._templates.get(key)
        if known is None:
            known = self._templates[key] = compile_template(value)
        return known

    def condition(self, source: str | bool) -> Expression:
        if source not in self._conditions:
            self._conditions[source] = compile_condition(source)
        return self._conditions[source]

    def cache_key(self, node: NodePlan) -> tuple[Json, Template]:
        """What the key of a node's results is made of, and its compiled form."""
        if node.id not in self._keys:
            assert node.cache is not None
            raw = keyed(node.params) if node.cache.key is None else node.cache.key
            self._keys[node.id] = raw, compile_template(raw)
        return self._keys[node.id]

    def inside(self, node: NodePlan) -> Reader:
        """What the expressions of a node and of the nodes in it mention, once it has its items."""
        if node.id not in self._inside:
            found: list[Reference] = []
            for part in _with_nested(_with_items(node)):
                found += self._mentioned(part)
            self._inside[node.id] = Reader(references=tuple(found))
        return self._inside[node.id]

    def _mentioned(self, node: NodePlan) -> list[Reference]:
        values: list[Json] = [node.params, node.title]
        conditions: list[str | bool | None] = []
        if node.foreach is not None:
            values.append(node.foreach.items)
        if node.cache is not None:
            values.append(node.cache.key)
        values += [shared.name for shared in (node.lock, node.rate) if shared is not None]
        values.append(node.timeout_text)
        if node.repeat is not None:
            conditions.append(node.repeat.condition)
        if node.graph is not None:
            values.append(node.graph.output)
            conditions += [inner.when for inner in node.graph.nodes]
            conditions += [edge.when for edge in node.graph.edges]
        found = [r for value in values for r in compile_template(value).references]
        for condition in conditions:
            if condition is not None:
                found += self.condition(condition).references
        return [reference for reference in found if reference.path[0] != "secrets"]

    def listens(self, node: NodePlan) -> bool:
        """Whether the node, or one in it, waits for something from outside."""
        return any(part.type in ("event", "approval") for part in _with_nested(node))

    def _event_names(self) -> frozenset[str] | None:
        """The signals some node waits for; None if a name is only known at run time."""
        names: list[str] = []
        for node in _nodes(self.plan.graph):
            if node.type == "event":
                name = node.params.get("name", node.id)
                if not isinstance(name, str) or "${" in name:
                    return None
                names.append(name)
        return frozenset(names)


def _nodes(graph: GraphPlan) -> Iterator[NodePlan]:
    for node in graph.nodes:
        yield from _with_nested(node)


def _with_items(node: NodePlan) -> NodePlan:
    return replace(node, foreach=replace(node.foreach, items=[])) if node.foreach else node


def _with_nested(node: NodePlan) -> Iterator[NodePlan]:
    yield node
    if node.graph is not None:
        yield from _nodes(node.graph)


def program_of(plan: Json) -> Program:
    """The program of a plan as JSON, which all its runs share; raises `PlanInvalid`."""
    return _program(canonical(plan))


@lru_cache(maxsize=256)
def _program(text: str) -> Program:
    return Program(load_plan(json.loads(text)))
