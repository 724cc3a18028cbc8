"""What every store promises (`claimcheck.stores.contract`)."""

from __future__ import annotations

import asyncio
import hashlib
import random
from collections.abc import AsyncGenerator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import monotonic

import pytest

from claimcheck.errors import BlobDamaged, BlobMissing, BlobTooLarge, ClaimInvalid
from claimcheck.keys import PROBE_FOLDER, BlobKey, digest_of, folder_of, holder_folder
from claimcheck.stores import CHUNK, BlobStore
from tests.contract.places import Place

FOLDER = folder_of("default", "order-1")
MIB = 1024 * 1024
NO_BLOB = f"{FOLDER}/{digest_of(b'nobody has put this')}"


def some_bytes(size: int, seed: int = 1) -> bytes:
    return random.Random(seed).randbytes(size)


async def keys(store: BlobStore, prefix: str = "", after: str = "") -> list[str]:
    return [blob.key async for blob in store.list_keys(prefix, after=after)]


async def read(store: BlobStore, key: str) -> list[bytes]:
    return [piece async for piece in store.read(key)]


SIZES = (0, 1, 70_000, CHUNK, CHUNK + 1, 16 * MIB, 33 * MIB + 7)


@pytest.mark.parametrize("size", SIZES)
async def test_what_was_put_comes_back(store: BlobStore, size: int) -> None:
    data = some_bytes(size)

    key = await store.put(data, under=FOLDER)

    assert key == f"{FOLDER}/{hashlib.sha256(data).hexdigest()}"
    assert await store.get(key, limit=size) == data


@pytest.mark.parametrize("size", SIZES)
async def test_a_file_is_the_same_blob_as_its_bytes(
    store: BlobStore, size: int, tmp_path: Path
) -> None:
    data = some_bytes(size)
    file = tmp_path / "value"
    file.write_bytes(data)

    key = await store.put(file, under=FOLDER)

    assert key == f"{FOLDER}/{digest_of(data)}"
    assert await store.get(key, limit=size) == data


@pytest.mark.parametrize("size", SIZES)
async def test_it_is_read_in_pieces_that_fit_into_memory(store: BlobStore, size: int) -> None:
    data = some_bytes(size)
    key = await store.put(data, under=FOLDER)

    pieces = await read(store, key)

    assert b"".join(pieces) == data
    assert all(0 < len(piece) <= CHUNK for piece in pieces)


async def test_a_reader_may_stop_anywhere(store: BlobStore) -> None:
    data = some_bytes(5 * MIB)
    key = await store.put(data, under=FOLDER)

    pieces = store.read(key)
    assert data.startswith(await anext(pieces))
    assert isinstance(pieces, AsyncGenerator)
    await pieces.aclose()

    assert await store.get(key, limit=len(data)) == data


async def test_a_store_opens_by_its_first_use_and_again_after_it_was_closed(place: Place) -> None:
    store = place.open()
    key = await store.put(b"value", under=FOLDER)
    await store.close()
    await store.close()

    assert await store.get(key, limit=9) == b"value"
    await store.close()


async def test_putting_twice_is_one_blob(store: BlobStore) -> None:
    first = await store.put(b"value", under=FOLDER)
    was = await store.stat(first)

    second = await store.put(b"value", under=FOLDER)

    assert first == second
    assert await keys(store) == [first]
    assert await store.stat(first) == was


async def test_the_same_bytes_are_a_blob_of_each_workflow(store: BlobStore) -> None:
    one = await store.put(b"value", under=folder_of("default", "one"))
    other = await store.put(b"value", under=folder_of("default", "other"))

    await store.delete(one)

    assert await store.get(other, limit=9) == b"value"


@pytest.mark.parametrize("size", [5, 2 * MIB])
async def test_an_old_blob_that_is_put_again_counts_as_modified_now(
    place: Place, size: int
) -> None:
    data = some_bytes(size)
    async with place.open(refresh_after=timedelta(0)) as store:
        key = await store.put(data, under=FOLDER)
        was = await store.stat(key)
        assert was is not None

        deadline = monotonic() + 20
        while (now := await store.stat(key)) is not None and now.modified <= was.modified:
            assert monotonic() < deadline, "it stays as old as it was"
            await store.put(data, under=FOLDER)

        assert await store.get(key, limit=size) == data


async def test_stat_tells_size_and_time(store: BlobStore) -> None:
    before = datetime.now(UTC)
    key = await store.put(b"value", under=FOLDER)

    blob = await store.stat(key)

    assert blob is not None
    assert (blob.key, blob.size) == (key, 5)
    assert before - timedelta(seconds=2) <= blob.modified <= datetime.now(UTC)
    assert blob.modified.utcoffset() == timedelta(0)
    (listed,) = [listed async for listed in store.list_keys()]
    assert (listed.key, listed.size) == (key, 5)
    assert abs(listed.modified - blob.modified) < timedelta(seconds=1)  # S3 tells one to the second


