"""Amounts of bytes as people write them: `51200`, `50KB`, `1MB`."""

from __future__ import annotations

import re
from decimal import Decimal

__all__ = ["format_size", "nearest_size", "parse_size"]

_UNITS = {"GB": 1024**3, "MB": 1024**2, "KB": 1024, "B": 1}
_SIZE = re.compile(r"([0-9]{1,15})(GB|MB|KB|B)?")
_MEANT = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,9})?)\s*([KMG]?)(?:I?B(?:YTES?)?)?", re.IGNORECASE)


def parse_size(text: str) -> int:
    """The number of bytes; 1 KB is 1,024. Raises `ValueError`."""
    match = _SIZE.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is not a size")
    return int(match[1]) * _UNITS[match[2] or "B"]


def nearest_size(text: str) -> str | None:
    """What `50k`, `1.5 MB` or `50KiB` was meant to be; None if nobody can tell, or it is right."""
    match = _MEANT.fullmatch(text.strip())
    if match is None or _SIZE.fullmatch(text):
        return None
    return _exact(int(Decimal(match[1]) * _UNITS[f"{match[2].upper()}B"]))


def _exact(size: int) -> str:
    unit = next((unit for unit, length in _UNITS.items() if size and size % length == 0), "B")
    return f"{size // _UNITS[unit]}{unit}" if unit != "B" else str(size)


def format_size(size: int) -> str:
    """For people, rounded: `512 B`, `3.4 MB`."""
    unit = next((unit for unit, length in _UNITS.items() if size >= length), "B")
    return f"{size} B" if unit == "B" else f"{size / _UNITS[unit]:.1f} {unit}"
