"""The way to Temporal is read as the Temporal CLI reads it, and mistakes are not passed over."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from service.settings import (
    TEMPORAL_VARIABLES,
    SettingsInvalid,
    TemporalSettings,
    TlsSettings,
    load_temporal_settings,
)


@pytest.fixture(autouse=True)
def _empty_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith(("FLOWRUNNER_", "TEMPORAL_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("TEMPORAL_CONFIG_FILE", os.devnull)


def _config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    path = tmp_path / "temporal.toml"
    path.write_text(text, encoding="utf-8")
    monkeypatch.setenv("TEMPORAL_CONFIG_FILE", str(path))


def _problem() -> str:
    with pytest.raises(SettingsInvalid) as caught:
        load_temporal_settings()
    return str(caught.value)


def test_without_variables_it_is_a_local_server() -> None:
    assert load_temporal_settings() == TemporalSettings(
        address="localhost:7233", namespace="default", api_key=None, tls=None
    )


def test_address_and_namespace_come_from_the_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEMPORAL_ADDRESS", "temporal.example:7233")
    monkeypatch.setenv("TEMPORAL_NAMESPACE", "hr")
    settings = load_temporal_settings()
    assert (settings.address, settings.namespace) == ("temporal.example:7233", "hr")


def test_the_configuration_file_of_the_temporal_cli_works(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _config(tmp_path, monkeypatch, '[profile.default]\naddress = "a:1"\nnamespace = "hr"\n')
    settings = load_temporal_settings()
    assert (settings.address, settings.namespace) == ("a:1", "hr")


def test_a_variable_wins_over_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _config(tmp_path, monkeypatch, '[profile.default]\naddress = "a:1"\nnamespace = "hr"\n')
    monkeypatch.setenv("TEMPORAL_ADDRESS", "b:2")
    settings = load_temporal_settings()
    assert (settings.address, settings.namespace) == ("b:2", "hr")


def test_an_empty_variable_does_not_hide_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _config(tmp_path, monkeypatch, '[profile.default]\naddress = "a:1"\n')
    monkeypatch.setenv("TEMPORAL_ADDRESS", "")
    assert load_temporal_settings().address == "a:1"


def test_a_profile_is_taken_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _config(tmp_path, monkeypatch, '[profile.cloud]\naddress = "c:3"\napi_key = "k"\n')
    monkeypatch.setenv("TEMPORAL_PROFILE", "cloud")
    settings = load_temporal_settings()
    assert settings.address == "c:3"
    assert settings.api_key is not None
    assert settings.api_key.get_secret_value() == "k"


def test_an_api_key_turns_tls_on_and_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEMPORAL_API_KEY", "hunter2")
    settings = load_temporal_settings()
    assert settings.tls == TlsSettings()
    assert "hunter2" not in repr(settings)


def test_tls_can_be_turned_off_beside_an_api_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEMPORAL_API_KEY", "k")
    monkeypatch.setenv("TEMPORAL_TLS", "false")
    assert load_temporal_settings().tls is None


def test_certificates_are_read_from_their_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("CLIENT_CERT", "CLIENT_KEY", "SERVER_CA_CERT"):
        path = tmp_path / name
        path.write_text(f"the {name}", encoding="utf-8")
        monkeypatch.setenv(f"TEMPORAL_TLS_{name}_PATH", str(path))
    monkeypatch.setenv("TEMPORAL_TLS_SERVER_NAME", "temporal.internal")
    tls = load_temporal_settings().tls
    assert tls is not None
    assert tls.server_name == "temporal.internal"
    assert tls.client_cert == b"the CLIENT_CERT"
    assert tls.server_ca_cert == b"the SERVER_CA_CERT"
    assert tls.client_key is not None
    assert tls.client_key.get_secret_value() == b"the CLIENT_KEY"


def test_headers_for_every_call_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEMPORAL_GRPC_META_X_TEAM", "hr")
    assert dict(load_temporal_settings().grpc_meta) == {"x-team": "hr"}


@pytest.mark.parametrize(
    ("address", "suggestion"),
    [
        ("temporal.example", "temporal.example:7233"),
        ("http://temporal.example:7233", "temporal.example:7233"),
        ("https://temporal.example/ui", "temporal.example:7233"),
    ],
)
def test_an_address_that_is_none_is_told_with_a_suggestion(
    monkeypatch: pytest.MonkeyPatch, address: str, suggestion: str
) -> None:
    monkeypatch.setenv("TEMPORAL_ADDRESS", address)
    assert _problem() == (
        f"TEMPORAL_ADDRESS: found {address!r}, expected HOST:PORT; did you mean {suggestion}?"
    )


def test_a_tls_switch_that_is_neither_on_nor_off_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEMPORAL_TLS", "maybe")
    assert _problem() == "TEMPORAL_TLS: found 'maybe', expected true or false"


def test_a_certificate_that_cannot_be_read_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEMPORAL_TLS_SERVER_CA_CERT_PATH", "/nowhere/ca.pem")
    assert _problem() == (
        "TEMPORAL_TLS_SERVER_CA_CERT_PATH: '/nowhere/ca.pem' cannot be read: "
        "No such file or directory"
    )


def test_a_certificate_without_its_key_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "cert.pem").write_text("x", encoding="utf-8")
    monkeypatch.setenv("TEMPORAL_TLS_CLIENT_CERT_PATH", str(tmp_path / "cert.pem"))
    assert _problem() == (
        "TEMPORAL_TLS_CLIENT_KEY_PATH: nothing is set, but TEMPORAL_TLS_CLIENT_CERT_PATH is; "
        "mutual TLS takes both"
    )


def test_a_configuration_file_that_is_not_there_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEMPORAL_CONFIG_FILE", "/nowhere/temporal.toml")
    assert _problem() == "TEMPORAL_CONFIG_FILE: there is no file '/nowhere/temporal.toml'"


def test_a_profile_that_is_not_there_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _config(tmp_path, monkeypatch, "[profile.cloud]\n")
    monkeypatch.setenv("TEMPORAL_PROFILE", "clod")
    assert _problem() == (
        "TEMPORAL_PROFILE: the Temporal configuration cannot be read: Profile 'clod' not found"
    )


def test_a_broken_file_is_told_without_its_text(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _config(tmp_path, monkeypatch, '[profile.default]\napi_key = "hunter2\n')
    problem = _problem()
    assert problem.startswith("TEMPORAL_CONFIG_FILE: the Temporal configuration cannot be read: ")
    assert "line 2" in problem
    assert "hunter2" not in problem


def test_every_variable_of_the_reference_has_an_effect(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "pem"
    file.write_text("pem", encoding="utf-8")
    _config(tmp_path, monkeypatch, '[profile.default]\naddress = "a:1"\n[profile.b]\n')
    values = {
        "TEMPORAL_ADDRESS": "b:2",
        "TEMPORAL_NAMESPACE": "hr",
        "TEMPORAL_API_KEY": "k",
        "TEMPORAL_TLS": "true",
        "TEMPORAL_TLS_SERVER_CA_CERT_PATH": str(file),
        "TEMPORAL_TLS_SERVER_NAME": "x",
        "TEMPORAL_GRPC_META_X": "y",
        "TEMPORAL_PROFILE": "b",
        "TEMPORAL_CONFIG_FILE": os.devnull,
    }
    together = {"TEMPORAL_TLS_CLIENT_CERT_PATH", "TEMPORAL_TLS_CLIENT_KEY_PATH"}
    named = {variable.name.replace("*", "X") for variable in TEMPORAL_VARIABLES}
    assert named == set(values) | together
    before = load_temporal_settings()
    for name, value in values.items():
        with monkeypatch.context() as patch:
            patch.setenv(name, value)
            assert load_temporal_settings() != before, name
