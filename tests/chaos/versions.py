"""Another version of the product, to run beside this one."""

from __future__ import annotations

import subprocess
from pathlib import Path

from tests.server.support import ROOT

__all__ = ["unpacked", "version_before"]

_RECORDED = "tests/replay/histories"


def version_before() -> str | None:
    """The commit that recorded the newest set of histories, which is what a release does.

    None where there is no repository, or not enough of it.
    """
    newest = max((ROOT / _RECORDED).iterdir(), key=lambda path: path.name).name
    asked = ["log", "-1", "--diff-filter=A", "--format=%H", "--", f"{_RECORDED}/{newest}"]
    done = subprocess.run(
        ["git", *asked], cwd=ROOT, capture_output=True, text=True, check=False, timeout=30
    )
    return done.stdout.strip() or None


def unpacked(commit: str, folder: Path) -> Path:
    """The files of a commit, in the folder."""
    folder.mkdir(parents=True)
    packed = subprocess.run(
        ["git", "archive", commit], cwd=ROOT, capture_output=True, check=True, timeout=60
    )
    subprocess.run(["tar", "-x", "-C", str(folder)], input=packed.stdout, check=True, timeout=60)
    return folder
