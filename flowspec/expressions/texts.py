"""Texts with `${…}` in them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from typing import TypeAlias

from flowspec.expressions.budget import Budget
from flowspec.expressions.errors import ExpressionError
from flowspec.expressions.expression import Expression, compile_expression
from flowspec.expressions.reader import Reader
from flowspec.expressions.scanning import scan
from flowspec.expressions.values import Value, text_of

__all__ = ["Inset", "Text", "read_text"]

_CACHED = 4_096
_LONGEST_CACHED = 8_192


@dataclass(frozen=True, kw_only=True)
class Inset:
    """One `${…}`: where its inside begins, and the inside, or why it cannot be read."""

    start: int
    expression: Expression | None = None
    error: ExpressionError | None = None


Part: TypeAlias = str | Inset


@dataclass(frozen=True, kw_only=True)
class Text(Reader):
    """A text, cut at its `${…}`."""

    source: str
    parts: tuple[Part, ...]

    @property
    def literal(self) -> str | None:
        """What the text says, if nothing in it is evaluated."""
        if any(isinstance(part, Inset) for part in self.parts):
            return None
        return "".join(part for part in self.parts if isinstance(part, str))

    @cached_property
    def _whole(self) -> Inset | None:
        """The inset that is all of the text: it gives a value of any kind."""
        [first, *others] = self.parts or ("",)
        return first if isinstance(first, Inset) and not others else None

    def evaluate(self, scope: Mapping[str, Value], budget: Budget) -> Value:
        if self._whole is not None:
            return _value(self._whole, scope, budget)
        texts = [
            part if isinstance(part, str) else _inset_text(part, scope, budget)
            for part in self.parts
        ]
        budget.text(sum(map(len, texts)))
        return "".join(texts)


def _value(inset: Inset, scope: Mapping[str, Value], budget: Budget) -> Value:
    assert inset.expression is not None
    try:
        return inset.expression.evaluate(scope, budget)
    except ExpressionError as error:
        error.offset = inset.start + (error.offset or 0)
        raise


def _inset_text(inset: Inset, scope: Mapping[str, Value], budget: Budget) -> str:
    value = _value(inset, scope, budget)
    if value is None and inset.expression is not None:
        source = inset.expression.source.strip()
        raise ExpressionError(
            f'{source} is null, which has no text; write ${{default({source}, "")}}, '
            "or what else shall stand there",
            offset=inset.start,
        )
    try:
        return text_of(value, budget)
    except ExpressionError as error:
        error.offset = inset.start
        raise


def _read(text: str) -> Text:
    parts = tuple(_parts(text))
    references = tuple(
        replace(reference, offset=part.start + reference.offset)
        for part in parts
        if isinstance(part, Inset) and part.expression is not None
        for reference in part.expression.references
    )
    return Text(source=text, parts=parts, references=references)


_read_short = lru_cache(maxsize=_CACHED)(_read)


def read_text(source: str) -> Text:
    return (_read_short if len(source) <= _LONGEST_CACHED else _read)(source)


def _parts(text: str) -> Iterator[Part]:
    """Literal texts and insets in turns; `$${` is the literal `${`."""
    literal, at = "", 0
    while (found := text.find("${", at)) >= 0:
        literal += text[at:found]
        if literal.endswith("$") and found > at:
            literal, at = literal[:-1] + "${", found + 2
            continue
        if literal:
            yield literal
        literal = ""
        inset, at = _inset(text, found + 2)
        yield inset
    literal += text[at:]
    if literal:
        yield literal


def _inset(text: str, start: int) -> tuple[Inset, int]:
    """What stands from `start` to the closing brace, and where the text goes on."""
    found = scan(text, start, in_template=True)
    error = found.error
    if not found.closed and not found.mismatched:
        error = ExpressionError(
            "this ${ is never closed by }; for the characters ${ themselves write $${", offset=-2
        )
    if error is None:
        try:
            expression = compile_expression(text[start : found.end])
            return Inset(start=start, expression=expression), found.end + 1
        except ExpressionError as unreadable:
            error = unreadable
    error.offset = start + (error.offset or 0)
    return Inset(start=start, error=error), found.end + 1
