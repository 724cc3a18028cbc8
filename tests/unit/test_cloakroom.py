"""The cloakroom: what is put and what is read, how often, by whom, and how much of it is kept."""

from __future__ import annotations

import asyncio
import errno
import hashlib
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest

from claimcheck import caches, cloakroom
from claimcheck.caches import KnownKeys, SizedCache
from claimcheck.claim import Claim
from claimcheck.cloakroom import Cloakroom
from claimcheck.errors import (
    BlobDamaged,
    BlobMissing,
    BlobTooLarge,
    ClaimInvalid,
    KeyUnknown,
    StoreFull,
    StoreUnavailable,
)
from claimcheck.keyring import Key, KeyRing
from claimcheck.stores import MemoryStore

MIB = 1024 * 1024
KEYS = KeyRing(keys=(Key(id="k1", secret=bytes(range(32))),))
SHA = "0123456789abcdef" * 4


def noise(size: int, seed: int = 7) -> bytes:
    return random.Random(seed).randbytes(size)


def opened(store: MemoryStore, **options: Any) -> Cloakroom:
    """As another process would see the store."""
    return Cloakroom(store, **{"namespace": "default", **options})


async def pieces(data: bytes, size: int = 100_000) -> AsyncIterator[bytes]:
    for start in range(0, len(data), size):
        yield data[start : start + size]


async def collect(stream: AsyncIterator[bytes], into: list[bytes]) -> None:
    async for piece in stream:
        into += [piece]


async def joined(stream: AsyncIterator[bytes]) -> bytes:
    return b"".join([piece async for piece in stream])


def like(claim: Claim, **other: Any) -> Claim:
    return Claim(**{"key": claim.key, "size": claim.size, **other})


# -- in --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("keys", [None, KEYS], ids=["plain", "encrypted"])
@pytest.mark.parametrize("size", [0, 1, 70_000, 3 * MIB + 1])
async def test_what_is_deposited_is_redeemed_by_another_process(
    size: int, keys: KeyRing | None
) -> None:
    store, data = MemoryStore(), noise(size)
    claim = await opened(store, keys=keys).deposit(data, workflow_id="order-17")
    assert claim.size == size
    assert claim.key.startswith("v1/default/order-17/")
    assert await opened(store, keys=keys).redeem(claim) == data
    assert await joined(opened(store, keys=keys).stream(claim)) == data


async def test_the_same_value_is_put_once_by_one_process_and_written_once_by_all() -> None:
    store = MemoryStore()
    room = opened(store)
    first = await room.deposit(b"value", workflow_id="w")
    assert await room.deposit(b"value", workflow_id="w") == first
    assert (store.puts, store.writes) == (1, 1)
    assert await opened(store).deposit(b"value", workflow_id="w") == first
    assert (store.puts, store.writes) == (2, 1)


async def test_each_workflow_has_a_blob_of_its_own() -> None:
    room = opened(MemoryStore())
    one = await room.deposit(b"value", workflow_id="one")
    two = await room.deposit(b"value", workflow_id="two")
    assert one.key.rpartition("/")[2] == two.key.rpartition("/")[2]
    assert one.key != two.key


