"""A JSON text (`"…"`) decoded piece by piece, however long it is."""

from __future__ import annotations

import codecs
import re
from collections.abc import AsyncIterator

from pydantic_core import from_json

__all__ = ["begins_text", "decoded_text"]

_SPACE = b" \t\r\n"
_LONGEST_ESCAPE = len(r"\ud83d\ude00")

# Characters and whole escapes up to the quote at the end; two escapes that make one character
# are not taken apart.
_WHOLE = re.compile(
    r'(?:[^"\\]++|\\[^u]|\\u(?![dD][89abAB])[0-9a-fA-F]{4}'
    r"|\\u[dD][89abAB][0-9a-fA-F]{2}\\u[0-9a-fA-F]{4})*+"
)


def begins_text(start: bytes) -> bool | None:
    """Whether JSON that begins so is a text; None if that is not to be seen yet."""
    begun = start.lstrip(_SPACE)
    return begun.startswith(b'"') if begun else None


async def decoded_text(pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """The text in UTF-8, in pieces as they come. Raises `ValueError` if it is no JSON text."""
    text = _Text()
    async for piece in pieces:
        if decoded := text.add(piece):
            yield decoded
    text.end()


class _Text:
    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")()
        self._left = ""
        self._begun = False

    def add(self, piece: bytes) -> bytes:
        self._left += self._decoder.decode(piece)
        if not self._begun:
            self._left = self._left.lstrip(_SPACE.decode())
            if not self._left:
                return b""
            if self._left[0] != '"':
                raise ValueError("it is no JSON text")
            self._left, self._begun = self._left[1:], True
        return self._whole()

    def _whole(self) -> bytes:
        found = _WHOLE.match(self._left)
        assert found is not None, "it matches nothing as well"
        self._left = self._left[found.end() :]
        if self._left[:1] == '"':
            if self._left[1:].strip(_SPACE.decode()):
                raise ValueError("something follows the JSON text")
        elif len(self._left) >= _LONGEST_ESCAPE:
            raise ValueError("an escape in the JSON text is none")
        decoded: str = from_json(f'"{found[0]}"')
        return decoded.encode()

    def end(self) -> None:
        self._decoder.decode(b"", final=True)
        if self._left[:1] != '"':
            raise ValueError("the end of the JSON text is missing")
