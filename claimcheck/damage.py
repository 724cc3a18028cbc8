"""Telling of damage: which blob it is, and what can be done."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from claimcheck.errors import BlobDamaged

__all__ = ["told_of"]


@contextmanager
def told_of(key: str) -> Iterator[None]:
    """Damage found inside is told with the name of the blob, unless it has told it itself."""
    try:
        yield
    except BlobDamaged as error:
        if key in str(error):
            raise
        raise BlobDamaged(
            f"blob {key}: {error}; put it back from a backup, or run again what has made it"
        ) from error
