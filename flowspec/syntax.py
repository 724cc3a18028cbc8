"""What to say when the text is not YAML: where to look and what to change."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from yaml.error import MarkedYAMLError

from flowspec.problems import Mark

__all__ = ["Advice", "explain"]

_GLUED = re.compile(r"^\s*(?:- )*([A-Za-z_][\w.-]*):([^\s/].*)$")
_QUOTED = re.compile(r"""(["'])(?:(?!\1).)*\1\s*$""")
_LAST_WORD = re.compile(r"""(?:"[^"]*"|'[^']*'|[^\s,{}\[\]"']+)\s*$""")
_LONGEST_KEY = 1024
_INDICATORS = {"@": "an @", "`": "a backquote", "%": "a %"}


@dataclass(frozen=True, kw_only=True)
class Advice:
    """Where the mistake is, as far as can be told, and one sentence about it."""

    mark: Mark
    message: str
    suggestion: str | None = None


def explain(lines: Sequence[str], error: MarkedYAMLError) -> Advice:
    """What the parser's complaint means to somebody who writes a flow."""
    stopped = _mark(error.problem_mark)
    began = _mark(error.context_mark) if error.context_mark else stopped
    here = _Place(lines, stopped, began, str(error.problem or ""), str(error.context or ""))
    for rule in _RULES:
        advice = rule(here)
        if advice is not None:
            return advice
    return Advice(mark=stopped, message=f"the text is not YAML: {here.problem}")


def _mark(mark: object) -> Mark:
    return Mark(line=getattr(mark, "line", 0) + 1, column=getattr(mark, "column", 0) + 1)


@dataclass(frozen=True)
class _Place:
    lines: Sequence[str]
    stopped: Mark
    began: Mark
    problem: str
    context: str

    def line(self, number: int) -> str:
        return self.lines[number - 1] if 0 < number <= len(self.lines) else ""

    @property
    def before(self) -> str:
        return self.line(self.stopped.line)[: self.stopped.column - 1]

    @property
    def after(self) -> str:
        return self.line(self.stopped.line)[self.stopped.column - 1 :]

    def last_written(self) -> tuple[int, str]:
        """The closest line above that says something."""
        for number in range(self.stopped.line - 1, 0, -1):
            line = self.line(number)
            if line.strip() and not line.lstrip().startswith("#"):
                return number, line
        return 0, ""


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())


def _tab(here: _Place) -> Advice | None:
    line = here.line(here.stopped.line)
    indent = line[: _indent(line)]
    if "\t" not in indent and not here.after.startswith("\t"):
        return None
    column = indent.index("\t") + 1 if "\t" in indent else here.stopped.column
    return Advice(
        mark=Mark(line=here.stopped.line, column=column),
        message="a tab is used for indentation; YAML indents with spaces",
        suggestion="two spaces for each level",
    )


def _template(here: _Place) -> Advice | None:
    """`{a: ${x}}`: the parser stops at the second brace."""
    if not (here.after.startswith("{") and here.before.endswith("$")):
        return None
    end = here.after.find("}")
    written = "$" + (here.after[: end + 1] if end >= 0 else "{…}")
    return Advice(
        mark=Mark(line=here.stopped.line, column=here.stopped.column - 1),
        message=f'inside {{ }} and [ ] a template needs quotes: write "{written}"',
        suggestion=f'"{written}"',
    )


def _open_quote(here: _Place) -> Advice | None:
    if "quoted scalar" not in here.context or "escape" in here.problem:
        return None
    if "unexpected end of stream" not in here.problem and "document indicator" not in here.problem:
        return None
    quote = here.line(here.began.line)[here.began.column - 1 : here.began.column]
    return Advice(
        mark=here.began, message=f"the quote {quote or chr(34)} that opens here is never closed"
    )


def _escape(here: _Place) -> Advice | None:
    if "escape" not in here.problem:
        return None
    if "Unicode" in here.problem:
        return Advice(
            mark=here.stopped,
            message="this escape is no character, or half of one; write the character itself",
        )
    return Advice(
        mark=here.stopped,
        message=(
            "a backslash in double quotes starts an escape, and this is none that YAML knows; "
            "double the backslash or use single quotes"
        ),
    )


def _long_key(here: _Place) -> Advice | None:
    """YAML looks for the colon of a key no further than that."""
    key = _LAST_WORD.search(here.before)
    if key is None or not here.after.lstrip().startswith(":") or len(key[0]) <= _LONGEST_KEY:
        return None
    return Advice(
        mark=Mark(line=here.stopped.line, column=key.start() + 1),
        message=f"a key can have at most {_LONGEST_KEY:,} characters, quotes included",
    )


