"""The reference of the settings is what the settings say of themselves, and nobody names others."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from service.settings import (
    DEBUG_VARIABLE,
    PREFIXES,
    SECRET_PREFIX,
    TEMPORAL_VARIABLES,
    ClaimCheckSettings,
    CodecServerSettings,
    DevServerSettings,
    SecretSettings,
    WorkerSettings,
    setting_fields,
)
from service.settings.reference import settings_page

ROOT = Path(__file__).parents[2]
PAGE = "docs/reference/settings.md"

_OURS = (*PREFIXES, "TEMPORAL_", "R2_", "FLOWS_")
_NAME = re.compile(rf"(?<![A-Z0-9_$])(?:{'|'.join(_OURS)})[A-Z0-9_]*[A-Z0-9]")
"""`BLOB_STORAGE_*` and `FLOWRUNNER_SECRET_<NAME>` are whole families; their names end before."""

_OF_COMPOSE = {"TEMPORAL_PORT", "TEMPORAL_UI_PORT"}
"""What docker-compose.yml puts in where it is read, and no process of ours sees."""

_OF_CODEC_CLIENTS = {
    "TEMPORAL_CODEC_ENDPOINT",
    "TEMPORAL_CODEC_AUTH",
    "TEMPORAL_CODEC_INCLUDE_CREDENTIALS",
}
"""Variables of Temporal's UI and CLI, which say where the codec server is."""


def _writings() -> list[Path]:
    """Everything that tells people which variables to set."""
    tops = ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", "docker-compose.yml", ".env.example"]
    found = [ROOT / name for name in (*tops, "Dockerfile", "Makefile")]
    for folder in ("docs", "examples", "docker", "scripts", ".ci"):
        found += [path for path in sorted((ROOT / folder).rglob("*")) if path.is_file()]
    return [path for path in found if path.suffix not in (".png", ".svg", ".pyc")]


def _is_read(name: str) -> bool:
    temporal = [one.name.removesuffix("*") for one in TEMPORAL_VARIABLES]
    others = [DEBUG_VARIABLE, *_OF_COMPOSE, *_OF_CODEC_CLIENTS]
    known = [*(name for name, _ in setting_fields()), *temporal, *others]
    families = [*(one for one in temporal if one.endswith("_")), SECRET_PREFIX]
    whole = (*_OURS, *families, "TEMPORAL_TLS_")
    return name in known or name.startswith(tuple(families)) or f"{name}_" in whole


def test_the_page_is_up_to_date(project_root: Path) -> None:
    kept = (project_root / PAGE).read_text(encoding="utf-8")
    renew = f"renew it: .venv/bin/python -m service.settings.reference > {PAGE}"
    assert kept == settings_page(), renew


def test_every_variable_is_on_the_page() -> None:
    page = settings_page()
    names = [name for name, _ in setting_fields()] + [one.name for one in TEMPORAL_VARIABLES]
    assert [name for name in names if f"| `{name}` |" not in page] == []


@pytest.mark.parametrize("path", _writings(), ids=lambda path: str(path.relative_to(ROOT)))
def test_every_variable_that_is_told_of_is_read(path: Path) -> None:
    names = _NAME.findall(path.read_text(encoding="utf-8"))
    assert [name for name in dict.fromkeys(names) if not _is_read(name)] == []


def test_the_search_for_variables_sees_those_that_nobody_reads() -> None:
    text = "`BLOB_STORAGE_BUKET`, BLOB_STORAGE_*, FLOWRUNNER_SECRET_<NAME>, export R2_ACCOUNT=1"
    assert [name for name in _NAME.findall(text) if not _is_read(name)] == [
        "BLOB_STORAGE_BUKET",
        "R2_ACCOUNT",
    ]


def test_every_setting_is_used_by_what_runs() -> None:
    code = "\n".join(path.read_text(encoding="utf-8") for path in _product())
    classes = (
        *(WorkerSettings, SecretSettings),
        *(ClaimCheckSettings, CodecServerSettings, DevServerSettings),
    )
    fields = [name for settings in classes for name in settings.model_fields]
    assert [name for name in fields if not re.search(rf"\.{name}\b", code)] == []


def _product() -> list[Path]:
    """Whatever reads settings, that of them which makes other values of them included."""
    found = [path for path in (ROOT / "service").rglob("*.py") if "settings" not in path.parts]
    more = (ROOT / "service" / "settings" / name for name in ("claimcheck.py", "secrets.py"))
    return [*found, ROOT / "worker.py", ROOT / "worker_settings.py", *more]
