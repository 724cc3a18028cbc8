"""What the stored bytes are: when they are compressed, who can read them, and what is refused."""

from __future__ import annotations

import asyncio
import json
import random
import struct
import threading
import tracemalloc
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager

import pytest

from claimcheck import envelope
from claimcheck.compression import smaller, unpacked, zstd
from claimcheck.envelope import FRAME, unwrap, unwrap_stream, wrap, wrap_stream
from claimcheck.errors import BlobDamaged, BlobTooLarge, KeyUnknown
from claimcheck.keyring import Key, KeyRing

MIB = 1024 * 1024
OLD, NEW = Key(id="old", secret=bytes(range(32))), Key(id="new", secret=bytes(range(32, 64)))
KEYS = KeyRing(keys=(OLD,))
HERE = "v1/default/order-17"
ROWS = json.dumps([{"id": n, "name": f"customer {n}"} for n in range(2000)]).encode()


def noise(size: int, seed: int = 7) -> bytes:
    return random.Random(seed).randbytes(size)


def opened(blob: bytes, keys: KeyRing | None = KEYS, *, limit: int = 64 * MIB) -> bytes:
    return unwrap(blob, context=HERE, keys=keys, limit=limit)


def encrypted(data: bytes, keys: KeyRing = KEYS) -> bytes:
    return wrap(data, context=HERE, keys=keys)


def plain(data: bytes) -> bytes:
    return wrap(data, context=HERE, keys=None)


def header(id: bytes = b"", *, version: int = 1) -> bytes:
    return b"\xccCHK" + bytes((version, len(id))) + id


def frame(flags: int, size: int, body: bytes) -> bytes:
    return struct.pack(">BII", flags, size, len(body)) + body


def parted(blob: bytes) -> tuple[bytes, list[bytes]]:
    """The header, and every frame."""
    at = 6 + blob[5]
    start, frames = blob[:at], []
    while at < len(blob):
        end = at + 9 + int.from_bytes(blob[at + 5 : at + 9], "big")
        frames.append(blob[at:end])
        at = end
    return start, frames


async def cut(data: bytes, size: int) -> AsyncIterator[bytes]:
    for start in range(0, len(data), size):
        yield data[start : start + size]


async def collect(chunks: AsyncIterator[bytes], into: list[bytes]) -> None:
    async for chunk in chunks:
        into += [chunk]


async def joined(chunks: AsyncIterator[bytes]) -> bytes:
    return b"".join([chunk async for chunk in chunks])


@contextmanager
def no_more_memory_than(most: int) -> Iterator[None]:
    """Within the block, no more than that is taken at once beside what there was before."""
    tracemalloc.start()
    try:
        yield
        assert tracemalloc.get_traced_memory()[1] <= most
    finally:
        tracemalloc.stop()


# -- what is written -----------------------------------------------------------------------------


def test_what_shrinks_is_compressed() -> None:
    assert len(plain(ROWS)) < len(ROWS) / 5
    assert len(encrypted(ROWS)) == len(plain(ROWS)) + 43


def test_what_hardly_shrinks_is_stored_as_it_is() -> None:
    for data in (b"", b"x", noise(5000), noise(5000) + bytes(400)):
        assert plain(data) == header() + frame(1, len(data), data)


def test_each_frame_is_compressed_or_not_on_its_own() -> None:
    _, frames = parted(plain(noise(FRAME) + ROWS[:5000] * 200 + noise(FRAME)))
    assert [one[0] for one in frames] == [0, 2, 1]


def test_the_same_value_is_the_same_blob_for_the_same_key_and_place_alone() -> None:
    blob = encrypted(ROWS)
    assert encrypted(ROWS) == blob
    assert wrap(ROWS, context="elsewhere", keys=KEYS)[-100:] != blob[-100:]
    renewed = Key(id="old", secret=NEW.secret)
    assert encrypted(ROWS, KeyRing(keys=(renewed,)))[-100:] != blob[-100:]
    assert plain(ROWS) == wrap(ROWS, context="elsewhere", keys=None)


def test_nothing_of_the_value_can_be_seen_in_an_encrypted_blob() -> None:
    blob = encrypted(b"customer 17")
    assert b"customer" not in blob
    assert b"customer 17" in plain(b"customer 17")


def test_equal_parts_of_a_value_do_not_look_alike() -> None:
    _, frames = parted(encrypted(noise(FRAME) * 3))
    pieces = {one[start : start + 16] for one in frames for start in (9, 33, 5000, FRAME + 33)}
    assert len(pieces) == 12


def nonces(blob: bytes) -> list[bytes]:
    return [one[9:33] for one in parted(blob)[1]]


