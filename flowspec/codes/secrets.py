"""FR6xx: secrets."""

from __future__ import annotations

from flowspec.codes.declaration import ErrorCode

__all__ = ["CODES"]

CODES: tuple[ErrorCode, ...] = ()