async def test_a_blob_that_is_not_there_is_missing(store: BlobStore) -> None:
    assert await store.stat(NO_BLOB) is None
    told = rf"{NO_BLOB}; do all processes have the same store \(BLOB_STORAGE_…\)\?"
    with pytest.raises(BlobMissing, match=told):
        await store.get(NO_BLOB, limit=9)
    with pytest.raises(BlobMissing, match=told):
        await read(store, NO_BLOB)


async def test_deleting_is_done_once_and_may_be_asked_for_twice(store: BlobStore) -> None:
    key = await store.put(b"value", under=FOLDER)
    other = await store.put(b"other", under=FOLDER)

    await store.delete(key)
    await store.delete(key)
    await store.delete(NO_BLOB)

    assert await keys(store) == [other]
    assert await store.stat(key) is None
    assert await store.put(b"value", under=FOLDER) == key
    assert await store.get(key, limit=9) == b"value"


async def test_more_than_the_reader_takes_is_not_read(store: BlobStore) -> None:
    key = await store.put(b"12345", under=FOLDER)

    with pytest.raises(BlobTooLarge, match="5 bytes; at most 4"):
        await store.get(key, limit=4)

    assert await store.get(key, limit=5) == b"12345"


@pytest.mark.parametrize("planted", [b"val", b"other", b"value and more", b""])
async def test_other_bytes_than_those_put_are_damage(place: Place, planted: bytes) -> None:
    async with place.open() as store:
        key = await store.put(b"value", under=FOLDER)
        place.plant(key, planted)

        with pytest.raises(BlobDamaged, match=key):
            await store.get(key, limit=99)
        with pytest.raises(BlobDamaged, match=key):
            await read(store, key)


@pytest.mark.parametrize("size", [5, 2 * MIB])
async def test_putting_again_mends_a_blob_that_was_cut_off(place: Place, size: int) -> None:
    data = some_bytes(size)
    async with place.open() as store:
        key = await store.put(data, under=FOLDER)
        place.plant(key, data[:-1])

        await store.put(data, under=FOLDER)

        assert await store.get(key, limit=size) == data


async def test_keys_are_listed_in_their_order_from_one_on(store: BlobStore) -> None:
    # `-`, `.` and `%` come before the slash, and capitals before small letters.
    owners = ("a", "a-b", "a.b", "a/b", "ab", "a b", "A", "B", "Ab", "a~b", "ab-", "_", "~")
    put = await asyncio.gather(
        *(
            store.put(data, under=folder_of(namespace, owner))
            for namespace in ("default", "Default", "default-2")
            for owner in owners
            for data in (b"1", b"2")
        )
    )

    assert await keys(store) == sorted(put)
    for prefix in ("v1", "v1/default", "v1/default/", "v1/default/a", FOLDER[:-3], put[7]):
        assert await keys(store, prefix) == sorted(key for key in put if key.startswith(prefix))
    for after in ("v1/default/a", "v1/default/a/", *put[::5]):
        assert await keys(store, after=after) == sorted(key for key in put if key > after)
    after, prefix = put[5], "v1/default/"
    assert await keys(store, prefix, after) == sorted(
        key for key in put if key > after and key.startswith(prefix)
    )


async def test_what_no_key_begins_with_lists_nothing(store: BlobStore) -> None:
    await store.put(b"value", under=FOLDER)

    for prefix in ("v2", "x", "v1/defaulu", f"{FOLDER}/g", f"{FOLDER}/{'0' * 65}", "/v1", "."):
        assert await keys(store, prefix) == []
    assert await keys(store, after="v2") == []


async def test_a_store_that_is_empty_lists_nothing(store: BlobStore) -> None:
    assert await keys(store) == []


async def test_notes_stand_with_the_blobs_of_their_owner(store: BlobStore) -> None:
    blob = await store.put(b"value", under=FOLDER)
    note = await store.put(b"", under=holder_folder(FOLDER, "Reader/1"))
    await store.put(b"", under=holder_folder(folder_of("default", "order-10"), "Reader/1"))

    listed = await keys(store, f"{FOLDER}/")

    assert sorted(listed) == sorted([blob, note])
    assert {BlobKey.parse(key).holder for key in listed} == {None, "Reader%2F1"}
    assert await store.get(note, limit=0) == b""


async def test_files_that_are_no_blobs_are_passed_over(place: Place) -> None:
    async with place.open() as store:
        key = await store.put(b"value", under=FOLDER)
        for foreign in ("readme", "v1/readme", "v1/default/x", f"{FOLDER}/x", f"v2/{key}", "w/1"):
            place.plant(foreign, b"foreign")

        assert await keys(store) == [key]


