"""Where secrets are is clear before a worker starts, or everything wrong is told."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from claimcheck.keyring import new_key
from service.settings import SecretSettings, SettingsInvalid, load_secret_settings
from service.vault import check_vault, open_vault

KEY, OTHER_KEY = new_key("k1"), new_key("k2")


@pytest.fixture(autouse=True)
def _empty_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith(("FLOWRUNNER_", "BLOB_STORAGE_", "CLAIM_CHECK_", "R2_")):
            monkeypatch.delenv(name)


def _problems() -> list[str]:
    with pytest.raises(SettingsInvalid) as caught:
        load_secret_settings()
    return list(caught.value.problems)


def test_without_variables_there_are_no_other_sources() -> None:
    settings = load_secret_settings()
    assert settings.folder is None
    assert settings.key_ring() is None
    assert open_vault(settings) is None


def test_every_variable_is_read(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("FLOWRUNNER_SECRETS_DIR", str(tmp_path))
    monkeypatch.setenv("FLOWRUNNER_VAULT", str(tmp_path / "vault.json"))
    monkeypatch.setenv("FLOWRUNNER_VAULT_KEYS", f"{KEY},{OTHER_KEY}")
    settings = load_secret_settings()
    assert settings.folder == tmp_path
    ring = settings.key_ring()
    assert ring is not None
    assert ring.ids == ["k1", "k2"]
    assert KEY not in repr(settings)
    vault = open_vault(settings)
    assert vault is not None
    assert vault.path == tmp_path / "vault.json"


def test_the_keys_may_be_in_a_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "keys").write_text(f"# of November\n{KEY}\n")
    monkeypatch.setenv("FLOWRUNNER_VAULT", str(tmp_path / "vault.json"))
    monkeypatch.setenv("FLOWRUNNER_VAULT_KEYS_FILE", str(tmp_path / "keys"))
    ring = load_secret_settings().key_ring()
    assert ring is not None
    assert ring.ids == ["k1"]


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        (
            {"FLOWRUNNER_VAULT": "/v"},
            "FLOWRUNNER_VAULT: is set, but there are no keys; set FLOWRUNNER_VAULT_KEYS or "
            "FLOWRUNNER_VAULT_KEYS_FILE (`flowrunner secrets new-key` makes a key)",
        ),
        (
            {"FLOWRUNNER_VAULT_KEYS": KEY},
            "FLOWRUNNER_VAULT_KEYS: is set, but FLOWRUNNER_VAULT is not; set it to the vault's "
            "path",
        ),
        (
            {"FLOWRUNNER_VAULT": "v", "FLOWRUNNER_VAULT_KEYS": KEY},
            "FLOWRUNNER_VAULT: found 'v', expected an absolute path, so that every process finds "
            "the same file; did you mean {cwd}/v?",
        ),
        (
            {"FLOWRUNNER_SECRETS_DIR": "/no/such/folder"},
            "FLOWRUNNER_SECRETS_DIR: there is no folder '/no/such/folder'",
        ),
        (
            {"FLOWRUNNER_SECRETS_DIR": "secrets"},
            "FLOWRUNNER_SECRETS_DIR: found 'secrets', expected an absolute path, so that every "
            "process finds the same folder; did you mean {cwd}/secrets?",
        ),
        (
            {"FLOWRUNNER_VAULTS": "/v"},
            "FLOWRUNNER_VAULTS: there is no such setting; did you mean FLOWRUNNER_VAULT?",
        ),
    ],
    ids=range(6),
)
def test_what_is_wrong_is_told(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, given: dict[str, str], problem: str
) -> None:
    monkeypatch.chdir(tmp_path)
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    assert _problems() == [problem.format(cwd=tmp_path)]


def test_two_places_for_keys_are_too_many_and_bad_keys_are_not_shown(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "keys").write_text(KEY)
    monkeypatch.setenv("FLOWRUNNER_VAULT", str(tmp_path / "vault.json"))
    monkeypatch.setenv("FLOWRUNNER_VAULT_KEYS_FILE", str(tmp_path / "keys"))
    monkeypatch.setenv("FLOWRUNNER_VAULT_KEYS", "k1:c2hvcnQ=")
    problems = _problems()
    assert problems[0].startswith("FLOWRUNNER_VAULT_KEYS: key 1 of the key ring (line 1) cannot")
    assert "c2hvcnQ" not in problems[0]
    assert problems[1:] == [
        "FLOWRUNNER_VAULT_KEYS_FILE: is set, but FLOWRUNNER_VAULT_KEYS is set too; unset one of "
        "the two"
    ]


def test_a_worker_is_told_of_a_vault_it_cannot_read(tmp_path: Path) -> None:
    def settings(key: str) -> SecretSettings:
        return SecretSettings.model_validate({"vault": tmp_path / "v", "keys": key})

    vault, other = open_vault(settings(KEY)), open_vault(settings(OTHER_KEY))
    assert vault is not None
    assert other is not None
    assert check_vault(vault) == f"there is no vault {tmp_path}/v yet"
    vault.write("TOKEN", "s3cr3t-value")
    assert check_vault(vault) is None
    assert check_vault(other) == (
        f"the vault {tmp_path}/v has secrets that cannot be read, for the keys k1 are not in "
        "FLOWRUNNER_VAULT_KEYS: TOKEN"
    )
    (tmp_path / "v").write_text("s3cr3t-value")
    with pytest.raises(SettingsInvalid, match=r"FLOWRUNNER_VAULT: .* this is no vault") as caught:
        check_vault(vault)
    assert "s3cr3t-value" not in str(caught.value)
