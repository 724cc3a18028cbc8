"""The names of blobs: a contract, for they are in histories."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from claimcheck.errors import ClaimInvalid
from claimcheck.keys import (
    PROBE_FOLDER,
    BlobKey,
    digest_of,
    folder_of,
    holder_folder,
    namespace_folder,
    segment,
)

DIGEST = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
names = st.text(st.characters(exclude_categories=["Cs"]), max_size=200)


def test_a_key_names_namespace_workflow_and_hash() -> None:
    key = f"{folder_of('default', 'order-1')}/{digest_of(b'abc')}"

    assert key == f"v1/default/order-1/{DIGEST}"
    assert BlobKey.parse(key) == BlobKey("default", "order-1", DIGEST)


def test_a_note_names_the_holder_as_well() -> None:
    key = f"{holder_folder(folder_of('default', 'order-1'), 'audit/7')}/{DIGEST}"

    assert key == f"v1/default/order-1/held-by/audit%2F7/{DIGEST}"
    assert BlobKey.parse(key) == BlobKey("default", "order-1", DIGEST, "audit%2F7")


@pytest.mark.parametrize(
    ("name", "written"),
    [
        ("order-1_a.B", "order-1_a.B"),
        ("a/b", "a%2Fb"),
        ("a b~c%", "a%20b%7Ec%25"),
        ("Müller", "M%C3%BCller"),
        ("", "%00"),
        (".", "%2E"),
        ("..", "%2E%2E"),
        ("...", "..."),
        ("held-by", "held-by"),
        ("a" * 120, "a" * 120),
        ("a" * 121, f"~{hashlib.sha256(b'a' * 121).hexdigest()}"),
        ("/" * 41, f"~{hashlib.sha256(b'/' * 41).hexdigest()}"),
    ],
)
def test_names_are_written_so(name: str, written: str) -> None:
    assert segment(name) == written


@given(namespace=names, workflow=names, holder=st.none() | names)
def test_every_name_makes_a_key_that_is_read_again(
    namespace: str, workflow: str, holder: str | None
) -> None:
    folder = folder_of(namespace, workflow)
    inner = folder if holder is None else holder_folder(folder, holder)
    key = f"{inner}/{DIGEST}"

    parsed = BlobKey.parse(key)

    assert parsed.namespace == segment(namespace)
    assert parsed.workflow == segment(workflow)
    assert parsed.holder == (None if holder is None else segment(holder))
    assert key.startswith(f"{namespace_folder(namespace)}/")
    assert len(key) <= 438
    assert all(part not in ("", ".", "..") for part in key.split("/"))


@given(one=names, other=names)
@example(one="", other="\0")
def test_two_names_are_never_written_alike(one: str, other: str) -> None:
    assert (segment(one) == segment(other)) is (one == other)


@given(text=st.text(max_size=300) | st.from_regex(r"v1/[^/]{0,9}/[^/]{0,9}/[0-9a-f]{64}\n?"))
def test_what_is_read_as_a_key_is_safe_as_a_path(text: str) -> None:
    try:
        parsed = BlobKey.parse(text)
    except ClaimInvalid:
        return
    assert text.isascii()
    assert text.isprintable()
    assert text.startswith("v1/")
    assert text.endswith(f"/{parsed.digest}")
    assert all(part not in ("", ".", "..") and len(part) <= 120 for part in text.split("/"))


@given(namespace=names)
def test_no_namespace_is_where_stores_try_themselves_out(namespace: str) -> None:
    assert not f"{PROBE_FOLDER}/".startswith(f"{namespace_folder(namespace)}/")


def test_the_place_to_try_a_store_out_takes_blobs() -> None:
    assert BlobKey.parse(f"{PROBE_FOLDER}/{DIGEST}").digest == DIGEST


def test_what_is_no_key_is_named_but_not_at_length() -> None:
    with pytest.raises(ClaimInvalid, match=r"^'x{200}' is not the key of a blob$"):
        BlobKey.parse("x" * 1000)
