"""FR4xx: expressions and what they refer to."""

from __future__ import annotations

from flowspec.codes.declaration import ErrorCode

__all__ = ["CODES"]

CODES: tuple[ErrorCode, ...] = ()
