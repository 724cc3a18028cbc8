"""Where vectors are kept is clear before a worker starts, or what is wrong is told."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

import worker_settings
from activities.rag.options import VectorPlace
from service.settings import SettingsInvalid, load_node_settings


@pytest.fixture(autouse=True)
def _empty_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in list(os.environ):
        if name.startswith("FLOWRUNNER_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path / "h o#me"))
    monkeypatch.delenv("XDG_DATA_HOME", raising=False)


def place() -> VectorPlace | None:
    from activities.rag.options import VectorOptions

    return worker_settings.node_options(load_node_settings()).get(VectorOptions).place


def test_without_variables_a_file_is_where_this_users_data_is(tmp_path: Path) -> None:
    found = place()
    assert found is not None
    assert found.path is not None
    assert found.path.is_relative_to(tmp_path / "h o#me")
    assert found.path.parts[-2:] == ("flowrunner", "vectors.db")


def test_a_user_without_a_home_is_told_when_a_flow_indexes_something(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("service.settings.nodes.default_folder", lambda: None)
    assert place() is None


def test_a_file_or_a_database_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLOWRUNNER_VECTORS", "sqlite:///srv/v.db")
    assert place() == VectorPlace(path=Path("/srv/v.db"))
    monkeypatch.setenv("FLOWRUNNER_VECTORS", "postgresql://ann:pa55w0rd@h/d")
    assert place() == VectorPlace(url="postgresql://ann:pa55w0rd@h/d")
    assert "pa55w0rd" not in repr(place())


@pytest.mark.parametrize(
    "url", ["mysql://ann:pa55w0rd@h/d", "dynamodb://ID:pa55w0rd@table", "dynamodb://x", "sqlite:v"]
)
def test_what_is_wrong_is_told_without_the_password(
    monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    monkeypatch.setenv("FLOWRUNNER_VECTORS", url)
    with pytest.raises(SettingsInvalid, match="FLOWRUNNER_VECTORS: expected") as caught:
        place()
    assert "pa55w0rd" not in str(caught.value)
    assert "dynamodb" not in str(caught.value)


def test_the_file_is_not_that_of_the_key_value_store(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLOWRUNNER_STORE", "sqlite:///srv/flows.db")
    monkeypatch.setenv("FLOWRUNNER_VECTORS", "sqlite:///srv/flows.db")
    with pytest.raises(SettingsInvalid, match="FLOWRUNNER_VECTORS: expected another file"):
        place()
