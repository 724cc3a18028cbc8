"""The Compose file, the Dockerfile and what they name: no engine is needed to see that it fits."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from service.settings import load_temporal_settings, load_worker_settings

ROOT = Path(__file__).parents[2]
COMPOSE: Any = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))
SERVICES: Mapping[str, Any] = COMPOSE["services"]
DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")
ONE_SHOT = ("temporal-schema", "temporal-register")


def test_it_follows_the_compose_specification() -> None:
    checker = str(Path(sys.executable).with_name("check-jsonschema"))
    done = subprocess.run(
        [checker, "--builtin-schema", "vendor.compose-spec", str(ROOT / "docker-compose.yml")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("name", SERVICES)
def test_every_image_is_pinned_to_a_tag(name: str) -> None:
    image, _, tag = SERVICES[name]["image"].rpartition(":")
    assert image
    assert re.search(r"\d", tag)


@pytest.mark.parametrize("name", [name for name in SERVICES if name not in ONE_SHOT])
def test_every_service_that_stays_has_a_health_check_and_restarts(name: str) -> None:
    assert SERVICES[name]["healthcheck"]["test"][0] == "CMD"
    assert SERVICES[name]["restart"] == "unless-stopped"


def test_every_port_is_on_loopback() -> None:
    ports = [port for each in SERVICES.values() for port in each.get("ports", [])]
    assert ports
    assert all(port.startswith("127.0.0.1:") for port in ports)


def test_secrets_come_from_the_environment_and_have_no_default() -> None:
    settings = [
        (name, value)
        for each in SERVICES.values()
        for name, value in each.get("environment", {}).items()
        if "PASSWORD" in name or name.endswith("PWD")
    ]
    assert settings
    assert [name for name, value in settings if not re.match(r"\$\{[A-Z0-9_]+:\?", value)] == []
    example = (ROOT / ".env.example").read_text(encoding="utf-8")
    wanted = set(re.findall(r"\$\{([A-Z0-9_]+):\?", (ROOT / "docker-compose.yml").read_text()))
    assert wanted == set(re.findall(r"^([A-Z0-9_]+)=", example, re.MULTILINE))


def test_every_path_it_mounts_is_here() -> None:
    mounts = [volume for each in SERVICES.values() for volume in each.get("volumes", [])]
    sources = [mount.rsplit(":", 2)[0] if mount.endswith(":ro") else mount for mount in mounts]
    local = [re.sub(r"\$\{\w+:-(.*?)\}", r"\1", source) for source in sources]
    named = [source.partition(":")[0] for source in local if not source.startswith(".")]
    assert [source for source in local if source.startswith(".") and not _exists(source)] == []
    assert set(named) == set(COMPOSE["volumes"])


def test_dependencies_name_services_and_wait_for_the_right_thing() -> None:
    for each in SERVICES.values():
        for name, wait in each.get("depends_on", {}).items():
            ended = "service_completed_successfully" if name in ONE_SHOT else "service_healthy"
            assert wait["condition"] == ended


def test_the_worker_accepts_its_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {**_dockerfile_settings(), **SERVICES["worker"]["environment"]}.items():
        monkeypatch.setenv(name, value)
    worker = load_worker_settings()
    assert worker.task_queue == "flows"
    assert str(worker.flows_dir) == "/flows"
    assert load_temporal_settings().address == "temporal:7233"


def test_the_worker_is_given_longer_to_stop_than_it_takes() -> None:
    grace = float(SERVICES["worker"]["stop_grace_period"].removesuffix("s"))
    own = SERVICES["worker"]["environment"]["FLOWRUNNER_SHUTDOWN_GRACE"]
    assert grace > float(own.removesuffix("s"))


def test_the_worker_command_exists() -> None:
    entry = re.search(r'ENTRYPOINT \["(\w+)"\]', DOCKERFILE)
    assert entry is not None
    program = Path(sys.executable).with_name(entry[1])
    for command in SERVICES["worker"]["command"], re.findall(r'^CMD \["(\w+)"\]', DOCKERFILE, re.M):
        done = subprocess.run(
            [str(program), *command, "--help"], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr


def test_the_image_is_built_from_files_that_are_here_and_not_ignored() -> None:
    copied = [
        source
        for line in re.findall(r"^COPY (?!--from)(.+) \S+$", DOCKERFILE, re.MULTILINE)
        for source in line.split()
    ]
    kept = re.findall(r"^!(\S+?)/?$", (ROOT / ".dockerignore").read_text(), re.MULTILINE)
    assert sorted(copied) == sorted(kept)
    assert [source for source in copied if not _exists(source)] == []


def test_the_image_runs_as_an_ordinary_user_in_two_stages() -> None:
    assert re.search(r"^USER 10001$", DOCKERFILE, re.MULTILINE)
    assert len(re.findall(r"^FROM python:3\.11\.\d+-slim-", DOCKERFILE, re.MULTILINE)) == 2


@pytest.mark.parametrize("script", sorted((ROOT / "docker").glob("*.sh")), ids=lambda p: p.name)
def test_the_scripts_are_good_shell(script: Path) -> None:
    shell = shutil.which("sh")
    assert shell is not None
    done = subprocess.run([shell, "-n", str(script)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def _exists(path: str) -> bool:
    return (ROOT / path).exists()


def _dockerfile_settings() -> dict[str, str]:
    ours = r"^\s+?(?:ENV )?((?:FLOWRUNNER_|FLOWS_)\w+)=(\S+)"
    return dict(re.findall(ours, DOCKERFILE, re.MULTILINE))
