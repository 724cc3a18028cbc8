"""Paths that several processes have to agree on."""

from __future__ import annotations

from pathlib import Path

from service.settings.environment import ValueRefused

__all__ = ["absolute"]


def absolute(path: Path, what: str = "folder") -> Path:
    """The path, for a field's validator; `what` says what is there."""
    if path.is_absolute():
        return path
    raise ValueRefused(
        f"found {str(path)!r}, expected an absolute path, so that every process finds the same "
        f"{what}; did you mean {Path.cwd() / path.expanduser()}?"
    )
