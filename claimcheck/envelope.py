"""What a stored blob is: a value in frames, each compressed and encrypted on its own.

    blob    header, frames
    header  cc 43 48 4b ("\\xccCHK"), version 1, length of the key's id or 0, the key's id
    frame   flags (1 last, 2 compressed), size of its part of the value, size of the body, body
    body    the part, compressed if that gains a tenth; with a key: nonce, encrypted text, tag

Numbers have one byte, sizes four, the highest first. Every frame but the last holds `FRAME` bytes
of the value, the last one 1 to `FRAME` of them, or none where the value is empty. So the bytes of
a blob follow from the value, the key and the context alone, however the value came; only another
release of zstd may compress to others. That is what lets blobs be named by their hash.

Being encrypted does not change this, for the nonce is drawn from nothing but the frame: it is 24
bytes of an HMAC-SHA256, under a key of its own, over everything the cipher is given: the very
bytes that are encrypted (after compression: one part compressed by two releases of zstd is two
texts), and before them what is authenticated only: the header, the context behind its length of
four bytes, the frame's number of eight bytes from 0 on, its head, and the tag of the frame before
it, which is zeros for the first. Two frames that differ in anything have other nonces, save for a
chance of 2⁻¹⁹²; two that are equal in everything are the same bytes, from which can be seen that
they are, and nothing else. A frame opens in its place alone: behind the frames it was written
behind, in that context. None can be dropped, moved or exchanged for one of another blob, and the
end cannot be cut off, for it is told by a flag of the last frame.

Sizes are not hidden, so neither is how well the parts of a value compress.

A blob without a key tells nothing of who wrote it: that is left to the hash in its name.
"""

from __future__ import annotations

import asyncio
import struct
from collections.abc import AsyncIterator, Iterator
from io import BytesIO
from typing import Final, NamedTuple

from claimcheck.ciphers import NONCE_SIZE, OVERHEAD, TAG_SIZE, Cipher, Data, fingerprint
from claimcheck.compression import smaller, unpacked
from claimcheck.errors import BlobDamaged, BlobTooLarge
from claimcheck.keyring import Key, KeyRing, find_key, id_in

__all__ = ["FRAME", "unwrap", "unwrap_stream", "wrap", "wrap_stream"]

FRAME: Final = 1024 * 1024
"""How much of a value is in a frame."""

_MAGIC: Final = b"\xccCHK"
_VERSION: Final = 1
_PREFIX: Final = struct.Struct(">4sBB")
_HEAD: Final = struct.Struct(">BII")
_LAST: Final = 1
_COMPRESSED: Final = 2

_CUT_OFF: Final = "the end of the blob is missing"
_MORE: Final = "there is something behind the end of the blob"


def wrap(data: bytes, *, context: str, keys: KeyRing | None) -> bytes:
    """What is stored for a value. The same for the same value, key and context.

    `context` says whose value it is; an encrypted blob opens only with the same one.
    Busy for about 2 ms with each megabyte: call it in a thread for large values.
    """
    writer = _Writer(context, keys)
    view = memoryview(data)
    blob = BytesIO()
    blob.write(writer.header)
    for start in range(0, max(len(view), 1), FRAME):
        blob.write(writer.frame(view[start : start + FRAME], last=start + FRAME >= len(view)))
    return blob.getvalue()


def unwrap(blob: bytes, *, context: str, keys: KeyRing | None, limit: int) -> bytes:
    """The value in a blob, which anybody may have written.

    Raises `BlobTooLarge`, before anything is unpacked, if the value has more than `limit` bytes;
    `KeyUnknown`; and `BlobDamaged` for all that `wrap` has not made with this key and context.
    """
    source = _Bytes(blob)
    prefix = bytes(source.take(_PREFIX.size))
    id = bytes(source.take(_id_length(prefix)))
    reader = _Reader(prefix, id, context, keys, limit)
    value = BytesIO()
    for head, body in list(_frames(source, reader)):
        value.write(reader.open(head, body))
    return value.getvalue()


async def wrap_stream(
    chunks: AsyncIterator[bytes], *, context: str, keys: KeyRing | None
) -> AsyncIterator[bytes]:
    """As `wrap`, to the same bytes, with no more than a few frames of the value in memory.

    The work is done in threads. `chunks` is the caller's to close.
    """
    writer = _Writer(context, keys)
    yield writer.header
    part = bytearray()
    async for chunk in chunks:
        rest = memoryview(chunk)
        while rest:
            if len(part) == FRAME:
                yield await asyncio.to_thread(writer.frame, part, last=False)
                part = bytearray()
            taken = rest[: FRAME - len(part)]
            part += taken
            rest = rest[len(taken) :]
    yield await asyncio.to_thread(writer.frame, part, last=True)


async def unwrap_stream(
    chunks: AsyncIterator[bytes], *, context: str, keys: KeyRing | None, limit: int | None = None
) -> AsyncIterator[bytes]:
    """As `unwrap`, in pieces of at most `FRAME`, with no more than a few of them in memory.

    `chunks` is read to its end before the last piece is given; until that one has come, nothing
    may be relied on. The work is done in threads. `chunks` is the caller's to close.
    """
    source = _Stream(chunks)
    prefix = await source.take(_PREFIX.size)
    id = await source.take(_id_length(prefix))
    reader = _Reader(prefix, id, context, keys, limit)
    head: _Head | None = None
    while head is None or not head.last:
        head = reader.head(await source.take(_HEAD.size))
        body = await source.take(head.stored)
        if head.last and not await source.ended():
            raise BlobDamaged(_MORE)
        yield bytes(await asyncio.to_thread(reader.open, head, memoryview(body)))


class _Head(NamedTuple):
    """What comes before the body of a frame."""

    raw: bytes
    last: bool
    compressed: bool
    size: int
    stored: int


