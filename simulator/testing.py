"""Trying the cases of a test file."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import cast

from flowspec.agents import AGENT, turn_of
from flowspec.machine import Program
from flowspec.plan import NodePlan, Plan
from flowspec.problems import Problem, in_order
from flowspec.values import Json
from flowspec.wording import did_you_mean, nearest
from simulator.asked import MockWrong
from simulator.attempts import NeverEnds
from simulator.casefile import Case, CaseFile
from simulator.judging import judge
from simulator.matching import Difference
from simulator.playing import play
from simulator.trace import Played
from simulator.world import Scene, Unmocked

__all__ = ["Tried", "problems_with_flow", "try_case"]

_ASKED = ("approval", "event", "flow", "call")
"""Node types of the interpreter's own that others answer."""

_CALLBACKS = ("~on_complete", "~on_failure")


@dataclass(frozen=True, kw_only=True)
class Tried:
    """How a case went: `differences` from what was expected, or the `mistake` that ended it."""

    case: Case
    differences: tuple[Difference, ...] = ()
    mistake: str | None = None
    unmocked: Unmocked | None = None
    played: Played | None = None

    @property
    def passed(self) -> bool:
        return not self.differences and self.mistake is None


def try_case(case: Case, plan: Plan, scene: Scene) -> Tried:
    """`scene` is what all cases have in common."""
    own = replace(scene, mocks=case.mocks, assume=case.assume)
    try:
        played = play(own, plan, case.input, start=case.start, cues=case.cues, held=case.held)
    except Unmocked as unmocked:
        return Tried(case=case, mistake=str(unmocked), unmocked=unmocked)
    except (MockWrong, NeverEnds) as wrong:
        return Tried(case=case, mistake=str(wrong))
    return Tried(case=case, differences=tuple(judge(case.expect, played)), played=played)


# -- names that mean nothing -----------------------------------------------------------------------


def problems_with_flow(
    file: CaseFile, plan: Plan, flows: Mapping[str, Plan]
) -> tuple[Problem, ...]:
    """What a sound test file has against the flow it is about."""
    return in_order(_Names(file, plan, flows).problems())


class _Names:
    def __init__(self, file: CaseFile, plan: Plan, flows: Mapping[str, Plan]) -> None:
        assert file.source is not None
        self._source = file.source
        self._program = Program(plan)
        self._others = [Program(other) for name, other in flows.items() if name != plan.flow]

    def problems(self) -> Iterator[Problem]:
        data = cast("dict[str, Json]", self._source.data)
        yield from self._mocks(("mocks",), data.get("mocks"))
        for index, case in enumerate(cast("list[dict[str, Json]]", data["cases"])):
            path = ("cases", index)
            yield from self._mocks((*path, "mocks"), case.get("mocks"))
            expect = cast("dict[str, Json]", case.get("expect", {}))
            yield from self._named((*path, "expect", "nodes"), expect.get("nodes"))
            for key in ("path", "undone", "not_run", "waiting"):
                named = cast("list[str]", expect.get(key, []))
                for number, name in enumerate(named):
                    yield from self._name((*path, "expect", key, number), name)

    def _mocks(self, path: tuple[str | int, ...], mocks: Json) -> Iterator[Problem]:
        for name in mocks if isinstance(mocks, dict) else ():
            yield from self._name((*path, name), name, at_key=True)
            node = self._find(name)
            if node is not None and node.tier == "inline" and node.type not in _ASKED:
                message = (
                    f"{name!r} is an agent, whose model is asked turn by turn; mock "
                    f"{turn_of(name)!r}, and the tools it calls"
                    if node.type == AGENT
                    else f"{name!r} is of type {node.type}, which asks nobody: it does here what "
                    "it always does, and needs no mock"
                )
                yield self._source.problem("FR204", (*path, name), message, at_key=True)

    def _named(self, path: tuple[str | int, ...], names: Json) -> Iterator[Problem]:
        for name in names if isinstance(names, dict) else ():
            yield from self._name((*path, name), name, at_key=True)

    def _name(
        self, path: tuple[str | int, ...], name: str, *, at_key: bool = False
    ) -> Iterator[Problem]:
        if name in _CALLBACKS or self._find(name) is not None:
            return
        known = [node.id for graph in self._program.graphs.values() for node in graph.plan.nodes]
        meant = nearest(name, known)
        yield self._source.problem(
            "FR204",
            path,
            f"the flow has no node {name!r}{did_you_mean(meant) or _listed(known)}",
            at_key=at_key,
            found=name,
            suggestion=meant,
        )

    def _find(self, name: str) -> NodePlan | None:
        """In the flow; what is inside of something may be in a flow that it starts."""
        found = self._program.node_at(name)
        if found is None and "/" in name:
            others = (program.node_at(name) for program in self._others)
            found = next((node for node in others if node is not None), None)
        return found


def _listed(names: Iterable[str]) -> str:
    return f"; there are {', '.join(names)}"
