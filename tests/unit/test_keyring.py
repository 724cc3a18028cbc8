"""The key ring: how it is written, and that no part of a key comes out of it again."""

from __future__ import annotations

import base64
import traceback

import pytest

from claimcheck.errors import KeyUnknown
from claimcheck.keyring import Key, KeyRing, KeyRingInvalid, find_key, id_in, new_key

OLD, NEW = bytes(range(32)), bytes(range(32, 64))
OLD_TEXT, NEW_TEXT = base64.b64encode(OLD).decode(), base64.b64encode(NEW).decode()


@pytest.mark.parametrize(
    "text",
    [
        f"new:{NEW_TEXT},old:{OLD_TEXT}",
        f"new:{NEW_TEXT}\nold:{OLD_TEXT}\n",
        f"\r\n  new : {NEW_TEXT} ,\r\n\r\n,old:{OLD_TEXT}  \r\n",
        f"# since May, for all\nnew:{NEW_TEXT} # the one in use, a:b\nold:{OLD_TEXT}#",
    ],
)
def test_keys_are_read_in_their_order(text: str) -> None:
    keys = KeyRing.parse(text)
    assert keys.keys == (Key(id="new", secret=NEW), Key(id="old", secret=OLD))
    assert keys.first.id == "new"
    assert keys.encrypting


def test_a_ring_may_be_for_decrypting_only() -> None:
    assert not KeyRing.parse(f"old:{OLD_TEXT}", encrypting=False).encrypting


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "there is no key"),
        (" ,\n# old:nothing\n", "there is no key"),
        (OLD_TEXT, "key 1 of the key ring (line 1) is not of the form id:base64"),
        (f"new:{NEW_TEXT}\n\n{OLD_TEXT}", "key 2 of the key ring (line 3)"),
        (f"{OLD_TEXT}:old", "not base64"),
        (f"{OLD_TEXT}:{NEW_TEXT}", "its id is not 1 to 32 letters"),
        (f"an id:{OLD_TEXT}", "its id is not 1 to 32 letters"),
        (f":{OLD_TEXT}", "its id is not 1 to 32 letters"),
        (f"{'x' * 33}:{OLD_TEXT}", "its id is not 1 to 32 letters"),
        (f"old:{OLD_TEXT[:-1]}", "not base64"),
        (f"old:{OLD_TEXT[:9]} {OLD_TEXT[9:]}", "not base64"),
        (f"old:é{OLD_TEXT}", "not base64"),
        (f"old:{OLD.hex()}", "it has 48 bytes instead of 32"),
        (f"old:{OLD_TEXT[:24]}", "it has 18 bytes instead of 32"),
        ("old:", "it has 0 bytes instead of 32"),
        (f"old:{OLD_TEXT},old:{NEW_TEXT}", "the key id 'old' is there twice"),
    ],
)
def test_a_key_ring_that_cannot_be_used_is_refused_without_telling_a_key(
    text: str, told: str
) -> None:
    with pytest.raises(KeyRingInvalid) as refused:
        KeyRing.parse(text)
    assert told in str(refused.value)
    everything = "".join(traceback.format_exception(refused.value)) + repr(refused.value)
    for secret in (OLD_TEXT, NEW_TEXT, OLD.hex()):
        assert not [at for at in range(len(secret) - 7) if secret[at : at + 8] in everything]


def test_what_is_shown_of_keys_is_their_ids() -> None:
    keys = KeyRing.parse(f"new:{NEW_TEXT},old:{OLD_TEXT}", encrypting=False)
    assert repr(keys) == str(keys) == "KeyRing(new, old; decrypts only)"
    assert repr(keys.first) == str(keys.first) == "Key(id='new')"


def test_a_new_key_is_another_one_each_time_and_can_be_read() -> None:
    one, other = new_key("2026-07"), new_key("2026-07")
    assert one != other
    assert KeyRing.parse(one).ids == ["2026-07"]


def test_a_new_key_needs_an_id() -> None:
    with pytest.raises(KeyRingInvalid, match="its id"):
        new_key("a:b")


def test_an_unknown_key_is_named_with_what_to_do() -> None:
    keys = KeyRing.parse(f"new:{NEW_TEXT}")
    assert find_key(keys, "new").secret == NEW
    with pytest.raises(KeyUnknown, match=r"'old', which is not .*\(new\): add it to CLAIM_CHECK_K"):
        find_key(keys, "old")
    with pytest.raises(KeyUnknown, match=r"'old', but there are no keys .* CLAIM_CHECK_KEYS"):
        find_key(None, "old")


@pytest.mark.parametrize("raw", [b"", b"a" * 33, b"a b", b"\xc3\xa9", b"a\n", b"\xff"])
def test_no_id_is_read_from_what_cannot_be_one(raw: bytes) -> None:
    assert id_in(b"2026-07.a_B") == "2026-07.a_B"
    assert id_in(raw) is None
