"""The threat model names tests that are there."""

from __future__ import annotations

import re

from tests.project.markdown import ROOT

PAGE = ROOT / "docs" / "explanation" / "threat-model.md"


def test_every_defence_names_tests_that_are_there() -> None:
    defences = PAGE.read_text(encoding="utf-8").partition("## What is defended")[2].partition("## ")
    rows = [row for row in defences[0].splitlines() if row.startswith("| ")][1:]
    assert len(rows) > 10
    for row in rows:
        named = re.findall(r"`([\w/]+\.py)`", row.split("|")[3])
        assert named, row
        assert [name for name in named if not (ROOT / "tests" / name).is_file()] == []
