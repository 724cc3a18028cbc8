"""Secrets in mounted files: what is read, what a link may lead to, and what is said of trouble."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from activities.errors import NodeFailed
from activities.secret_files import FolderSource

VALUE = "s3cr3t-value"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "secrets"
    made.mkdir()
    return made


def _put(path: Path, value: str | bytes = VALUE) -> Path:
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(value.encode() if isinstance(value, str) else value)
    path.chmod(0o400)
    return path


def _refused(folder: Path, name: str = "TOKEN") -> str:
    with pytest.raises(NodeFailed) as caught:
        FolderSource(folder).find(name)
    assert caught.value.error.name == "SecretUnreadable"
    assert str(folder / name) in caught.value.message
    assert VALUE not in caught.value.message
    assert caught.value.__cause__ is None
    return caught.value.message


@pytest.mark.parametrize(
    ("written", "value"),
    [
        (VALUE, VALUE),
        (f"{VALUE}\n", VALUE),
        (f"{VALUE}\r\n", VALUE),
        (f"{VALUE}\n\n", f"{VALUE}\n"),
        (f" {VALUE} ", f" {VALUE} "),
        ("line one\nline two\n", "line one\nline two"),
        ("pässwörd\n", "pässwörd"),
        ("", ""),
        ("\n", ""),
        ("x" * 65_536 + "\r\n", "x" * 65_536),
    ],
    ids=range(10),
)
def test_the_value_is_the_file_without_one_line_end(folder: Path, written: str, value: str) -> None:
    _put(folder / "TOKEN", written)
    assert FolderSource(folder).find("TOKEN") == value


def test_a_file_that_is_not_there_is_no_secret(folder: Path) -> None:
    assert FolderSource(folder).find("TOKEN") is None
    assert FolderSource(folder).place("TOKEN") == f"the file {folder / 'TOKEN'}"


def test_a_changed_file_is_read_anew(folder: Path) -> None:
    source = FolderSource(folder)
    _put(folder / "TOKEN")
    assert source.find("TOKEN") == VALUE
    (folder / "TOKEN").unlink()
    assert source.find("TOKEN") is None
    _put(folder / "TOKEN", "another-one")
    assert source.find("TOKEN") == "another-one"


def _mount(folder: Path, generation: str, value: str) -> None:
    """As Kubernetes does it: the files in a folder of their own, and a link to that swapped."""
    _put(folder / generation / "TOKEN", value)
    if not (folder / "TOKEN").is_symlink():
        (folder / "TOKEN").symlink_to("..data/TOKEN")
    (folder / "..data_tmp").symlink_to(generation)
    os.replace(folder / "..data_tmp", folder / "..data")


def test_the_links_of_a_kubernetes_mount_are_followed_and_its_rotation_is_seen(
    folder: Path,
) -> None:
    source = FolderSource(folder)
    _mount(folder, "..2026_11_01", "first-value")
    assert source.find("TOKEN") == "first-value"
    _mount(folder, "..2026_11_02", "second-value")
    assert source.find("TOKEN") == "second-value"


def test_a_mount_that_is_renewed_all_the_time_always_gives_a_whole_value(folder: Path) -> None:
    source, values = FolderSource(folder), {f"value-{n}" * 999 for n in range(2)}
    _mount(folder, "..0", "value-0" * 999)
    stop = threading.Event()

    def renew() -> None:
        n = 0
        while not stop.is_set():
            n += 1
            _mount(folder, f"..{n}", f"value-{n % 2}" * 999)
            (folder / f"..{n - 1}" / "TOKEN").unlink()

    renewing = threading.Thread(target=renew)
    renewing.start()
    try:
        assert {source.find("TOKEN") for _ in range(2000)} == values
    finally:
        stop.set()
        renewing.join()


def test_a_folder_that_is_a_link_itself_is_one(folder: Path, tmp_path: Path) -> None:
    _put(folder / "TOKEN")
    (tmp_path / "link").symlink_to(folder)
    assert FolderSource(tmp_path / "link").find("TOKEN") == VALUE


@pytest.mark.parametrize(
    "target", ["../outside", "sub/../../outside", "{tmp}/outside", "sub/link", "up/outside"]
)
def test_a_link_out_of_the_folder_is_not_followed(
    folder: Path, tmp_path: Path, target: str
) -> None:
    _put(tmp_path / "outside")
    (folder / "sub").mkdir()
    (folder / "sub" / "link").symlink_to(tmp_path / "outside")
    (folder / "up").symlink_to("..")
    (folder / "TOKEN").symlink_to(target.format(tmp=tmp_path))
    assert "is a link to what is outside of the folder" in _refused(folder)


def test_a_way_that_is_diverted_after_it_was_looked_at_is_not_gone(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _put(tmp_path / "outside" / "TOKEN")
    _put(folder / "sub" / "TOKEN", "inside-value")
    (folder / "TOKEN").symlink_to("sub/TOKEN")
    realpath = os.path.realpath

    def divert(path: Path, *, strict: bool = False) -> str:
        found = realpath(path, strict=strict)
        if path.name == "TOKEN" and not (folder / "sub").is_symlink():
            (folder / "sub").rename(folder / "aside")
            (folder / "sub").symlink_to(tmp_path / "outside")
        return found

    monkeypatch.setattr(os.path, "realpath", divert)
    _refused(folder)


def test_what_is_no_file_is_refused(folder: Path) -> None:
    (folder / "DIRECTORY").mkdir()
    os.mkfifo(folder / "PIPE")
    (folder / "LOOP").symlink_to("LOOP")
    (folder / "GONE").symlink_to("nothing")
    assert "is not a file" in _refused(folder, "DIRECTORY")
    assert "is not a file" in _refused(folder, "PIPE")
    assert "cannot be read" in _refused(folder, "LOOP")
    assert "is a link to what is not there" in _refused(folder, "GONE")


def test_what_cannot_be_a_value_is_refused_without_showing_it(folder: Path) -> None:
    _put(folder / "LARGE", VALUE * 10_000)
    _put(folder / "BINARY", b"\xff\xfe" + VALUE.encode())
    _put(folder / "ONE_MORE", "x" * 65_537)
    assert "has more than 65,536 bytes" in _refused(folder, "LARGE")
    assert "has more than 65,536 bytes" in _refused(folder, "ONE_MORE")
    assert "is not text in UTF-8" in _refused(folder, "BINARY")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read_says_so(folder: Path) -> None:
    _put(folder / "TOKEN").chmod(0)
    assert "cannot be read: Permission denied" in _refused(folder)


def test_a_folder_that_is_gone_is_told_from_a_secret_that_is_not_set(folder: Path) -> None:
    source = FolderSource(folder)
    folder.rmdir()
    with pytest.raises(NodeFailed, match=f"the folder {folder} is gone"):
        source.find("TOKEN")


def test_a_file_that_everybody_can_read_is_warned_of_once(folder: Path) -> None:
    _put(folder / "TOKEN").chmod(0o444)
    _put(folder / "PRIVATE")
    source = FolderSource(folder)
    with capture_logs() as lines:
        for _ in range(2):
            assert source.find("TOKEN") == VALUE
            assert source.find("PRIVATE") == VALUE
    assert [line["path"] for line in lines] == [str(folder / "TOKEN")]
    assert lines[0]["log_level"] == "warning"
    assert VALUE not in str(lines)
