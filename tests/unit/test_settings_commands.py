"""What the operator sets for scripts and commands, read from the environment."""

from __future__ import annotations

import pytest

import worker
from activities.script.script import ScriptOptions
from service.settings import SettingsInvalid, load_node_settings


def test_how_much_memory_a_script_may_ask_for(monkeypatch: pytest.MonkeyPatch) -> None:
    default = worker.node_options(load_node_settings()).get(ScriptOptions)
    assert default == ScriptOptions() == ScriptOptions(most_memory=256 * 1024 * 1024)
    monkeypatch.setenv("FLOWRUNNER_SCRIPT_MEMORY", "2MB")
    options = worker.node_options(load_node_settings()).get(ScriptOptions)
    assert options == ScriptOptions(most_memory=2 * 1024 * 1024)


@pytest.mark.parametrize("size", ["much", "1023KB"])
def test_a_size_that_is_none_is_refused(size: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLOWRUNNER_SCRIPT_MEMORY", size)
    with pytest.raises(SettingsInvalid, match=r"FLOWRUNNER_SCRIPT_MEMORY: found .* at least 1MB"):
        load_node_settings()
