"""The flows that are measured: each shape in any size, as the text somebody would have written.

Values go from node to node, so that every step has an expression to evaluate, and what a run gives
shows whether all of its steps were performed. `by_hand` has the same in Python.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal, TypeAlias

__all__ = ["CHILD", "SHAPES", "WAITING", "Shape", "Tier", "flow_name", "parts", "written_with"]

Tier: TypeAlias = Literal["local", "remote", "inline"]

FAN = 3
ROUNDS = 3
PART = 10
"""The nodes of a part of the mixed flow that do something: one before, those of the fan, one after,
the rounds of the loop, the sub-flow's, and one at the end."""

_PART_IN_TEXT = 13
"""The nodes of a part as they are written: one for all rounds, and those that only set
variables."""


@dataclass(frozen=True, kw_only=True)
class Shape:
    """`nodes` counts what is performed: activities, or with the inline tier what stands for them.

    `by_hand` is the workflow to compare with, which is started with the nodes and the tier.
    """

    title: str
    by_hand: str
    write: Callable[[int, Tier], Iterator[str]]

    def text(self, name: str, nodes: int, tier: Tier) -> str:
        return "\n".join([f"flow: {name}", *self.write(nodes, tier), ""])


def flow_name(shape: str, nodes: int, tier: Tier) -> str:
    return f"{shape}-{tier}-{nodes}"


