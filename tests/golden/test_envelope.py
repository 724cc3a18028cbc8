"""What was stored once opens for ever.

The files in `claims` are as version 1 has written them: add to them, never write them anew. What
is compressed may be written otherwise by another release of zstd; all else may not.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from claimcheck.envelope import FRAME, unwrap, unwrap_stream, wrap
from claimcheck.keyring import KeyRing
from claimcheck.sealing import unseal

CLAIMS = Path(__file__).parent / "claims"

SECRET = bytes(range(32))
KEYS = KeyRing.parse("2026-07:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=")
HERE = "v1/default/order-17"

HELLO = b'{"hello": "world"}'
ROWS = b'{"id": 17, "name": "Ada"}\n' * 40
VALUES = {
    "empty": b"",
    "plain": HELLO,
    "encrypted-empty": b"",
    "encrypted": HELLO,
    "compressed": ROWS,
    "compressed-frames": ROWS * 3000,
    "encrypted-compressed": ROWS,
    "encrypted-frames": ROWS * 3000,
}


def stored(name: str) -> bytes:
    return bytes.fromhex((CLAIMS / f"{name}.hex").read_text(encoding="ascii"))


async def bytewise(data: bytes) -> AsyncIterator[bytes]:
    for at in range(len(data)):
        yield data[at : at + 1]


@pytest.mark.parametrize("name", VALUES)
async def test_what_was_stored_once_opens(name: str) -> None:
    value, blob = VALUES[name], stored(name)
    assert unwrap(blob, context=HERE, keys=KEYS, limit=len(value)) == value
    pieces = unwrap_stream(bytewise(blob), context=HERE, keys=KEYS)
    assert b"".join([piece async for piece in pieces]) == value


@pytest.mark.parametrize("name", ["empty", "plain", "encrypted-empty", "encrypted"])
def test_what_is_not_compressed_is_written_the_same_for_ever(name: str) -> None:
    keys = KEYS if name.startswith("encrypted") else None
    assert wrap(VALUES[name], context=HERE, keys=keys) == stored(name)


@pytest.mark.parametrize(
    ("keys", "digest"),
    [
        (None, "2d4e526dc5b0592b895a48df96d01749be26836866e1fc88fb6305c23a73da83"),
        (KEYS, "77de6d6dfb13c6a312b736fa45abe59db082cad9100dc6c203e49d2f417da4f0"),
    ],
)
def test_the_names_of_many_frames_are_the_same_for_ever(keys: KeyRing | None, digest: str) -> None:
    noise = hashlib.shake_256(b"frames").digest(2 * FRAME + 5)
    assert hashlib.sha256(wrap(noise, context=HERE, keys=keys)).hexdigest() == digest


def test_a_payload_sealed_once_opens() -> None:
    assert unseal(stored("sealed"), context="default", keys=KEYS) == HELLO


def test_every_file_is_opened() -> None:
    assert {path.stem for path in CLAIMS.iterdir()} == {*VALUES, "sealed"}


def by_hand(purpose: str, nonce: bytes, text: bytes, associated: bytes) -> bytes:
    key = hmac.digest(SECRET, b"claimcheck/1/" + purpose.encode(), "sha256")
    once = hmac.digest(key, nonce[:12], "sha256")
    return AESGCM(once).decrypt(nonce[12:], text, associated)


def test_whoever_has_the_key_can_open_them_with_what_is_written_of_them() -> None:
    blob = stored("encrypted")
    header, head, nonce, text = blob[:13], blob[13:22], blob[22:46], blob[46:]
    associated = header + bytes([0, 0, 0, len(HERE)]) + HERE.encode() + bytes(8) + head + bytes(16)
    assert header == b"\xccCHK\x01\x072026-07"
    assert by_hand("frame", nonce, text, associated) == HELLO
    drawn = len(associated).to_bytes(8, "big") + associated + HELLO
    key = hmac.digest(SECRET, b"claimcheck/1/nonce", "sha256")
    assert hmac.digest(key, drawn, "sha256")[:24] == nonce

    sealed = stored("sealed")
    header, nonce, text = sealed[:9], sealed[9:33], sealed[33:]
    assert by_hand("payload", nonce, text, header + b"default") == HELLO
