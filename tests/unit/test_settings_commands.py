"""What the operator sets for scripts and commands, read from the environment."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

import worker_settings
from activities.script.script import ScriptOptions
from activities.shell.options import ContainerOptions, ShellOptions
from service.settings import SettingsInvalid, load_node_settings


def test_how_much_memory_a_script_may_ask_for(monkeypatch: pytest.MonkeyPatch) -> None:
    default = worker_settings.node_options(load_node_settings()).get(ScriptOptions)
    assert default == ScriptOptions() == ScriptOptions(most_memory=256 * 1024 * 1024)
    monkeypatch.setenv("FLOWRUNNER_SCRIPT_MEMORY", "2MB")
    options = worker_settings.node_options(load_node_settings()).get(ScriptOptions)
    assert options == ScriptOptions(most_memory=2 * 1024 * 1024)


@pytest.mark.parametrize("size", ["much", "1023KB"])
def test_a_size_that_is_none_is_refused(size: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLOWRUNNER_SCRIPT_MEMORY", size)
    with pytest.raises(SettingsInvalid, match=r"FLOWRUNNER_SCRIPT_MEMORY: found .* at least 1MB"):
        load_node_settings()


def test_programs_and_images_that_flows_may_run(monkeypatch: pytest.MonkeyPatch) -> None:
    options = worker_settings.node_options(load_node_settings())
    assert options.get(ShellOptions) == ShellOptions()
    assert options.get(ContainerOptions).images == ()
    assert not options.get(ContainerOptions).bridge
    sh = Path(str(shutil.which("sh")))
    monkeypatch.setenv("FLOWRUNNER_SHELL_ALLOW", f" sh , {sh}")
    monkeypatch.setenv("FLOWRUNNER_CONTAINER_ALLOW", "docker.io/a:*, localhost/b")
    monkeypatch.setenv("FLOWRUNNER_CONTAINER_ENGINE", str(sh))
    monkeypatch.setenv("FLOWRUNNER_CONTAINER_NETWORK", "bridge")
    options = worker_settings.node_options(load_node_settings())
    assert options.get(ShellOptions).programs == {"sh": sh, str(sh): sh}
    assert options.get(ContainerOptions) == ContainerOptions(
        images=("docker.io/a:*", "localhost/b"), engine=sh, bridge=True
    )


@pytest.mark.parametrize("variable", ["FLOWRUNNER_SHELL_ALLOW", "FLOWRUNNER_CONTAINER_ENGINE"])
def test_a_program_that_is_not_there_stops_the_start(
    variable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, "no-such-program")
    with pytest.raises(SettingsInvalid, match=f"{variable}: there is no program"):
        worker_settings.node_options(load_node_settings())


def test_all_that_is_wrong_for_a_worker_is_told_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong = {
        "FLOWRUNNER_LOG_LEVEL": "loud",
        "FLOWRUNNER_SCRIPT_MEMORY": "much",
        "BLOB_STORAGE_TYPE": "ftp",
        "FLOWRUNNER_VAULT": str(tmp_path / "vault"),
        "FLOWRUNNER_TASKQUEUE": "x",
        "TEMPORAL_ADDRESS": "nowhere",
    }
    for name, value in wrong.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SettingsInvalid) as refused:
        worker_settings.worker_settings()
    assert sorted(line.split(":")[0] for line in refused.value.problems) == sorted(wrong)
    with pytest.raises(SettingsInvalid) as refused:
        worker_settings.worker_settings(local=True)
    assert not any("TEMPORAL_ADDRESS" in line for line in refused.value.problems)


def test_what_only_the_worker_understands_is_told_with_the_rest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong = {
        "FLOWRUNNER_FILES_DIRS": f"{tmp_path},/nowhere",
        "FLOWRUNNER_HTTP_ALLOW": "a b",
        "FLOWRUNNER_STORE": "redis://x",
        "FLOWRUNNER_SHELL_ALLOW": "no-such-program",
        "FLOWRUNNER_CONTAINER_ENGINE": "no-such-engine",
        "CLAIM_CHECK_KEYS_FILE": str(tmp_path / "no-such-file"),
    }
    for name, value in wrong.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SettingsInvalid) as refused:
        worker_settings.worker_settings()
    assert sorted(line.split(":")[0] for line in refused.value.problems) == sorted(wrong)
    assert "FLOWRUNNER_FILES_DIRS: there is no folder '/nowhere'" in refused.value.problems
