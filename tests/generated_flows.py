"""Flows made by chance that can really be run, each with what its activities answer.

Their activities are those of `tests.server.answering`: they answer as told in their arguments,
attempt by attempt, as mocks of the same node do in a simulation.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import Any

import yaml

from activities.catalogue import catalogue
from flowspec.check import check
from flowspec.plan import Plan
from flowspec.values import Json, JsonObject

__all__ = ["CHILD", "QUEUE", "GeneratedFlow", "generated_flow", "plan_if_valid"]

QUEUE = "answering"
FOREVER = 3600.0

CHILD = """\
flow: child
input: {properties: {fails: {type: boolean, default: false}}}
nodes:
  nap:
    type: wait
    params: {for: 20ms}
    next: [{to: bad, when: input.fails}, {to: good, otherwise: true}]
  bad: {type: fail, params: {type: Bad, message: on purpose}}
  good: {type: log, params: {message: good}}
output: ${run.flow}
"""

_ONS = (*("success",) * 6, "failure", "failure", "timeout", "always", "skipped", "cancelled")
_KINDS = (
    *("call",) * 5,
    *("log", "log", "set", "noop", "wait", "wait", "flow", "block", "block"),
    *("hang", "event", "approval", "fail", "return"),
)
_CONDITIONS: tuple[str, ...] = ("vars.count < 1", "vars.count < 2", "vars.count >= 1", "true")


@dataclass(kw_only=True)
class GeneratedFlow:
    """`mocks` say of the activities what their arguments say to them."""

    name: str
    text: str
    mocks: JsonObject
    plan: Plan


def generated_flow(seed: int) -> GeneratedFlow:
    """The same for the same seed."""
    chance = random.Random(seed)
    name = f"made{seed}"
    while True:
        made = _Making(chance)
        document = {
            "flow": name,
            "vars": {"count": 0},
            **made.graph("n", depth=0),
            "output": "${vars.count}",
            "on_failure": chance.choice(["cancel", "finish"]),
        }
        text = yaml.safe_dump(document, sort_keys=False)
        plan = plan_if_valid(text)
        if plan is not None:
            return GeneratedFlow(name=name, text=text, mocks=made.mocks, plan=plan)


def plan_if_valid(text: str) -> Plan | None:
    return check(text, catalogue()).plan


@dataclass
class _Making:
    chance: random.Random
    mocks: JsonObject = field(default_factory=dict)

    def graph(self, prefix: str, *, depth: int) -> dict[str, Any]:
        chance = self.chance
        names = [f"{prefix}{index}" for index in range(chance.randint(1, 5 - 2 * depth))]
        nodes: dict[str, Any] = {name: self.node(name, depth) for name in names}
        if chance.random() < 0.3:
            undone = chance.choice(names)
            if nodes[undone]["type"] not in ("fail", "return"):
                nodes[undone]["undo"] = f"{prefix}undo"
                nodes[f"{prefix}undo"] = self.call(f"{prefix}undo")
        return {"nodes": nodes, "edges": self.edges(names)}

    def edges(self, names: list[str]) -> list[dict[str, Any]]:
        chance, edges = self.chance, []
        for index, target in enumerate(names[1:], start=1):
            sources = chance.sample(names[:index], k=min(index, chance.choice([1, 1, 1, 2])))
            edges += [self.edge(source, target) for source in sources]
        if chance.random() < 0.25:
            last = chance.randrange(len(names))
            edge = {"from": names[last], "to": names[chance.randint(0, last)]}
            edges.append({**edge, "when": "vars.count < 2", "limit": chance.randint(1, 3)})
        return edges

    def edge(self, source: str, target: str) -> dict[str, Any]:
        edge: dict[str, Any] = {"from": source, "to": target, "on": self.chance.choice(_ONS)}
        if self.chance.random() < 0.2:
            edge["when"] = self.chance.choice(_CONDITIONS)
        elif self.chance.random() < 0.15:
            edge["otherwise"] = True
        return edge

    def node(self, name: str, depth: int) -> dict[str, Any]:
        chance = self.chance
        kind = chance.choice([each for each in _KINDS if each != "block" or depth == 0])
        node: dict[str, Any] = self.kind(kind, name, depth)
        if chance.random() < 0.3:
            node["join"] = chance.choice(["any", "race", 1, 2])
        if chance.random() < 0.15:
            node["when"] = chance.choice(_CONDITIONS)
        if kind in ("call", "log", "block", "flow", "wait") and chance.random() < 0.25:
            node["foreach"] = chance.choice(
                [[1, 2, 3], {"in": [1, 2], "concurrency": 1}, {"in": [1, 2, 3], "tolerate": 1}, []]
            )
        elif kind in ("call", "log", "block") and chance.random() < 0.2:
            until = chance.choice(["iteration >= 2", "iteration == 1"])
            node["repeat"] = {"until": until, "every": "20ms", "limit": 3}
        if kind in ("call", "block") and chance.random() < 0.1:
            node["lock"] = {"name": f"${{run.workflow_id}} {name}"}
        return node

    def kind(self, kind: str, name: str, depth: int) -> dict[str, Any]:
        chance = self.chance
        match kind:
            case "call":
                return self.call(name)
            case "hang":
                node = self.call(name, hangs=True)
                return {**node, chance.choice(["timeout", "attempt_timeout"]): "400ms"}
            case "log":
                return {"type": "log", "params": {"message": name}}
            case "set":
                return {"type": "set", "params": {"count": "${vars.count + 1}"}}
            case "wait":
                return {"type": "wait", "params": {"for": chance.choice(["30ms", "200ms"])}}
            case "event" | "approval":
                return {"type": kind, "timeout": "300ms"}
            case "fail":
                return {"type": "fail", "params": {"type": "Meant", "message": name}}
            case "return":
                return {"type": "return", "params": {"value": name}}
            case "flow":
                fails = chance.random() < 0.3
                return {"type": "flow", "params": {"flow": "child", "input": {"fails": fails}}}
            case "block":
                block = {"type": "block", **self.graph(f"{name}_", depth=depth + 1)}
                if chance.random() < 0.3:
                    block["retry"] = {"attempts": 2, "interval": "50ms"}
                return block
        return {"type": "noop"}

    def call(self, name: str, *, hangs: bool = False) -> dict[str, Any]:
        """An activity of the other worker, and the same as a mock."""
        script = self.script(hangs=hangs)
        self.mocks[name] = [_mock(step) for step in script]
        return {
            "type": "call",
            "params": {"activity": "Answer", "args": [script]},
            "queue": QUEUE,
            "retry": {"attempts": self.chance.randint(1, 3), "interval": "30ms"},
            "heartbeat": "20s",
        }

    def script(self, *, hangs: bool) -> list[Json]:
        if hangs:
            return [{"seconds": FOREVER}]
        bad: JsonObject = {"error": "Flaky"}
        worst: JsonObject = {"error": "Broken", "permanent": True}
        good: JsonObject = {"value": self.chance.randint(1, 9)}
        return self.chance.choice(
            [[good], [good], [good], [bad, good], [bad, bad, good], [bad], [worst]]
        )


def _mock(step: Any) -> JsonObject:
    if "error" in step:
        permanent = step.get("permanent", False)
        return {"error": {"type": step["error"], "message": "as told", "permanent": permanent}}
    if "seconds" in step:
        return {"delay": f"{step['seconds']:g}s"}
    return {"output": step["value"]}
