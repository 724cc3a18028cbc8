"""A body of several parts (`multipart/form-data`), whose files are never held."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Iterable
from contextlib import aclosing
from dataclasses import dataclass

from activities.blobs import Blob, blob_of
from activities.http.fields import text_of
from activities.http.parts import Part

__all__ = ["Multipart", "multipart"]

_ESCAPES = str.maketrans({'"': "%22", "\r": "%0D", "\n": "%0A"})
"""As browsers write names (the HTML standard, 4.10.21.8)."""


@dataclass(frozen=True, kw_only=True)
class _Section:
    head: bytes
    content: Blob


class Multipart:
    """Is read anew each time it is sent: once more after a redirect."""

    def __init__(self, sections: list[_Section], boundary: str) -> None:
        self._sections = sections
        self._end = f"--{boundary}--\r\n".encode()
        self.content_type = f"multipart/form-data; boundary={boundary}"

    async def size(self) -> int:
        """How many bytes it gives."""
        inside = sum([await each.content.size() for each in self._sections])
        heads = sum(len(each.head) + len(b"\r\n") for each in self._sections)
        return inside + heads + len(self._end)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for section in self._sections:
            yield section.head
            async with aclosing(section.content.stream()) as pieces:
                async for piece in pieces:
                    yield piece
            yield b"\r\n"
        yield self._end


async def multipart(parts: Iterable[Part]) -> Multipart:
    """The body for these parts, in their order."""
    boundary = secrets.token_hex(16)  # nobody can have written it into a file
    return Multipart([await _section(part, boundary) for part in parts], boundary)


async def _section(part: Part, boundary: str) -> _Section:
    lines = [f"--{boundary}", f'Content-Disposition: form-data; name="{_quoted(part.name)}"']
    kind = part.content_type
    if part.file is not None:
        lines[-1] += f'; filename="{_quoted(part.filename or part.name)}"'
        kind = kind or await part.file.content_type()
    if kind is not None:
        lines.append(f"Content-Type: {kind}")
    head = "\r\n".join([*lines, "", ""]).encode()
    if part.file is not None:
        return _Section(head=head, content=part.file)
    assert part.value is not None, "a part has a value or a file"
    return _Section(head=head, content=blob_of(text_of(part.value)))


def _quoted(name: str) -> str:
    return name.translate(_ESCAPES)
