"""Where flows keep things is clear before a worker starts, or what is wrong is told."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

import worker_settings
from activities.rag.options import VectorOptions
from activities.store.options import StoreOptions
from service.settings import SettingsInvalid, load_node_settings


@pytest.fixture(autouse=True)
def _empty_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in list(os.environ):
        if name.startswith("FLOWRUNNER_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path / "h o#me"))
    monkeypatch.delenv("XDG_DATA_HOME", raising=False)


def options() -> StoreOptions:
    return worker_settings.node_options(load_node_settings()).get(StoreOptions)


def test_without_variables_a_file_is_where_this_users_data_is(tmp_path: Path) -> None:
    found = options()
    assert found.place is not None
    assert found.place.path.is_relative_to(tmp_path / "h o#me")
    assert found.place.path.parts[-2:] == ("flowrunner", "store.db")
    assert found.shared == ()


def test_a_local_server_keeps_in_its_folder_what_nothing_else_is_said_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FLOWRUNNER_VECTORS", "sqlite:///srv/vectors.db")
    found = worker_settings.node_options(load_node_settings().kept_in(tmp_path / "a b"))
    place = found.get(StoreOptions).place
    assert place is not None
    assert place.path == tmp_path / "a b" / "store.db"
    vectors = found.get(VectorOptions).place
    assert vectors is not None
    assert vectors.path == Path("/srv/vectors.db")


def test_a_user_without_a_home_is_told_when_a_flow_keeps_something(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("service.settings.nodes.default_folder", lambda: None)
    assert options().place is None


def test_spaces_are_shared_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLOWRUNNER_STORE_SHARED", "prices, customers")
    assert options().shared == ("prices", "customers")
    monkeypatch.setenv("FLOWRUNNER_STORE_SHARED", "*")
    assert options().shared is None
    monkeypatch.setenv("FLOWRUNNER_STORE_SHARED", "prices;customers")
    with pytest.raises(SettingsInvalid, match="FLOWRUNNER_STORE_SHARED"):
        options()


def test_what_is_wrong_is_told_without_the_password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLOWRUNNER_STORE", "mysql://ann:pa55w0rd@h/d")
    assert "pa55w0rd" not in repr(load_node_settings())
    with pytest.raises(SettingsInvalid, match="FLOWRUNNER_STORE: expected") as caught:
        options()
    assert "pa55w0rd" not in str(caught.value)
