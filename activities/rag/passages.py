"""Cutting a text into passages that overlap a little, each with its place in the text."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

__all__ = ["Passage", "passages_of"]

_HEADING: Final = re.compile(r"\n(?=#{1,6} )")
_PARAGRAPH: Final = re.compile(r"\n[ \t\r]*\n\s*")
_LINE: Final = re.compile(r"\n")
_SENTENCE: Final = re.compile(r"[.!?…][\"'»”’)\]]*\s+|[。！？]")
_WORD: Final = re.compile(r"\s+")
_ENDS: Final = (_HEADING, _PARAGRAPH, _LINE, _SENTENCE, _WORD)
"""Where a passage may end, the best first."""
_BEGINNINGS: Final = (_SENTENCE, _LINE, _WORD)
"""Where one may begin within the one before."""


@dataclass(frozen=True, kw_only=True)
class Passage:
    """`text` is what stands from the character `start` of the whole text up to `end`."""

    text: str
    start: int
    end: int


def passages_of(text: str, size: int, overlap: int) -> Iterator[Passage]:
    """Passages of up to `size` characters, which leave out nothing but space between them.

    A passage ends before a heading, else with a paragraph, a line, a sentence or a word, as far
    as one ends in its second half. The next begins up to `overlap` characters before that end,
    but not before a heading.
    """
    start = 0
    while start < len(text):
        end = _end(text, start, size)
        passage = _stripped(text, start, end)
        if passage is not None:
            yield passage
        if end == len(text):
            return
        start = _next_start(text, start, end, overlap)


def _end(text: str, start: int, size: int) -> int:
    latest = start + size
    if latest >= len(text):
        return len(text)
    for border in _ENDS:
        found = [match.end() for match in border.finditer(text, start + size // 2, latest + 1)]
        if found and found[-1] <= latest:
            return found[-1]
        if len(found) > 1:
            return found[-2]
    return latest


def _next_start(text: str, start: int, end: int, overlap: int) -> int:
    if text.startswith("#", end) or not overlap:
        return end
    earliest = max(end - overlap, start + 1)
    for border in _BEGINNINGS:
        found = border.search(text, earliest - 1, end)
        if found and earliest <= found.end() < end:
            return found.end()
    return end


def _stripped(text: str, start: int, end: int) -> Passage | None:
    piece = text[start:end]
    stripped = piece.strip()
    if not stripped:
        return None
    start += len(piece) - len(piece.lstrip())
    return Passage(text=stripped, start=start, end=start + len(stripped))
