"""The codec in its roles: what goes to the store, what is read from it, what is encrypted, and what
becomes of payloads that somebody has made up."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import pytest
from temporalio.api.common.v1 import Payload
from temporalio.common import RawValue
from temporalio.converter import (
    ActivitySerializationContext,
    DataConverter,
    NexusSerializationContext,
    WorkflowSerializationContext,
)

from claimcheck import values
from claimcheck.claim import Claim
from claimcheck.cloakroom import Cloakroom
from claimcheck.codec import ENCRYPTED, ClaimCodec, Role
from claimcheck.errors import BlobTooLarge, ClaimCheckError, ClaimInvalid, KeyUnknown, SealBroken
from claimcheck.keyring import Key, KeyRing
from claimcheck.payloads import (
    CLAIMS,
    HELD_BY,
    HINT,
    INLINE,
    Inline,
    claim_of,
    data_converter,
    reference_payload,
)
from claimcheck.sealing import seal
from claimcheck.stores import MemoryStore
from claimcheck.values import keep

SHA = "0123456789abcdef" * 4
LARGE = "x" * 2000
OLD, NEW = Key(id="old", secret=bytes(range(32))), Key(id="new", secret=bytes(range(32, 64)))


class World:
    """A store, and processes that use it."""

    def __init__(self) -> None:
        self.store = MemoryStore()

    def room(self, **options: Any) -> Cloakroom:
        return Cloakroom(self.store, **{"namespace": "default", "threshold": 1000, **options})

    def converter(self, role: Role, *, workflow: str | None = "w", **options: Any) -> DataConverter:
        room = options.pop("room", None) or self.room(**options)
        converter = data_converter(ClaimCodec(room, role=role))
        if workflow is None:
            return converter
        return converter.with_context(
            WorkflowSerializationContext(namespace="default", workflow_id=workflow)
        )

    async def sent(self, value: Any, role: Role = "client", **options: Any) -> Payload:
        (payload,) = await self.converter(role, **options).encode([value])
        return payload

    async def read(self, payload: Payload, role: Role = "client", **options: Any) -> Any:
        (value,) = await self.converter(role, **options).decode([payload])
        return value

    @property
    def used(self) -> tuple[int, int]:
        return self.store.puts, self.store.gets

    @property
    def notes(self) -> list[str]:
        return sorted(key.rpartition("/")[0] for key in self.store.blobs if "/held-by/" in key)


@pytest.fixture
def world() -> World:
    return World()


def ring(*keys: Key, encrypting: bool = True) -> KeyRing:
    return KeyRing(keys=keys, encrypting=encrypting)


# -- roles -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", [LARGE, [LARGE, 1], {"b": LARGE, "a": 1}, b"\x00" * 2000])
async def test_a_client_sends_and_gets_values_and_a_worker_hands_claims_on(
    world: World, value: Any
) -> None:
    sent = await world.sent(value)
    assert sent.ByteSize() < 400
    before = world.store.gets
    claim = await world.read(sent, "worker")
    assert isinstance(claim, Claim)
    handed_on = await world.sent(claim, "worker")
    assert world.store.gets == before
    assert await world.read(handed_on, "client") == value


async def test_a_worker_never_reads_the_store(world: World) -> None:
    room = world.room()
    claim = await keep(room, {"a": [LARGE]}, workflow_id="w")
    payloads = [
        await world.sent(value)
        for value in (LARGE, b"\xff" * 2000, claim, {"in": [claim]}, claim.inside("a", 0), 1, None)
    ]
    before = world.store.gets
    read = [await world.read(payload, "worker") for payload in payloads]
    assert [type(value) for value in read[:4]] == [Claim, Claim, Claim, dict]
    assert read[2:] == [claim, {"in": [claim]}, claim.inside("a", 0), 1, None]
    assert world.store.gets == before


async def test_a_replay_touches_nothing(world: World) -> None:
    payloads = [await world.sent(value) for value in (LARGE, 1)]
    claim = await world.read(payloads[0], "worker")
    before = world.used
    for value in (LARGE, {"in": claim}, claim, [1]):
        again = await world.sent(value, "replay", workflow="other")
        assert await world.read(again, "replay") == value
    for payload in payloads:
        await world.read(payload, "replay")
    assert world.used == before


async def test_only_what_is_larger_than_the_threshold_goes_to_the_store(world: World) -> None:
    at, over = "x" * 998, "x" * 999
    assert (await world.sent(at)).metadata["encoding"] == b"json/plain"
    assert world.store.puts == 0
    assert (await world.sent(over)).metadata["encoding"] == b"json/claim"
    assert world.store.puts == 1


@pytest.mark.parametrize("value", [LARGE, {"in": LARGE}])
async def test_what_must_stay_inline_does(world: World, value: Any) -> None:
    sent = await world.sent(Inline(value))
    assert HINT not in sent.metadata, "Temporal's CLI would print it in base64"
    assert world.used == (0, 0)
    assert await world.read(sent, "worker") == value


async def test_without_a_workflow_nothing_goes_to_the_store(world: World) -> None:
    sent = await world.sent(LARGE, workflow=None)
    standalone = ActivitySerializationContext(
        namespace="default",
        activity_id="a",
        activity_type=None,
        activity_task_queue=None,
        workflow_id=None,
        workflow_type=None,
        is_local=False,
    )
    await world.converter("worker", workflow=None).with_context(standalone).encode([LARGE])
    assert sent.metadata["encoding"] == b"json/plain"
    assert world.used == (0, 0)


async def test_what_goes_to_a_nexus_operation_stays_inline_whoever_calls_it(world: World) -> None:
    nexus = NexusSerializationContext(endpoint="e", service="s", operation="o")
    (sent,) = await world.converter("worker").with_context(nexus).encode([LARGE])
    assert sent.metadata["encoding"] == b"json/plain"
    assert world.used == (0, 0)


def test_another_namespace_is_a_mistake_in_the_configuration(world: World) -> None:
    other = WorkflowSerializationContext(namespace="other", workflow_id="w")
    with pytest.raises(ClaimInvalid, match="'default', not for 'other'"):
        world.converter("client", workflow=None).with_context(other)


async def test_the_same_payload_is_put_once_however_often_it_is_encoded(world: World) -> None:
    room = world.room()
    first = await world.sent(LARGE, "worker", room=room)
    assert await world.sent(LARGE, "worker", room=room) == first
    assert (world.store.puts, world.store.writes) == (1, 1)
    assert await world.sent(LARGE, "worker") == first
    assert (world.store.puts, world.store.writes) == (2, 1)


async def test_metadata_of_any_bytes_come_back(world: World) -> None:
    metadata = {"encoding": b"x/y", "odd": bytes(range(256)), "": b"", "claims": b"\xff["}
    payload = Payload(metadata=metadata, data=b"\x00" * 2000)
    sent = await world.sent(RawValue(payload))
    assert sent.metadata["encoding"] == b"json/claim"
    (again,) = await world.converter("client").decode([sent], [RawValue])
    assert again.payload.data == payload.data
    assert dict(again.payload.metadata) == metadata


async def test_a_payload_with_more_metadata_than_a_claim_can_have_stays_inline(
    world: World,
) -> None:
    metadata = {"encoding": b"json/plain"} | {str(n): b"" for n in range(100)}
    sent = await world.sent(RawValue(Payload(metadata=metadata, data=b'"%s"' % LARGE.encode())))
    assert world.store.puts == 0
    assert await world.read(sent) == LARGE


async def test_several_values_keep_their_order(world: World) -> None:
    given = [LARGE, 1, b"\x00" * 3000, None, {"a": LARGE}]
    client = world.converter("client")
    assert await client.decode(await client.encode(given)) == given


# -- who holds what --------------------------------------------------------------------------------


async def test_a_workflow_that_is_given_the_claim_of_another_is_noted_as_its_holder(
    world: World,
) -> None:
    theirs = await keep(world.room(), LARGE, workflow_id="theirs")
    own = await keep(world.room(), LARGE, workflow_id="w")
    await world.sent({"a": [theirs], "b": own, "c": theirs.inside((0, 5))}, "worker")
    await world.sent(own, "worker")
    assert world.notes == ["v1/default/theirs/held-by/w"]
    await world.sent(theirs, "worker", workflow="third")
    assert world.notes == ["v1/default/theirs/held-by/third", "v1/default/theirs/held-by/w"]


async def test_claims_in_what_is_put_away_itself_are_noted_too(world: World) -> None:
    theirs = await keep(world.room(), LARGE, workflow_id="theirs")
    sent = await world.sent([theirs] * 20, "worker")
    assert sent.metadata["encoding"] == b"json/claim"
    assert world.notes == ["v1/default/theirs/held-by/w"]
    assert await world.read(sent) == [LARGE] * 20


@pytest.mark.parametrize("kind", ["a claim", "claims inside", "a large value"])
async def test_who_else_holds_a_payload_is_noted_for_all_it_claims(world: World, kind: str) -> None:
    claim = await keep(world.room(), LARGE, workflow_id="w")
    value = {"a claim": claim, "claims inside": [claim], "a large value": LARGE}[kind]
    payload = data_converter().payload_converter.to_payload(value)
    payload.metadata[HELD_BY] = b"parent"
    sent = await world.sent(RawValue(payload), "worker")
    assert world.notes == ["v1/default/w/held-by/parent"]
    assert "parent" not in str(claim_of(sent).metadata)


async def test_no_note_is_made_for_what_is_forged(world: World) -> None:
    forged = [
        Claim(key=f"v1/other/w/{SHA}", size=1),
        Claim(key=f"v1/default/w/held-by/x/{SHA}", size=1),
        Claim(key="/etc/passwd", size=1),
        Claim.read(None),
    ]
    await world.sent(forged, "worker")
    for claim in forged:
        await world.sent(claim, "worker")
    assert world.used == (0, 0)


# -- payloads that somebody has made up ------------------------------------------------------------


def json_payload(text: str | bytes, **metadata: bytes) -> Payload:
    data = text.encode() if isinstance(text, str) else text
    return Payload(metadata={"encoding": b"json/plain", **metadata}, data=data)


def reference(text: str | bytes) -> Payload:
    data = text.encode() if isinstance(text, str) else text
    return Payload(metadata={"encoding": b"json/claim"}, data=data)


CLAIM_TEXT = json.dumps({"claim": 1, "key": f"v1/default/w/{SHA}", "size": 5})
FORGED: dict[str, Payload] = {
    "a reference that is no JSON": reference(b"\xff"),
    "a reference that is nothing": reference(b""),
    "a reference that is nested deeply": reference("[" * 100_000),
    "a reference with a size of many digits": reference(CLAIM_TEXT.replace(" 5", " " + "9" * 4000)),
    "a reference with more digits than can be read": reference(
        CLAIM_TEXT.replace(" 5", " " + "9" * 9000)
    ),
    "a reference with a size above 63 bits": reference(CLAIM_TEXT.replace(" 5", " 1" + "0" * 19)),
    "a reference to another namespace": reference(CLAIM_TEXT.replace("default", "other")),
    "a reference to a path": reference(CLAIM_TEXT.replace("v1/default/w", "../../etc")),
    "a reference to a note": reference(CLAIM_TEXT.replace("/w/", "/w/held-by/x/")),
    "a reference to a hash of nobody's": reference(CLAIM_TEXT),
    "a reference to a reference": reference(
        CLAIM_TEXT[:-1] + ',"metadata":{"encoding":"json/claim"}}'
    ),
    "a reference to what is encrypted": reference(
        CLAIM_TEXT[:-1] + ',"metadata":{"encoding":"binary/encrypted"}}'
    ),
    "a reference with a way nobody can go": reference(CLAIM_TEXT[:-1] + ',"at":[[0,1,2]]}'),
    "a reference with half a pair of surrogates": reference('{"flaw":"\\ud800"}'),
    "a claim of another namespace": json_payload(
        f'{{"a":{CLAIM_TEXT.replace("default", "other")}}}', claims=b'["/a"]'
    ),
    "a claim to nobody's hash": json_payload(f'{{"a":{CLAIM_TEXT}}}', claims=b'["/a"]'),
    "the whole value a claim": json_payload(CLAIM_TEXT, claims=b'[""]'),
    "what is no claim where one should be": json_payload('{"a":[1]}', claims=b'["/a/0"]'),
    "claims in what is no JSON": json_payload("{", claims=b'["/a"]'),
    "claims in what is not UTF-8": json_payload(b"\xff\xfe", claims=b'["/a"]'),
    "claims in what is nested deeply": json_payload(
        "[" * 5000 + "]" * 5000, claims=b'["/0"]', **{HINT: INLINE}
    ),
    "a claim so deep that nobody can look for it": json_payload(
        "[" * 950 + CLAIM_TEXT + "]" * 950,
        claims=json.dumps(["/0" * 950]).encode(),
        **{HINT: INLINE},
    ),
    "a claim deep within itself": json_payload(
        f'{{"a":{CLAIM_TEXT}}}', claims=b'["/a/metadata","/a/size","/a/key","/a"]'
    ),
}
"""Whoever asks for what these stand for is told that it cannot be had."""

HARMLESS: dict[str, Payload] = {
    "claims that are nowhere": json_payload('{"a":1}', claims=b'["/b","/a/0","a","x/y","/a/b/c"]'),
    "claims that are no list": json_payload('{"a":1}', claims=b'{"/a":1}'),
    "claims that are no texts": json_payload('{"a":1}', claims=b'[1,null,["/a"],{"a":"/a"}]'),
    "claims that are no JSON": json_payload('{"a":1}', claims=b'["/a"'),
    "claims that are not UTF-8": json_payload('{"a":1}', claims=b"\xff"),
    "claims that are nested deeply": json_payload('{"a":1}', claims=b"[" * 100_000),
    "claims with half a pair of surrogates": json_payload('{"a":1}', claims=b'["/\\ud800"]'),
    "claims with a deep way": json_payload('{"a":1}', claims=json.dumps(["/a" * 100_000]).encode()),
    "a million claims": json_payload('{"a":1}', claims=json.dumps(["/b"] * 1_000_000).encode()),
    "a hundred thousand different claims": json_payload(
        '{"a":1}', claims=json.dumps([f"/{n}" for n in range(100_000)]).encode()
    ),
    "metadata that are not UTF-8": json_payload('{"a":1}', **{HELD_BY: b"", HINT: b"\xff"}),
}
"""These say `{"a": 1}`, whatever else they say."""


@pytest.mark.parametrize("payload", FORGED.values(), ids=FORGED.keys())
async def test_a_forged_payload_reads_nothing_and_is_refused_where_its_value_is_wanted(
    world: World, payload: Payload
) -> None:
    await keep(world.room(), "somebody's", workflow_id="w")
    with pytest.raises(ClaimCheckError):
        await world.read(payload)
    assert world.store.bytes_read == 0


@pytest.mark.parametrize("payload", FORGED.values(), ids=FORGED.keys())
@pytest.mark.parametrize("role", ["worker", "replay"])
async def test_a_forged_payload_never_stops_a_worker_that_hands_it_on(
    world: World, payload: Payload, role: Role
) -> None:
    value = await world.read(payload, role)
    again = await world.sent(value, role)
    raw = await world.sent(RawValue(payload), role)
    assert world.store.gets == 0
    for handed_on in (again, raw):
        with pytest.raises(ClaimCheckError):
            await world.read(handed_on, "client")
    assert world.store.bytes_read == 0


@pytest.mark.parametrize("payload", HARMLESS.values(), ids=HARMLESS.keys())
@pytest.mark.parametrize("role", ["client", "worker", "replay"])
async def test_claims_that_are_nowhere_are_none(world: World, payload: Payload, role: Role) -> None:
    assert await world.read(payload, role) == {"a": 1}
    assert await world.read(await world.sent(RawValue(payload), role), role) == {"a": 1}
    assert world.store.gets == 0


async def test_a_claim_that_is_pointed_to_twice_is_one_claim(world: World) -> None:
    claim = await keep(world.room(), "value", workflow_id="w")
    twice = json_payload(json.dumps({"a": claim.as_json()}), claims=b'["/a","/a"]')
    assert await world.read(twice, "worker") == {"a": claim}
    assert await world.read(twice, "client") == {"a": "value"}


@pytest.mark.parametrize("role", ["client", "worker", "replay"])
async def test_what_a_user_has_written_is_never_taken_for_a_claim(world: World, role: Role) -> None:
    real = await keep(world.room(), "secret", workflow_id="w")
    fakes = {"mine": real.as_json(), "list": [real.as_json()], "flaw": {"flaw": "x"}}
    before = world.store.gets
    for value in (fakes, real.as_json(), {"flaw": "x"}):
        assert await world.read(await world.sent(value, role), role) == value
    assert world.store.gets == before
    mixed = {"fake": real.as_json(), "real": real}
    handed_on = await world.read(await world.sent(mixed, "worker"), "worker")
    assert handed_on == mixed
    assert await world.read(await world.sent(handed_on, "worker"), "client") == {
        "fake": real.as_json(),
        "real": "secret",
    }


async def test_a_value_put_away_whole_with_what_looks_like_a_claim_comes_back_as_it_was(
    world: World,
) -> None:
    real = await keep(world.room(), "secret", workflow_id="w")
    value = {"fake": real.as_json(), "filling": LARGE}
    sent = await world.sent(value)
    assert sent.metadata["encoding"] == b"json/claim"
    assert await world.read(sent) == value


async def test_many_payloads_that_claim_the_same_large_value_are_refused(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(values, "MOST_IN_MEMORY", 10_000_000)
    sent = await world.sent("x" * 1_000_000)
    client = world.converter("client")
    assert len(await client.decode([sent] * 9)) == 9
    with pytest.raises(BlobTooLarge):
        await client.decode([sent] * 10)
    claim = await world.read(sent, "worker")
    with pytest.raises(BlobTooLarge):
        await client.decode([await world.sent([claim] * 10, "worker")])


# -- encryption ------------------------------------------------------------------------------------


@pytest.fixture
def keys() -> KeyRing:
    return ring(OLD)


@pytest.mark.parametrize("role", ["client", "worker", "replay"])
@pytest.mark.parametrize("value", ["secret", "secret" * 500, {"secret": ["secret"]}, b"secret"])
async def test_with_a_key_nothing_can_be_read_on_the_way(
    world: World, keys: KeyRing, role: Role, value: Any
) -> None:
    sent = await world.sent(value, role, keys=keys, workflow="w-secret-id")
    assert dict(sent.metadata) == {"encoding": ENCRYPTED.encode()}
    seen = b"".join((sent.SerializeToString(), *world.store.blobs.values()))
    assert b"secret" not in seen
    assert b"json" not in seen
    assert await world.read(sent, keys=keys) == value


async def test_the_same_value_is_sealed_to_other_bytes_each_time_but_stored_once(
    world: World, keys: KeyRing
) -> None:
    first, second = [await world.sent(LARGE, keys=keys) for _ in range(2)]
    assert first != second
    assert world.store.writes == 1


async def test_a_worker_reads_what_is_encrypted_and_hands_it_on_encrypted(
    world: World, keys: KeyRing
) -> None:
    sent = await world.sent({"a": LARGE}, keys=keys)
    claim = await world.read(sent, "worker", keys=keys)
    assert isinstance(claim, Claim)
    handed_on = await world.sent({"in": claim}, "worker", keys=keys)
    assert claim.key.encode() not in handed_on.SerializeToString()
    assert await world.read(handed_on, keys=keys) == {"in": {"a": LARGE}}
    inline = await world.sent(Inline({"a": 1}), keys=keys)
    assert await world.read(inline, "worker", keys=keys) == {"a": 1}


async def test_a_new_key_is_rolled_out_without_a_moment_in_which_somebody_cannot_read(
    world: World,
) -> None:
    steps = [
        None,
        ring(OLD, encrypting=False),
        ring(OLD),
        ring(OLD, NEW),
        ring(NEW, OLD),
    ]
    given: list[Any] = [{"small": 1, "large": LARGE}, LARGE]
    sent: list[tuple[Payload, Any]] = []
    for step in steps:
        sent += [(await world.sent(value, keys=step), value) for value in given]
        assert [await world.read(payload, keys=step) for payload, _ in sent] == [
            value for _, value in sent
        ]
    # Whoever is a step behind reads what those write who are a step ahead.
    for ahead, behind in pairwise(reversed(steps)):
        for value in given:
            assert await world.read(await world.sent(value, keys=ahead), keys=behind) == value


async def test_a_ring_that_only_decrypts_encrypts_nothing(world: World) -> None:
    sent = await world.sent({"a": 1}, keys=ring(OLD, encrypting=False))
    assert sent.metadata["encoding"] == b"json/plain"


async def test_what_is_encrypted_for_another_namespace_does_not_open_here(
    world: World, keys: KeyRing
) -> None:
    other = ClaimCodec(world.room(namespace="other", keys=keys), role="client")
    (sent,) = await data_converter(other).encode(["secret"])
    with pytest.raises(SealBroken):
        await world.read(sent, keys=keys)


def garbage(good: bytes) -> Iterator[bytes]:
    yield b""
    yield b"\x00"
    yield b"\x01"
    yield b"\x01\x00"
    yield b"\x01\xff"
    yield b"\x02" + good[1:]
    yield b"\x01\x03\xff\xff\xff" + good[5:]
    yield good[:-1]
    yield good + b"\x00"
    yield good[:40] + bytes([good[40] ^ 1]) + good[41:]
    yield os.urandom(100)


async def test_garbage_that_says_it_is_encrypted_never_stops_a_worker(
    world: World, keys: KeyRing
) -> None:
    good = seal(Payload().SerializeToString(), context="default", keys=keys)
    for data in garbage(good):
        payload = Payload(metadata={"encoding": ENCRYPTED.encode()}, data=data)
        for ring_here in (keys, None):
            if ring_here is None and data[:1] == b"\x01" and b"old" in data:
                continue  # the key is unknown here: see below
            value = await world.read(payload, "worker", keys=ring_here)
            assert isinstance(value, Claim)
            assert value.flaw
            handed_on = await world.sent({"in": value}, "worker", keys=ring_here)
            for sent in (payload, handed_on):
                with pytest.raises(ClaimCheckError):
                    await world.read(sent, "client", keys=ring_here)
    assert world.used == (0, 0)


@pytest.mark.parametrize("role", ["client", "worker", "replay"])
async def test_what_is_encrypted_with_a_key_that_is_missing_here_is_waited_for(
    world: World, keys: KeyRing, role: Role
) -> None:
    # Not a flaw: the value must not be lost because a worker was started without the key.
    sent = await world.sent("secret", keys=keys)
    for missing in (None, ring(NEW)):
        with pytest.raises(KeyUnknown, match="'old'") as error:
            await world.read(sent, role, keys=missing)
        assert error.value.passing


async def test_what_is_encrypted_already_is_handed_on_as_it_is(world: World, keys: KeyRing) -> None:
    sent = await world.sent(LARGE, keys=keys)
    (again,) = await ClaimCodec(world.room(keys=keys), role="worker").encode([sent])
    assert again == sent


# -- what Temporal's UI is told --------------------------------------------------------------------


async def test_a_reference_says_how_large_the_value_is(world: World) -> None:
    sent = await world.sent(LARGE)
    assert [each.size_bytes for each in sent.external_payloads] == [2002]
    assert sent.metadata["messageType"] == b"temporal.api.sdk.v1.ExternalStorageReference"


def test_a_flawed_claim_is_written_as_a_reference_too() -> None:
    flawed = Claim.read(None)
    assert claim_of(reference_payload(flawed)) == flawed
    assert CLAIMS not in reference_payload(flawed).metadata
