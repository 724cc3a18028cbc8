"""Checking the flows a command names, as the worker will."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from flowspec.catalogue import Catalogue
from flowspec.check import check
from flowspec.plan import Plan
from flowspec.problems import Problem, as_json, as_sarif, has_errors
from flowspec.problems import text as problem_lines
from flowspec.values import Json, JsonObject
from service.cli.flow_files import (
    FlowFile,
    file_of,
    files_in,
    is_file,
    read_file,
    read_flow,
    yaml_in,
)
from service.errors import FlowInvalid, InputWrong
from service.settings import load_worker_settings

__all__ = [
    "CheckedFile",
    "check_files",
    "checked_plan",
    "offered_flows",
    "report",
]


@dataclass(frozen=True, kw_only=True)
class CheckedFile:
    """`plan` None if the flow cannot run."""

    source: FlowFile
    plan: Plan | None
    problems: tuple[Problem, ...]

    @property
    def file(self) -> str:
        return self.source.file

    @property
    def valid(self) -> bool:
        return self.plan is not None and not has_errors(self.problems)

    def text(self) -> str:
        return problem_lines(self.problems, self.file)


def checked_plan(target: str, catalogue: Catalogue) -> CheckedFile:
    """A file, or a flow in FLOWS_DIR, that can run; raises `FlowInvalid` with its problems.

    What it is called and which sub-flows there are is for the worker to judge.
    """
    source = read_flow(target if is_file(target) else file_of(target))
    checked = check(source.text, catalogue)
    found = CheckedFile(source=source, plan=checked.plan, problems=checked.problems)
    if not found.valid:
        raise FlowInvalid(found.text(), as_json(found.problems, found.file))
    return found


def check_files(names: Sequence[str], catalogue: Catalogue) -> list[CheckedFile]:
    """Each file, and every YAML file of each folder; raises `InputWrong` if there is none."""
    files = [file for name in names for file in files_in(name)]
    return [_check(read_flow(file), catalogue) for file in files]


def offered_flows(catalogue: Catalogue) -> tuple[list[str], int]:
    """The flows in FLOWS_DIR that can run, by name, and how many files there cannot."""
    folder = load_worker_settings().flows_dir
    files = yaml_in(folder) if folder.is_dir() else []
    names = [file.stem for file in files if _can_run(file, catalogue)]
    return names, len(files) - len(names)


def _can_run(file: Path, catalogue: Catalogue) -> bool:
    try:
        return _check(read_file(str(file)), catalogue).valid
    except InputWrong:
        return False


def report(found: Sequence[CheckedFile], *, sarif: bool) -> JsonObject:
    """What `--format json` and `--format sarif` print."""
    if sarif:
        return _merged([as_sarif(one.problems, one.file) for one in found])
    problems: list[Json] = []
    for one in found:
        listed = cast("list[JsonObject]", as_json(one.problems, one.file)["problems"])
        problems += [{"file": one.file, **problem} for problem in listed]
    return {
        "file": found[0].file if len(found) == 1 else None,
        "files": [one.file for one in found],
        "valid": all(one.valid for one in found),
        "problems": problems,
    }


def _merged(logs: Sequence[JsonObject]) -> JsonObject:
    """One SARIF run for all files: code hosts take a single run per tool."""
    runs = [cast("list[JsonObject]", log["runs"])[0] for log in logs]
    rules: dict[str, JsonObject] = {}
    results: list[Json] = []
    for run in runs:
        driver = cast(JsonObject, cast(JsonObject, run["tool"])["driver"])
        for rule in cast("list[JsonObject]", driver["rules"]):
            rules.setdefault(str(rule["id"]), rule)
    order = list(rules)
    for run in runs:
        results += [
            {**result, "ruleIndex": order.index(str(result["ruleId"]))}
            for result in cast("list[JsonObject]", run["results"])
        ]
    tool: JsonObject = {"driver": {"name": "flowrunner", "rules": list[Json](rules.values())}}
    return {**logs[0], "runs": [{**runs[0], "tool": tool, "results": results}]}


def _check(source: FlowFile, catalogue: Catalogue) -> CheckedFile:
    names = _flow_names(Path(source.file))
    checked = check(source.text, catalogue, flow_names=names, file_name=source.file)
    return CheckedFile(source=source, plan=checked.plan, problems=checked.problems)


def _flow_names(file: Path) -> list[str] | None:
    """The flows that sub-flows can be: those in FLOWS_DIR, and the file's neighbours.

    None, which checks no names, where there is no FLOWS_DIR: the worker may have another.
    """
    flows = load_worker_settings().flows_dir
    if not flows.is_dir():
        return None
    return sorted({path.stem for folder in (flows, file.parent) for path in yaml_in(folder)})
