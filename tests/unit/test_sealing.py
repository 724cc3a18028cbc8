"""Sealed payloads: whoever has the key opens them, in the place they were made for."""

from __future__ import annotations

import pytest

from claimcheck.ciphers import Cipher
from claimcheck.errors import KeyUnknown, SealBroken
from claimcheck.keyring import Key, KeyRing
from claimcheck.sealing import seal, unseal

OLD, NEW = Key(id="old", secret=bytes(range(32))), Key(id="new", secret=bytes(range(32, 64)))
KEYS = KeyRing(keys=(OLD,))
TEXT = b'{"customer": "Ada"}'


@pytest.mark.parametrize("data", [b"", TEXT, bytes(3_000_000)])
def test_what_is_sealed_opens(data: bytes) -> None:
    sealed = seal(data, context="default", keys=KEYS)
    assert unseal(sealed, context="default", keys=KEYS) == data
    assert len(sealed) == len(data) + 45


def test_the_same_payload_is_sealed_to_other_bytes_each_time() -> None:
    sealed = {seal(TEXT, context="default", keys=KEYS) for _ in range(20)}
    assert len(sealed) == 20
    assert not [one for one in sealed if b"customer" in one]


def test_it_opens_in_its_own_context_alone() -> None:
    sealed = seal(TEXT, context="default", keys=KEYS)
    with pytest.raises(SealBroken, match="another place than 'other'"):
        unseal(sealed, context="other", keys=KEYS)


def test_an_old_key_opens_after_a_new_one_has_come() -> None:
    rotated = KeyRing(keys=(NEW, OLD))
    sealed = seal(TEXT, context="default", keys=KEYS)
    assert unseal(sealed, context="default", keys=rotated) == TEXT
    with pytest.raises(KeyUnknown, match="'new'"):
        unseal(seal(TEXT, context="default", keys=rotated), context="default", keys=KEYS)


def test_without_keys_one_is_told_which_is_missing() -> None:
    sealed = seal(TEXT, context="default", keys=KEYS)
    with pytest.raises(KeyUnknown, match=r"'old'.*add it to CLAIM_CHECK_KEYS"):
        unseal(sealed, context="default", keys=None)


def test_a_ring_that_decrypts_only_opens_and_does_not_seal() -> None:
    reading = KeyRing(keys=(OLD,), encrypting=False)
    sealed = seal(TEXT, context="default", keys=KEYS)
    assert unseal(sealed, context="default", keys=reading) == TEXT
    with pytest.raises(ValueError, match="decrypts only"):
        seal(TEXT, context="default", keys=reading)


def test_another_key_of_the_same_id_does_not_open_it() -> None:
    sealed = seal(TEXT, context="default", keys=KEYS)
    other = KeyRing(keys=(Key(id="old", secret=NEW.secret),))
    with pytest.raises(SealBroken, match="another key of the id 'old'"):
        unseal(sealed, context="default", keys=other)


def test_a_payload_cannot_be_passed_off_as_sealed_with_another_key() -> None:
    twins = KeyRing(keys=(OLD, Key(id="two", secret=OLD.secret)))
    sealed = seal(TEXT, context="default", keys=twins)
    with pytest.raises(SealBroken):
        unseal(sealed.replace(b"old", b"two", 1), context="default", keys=twins)


def test_every_bit_and_every_byte_counts() -> None:
    sealed = seal(TEXT, context="default", keys=KEYS)
    for at in range(len(sealed)):
        with pytest.raises(SealBroken):
            unseal(sealed[:at], context="default", keys=KEYS)
        for bit in range(8):
            flipped = sealed[:at] + bytes([sealed[at] ^ 1 << bit]) + sealed[at + 1 :]
            with pytest.raises((SealBroken, KeyUnknown)):
                unseal(flipped, context="default", keys=KEYS)


def test_a_later_version_is_told_apart_from_damage() -> None:
    sealed = seal(TEXT, context="default", keys=KEYS)
    with pytest.raises(SealBroken, match="newer release"):
        unseal(b"\x02" + sealed[1:], context="default", keys=KEYS)


def test_what_is_encrypted_for_one_purpose_opens_for_no_other() -> None:
    sealed = Cipher(OLD.secret, "payload").encrypt(TEXT, nonce=bytes(24), associated=b"")
    assert Cipher(OLD.secret, "payload").decrypt(memoryview(sealed), associated=b"") == TEXT
    assert Cipher(OLD.secret, "frame").decrypt(memoryview(sealed), associated=b"") is None


def test_both_halves_of_the_nonce_count() -> None:
    cipher, texts = Cipher(OLD.secret, "payload"), set()
    for nonce in (bytes(24), b"\x01" + bytes(23), bytes(23) + b"\x01"):
        texts.add(cipher.encrypt(TEXT, nonce=nonce, associated=b"")[24:])
    assert len(texts) == 3