def test_no_nonce_comes_twice_for_another_value_place_or_number() -> None:
    blobs = [
        encrypted(noise(FRAME) * 2),
        encrypted(noise(FRAME) * 2 + b"x"),
        encrypted(noise(FRAME)),
        encrypted(noise(FRAME, seed=8) + noise(FRAME)),
        wrap(noise(FRAME), context="elsewhere", keys=KEYS),
        encrypted(noise(FRAME), KeyRing(keys=(NEW,))),
    ]
    drawn = [nonce for blob in blobs for nonce in nonces(blob)]
    # The first two begin with the same frame: the same bytes, all of them.
    assert parted(blobs[0])[1][0] == parted(blobs[1])[1][0]
    assert len(drawn) == 10
    assert len(set(drawn)) == 9


def test_another_compression_of_the_same_value_gets_another_nonce(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ours = encrypted(ROWS)
    monkeypatch.setattr(envelope, "smaller", lambda data: zstd.compress(data, 19))
    theirs = encrypted(ROWS)
    assert opened(theirs) == opened(ours) == ROWS
    assert nonces(theirs) != nonces(ours)


# -- who can read it -----------------------------------------------------------------------------


def test_plain_blobs_stay_readable_once_there_are_keys() -> None:
    assert opened(plain(ROWS), KEYS) == ROWS


def test_encrypted_blobs_are_readable_while_nothing_is_encrypted() -> None:
    reading = KeyRing(keys=(NEW, OLD), encrypting=False)
    assert opened(encrypted(ROWS), reading) == ROWS
    assert wrap(ROWS, context=HERE, keys=reading) == plain(ROWS)


def test_an_old_key_reads_after_a_new_one_has_come() -> None:
    rotated = KeyRing(keys=(NEW, OLD))
    assert opened(encrypted(ROWS), rotated) == ROWS
    assert encrypted(ROWS, rotated).startswith(header(b"new"))


@pytest.mark.parametrize("keys", [None, KeyRing(keys=(NEW,))])
async def test_without_its_key_one_is_told_which_is_missing(keys: KeyRing | None) -> None:
    with pytest.raises(KeyUnknown, match=r"'old'.*add it to CLAIM_CHECK_KEYS"):
        opened(encrypted(ROWS), keys)
    with pytest.raises(KeyUnknown, match=r"'old'.*add it to CLAIM_CHECK_KEYS"):
        await joined(unwrap_stream(cut(encrypted(ROWS), 99), context=HERE, keys=keys))


def test_another_key_of_the_same_id_does_not_open_it() -> None:
    other = KeyRing(keys=(Key(id="old", secret=NEW.secret),))
    with pytest.raises(BlobDamaged, match="another key of the id 'old'"):
        opened(encrypted(ROWS), other)


def test_an_encrypted_blob_opens_in_its_own_place_alone() -> None:
    with pytest.raises(BlobDamaged, match="a place it was not written for"):
        unwrap(encrypted(ROWS), context="v1/default/order-18", keys=KEYS, limit=MIB)


# -- what is refused -----------------------------------------------------------------------------


def resized(one: bytes, size: int) -> bytes:
    return one[:1] + struct.pack(">I", size) + one[5:]


def flagged(one: bytes, flags: int) -> bytes:
    return bytes((flags,)) + one[1:]


def wrong_order(frames: list[bytes]) -> list[bytes]:
    return [frames[1], frames[0], *frames[2:]]


CHANGES: dict[str, Callable[[list[bytes]], list[bytes]]] = {
    "the first frame is gone": lambda frames: frames[1:],
    "a frame in the middle is gone": lambda frames: [frames[0], *frames[2:]],
    "the last frame is gone": lambda frames: frames[:-1],
    "all frames are gone": lambda _: [],
    "two frames have changed places": wrong_order,
    "a frame is there twice": lambda frames: [frames[0], *frames],
    "a frame is from another blob": lambda frames: [
        parted(encrypted(noise(FRAME, seed=3) + bytes(5)))[1][0],
        *frames[1:],
    ],
    "the end is from another blob": lambda frames: [
        *frames[:-1],
        parted(encrypted(noise(2 * FRAME, seed=3) + bytes(5)))[1][-1],
    ],
    "it ends with a frame that is not the last": lambda frames: [flagged(frames[0], 1)],
    "the last frame is not the end": lambda frames: [*frames, frames[-1]],
    "the last frame does not say so": lambda frames: [*frames[:-1], flagged(frames[-1], 0)],
    "something follows": lambda frames: [*frames, b"\0"],
    "a frame says to be compressed": lambda frames: [flagged(frames[0], 2), *frames[1:]],
    "a frame says to be smaller": lambda frames: [*frames[:-1], resized(frames[-1], 3)],
    "a frame says to be larger": lambda frames: [*frames[:-1], resized(frames[-1], 9)],
    "a frame has an unknown flag": lambda frames: [*frames[:-1], flagged(frames[-1], 5)],
}


@pytest.mark.parametrize("change", CHANGES)
async def test_frames_cannot_be_tampered_with(change: str) -> None:
    start, frames = parted(encrypted(noise(FRAME) + noise(FRAME, seed=8) + b"ended"))
    changed = start + b"".join(CHANGES[change](frames))
    with pytest.raises(BlobDamaged):
        opened(changed)
    with pytest.raises(BlobDamaged):
        await joined(unwrap_stream(cut(changed, MIB), context=HERE, keys=KEYS))


def test_every_bit_and_every_byte_of_an_encrypted_blob_counts() -> None:
    for blob in (encrypted(b"short"), encrypted(bytes(500))):
        for at in range(len(blob)):
            with pytest.raises((BlobDamaged, KeyUnknown)):
                opened(blob[:at])
            for bit in range(8):
                flipped = blob[:at] + bytes([blob[at] ^ 1 << bit]) + blob[at + 1 :]
                with pytest.raises((BlobDamaged, KeyUnknown)):
                    opened(flipped)


def test_a_blob_cannot_be_passed_off_as_encrypted_with_another_key() -> None:
    twins = KeyRing(keys=(OLD, Key(id="two", secret=OLD.secret)))
    with pytest.raises(BlobDamaged):
        opened(encrypted(ROWS, twins).replace(b"old", b"two", 1), twins)


def wide(data: bytes) -> bytes:
    """Compressed so that it takes 64 MiB to look back to."""
    packer = zstd.ZstdCompressor(options={zstd.CompressionParameter.window_log: 26})
    return packer.compress(data) + packer.flush()


ZEROS = zstd.compress(bytes(FRAME), 1)
CHECKED = zstd.compress(bytes(FRAME), options={zstd.CompressionParameter.checksum_flag: 1})
BOMB = zstd.compress(bytes(64 * MIB), options={zstd.CompressionParameter.window_log: 20})
DAMAGED = {
    "nothing": b"",
    "something else": b"{}" * 20,
    "another beginning": b"\xccCHQ" + (header() + frame(1, 0, b""))[4:],
    "an unknown flag": header() + frame(5, 0, b""),
    "no version": b"\xccCHK",
    "no frame": header(),
    "no id": header(b"old")[:8],
    "an id that is none": header(b"o d") + frame(1, 0, bytes(40)),
    "an encrypted frame without a nonce": header(b"old") + frame(1, 0, bytes(39)),
    "a short frame before the last": header() + frame(0, 5, b"hello") + frame(1, 1, b"x"),
    "an empty frame before the last": header() + frame(0, 0, b"") + frame(1, 1, b"x"),
    "an empty last frame": header() + frame(0, FRAME, bytes(FRAME)) + frame(1, 0, b""),
    "a frame that is too large": header() + frame(1, FRAME + 1, bytes(FRAME + 1)),
    "a body that is too large": header() + frame(3, 5, zstd.compress(b"hello")),
    "a body that is not compressed": header() + frame(3, 5, b"hello"),
    "an empty body": header() + frame(3, 5, b""),
    "more than it says": header() + frame(3, FRAME - 1, ZEROS),
    "far more than it says": header() + frame(3, 100, ZEROS),
    "very far more than it says": header() + frame(3, FRAME, BOMB),
    "less than it says": header() + frame(3, FRAME, zstd.compress(bytes(FRAME - 1))),
    "two texts in one": header() + frame(3, 200, zstd.compress(bytes(100)) * 2),
    "something behind the text": header() + frame(3, FRAME, ZEROS + b"\0"),
    "a text without its end": header() + frame(3, FRAME, CHECKED[:-4]),
    "half a text": header() + frame(3, FRAME, ZEROS[:-4]),
    "a text that needs too much memory": header() + frame(3, FRAME, wide(bytes(FRAME))),
}


@pytest.mark.parametrize("what", DAMAGED)
async def test_what_nobody_has_wrapped_is_refused(what: str) -> None:
    blob = DAMAGED[what]
    with no_more_memory_than(3 * MIB), pytest.raises(BlobDamaged):
        opened(blob)
    with pytest.raises(BlobDamaged):
        await joined(unwrap_stream(cut(blob, 1000), context=HERE, keys=KEYS))


def test_a_later_version_is_told_apart_from_damage() -> None:
    with pytest.raises(BlobDamaged, match=r"version 2 .* newer release"):
        opened(header(version=2) + frame(1, 0, b""))


def test_a_value_may_have_as_much_as_the_limit_and_no_more() -> None:
    for data in (b"", b"x", noise(FRAME), bytes(3 * FRAME + 1)):
        for blob in (plain(data), encrypted(data)):
            assert opened(blob, limit=len(data)) == data
            with pytest.raises(BlobTooLarge, match=f"more than {len(data) - 1} bytes"):
                opened(blob, limit=len(data) - 1)


async def test_a_blob_that_swells_is_refused_before_it_does() -> None:
    bomb = header() + frame(2, FRAME, ZEROS) * 20_000 + frame(3, FRAME, ZEROS)
    with no_more_memory_than(MIB // 10), pytest.raises(BlobTooLarge):
        opened(bomb, limit=16 * MIB)
    given: list[bytes] = []
    pieces = unwrap_stream(cut(bomb, 65536), context=HERE, keys=None, limit=4 * MIB)
    with pytest.raises(BlobTooLarge):
        await collect(pieces, given)
    assert sum(map(len, given)) == 4 * MIB


# -- streams -------------------------------------------------------------------------------------


@pytest.mark.parametrize("keys", [None, KEYS])
@pytest.mark.parametrize("chunk", [1000, MIB, 8 * MIB])
async def test_a_stream_is_the_same_blob_however_it_comes(keys: KeyRing | None, chunk: int) -> None:
    data = noise(FRAME) + bytes(FRAME + 17)
    blob = wrap(data, context=HERE, keys=keys)
    assert await joined(wrap_stream(cut(data, chunk), context=HERE, keys=keys)) == blob
    assert await joined(unwrap_stream(cut(blob, chunk), context=HERE, keys=keys)) == data


async def nothing(times: int) -> AsyncIterator[bytes]:
    for _ in range(times):
        yield b""


@pytest.mark.parametrize("times", [0, 1, 3])
async def test_a_stream_of_nothing_is_an_empty_value(times: int) -> None:
    blob = await joined(wrap_stream(nothing(times), context=HERE, keys=KEYS))
    assert blob == encrypted(b"")
    assert await joined(unwrap_stream(cut(blob, 1), context=HERE, keys=KEYS)) == b""
    with pytest.raises(BlobDamaged, match="the end of the blob is missing"):
        await joined(unwrap_stream(nothing(times), context=HERE, keys=KEYS))


@pytest.mark.parametrize("keys", [None, KEYS])
@pytest.mark.parametrize("chunk", [100_000, 48 * MIB])
async def test_a_stream_takes_a_few_frames_of_memory(keys: KeyRing | None, chunk: int) -> None:
    data = noise(48 * MIB)
    with no_more_memory_than(16 * MIB):
        whole = wrap_stream(cut(data, chunk), context=HERE, keys=keys)
        size = 0
        async for piece in unwrap_stream(whole, context=HERE, keys=keys):
            assert len(piece) <= FRAME
            size += len(piece)
    assert size == len(data)


async def test_the_end_of_the_chunks_is_seen_before_the_last_piece_is_given() -> None:
    async def damaged_at_the_end() -> AsyncIterator[bytes]:
        yield encrypted(noise(FRAME) + b"ended")
        raise BlobDamaged("the hash is another one")

    given: list[bytes] = []
    with pytest.raises(BlobDamaged, match="the hash is another one"):
        await collect(unwrap_stream(damaged_at_the_end(), context=HERE, keys=KEYS), given)
    assert given == [noise(FRAME)]


async def test_the_loop_goes_on_while_a_stream_is_worked_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    loop = asyncio.get_running_loop()

    def the_loop_goes_on() -> bool:
        gone_on = threading.Event()
        loop.call_soon_threadsafe(gone_on.set)
        return gone_on.wait(10)

    def packing(data: memoryview) -> bytes | None:
        assert the_loop_goes_on()
        return smaller(data)

    def unpacking(packed: bytes, *, size: int) -> bytes:
        assert the_loop_goes_on()
        return unpacked(packed, size=size)

    monkeypatch.setattr(envelope, "smaller", packing)
    monkeypatch.setattr(envelope, "unpacked", unpacking)
    blob = await joined(wrap_stream(cut(bytes(FRAME + 1), 999), context=HERE, keys=KEYS))
    assert await joined(unwrap_stream(cut(blob, 999), context=HERE, keys=KEYS)) == bytes(FRAME + 1)
