"""A worker takes secrets from its environment, from mounted files and from the vault."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from claimcheck.keyring import new_key
from tests.server.conftest import MakeProduct
from tests.server.support import Answer, HttpService, Product

FLOW = """\
flow: ask
input: {required: [url], properties: {url: {type: string}}}
secrets: [TOKEN]
nodes:
  ask:
    type: http.request
    params: {url: "${input.url}", auth: {bearer: "${secrets.TOKEN}"}}
    retry: {attempts: 1}
"""


@dataclass
class Place:
    """A worker with every source, and a service that notes which value reaches it."""

    product: Product
    service: HttpService
    files: Path

    def ask(self, code: int = 0) -> str:
        """What the service was given; with another exit code, what was said instead."""
        done = self.product.cli("run", "ask", "--set", f"url={self.service.url}/", "--json")
        assert done.returncode == code, done.stderr
        if code:
            error: Any = json.loads(done.stdout)["error"]
            return f"{error['type']}: {error['message']}"
        given = self.service.requests[-1].headers["Authorization"]
        return given.removeprefix("Bearer ")

    def secrets(self, *arguments: str, stdin: str = "") -> None:
        done = self.product.cli("secrets", *arguments, stdin=stdin)
        assert done.returncode == 0, done.stderr


@pytest.fixture
def place(
    make_product: MakeProduct, http_service: HttpService, tmp_path: Path
) -> Callable[..., Place]:
    files = tmp_path / "mounted"
    files.mkdir()
    http_service.on("GET", "/", Answer(body={}))

    def make(**settings: str) -> Place:
        product = make_product(
            FLOWRUNNER_SECRETS_DIR=str(files),
            FLOWRUNNER_VAULT=str(tmp_path / "vault.json"),
            FLOWRUNNER_VAULT_KEYS=new_key("k1"),
            **settings,
        )
        product.write_flow("ask", FLOW)
        return Place(product, http_service, files)

    return make


def test_a_running_worker_sees_every_change_and_files_come_before_the_vault(
    place: Callable[..., Place],
) -> None:
    here = place()
    worker = here.product.start_worker()
    assert "there is no vault" in worker.output()
    missing = here.ask(code=1)
    assert missing.startswith("SecretMissing")
    for named in ("FLOWRUNNER_SECRET_TOKEN", str(here.files / "TOKEN"), "flowrunner secrets set"):
        assert named in missing
    here.secrets("set", "TOKEN", stdin="of-the-vault\n")
    assert here.ask() == "of-the-vault"
    here.secrets("set", "TOKEN", stdin="of-the-vault-anew\n")
    assert here.ask() == "of-the-vault-anew"
    (here.files / "TOKEN").write_text("of-a-file\n")
    assert here.ask() == "of-a-file"
    (here.files / "TOKEN").write_bytes(b"\xff of-a-file")
    assert here.ask(code=1).startswith("SecretUnreadable")
    (here.files / "TOKEN").unlink()
    assert here.ask() == "of-the-vault-anew"
    for value in ("of-the-vault", "of-a-file"):
        assert value not in worker.output()


def test_the_environment_comes_first_and_the_allow_list_holds_for_all(
    place: Callable[..., Place],
) -> None:
    here = place()
    (here.files / "TOKEN").write_text("of-a-file\n")
    here.secrets("set", "TOKEN", stdin="of-the-vault")
    first = here.product.start_worker(FLOWRUNNER_SECRET_TOKEN="of-the-environment")
    assert here.ask() == "of-the-environment"
    first.stop()
    here.product.start_worker(FLOWRUNNER_SECRETS_ALLOWED="OTHER")
    assert here.ask(code=1).startswith("SecretRefused")


def test_a_worker_without_the_right_key_says_so_when_it_starts_and_when_it_is_needed(
    place: Callable[..., Place],
) -> None:
    here = place()
    here.secrets("set", "TOKEN", stdin="of-the-vault")
    worker = here.product.start_worker(FLOWRUNNER_VAULT_KEYS=new_key("k2"))
    assert "the keys k1 are not in FLOWRUNNER_VAULT_KEYS: TOKEN" in worker.output()
    said = here.ask(code=1)
    assert said.startswith("SecretUnreadable")
    assert "add it to FLOWRUNNER_VAULT_KEYS" in said


def test_a_worker_does_not_start_on_what_is_no_vault(place: Callable[..., Place]) -> None:
    here = place()
    Path(here.product.settings["FLOWRUNNER_VAULT"]).write_text("of-the-vault")
    done = here.product.cli("worker")
    assert done.returncode == 2
    assert "FLOWRUNNER_VAULT: the vault" in done.stderr
    assert "this is no vault" in done.stderr
    assert "of-the-vault" not in done.stderr
