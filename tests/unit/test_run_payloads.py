"""What is shown of payloads whose values are in the store, or encrypted."""

from __future__ import annotations

import json
from typing import Any

import pytest
from temporalio.api.common.v1 import Payload, Payloads
from temporalio.api.failure.v1 import ApplicationFailureInfo, Failure

from claimcheck.claim import Claim
from claimcheck.cloakroom import Cloakroom
from claimcheck.codec import ClaimCodec
from claimcheck.keyring import KeyRing, new_key
from claimcheck.keys import digest_of, folder_of
from claimcheck.payloads import OrderedJsonConverter, flawed_payload, reference_payload
from claimcheck.stores.memory import MemoryStore
from service.runs.payloads import PLAIN, PayloadReader, shown

MEGABYTE = 1024 * 1024
KEY = new_key("first")


class Unreachable(MemoryStore):
    async def get(self, key: str, *, limit: int) -> bytes:
        raise AssertionError(f"nothing is fetched to show a payload: {key}, {limit}")


def _claim(size: int, *, of: bytes = b"x", at: tuple[str, ...] = ()) -> Claim:
    return Claim(key=f"{folder_of('default', 'w')}/{digest_of(of)}", size=size, at=at)


def _json(value: Any) -> Payload:
    payload = OrderedJsonConverter().to_payload(value)
    assert payload is not None
    return payload


def _codec(keys: str | None) -> ClaimCodec:
    ring = KeyRing.parse(keys) if keys else None
    cloakroom = Cloakroom(Unreachable(), namespace="default", keys=ring)
    return ClaimCodec(cloakroom, role="client", workflow_id="w")


def _reader(keys: str | None = KEY) -> PayloadReader:
    return PayloadReader(_codec(keys).unsealed)


async def _sealed(payload: Payload) -> Payload:
    (sealed,) = await _codec(KEY).encode([payload])
    assert sealed.metadata["encoding"] == b"binary/encrypted"
    return sealed


def _measured(payload: Payload, reader: PayloadReader = PLAIN) -> int | None:
    return reader.size(Payloads(payloads=[payload]))


@pytest.mark.parametrize(
    ("payload", "value"),
    [
        (_json({"b": 1, "a": [2]}), {"b": 1, "a": [2]}),
        (Payload(metadata={"encoding": b"binary/null"}), None),
        (Payload(metadata={"encoding": b"text/yaml"}, data=b"flow: x"), "flow: x"),
        (Payload(metadata={"encoding": b"x/y"}, data=b"12345"), "<x/y, 5 bytes>"),
        (Payload(data=b"12345"), "<unknown encoding, 5 bytes>"),
        (
            Payload(metadata={"encoding": b"json/plain"}, data=b"{nope"),
            "<what is no JSON, though it says so: 5 B>",
        ),
    ],
)
def test_values_are_read_where_that_is_plain(payload: Payload, value: object) -> None:
    assert PLAIN.value(payload) == value


def test_a_value_in_the_store_is_a_word_with_its_size() -> None:
    payload = reference_payload(_claim(5 * MEGABYTE))
    assert PLAIN.value(payload) == "<5.0 MB in the store>"
    assert _measured(payload) == 5 * MEGABYTE


def test_parts_in_the_store_are_words_where_they_stand() -> None:
    value = {"small": 1, "large": _claim(MEGABYTE), "list": [_claim(2048, of=b"y")]}
    payload = _json(value)
    assert PLAIN.value(payload) == {
        "small": 1,
        "large": "<1.0 MB in the store>",
        "list": ["<2.0 KB in the store>"],
    }
    around = len(json.dumps({"small": 1, "large": 0, "list": [0]}, separators=(",", ":"))) - 2
    assert _measured(payload) == around + MEGABYTE + 2048


def test_parts_of_one_blob_measure_no_more_than_the_blob() -> None:
    part = {"a": _claim(MEGABYTE, at=("a",)), "b": _claim(MEGABYTE, at=("b",))}
    size = _measured(_json(part))
    assert size is not None
    assert MEGABYTE < size < MEGABYTE + 20
    assert shown(part)["a"] == "<part of 1.0 MB in the store>"  # type: ignore[index,call-overload]


def test_what_only_looks_like_a_claim_is_shown_as_it_is() -> None:
    written = {"looks": _claim(5).as_json()}
    payload = _json(written)
    assert PLAIN.value(payload) == written
    assert _measured(payload) == len(payload.data)


def test_a_reference_that_nobody_can_follow_is_a_word() -> None:
    payload = flawed_payload("the seal is broken")
    assert PLAIN.value(payload) == "<a reference that leads nowhere: the seal is broken>"
    assert _measured(payload) is None


async def test_encrypted_values_are_opened_and_those_in_the_store_are_not_fetched() -> None:
    plain = await _sealed(_json({"a": 1}))
    assert _reader().value(plain) == {"a": 1}
    assert _measured(plain, _reader()) == len('{"a":1}')
    assert _reader().text(await _sealed(_json("Fetch it"))) == "Fetch it"
    reference = await _sealed(reference_payload(_claim(5 * MEGABYTE)))
    assert _reader().value(reference) == "<5.0 MB in the store>"
    assert _measured(reference, _reader()) == 5 * MEGABYTE


@pytest.mark.parametrize(
    ("keys", "where"),
    [(None, "but there are no keys here"), (new_key("other"), "is not in the key ring (other)")],
    ids=["no keys", "another key"],
)
async def test_without_the_key_it_is_said_which_one_is_missing(
    keys: str | None, where: str
) -> None:
    sealed = await _sealed(_json({"a": 1}))
    told = _reader(keys).value(sealed)
    assert isinstance(told, str)
    assert "the key 'first'" in told
    assert where in told
    assert _measured(sealed, _reader(keys)) is None
    assert _reader(keys).text(sealed) is None


async def test_failures_whose_attributes_are_encoded_are_told() -> None:
    attributes = await _sealed(_json({"message": "503", "stack_trace": ""}))
    failure = Failure(
        message="Encoded failure",
        encoded_attributes=attributes,
        application_failure_info=ApplicationFailureInfo(type="HttpStatus"),
    )
    assert _reader().error(failure) == "HttpStatus: 503"
    assert "the key 'first'" in _reader(None).error(failure)
