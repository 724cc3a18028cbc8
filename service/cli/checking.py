"""Finding the flows a command names, and checking them as the worker will."""

from __future__ import annotations

import glob
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import cast

from flowspec.catalogue import Catalogue
from flowspec.check import check
from flowspec.plan import Plan
from flowspec.problems import FlowInvalid as YamlInvalid
from flowspec.problems import Problem, as_json, as_sarif, has_errors
from flowspec.problems import text as problem_lines
from flowspec.source import read_yaml
from flowspec.values import Json, JsonObject
from service.errors import FlowInvalid, InputWrong
from service.settings import load_worker_settings

__all__ = [
    "CheckedFile",
    "FlowFile",
    "check_files",
    "checked_plan",
    "in_flows_dir",
    "is_file",
    "is_test_file",
    "known_input",
    "offered_flows",
    "read_file",
    "report",
    "yaml_in",
]

_SUFFIXES = (".yaml", ".yml")
_TEST_SUFFIXES = (".test.yaml", ".test.yml")


@dataclass(frozen=True, kw_only=True)
class FlowFile:
    """A flow's text, and its file as the user wrote it."""

    file: str
    text: str


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


def is_file(target: str) -> bool:
    """Whether a FILE_OR_NAME is a file; anything else is a flow's name."""
    return target.endswith(_SUFFIXES) or Path(target).is_file()


def read_file(name: str) -> FlowFile:
    """Raises `InputWrong`."""
    try:
        return FlowFile(file=name, text=Path(name).read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise InputWrong(f"there is no file {name!r}{_near(name)}") from error
    except OSError as error:
        raise InputWrong(f"the file {name!r} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise InputWrong(f"the file {name!r} is not UTF-8 text") from error


def _read_flow(name: str) -> FlowFile:
    if is_test_file(Path(name)):
        raise InputWrong(f"{name!r} holds tests, and no flow; `flowrunner test {name}` runs them")
    return read_file(name)


def checked_plan(target: str, catalogue: Catalogue) -> CheckedFile:
    """A file, or a flow in FLOWS_DIR, that can run; raises `FlowInvalid` with its problems.

    What it is called and which sub-flows there are is for the worker to judge.
    """
    source = _read_flow(target if is_file(target) else _named(target))
    checked = check(source.text, catalogue)
    found = CheckedFile(source=source, plan=checked.plan, problems=checked.problems)
    if not found.valid:
        raise FlowInvalid(found.text(), as_json(found.problems, found.file))
    return found


def known_input(flow: str) -> JsonObject | None:
    """The schema of the input of a flow in FLOWS_DIR, as it is written there; None if there is no
    such flow here, or nothing to be made of it: the worker may have another."""
    try:
        written = read_yaml(read_file(_named(flow)).text).data
    except (InputWrong, YamlInvalid):
        return None
    schema = written.get("input") if isinstance(written, dict) else None
    return schema if isinstance(schema, dict) else None


def in_flows_dir(flow: str) -> bool:
    """Whether FLOWS_DIR, as it is set here, has a flow of that name."""
    return _in_flows_dir(flow) is not None


def check_files(names: Sequence[str], catalogue: Catalogue) -> list[CheckedFile]:
    """Each file, and every YAML file of each folder; raises `InputWrong` if there is none."""
    files = [file for name in names for file in _files(name)]
    return [_check(_read_flow(file), catalogue) for file in files]


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


def yaml_in(folder: Path) -> list[Path]:
    """The flows of a folder: its YAML files that are no tests."""
    files = (path for path in folder.iterdir() if path.suffix in _SUFFIXES)
    return sorted(path for path in files if not is_test_file(path))


def is_test_file(path: Path) -> bool:
    return path.name.endswith(_TEST_SUFFIXES)


def _files(name: str) -> list[str]:
    folder = Path(name)
    if not folder.is_dir():
        return [name]
    found = [str(path) for path in yaml_in(folder)]
    if not found:
        raise InputWrong(f"there are no .yaml or .yml files in {name!r}")
    return found


def _named(flow: str) -> str:
    if (found := _in_flows_dir(flow)) is not None:
        return str(found)
    folder = load_worker_settings().flows_dir
    names = [path.stem for path in yaml_in(folder)] if folder.is_dir() else []
    near = _files_called(flow) or get_close_matches(flow, names, n=1)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    missing = "no flow of that name in" if folder.is_dir() else "no folder"
    raise InputWrong(
        f"there is no file {flow!r}, and {missing} {str(folder)!r} (FLOWS_DIR){hint}\n"
        "Give a file, or set FLOWS_DIR to the folder of your flows."
    )


def _in_flows_dir(flow: str) -> Path | None:
    folder = load_worker_settings().flows_dir
    files = (folder / f"{flow}{suffix}" for suffix in _SUFFIXES)
    return next((file for file in files if file.is_file()), None)


def _files_called(flow: str) -> list[str]:
    """Files of that name here, and in the folders here."""
    here = [f"{flow}{suffix}" for suffix in _SUFFIXES if Path(f"{flow}{suffix}").is_file()]
    below = sorted(Path().glob(f"*/{glob.escape(Path(flow).name)}.y*ml"))
    return here + [str(path) for path in below if path.suffix in _SUFFIXES]


def _near(name: str) -> str:
    path = Path(name)
    if not path.parent.is_dir():
        return f": there is no folder {str(path.parent)!r}"
    names = [one.name for one in yaml_in(path.parent)]
    near = get_close_matches(path.name, names, n=1)
    return f"; did you mean {str(path.parent / near[0])!r}?" if near else ""
