"""Pydantic's errors, told in the words of the flow language."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ValidationError

from flowspec.document import Defaults, Flow
from flowspec.edges import Arrow, Link
from flowspec.jsonschemas import looked_up
from flowspec.located import Source
from flowspec.modifiers import Cache, Foreach, Lock, Rate, Repeat, Retry
from flowspec.nodes import Node
from flowspec.problems import Path, Problem
from flowspec.schedules import Calendar, Every, Schedule
from flowspec.wording import describe, did_you_mean, listed, nearest

__all__ = ["told"]

_KEY = "[key]"
_MAPPINGS = ("model_type", "dict_type", "model_attributes_type")
_LISTS = ("tuple_type", "list_type")

_MOST_TOLD = 100
"""More would help nobody, and a hostile document would keep us busy."""

_UNNAMED = ("FR203", "FR204", "FR207")
"""Codes whose messages do not name what they are about."""

_ELSEWHERE: Mapping[type[BaseModel], Mapping[str, str]] = {
    Flow: {
        **dict.fromkeys(("name", "id"), "flow"),
        **dict.fromkeys(("steps", "tasks", "jobs", "states"), "nodes"),
        "variables": "vars",
    },
    Node: {
        **dict.fromkeys(("if", "condition"), "when"),
        **dict.fromkeys(("with", "args", "parameters", "input", "inputs"), "params"),
        **dict.fromkeys(("name", "label"), "title"),
        **dict.fromkeys(("uses", "action", "kind"), "type"),
        **dict.fromkeys(("for_each", "with_items", "items"), "foreach"),
        **dict.fromkeys(("then", "goto"), "next"),
        "retries": "retry",
    },
    Arrow: {"if": "when", "target": "to", "limits": "limit"},
    Link: {"if": "when", "target": "to", "source": "from"},
    Schedule: {
        **dict.fromkeys(("interval", "intervals"), "every"),
        **dict.fromkeys(("tz", "time_zone", "timezone_name"), "timezone"),
        **dict.fromkeys(("start", "start_at"), "from"),
        **dict.fromkeys(("end", "end_at", "to"), "until"),
        **dict.fromkeys(("catchup", "catchup_window", "catch_up_window"), "catch_up"),
        **dict.fromkeys(("params", "args", "with"), "input"),
        **dict.fromkeys(("at", "times", "cron_expression", "schedule"), "cron"),
        **dict.fromkeys(("overlap_policy", "concurrency"), "overlap"),
    },
    Calendar: {
        **dict.fromkeys(("day_of_month", "date"), "day"),
        **dict.fromkeys(("day_of_week", "weekdays"), "weekday"),
    },
}
"""Words from other systems."""


def told(error: ValidationError, source: Source) -> list[Problem]:
    """The problems behind pydantic's errors; none of its own words get through."""
    errors = error.errors(include_url=False)[:_MOST_TOLD]
    problems = [_tell(found, source) for found in errors]
    meant = {(*p.path[:-1], _key_of(p.suggestion)) for p in problems if p.code == "FR201"}
    return [p for p in problems if not (p.code == "FR202" and (*p.path, p.expected) in meant)]


def _key_of(suggestion: str | None) -> str | None:
    return suggestion.partition(":")[0] if suggestion else None


def _tell(error: Any, source: Source) -> Problem:
    path: Path = tuple(error["loc"])
    kind, value = error["type"], error["input"]
    if kind == "extra_forbidden":
        return _unknown_key(path, source)
    if kind == "missing":
        return _missing_key(path, source)
    if path[-1:] == (_KEY,):
        return _from_context(error, path[:-1], source, describe(str(path[-2])), at_key=True)
    if kind.startswith("FR"):
        found = looked_up(source.data, path)
        return _from_context(error, path, source, describe(found), at_key=found is None)
    expected = "a mapping" if kind in _MAPPINGS else "a list" if kind in _LISTS else "another value"
    return source.problem(
        "FR203",
        path,
        f"{_named(path)}expected {expected}, found {describe(value)}",
        found=describe(value),
        expected=expected,
    )


def _named(path: Path) -> str:
    """The key that a message about a value begins with."""
    keys = [step for step in path if isinstance(step, str)]
    return f"{keys[-1]}: " if keys else ""


def _from_context(error: Any, path: Path, source: Source, found: str, *, at_key: bool) -> Problem:
    context = error["ctx"]
    name = _named(path) if error["type"] in _UNNAMED else ""
    return source.problem(
        error["type"],
        path,
        name + context["message"],
        at_key=at_key,
        found=found,
        expected=context["expected"],
        suggestion=context["suggestion"],
    )


def _unknown_key(path: Path, source: Source) -> Problem:
    model = _model_at(path[:-1])
    key = str(path[-1])
    known = _keys(model)
    meant = _ELSEWHERE.get(model, {}).get(key) or nearest(key, known)
    advice = did_you_mean(meant)
    word, colon, rest = key.partition(":")
    if colon and rest and word in known:
        meant = f"{word}: {rest}"
        advice = f"; a space is missing after the colon: write {meant!r}"
    elif not advice and model is Node:
        advice = "; what a node type takes goes under 'params'"
    elif not advice:
        advice = f"; the keys here are {listed(known, 'and')}"
    return source.problem(
        "FR201",
        path,
        f"unknown key {key!r}{advice}",
        at_key=True,
        found=key,
        expected=listed(known),
        suggestion=meant,
    )


def _missing_key(path: Path, source: Source) -> Problem:
    key = str(path[-1])
    field = next(f for n, f in _model_at(path[:-1]).model_fields.items() if (f.alias or n) == key)
    about = field.description or ""
    return source.problem(
        "FR202",
        path[:-1],
        f"{key!r} is missing ({about[:1].lower()}{about[1:]})",
        at_key=True,
        expected=key,
    )


def _keys(model: type[BaseModel]) -> list[str]:
    return [field.alias or name for name, field in model.model_fields.items()]


_INSIDE: Mapping[str, type[BaseModel]] = {
    "defaults": Defaults,
    "retry": Retry,
    "foreach": Foreach,
    "repeat": Repeat,
    "cache": Cache,
    "lock": Lock,
    "rate": Rate,
    "next": Arrow,
    "edges": Link,
    "every": Every,
    "calendar": Calendar,
}
_NAMED: Mapping[str, type[BaseModel]] = {"nodes": Node, "schedules": Schedule}


def _model_at(path: Path) -> type[BaseModel]:
    """Which mapping of the language stands at the path."""
    model: type[BaseModel] = Flow
    steps = iter(path)
    for step in steps:
        if step in _NAMED:
            next(steps, None)
            model = _NAMED[str(step)]
        elif step in _INSIDE:
            model = _INSIDE[str(step)]
            if model in (Arrow, Link):
                return model
    return model
