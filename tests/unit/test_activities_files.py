"""Files on the worker's machine: only in the folders allowed, whole, and once."""

from __future__ import annotations

import asyncio
import base64
import fcntl
import os
from pathlib import Path
from typing import Any

import pytest

from activities.files.files import FILE_LIST, FILE_READ, FILE_WRITE
from tests import attempts
from tests.shaping import act, refused


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """The folder flows may use; beside it there is a secret."""
    (tmp_path / "secret").write_text("hidden")
    (tmp_path / "root").mkdir()
    return tmp_path / "root"


def in_(root: Path) -> dict[str, Any]:
    return {"allowed": (root,)}


def names(root: Path) -> list[str]:
    return sorted(path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file())


async def test_without_a_folder_nothing_can_be_used() -> None:
    for node, params in (
        (FILE_READ, {"path": "a"}),
        (FILE_WRITE, {"path": "a", "content": "x"}),
        (FILE_LIST, {}),
    ):
        assert "FLOWRUNNER_FILES_DIRS" in await refused("FileRefused", node, **params)


async def test_what_is_written_is_read(root: Path) -> None:
    done = await act(FILE_WRITE, **in_(root), path="d/a.txt", content="grüß", folders=True)
    assert done == {"path": "d/a.txt", "bytes": 6}
    read = await act(FILE_READ, **in_(root), path=str(root / "d/a.txt"))
    assert (read["text"], read["bytes"]) == ("grüß", 6)
    assert read["modified"].endswith("Z")
    assert names(root) == ["d/a.txt"]


async def test_bytes_come_as_base64_or_through_the_store(root: Path) -> None:
    data = os.urandom(3_000_000)
    (root / "a.bin").write_bytes(data)
    claims = attempts.claims_in_memory()
    saved = await act(FILE_READ, claims, **in_(root), path="a.bin", save=True)
    assert await claims.cloakroom.redeem(saved["content"]) == data
    await act(FILE_WRITE, claims, **in_(root), path="b.bin", content=saved["content"])
    assert (root / "b.bin").read_bytes() == data
    (root / "c.bin").write_bytes(b"\0\xff")
    assert (await act(FILE_READ, **in_(root), path="c.bin"))["base64"] == "AP8="
    text = base64.b64encode(data).decode()
    await act(FILE_WRITE, **in_(root), path="d.bin", content=text, base64=True)
    assert (root / "d.bin").read_bytes() == data
    await act(FILE_WRITE, **in_(root), path="e.json", content={"a": 1})
    assert (root / "e.json").read_text() == '{"a":1}'
    await refused("InvalidParams", FILE_WRITE, **in_(root), path="f", content="?", base64=True)


PATHS = ["../secret", "a/../../secret", "/etc/passwd", "link", "away/secret", "."]


@pytest.mark.parametrize(
    "path", [*PATHS, "{root}/../secret", "{root}2/x", "pipe", "folder", "a\0b"]
)
async def test_no_path_leads_out_or_to_what_is_no_file(root: Path, path: str) -> None:
    (root / "link").symlink_to(root.parent / "secret")
    (root / "away").symlink_to(root.parent)
    (root / "folder").mkdir()
    os.mkfifo(root / "pipe")
    root.with_name("root2").mkdir()
    root.with_name("root2").joinpath("x").write_text("other")
    path = path.format(root=root)
    await refused("FileRefused", FILE_READ, **in_(root), path=path)
    for mode in ("replace", "append"):
        await refused("FileRefused", FILE_WRITE, **in_(root), path=path, content="x", mode=mode)
    assert (root.parent / "secret").read_text() == "hidden"
    assert names(root) == ["link"]
    assert (root / "link").is_symlink()


async def test_a_new_file_replaces_none_but_may_be_written_again(root: Path) -> None:
    for _ in range(2):
        await act(FILE_WRITE, **in_(root), path="a", content="one")
    await refused("FileExists", FILE_WRITE, **in_(root), path="a", content="two")
    await refused("FileExists", FILE_WRITE, **in_(root), path="a", content="on")
    assert (root / "a").read_text() == "one"
    (root / "a").chmod(0o600)
    await act(FILE_WRITE, **in_(root), path="a", content="two", mode="replace")
    assert (root / "a").read_text() == "two"
    assert (root / "a").stat().st_mode & 0o777 == 0o600
    assert names(root) == ["a"]


