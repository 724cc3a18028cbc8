"""Archives: what goes in comes out, and hostile ones end with an error."""

from __future__ import annotations

import gzip
import io
import os
import tarfile
import zipfile
from collections.abc import Callable
from typing import Any

import pytest

from activities.archives.archive import ARCHIVE_CREATE, ARCHIVE_EXTRACT
from activities.claims import Claims
from claimcheck.claim import Claim
from claimcheck.values import keep
from tests import attempts
from tests.shaping import act, refused


@pytest.fixture
def claims() -> Claims:
    return attempts.claims_in_memory()


async def kept(claims: Claims, data: bytes) -> Claim:
    return await claims.cloakroom.deposit(
        data, workflow_id="test", metadata={"encoding": "binary/plain"}
    )


def zip_of(
    files: dict[str, bytes], change: Callable[[zipfile.ZipInfo], None] | None = None
) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            info = zipfile.ZipInfo(name)
            info.compress_type = zipfile.ZIP_DEFLATED
            if change is not None:
                change(info)
            archive.writestr(info, data)
    return made.getvalue()


def tar_of(*members: tuple[tarfile.TarInfo, bytes], packed: bool = True) -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w:gz" if packed else "w") as archive:
        for info, data in members:
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return made.getvalue()


@pytest.mark.parametrize("kind", ["zip", "tar.gz"])
async def test_what_goes_in_comes_out(claims: Claims, kind: str) -> None:
    noise = os.urandom(3_000_000)
    files = {
        "a.txt": "grüß",
        "d/b.json": {"x": [1]},
        "empty": "",
        "noise.bin": await kept(claims, noise),
        "long.txt": "ä" * 100_000,
    }
    made = await act(ARCHIVE_CREATE, claims, files=files, format=kind)
    assert (made["count"], made["bytes"]) == (5, made["archive"].size)
    out = await act(ARCHIVE_EXTRACT, claims, content=made["archive"])
    loaded = {one["name"]: await claims.loaded(one["content"]) for one in out["files"]}
    assert loaded["a.txt"] == "grüß"
    assert loaded["d/b.json"] == '{"x":[1]}'
    assert loaded["empty"] == ""
    assert loaded["long.txt"] == "ä" * 100_000
    [found] = [one for one in out["files"] if one["name"] == "noise.bin"]
    assert await claims.cloakroom.redeem(found["content"]) == noise
    assert (out["count"], out["bytes"]) == (5, 5 + 9 + 3_000_000 + 200_000 + 1)
    again = await act(ARCHIVE_CREATE, claims, files=files, format=kind)
    assert again == made, "the same files make the same archive"


async def test_others_can_open_what_is_made(claims: Claims) -> None:
    files = {"d/a.txt": "hello"}
    made = await act(ARCHIVE_CREATE, claims, files=files)
    with zipfile.ZipFile(io.BytesIO(await claims.cloakroom.redeem(made["archive"]))) as opened:
        assert opened.testzip() is None
        assert opened.read("d/a.txt") == b"hello"
    made = await act(ARCHIVE_CREATE, claims, files=files, format="tar.gz")
    data = await claims.cloakroom.redeem(made["archive"])
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        assert tar.getnames() == ["d/a.txt"]


async def test_bytes_are_taken_out_of_the_store_wherever_they_stand(claims: Claims) -> None:
    files = {"a": await kept(claims, b"\0\xff"), "b": "x" * 5000}
    for given in (files, await keep(claims.cloakroom, files, workflow_id="test")):
        made = await act(ARCHIVE_CREATE, claims, files=given)
        with zipfile.ZipFile(io.BytesIO(await claims.cloakroom.redeem(made["archive"]))) as opened:
            assert (opened.read("a"), opened.read("b")) == (b"\0\xff", b"x" * 5000)


async def test_only_what_is_asked_for_is_taken(claims: Claims) -> None:
    data = zip_of({"a.csv": b"1", "d/b.csv": b"2", "c.txt": b"3", "d/": b""})
    out = await act(ARCHIVE_EXTRACT, claims, content=await kept(claims, data), include=["*.csv"])
    assert [one["name"] for one in out["files"]] == ["a.csv", "d/b.csv"]


