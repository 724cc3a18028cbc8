"""What `flowrunner test` prints: for people, for programs, and as JUnit XML."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

import yaml

from flowspec.catalogue import Catalogue
from flowspec.values import Json, JsonObject
from service.cli.flow_tests import FileTried, Timed
from service.cli.played_lines import Line, lasted, played_lines
from service.cli.screen import visible
from simulator.coverage import Coverage, Part
from simulator.junit import Outcome, junit_xml
from simulator.matching import Absent, Difference
from simulator.samples import sample_of
from simulator.testing import Tried
from simulator.world import Unmocked

__all__ = ["as_json", "coverage_lines", "file_lines", "junit", "total_line"]

_LONGEST = 60


def file_lines(tried: FileTried, catalogue: Catalogue) -> Iterator[Line]:
    """The cases of a file; of those that did not pass, what they have against them."""
    if tried.problems:
        yield from ((line, "red") for line in tried.problems.splitlines())
        return
    if not tried.cases:
        return
    yield visible(tried.file), "bold"
    for each in tried.cases:
        yield from _case_lines(tried.file, each, catalogue)


def _case_lines(file: str, timed: Timed, catalogue: Catalogue) -> Iterator[Line]:
    tried = timed.tried
    if tried.passed:
        assert tried.played is not None
        took = f"  ({lasted(tried.played.took)})" if tried.played.took else ""
        yield visible(f"  ✔ {tried.case.name}{took}"), "green"
        return
    yield visible(f"  ✘ {tried.case.name}  {file}:{tried.case.line}"), "red"
    yield from ((f"      {line}", style) for line, style in _against(tried, catalogue))
    if tried.played is not None:
        yield "      what happened:", "dim"
        yield from ((f"    {line}", "dim") for line, _ in played_lines(tried.played, calls=False))


def _against(tried: Tried, catalogue: Catalogue) -> Iterator[Line]:
    if tried.mistake is not None:
        yield visible(tried.mistake), "default"
    if tried.unmocked is not None:
        yield from ((line, "yellow") for line in _advice(tried.unmocked, catalogue))
    for difference in tried.differences:
        yield from _difference(difference)


def _advice(unmocked: Unmocked, catalogue: Catalogue) -> Iterator[str]:
    """The mock to write."""
    node_type = catalogue.get(unmocked.type)
    sample = sample_of(node_type.output_schema()) if node_type is not None else None
    mock: JsonObject = {"mocks": {unmocked.node: {"output": sample}}}
    yield visible(f"it is told {json.dumps(unmocked.params, ensure_ascii=False)}")
    yield "say what it answers:"
    text: str = yaml.safe_dump(mock, sort_keys=False, allow_unicode=True)
    yield from (visible(f"  {line}") for line in text.splitlines())


def _difference(difference: Difference) -> Iterator[Line]:
    expected = difference.words or _shown(difference.expected)
    found = repr(difference.found)
    if not isinstance(difference.found, Absent):
        found = _shown(difference.found)
    if len(expected) + len(found) <= _LONGEST and "\n" not in expected + found:
        yield visible(f"{difference.where}: expected {expected}, found {found}"), "default"
        return
    yield visible(f"{difference.where}:"), "default"
    yield from ((visible(f"  - {line}"), "red") for line in expected.splitlines())
    yield from ((visible(f"  + {line}"), "green") for line in found.splitlines())


def _shown(value: Json) -> str:
    if isinstance(value, list) and all(isinstance(each, str) for each in value):
        return " → ".join(map(str, value)) or "none"
    text = json.dumps(value, ensure_ascii=False)
    if len(text) <= _LONGEST:
        return text
    return json.dumps(value, ensure_ascii=False, indent=2)


def total_line(tried: Sequence[FileTried]) -> Line:
    cases = [case for each in tried for case in each.cases]
    failed = sum(not case.tried.passed for case in cases)
    broken = sum(bool(each.problems) for each in tried)
    words = [f"{len(cases) - failed} passed"]
    words += [f"{failed} failed"] if failed else []
    words += [f"{broken} files cannot be used" if broken > 1 else "1 file cannot be used"] * (
        broken > 0
    )
    seconds = sum(case.seconds for case in cases)
    return f"{', '.join(words)} in {seconds:.2f} s", "red" if failed or broken else "green"


# -- coverage --------------------------------------------------------------------------------------


def coverage_lines(found: Sequence[Coverage]) -> Iterator[Line]:
    width = max((len(each.flow) for each in found), default=4)
    yield f"{'flow':<{width}}  {'nodes':>7}  {'edges':>7}  {'handlers':>8}  {'covered':>7}", "bold"
    for each in found:
        parts = (each.nodes, each.edges, each.handlers)
        numbers = [f"{part.seen}/{part.total}" for part in parts]
        style = "green" if each.percent == 100 else "yellow"
        row = f"{numbers[0]:>7}  {numbers[1]:>7}  {numbers[2]:>8}  {each.percent:>6.0f}%"
        yield f"{each.flow:<{width}}  {row}", style
        missed = (*each.nodes.missed, *each.edges.missed)
        yield from ((visible(f"{'':<{width}}  never: {name}"), "dim") for name in missed)


def _part_json(part: Part) -> JsonObject:
    return {"seen": part.seen, "total": part.total, "missed": list[Json](part.missed)}


# -- for programs ----------------------------------------------------------------------------------


def as_json(tried: Sequence[FileTried], coverage: Sequence[Coverage] | None) -> JsonObject:
    cases = [case.tried for each in tried for case in each.cases]
    report: JsonObject = {
        "passed": sum(case.passed for case in cases),
        "failed": sum(not case.passed for case in cases),
        "files": [_file_json(each) for each in tried],
    }
    if coverage is not None:
        report["coverage"] = [
            {
                "flow": each.flow,
                "percent": round(each.percent, 1),
                "nodes": _part_json(each.nodes),
                "edges": _part_json(each.edges),
                "handlers": _part_json(each.handlers),
            }
            for each in coverage
        ]
    return report


def _file_json(tried: FileTried) -> JsonObject:
    return {
        "file": tried.file,
        "flow": tried.plan.flow if tried.plan is not None else None,
        "problems": list[Json](tried.problems.splitlines()),
        "cases": [_case_json(each) for each in tried.cases],
    }


def _case_json(timed: Timed) -> JsonObject:
    tried = timed.tried
    return {
        "name": tried.case.name,
        "line": tried.case.line,
        "passed": tried.passed,
        "mistake": tried.mistake,
        "differences": [_difference_json(each) for each in tried.differences],
        "seconds": round(timed.seconds, 4),
        "took": round(tried.played.took, 3) if tried.played is not None else None,
        "path": list[Json](tried.played.path) if tried.played is not None else None,
    }


def _difference_json(difference: Difference) -> JsonObject:
    found = difference.found
    return {
        "where": difference.where,
        "expected": difference.words or difference.expected,
        "found": None if isinstance(found, Absent) else found,
    }


def junit(tried: Sequence[FileTried], catalogue: Catalogue) -> str:
    return junit_xml([outcome for each in tried for outcome in _outcomes(each, catalogue)])


def _outcomes(tried: FileTried, catalogue: Catalogue) -> Iterator[Outcome]:
    if tried.problems:
        yield Outcome(file=tried.file, name="is a test", error=tried.problems)
    for each in tried.cases:
        case = each.tried
        against = "\n".join(line for line, _ in _against(case, catalogue))
        yield Outcome(
            file=tried.file,
            name=case.case.name,
            line=case.case.line,
            seconds=each.seconds,
            failure=against if case.differences else None,
            error=against if case.mistake is not None else None,
        )
