"""What the value of a secret may be, wherever it comes from."""

from __future__ import annotations

import re
from typing import Final

from flowspec.names import SECRET_NAME
from vault.errors import ValueUnfit

__all__ = ["LEAST_LENGTH", "LONGEST", "is_secret_name", "read_value"]

LEAST_LENGTH: Final = 4
"""A shorter value turns up everywhere by chance, so it cannot be kept out of results."""

LONGEST: Final = 64 * 1024
"""In bytes; certificates and keys have a few thousand."""

_NAME: Final = re.compile(SECRET_NAME)


def is_secret_name(text: str) -> bool:
    """Whether a flow can name a secret so."""
    return _NAME.fullmatch(text) is not None


def read_value(raw: bytes) -> str:
    """The value as it stands in a file or comes through a pipe: without one line end at its end.

    It may be empty, or shorter than `LEAST_LENGTH`. Raises `ValueUnfit`.
    """
    raw = raw[:-1] if raw.endswith(b"\n") else raw
    raw = raw[:-1] if raw.endswith(b"\r") else raw
    if len(raw) > LONGEST:
        raise ValueUnfit(f"has more than {LONGEST:,} bytes")
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        # Not from the error: it holds the bytes.
        raise ValueUnfit("is not text in UTF-8") from None
