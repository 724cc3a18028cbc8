"""The input of a run against the `input` of its flow."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import islice

from flowspec.jsonschemas.defaults import fill_defaults
from flowspec.jsonschemas.places import children, dotted, resolved
from flowspec.jsonschemas.schemas import SchemaProblem, schema_problems
from flowspec.jsonschemas.violations import MOST_TOLD, Violation, ViolationKind, violations
from flowspec.problems import Problem
from flowspec.values import Json, JsonObject, NeedsWorker, Opaque
from flowspec.wording import describe, did_you_mean, listed, nearest

__all__ = ["check_input", "input_refused", "input_schema_problems"]

_CODES: Mapping[ViolationKind, str] = {
    "missing": "FR701",
    "unknown": "FR702",
    "type": "FR703",
    "value": "FR704",
}
_OPEN = ("additionalProperties", "unevaluatedProperties")


def input_schema_problems(schema: JsonObject) -> list[SchemaProblem]:
    """What is wrong with the `input` of a flow: as any schema, and it describes a mapping."""
    if "type" in schema and schema["type"] != "object":
        found = describe(schema["type"])
        return [
            SchemaProblem(
                code="FR214",
                path=("type",),
                message=f"a run's input is always a mapping: remove `type`, found {found}",
                found=found,
                expected="object",
                suggestion="object",
            )
        ]
    return schema_problems(schema) or _required_and_refused(schema)


def _required_and_refused(schema: JsonObject) -> list[SchemaProblem]:
    """Names that every run must give and that no run may give: mostly slips of the pen."""
    required, known = schema.get("required"), _known_names(schema)
    if not isinstance(required, list) or known is None or any(key in schema for key in _OPEN):
        return []
    return [
        _refused(name, index, known)
        for index, name in enumerate(required)
        if isinstance(name, str) and name not in known
    ]


def _refused(name: str, index: int, properties: list[str]) -> SchemaProblem:
    meant = nearest(name, properties)
    advice = did_you_mean(meant) or f"; describe it: properties: {{{name}: {{}}}}"
    return SchemaProblem(
        code="FR217",
        path=("required", index),
        message=f"{name!r} is required, and `properties` does not describe it{advice}",
        found=name,
        expected=listed(properties) or None,
        suggestion=meant,
    )


def check_input(schema: JsonObject | None, value: Json) -> tuple[Json, tuple[Problem, ...]]:
    """The input with defaults filled in, and what is wrong with it.

    `schema` is the flow's `input`, None where it takes none; `value` None is a run started
    without input. Names that the schema does not mention are refused, unless it says itself what
    may be added. Raises `NeedsWorker` if a part of the value is kept elsewhere.
    """
    given: Json = {} if value is None else value
    _refuse_opaque(given)
    if not isinstance(given, dict):
        return given, (_not_a_mapping(given),)
    if schema is None:
        return given, (_takes_none(given),) if given else ()
    judge: JsonObject = {"type": "object", **schema}
    filled = fill_defaults(judge, given)
    found = [*violations(judge, filled), *_unknown(schema, given)]
    meant = [v.suggestion for v in found if v.kind == "unknown" and len(v.path) == 1]
    problems = [_problem(v) for v in found if not (_at_top(v) and v.expected in meant)]
    return filled, tuple(problems)


def input_refused(flow: str, problems: Iterable[Problem]) -> str:
    """The sentence a run ends with whose input cannot be used."""
    lines = "; ".join(problem.message for problem in problems)
    return f"the input does not fit flow {flow!r}: {lines}"


def _at_top(violation: Violation) -> bool:
    return violation.kind == "missing" and not violation.path


def _refuse_opaque(value: object) -> None:
    if isinstance(value, Opaque):
        raise NeedsWorker("the input is kept elsewhere")
    if isinstance(value, dict):
        for inner in value.values():
            _refuse_opaque(inner)
    elif isinstance(value, list):
        for inner in value:
            _refuse_opaque(inner)


def _not_a_mapping(value: Json) -> Problem:
    found = describe(value)
    return Problem(
        code="FR706",
        message=f'the input is a mapping of names to values, such as {{"name": 1}}; found {found}',
        path=("input",),
        found=found,
        expected="a mapping",
    )


def _takes_none(given: JsonObject) -> Problem:
    names = listed([repr(name) for name in given], "and")
    return Problem(
        code="FR705",
        message=f"the flow takes no input, found {names}; leave it out, or declare it in the flow",
        path=("input",),
        found=names,
        expected="no input",
    )


def _unknown(schema: JsonObject, given: JsonObject) -> Iterator[Violation]:
    if any(keyword in schema for keyword in _OPEN):
        return
    known = _known_names(schema)
    if known is None:
        return
    strangers = (name for name in given if name not in known)
    for name in islice(strangers, MOST_TOLD):
        meant = nearest(name, [other for other in known if other not in given])
        allowed = f"; the flow takes {listed(known, 'and')}" if known else ""
        yield Violation(
            path=(name,),
            message=f"unknown input {name!r}{did_you_mean(meant) or allowed}",
            kind="unknown",
            keyword="input",
            found=name,
            expected=listed(known) or None,
            suggestion=meant,
        )


_IN_PLACE = ("allOf", "anyOf", "oneOf", "then", "else", "if", "dependentSchemas")


def _known_names(schema: JsonObject) -> list[str] | None:
    """Every name the schema mentions for the mapping itself; None if it gives patterns of them."""
    names: dict[str, None] = {}
    parts: list[Json] = [schema]
    seen: dict[int, None] = {}
    for part in parts:
        if not isinstance(part, dict) or id(part) in seen:
            continue
        seen[id(part)] = None
        if "patternProperties" in part:
            return None
        properties = part.get("properties")
        names.update(dict.fromkeys(properties if isinstance(properties, dict) else ()))
        parts += _applied(schema, part)
    return list(names)


def _applied(root: JsonObject, schema: JsonObject) -> Iterator[Json]:
    reference = schema.get("$ref")
    if isinstance(reference, str):
        yield resolved(root, reference)
    for keyword in _IN_PLACE:
        yield from (inner for _, inner in children(keyword, schema.get(keyword)))


def _problem(violation: Violation) -> Problem:
    where = dotted(("input", *violation.path))
    if violation.kind == "unknown":
        where = dotted(("input", *violation.path[:-1]))
    return Problem(
        code=_CODES[violation.kind],
        message=f"{where}: {violation.message}",
        path=("input", *violation.path),
        found=violation.found,
        expected=violation.expected,
        suggestion=violation.suggestion,
    )