def _open_bracket(here: _Place) -> Advice | None:
    if "flow mapping" not in here.context and "flow sequence" not in here.context:
        return None
    opened, closing = ("{", "}") if "mapping" in here.context else ("[", "]")
    place = f"line {here.began.line}, column {here.began.column}"
    if not here.after.strip() and here.stopped.line >= len(here.lines):
        return Advice(
            mark=here.began,
            message=f"the {opened} that opens here is never closed",
            suggestion=closing,
        )
    return Advice(
        mark=here.stopped,
        message=(
            f"expected a comma or {closing} to go on with or end what {opened} began at {place}; "
            "text with , : [ ] { } in it needs quotes here"
        ),
    )


def _glued_colon(here: _Place) -> Advice | None:
    """`type:noop` is one word to YAML, and the next line then makes no sense."""
    if not ("mapping values" in here.problem or "could not find expected" in here.problem):
        return None
    for number, line in (here.last_written(), (here.stopped.line, here.line(here.stopped.line))):
        match = _GLUED.match(line)
        if match is not None:
            fixed = f"{match[1]}: {match[2].strip()}"
            return Advice(
                mark=Mark(line=number, column=match.end(1) + 1),
                message=f"a space is missing after the colon: write {fixed!r}",
                suggestion=fixed,
            )
    return None


def _second_colon(here: _Place) -> Advice | None:
    if "mapping values" not in here.problem:
        return None
    if re.search(r"[:-]\s", here.before.lstrip()):
        return Advice(
            mark=here.stopped,
            message="text with a colon and a space in it needs quotes around the whole of it",
        )
    number, above = here.last_written()
    return Advice(
        mark=Mark(line=here.stopped.line, column=_indent(here.line(here.stopped.line)) + 1),
        message=(
            f"this line is indented further than line {number} ({above.strip()[:40]!r}), which "
            "already has its value; line the two up"
            if number
            else "a key is not expected here"
        ),
    )


def _indicator(here: _Place) -> Advice | None:
    if "cannot start any token" not in here.problem:
        return None
    name = _INDICATORS.get(here.after[:1], "this character")
    return Advice(
        mark=here.stopped, message=f"text that starts with {name} needs quotes around the whole"
    )


def _block_scalar(here: _Place) -> Advice | None:
    if "block scalar" not in here.context:
        return None
    return Advice(
        mark=here.began,
        message="after | or > the text starts on the next line, indented",
    )


def _anchor(here: _Place) -> Advice | None:
    if "scanning an a" not in here.context:
        return None
    return Advice(mark=here.began, message="text that starts with * or & needs quotes")


def _list_entry(here: _Place) -> Advice | None:
    if "block sequence entries" not in here.problem:
        return None
    return Advice(
        mark=here.stopped, message="the entries of a list start on the line after the key"
    )


def _indentation(here: _Place) -> Advice | None:
    if "expected key" not in here.problem and "'-' indicator" not in here.problem:
        return None
    if _QUOTED.search(here.before):
        return Advice(
            mark=here.stopped,
            message="text goes on after the closing quote; put the quotes around the whole",
        )
    wanted = "key" if "key" in here.problem else "list entry"
    return Advice(
        mark=here.stopped,
        message=(
            f"this line does not line up with the others of its group, which began in line "
            f"{here.began.line}, column {here.began.column}; expected a {wanted} there"
        ),
    )


def _nothing_opened(here: _Place) -> Advice | None:
    if "node content" not in here.problem:
        return None
    if not here.after.strip():
        return Advice(
            mark=here.stopped, message="the text ends inside a [ or {, which is never closed"
        )
    return Advice(
        mark=here.stopped,
        message=f"{here.after[:1]!r} cannot stand here; text that starts with it needs quotes",
    )


def _no_colon(here: _Place) -> Advice | None:
    if "could not find expected ':'" not in here.problem:
        return None
    written = here.line(here.began.line).strip()
    return Advice(
        mark=here.began,
        message=f"expected `key: value`, found {written[:40]!r} without a colon",
    )


def _reserved_start(here: _Place) -> Advice | None:
    """Directives, tags and explicit keys, which nobody meant to write."""
    if "directive" in here.context or "incompatible YAML" in here.problem:
        sign = "%"
    elif "a tag" in here.context:
        sign = "!"
    elif "mapping keys are not allowed" in here.problem:
        sign = "?"
    else:
        return None
    mark = here.stopped if sign == "?" else here.began
    return Advice(mark=mark, message=f"text that starts with {sign} needs quotes around the whole")


def _after_end(here: _Place) -> Advice | None:
    if "<document start>" not in here.problem:
        return None
    return Advice(mark=here.stopped, message="the document has already ended before this line")


_RULES: tuple[Callable[[_Place], Advice | None], ...] = (
    _tab,
    _template,
    _open_quote,
    _escape,
    _glued_colon,
    _long_key,
    _second_colon,
    _open_bracket,
    _block_scalar,
    _anchor,
    _list_entry,
    _indicator,
    _indentation,
    _nothing_opened,
    _no_colon,
    _reserved_start,
    _after_end,
)