HOSTILE = (
    "",
    "/",
    "/etc/passwd",
    "..",
    f"v1/../{'0' * 64}",
    f"v1/default/../{'0' * 64}",
    f"v1/default/./{'0' * 64}",
    f"v1/../../etc/{'0' * 64}",
    f"../{NO_BLOB}",
    f"/{NO_BLOB}",
    f"{NO_BLOB}/",
    f"{NO_BLOB}\n",
    f"{NO_BLOB}\0",
    f"{NO_BLOB}/x",
    NO_BLOB[:-1],
    NO_BLOB.upper(),
    f"{FOLDER}/{'g' * 64}",
    f"v2{NO_BLOB[2:]}",
    f"v1/default//{'0' * 64}",
    f"v1/de fault/a/{'0' * 64}",
    f"v1/default/a\\..\\b/{'0' * 64}",
    f"v1/default/ä/{'0' * 64}",
    f"v1/default/%2f/{'0' * 64}",
    f"v1/default/{'a' * 121}/{'0' * 64}",
    f"v1/default/{'%2F' * 41}/{'0' * 64}",
    f"v1/default/~etc/{'0' * 64}",
    f"{FOLDER}/held-by/{'0' * 64}",
    f"{FOLDER}/held-by/../{'0' * 64}",
    f"{FOLDER}/other/x/{'0' * 64}",
)


@pytest.mark.parametrize("key", HOSTILE)
async def test_what_is_no_key_of_ours_is_refused(store: BlobStore, key: str) -> None:
    with pytest.raises(ClaimInvalid):
        await store.get(key, limit=9)
    with pytest.raises(ClaimInvalid):
        await read(store, key)
    with pytest.raises(ClaimInvalid):
        await store.stat(key)
    with pytest.raises(ClaimInvalid):
        await store.delete(key)


@pytest.mark.parametrize("key", [key for key in HOSTILE if key.endswith("/" + "0" * 64)])
async def test_nothing_is_put_where_no_blob_may_be(store: BlobStore, key: str) -> None:
    with pytest.raises(ClaimInvalid):
        await store.put(b"value", under=key.rpartition("/")[0])

    assert await keys(store) == []


@pytest.mark.parametrize("text", ["v1/\0", "v1/ä", "v1/\n", "v1/*", "\ud800"])
async def test_a_list_of_what_can_be_no_key_is_refused(store: BlobStore, text: str) -> None:
    with pytest.raises(ClaimInvalid):
        await keys(store, text)
    with pytest.raises(ClaimInvalid):
        await keys(store, after=text)


async def test_many_may_put_and_get_at_once(store: BlobStore) -> None:
    values = [some_bytes(3_000, seed) for seed in range(8)] * 4

    put = await asyncio.gather(*(store.put(value, under=FOLDER) for value in values))
    got = await asyncio.gather(*(store.get(key, limit=3_000) for key in put))

    assert got == values
    assert await keys(store) == sorted(set(put))


async def test_many_may_read_one_blob_and_delete_it(store: BlobStore) -> None:
    data = some_bytes(2 * MIB)
    key = await store.put(data, under=FOLDER)

    read_all = await asyncio.gather(*(read(store, key) for _ in range(8)))
    await asyncio.gather(*(store.delete(key) for _ in range(8)))

    assert {b"".join(pieces) for pieces in read_all} == {data}
    assert await keys(store) == []


async def test_a_healthy_store_says_so_and_keeps_nothing_of_it(store: BlobStore) -> None:
    await asyncio.gather(*(store.health() for _ in range(4)))

    assert await keys(store) == []
    assert await keys(store, PROBE_FOLDER) == []


async def test_what_tries_the_store_out_is_nobodys_blob(store: BlobStore) -> None:
    left = await store.put(b"left by a crash", under=PROBE_FOLDER)

    assert await keys(store) == []
    assert await keys(store, "v1/") == []
    assert await keys(store, f"{PROBE_FOLDER}/") == [left]


async def test_a_file_that_cannot_be_read_is_not_the_fault_of_the_store(
    store: BlobStore, tmp_path: Path
) -> None:
    with pytest.raises(FileNotFoundError):
        await store.put(tmp_path / "nothing", under=FOLDER)
    with pytest.raises(IsADirectoryError):
        await store.put(tmp_path, under=FOLDER)


async def test_what_a_store_is_called_shows_no_secret(store: BlobStore) -> None:
    assert store.name in ("memory", "filesystem", "s3")
    assert "secret" not in repr(store).lower()
    assert "key" not in repr(store).lower()
