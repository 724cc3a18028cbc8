"""The reference of the command is what the command says of itself."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

PAGE = "docs/reference/cli.md"


def test_the_page_is_up_to_date(project_root: Path) -> None:
    made = subprocess.run(
        [sys.executable, "-m", "service.cli.reference"],
        cwd=project_root,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    kept = (project_root / PAGE).read_text(encoding="utf-8")
    assert kept == made, f"renew it: .venv/bin/python -m service.cli.reference > {PAGE}"


def test_every_command_that_others_script_against_is_there(project_root: Path) -> None:
    page = (project_root / PAGE).read_text(encoding="utf-8")
    names = "dev worker validate graph schema nodes run start status list logs result signal"
    for name in [*names.split(), "approve", "cancel", "pause", "resume"]:
        assert f"\n## {name}\n" in page
