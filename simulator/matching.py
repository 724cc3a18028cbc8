"""Comparing what was expected with what was found, part by part.

An expected object names the members that matter; others may be there. Lists are compared as a
whole, their entries like anything else. An object with one key that begins with `$` says something
else of the value than what it is.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeAlias

from flowspec.values import Json

__all__ = ["ABSENT", "MATCHERS", "Absent", "Difference", "differences", "matcher_problem"]


class Absent:
    """There is no value."""

    def __repr__(self) -> str:
        return "nothing"


ABSENT = Absent()
Found: TypeAlias = Json | Absent


@dataclass(frozen=True, kw_only=True)
class Difference:
    """`where` is a path such as `nodes.account.output.id`; `expected` says it in words if it is
    not a value."""

    where: str
    expected: Json = None
    found: Found
    words: str | None = None


def differences(expected: Json, found: Found, where: str) -> Iterator[Difference]:
    """What `found` has against what was expected of it."""
    matcher = _matcher(expected)
    if matcher is not None:
        name, argument = matcher
        yield from MATCHERS[name](argument, found, where)
    elif isinstance(expected, dict) and isinstance(found, dict):
        for key, value in expected.items():
            yield from differences(value, found.get(key, ABSENT), f"{where}.{key}")
    elif isinstance(expected, list) and isinstance(found, list) and len(expected) == len(found):
        for index, value in enumerate(expected):
            yield from differences(value, found[index], f"{where}[{index}]")
    elif not _same(expected, found):
        yield Difference(where=where, expected=expected, found=found)


def matcher_problem(expected: Json) -> tuple[tuple[str | int, ...], str] | None:
    """Where something in an expectation looks like a matcher and is none, and why."""
    if isinstance(expected, dict):
        for key, value in expected.items():
            if key.startswith("$") and (key not in MATCHERS or len(expected) > 1):
                known = ", ".join(MATCHERS)
                return (key,), f"{key!r} has to stand alone and be one of {known}"
            if key == "$matches":
                wrong = _pattern_problem(value)
                if wrong is not None:
                    return (key,), wrong
            inside = None if key == "$equals" else matcher_problem(value)
            if inside is not None:
                return (key, *inside[0]), inside[1]
    elif isinstance(expected, list):
        for index, value in enumerate(expected):
            inside = matcher_problem(value)
            if inside is not None:
                return (index, *inside[0]), inside[1]
    return None


def _pattern_problem(pattern: Json) -> str | None:
    if not isinstance(pattern, str):
        return "expected a regular expression, as text"
    try:
        re.compile(pattern)
    except re.error as error:
        return f"{pattern!r} is no regular expression: {error}"
    return None


def _matcher(expected: Json) -> tuple[str, Json] | None:
    if isinstance(expected, dict) and len(expected) == 1:
        name, argument = next(iter(expected.items()))
        if name in MATCHERS:
            return name, argument
    return None


def _same(expected: Json, found: Found) -> bool:
    """As JSON: 1 and 1.0 are the same number, true and 1 are not the same."""
    if isinstance(expected, bool) or isinstance(found, bool):
        return expected is found
    if isinstance(expected, dict) and isinstance(found, dict):
        return expected.keys() == found.keys() and all(
            _same(value, found[key]) for key, value in expected.items()
        )
    if isinstance(expected, list) and isinstance(found, list):
        return len(expected) == len(found) and all(map(_same, expected, found))
    return expected == found


# -- matchers --------------------------------------------------------------------------------------


def _equals(argument: Json, found: Found, where: str) -> Iterator[Difference]:
    if not _same(argument, found):
        yield Difference(where=where, expected=argument, found=found)


def _contains(argument: Json, found: Found, where: str) -> Iterator[Difference]:
    if isinstance(found, str):
        held = isinstance(argument, str) and argument in found
    elif isinstance(found, list):
        held = any(not list(differences(argument, each, "")) for each in found)
    else:
        held = False
    if not held:
        words = f"something that contains {_shown(argument)}"
        yield Difference(where=where, words=words, found=found)


def _matches(argument: Json, found: Found, where: str) -> Iterator[Difference]:
    if not isinstance(found, str) or re.search(str(argument), found) is None:
        yield Difference(where=where, words=f"text that matches /{argument}/", found=found)


def _present(argument: Json, found: Found, where: str) -> Iterator[Difference]:
    if (found is ABSENT) is (argument is not False):
        words = "anything" if argument is not False else "nothing there"
        yield Difference(where=where, words=words, found=found)


def _absent(argument: Json, found: Found, where: str) -> Iterator[Difference]:
    yield from _present(argument is False, found, where)


def _length(argument: Json, found: Found, where: str) -> Iterator[Difference]:
    length = len(found) if isinstance(found, str | list | dict) else None
    if length != argument:
        words = f"a length of {_shown(argument)}"
        yield Difference(where=where, words=words, found=ABSENT if length is None else length)


def _not(argument: Json, found: Found, where: str) -> Iterator[Difference]:
    if not list(differences(argument, found, where)):
        yield Difference(where=where, words=f"anything but {_shown(argument)}", found=found)


def _any_of(argument: Json, found: Found, where: str) -> Iterator[Difference]:
    choices = argument if isinstance(argument, list) else [argument]
    if all(list(differences(choice, found, where)) for choice in choices):
        words = " or ".join(map(_shown, choices))
        yield Difference(where=where, words=words, found=found)


def _shown(value: Json) -> str:
    return json.dumps(value, ensure_ascii=False)


MATCHERS: dict[str, Callable[[Json, Found, str], Iterator[Difference]]] = {
    "$equals": _equals,
    "$contains": _contains,
    "$matches": _matches,
    "$present": _present,
    "$absent": _absent,
    "$length": _length,
    "$not": _not,
    "$any": _any_of,
}
