"""Version 1 of how claims are written. What is here is in histories and in stores, and is read for
ever: add to it, and never change it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from temporalio.api.common.v1 import Payload
from temporalio.converter import WorkflowSerializationContext

from claimcheck.claim import Claim
from claimcheck.cloakroom import Cloakroom
from claimcheck.codec import ClaimCodec, Role
from claimcheck.keyring import Key, KeyRing
from claimcheck.payloads import data_converter
from claimcheck.stores import MemoryStore

FOLDER = "v1/my%20space/order%2F17"
OBJECT = f"{FOLDER}/a091ed2c6cc81016f75a2d266c99f130a2247bfd9cdf0a6e48cdf0c6e32ba4d0"
TEXT = f"{FOLDER}/4eae286dfeab4b62eda32109d58a10512970a3aee13dcb0ac7996d51dfec34b7"
NESTED = f"{FOLDER}/7f8a042e6f514e53c03f098a14f14b2690af2c36f7c9a67f23bcfaded4e022a9"
NOTE = f"{FOLDER}/held-by/order-18/e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

BLOBS = {
    OBJECT: "cc43484b01000100000023000000237b226772656574696e67223a2268656c6c6f222c22726f7773223a5b"
    "312c322c335d7d",
    TEXT: "cc43484b0100010000000800000008666c6f773a20c3a9",
    NESTED: "cc43484b010003000001010000008228b52ffd600100c5030082881b1980650e8043669d8217be22"
    "619923bbdaba813e158e2a9a841195c4405073437514ec7eb048371cbac18a16bf8dcd3b317e199b"
    "f7f2a620862a63916dadde55573e90b68999746fab7f2e640249800ad17b0411df1c905085c92152"
    "70eca6676e4876cec24d1fc52efae7598e0a0100073b488d14",
}
GREETING = {"greeting": "hello", "rows": [1, 2, 3]}
LOOKS = {"claim": 1, "key": OBJECT, "size": 35}

CLAIMS: list[tuple[str, Claim]] = [
    (
        f'{{"claim":1,"key":"{OBJECT}","size":35}}',
        Claim(key=OBJECT, size=35),
    ),
    (
        f'{{"claim":1,"key":"{OBJECT}","size":35,"at":["rows",[0,2]]}}',
        Claim(key=OBJECT, size=35, at=("rows", (0, 2))),
    ),
    (
        f'{{"claim":1,"key":"{OBJECT}","size":35,"at":["rows",1]}}',
        Claim(key=OBJECT, size=35, at=("rows", 1)),
    ),
    (
        f'{{"claim":1,"key":"{TEXT}","size":8,"metadata":{{"encoding":"text/yaml"}}}}',
        Claim(key=TEXT, size=8, metadata={"encoding": "text/yaml"}),
    ),
    (
        f'{{"claim":1,"key":"{NESTED}","size":257,'
        '"metadata":{"encoding":"json/plain","claims":"[\\"/inner\\"]"}}',
        Claim(
            key=NESTED, size=257, metadata={"encoding": "json/plain", "claims": '["/inner"]'}
        ),
    ),
    ('{"flaw":"it was never one"}', Claim(key="", size=0, flaw="it was never one")),
]  # fmt: skip
VALUES: list[Any] = [
    GREETING,
    [1, 2],
    2,
    "flow: é",
    {"inner": GREETING, "looks": LOOKS},
]


def reference(claim: str, size: int) -> Payload:
    payload = Payload(
        metadata={
            "encoding": b"json/claim",
            "messageType": b"temporal.api.sdk.v1.ExternalStorageReference",
        },
        data=claim.encode(),
    )
    payload.external_payloads.add(size_bytes=size)
    return payload


def claims_inside(text: str, pointers: bytes) -> Payload:
    return Payload(metadata={"encoding": b"json/plain", "claims": pointers}, data=text.encode())


def codec(store: MemoryStore, role: Role) -> ClaimCodec:
    room = Cloakroom(store, namespace="my space", threshold=10)
    context = WorkflowSerializationContext(namespace="my space", workflow_id="order/17")
    return ClaimCodec(room, role=role).with_context(context)


@pytest.fixture
def store() -> MemoryStore:
    store = MemoryStore()
    store.blobs.update({key: bytes.fromhex(blob) for key, blob in BLOBS.items()})
    return store


@pytest.mark.parametrize(("text", "claim"), CLAIMS, ids=[text[:40] for text, _ in CLAIMS])
def test_a_claim_is_written_and_read_to_the_letter(text: str, claim: Claim) -> None:
    assert json.dumps(claim.as_json(), separators=(",", ":")) == text
    assert Claim.read(json.loads(text)) == claim


@pytest.mark.parametrize(("text", "claim"), CLAIMS, ids=[text[:40] for text, _ in CLAIMS])
def test_a_reference_payload_is_written_and_read_to_the_letter(text: str, claim: Claim) -> None:
    converter = data_converter().payload_converter
    assert converter.to_payload(claim) == reference(text, claim.size)
    assert converter.from_payload(reference(text, claim.size)) == claim


def test_a_payload_with_claims_inside_is_written_and_read_to_the_letter() -> None:
    converter = data_converter().payload_converter
    value = {"z/~": [Claim(key=OBJECT, size=35)], "a": LOOKS}
    text = json.dumps({"z/~": [LOOKS], "a": LOOKS}, separators=(",", ":"))
    payload = claims_inside(text, b'["/z~1~0/0"]')
    assert converter.to_payload(value) == payload
    assert converter.from_payload(payload) == value


@pytest.mark.parametrize(
    ("claim", "value"),
    list(zip(CLAIMS, VALUES, strict=False)),
    ids=[str(value) for value in VALUES],
)
async def test_what_was_stored_is_read(
    claim: tuple[str, Claim], value: Any, store: MemoryStore
) -> None:
    client, text = codec(store, "client"), claim[0]
    converter = data_converter().payload_converter
    inside = claims_inside(f'{{"in":{text},"looks":{text}}}', b'["/in"]')
    whole, part = await client.decode([reference(text, claim[1].size), inside])
    assert converter.from_payload(whole) == value
    assert converter.from_payload(part) == {"in": value, "looks": json.loads(text)}


@pytest.mark.parametrize(
    ("payload", "text"),
    [
        (
            Payload(
                metadata={"encoding": b"json/plain"},
                data=b'{"greeting":"hello","rows":[1,2,3]}',
            ),
            CLAIMS[0][0],
        ),
        (Payload(metadata={"encoding": b"text/yaml"}, data="flow: éé".encode()), None),
    ],
)
async def test_what_is_stored_has_the_key_it_always_had(
    payload: Payload, text: str | None, store: MemoryStore
) -> None:
    (sent,) = await codec(store, "worker").encode([payload])
    if text is None:
        assert sent == payload, "ten bytes are not more than the threshold"
    else:
        assert sent == reference(text, 35)
        assert store.writes == 0, "it was there already"


async def test_who_else_holds_a_value_is_told_and_noted_to_the_letter(store: MemoryStore) -> None:
    payload = reference(CLAIMS[0][0], 35)
    payload.metadata["held-by"] = b"order-18"
    (sent,) = await codec(store, "worker").encode([payload])
    assert store.blobs[NOTE] == b""
    assert sent.data == payload.data


async def test_what_must_stay_inline_says_so_to_the_letter(store: MemoryStore) -> None:
    payload = Payload(
        metadata={"encoding": b"json/plain", "claim-check": b"inline"},
        data=b'"more than ten bytes"',
    )
    (sent,) = await codec(store, "worker").encode([payload])
    assert sent == Payload(metadata={"encoding": b"json/plain"}, data=payload.data)


async def test_an_encrypted_payload_says_so_to_the_letter() -> None:
    room = Cloakroom(
        MemoryStore(), namespace="n", keys=KeyRing(keys=(Key(id="k", secret=bytes(32)),))
    )
    (sent,) = await ClaimCodec(room, role="worker").encode([Payload(data=b"x")])
    assert dict(sent.metadata) == {"encoding": b"binary/encrypted"}
    assert sent.data[:3] == b"\x01\x01k"
