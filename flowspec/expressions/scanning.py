"""The first look at an expression: its tokens, what they may not be, and where it ends.

Python's parser reads the expression later. This pass runs before it because it is safe on any
text (it does not recurse), can say in the language of flows what is wrong, and hides from Python
what differs: texts follow JSON, and any word may follow a point.
"""

from __future__ import annotations

import keyword
import re
from dataclasses import dataclass, field

from flowspec.expressions.budget import MAX_BRACKETS, MAX_SOURCE
from flowspec.expressions.errors import ExpressionError
from flowspec.expressions.teaching import (
    LANGUAGE_WORDS,
    refused_number,
    refused_operator,
    refused_word,
)

__all__ = ["Scan", "scan"]

_TOKEN = re.compile(
    r"""(?P<space>\s+)
    | (?P<name>[^\W\d]\w*)
    | (?P<number>\d\w*(?:\.\d\w*)?(?:(?<=[eE])[+-]\d\w*)?)
    | (?P<text>"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*')
    | (?P<operator>===|!==|\.\.\.|&&|\|\||\?\?|\?\.|\*\*|<<|>>|:=|->|=>|==|!=|<=|>=|//|.)
    """,
    re.VERBOSE | re.DOTALL,
)
_JSON_NUMBER = re.compile(r"(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?", re.ASCII)
_ESCAPE = re.compile(r"\\(u[0-9a-fA-F]{4}|.)", re.DOTALL)
_ESCAPED = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"} | {c: c for c in "\"'\\/"}
_CLOSING = {"(": ")", "[": "]", "{": "}"}
_MOST_SIGNS = 20
_NESTED = (
    "this ${ stands inside another: is the } of that one missing? Inside, write names alone: "
    "input.name"
)


@dataclass
class Scan:
    """`masked` has the length of the source and is plain ASCII on one line: blanks for white
    space, `x` inside texts, stand-ins for words that Python would refuse. `texts` holds the
    texts by where they begin. `end` is where the expression ends, `error` its first mistake.

    Not `closed` is an expression in a template whose brace is missing, which matters more than
    the mistakes in whatever follows; unless a wrong bracket is `mismatched` with that brace.
    """

    start: int
    end: int = 0
    masked: str = ""
    texts: dict[int, str] = field(default_factory=dict)
    error: ExpressionError | None = None
    closed: bool = False
    mismatched: bool = False

    def refuse(self, message: str, offset: int) -> None:
        if self.error is None:
            self.error = ExpressionError(message, offset=offset - self.start)


