"""What the operator lets flows run."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path

__all__ = ["ContainerOptions", "ShellOptions", "read_engine", "read_programs"]

_ENGINES = ("docker", "podman")
_IMAGE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/:@+-]{0,511}")


@dataclass(frozen=True, kw_only=True)
class ShellOptions:
    """The programs flows may run: where each is, by the names flows may call it."""

    programs: Mapping[str, Path] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class ContainerOptions:
    """The images flows may run, as patterns, and the program they are run with."""

    images: tuple[str, ...] = ()
    engine: Path | None = None
    bridge: bool = False

    def allows(self, image: str) -> bool:
        named = _IMAGE.fullmatch(image) is not None
        return named and any(fnmatchcase(image, pattern) for pattern in self.images)


def read_programs(given: Iterable[str]) -> dict[str, Path]:
    """Where they are now; raises ValueError for one that is not there."""
    found: dict[str, Path] = {}
    for name in given:
        path = _program(name)
        for called in (path.name, name, str(path)):
            if found.setdefault(called, path) != path:
                raise ValueError(f"{found[called]} and {path} have the same name")
    return found


def read_engine(given: str | None) -> Path | None:
    """The one that is given, else Docker or Podman if there is one; raises ValueError."""
    if given is not None:
        return _program(given)
    return next((Path(path) for name in _ENGINES if (path := shutil.which(name))), None)


def _program(name: str) -> Path:
    if "/" in name and not name.startswith("/"):
        raise ValueError(f"{name!r} is neither an absolute path nor a name on the PATH")
    path = shutil.which(name)
    if path is None:
        raise ValueError(f"there is no program {name!r}" + ("" if "/" in name else " on the PATH"))
    return Path(path)
