"""Between the pieces of a large value and libraries that read and write files in a thread."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
from contextlib import aclosing
from typing import BinaryIO, Final, TypeVar

from activities.blobs import Blob
from activities.errors import NodeFailed
from flowspec.catalogue import ErrorType

__all__ = ["CONTENT_TOO_LARGE", "charset_of", "made_aside", "pieces_of", "read_aside"]

T = TypeVar("T")

_PIECE: Final = 1_000_000

CONTENT_TOO_LARGE = ErrorType(
    name="ContentTooLarge",
    permanent=True,
    meaning="There is more of it than this node type takes or makes; the message says how much",
)


async def read_aside(blob: Blob, work: Callable[[io.BufferedReader], T], *, most: int) -> T:
    """What the work gives, done in a thread over the blob's bytes as a file, read as they come.

    What the work has left is read too, for only then it is known that the bytes are the right
    ones. Fails with `ContentTooLarge` if there are more than `most`. If this is cancelled, the
    thread's next read raises, and its end is waited for.
    """
    async with aclosing(blob.stream()) as pieces:
        file = _PulledFile(pieces, asyncio.get_running_loop(), most)

        def whole() -> T:
            buffered: io.BufferedReader = io.BufferedReader(file, _PIECE)
            with buffered:
                result = work(buffered)
                while buffered.read(_PIECE):
                    pass
            return result

        job = asyncio.ensure_future(asyncio.to_thread(whole))
        try:
            return await asyncio.shield(job)
        finally:
            await file.stop()
            await asyncio.wait([job])


async def made_aside(pieces: Iterator[bytes]) -> AsyncIterator[bytes]:
    """The pieces, each made in a thread."""
    while piece := await asyncio.to_thread(next, pieces, b""):
        yield piece


def pieces_of(file: BinaryIO) -> Iterator[bytes]:
    """What is in the file, from where it stands."""
    while piece := file.read(_PIECE):
        yield piece


async def charset_of(blob: Blob) -> str | None:
    """The encoding of a text, as far as its content type names one."""
    from email.message import EmailMessage

    headers = EmailMessage()
    headers["content-type"] = await blob.content_type()
    return headers.get_content_charset()


class _PulledFile(io.RawIOBase):
    """For a thread to read from, while the pieces come from the event loop."""

    def __init__(
        self, pieces: AsyncGenerator[bytes, None], loop: asyncio.AbstractEventLoop, most: int
    ) -> None:
        self._pieces = pieces
        self._loop = loop
        self._most = most
        self._left = memoryview(b"")
        self._seen = 0
        self._pulling: asyncio.Task[bytes] | None = None
        self._is_stopped = False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        if not self._left:
            piece = asyncio.run_coroutine_threadsafe(self._pull(), self._loop).result()
            self._count(piece)
            self._left = memoryview(piece)
        size = min(len(buffer), len(self._left))
        buffer[:size] = self._left[:size]
        self._left = self._left[size:]
        return size

    async def stop(self) -> None:
        """Give nothing more; returns when nothing is being asked for."""
        self._is_stopped = True
        if self._pulling is not None and not self._pulling.done():
            self._pulling.cancel()
            await asyncio.wait([self._pulling])

    async def _pull(self) -> bytes:
        if self._is_stopped:
            raise asyncio.CancelledError
        self._pulling = asyncio.current_task()
        async for piece in self._pieces:
            if piece:
                return piece
        return b""

    def _count(self, piece: bytes) -> None:
        self._seen += len(piece)
        if self._seen > self._most:
            raise NodeFailed(CONTENT_TOO_LARGE, f"the content has more than {self._most:,} bytes")
