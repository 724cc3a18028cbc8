"""What is true of blobs in a folder alone: links, permissions, crashes, full disks."""

from __future__ import annotations

import asyncio
import fcntl
import os
import resource
import signal
import subprocess
import sys
import tempfile
import textwrap
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from claimcheck.errors import BlobMissing, StoreFull, StoreRefused, StoreUnavailable
from claimcheck.keys import digest_of, folder_of
from claimcheck.stores import FilesystemStore
from claimcheck.stores.incoming import FOLDER as INCOMING
from claimcheck.stores.incoming import LEFT_OVER_AFTER
from tests.contract.places import Folder, path_of
from tests.contract.test_stores import FOLDER, keys, read, some_bytes

MIB = 1024 * 1024
ROOT = Path(__file__).parents[2]


def incoming(root: Path) -> list[str]:
    return sorted(os.listdir(root / INCOMING))


def child(script: str, *arguments: str) -> subprocess.Popen[str]:
    """Another process that runs these statements; `argv` are the arguments."""
    preamble = """
        import asyncio, os, sys
        from pathlib import Path
        from claimcheck.errors import *
        from claimcheck.stores import FilesystemStore
        FOLDER, argv = "v1/default/order-1", sys.argv[1:]
    """
    program = textwrap.dedent(preamble) + textwrap.dedent(script)
    return subprocess.Popen(
        [sys.executable, "-c", program, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd=ROOT,
    )


def outcome(process: subprocess.Popen[str]) -> str:
    said, _ = process.communicate(timeout=60)
    assert process.returncode == 0, said
    return said


async def test_everything_is_private_to_the_user(folder: Folder) -> None:
    async with folder.open() as store:
        await store.put(b"value", under=FOLDER)

    modes = {path.stat().st_mode & 0o777 for path in folder.root.rglob("*") if path.is_dir()}
    assert modes | {folder.root.stat().st_mode & 0o777} == {0o700}
    files = [path for path in folder.root.rglob("*") if path.is_file()]
    assert [path.stat().st_mode & 0o777 for path in files] == [0o600]


async def test_a_blob_is_where_its_key_says_and_nothing_else_is_left(folder: Folder) -> None:
    async with folder.open() as store:
        await store.put(b"value", under=FOLDER)
        await store.put(b"value", under=FOLDER)

    file = folder.root / "v1" / "default" / "order-1" / digest_of(b"value")
    assert file.read_bytes() == b"value"
    assert incoming(folder.root) == []


async def test_names_that_differ_in_capitals_are_apart_on_every_disk(folder: Folder) -> None:
    async with folder.open() as store:
        for owner in ("Order", "order", "ORDER", "^order"):
            await store.put(b"value", under=folder_of("default", owner))

        names = [path.name for path in (folder.root / "v1" / "default").iterdir()]
        assert len({name.lower() for name in names}) == 4
        assert len(await keys(store)) == 4


async def test_putting_again_writes_nothing(folder: Folder) -> None:
    async with folder.open() as store:
        key = await store.put(b"value", under=FOLDER)
        was = path_of(folder.root, key).stat()
        await store.put(b"value", under=FOLDER)

    now = path_of(folder.root, key).stat()
    assert (now.st_ino, now.st_mtime_ns) == (was.st_ino, was.st_mtime_ns)


async def test_only_an_old_blob_is_touched(folder: Folder) -> None:
    async with folder.open(refresh_after=timedelta(hours=4)) as store:
        key = await store.put(b"value", under=FOLDER)
        file = path_of(folder.root, key)
        for hours, is_touched in ((3, False), (5, True)):
            age = time.time() - hours * 3600
            os.utime(file, (age, age))
            await store.put(b"value", under=FOLDER)
            assert (file.stat().st_mtime > age + 60) is is_touched


async def test_the_last_blob_takes_its_folder_with_it(folder: Folder) -> None:
    async with folder.open() as store:
        one, other = [await store.put(data, under=FOLDER) for data in (b"1", b"2")]
        note = await store.put(b"", under=f"{FOLDER}/held-by/reader")
        workflow = path_of(folder.root, FOLDER)

        await store.delete(one)
        await store.delete(note)
        assert os.listdir(workflow) == [digest_of(b"2")]

        await store.delete(other)
        assert not workflow.exists()
        assert workflow.parent.exists()


async def test_putting_and_removing_in_one_folder_do_not_get_in_each_others_way(
    folder: Folder,
) -> None:
    async with folder.open() as store:

        async def come_and_go(data: bytes) -> None:
            for _ in range(25):
                key = await store.put(data, under=FOLDER)
                assert await store.get(key, limit=9) == data
                await store.delete(key)

        await asyncio.gather(*(come_and_go(b"%d" % number) for number in range(8)))
        assert await keys(store) == []


def test_many_processes_put_the_same_blobs_at_once(folder: Folder) -> None:
    script = """
        async def main():
            async with FilesystemStore(Path(argv[0])) as store:
                values = [bytes([n]) * 50_000 for n in range(40)]
                put = await asyncio.gather(*(store.put(v, under=FOLDER) for v in values))
                got = await asyncio.gather(*(store.get(k, limit=50_000) for k in put))
                assert got == values
        asyncio.run(main())
    """
    for process in [child(script, str(folder.root)) for _ in range(4)]:
        outcome(process)

    store = folder.open()
    assert len(asyncio.run(keys(store))) == 40
    assert incoming(folder.root) == []


def test_what_was_put_survives_a_process_that_is_killed(folder: Folder) -> None:
    script = """
        async def main():
            async with FilesystemStore(Path(argv[0])) as store:
                async def put(first):
                    for n in range(first, 10**9, 4):
                        key = await store.put(n.to_bytes(8) * 20_000, under=FOLDER)
                        print(key, flush=True)
                await asyncio.gather(*(put(n) for n in range(4)))
        asyncio.run(main())
    """
    process = child(script, str(folder.root))
    assert process.stdout is not None
    promised = [process.stdout.readline().strip() for _ in range(50)]
    process.send_signal(signal.SIGKILL)
    promised += [line.strip() for line in process.stdout if line.endswith("\n")]
    process.stdout.close()
    assert process.wait(10) == -signal.SIGKILL

    async def check() -> None:
        async with folder.open() as store:
            listed = await keys(store)
            assert set(promised) <= set(listed)
            for key in listed:
                assert len(await store.get(key, limit=160_000)) == 160_000

    asyncio.run(check())


@pytest.mark.skipif(not os.path.exists("/proc/self/fd"), reason="/proc names an open file")
async def test_bytes_and_names_are_on_the_disk_before_put_returns(
    folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[str] = []
    synced, renamed = os.fsync, os.rename

    def fsync(descriptor: int) -> None:
        synced(descriptor)
        done.append(f"sync {Path(os.readlink(f'/proc/self/fd/{descriptor}')).name}")

    def rename(old: str, new: str, **folders: int) -> None:
        renamed(old, new, **folders)
        done.append("rename")

    async with folder.open() as store:
        monkeypatch.setattr(os, "fsync", fsync)
        monkeypatch.setattr(os, "rename", rename)
        await store.health()
        above = folder.root.parent
        assert done[:3] == [f"sync {each.name}" for each in (above.parent, above, folder.root)]

        done.clear()
        await store.put(b"value", under=FOLDER)
        temporary = done[2].removeprefix("sync ")
        assert done == ["sync v1", "sync default", f"sync {temporary}", "rename", "sync order-1"]
        assert not (folder.root / INCOMING / temporary).exists()

        done.clear()
        await store.put(b"other", under=FOLDER)
        assert [each.split()[0] for each in done] == ["sync", "rename", "sync"]

        # Another process may have put it, and not have come to sync its name yet.
        done.clear()
        await store.put(b"other", under=FOLDER)
        assert done == ["sync order-1"]


async def test_what_a_crash_left_is_removed_once_it_is_old(folder: Folder) -> None:
    async with folder.open() as store:
        await store.put(b"value", under=FOLDER)
    old = time.time() - LEFT_OVER_AFTER - 60
    held = (folder.root / INCOMING / "held").open("wb")
    fcntl.flock(held, fcntl.LOCK_EX)
    for name in ("old", "young", "held"):
        (folder.root / INCOMING / name).write_bytes(b"half a va")
    for name in ("old", "held"):
        os.utime(folder.root / INCOMING / name, (old, old))

    async with folder.open() as store:
        await store.put(b"another", under=FOLDER)

    assert incoming(folder.root) == ["held", "young"]
    held.close()


async def test_a_put_that_fails_leaves_nothing(
    folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    def rename(*_: object, **__: object) -> None:
        raise OSError(5, "Input/output error")

    async with folder.open() as store:
        monkeypatch.setattr(os, "rename", rename)
        with pytest.raises(StoreUnavailable, match=r"blobs does not work \(Input/output error\)"):
            await store.put(b"value", under=FOLDER)

        assert incoming(folder.root) == []
        assert await keys(store) == []


async def test_a_folder_that_is_a_link_is_not_entered(folder: Folder, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    secret = outside / digest_of(b"secret")
    secret.write_bytes(b"secret")
    workflow = path_of(folder.root, FOLDER)
    workflow.parent.mkdir(parents=True)
    workflow.symlink_to(outside)
    key = f"{FOLDER}/{secret.name}"

    async with folder.open() as store:
        for attempt in (
            store.put(b"value", under=FOLDER),
            store.get(key, limit=9),
            read(store, key),
            store.stat(key),
            store.delete(key),
        ):
            with pytest.raises(StoreRefused, match="symbolic link"):
                await attempt
        assert await keys(store) == []

    assert os.listdir(outside) == [secret.name]


@pytest.mark.parametrize("name", ["v1", INCOMING])
async def test_no_folder_of_the_store_may_be_a_link(
    folder: Folder, tmp_path: Path, name: str
) -> None:
    (tmp_path / "outside").mkdir()
    folder.root.mkdir(parents=True)
    (folder.root / name).symlink_to(tmp_path / "outside")

    async with folder.open() as store:
        with pytest.raises(StoreRefused, match="symbolic link"):
            await store.put(b"value", under=FOLDER)

    assert os.listdir(tmp_path / "outside") == []


@pytest.mark.parametrize("what", ["link", "dangling link", "pipe", "folder"])
async def test_what_is_no_file_is_no_blob(folder: Folder, tmp_path: Path, what: str) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(b"secret")
    key = f"{FOLDER}/{digest_of(b'secret')}"
    file = path_of(folder.root, key)
    file.parent.mkdir(parents=True)
    match what:
        case "link":
            file.symlink_to(secret)
        case "dangling link":
            file.symlink_to(tmp_path / "nothing")
        case "pipe":
            os.mkfifo(file)
        case _:
            file.mkdir()

    async with folder.open() as store:
        assert await store.stat(key) is None
        assert await keys(store) == []
        with pytest.raises(BlobMissing):
            await store.get(key, limit=9)
        with pytest.raises(BlobMissing):
            await read(store, key)
        if what == "folder":
            with pytest.raises(StoreRefused, match="folder: remove"):
                await store.put(b"secret", under=FOLDER)
            return

        await store.put(b"secret", under=FOLDER)
        assert await store.get(key, limit=9) == b"secret"
        assert file.is_file()
        assert not file.is_symlink()
        assert secret.read_bytes() == b"secret"


async def test_the_folder_itself_may_be_a_link(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / "blobs").symlink_to(tmp_path / "disk")

    async with FilesystemStore(tmp_path / "blobs") as store:
        await store.put(b"value", under=FOLDER)

    assert (tmp_path / "disk" / "v1").is_dir()


async def test_a_folder_that_vanishes_is_not_taken_for_an_empty_one(folder: Folder) -> None:
    async with folder.open() as store:
        key = await store.put(b"value", under=FOLDER)
        folder.root.rename(folder.root.with_name("elsewhere"))

        for attempt in (store.get(key, limit=9), store.stat(key), keys(store), store.health()):
            with pytest.raises(StoreRefused, match="is gone: is its disk still mounted"):
                await attempt


async def test_a_file_in_the_place_of_the_folder_is_told(tmp_path: Path) -> None:
    (tmp_path / "blobs").write_bytes(b"")
    async with FilesystemStore(tmp_path / "blobs") as store:
        with pytest.raises(StoreRefused, match=r"blobs cannot be used .*BLOB_STORAGE_PATH"):
            await store.put(b"value", under=FOLDER)


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere there is no /proc")
async def test_a_folder_where_none_can_be_made() -> None:
    async with FilesystemStore(Path("/proc/blobs")) as store:
        with pytest.raises(
            StoreRefused, match="no folder can be made there: look whether its disk"
        ):
            await store.health()


async def test_deep_and_foreign_trees_are_not_gone_into(folder: Folder) -> None:
    async with folder.open() as store:
        key = await store.put(b"value", under=FOLDER)
        deep = folder.root / "v1" / "a" / "b" / "c" / "d" / "e" / "f" / "g"
        deep.mkdir(parents=True)
        (deep / ("0" * 64)).write_bytes(b"")
        (folder.root / "v1" / "default" / "Capitals").mkdir()

        assert await keys(store) == [key]


async def test_more_blobs_than_a_page_are_listed(
    folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("claimcheck.stores.filesystem._PAGE", 7)
    async with folder.open() as store:
        put = await asyncio.gather(*(store.put(b"%d" % n, under=FOLDER) for n in range(30)))

        assert await keys(store) == sorted(put)


async def test_a_disk_that_does_not_answer_is_not_waited_for(
    folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with folder.open(deadline=0.2) as store:
        key = await store.put(b"value", under=FOLDER)
        path = path_of(folder.root, key)
        path.unlink()
        waiting = path.with_name("pipe")
        os.mkfifo(waiting)

        # A read that hangs, as on a network filesystem whose server is away.
        monkeypatch.setattr(store, "_stat", lambda _: waiting.open("rb").close())
        with pytest.raises(StoreUnavailable, match=r"did not answer within 0\.2 s"):
            await store.stat(key)
        waiting.open("wb").close()  # lets the thread go


# --- Disks that are full, and folders that may not be used -------------------------------------


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A filesystem of its own, of one MiB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(disk)],
        capture_output=True,
        text=True,
        check=False,
    )
    if mounted.returncode != 0:
        pytest.skip(f"nothing can be mounted here: {mounted.stderr.splitlines()[0]}")
    try:
        yield disk
    finally:
        subprocess.run(["umount", "--lazy", str(disk)], check=True)


def remount_read_only(disk: Path) -> None:
    subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)


async def test_a_full_disk_is_told_and_keeps_what_it_has(small_disk: Path) -> None:
    async with FilesystemStore(small_disk / "blobs") as store:
        first = await store.put(some_bytes(300_000), under=FOLDER)

        with pytest.raises(StoreFull, match=rf"{small_disk}/blobs has no room.*BLOB_STORAGE_PATH"):
            await store.put(some_bytes(2 * MIB), under=FOLDER)

        assert incoming(small_disk / "blobs") == []
        assert await store.get(first, limit=300_000) == some_bytes(300_000)
        await store.put(some_bytes(300_000, seed=2), under=FOLDER)


async def test_a_disk_that_is_read_only_gives_and_does_not_take(small_disk: Path) -> None:
    async with FilesystemStore(small_disk / "blobs") as store:
        key = await store.put(b"value", under=FOLDER)
        remount_read_only(small_disk)

        with pytest.raises(StoreRefused, match=r"blobs cannot be used .*read-only: mount it"):
            await store.put(b"other", under=FOLDER)
        with pytest.raises(StoreRefused, match="read-only"):
            await store.delete(key)
        with pytest.raises(StoreRefused, match="read-only"):
            await store.health()

    async with FilesystemStore(small_disk / "blobs") as store:
        assert await store.get(key, limit=9) == b"value"
        assert await keys(store) == [key]
    async with FilesystemStore(small_disk / "new") as store:
        with pytest.raises(StoreRefused, match="new cannot be used"):
            await store.get(key, limit=9)


def test_a_file_larger_than_allowed_is_told(folder: Folder) -> None:
    limit = str(resource.RLIMIT_FSIZE)
    script = """
        import resource
        resource.setrlimit(int(argv[1]), (100_000, 100_000))
        async def main():
            async with FilesystemStore(Path(argv[0])) as store:
                await store.put(bytes(99_000), under=FOLDER)
                try:
                    await store.put(bytes(200_000), under=FOLDER)
                except StoreFull as error:
                    print(error)
        asyncio.run(main())
    """
    said = outcome(child(script, str(folder.root), limit))

    assert "blobs has no room for the value (File too large)" in said
    assert incoming(folder.root) == []


def test_a_folder_of_somebody_else_is_refused() -> None:
    script = """
        root = Path(argv[0])
        if os.getuid() == 0:
            os.setgid(65534); os.setuid(65534)
        async def main():
            for folder in (root / "theirs", root / "theirs" / "within"):
                async with FilesystemStore(folder) as store:
                    try:
                        await store.put(b"value", under=FOLDER)
                    except StoreRefused as error:
                        print(error)
        asyncio.run(main())
    """
    with tempfile.TemporaryDirectory() as outer:  # the tests' own folders are closed to others
        os.chmod(outer, 0o755)
        (Path(outer) / "theirs").mkdir(mode=0o500)

        said = outcome(child(script, outer)).splitlines()

    assert len(said) == 2
    for line, name in zip(said, ("theirs", "theirs/within"), strict=True):
        assert line.startswith(f"the folder {outer}/{name} cannot be used (Permission denied)")
        assert "check its owner and permissions" in line
        assert "BLOB_STORAGE_PATH" in line
