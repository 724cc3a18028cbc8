"""YAML text to data, with the place of every key and value.

The data is JSON. Scalars are read by the core rules of YAML 1.2, so `on` and `no` are text. What
YAML has beyond JSON (anchors, tags, merge keys, several documents) is refused.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import yaml
from yaml.error import MarkedYAMLError
from yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    MappingEndEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)

from flowspec.located import Marks, Source
from flowspec.problems import FlowInvalid, Mark, Path, Problem, in_order
from flowspec.scalars import ScalarRefused, read_plain
from flowspec.syntax import explain
from flowspec.values import Json

__all__ = [
    "LINE_BREAK",
    "MAX_BYTES",
    "MAX_DEPTH",
    "MAX_VALUES",
    "Marks",
    "Reading",
    "Source",
    "read_damaged",
    "read_yaml",
]

MAX_BYTES = 1024 * 1024
MAX_VALUES = 100_000
MAX_DEPTH = 50
_MAX_PROBLEMS = 100

_FORBIDDEN = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
LINE_BREAK = re.compile("\r\n|[\r\n]")
_OTHER_BREAKS = re.compile("[\x85\u2028\u2029]")
"""Line breaks by YAML 1.1, which the parser goes by; by YAML 1.2 characters like any other."""
_LONG_ESCAPE = re.compile(r"\\U(000[0-9A-Fa-f]{5}|0010[0-9A-Fa-f]{4})")


_Parser: Callable[[str], Any] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""libyaml's events; PyYAML's own, fifteen times slower, where libyaml is not built in."""


@dataclass(frozen=True, kw_only=True)
class Reading:
    """As much of a text as could be read.

    `source` is None where the text breaks off or is nothing at all. Else it is whole, save that
    what stands at a path of `damaged` is not what the text means.
    """

    source: Source | None
    problems: tuple[Problem, ...] = ()
    damaged: tuple[Path, ...] = ()


def read_yaml(text: str) -> Source:
    """Read one YAML document; raises `FlowInvalid` with everything that is wrong with it."""
    reading = read_damaged(text)
    if reading.source is None or reading.problems:
        raise FlowInvalid(reading.problems)
    return reading.source


def read_damaged(text: str) -> Reading:
    """Read one YAML document, and go on after problems as far as it makes sense."""
    if len(text) > MAX_BYTES or len(text.encode(errors="replace")) > MAX_BYTES:
        return _hopeless(_too_large("1 MiB of text", Mark(line=1, column=1)))
    forbidden = _forbidden(text)
    if forbidden:
        return _hopeless(*forbidden)
    return _Reader(text).read()


def _events(text: str) -> Callable[[], Any]:
    """Gives the next event each time; the parser sees a stand-in for what only it takes for a
    line break."""
    breaks = dict.fromkeys(_OTHER_BREAKS.findall(text))
    if not breaks:
        return _Parser(text).get_event  # type: ignore[no-any-return]
    used = {*text, *(chr(int(code, 16)) for code in _LONG_ESCAPE.findall(text))}
    unused = (char for char in map(chr, range(0x10000, 0x110000)) if char not in used)
    stand_ins = dict(zip(breaks, unused, strict=False))
    meant = str.maketrans({stand_in: char for char, stand_in in stand_ins.items()})
    parser = _Parser(text.translate(str.maketrans(stand_ins)))

    def event() -> Any:
        found = parser.get_event()
        if isinstance(found, ScalarEvent):
            found.value = found.value.translate(meant)
        return found

    return event


def _hopeless(*problems: Problem) -> Reading:
    return Reading(source=None, problems=in_order(problems))


def _too_large(limit: str, mark: Mark) -> Problem:
    return Problem(
        code="FR112",
        message=(
            f"the document has more than {limit}; split it with `flow` nodes, or hand the data "
            "to the run as input"
        ),
        line=mark.line,
        column=mark.column,
        expected=f"at most {limit}",
    )


