"""Problems found in a flow, and how they are told: as text, as JSON, as SARIF."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias
from urllib.parse import quote

from flowspec.codes import CODES, ErrorCode
from flowspec.values import Json, JsonObject

__all__ = [
    "CODES",
    "ErrorCode",
    "FlowInvalid",
    "Mark",
    "Path",
    "Problem",
    "Severity",
    "as_json",
    "as_sarif",
    "has_errors",
    "in_order",
    "text",
]

Path: TypeAlias = tuple[str | int, ...]
"""The keys and indexes that lead from the document's root to a place in it."""

Severity: TypeAlias = Literal["error", "warning"]

_REFERENCE = "docs/reference/errors.md"
_SARIF_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"


@dataclass(frozen=True, kw_only=True, order=True)
class Mark:
    """A place in a text, both counted from 1."""

    line: int
    column: int


@dataclass(frozen=True, kw_only=True)
class Problem:
    """One thing that is wrong, and where.

    `message` stands alone: it says what was found, what was expected and what to do. The parts
    are repeated in `found`, `expected` and `suggestion` for programs. `suggestion` is what to
    write instead. A problem without `line` is not about a place in a text.
    """

    code: str
    message: str
    path: Path = ()
    line: int | None = None
    column: int | None = None
    found: str | None = None
    expected: str | None = None
    suggestion: str | None = None
    severity: Severity = "error"

    def __post_init__(self) -> None:
        if self.code not in CODES:
            raise ValueError(f"{self.code!r} is not a declared problem code")
        if (self.line is None) != (self.column is None):
            raise ValueError("a place has a line and a column, or neither")

    @property
    def anchor(self) -> str:
        """Where the reference explains the code."""
        return f"{_REFERENCE}#{self.code.lower()}"


class FlowInvalid(Exception):
    """The flow, or the input of a run, has problems; `problems` are all of them, in order."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = in_order(problems)
        super().__init__("\n".join(_line(problem, None) for problem in self.problems))


def in_order(problems: Iterable[Problem]) -> tuple[Problem, ...]:
    """By place in the text, then by code; those without a place come last, as they were given."""
    return tuple(sorted(problems, key=_place))


def _place(problem: Problem) -> tuple[bool, int, int, str]:
    if problem.line is None or problem.column is None:
        return (True, 0, 0, "")
    return (False, problem.line, problem.column, problem.code)


def has_errors(problems: Iterable[Problem]) -> bool:
    """Whether any of them keeps the flow from running; warnings do not."""
    return any(problem.severity == "error" for problem in problems)


def text(problems: Iterable[Problem], file: str | None = None) -> str:
    """One line per problem, `FILE:LINE:COLUMN: CODE message`, as compilers write them."""
    return "\n".join(_line(problem, file) for problem in problems)


def _line(problem: Problem, file: str | None) -> str:
    parts = [file] if file else []
    if problem.line is not None:
        parts += [str(problem.line), str(problem.column)]
    place = ":".join(parts)
    warning = "warning: " if problem.severity == "warning" else ""
    return f"{place + ': ' if place else ''}{problem.code} {warning}{problem.message}"


def as_json(problems: Sequence[Problem], file: str | None = None) -> JsonObject:
    """What programs read: `{file, valid, problems: [...]}`."""
    return {
        "file": file,
        "valid": not has_errors(problems),
        "problems": [_as_json(problem) for problem in problems],
    }


def _as_json(problem: Problem) -> JsonObject:
    return {
        "code": problem.code,
        "severity": problem.severity,
        "message": problem.message,
        "path": list[Json](problem.path),
        "line": problem.line,
        "column": problem.column,
        "found": problem.found,
        "expected": problem.expected,
        "suggestion": problem.suggestion,
        "anchor": problem.anchor,
    }


def as_sarif(
    problems: Sequence[Problem], file: str | None = None, *, version: str | None = None
) -> JsonObject:
    """A SARIF 2.1.0 log, which code hosts and editors show beside the lines.

    `version` is the version of the tool to name in it.
    """
    used = [code for code in CODES if any(problem.code == code for problem in problems)]
    driver: JsonObject = {"name": "flowrunner", "rules": [_rule(CODES[code]) for code in used]}
    if version is not None:
        driver["version"] = version
    results: list[Json] = [_result(problem, used.index(problem.code), file) for problem in problems]
    run: JsonObject = {
        "tool": {"driver": driver},
        "columnKind": "unicodeCodePoints",
        "results": results,
    }
    return {"$schema": _SARIF_SCHEMA, "version": "2.1.0", "runs": [run]}


def _rule(entry: ErrorCode) -> JsonObject:
    return {
        "id": entry.code,
        "shortDescription": {"text": entry.title},
        "fullDescription": {"text": entry.explanation},
        "help": {"text": entry.remedy},
    }


def _result(problem: Problem, rule: int, file: str | None) -> JsonObject:
    result: JsonObject = {
        "ruleId": problem.code,
        "ruleIndex": rule,
        "level": problem.severity,
        "message": {"text": problem.message},
    }
    if file is None:
        return result
    physical: JsonObject = {"artifactLocation": {"uri": quote(file)}}
    if problem.line is not None:
        physical["region"] = {"startLine": problem.line, "startColumn": problem.column}
    result["locations"] = [{"physicalLocation": physical}]
    return result