@pytest.mark.parametrize("packed", [True, False])
async def test_tars_are_known_packed_or_not(claims: Claims, packed: bool) -> None:
    data = tar_of((tarfile.TarInfo("./a"), b"x"), packed=packed)
    out = await act(ARCHIVE_EXTRACT, claims, content=await kept(claims, data))
    assert out["files"] == [{"name": "a", "bytes": 1, "content": "x"}]


NAMES = ["../a", "/etc/passwd", "a/../../b", "C:/a", "a\\b", "a//b", "a/./b", "x\n", "n" * 1001]


@pytest.mark.parametrize("name", NAMES)
async def test_names_that_lead_elsewhere_are_refused(claims: Claims, name: str) -> None:
    for data in (zip_of({name: b"x"}), tar_of((tarfile.TarInfo(name), b"x"))):
        content = await kept(claims, data)
        await refused("UnsafeArchive", ARCHIVE_EXTRACT, claims=claims, content=content)
    await refused("UnsafeArchive", ARCHIVE_CREATE, files={name: "x"})


async def test_what_is_no_file_is_refused(claims: Claims) -> None:
    def linked(info: zipfile.ZipInfo) -> None:
        info.external_attr = 0o120777 << 16

    archives = [zip_of({"a": b"/etc/passwd"}, linked)]
    for kind in (tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE):
        info = tarfile.TarInfo("a")
        info.type, info.linkname = kind, "/etc/passwd"
        archives.append(tar_of((info, b"")))
    for data in archives:
        content = await kept(claims, data)
        await refused("UnsafeArchive", ARCHIVE_EXTRACT, claims=claims, content=content)


async def test_a_name_that_is_there_twice_is_refused(claims: Claims) -> None:
    data = tar_of((tarfile.TarInfo("a"), b"1"), (tarfile.TarInfo("./a"), b"2"))
    content = await kept(claims, data)
    said = await refused("UnsafeArchive", ARCHIVE_EXTRACT, claims=claims, content=content)
    assert "is there twice" in said


async def test_bombs_do_not_go_off(claims: Claims) -> None:
    zeros = bytes(30_000_000)
    for data in (zip_of({"a": zeros}), tar_of((tarfile.TarInfo("a"), zeros))):
        assert len(data) < 100_000
        content = await kept(claims, data)
        said = await refused(
            "ContentTooLarge", ARCHIVE_EXTRACT, claims=claims, content=content, max_bytes=1000
        )
        assert "max_bytes" in said
    store: Any = claims.cloakroom.store
    assert len(store.blobs) == 2, "nothing of them was kept"
    many = await kept(claims, zip_of({str(number): b"" for number in range(20)}))
    said = await refused(
        "ContentTooLarge", ARCHIVE_EXTRACT, claims=claims, content=many, max_files=19
    )
    assert "max_files" in said


async def test_headers_that_are_bombs_do_not_go_off(claims: Claims) -> None:
    info = tarfile.TarInfo("a")
    info.type = tarfile.XHDTYPE
    content = await kept(claims, tar_of((info, bytes(12_000_000))))
    await refused("ContentTooLarge", ARCHIVE_EXTRACT, claims=claims, content=content)
    end = b"PK\x05\x06" + bytes(4) + b"\xff\xff" * 2 + (9_000_000).to_bytes(4, "little") + bytes(6)
    content = await kept(claims, b"PK" + bytes(9_000_100) + end)
    await refused("ContentTooLarge", ARCHIVE_EXTRACT, claims=claims, content=content)


def _changed(at: int, bits: int) -> bytes:
    """A zip whose table of names says something else: 8 is encryption, 10 packing, 16 the sum."""
    data = bytearray(zip_of({"a": b"x" * 500}))
    data[data.index(b"PK\x01\x02") + at] ^= bits
    return bytes(data)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"nothing of the kind",
        b"PK\x03\x04",
        gzip.compress(b"no tar"),
        gzip.compress(b"x" * 5000),
        tar_of((tarfile.TarInfo("a"), os.urandom(5000)))[:-2000],
        zip_of({"a": os.urandom(5000)})[:-50],
        _changed(8, 1),
        _changed(16, 1),
        _changed(10, 12),
    ],
)
async def test_what_is_no_archive_or_damaged_is_refused(claims: Claims, data: bytes) -> None:
    content = await kept(claims, data)
    await refused("InvalidArchive", ARCHIVE_EXTRACT, claims=claims, content=content)
