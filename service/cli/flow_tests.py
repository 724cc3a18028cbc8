"""Test files: finding them, finding the flows they are about, and trying their cases."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from functools import cache
from pathlib import Path

from flowspec.catalogue import Catalogue
from flowspec.check import check
from flowspec.plan import Plan
from flowspec.problems import Problem
from flowspec.problems import text as problem_lines
from service.cli.flow_files import is_test_file, read_file, yaml_in
from service.errors import InputWrong
from service.settings import load_worker_settings
from simulator.casefile import CaseFile, parse_cases
from simulator.coverage import Coverage, coverage_of
from simulator.testing import Tried, problems_with_flow, try_case
from simulator.world import Performs, Scene

__all__ = ["FileTried", "Flows", "Timed", "coverages", "find_tests", "known_flows", "try_files"]

_TESTS = "tests"


@dataclass(frozen=True, kw_only=True)
class Timed:
    """A case that was tried, and the seconds that took."""

    tried: Tried
    seconds: float


@dataclass(frozen=True, kw_only=True)
class FileTried:
    """`problems` are lines that say why the file, or its flow, cannot be used."""

    file: str
    plan: Plan | None = None
    cases: tuple[Timed, ...] = ()
    problems: str = ""

    @property
    def passed(self) -> bool:
        return not self.problems and all(each.tried.passed for each in self.cases)


@dataclass(frozen=True, kw_only=True)
class Flows:
    """The flows a test may use, by name; `wrong` are the lines of those that cannot run."""

    plans: dict[str, Plan] = field(default_factory=dict)
    wrong: dict[str, str] = field(default_factory=dict)


def find_tests(paths: Sequence[str]) -> list[Path]:
    """Test files among files and folders; a flow's own, where the flow is named. Raises
    `InputWrong` where there is none."""
    found = [file for path in paths for file in _tests_at(Path(path))]
    return list(dict.fromkeys(found))


def _tests_at(path: Path) -> list[Path]:
    if path.is_dir():
        folders = [path, *([path / _TESTS] if (path / _TESTS).is_dir() else [])]
        found = [file for folder in folders for file in _tests_in(folder)]
        if not found:
            raise InputWrong(
                f"there are no tests in {str(path)!r}: they are files NAME.test.yaml, beside the "
                f"flows or in a folder {_TESTS!r} there"
            )
        return found
    if is_test_file(path):
        return [path]
    read_file(str(path))
    beside = [file for file in _near(path) if file.is_file()]
    if not beside:
        raise InputWrong(f"there is no test of {str(path)!r}: it would be {str(_near(path)[0])!r}")
    return beside


def _near(flow: Path) -> list[Path]:
    names = [f"{flow.stem}.test{suffix}" for suffix in (".yaml", ".yml")]
    return [folder / name for folder in (flow.parent, flow.parent / _TESTS) for name in names]


def _tests_in(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if is_test_file(path))


# -- flows -----------------------------------------------------------------------------------------


def known_flows(folder: Path, catalogue: Catalogue) -> Flows:
    """Those of a folder, and those in FLOWS_DIR that it has not."""
    plans: dict[str, Plan] = {}
    wrong: dict[str, str] = {}
    everywhere = load_worker_settings().flows_dir
    for each in (folder, everywhere):
        for path in yaml_in(each) if each.is_dir() else ():
            if path.stem in plans or path.stem in wrong:
                continue
            checked = check(read_file(str(path)).text, catalogue)
            if checked.plan is not None:
                plans[path.stem] = checked.plan
            else:
                wrong[path.stem] = problem_lines(checked.problems, str(path))
    return Flows(plans=plans, wrong=wrong)


def _flow_of(file: Path, cases: CaseFile, flows: Flows) -> Plan | str:
    """The plan of the flow that a test file is about, or the lines that say why there is none."""
    name = Path(cases.flow or _own_name(file)).stem
    plan = flows.plans.get(name)
    if plan is not None:
        return plan
    if name in flows.wrong:
        return flows.wrong[name]
    near = get_close_matches(name, [*flows.plans, *flows.wrong], n=1)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    line, column = 1, 1
    if cases.flow is not None and cases.source is not None:
        mark = cases.source.locate(("flow",))
        line, column = mark.line, mark.column
    return _line(file, line, column, f"there is no flow {name!r} beside it{hint}")


def _own_name(file: Path) -> str:
    return file.name.rpartition(".test.")[0]


def _line(file: Path, line: int, column: int, message: str) -> str:
    problem = Problem(code="FR204", message=message, line=line, column=column)
    return problem_lines([problem], str(file))


# -- trying ----------------------------------------------------------------------------------------


def try_files(
    files: Sequence[Path], catalogue: Catalogue, performs: Performs, *, keyword: str | None = None
) -> list[FileTried]:
    """Try all cases, or those whose file or name has the keyword in it."""
    flows = cache(lambda folder: known_flows(folder, catalogue))
    scene = Scene(catalogue=catalogue, flows={}, performs=performs)
    return [_try_file(file, flows(_home(file)), scene, keyword) for file in files]


def _try_file(file: Path, flows: Flows, scene: Scene, keyword: str | None) -> FileTried:
    cases = parse_cases(read_file(str(file)).text)
    if cases.problems:
        return FileTried(file=str(file), problems=problem_lines(cases.problems, str(file)))
    plan = _flow_of(file, cases, flows)
    if isinstance(plan, str):
        return FileTried(file=str(file), problems=plan)
    wrong = problems_with_flow(cases, plan, flows.plans)
    if wrong:
        return FileTried(file=str(file), plan=plan, problems=problem_lines(wrong, str(file)))
    scene = replace(scene, flows=flows.plans)
    chosen = [case for case in cases.cases if _fits(f"{file.name} {case.name}", keyword)]
    timed = []
    for case in chosen:
        began = time.perf_counter()
        tried = try_case(case, plan, scene)
        timed.append(Timed(tried=tried, seconds=time.perf_counter() - began))
    return FileTried(file=str(file), plan=plan, cases=tuple(timed))


def _home(file: Path) -> Path:
    """Where the flows are: beside the test, or beside its folder `tests`."""
    return file.parent.parent if file.parent.name == _TESTS else file.parent


def _fits(name: str, keyword: str | None) -> bool:
    return keyword is None or keyword.lower() in name.lower()


def coverages(tried: Sequence[FileTried]) -> list[Coverage]:
    """Of each flow that has a test, by the cases of all of them."""
    plans = {each.plan.flow: each.plan for each in tried if each.plan is not None}
    played = [
        case.tried.played for each in tried for case in each.cases if case.tried.played is not None
    ]
    return [coverage_of(plan, played) for plan in plans.values()]
