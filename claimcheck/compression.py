"""Zstandard, where it helps, and never more of it unpacked than was announced."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Final

from claimcheck.errors import BlobDamaged

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

__all__ = ["smaller", "unpacked", "zstd"]

# Measured on JSON, code and machine code: level 3 is slower by up to a third and saves an eighth
# at most.
_LEVEL: Final = 1

# What shrinks by less than a tenth is not worth unpacking at each read.
_WORTH: Final = 0.9

# 1 MiB, the largest frame: a packed text asking for more memory is none of ours.
_OPTIONS: Final[Mapping[int, int]] = {zstd.DecompressionParameter.window_log_max: 20}


def smaller(data: memoryview) -> bytes | None:
    """The data packed; None where that gains too little. Trying costs next to nothing."""
    packed = zstd.compress(data, _LEVEL)
    return packed if len(packed) <= len(data) * _WORTH else None


def unpacked(packed: bytes | memoryview, *, size: int) -> bytes:
    """What was packed, which is of exactly that size; else `BlobDamaged`, with no more memory
    taken than for `size`."""
    unpacker = zstd.ZstdDecompressor(options=_OPTIONS)
    try:
        data = unpacker.decompress(packed, size + 1)
    except zstd.ZstdError:
        raise BlobDamaged("a part of the blob cannot be unpacked") from None
    if len(data) != size or not unpacker.eof or unpacker.unused_data:
        raise BlobDamaged("a part of the blob unpacks to another size than it says")
    return data
