"""The Compose file, the Dockerfile and what they name: no engine is needed to see that it fits."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from claimcheck.codec_server import is_loopback
from service.settings import (
    load_claim_check_settings,
    load_codec_server_settings,
    load_temporal_settings,
    load_worker_settings,
)

ROOT = Path(__file__).parents[2]
COMPOSE: Any = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))
SERVICES: Mapping[str, Any] = COMPOSE["services"]
DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")
ONE_SHOT = ("temporal-schema", "temporal-register", "s3-bucket")
ON_CALL = ("sweep",)
OURS = ("worker", "codec-server", "sweep")
USERS = {"worker": "worker", "codec-server": "reader", "sweep": "sweep"}
"""Whom our services are to the S3 store."""


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


@pytest.mark.parametrize("name", [name for name in SERVICES if name not in ONE_SHOT + ON_CALL])
def test_every_service_that_stays_has_a_health_check_and_restarts(name: str) -> None:
    assert SERVICES[name]["healthcheck"]["test"][0] == "CMD"
    assert SERVICES[name]["restart"] == "unless-stopped"


def test_every_port_is_on_loopback() -> None:
    ports = [port for each in SERVICES.values() for port in each.get("ports", [])]
    assert ports
    assert all(port.startswith("127.0.0.1:") for port in ports)


def test_what_is_called_by_hand_is_not_started_with_the_rest() -> None:
    assert [name for name in SERVICES if "profiles" in SERVICES[name]] == list(ON_CALL)


def test_secrets_come_from_the_environment_and_have_no_default() -> None:
    settings = [
        (name, value)
        for each in SERVICES.values()
        for name, value in each.get("environment", {}).items()
        if "PASSWORD" in name or "SECRET" in name or name.endswith("PWD")
    ]
    assert settings
    assert [name for name, value in settings if not re.match(r"\$\{[A-Z0-9_]+:\?", value)] == []
    example = (ROOT / ".env.example").read_text(encoding="utf-8")
    wanted = set(re.findall(r"\$\{([A-Z0-9_]+):\?", (ROOT / "docker-compose.yml").read_text()))
    assert wanted == set(re.findall(r"^([A-Z0-9_]+)=", example, re.MULTILINE))


def test_the_example_shows_what_may_be_set_besides_as_it_is_without() -> None:
    compose = (ROOT / "docker-compose.yml").read_text(encoding="utf-8")
    example = (ROOT / ".env.example").read_text(encoding="utf-8")
    optional = set(re.findall(r"\$\{([A-Z0-9_]+):-(.*?)\}", compose))
    assert optional == set(re.findall(r"^# ([A-Z0-9_]+)=(.*)$", example, re.MULTILINE))


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


@pytest.mark.parametrize("name", OURS)
def test_our_services_accept_their_settings(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    _set(monkeypatch, _dockerfile_settings() | _environment(name))
    storage = load_claim_check_settings()
    assert (storage.type, storage.bucket) == ("s3", "flowrunner")
    assert storage.access_key_id is not None
    assert storage.access_key_id.get_secret_value() == USERS[name]
    assert load_temporal_settings().namespace == "default"


def test_the_worker_accepts_its_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    _set(monkeypatch, _dockerfile_settings() | _environment("worker"))
    worker = load_worker_settings()
    assert worker.task_queue == "flows"
    assert str(worker.flows_dir) == "/flows"
    assert load_temporal_settings().address == "temporal:7233"


def test_the_codec_server_listens_where_the_ui_asks_for_it_and_serves_its_pages(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    _set(monkeypatch, _environment("codec-server"))
    codec = load_codec_server_settings()
    asked = _environment("temporal-ui")["TEMPORAL_CODEC_ENDPOINT"]
    assert asked == f"http://{codec.address}"
    assert is_loopback(codec.address.host)
    port = _interpolated(SERVICES["temporal-ui"]["ports"][0]).split(":")[1]
    assert set(codec.origins) == {f"http://localhost:{port}", f"http://127.0.0.1:{port}"}
    assert _interpolated(SERVICES["codec-server"]["healthcheck"]["test"][-1]).count(asked) == 1


def test_a_service_on_the_host_s_network_reaches_the_store_by_the_port_it_is_published_on() -> None:
    published = _interpolated(SERVICES["s3"]["ports"][0]).rpartition(":")[0]
    assert SERVICES["codec-server"]["network_mode"] == "host"
    assert _environment("codec-server")["BLOB_STORAGE_ENDPOINT"] == f"http://{published}"
    for name in ("worker", "sweep"):
        assert _environment(name)["BLOB_STORAGE_ENDPOINT"] == "http://s3:9000"


@pytest.mark.parametrize("name", OURS)
def test_the_passwords_of_the_store_s_users_are_those_they_are_made_with(name: str) -> None:
    user = USERS[name]
    own = SERVICES[name]["environment"]["BLOB_STORAGE_SECRET_ACCESS_KEY"]
    variable = f"S3_{user.upper()}_PASSWORD"
    assert SERVICES["s3-bucket"]["environment"][variable] == own
    script = (ROOT / "docker" / "create-bucket.sh").read_text(encoding="utf-8")
    assert f'let_in {user} "${variable}"' in script
    assert (ROOT / "docker" / "s3" / f"{user}.json").is_file()


def test_whoever_writes_or_shows_values_has_the_same_keys() -> None:
    keys = [{"path": "./keys.env", "required": False}]
    for name in ("worker", "codec-server"):
        assert [each for each in SERVICES[name]["env_file"] if each in keys] == keys
    ignored = (ROOT / ".gitignore").read_text(encoding="utf-8").splitlines()
    assert {"keys.env", "secrets.env", ".env"} <= set(ignored)


def test_the_worker_is_given_longer_to_stop_than_it_takes() -> None:
    grace = float(SERVICES["worker"]["stop_grace_period"].removesuffix("s"))
    own = SERVICES["worker"]["environment"]["FLOWRUNNER_SHUTDOWN_GRACE"]
    assert grace > float(own.removesuffix("s"))


@pytest.mark.parametrize("name", OURS)
def test_the_commands_exist(name: str) -> None:
    entry = re.search(r'ENTRYPOINT \["(\w+)"\]', DOCKERFILE)
    assert entry is not None
    program = Path(sys.executable).with_name(entry[1])
    image = re.findall(r'^CMD \["(\w+)"\]', DOCKERFILE, re.MULTILINE)
    for command in SERVICES[name]["command"], image:
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


def test_large_values_on_their_way_rest_on_a_disk_that_the_user_may_write_to() -> None:
    (spool,) = re.findall(r"^\s+TMPDIR=(\S+)", DOCKERFILE, re.MULTILINE)
    (volumes,) = re.findall(r"^VOLUME (.+)$", DOCKERFILE, re.MULTILINE)
    assert spool in volumes.split()
    assert re.search(
        rf"install --directory --owner flowrunner --mode 700 {spool}$", DOCKERFILE, re.M
    )
    for name in OURS:
        assert spool not in SERVICES[name].get("tmpfs", [])


@pytest.mark.parametrize("script", sorted((ROOT / "docker").glob("*.sh")), ids=lambda p: p.name)
def test_the_scripts_are_good_shell(script: Path) -> None:
    shell = shutil.which("sh")
    assert shell is not None
    done = subprocess.run([shell, "-n", str(script)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def _exists(path: str) -> bool:
    return (ROOT / path).exists()


def _set(monkeypatch: pytest.MonkeyPatch, environment: Mapping[str, str]) -> None:
    """This environment, and nothing of ours that the tests run in."""
    for name in list(os.environ):
        if name.startswith(("FLOWRUNNER_", "FLOWS_", "TEMPORAL_", "BLOB_", "CLAIM_", "R2_")):
            monkeypatch.delenv(name)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)


def _environment(service: str) -> dict[str, str]:
    """As it is with an .env that has the passwords alone."""
    return {name: _interpolated(value) for name, value in SERVICES[service]["environment"].items()}


def _interpolated(text: str) -> str:
    return re.sub(r"\$\{\w+:[-?]([^}]*)\}", r"\1", text)


def _dockerfile_settings() -> dict[str, str]:
    ours = r"^\s+?(?:ENV )?((?:FLOWRUNNER_|FLOWS_)\w+)=(\S+)"
    return dict(re.findall(ours, DOCKERFILE, re.MULTILINE))
