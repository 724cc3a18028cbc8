"""Templates: Mustache without what could run away or reach out (partials, functions, delimiters).

Reading a template takes time in proportion to its length. Rendering one costs a step for each part
it goes through and ends when steps or characters run out.
"""

from __future__ import annotations

import html
import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, Literal, TypeAlias

from flowspec.values import Json

__all__ = ["MOST_STEPS", "MOST_TEXT", "TemplateError", "TemplateTooLarge", "render"]

MOST_STEPS: Final = 1_000_000
MOST_TEXT: Final = 32_000_000
_DEEPEST: Final = 50
_LONGEST_NAME: Final = 200
_NOT_HERE: Final = {
    ">": "there are no partials: put the text in here, or render it by a node of its own",
    "=": "the delimiters cannot be changed",
    "<": "there are no parents and blocks",
    "$": "there are no parents and blocks",
}
_NAME: Final = re.compile(r"\.|[^\s.{}]+(?:\.[^\s.{}]+)*")
_REST_OF_LINE: Final = re.compile(r"[ \t]*(?:\r?\n|\Z)")

Missing = Literal["fail", "empty"]


class TemplateError(Exception):
    """What is wrong with a template, or with the data for it; `str()` says where."""

    def __init__(self, message: str, line: int, column: int) -> None:
        super().__init__(f"line {line}, column {column}: {message}")
        self.line = line
        self.column = column


class TemplateTooLarge(Exception):
    """Rendering it would take too long, or make too long a text."""


@dataclass(frozen=True, kw_only=True)
class _Variable:
    name: str
    at: int
    raw: bool


@dataclass(frozen=True, kw_only=True)
class _Section:
    name: str
    at: int
    inverted: bool
    parts: list[_Part] = field(default_factory=list)


_Part: TypeAlias = "str | _Variable | _Section"


def render(template: str, data: Json, *, is_html: bool, missing: Missing = "fail") -> str:
    """The text. Raises `TemplateError` and `TemplateTooLarge`."""
    parts = _Reader(template).read()
    escape: Callable[[str], str] = html.escape if is_html else str
    renderer = _Renderer(template, escape, missing)
    renderer.parts(parts, [data])
    return "".join(renderer.made)


def _error(template: str, at: int, message: str) -> TemplateError:
    line = template.count("\n", 0, at) + 1
    return TemplateError(message, line, at - template.rfind("\n", 0, at))


class _Reader:
    """Takes a template apart into texts, variables and sections."""

    def __init__(self, template: str) -> None:
        self._template = template
        self._open: list[_Section] = []
        self._parts: list[_Part] = []

    def read(self) -> list[_Part]:
        at = 0
        while (start := self._template.find("{{", at)) >= 0:
            sign, name, end = self._tag(start)
            text_end = start
            if sign not in ("", "&", "{"):
                text_end, end = self._alone(at, start, end)
            self._text(at, text_end)
            self._take(sign, name, start)
            at = end
        self._text(at, len(self._template))
        if self._open:
            left = self._open[-1]
            raise self._wrong(left.at, f"the section {left.name!r} is not closed")
        return self._parts

    def _tag(self, start: int) -> tuple[str, str, int]:
        """What kind of tag begins there, what is in it, and where it ends."""
        sign = self._template[start + 2 : start + 3]
        sign = sign if sign in "#^/!&{" or sign in _NOT_HERE else ""
        closing = "}}}" if sign == "{" else "}}"
        inside = start + 2 + len(sign)
        end = self._template.find(closing, inside)
        if end < 0:
            raise self._wrong(start, f"the tag is not closed; {closing} is missing")
        if sign in _NOT_HERE:
            raise self._wrong(start, _NOT_HERE[sign])
        name = "" if sign == "!" else self._name(start, self._template[inside:end].strip())
        return sign, name, end + len(closing)

    def _name(self, start: int, name: str) -> str:
        if len(name) > _LONGEST_NAME or not _NAME.fullmatch(name):
            raise self._wrong(start, "a tag holds a name such as {{customer.name}}, or a dot")
        return name

    def _alone(self, after: int, start: int, end: int) -> tuple[int, int]:
        """A section's tag or a comment alone on its line goes with the whole line.

        Looks back no further than `after`, where the tag before it ended.
        """
        template = self._template
        line = max(after, template.rfind("\n", after, start) + 1)
        begins_line = line == 0 or template[line - 1] == "\n"
        rest = _REST_OF_LINE.match(template, end)
        if begins_line and rest is not None and not template[line:start].strip(" \t"):
            return line, rest.end()
        return start, end

    def _text(self, start: int, end: int) -> None:
        if start < end:
            self._here().append(self._template[start:end])

    def _here(self) -> list[_Part]:
        return self._open[-1].parts if self._open else self._parts

    def _take(self, sign: str, name: str, start: int) -> None:
        if sign in ("#", "^"):
            section = _Section(name=name, at=start, inverted=sign == "^")
            self._here().append(section)
            self._open.append(section)
            if len(self._open) > _DEEPEST:
                raise self._wrong(start, f"sections are {_DEEPEST} deep at most")
        elif sign == "/":
            self._close(name, start)
        elif sign != "!":
            self._here().append(_Variable(name=name, at=start, raw=sign in ("&", "{")))

    def _close(self, name: str, start: int) -> None:
        if not self._open:
            raise self._wrong(start, f"there is no section {name!r} to close")
        if self._open[-1].name != name:
            raise self._wrong(start, f"expected {{{{/{self._open[-1].name}}}}} before {name!r}")
        self._open.pop()

    def _wrong(self, at: int, message: str) -> TemplateError:
        return _error(self._template, at, message)