def parts(nodes: int) -> int:
    """How many times the mixed flow has all that it mixes."""
    return max(1, nodes // PART)


def written_with(shape: str, nodes: int) -> str:
    """The text of a chain or a mixed flow that has, as written, at least so many nodes."""
    performed = nodes if shape == "chain" else -(-nodes // _PART_IN_TEXT) * PART
    return SHAPES[shape].text(shape, performed, "local")


def _log(id: str, data: object, tier: Tier, more: str = "") -> str:
    """A step: what it is given as `data` it gives back."""
    execution = "" if tier == "local" else ", execution: remote"  # local is what it is by default
    given = f'{{message: step, level: debug, data: "{data}"}}'
    return f"  {id}: {{type: log{execution}, params: {given}{more}}}"


def _given(id: str) -> str:
    return f"nodes.{id}.output.data"


def _chain(nodes: int, tier: Tier) -> Iterator[str]:
    if tier == "inline":
        yield from ["vars: {n: -1}", "nodes:"]
        for n in range(nodes):
            following = f", next: n{n + 1}" if n + 1 < nodes else ""
            yield f'  n{n}: {{type: set, params: {{n: "${{vars.n + 1}}"}}{following}}}'
        yield "output: ${vars.n}"
        return
    yield "nodes:"
    for n in range(nodes):
        data = f"${{{_given(f'n{n - 1}')} + 1}}" if n else "${0}"
        yield _log(f"n{n}", data, tier, f", next: n{n + 1}" if n + 1 < nodes else "")
    yield f"output: ${{{_given(f'n{nodes - 1}')}}}"


def _fan(nodes: int, tier: Tier) -> Iterator[str]:
    """`nodes` side by side, between one before and one after."""
    wide = [f"w{n}" for n in range(nodes)]
    yield "nodes:"
    yield _log("first", "${1}", tier, f", next: [{', '.join(wide)}]")
    for n, id in enumerate(wide):
        yield _log(id, f"${{{_given('first')} + {n}}}", tier, ", next: last")
    yield _log("last", f"${{{_given(wide[0])} + {_given(wide[-1])}}}", tier)
    yield f"output: ${{{_given('last')}}}"


def _foreach(nodes: int, tier: Tier) -> Iterator[str]:
    yield "nodes:"
    yield _log(
        "each", "${item}", tier, f', foreach: {{in: "${{range({nodes})}}", concurrency: 10}}'
    )
    yield "output: ${len(nodes.each.output)}"


def _loop(nodes: int, tier: Tier) -> Iterator[str]:
    """One node, gone round `nodes` times by an edge that goes back."""
    yield from ["vars: {n: 0}", "nodes:"]
    yield _log("step", "${vars.n}", tier, ", next: count")
    back = f"{{to: step, when: vars.n < {nodes}, limit: {nodes}}}"
    count = f"${{{_given('step')} + 1}}"
    yield f'  count: {{type: set, params: {{n: "{count}"}}, next: [{back}]}}'
    yield "output: ${vars.n}"


def _conditions(nodes: int, tier: Tier) -> Iterator[str]:
    """After each node one of two ways, which meet again."""
    yield from ["vars: {n: 0}", "nodes:"]
    for n in range(nodes):
        odd = f"{{to: odd{n}, when: {_given(f's{n}')} % 2 == 1}}"
        yield _log(f"s{n}", "${vars.n}", tier, f", next: [{odd}, {{to: even{n}, otherwise: true}}]")
        following = f", next: s{n + 1}" if n + 1 < nodes else ""
        yield f'  odd{n}: {{type: set, params: {{n: "${{vars.n + 2}}"}}{following}}}'
        yield f'  even{n}: {{type: set, params: {{n: "${{vars.n + 1}}"}}{following}}}'
    yield "output: ${vars.n}"


def _subflows(nodes: int, tier: Tier) -> Iterator[str]:
    """One sub-flow of one node after the other."""
    yield "nodes:"
    for n in range(nodes):
        data = f"${{nodes.n{n - 1}.output + 1}}" if n else "${0}"
        yield _sub(f"n{n}", data, tier, f", next: n{n + 1}" if n + 1 < nodes else "")
    yield f"output: ${{nodes.n{nodes - 1}.output}}"


def _sub(id: str, data: str, tier: Tier, more: str) -> str:
    return (
        f'  {id}: {{type: flow, params: {{flow: child-{tier}, input: {{data: "{data}"}}}}{more}}}'
    )


def _mixed(nodes: int, _tier: Tier) -> Iterator[str]:
    """What flows are made of, on both tiers: `parts` times one after the other."""
    yield from ["vars: {n: 0, round: 0}", "nodes:"]
    for n in range(parts(nodes)):
        yield from _part(n, last=n + 1 == parts(nodes))
    yield f"output: ${{{_given(f'end{parts(nodes) - 1}')}}}"


def _part(n: int, *, last: bool) -> Iterator[str]:
    wide = [f"w{n}_{each}" for each in range(FAN)]
    large = f"{{to: large{n}, when: {_given(f'first{n}')} >= 10}}"
    spread = f"next: [{', '.join(wide)}]"
    yield _log(
        f"first{n}", "${vars.n}", "local", f", next: [{large}, {{to: small{n}, otherwise: true}}]"
    )
    yield f'  large{n}: {{type: set, params: {{n: "${{vars.n % 10}}"}}, {spread}}}'
    yield f'  small{n}: {{type: set, params: {{n: "${{vars.n + 1}}"}}, {spread}}}'
    for id in wide:
        yield _log(id, "${vars.n}", "remote", f", next: join{n}")
    total = " + ".join(_given(id) for id in wide)
    yield _log(f"join{n}", f"${{{total}}}", "local", f", next: reset{n}")
    yield f"  reset{n}: {{type: set, params: {{round: 0}}, next: step{n}}}"
    yield _log(f"step{n}", "${vars.round}", "local", f", next: count{n}")
    back = f"{{to: step{n}, when: vars.round < {ROUNDS}}}"
    on = f"{{to: sub{n}, otherwise: true}}"
    count = f'params: {{round: "${{vars.round + 1}}"}}, next: [{back}, {on}]'
    yield f"  count{n}: {{type: set, {count}}}"
    yield _sub(f"sub{n}", f"${{{_given(f'join{n}')}}}", "local", f", next: keep{n}")
    kept = f'params: {{n: "${{nodes.sub{n}.output + vars.round}}"}}, next: end{n}'
    yield f"  keep{n}: {{type: set, {kept}}}"
    yield _log(f"end{n}", "${vars.n}", "local", "" if last else f", next: first{n + 1}")


def _child(_nodes: int, tier: Tier) -> Iterator[str]:
    yield "input: {required: [data], properties: {data: {type: integer}}}"
    yield "nodes:"
    yield _log("step", "${input.data}", tier)
    yield f"output: ${{{_given('step')}}}"


def _waiting(nodes: int, tier: Tier) -> Iterator[str]:
    """A chain that ends with a wait for a signal."""
    *steps, _ = _chain(nodes, tier)
    yield from steps[:-1]
    yield f"{steps[-1].removesuffix('}')}, next: go}}"
    yield "  go: {type: event}"


SHAPES = {
    "chain": Shape(title="one after another", by_hand="ByHandChain", write=_chain),
    "fan": Shape(title="side by side", by_hand="ByHandFan", write=_fan),
    "foreach": Shape(title="`foreach`, 10 at a time", by_hand="ByHandForeach", write=_foreach),
    "loop": Shape(title="loop", by_hand="ByHandLoop", write=_loop),
    "conditions": Shape(title="conditions", by_hand="ByHandConditions", write=_conditions),
    "subflows": Shape(title="sub-flows", by_hand="ByHandSubflows", write=_subflows),
    "mixed": Shape(title="mixed", by_hand="ByHandMixed", write=_mixed),
}

CHILD = Shape(title="a sub-flow", by_hand="ByHandChild", write=_child)
WAITING = Shape(title="a run that waits", by_hand="ByHandWaiting", write=_waiting)