class _Seal:
    """Encrypts or decrypts the frames of one blob, one after the other."""

    def __init__(self, key: Key, header: bytes, context: str) -> None:
        place = context.encode()
        self._key = key
        self._cipher = Cipher(key.secret, "frame")
        self._blob = header + len(place).to_bytes(4, "big") + place
        self._number = 0
        self._tag = bytes(TAG_SIZE)

    def close(self, head: bytes, text: Data) -> bytes:
        associated = self._associated(head)
        nonce = fingerprint(self._key.secret, associated, text)[:NONCE_SIZE]
        body = self._cipher.encrypt(text, nonce=nonce, associated=associated)
        self._follow(body)
        return body

    def open(self, head: bytes, body: memoryview) -> bytes:
        text = self._cipher.decrypt(body, associated=self._associated(head))
        if text is None:
            raise BlobDamaged(
                "the blob was changed after it had been encrypted, or with another key of the id "
                f"{self._key.id!r}, or it is in a place it was not written for"
            )
        self._follow(body)
        return text

    def _associated(self, head: bytes) -> bytes:
        return self._blob + self._number.to_bytes(8, "big") + head + self._tag

    def _follow(self, body: Data) -> None:
        self._number += 1
        self._tag = bytes(memoryview(body)[-TAG_SIZE:])


class _Writer:
    """Makes the frames of one blob, in their order."""

    def __init__(self, context: str, keys: KeyRing | None) -> None:
        key = keys.first if keys is not None and keys.encrypting else None
        id = key.id.encode() if key else b""
        self.header = _PREFIX.pack(_MAGIC, _VERSION, len(id)) + id
        self._seal = _Seal(key, self.header, context) if key else None

    def frame(self, part: Data, *, last: bool) -> bytes:
        view = memoryview(part)
        packed = smaller(view)
        text = view if packed is None else packed
        flags = (_LAST if last else 0) | (0 if packed is None else _COMPRESSED)
        if self._seal is None:
            return b"".join((_HEAD.pack(flags, len(view), len(text)), text))
        head = _HEAD.pack(flags, len(view), len(text) + OVERHEAD)
        return head + self._seal.close(head, text)


class _Reader:
    """Reads the frames of one blob: first all that is said of them, or each before it is opened."""

    def __init__(
        self, prefix: bytes, id: bytes, context: str, keys: KeyRing | None, limit: int | None
    ) -> None:
        self._seal = _Seal(_key(id, keys), prefix + id, context) if id else None
        self._limit = limit
        self._size = 0

    def head(self, raw: bytes) -> _Head:
        """Raises `BlobDamaged` if no blob can have such a frame here, and `BlobTooLarge`."""
        flags, size, stored = _HEAD.unpack(raw)
        last, compressed = bool(flags & _LAST), bool(flags & _COMPRESSED)
        text = stored - (OVERHEAD if self._seal else 0)
        fits = 0 <= text <= size if compressed else text == size
        empty = last and self._size == 0
        full = 0 < size <= FRAME if last else size == FRAME
        if flags & ~(_LAST | _COMPRESSED) or not fits or not (full or (empty and size == 0)):
            raise BlobDamaged("what the blob says of its parts cannot be")
        self._size += size
        if self._limit is not None and self._size > self._limit:
            raise BlobTooLarge(f"the value in the blob has more than {self._limit} bytes")
        return _Head(raw, last, compressed, size, stored)

    def open(self, head: _Head, body: memoryview) -> bytes | memoryview:
        text = body if self._seal is None else self._seal.open(head.raw, body)
        return unpacked(text, size=head.size) if head.compressed else text


def _id_length(prefix: bytes) -> int:
    """Raises `BlobDamaged` for what does not begin as a blob does."""
    magic, version, length = _PREFIX.unpack(prefix)
    if magic != _MAGIC:
        raise BlobDamaged("this is no blob of ours: it does not begin as one")
    if version != _VERSION:
        raise BlobDamaged(
            f"a blob of version {version} cannot be read here; was it written by a newer release?"
        )
    assert isinstance(length, int)
    return length


def _key(id: bytes, keys: KeyRing | None) -> Key:
    name = id_in(id)
    if name is None:
        raise BlobDamaged("the blob does not say with which key it was encrypted")
    return find_key(keys, name)


def _frames(source: _Bytes, reader: _Reader) -> Iterator[tuple[_Head, memoryview]]:
    while True:
        head = reader.head(bytes(source.take(_HEAD.size)))
        yield head, source.take(head.stored)
        if head.last:
            break
    if source.rest:
        raise BlobDamaged(_MORE)


class _Bytes:
    """A blob that is in memory."""

    def __init__(self, blob: bytes) -> None:
        self.rest = memoryview(blob)

    def take(self, size: int) -> memoryview:
        taken, self.rest = self.rest[:size], self.rest[size:]
        if len(taken) < size:
            raise BlobDamaged(_CUT_OFF)
        return taken


class _Stream:
    """A blob that comes in chunks of any size."""

    def __init__(self, chunks: AsyncIterator[bytes]) -> None:
        self._chunks = chunks
        self._rest = memoryview(b"")

    async def take(self, size: int) -> bytes:
        taken = bytearray()
        while len(taken) < size:
            if not await self._more():
                raise BlobDamaged(_CUT_OFF)
            piece = self._rest[: size - len(taken)]
            taken += piece
            self._rest = self._rest[len(piece) :]
        return bytes(taken)

    async def ended(self) -> bool:
        return not await self._more()

    async def _more(self) -> bool:
        """Whether there is anything left; it is at hand then."""
        while not self._rest:
            chunk = await anext(self._chunks, None)
            if chunk is None:
                return False
            self._rest = memoryview(chunk)
        return True
