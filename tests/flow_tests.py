"""Flows and their tests as text, tried as the command tries them."""

from __future__ import annotations

from activities.catalogue import catalogue
from flowspec.plan import Plan
from flowspec.problems import text as problem_lines
from simulator.casefile import parse_cases
from simulator.testing import Tried, problems_with_flow, try_case
from simulator.world import Performs, Scene
from tests.stage import plan_of
from worker import performs

__all__ = ["attempt", "complaints", "try_all"]


def try_all(flow: str, tests: str, *others: str, real: Performs | None = None) -> list[Tried]:
    """The cases of a sound test file; `others` are flows that the flow may start."""
    plans = _plans(flow, *others)
    plan = next(iter(plans.values()))
    file = parse_cases(tests)
    problems = file.problems or problems_with_flow(file, plan, plans)
    assert not problems, problem_lines(problems)
    scene = Scene(catalogue=catalogue(), flows=plans, performs=real or performs())
    return [try_case(case, plan, scene) for case in file.cases]


def attempt(flow: str, case: str, *others: str) -> Tried:
    """One case, given as what stands under it."""
    lines = "".join(f"    {line}\n" for line in case.strip("\n").splitlines())
    (tried,) = try_all(flow, f"cases:\n  - name: it\n{lines}", *others)
    return tried


def complaints(tests: str, flow: str | None = None) -> str:
    """What is wrong with a test file, a line for each problem."""
    file = parse_cases(tests)
    problems = file.problems
    if flow is not None and not problems:
        plans = _plans(flow)
        problems = problems_with_flow(file, next(iter(plans.values())), plans)
    return problem_lines(problems)


def _plans(*flows: str) -> dict[str, Plan]:
    plans = [plan_of(flow) for flow in flows]
    return {plan.flow: plan for plan in plans}
