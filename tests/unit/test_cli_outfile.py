"""A run's output in a file: all of it, or nothing has happened."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from flowspec.values import Json
from service.cli.ending import read_waiting
from service.cli.outfile import check_output, write_output
from service.cli.screen import print_json
from service.errors import InputWrong

VALUE: Json = {"b": "é\x7f", "a": [1]}
TEXT = '{\n  "b": "é\x7f",\n  "a": [\n    1\n  ]\n}\n'


def test_a_new_file_has_the_value_as_json_and_the_usual_permissions(tmp_path: Path) -> None:
    path = tmp_path / "out.json"
    mask = os.umask(0o027)
    try:
        write_output(path, VALUE)
    finally:
        os.umask(mask)
    assert path.read_text(encoding="utf-8") == TEXT
    assert path.stat().st_mode & 0o777 == 0o640
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_that_is_there_is_replaced_and_keeps_its_permissions(tmp_path: Path) -> None:
    path, link = tmp_path / "out.json", tmp_path / "link.json"
    path.write_text("old", encoding="utf-8")
    path.chmod(0o600)
    link.symlink_to(path)
    write_output(link, VALUE)
    assert link.is_symlink()
    assert path.read_text(encoding="utf-8") == TEXT
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_value_that_cannot_be_written_leaves_the_file_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "out.json"
    path.write_text("old", encoding="utf-8")

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(InputWrong, match="cannot be written: No space left on device"):
        write_output(path, VALUE)
    assert path.read_text(encoding="utf-8") == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_pipe_is_written_to_and_stays_a_pipe(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    read: list[str] = []
    reader = threading.Thread(target=lambda: read.append(pipe.read_text(encoding="utf-8")))
    reader.start()
    check_output(pipe)
    write_output(pipe, VALUE)
    reader.join(10)
    assert read == [TEXT]
    assert pipe.is_fifo()


def test_what_can_never_be_written_is_refused_before_anything_runs(tmp_path: Path) -> None:
    with pytest.raises(InputWrong, match="there is no folder"):
        check_output(tmp_path / "nowhere" / "out.json")
    with pytest.raises(InputWrong, match="is a folder"):
        check_output(tmp_path)
    check_output(tmp_path / "out.json")


def test_output_and_json_do_not_go_together(tmp_path: Path) -> None:
    with pytest.raises(InputWrong, match="leave out --json"):
        read_waiting(json=True, output=tmp_path / "x", timeout=None)


def test_a_time_to_wait_is_a_duration() -> None:
    assert read_waiting(json=False, output=None, timeout="1m30s").timeout == 90
    assert read_waiting(json=False, output=None, timeout=None).timeout is None
    with pytest.raises(InputWrong, match=r"^--timeout: .*did you mean 10s\?$"):
        read_waiting(json=False, output=None, timeout="10")


def test_json_on_standard_output_stays_json_whatever_is_in_it(
    capsys: pytest.CaptureFixture[str],
) -> None:
    print_json("\x85\x7f\x1b", lines=True)
    assert capsys.readouterr().out == '"\\u0085\\u007f\\u001b"\n'
