"""Whether what a schedule starts could run, and whether it has a time to do so."""

from __future__ import annotations

from flowspec.check.damage import Damage
from flowspec.check.notes import Notes
from flowspec.jsonschemas import check_input
from flowspec.model import Flow
from flowspec.problems import Path, Problem
from flowspec.schedules import Schedule

__all__ = ["check_schedules"]


def check_schedules(flow: Flow, damage: Damage, notes: Notes, *, input_is_sound: bool) -> None:
    """Compare each schedule's input with the flow's, as its runs will do when they start."""
    for name, schedule in flow.schedules.items():
        path: Path = ("schedules", name)
        _period(schedule, path, notes)
        if input_is_sound and not damage.hides("input") and not damage.hides(*path, "input"):
            _, problems = check_input(flow.input, schedule.input)
            for problem in problems:
                _add(problem, path, schedule, notes)


def _period(schedule: Schedule, path: Path, notes: Notes) -> None:
    if schedule.begins is None or schedule.ends is None or schedule.begins < schedule.ends:
        return
    notes.add(
        "FR204",
        (*path, "until"),
        "until: the schedule ends before it begins; `until` has to be later than `from`",
        found=str(notes.value_at((*path, "until"))),
        expected="a time later than `from`",
    )


def _add(problem: Problem, path: Path, schedule: Schedule, notes: Notes) -> None:
    """The problem of an input, at its place; what is missing altogether, at the schedule."""
    given = schedule.input is not None
    notes.add(
        problem.code,
        (*path, *problem.path) if given else path,
        problem.message,
        key=problem.code in ("FR701", "FR702", "FR705") or not given,
        found=problem.found,
        expected=problem.expected,
        suggestion=problem.suggestion,
    )