async def test_missing_files_and_folders_are_told(root: Path) -> None:
    await refused("FileMissing", FILE_READ, **in_(root), path="no")
    await refused("FileMissing", FILE_WRITE, **in_(root), path="no/a", content="x")
    await refused("FileMissing", FILE_LIST, **in_(root), path="no")
    await refused("FileMissing", FILE_READ, allowed=(root / "gone",), path="a")


async def test_sizes_are_bounded(root: Path) -> None:
    (root / "a").write_bytes(bytes(1001))
    for save in (False, True):
        await refused("FileTooLarge", FILE_READ, **in_(root), path="a", max_bytes=1000, save=save)
    await refused("InvalidParams", FILE_READ, **in_(root), path="a", max_bytes=300_000_000)
    await refused("FileTooLarge", FILE_WRITE, **in_(root), path="b", content="xx", max_bytes=1)
    assert names(root) == ["a"]


async def test_appending_adds_to_the_end(root: Path) -> None:
    for line in ("a\n", "a\n", "b\n"):
        await act(FILE_WRITE, **in_(root), path="log", content=line, mode="append")
    assert (root / "log").read_text() == "a\na\nb\n"
    assert (root / "log").stat().st_mode & 0o111 == 0


@pytest.mark.parametrize(
    ("found", "left"),
    [
        ("a\n", "a\nnew\n"),  # the attempt before did not come to it
        ("a\nne", "a\nnew\n"),  # it was cut short
        ("a\nnew\n", "a\nnew\n"),  # it had done all
        ("a\nnew\nb\n", "a\nnew\nb\n"),  # and somebody else has come after it
        ("a\nother\n", "a\nother\nnew\n"),  # somebody else has come instead
        ("", "new\n"),  # the file was made anew
    ],
)
async def test_a_repeated_attempt_appends_what_is_missing(
    root: Path, found: str, left: str
) -> None:
    (root / "log").write_text(found)
    env = attempts.lasting(60)
    env.info = env.info.__class__(**{**env.info.__dict__, "attempt": 2, "heartbeat_details": [2]})
    await act(FILE_WRITE, **in_(root), env=env, path="log", content="new\n", mode="append")
    assert (root / "log").read_text() == left


async def test_appending_tells_where_it_began_and_waits_for_others(root: Path) -> None:
    (root / "log").write_text("abc")
    env = attempts.lasting(60)
    told: list[Any] = []
    env.on_heartbeat = lambda *details: told.append(details)
    with (root / "log").open("ab") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        writing = asyncio.create_task(
            act(FILE_WRITE, **in_(root), env=env, path="log", content="!", mode="append")
        )
        await asyncio.sleep(0.2)
        assert not told
        other.write(b"def")
        other.flush()
        fcntl.flock(other, fcntl.LOCK_UN)
        await writing
    assert told[0] == (6,)
    assert (root / "log").read_text() == "abcdef!"


async def test_files_are_listed_in_order(root: Path) -> None:
    for name in ("b.csv", "a.csv", "c.txt", "d/e.csv"):
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).write_text("xy")
    (root / "away").symlink_to(root.parent)
    (root / "link.csv").symlink_to(root.parent / "secret")
    os.close(os.open(os.fsencode(root) + b"/\xff.csv", os.O_CREAT))
    done = await act(FILE_LIST, **in_(root), match="*.csv")
    assert [one["path"] for one in done["files"]] == ["a.csv", "b.csv"]
    assert done["files"][0].items() >= {"name": "a.csv", "bytes": 2}.items()
    done = await act(FILE_LIST, **in_(root), match="*.csv", recursive=True, limit=2)
    assert ([one["path"] for one in done["files"]], done["more"]) == (["a.csv", "b.csv"], True)
    done = await act(FILE_LIST, **in_(root), path=f"{root}/d")
    assert [one["path"] for one in done["files"]] == [f"{root}/d/e.csv"]
    await refused("FileRefused", FILE_LIST, **in_(root), path="away")
    await refused("FileRefused", FILE_LIST, **in_(root), path="..")


async def test_a_second_folder_is_used_by_its_path(root: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    await act(FILE_WRITE, allowed=(root, other), path=f"{other}/a", content="x")
    assert (other / "a").read_text() == "x"