async def test_what_was_put_long_ago_is_put_again_so_that_it_counts_as_young(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    store = MemoryStore()
    room = opened(store)
    await room.deposit(b"value", workflow_id="w")
    later = time.monotonic() + caches._KNOWN_FOR + 1
    monkeypatch.setattr(time, "monotonic", lambda: later)
    await room.deposit(b"value", workflow_id="w")
    assert (store.puts, store.writes) == (2, 1)


async def test_what_could_not_be_put_is_not_taken_for_known() -> None:
    class Failing(MemoryStore):
        fails = True

        async def put(self, data: bytes | Path, *, under: str) -> str:
            if self.fails:
                raise StoreUnavailable("away")
            return await super().put(data, under=under)

    store = Failing()
    room = opened(store)
    with pytest.raises(StoreUnavailable):
        await room.deposit(b"value", workflow_id="w")
    store.fails = False
    claim = await room.deposit(b"value", workflow_id="w")
    assert claim.key in store.blobs


async def test_what_turns_out_to_be_lost_is_put_again() -> None:
    store = MemoryStore()
    room = opened(store, cache_bytes=0)
    claim = await room.deposit(b"value", workflow_id="w")
    store.blobs.clear()
    with pytest.raises(BlobMissing):
        await room.redeem(claim)
    assert await room.deposit(b"value", workflow_id="w") == claim
    assert await room.redeem(claim) == b"value"
    store.blobs.clear()
    with pytest.raises(BlobMissing):
        await joined(room.stream(claim))
    await room.deposit(b"value", workflow_id="w")
    assert await joined(room.stream(claim)) == b"value"


async def test_a_value_too_large_for_memory_is_refused_before_anything_is_written(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(cloakroom, "MOST_IN_MEMORY", 1000)
    store = MemoryStore()
    with pytest.raises(BlobTooLarge, match="stream"):
        await opened(store).deposit(bytes(1001), workflow_id="w")
    assert store.puts == 0
    claim = await opened(store).deposit_stream(pieces(bytes(1001)), workflow_id="w")
    with pytest.raises(BlobTooLarge, match="stream"):
        await opened(store).redeem(claim)
    assert store.gets == 0
    assert len(await joined(opened(store).stream(claim))) == 1001


@pytest.mark.parametrize("threshold", [0, -1, MIB + 1])
def test_a_threshold_that_temporal_could_not_live_with_is_refused(threshold: int) -> None:
    with pytest.raises(ValueError, match="threshold"):
        opened(MemoryStore(), threshold=threshold)


# -- claims that others have written ---------------------------------------------------------------


async def room_with_a_blob() -> tuple[MemoryStore, Cloakroom, Claim]:
    store = MemoryStore()
    claim = await opened(store).deposit(b"somebody's", workflow_id="w")
    return store, opened(store), claim


@pytest.mark.parametrize(
    "key",
    [
        f"v1/other/w/{SHA}",
        f"v1/default/w/held-by/w2/{SHA}",
        f"v1/default2/w/{SHA}",
        f"v1/default/../other/{SHA}",
        "../../etc/passwd",
        "",
    ],
)
async def test_nothing_is_read_for_a_claim_that_is_not_for_this_namespace(key: str) -> None:
    store, room, _ = await room_with_a_blob()
    forged = Claim(key=key, size=10)
    with pytest.raises(ClaimInvalid):
        await room.redeem(forged)
    with pytest.raises(ClaimInvalid):
        await joined(room.stream(forged))
    with pytest.raises(ClaimInvalid):
        await room.hold(forged, by="w3")
    assert (store.gets, store.puts) == (0, 1)


async def test_a_flawed_claim_says_its_flaw_and_nothing_is_read() -> None:
    store, room, _ = await room_with_a_blob()
    flawed = Claim.read({"claim": 7})
    for use in (room.redeem(flawed), joined(room.stream(flawed)), room.hold(flawed, by="w")):
        with pytest.raises(ClaimInvalid, match="version '7'"):
            await use
    assert store.gets == 0


async def test_a_blob_of_another_namespace_opens_for_nobody_else() -> None:
    store = MemoryStore()
    claim = await opened(store, namespace="other").deposit(b"secret", workflow_id="w")
    with pytest.raises(ClaimInvalid, match="namespace 'default'"):
        await opened(store).redeem(claim)
    assert store.gets == 0


async def test_a_made_up_hash_finds_nothing() -> None:
    store, room, _ = await room_with_a_blob()
    with pytest.raises(BlobMissing):
        await room.redeem(Claim(key=f"v1/default/w/{SHA}", size=10))
    assert store.bytes_read == 0


@pytest.mark.parametrize("size", [0, 9, 11, 10_000, 1024 * MIB])
@pytest.mark.parametrize("cached", [False, True])
async def test_a_wrong_size_is_refused_however_the_value_comes(size: int, cached: bool) -> None:
    _, room, claim = await room_with_a_blob()
    if cached:
        await room.redeem(claim)
    wrong = like(claim, size=size)
    with pytest.raises((ClaimInvalid, BlobTooLarge)):
        await room.redeem(wrong)
    with pytest.raises(ClaimInvalid):
        await joined(room.stream(wrong))
    assert await room.redeem(claim) == b"somebody's"


async def test_of_a_value_larger_than_its_claim_says_no_more_than_that_is_given() -> None:
    store = MemoryStore()
    claim = await opened(store).deposit(noise(5 * MIB), workflow_id="w")
    given: list[bytes] = []
    with pytest.raises(ClaimInvalid):
        await collect(opened(store).stream(like(claim, size=2 * MIB)), given)
    assert len(b"".join(given)) <= 2 * MIB
    assert store.bytes_read < 5 * MIB


async def test_an_absurd_size_reads_nothing() -> None:
    store, room, claim = await room_with_a_blob()
    with pytest.raises(BlobTooLarge):
        await room.redeem(like(claim, size=2**53 - 1))
    assert store.gets == 0


async def test_a_blob_that_was_changed_or_moved_is_not_taken_for_the_value() -> None:
    store = MemoryStore()
    claim = await opened(store).deposit(b"value", workflow_id="w")
    other = await opened(store).deposit(b"other", workflow_id="w")
    store.blobs[claim.key] = store.blobs[other.key]
    with pytest.raises(BlobDamaged):
        await opened(store).redeem(claim)
    with pytest.raises(BlobDamaged):
        await joined(opened(store).stream(claim))


async def test_an_encrypted_blob_opens_only_in_the_folder_it_was_written_for() -> None:
    store = MemoryStore()
    claim = await opened(store, keys=KEYS).deposit(b"value", workflow_id="w")
    moved = like(claim, key=claim.key.replace("/w/", "/x/"))
    store.blobs[moved.key] = store.blobs[claim.key]
    with pytest.raises(BlobDamaged):
        await opened(store, keys=KEYS).redeem(moved)


async def test_without_the_key_the_error_names_it() -> None:
    store = MemoryStore()
    claim = await opened(store, keys=KEYS).deposit(b"value", workflow_id="w")
    with pytest.raises(KeyUnknown, match="'k1'"):
        await opened(store).redeem(claim)
    with pytest.raises(KeyUnknown, match="'k1'"):
        await joined(opened(store).stream(claim))


async def test_nothing_of_an_encrypted_value_can_be_read_in_the_store() -> None:
    store = MemoryStore()
    text = json.dumps([f"customer {n}" for n in range(1000)]).encode()
    await opened(store, keys=KEYS).deposit(text, workflow_id="w")
    await opened(store, keys=KEYS).deposit(b"customer", workflow_id="w")
    assert not any(b"customer" in blob for blob in store.blobs.values())


# -- who holds what --------------------------------------------------------------------------------


async def test_another_workflow_that_needs_a_value_is_noted_once() -> None:
    store, room, claim = await room_with_a_blob()
    await room.hold(claim, by="w 2/ü")
    await room.hold(claim, by="w 2/ü")
    empty = hashlib.sha256(b"").hexdigest()
    assert f"v1/default/w/held-by/w%202%2F%C3%BC/{empty}" in store.blobs
    assert (store.puts, len(store.blobs)) == (2, 2)


async def test_the_owner_needs_no_note() -> None:
    store, room, claim = await room_with_a_blob()
    await room.hold(claim, by="w")
    assert store.puts == 1


# -- what is kept in memory ------------------------------------------------------------------------


async def test_what_was_read_or_put_is_not_read_again() -> None:
    store = MemoryStore()
    claim = await opened(store).deposit(b"value", workflow_id="w")
    room = opened(store)
    assert await room.redeem(claim) == await room.redeem(claim) == b"value"
    assert store.gets == 1
    mine = await room.deposit(b"mine", workflow_id="w")
    assert await room.redeem(mine) == await joined(room.stream(mine)) == b"mine"
    assert store.gets == 1


async def test_what_is_kept_stays_within_its_bounds() -> None:
    store = MemoryStore()
    claims = [await opened(store).deposit(noise(10_000, n), workflow_id="w") for n in range(20)]
    room = opened(store, cache_bytes=50_000)
    for claim in [*claims, *reversed(claims)]:
        await room.redeem(claim)
    # Of the twenty, the last four to be read were still there when the way led back.
    assert store.gets == 20 + 16


def test_a_cache_drops_what_was_used_longest_ago_and_counts_its_bytes() -> None:
    cache: SizedCache[bytes] = SizedCache(10_000)
    for name in "abcd":
        cache.add(name, bytes(3000 - caches._ENTRY), 3000 - caches._ENTRY)
        cache.get("a")
    assert [name for name in "abcd" if cache.get(name) is not None] == ["a", "c", "d"]


def test_a_cache_keeps_nothing_that_would_push_out_the_rest() -> None:
    cache: SizedCache[bytes] = SizedCache(10_000)
    cache.add("small", b"", 100)
    cache.add("large", b"", 5_001)
    assert (cache.get("small"), cache.get("large")) == (b"", None)


def test_a_cache_of_very_many_empty_values_is_bounded_too() -> None:
    cache: SizedCache[bytes] = SizedCache(100_000)
    for number in range(1000):
        cache.add(number, b"", 0)
    assert sum(cache.get(number) is not None for number in range(1000)) <= 200


def test_known_keys_are_bounded_and_the_oldest_are_forgotten(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(caches, "_MOST_KNOWN", 3)
    known = KnownKeys()
    for number in range(5):
        known.add("f", bytes([number]), f"f/{number}")
    assert [known.get("f", bytes([n])) for n in range(5)] == [None, None, "f/2", "f/3", "f/4"]
    known.forget("f/3")
    known.forget("f/0")
    assert [known.get("f", bytes([n])) for n in range(2, 5)] == ["f/2", None, "f/4"]
    assert len(known) == 2


def test_known_keys_are_not_kept_longer_than_they_are_good_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    known, now = KnownKeys(), 0.0
    monkeypatch.setattr("claimcheck.caches.time.monotonic", lambda: now)
    known.add("f", b"old", "f/old")
    now = 3000.0
    known.add("f", b"young", "f/young")
    assert len(known) == 2
    now = 4000.0
    known.add("f", b"new", "f/new")
    assert (len(known), known.get("f", b"old"), known.get("f", b"young")) == (2, None, "f/young")


# -- readers at the same time ----------------------------------------------------------------------


class Slow(MemoryStore):
    """Answers once it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.asked = asyncio.Event()
        self.answers = asyncio.Event()
        self.failure: Exception | None = None

    async def get(self, key: str, *, limit: int) -> bytes:
        self.asked.set()
        await self.answers.wait()
        if self.failure is not None:
            raise self.failure
        return await super().get(key, limit=limit)


async def slow_room() -> tuple[Slow, Cloakroom, Claim]:
    store = Slow()
    claim = await opened(store).deposit(b"value", workflow_id="w")
    return store, opened(store, cache_bytes=0), claim


async def test_readers_at_the_same_time_share_one_download() -> None:
    store, room, claim = await slow_room()
    readers = [asyncio.create_task(room.redeem(claim)) for _ in range(10)]
    await store.asked.wait()
    store.answers.set()
    assert await asyncio.gather(*readers) == [b"value"] * 10
    assert store.gets == 1


@pytest.mark.parametrize("leaves", [0, 1])
async def test_a_reader_that_is_cancelled_takes_the_download_from_nobody(leaves: int) -> None:
    store, room, claim = await slow_room()
    readers = [asyncio.create_task(room.redeem(claim)) for _ in range(2)]
    await store.asked.wait()
    readers[leaves].cancel()
    with pytest.raises(asyncio.CancelledError):
        await readers[leaves]
    store.answers.set()
    assert await readers[1 - leaves] == b"value"
    assert store.gets == 1


async def test_a_failure_is_told_to_all_that_wait_and_not_kept() -> None:
    store, room, claim = await slow_room()
    store.failure = StoreUnavailable("away")
    readers = [asyncio.create_task(room.redeem(claim)) for _ in range(3)]
    store.answers.set()
    failures = await asyncio.gather(*readers, return_exceptions=True)
    assert [type(failure) for failure in failures] == [StoreUnavailable] * 3
    store.failure = None
    assert await room.redeem(claim) == b"value"


async def test_a_failure_that_nobody_waits_for_any_more_is_no_noise(
    caplog: pytest.LogCaptureFixture,
) -> None:
    store, room, claim = await slow_room()
    store.failure = StoreUnavailable("away")
    reader = asyncio.create_task(room.redeem(claim))
    await store.asked.wait()
    reader.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reader
    (download,) = room._coming.values()
    store.answers.set()
    await asyncio.wait([download])
    while room._coming:
        await asyncio.sleep(0)
    assert caplog.records == []


async def test_readers_with_other_sizes_do_not_get_in_each_others_way() -> None:
    store, room, claim = await slow_room()
    wrong = asyncio.create_task(room.redeem(like(claim, size=4)))
    right = asyncio.create_task(room.redeem(claim))
    store.answers.set()
    assert await right == b"value"
    with pytest.raises((ClaimInvalid, BlobTooLarge)):
        await wrong


# -- streams ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("keys", [None, KEYS], ids=["plain", "encrypted"])
@pytest.mark.parametrize("size", [0, 1, MIB, 3 * MIB + 17])
async def test_a_stream_is_kept_under_the_same_key_as_its_bytes_at_once(
    size: int, keys: KeyRing | None
) -> None:
    store, data = MemoryStore(), noise(size)
    whole = await opened(store, keys=keys).deposit(data, workflow_id="w")
    stream = await opened(store, keys=keys).deposit_stream(pieces(data), workflow_id="w")
    assert stream == whole
    assert store.writes == 1
    assert await joined(opened(store, keys=keys).stream(stream)) == data


async def test_a_cached_value_is_streamed_in_pieces_too() -> None:
    room, data = opened(MemoryStore()), noise(3 * MIB)
    claim = await room.deposit(data, workflow_id="w")
    got = [piece async for piece in room.stream(claim)]
    assert b"".join(got) == data
    assert max(map(len, got)) <= MIB


async def test_a_stream_that_breaks_off_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    store = MemoryStore()

    async def broken() -> AsyncIterator[bytes]:
        yield noise(2 * MIB)
        raise ConnectionResetError("the other side is gone")

    with pytest.raises(ConnectionResetError):
        await opened(store).deposit_stream(broken(), workflow_id="w")
    assert store.blobs == {}
    assert os.listdir(tmp_path) == []


async def test_the_files_of_streams_are_gone_once_they_are_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    await opened(MemoryStore()).deposit_stream(pieces(noise(MIB)), workflow_id="w")
    assert os.listdir(tmp_path) == []


async def test_moving_a_stream_to_the_store_can_be_tried_again_without_reading_it_again() -> None:
    class Away(MemoryStore):
        fails = 2

        async def put(self, data: bytes | Path, *, under: str) -> str:
            self.fails -= 1
            if self.fails >= 0:
                raise StoreUnavailable("away")
            return await super().put(data, under=under)

    async def patiently(put: Callable[[], Any]) -> str:
        while True:
            try:
                key: str = await put()
            except StoreUnavailable:
                continue
            return key

    store, data = Away(), noise(2 * MIB)
    claim = await opened(store).deposit_stream(pieces(data), workflow_id="w", putting=patiently)
    assert await opened(store).redeem(claim) == data


@pytest.mark.parametrize(
    ("number", "kind"), [(errno.ENOSPC, StoreFull), (errno.EROFS, StoreUnavailable)]
)
async def test_a_temporary_file_that_cannot_be_written_is_a_matter_of_the_store(
    number: int, kind: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(number, "no")

    monkeypatch.setattr(tempfile, "NamedTemporaryFile", refuse)
    with pytest.raises(kind, match="temporary file") as failed:
        await opened(MemoryStore()).deposit_stream(pieces(b"x"), workflow_id="w")
    assert type(failed.value) is kind


async def test_who_stops_reading_a_stream_leaves_nothing_open() -> None:
    class Watched(MemoryStore):
        reading = 0

        async def read(self, key: str) -> AsyncGenerator[bytes, None]:
            self.reading += 1
            try:
                async with aclosing(super().read(key)) as inner:
                    async for piece in inner:
                        yield piece
            finally:
                self.reading -= 1

    store = Watched()
    claim = await opened(store).deposit(noise(5 * MIB), workflow_id="w")
    async with aclosing(opened(store).stream(claim)) as stream:
        await anext(stream)
        assert store.reading == 1
    assert store.reading == 0
    with pytest.raises(ClaimInvalid):
        await joined(opened(store).stream(like(claim, size=1)))
    assert store.reading == 0


_STREAMING = """
import asyncio, resource, sys
from pathlib import Path
from claimcheck import Cloakroom, FilesystemStore, KeyRing
from claimcheck.keyring import Key

MIB = 1024 * 1024

async def pieces(count):
    for number in range(count):
        yield number.to_bytes(4, "big") * (MIB // 4)

async def main(folder, count):
    keys = KeyRing(keys=(Key(id="k1", secret=bytes(32)),))
    async with FilesystemStore(Path(folder)) as store:
        room = Cloakroom(store, namespace="default", keys=keys)
        await room.redeem(await room.deposit(b"first", workflow_id="w"))
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        claim = await room.deposit_stream(pieces(count), workflow_id="w")
        size = 0
        async for piece in room.stream(claim):
            size += len(piece)
        after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert size == claim.size == count * MIB, size
    print((after - before) // 1024)

asyncio.run(main(sys.argv[1], int(sys.argv[2])))
"""


def test_a_stream_larger_than_memory_allows_takes_little_of_it(
    tmp_path: Path, project_root: Path
) -> None:
    size = 300
    done = subprocess.run(
        [sys.executable, "-c", _STREAMING, str(tmp_path), str(size)],
        cwd=project_root,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) < 60, f"{done.stdout.strip()} MiB were taken for one of {size}"


async def test_damage_is_told_with_the_name_of_the_blob() -> None:
    store = MemoryStore()
    room = Cloakroom(store, namespace="default", cache_bytes=0)
    blob = b"no blob of ours"
    key = await store.put(blob, under="v1/default/order-17")
    with pytest.raises(BlobDamaged, match=f"blob {key}: .* run again what has made it"):
        await room.redeem(Claim(key=key, size=len(blob)))