class _Scanner:
    def __init__(self, source: str, start: int, in_template: bool) -> None:
        self.source = source
        self.in_template = in_template
        self.scan = Scan(start)
        self.open: list[tuple[str, int]] = []
        self.pieces: list[str] = []
        self.before = ""
        self.before_kind = ""
        self.signs = 0

    def run(self) -> Scan:
        at = self.scan.start
        while at < len(self.source):
            match = _TOKEN.match(self.source, at)
            assert match is not None
            if self._ends(match):
                self.scan.closed = True
                break
            self._take(match)
            at = match.end()
        self.scan.end = at
        self._check_end()
        self.scan.masked = "".join(self.pieces)
        return self.scan

    def _ends(self, match: re.Match[str]) -> bool:
        if not self.in_template or match.group() != "}":
            return False
        return all(bracket != "{" for bracket, _ in self.open)

    def _check_end(self) -> None:
        if self.open:
            bracket, offset = self.open[-1]
            self.scan.refuse(f"{bracket!r} is never closed by {_CLOSING[bracket]!r}", offset)
        if self.scan.end - self.scan.start > MAX_SOURCE:
            self.scan.refuse(
                f"an expression may have {MAX_SOURCE:,} characters, this one has "
                f"{self.scan.end - self.scan.start:,}",
                self.scan.start,
            )

    def _take(self, match: re.Match[str]) -> None:
        kind, text, at = str(match.lastgroup), match.group(), match.start()
        if kind == "space":
            self.pieces.append(" " * len(text))
            return
        self.pieces.append(getattr(self, "_" + kind)(text, at))
        self._count_signs(text, at)
        self.before, self.before_kind = text, kind

    def _count_signs(self, text: str, at: int) -> None:
        self.signs = self.signs + 1 if text in ("-", "+", "not") else 0
        if self.signs > _MOST_SIGNS:
            self.scan.refuse(f"more than {_MOST_SIGNS} signs in a row", at)

    def _name(self, text: str, at: int) -> str:
        behind = self.source[at + len(text) : at + len(text) + 1]
        if behind in ("'", '"') and text not in LANGUAGE_WORDS:
            self.scan.refuse(
                f"a text is written \"…\" or '…', without {text!r} before it; join with +, "
                "or put ${…} into the text around",
                at,
            )
        elif text.startswith("__"):
            self.scan.refuse(f'names with __ are not read; as a key write ["{text}"]', at)
        elif self.before != "." and (refusal := refused_word(text)):
            self.scan.refuse(refusal, at)
        ascii_name = "".join(letter if letter.isascii() else "_" for letter in text)
        if self.before == "." and keyword.iskeyword(ascii_name):
            return ascii_name[:-1] + "_"
        return ascii_name

    def _number(self, text: str, at: int) -> str:
        if self.before == ".":
            self.scan.refuse(
                f"a position stands in brackets: [{text}]; a number begins with a digit: 0.{text}",
                at,
            )
        elif not _JSON_NUMBER.fullmatch(text):
            self.scan.refuse(refused_number(text), at)
        elif self.source[at + len(text) : at + len(text) + 1] == ".":
            self.scan.refuse(f"a number has digits after its point: {text}.0", at)
        return text if text.isascii() else "0" * len(text)

    def _text(self, text: str, at: int) -> str:
        if self.before_kind == "text":
            self.scan.refuse("two texts in a row; join them with +", at)
        try:
            self.scan.texts[at - self.scan.start] = _decode(text[1:-1])
        except ExpressionError as error:
            self.scan.refuse(error.message, at)
        return '"' + "x" * (len(text) - 2) + '"'

    def _operator(self, text: str, at: int) -> str:
        nested = self.in_template and self.source.startswith("${", at)
        refusal = _NESTED if nested else refused_operator(text)
        if refusal:
            self.scan.refuse(refusal, at)
        elif text in _CLOSING:
            self.open.append((text, at))
            if len(self.open) > MAX_BRACKETS:
                self.scan.refuse(f"more than {MAX_BRACKETS} brackets inside each other", at)
        elif text in _CLOSING.values():
            self._close(text, at)
        return text

    def _close(self, text: str, at: int) -> None:
        if not self.open:
            self.scan.refuse(f"{text!r} closes nothing", at)
            return
        bracket, offset = self.open.pop()
        if _CLOSING[bracket] != text:
            self.scan.mismatched = True
            self.scan.refuse(f"{bracket!r} is closed by {text!r}", offset)


def _decode(text: str) -> str:
    """A text as JSON has it, with \\' as well."""
    if "\\" in text:
        text = _ESCAPE.sub(_unescape, text)
    if any("\ud800" <= letter <= "\udfff" for letter in text):
        try:
            text = text.encode("utf-16", "surrogatepass").decode("utf-16")
        except UnicodeError as error:
            raise ExpressionError(
                "\\u gives half a character; the other half must follow"
            ) from error
    return text


def _unescape(match: re.Match[str]) -> str:
    code = match[1]
    if len(code) > 1:
        return chr(int(code[1:], 16))
    if code not in _ESCAPED:
        shown = code if code.isprintable() else ""
        raise ExpressionError(
            f"\\{shown} means nothing in a text; for a backslash write \\\\{shown}"
        )
    return _ESCAPED[code]


def scan(source: str, start: int = 0, *, in_template: bool = False) -> Scan:
    """Look through an expression that begins at `start`: to the end of the source, or in a
    template to the brace that closes it. Never raises for what the text holds."""
    return _Scanner(source, start, in_template).run()