def _forbidden(text: str) -> list[Problem]:
    problems = []
    for match in _FORBIDDEN.finditer(text.removeprefix("\ufeff")):
        breaks = list(LINE_BREAK.finditer(text, 0, match.start()))
        start = breaks[-1].end() if breaks else 0
        name = f"U+{ord(match[0]):04X}"
        problems.append(
            Problem(
                code="FR102",
                message=f"the character {name} is not allowed in YAML; delete it, or escape it",
                line=len(breaks) + 1,
                column=match.start() - start + 1,
                found=name,
            )
        )
        if len(problems) == 10:
            break
    return problems


class _Stop(Exception):
    """Reading on would make no sense; the problem is noted."""


class _Reader:
    """Builds the data from the parser's events; the depth limit bounds its recursion."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._next: Callable[[], Any] = _events(text)
        self._marks: dict[Path, Marks] = {}
        self._problems: list[Problem] = []
        self._damaged: list[Path] = []
        self._values = 0

    def read(self) -> Reading:
        try:
            data = self._document()
        except _Stop:
            return Reading(source=None, problems=in_order(self._problems))
        except MarkedYAMLError as error:
            self._syntax(error)
            return Reading(source=None, problems=in_order(self._problems))
        return Reading(
            source=Source(data=data, marks=self._marks),
            problems=in_order(self._problems),
            damaged=tuple(self._damaged),
        )

    def _document(self) -> Json:
        self._next()  # the start of the stream
        start = self._next()
        if not isinstance(start, DocumentStartEvent):
            self._empty()
        if start.version not in (None, (1, 2)) or start.tags:
            self._note("FR108", start, (), "directives (%YAML, %TAG) are not used in flows")
        root = self._next()
        if isinstance(root, ScalarEvent) and not root.value and not root.style:
            self._empty()
        data = self._value(root, (), (), 0)
        self._next()  # the end of the document
        second = self._next()
        if isinstance(second, DocumentStartEvent):
            self._note(
                "FR104",
                second,
                (),
                "a second document starts here; put each flow in a file of its own",
            )
        return data

    def _value(self, event: Any, path: Path, key: Marks, depth: int) -> Json:
        self._values += 1
        if self._values > MAX_VALUES:
            self._note_limit(f"{MAX_VALUES:,} values", event)
        start = event.start_mark
        self._marks[path] = (*key, start.line + 1, start.column + 1)
        if event.anchor is not None or event.tag is not None:
            self._refuse_extras(event, path)
        if isinstance(event, ScalarEvent):
            return self._scalar(event, path)
        if isinstance(event, AliasEvent):
            return None
        if depth == MAX_DEPTH:
            self._note_limit(f"{MAX_DEPTH} levels of nesting", event)
        if isinstance(event, SequenceStartEvent):
            return self._list(path, depth + 1)
        return self._mapping(path, depth + 1)

    def _list(self, path: Path, depth: int) -> list[Json]:
        items: list[Json] = []
        while not isinstance(event := self._next(), SequenceEndEvent):
            items.append(self._value(event, (*path, len(items)), (), depth))
        return items

    def _mapping(self, path: Path, depth: int) -> dict[str, Json]:
        mapping: dict[str, Json] = {}
        while not isinstance(event := self._next(), MappingEndEvent):
            key = self._key(event, path, mapping, depth)
            start = event.start_mark
            mark = (start.line + 1, start.column + 1)
            if key is None:
                self._value(self._next(), (*path, f"?{mark[0]}:{mark[1]}"), mark, depth)
            else:
                mapping[key] = self._value(self._next(), (*path, key), mark, depth)
        return mapping

    def _key(self, event: Any, path: Path, mapping: Mapping[str, Json], depth: int) -> str | None:
        """The key, or None if its value is not to be kept."""
        if not isinstance(event, ScalarEvent):
            self._refuse_nested_key(event, path)
            self._value(event, (*path, "?"), (), depth)
            return None
        if event.anchor is not None or event.tag is not None:
            self._refuse_extras(event, path)
        plain = not event.style
        key = _plain_key(event.value) if plain else event.value
        if not isinstance(key, str):
            self._refuse_key_of_other_type(event, path)
            return None
        if plain and key == "<<":
            self._note(
                "FR109", event, path, "<< merges nothing here; write the keys out, or use defaults"
            )
            return None
        if key in mapping:
            self._refuse_second_key(event, path, key)
            return None
        return key

    def _refuse_nested_key(self, event: Any, path: Path) -> None:
        index = event.start_mark.index
        braces = self._text[max(index - 1, 0) : index + 1] == "{{"
        advice = '; a template is written "${…}", in quotes' if braces else ""
        self._note("FR106", event, path, f"a key is text, not a list, mapping or alias{advice}")

    def _refuse_key_of_other_type(self, event: ScalarEvent, path: Path) -> None:
        fix, found = f'"{event.value}"', event.value or "null"
        message = f"the key {found} is not text; write {fix}"
        self._note("FR106", event, path, message, found=found, suggestion=fix)

    def _refuse_second_key(self, event: ScalarEvent, path: Path, key: str) -> None:
        first = self._marks[(*path, key)][0]
        message = f"the key {key!r} is already given in line {first}; keep one"
        self._note("FR105", event, (*path, key), message)

    def _scalar(self, event: ScalarEvent, path: Path) -> Json:
        if event.style:
            return str(event.value)
        try:
            return read_plain(event.value)
        except ScalarRefused as refused:
            self._note_number(event, path, refused)
            return 0

    def _refuse_extras(self, event: Any, path: Path) -> None:
        if isinstance(event, AliasEvent):
            self._note(
                "FR107",
                event,
                path,
                f"*{event.anchor} is an alias, which flows do without; write the value out, or "
                "put quotes around it if it is text",
                found=f"*{event.anchor}",
            )
            return
        if event.anchor is not None:
            self._note(
                "FR107",
                event,
                path,
                f"&{event.anchor} is an anchor, which flows do without; remove it, or put quotes "
                "around it if it is text",
                found=f"&{event.anchor}",
            )
        if event.tag is not None:
            self._note(
                "FR108",
                event,
                path,
                f"the tag {_short_tag(event.tag)} is not used in flows; remove it, and put quotes "
                "around what is to be text",
                found=_short_tag(event.tag),
            )

    def _note_number(self, event: ScalarEvent, path: Path, refused: ScalarRefused) -> None:
        written = event.value if len(event.value) <= 40 else f"{event.value[:40]}…"
        if refused.reason == "too long":
            self._note(
                "FR111",
                event,
                path,
                f"{written} needs more than 64 bits; put it in quotes to keep all digits as text",
                found=written,
                expected="an integer of 64 bits",
                suggestion=f'"{written}"',
            )
        else:
            self._note(
                "FR110",
                event,
                path,
                f"{written} is not a number JSON has; write a number, or put quotes around text",
                found=written,
                expected="a finite number",
            )

    def _note(
        self,
        code: str,
        event: Any,
        path: Path,
        message: str,
        *,
        found: str | None = None,
        expected: str | None = None,
        suggestion: str | None = None,
    ) -> None:
        mark = _mark(event)
        self._damaged.append(path)
        self._problems.append(
            Problem(
                code=code,
                message=message,
                path=path,
                line=mark.line,
                column=mark.column,
                found=found,
                expected=expected,
                suggestion=suggestion,
            )
        )
        if len(self._problems) >= _MAX_PROBLEMS:
            raise _Stop

    def _note_limit(self, limit: str, event: Any) -> None:
        self._problems.append(_too_large(limit, _mark(event)))
        raise _Stop

    def _empty(self) -> None:
        self._problems.append(
            Problem(
                code="FR103",
                message="the document is empty; write `flow: NAME` and one node under `nodes:`",
                line=1,
                column=1,
            )
        )
        raise _Stop

    def _syntax(self, error: MarkedYAMLError) -> None:
        advice = explain(LINE_BREAK.split(self._text), error)
        self._problems.append(
            Problem(
                code="FR101",
                message=advice.message,
                line=advice.mark.line,
                column=advice.mark.column,
                suggestion=advice.suggestion,
            )
        )


def _plain_key(text: str) -> Json:
    """As `read_plain`; a number out of range is no more a key than another."""
    try:
        return read_plain(text)
    except ScalarRefused:
        return 0


def _mark(event: Any) -> Mark:
    mark = event.start_mark
    return Mark(line=mark.line + 1, column=mark.column + 1)


def _short_tag(tag: str) -> str:
    return tag.replace("tag:yaml.org,2002:", "!!")
