"""Any value comes back from its blob, and nothing else comes out of any bytes."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from claimcheck.envelope import FRAME, unwrap, unwrap_stream, wrap, wrap_stream
from claimcheck.errors import ClaimCheckError
from claimcheck.keyring import Key, KeyRing
from claimcheck.sealing import seal, unseal

KEYS = KeyRing(keys=(Key(id="k1", secret=bytes(range(32))),))
HERE = "v1/default/order-17"
LIMIT = 8 * FRAME

rings = st.sampled_from([None, KEYS])
sizes = st.integers(0, 200) | st.builds(
    lambda frames, more: max(frames * FRAME + more, 0), st.integers(1, 3), st.integers(-2, 2)
)


@st.composite
def values(draw: st.DrawFn) -> bytes:
    """Values that compress, that do not, and that do in a part."""
    size, seed = draw(sizes), draw(st.integers(0, 5))
    noisy = random.Random(seed).randbytes(size)
    kind = draw(st.integers(0, 3))  # of numbers, for hypothesis writes out what it chooses from
    parts = (noisy, bytes(size), noisy[: size // 2] + bytes(size - size // 2), noisy[:50] * 60_000)
    return parts[kind][:size]


cuts = st.lists(st.integers(0, 3 * FRAME + 2), max_size=8)


async def pieces(data: bytes, at: list[int]) -> AsyncIterator[bytes]:
    """The data cut at those places; some pieces may be empty."""
    for start, end in pairwise([0, *sorted(at), max([len(data), *at])]):
        yield data[start:end]


async def _joined(chunks: AsyncIterator[bytes]) -> bytes:
    return b"".join([chunk async for chunk in chunks])


def joined(chunks: AsyncIterator[bytes]) -> bytes:
    with asyncio.Runner() as runner:
        return runner.run(_joined(chunks))


@given(values(), rings, st.text(max_size=20))
def test_every_value_comes_back(data: bytes, keys: KeyRing | None, context: str) -> None:
    blob = wrap(data, context=context, keys=keys)
    assert unwrap(blob, context=context, keys=KEYS, limit=len(data)) == data
    assert len(blob) <= len(data) + 60 * (len(data) // FRAME + 1)


@given(values(), rings, cuts, cuts)
def test_how_a_value_is_cut_changes_nothing(
    data: bytes, keys: KeyRing | None, in_at: list[int], out_at: list[int]
) -> None:
    blob = wrap(data, context=HERE, keys=keys)
    assert joined(wrap_stream(pieces(data, in_at), context=HERE, keys=keys)) == blob
    assert joined(unwrap_stream(pieces(blob, out_at), context=HERE, keys=keys)) == data


def outcome(read: Callable[[], bytes]) -> bytes | type[ClaimCheckError]:
    """What was read, or what kind of error of ours it was; any other is a bug and goes on."""
    try:
        return read()
    except ClaimCheckError as error:
        return type(error)


def read(blob: bytes) -> bytes | type[ClaimCheckError]:
    """What comes of the bytes; the same as a stream of them."""
    whole = outcome(lambda: unwrap(blob, context=HERE, keys=KEYS, limit=LIMIT))
    stream = unwrap_stream(pieces(blob, [7, 20, 21]), context=HERE, keys=KEYS, limit=LIMIT)
    streamed = outcome(lambda: joined(stream))
    # Both refuse the same; of several reasons a stream may come upon another one first.
    assert whole == streamed or not (isinstance(whole, bytes) or isinstance(streamed, bytes))
    return whole


beginnings = st.sampled_from(
    [
        b"",
        b"\xccCHK",
        b"\xccCHK\1\0",
        b"\xccCHK\1\0\1\0\0\0",
        b"\xccCHK\1\0\3\0\0\1\0\0\0\0\x10\x28\xb5\x2f\xfd",
        b"\xccCHK\1\2k1",
        b"\xccCHK\1\2k1\1\0\0\0\5\0\0\0\x2d",
        b"\xccCHK\1\2k2",
    ]
)


@given(beginnings, st.binary(max_size=300))
@example(b"\xccCHK\1\2k", b"")
@example(b"\xccCHK\1\0\1\0\0\0\5\0\0\0\5", b"hello")
def test_any_bytes_are_read_or_refused_in_our_own_words(start: bytes, rest: bytes) -> None:
    whole = read(start + rest)
    assert not isinstance(whole, bytes) or start[:6] == b"\xccCHK\1\0"


SAMPLES = {
    encrypting: [
        wrap(data, context=HERE, keys=KEYS if encrypting else None)
        for data in (b"", b"hello", b"hello" * 100, bytes(4 * FRAME + 5))
    ]
    for encrypting in (True, False)
}


@st.composite
def changed(draw: st.DrawFn, blob: bytes) -> bytes:
    """The blob with some bytes flipped, taken out, put in, copied from elsewhere, or cut off."""
    data = bytearray(blob)
    for _ in range(draw(st.integers(1, 3))):
        at, length = draw(st.integers(0, len(data))), draw(st.integers(0, 12))
        source = draw(st.integers(0, len(data)))
        kind = draw(st.sampled_from(["flip", "remove", "insert", "copy", "move", "cut"]))
        if kind == "flip" and at < len(data):
            data[at] ^= 1 << draw(st.integers(0, 7))
        elif kind == "remove":
            del data[at : at + length]
        elif kind == "insert":
            data[at:at] = draw(st.binary(max_size=length))
        elif kind == "copy":
            data[at : at + length] = data[source : source + length]
        elif kind == "move":
            data[at:at] = data[source:]
        elif kind == "cut":
            del data[at:]
    return bytes(data)


@given(st.sampled_from(SAMPLES[True]).flatmap(lambda blob: st.tuples(st.just(blob), changed(blob))))
def test_nothing_comes_out_of_an_encrypted_blob_that_was_changed(both: tuple[bytes, bytes]) -> None:
    blob, other = both
    assert blob == other or not isinstance(read(other), bytes)


@given(st.sampled_from(SAMPLES[False]).flatmap(changed))
def test_a_plain_blob_that_was_changed_is_read_or_refused_in_our_own_words(blob: bytes) -> None:
    whole = read(blob)
    assert not isinstance(whole, bytes) or len(whole) <= LIMIT


def framed(blob: bytes) -> list[bytes]:
    at, frames = 8, []
    while at < len(blob):
        end = at + 9 + int.from_bytes(blob[at + 5 : at + 9], "big")
        frames.append(blob[at:end])
        at = end
    return frames


FRAMES = [one for blob in SAMPLES[True] for one in framed(blob)]


@given(st.lists(st.sampled_from(FRAMES), max_size=6))
@example(framed(SAMPLES[True][-1]))
@example(framed(SAMPLES[True][-1])[:-1])
def test_frames_open_in_their_own_blob_and_order_alone(frames: list[bytes]) -> None:
    blob = b"\xccCHK\1\2k1" + b"".join(frames)
    assert isinstance(read(blob), bytes) == (blob in SAMPLES[True])


@given(st.binary(max_size=100), st.text(max_size=20), st.data())
def test_a_sealed_payload_opens_as_it_was_or_not_at_all(
    data: bytes, context: str, more: st.DataObject
) -> None:
    sealed = seal(data, context=context, keys=KEYS)
    assert unseal(sealed, context=context, keys=KEYS) == data
    other = more.draw(changed(sealed))
    if other != sealed:
        with pytest.raises(ClaimCheckError):
            unseal(other, context=context, keys=KEYS)


@given(st.sampled_from([b"", b"\1", b"\1\2k1", b"\1\2k2"]), st.binary(max_size=80))
def test_any_bytes_are_no_sealed_payload(start: bytes, rest: bytes) -> None:
    with pytest.raises(ClaimCheckError):
        unseal(start + rest, context=HERE, keys=KEYS)