_MISSING: Final = object()


class _Renderer:
    """Puts a template's parts together; `made` is the text in pieces."""

    def __init__(self, template: str, escape: Callable[[str], str], missing: Missing) -> None:
        self.made: list[str] = []
        self._template = template
        self._escape = escape
        self._missing = missing
        self._steps = MOST_STEPS
        self._room = MOST_TEXT

    def parts(self, parts: list[_Part], around: list[Json]) -> None:
        self._spend(1)
        for part in parts:
            self._spend(1)
            if isinstance(part, str):
                self._write(part)
            elif isinstance(part, _Section):
                self._section(part, around)
            else:
                self._write(self._variable(part, around))

    def _section(self, section: _Section, around: list[Json]) -> None:
        found = self._find(section.name, around)
        value: Json = None if found is _MISSING else found  # type: ignore[assignment]
        is_empty = value is None or value is False or value == "" or value == [] or value == {}
        if section.inverted:
            if is_empty:
                self.parts(section.parts, around)
        elif not is_empty:
            for item in value if isinstance(value, list) else [value]:
                self.parts(section.parts, [*around, item])

    def _variable(self, variable: _Variable, around: list[Json]) -> str:
        value = self._find(variable.name, around)
        if value is _MISSING:
            if self._missing == "empty":
                return ""
            raise self._wrong(
                variable, "is missing in the data; a section {{#…}} or missing: empty allows that"
            )
        if isinstance(value, list | dict):
            kind = "a list" if isinstance(value, list) else "an object"
            raise self._wrong(variable, f"is {kind}; go into it with {{{{#{variable.name}}}}}")
        if value is None:
            return ""
        text = value if isinstance(value, str) else json.dumps(value)
        return text if variable.raw else self._escape(text)

    def _find(self, name: str, around: list[Json]) -> object:
        """The first part of a name is looked for from inside out, the others below it."""
        if name == ".":
            return around[-1]
        first, *others = name.split(".")
        self._spend(len(around) + len(others))
        holders = (one for one in reversed(around) if isinstance(one, dict) and first in one)
        value: object = next(holders, {}).get(first, _MISSING)
        for step in others:
            value = value.get(step, _MISSING) if isinstance(value, dict) else _MISSING
        return value

    def _write(self, text: str) -> None:
        self._room -= len(text)
        if self._room < 0:
            raise TemplateTooLarge(f"it makes a text of more than {MOST_TEXT:,} characters")
        self.made.append(text)

    def _spend(self, steps: int) -> None:
        self._steps -= steps
        if self._steps < 0:
            raise TemplateTooLarge(f"it takes more than {MOST_STEPS:,} steps; render less at once")

    def _wrong(self, variable: _Variable, message: str) -> TemplateError:
        return _error(self._template, variable.at, f"{variable.name!r} {message}")
