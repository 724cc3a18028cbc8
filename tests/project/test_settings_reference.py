"""The reference of the settings is what the settings say of themselves."""

from __future__ import annotations

from pathlib import Path

from service.settings import TEMPORAL_VARIABLES, setting_fields
from service.settings.reference import settings_page

PAGE = "docs/reference/settings.md"


def test_the_page_is_up_to_date(project_root: Path) -> None:
    kept = (project_root / PAGE).read_text(encoding="utf-8")
    renew = f"renew it: .venv/bin/python -m service.settings.reference > {PAGE}"
    assert kept == settings_page(), renew


def test_every_variable_is_on_the_page() -> None:
    page = settings_page()
    names = [name for name, _ in setting_fields()] + [one.name for one in TEMPORAL_VARIABLES]
    assert [name for name in names if f"| `{name}` |" not in page] == []
