"""What is to be put into a store."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from claimcheck.keys import digest_of
from claimcheck.stores.contract import CHUNK
from claimcheck.stores.threads import allow, check_time

__all__ = ["Source", "SourceFailed"]


class SourceFailed(Exception):
    """The file cannot be read, which is not the fault of the store: `error` says why."""

    def __init__(self, error: OSError | ValueError) -> None:
        super().__init__(str(error))
        self.error = error


class Source:
    """Bytes or a file: its hash and size, and its bytes as often as they are asked for.

    Raises `SourceFailed`, also if the file is no longer the one that was hashed.
    """

    def __init__(self, data: bytes | Path) -> None:
        self._data = data
        if isinstance(data, Path):
            self.digest, self.size = _measure(data)
        else:
            self.digest, self.size = digest_of(data), len(data)

    def pieces(self, most: int = CHUNK) -> Iterator[bytes]:
        """All the bytes, in pieces of exactly `most` but for the last; none of no bytes."""
        if isinstance(self._data, Path):
            yield from self._read(self._data, most)
            return
        for start in range(0, self.size, most):
            check_time()
            yield self._data[start : start + most]

    def whole(self) -> bytes:
        """All the bytes at once."""
        return b"".join(self.pieces(max(self.size, 1)))

    def _read(self, path: Path, most: int) -> Iterator[bytes]:
        # The last piece is kept back until the hash is known to be right: whoever writes the
        # pieces has never got all of a file that was changed.
        seen = hashlib.sha256()
        held = b""
        for piece in _pieces(path, most):
            if held:
                yield held
            seen.update(piece)
            held = piece
        if seen.hexdigest() != self.digest:
            raise SourceFailed(ValueError(f"{path} was changed while it was being put"))
        if held:
            yield held


def _measure(path: Path) -> tuple[str, int]:
    seen, size = hashlib.sha256(), 0
    for piece in _pieces(path, CHUNK):
        allow(len(piece))
        seen.update(piece)
        size += len(piece)
    return seen.hexdigest(), size


def _pieces(path: Path, most: int) -> Iterator[bytes]:
    with _open(path) as file:
        while True:
            check_time()
            try:
                piece = file.read(most)
            except OSError as error:
                raise SourceFailed(error) from error
            if not piece:
                return
            yield piece


def _open(path: Path) -> BinaryIO:
    try:
        return path.open("rb")
    except OSError as error:
        raise SourceFailed(error) from error
