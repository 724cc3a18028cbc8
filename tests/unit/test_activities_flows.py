"""Flows as files of a folder: found by name, never outside it."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from activities.flows import FlowDirectory, FlowMissing, FlowUnreadable


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    flows = tmp_path / "flows"
    flows.mkdir()
    (flows / "onboarding.yaml").write_text("flow: onboarding\n")
    (flows / "report.yml").write_text("flow: report\n")
    (flows / "notes.txt").write_text("no flow")
    (flows / "9lives.yaml").write_text("not a flow's name")
    (tmp_path / "outside.yaml").write_text("flow: outside\n")
    return flows


def test_names_are_those_of_the_yaml_files(folder: Path) -> None:
    assert FlowDirectory(folder).names() == ("onboarding", "report")
    assert FlowDirectory(folder / "none").names() == ()


def _unchanged_since(folder: Path, seconds: float) -> float:
    moment = time.time() - seconds
    os.utime(folder, (moment, moment))
    return moment


def test_what_is_added_or_removed_shows_in_the_names_at_once(folder: Path) -> None:
    flows = FlowDirectory(folder)
    for settled in (0, 100):
        _unchanged_since(folder, settled)
        assert flows.names() == ("onboarding", "report")
        (folder / "added.yaml").touch()
        assert flows.names() == ("added", "onboarding", "report")
        (folder / "added.yaml").unlink()
        assert flows.names() == ("onboarding", "report")


def test_a_change_in_the_same_moment_as_another_shows_too(folder: Path) -> None:
    flows = FlowDirectory(folder)
    moment = _unchanged_since(folder, 1)
    assert flows.names() == ("onboarding", "report")
    (folder / "added.yaml").touch()
    os.utime(folder, (moment, moment))
    assert "added" in flows.names()


def test_a_folder_that_never_tells_of_changes_is_listed_again_after_a_while(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flows = FlowDirectory(folder)
    moment = _unchanged_since(folder, 1000)
    flows.names()
    (folder / "added.yaml").touch()
    os.utime(folder, (moment, moment))
    assert "added" not in flows.names()
    later = time.time() + 11
    monkeypatch.setattr(time, "time", lambda: later)
    assert "added" in flows.names()


def test_a_flow_is_read_anew_each_time(folder: Path) -> None:
    flows = FlowDirectory(folder)
    assert flows.read("onboarding") == ("onboarding.yaml", "flow: onboarding\n")
    assert flows.read("report")[0] == "report.yml"
    (folder / "onboarding.yaml").write_text("flow: onboarding # edited\n")
    (folder / "added.yaml").write_text("flow: added\n")
    assert flows.read("onboarding")[1].endswith("edited\n")
    assert flows.read("added")[1] == "flow: added\n"


@pytest.mark.parametrize(
    "name", ["../outside", "/etc/passwd", "onboarding.yaml", "", ".", "a\0b", "a/b", "ü", "x" * 101]
)
def test_a_name_never_leads_out_of_the_folder(folder: Path, name: str) -> None:
    with pytest.raises(FlowMissing, match="cannot be a flow's name"):
        FlowDirectory(folder).read(name)


def test_a_link_never_leads_out_of_the_folder(folder: Path) -> None:
    (folder / "sly.yaml").symlink_to(folder.parent / "outside.yaml")
    with pytest.raises(FlowUnreadable, match="leads out of"):
        FlowDirectory(folder).read("sly")


def test_a_link_within_the_folder_is_followed_as_mounted_config_maps_need(folder: Path) -> None:
    (folder / "..data").mkdir()
    (folder / "..data" / "mounted.yaml").write_text("flow: mounted\n")
    (folder / "mounted.yaml").symlink_to(Path("..data") / "mounted.yaml")
    assert FlowDirectory(folder).read("mounted")[1] == "flow: mounted\n"


def test_a_misspelt_name_is_answered_with_the_nearest(folder: Path) -> None:
    with pytest.raises(FlowMissing, match="did you mean 'onboarding'") as caught:
        FlowDirectory(folder).read("onbording")
    assert str(folder) in str(caught.value)


def test_a_name_unlike_any_is_answered_with_what_there_is(folder: Path) -> None:
    with pytest.raises(FlowMissing, match="there are onboarding, report"):
        FlowDirectory(folder).read("zzz")


def test_a_missing_or_empty_folder_is_named(folder: Path) -> None:
    with pytest.raises(FlowMissing, match=r"none does not exist \(FLOWS_DIR\)"):
        FlowDirectory(folder / "none").read("a")
    (folder / "empty").mkdir()
    with pytest.raises(FlowMissing, match="it holds no flows"):
        FlowDirectory(folder / "empty").read("a")


def test_two_files_for_one_name_are_refused(folder: Path) -> None:
    (folder / "report.yaml").write_text("flow: report\n")
    with pytest.raises(FlowUnreadable, match=r"two files for flow 'report'.*remove report\.yml"):
        FlowDirectory(folder).read("report")


def test_what_is_not_readable_text_is_refused(folder: Path) -> None:
    flows = FlowDirectory(folder)
    (folder / "latin.yaml").write_bytes(b"flow: caf\xe9\n")
    with pytest.raises(FlowUnreadable, match=r"latin\.yaml cannot be read"):
        flows.read("latin")
    (folder / "dir.yaml").mkdir()
    with pytest.raises(FlowUnreadable, match="not a file"):
        flows.read("dir")
    (folder / "broken.yaml").symlink_to("nowhere.yaml")
    with pytest.raises(FlowUnreadable, match="not a file"):
        flows.read("broken")
    os.mkfifo(folder / "pipe.yaml")
    with pytest.raises(FlowUnreadable, match="not a file"):
        flows.read("pipe")
