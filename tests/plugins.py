"""Packages that declare node types, installed where a test says."""

from __future__ import annotations

import shutil
import subprocess
import sys
import zipfile
from collections.abc import Mapping
from pathlib import Path
from textwrap import dedent

__all__ = ["CALENDAR", "SOUND", "install", "install_calendar"]

CALENDAR = Path(__file__).parents[1] / "examples" / "plugin_calendar"

_BUILD = "import flit_core.buildapi as flit, sys; print(flit.build_wheel(sys.argv[1]))"


def install_calendar(site: Path) -> None:
    """The example's package, built by its own build backend and unpacked as installers do it."""
    work = site.with_name(f"{site.name}-build")
    shutil.copytree(CALENDAR, work, ignore=shutil.ignore_patterns("__pycache__"))
    built = subprocess.run(
        [sys.executable, "-c", _BUILD, str(work)],
        cwd=work,
        capture_output=True,
        text=True,
        check=True,
    )
    with zipfile.ZipFile(work / built.stdout.strip()) as wheel:
        wheel.extractall(site)


SOUND = """\
from flowrunner import Params, declare

class Nothing(Params): ...

async def hello(params, attempt):
    return {"by": attempt.node, "from": "NAME"}

def made(name, **more):
    fields = {
        "summary": "Say hello",
        "description": "",
        "example": f"flow: hello\\nnodes:\\n  a: {{type: {name}}}\\n",
        "params": Nothing,
        "result": dict[str, str],
        "handler": hello,
    }
    return declare(name=name, **{**fields, **more})
"""
"""Makes sound node types: `made("acme.hello")`."""


def install(site: Path, package: str, code: str, *, value: str | None = None) -> None:
    """A package of one module, whose entry point names `NODE_TYPES` in it, or `value`."""
    module = package.replace("-", "_")
    named = value or f"{module}:NODE_TYPES"
    site.mkdir(parents=True, exist_ok=True)
    (site / f"{module}.py").write_text(SOUND.replace("NAME", package) + dedent(code))
    _write(
        site / f"{module}-1.0.dist-info",
        {
            "METADATA": f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n",
            "entry_points.txt": f"[flowrunner.node_types]\nmain = {named}\n",
        },
    )


def _write(folder: Path, files: Mapping[str, str]) -> None:
    folder.mkdir()
    for name, text in files.items():
        (folder / name).write_text(text)
