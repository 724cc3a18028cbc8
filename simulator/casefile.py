"""Test files: YAML held to its format, and read into cases."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

from flowspec.durations import parse_duration
from flowspec.jsonschemas import Violation, violations
from flowspec.located import Source
from flowspec.problems import Path, Problem, in_order
from flowspec.source import read_damaged
from flowspec.values import JsonObject
from simulator.answers import Mocks, read_mocks
from simulator.matching import matcher_problem
from simulator.playing import Cue, Held
from simulator.schema import test_json_schema
from simulator.world import EPOCH

__all__ = ["Case", "CaseFile", "parse_cases", "parse_mocks"]

_CODES = {"missing": "FR202", "unknown": "FR201", "type": "FR203", "value": "FR204"}
_KINDS = ("approve", "signal", "cancel", "pause", "resume")
_ONLY_WITH = {"action": "approve", "by": "approve", "comment": "approve"}


@dataclass(frozen=True, kw_only=True)
class Case:
    """`line` is where it begins; `expect` is as it is written."""

    name: str
    line: int
    input: JsonObject
    start: float
    mocks: Mocks
    assume: bool
    held: tuple[Held, ...]
    cues: tuple[Cue, ...]
    expect: JsonObject


@dataclass(frozen=True, kw_only=True)
class CaseFile:
    """`flow` None if the file does not say; no `cases` if there are `problems`."""

    flow: str | None
    cases: tuple[Case, ...]
    problems: tuple[Problem, ...]
    source: Source | None


def parse_cases(text: str) -> CaseFile:
    """Read a test file; never raises, whatever the text."""
    reading = read_damaged(text)
    source = reading.source
    if source is None or reading.problems:
        return CaseFile(flow=None, cases=(), problems=reading.problems, source=source)
    problems = in_order(_problems(source))
    if problems:
        return CaseFile(flow=None, cases=(), problems=problems, source=source)
    data = cast(JsonObject, source.data)
    written = cast("list[JsonObject]", data["cases"])
    cases = tuple(_case(source, data, index, each) for index, each in enumerate(written))
    flow = cast("str | None", data.get("flow"))
    return CaseFile(flow=flow, cases=cases, problems=(), source=source)


def parse_mocks(text: str) -> tuple[Mocks, tuple[Problem, ...]]:
    """The mocks that all cases of a test file have in common; `cases` need not be there."""
    reading = read_damaged(text)
    source = reading.source
    if source is None or reading.problems:
        return Mocks(), reading.problems
    lenient = {**test_json_schema(), "required": []}
    problems = in_order(_problem(source, found) for found in violations(lenient, source.data))
    if problems:
        return Mocks(), problems
    data = cast(JsonObject, source.data)
    return read_mocks(cast(JsonObject, data.get("mocks", {}))), ()


# -- what is wrong with it -------------------------------------------------------------------------


def _problems(source: Source) -> Iterator[Problem]:
    shape = [_problem(source, found) for found in violations(test_json_schema(), source.data)]
    yield from shape
    if not shape:
        yield from _beyond_shape(source)


def _problem(source: Source, found: Violation) -> Problem:
    return source.problem(
        _CODES[found.kind],
        found.path,
        found.message,
        at_key=found.kind == "unknown",
        found=found.found,
        expected=found.expected,
        suggestion=found.suggestion,
    )


def _beyond_shape(source: Source) -> Iterator[Problem]:
    seen: dict[str, int] = {}
    for index, case in enumerate(cast("Any", source.data)["cases"]):
        path: Path = ("cases", index)
        if case["name"] in seen:
            line = source.locate(("cases", seen[case["name"]])).line
            message = f"the case {case['name']!r} is in line {line} already; call it otherwise"
            yield source.problem("FR204", (*path, "name"), message)
        seen.setdefault(case["name"], index)
        for moment, words in case.get("at", {}).items():
            place: Path = (*path, "at", moment)
            several = isinstance(words, list)
            for number, word in enumerate(words if several else [words]):
                yield from _word(source, (*place, number) if several else place, word)
        yield from _matchers(source, (*path, "expect"), case.get("expect", {}))


def _word(source: Source, path: Path, word: JsonObject) -> Iterator[Problem]:
    kinds = [kind for kind in _KINDS if kind in word]
    if len(kinds) != 1:
        found = " and ".join(kinds) or "none"
        message = f"expected exactly one of {', '.join(_KINDS)}; found {found}"
        yield source.problem("FR204", path, message)
        return
    for key, kind in _ONLY_WITH.items():
        if key in word and kind not in word:
            yield source.problem("FR204", (*path, key), f"{key!r} goes with `{kind}`", at_key=True)
    if kinds[0] == "approve" and "action" not in word:
        message = "'action' is missing: how it is decided, such as approved"
        yield source.problem("FR202", path, message)
    if "data" in word and kinds[0] not in ("approve", "signal"):
        message = "'data' goes with `signal` or `approve`"
        yield source.problem("FR204", (*path, "data"), message, at_key=True)


def _matchers(source: Source, path: Path, expect: JsonObject) -> Iterator[Problem]:
    found = matcher_problem(expect)
    if found is not None:
        yield source.problem("FR204", (*path, *found[0]), found[1], at_key=True)


# -- what it says ----------------------------------------------------------------------------------


def _case(source: Source, data: JsonObject, index: int, case: JsonObject) -> Case:
    shared = read_mocks(cast(JsonObject, data.get("mocks", {})))
    start = cast("str | None", case.get("start", data.get("start")))
    return Case(
        name=cast(str, case["name"]),
        line=source.locate(("cases", index)).line,
        input=cast(JsonObject, case.get("input", data.get("input", {}))),
        start=EPOCH if start is None else datetime.fromisoformat(start).timestamp(),
        mocks=read_mocks(cast(JsonObject, case.get("mocks", {}))).over(shared),
        assume=case.get("unmocked", data.get("unmocked")) == "sample",
        held=_held(cast("dict[str, str]", case.get("locks", {}))),
        cues=tuple(_cues(cast(JsonObject, case.get("at", {})))),
        expect=cast(JsonObject, case.get("expect", {})),
    )


def _held(written: dict[str, str]) -> tuple[Held, ...]:
    return tuple(Held(lock=lock, until=parse_duration(time)) for lock, time in written.items())


def _cues(written: JsonObject) -> Iterator[Cue]:
    for moment, words in written.items():
        for word in words if isinstance(words, list) else [words]:
            yield _cue(parse_duration(moment), cast("dict[str, Any]", word))


def _cue(at: float, word: dict[str, Any]) -> Cue:
    kind = next(kind for kind in _KINDS if kind in word)
    said = word[kind]
    reason = said if isinstance(said, str) else None
    return Cue(
        at=at,
        kind=kind,  # type: ignore[arg-type]  # one of the format's own words
        name=said if kind in ("approve", "signal") else None,
        value=reason if kind == "cancel" else word.get("data"),
        action=word.get("action"),
        by=word.get("by"),
        comment=word.get("comment"),
    )
