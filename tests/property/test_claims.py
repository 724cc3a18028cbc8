"""Whatever is put away comes back, and whatever anybody writes reads nothing that is not his."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Coroutine
from typing import Any, TypeVar

from hypothesis import example, given, settings
from hypothesis import strategies as st
from temporalio.api.common.v1 import Payload
from temporalio.common import RawValue
from temporalio.converter import DataConverter, WorkflowSerializationContext

from claimcheck.claim import Claim
from claimcheck.cloakroom import Cloakroom
from claimcheck.codec import ClaimCodec, Role
from claimcheck.errors import BlobMissing, ClaimCheckError, ClaimInvalid
from claimcheck.keyring import Key, KeyRing
from claimcheck.payloads import claims_in, data_converter, says_claims, write_json
from claimcheck.stores import MemoryStore
from claimcheck.values import keep, load_all, skeleton, stow
from flowspec.values import Json

T = TypeVar("T")

KEYS = KeyRing(keys=(Key(id="k1", secret=bytes(range(32))),))
SHA = "0123456789abcdef" * 4

texts = st.text(max_size=10) | st.builds(lambda n: "x" * n, st.integers(0, 600))
leaves = (
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | texts
    | st.just({"claim": 1, "key": f"v1/default/w/{SHA}", "size": 3})
    | st.just({"flaw": "x"})
)
values = st.recursive(
    leaves,
    lambda inner: st.lists(inner, max_size=6) | st.dictionaries(texts, inner, max_size=6),
    max_leaves=25,
)
thresholds = st.sampled_from([1, 50, 300, 400, 600, 1000, 2000, 1024 * 1024])
rings = st.sampled_from([None, KEYS])


def run(work: Coroutine[Any, Any, T]) -> T:
    with asyncio.Runner() as runner:
        return runner.run(work)


def refusal(work: Coroutine[Any, Any, None]) -> ClaimCheckError | None:
    try:
        run(work)
    except ClaimCheckError as error:
        return error
    return None


def room(store: MemoryStore, **options: Any) -> Cloakroom:
    return Cloakroom(store, **{"namespace": "default", **options})


def size(value: Any) -> int:
    return len(write_json(value)[0])


def converter(store: MemoryStore, role: Role, **options: Any) -> DataConverter:
    context = WorkflowSerializationContext(namespace="default", workflow_id="w")
    codec = ClaimCodec(room(store, threshold=300, **options), role=role)
    return data_converter(codec).with_context(context)


@given(values, thresholds, rings)
@example({"a": {"b": "x" * 600, "c": "x" * 200}, "d": {"b": "x" * 600, "c": "x" * 200}}, 600, None)
def test_what_is_stowed_comes_back_in_its_order_and_what_stays_is_small(
    value: Json, threshold: int, keys: KeyRing | None
) -> None:
    store = MemoryStore()
    before = json.dumps(value)

    async def there_and_back() -> tuple[Any, list[Any]]:
        stowed = await stow(room(store, threshold=threshold, keys=keys), value, workflow_id="w")
        return stowed, await load_all(room(store, keys=keys), [stowed, [stowed]])

    stowed, loaded = run(there_and_back())
    assert [json.dumps(each) for each in loaded] == [before, f"[{before}]"]
    assert json.dumps(value) == before
    assert size(stowed) <= threshold or isinstance(stowed, Claim)
    assert (size(value) <= threshold) == (stowed is value)


@given(values, thresholds)
def test_a_skeleton_comes_back_as_the_whole_and_is_small(value: Json, threshold: int) -> None:
    store = MemoryStore()

    async def there_and_back() -> tuple[Any, list[Any]]:
        claim = await keep(room(store), value, workflow_id="w")
        shown = skeleton(claim, value, threshold)
        return shown, await load_all(room(store), [shown])

    shown, loaded = run(there_and_back())
    assert json.dumps(loaded[0]) == json.dumps(value)
    assert size(shown) <= threshold or isinstance(shown, Claim)
    assert store.writes == 1


@given(values, rings)
def test_every_value_comes_through_client_and_worker(value: Json, keys: KeyRing | None) -> None:
    store = MemoryStore()

    async def through() -> Any:
        client, worker = (converter(store, role, keys=keys) for role in ("client", "worker"))
        seen = await worker.decode(await client.encode([value]))
        assert store.gets == 0
        return (await client.decode(await worker.encode(seen)))[0]

    assert json.dumps(run(through())) == json.dumps(value)


# -- whatever anybody writes -----------------------------------------------------------------------

good = {"claim": 1, "key": f"v1/default/w/{SHA}", "size": 5}
pointers = st.lists(
    st.sampled_from(["", "/", "/a", "/a/0", "/a/b", "/0", "//", "a", "/a/key", "/~", "/a~1"])
    | st.text(max_size=5)
)
claim_like = st.one_of(
    st.just(good),
    st.fixed_dictionaries(
        {},
        optional={
            "claim": st.sampled_from([1, 2, "1", None]),
            "key": st.sampled_from([good["key"], "v1/default/w", "../x", 1, None]) | texts,
            "size": st.integers(-(2**70), 2**70) | texts,
            "metadata": st.dictionaries(
                st.sampled_from(["encoding", "claims", "claim-check", "held-by", "x"]),
                st.sampled_from(["json/plain", "json/claim", "text/plain", '["/a"]', "["]) | texts,
            ),
            "at": st.lists(st.sampled_from([0, 1, "a", -1, None]) | st.lists(st.integers())),
            "flaw": texts,
        },
    ),
    values,
)
documents = st.recursive(
    claim_like,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["a", "b", "0", "", "~", "a/"]), inner, max_size=3)
    ),
    max_leaves=6,
)
datas = documents.map(lambda document: json.dumps(document).encode()) | st.binary(max_size=50)
metadatas = st.fixed_dictionaries(
    {
        "encoding": st.sampled_from(
            [b"json/plain", b"json/plain", b"json/claim", b"binary/plain", b"binary/null"]
        )
    },
    optional={
        "claims": pointers.map(lambda some: json.dumps(some).encode()) | st.binary(max_size=20),
        "claim-check": st.sampled_from([b"inline", b"", b"\xff"]),
        "held-by": st.binary(max_size=10),
        "messageType": st.binary(max_size=10),
    },
)
payloads = st.builds(
    lambda metadata, data: Payload(metadata=metadata, data=data), metadatas, datas
) | st.builds(
    lambda data: Payload(metadata={"encoding": b"binary/encrypted"}, data=data),
    st.binary(max_size=100).filter(lambda data: data[:1] != b"\x01"),
)


@settings(max_examples=300)
@given(payloads, st.sampled_from(["worker", "replay"]), rings)
def test_no_payload_stops_a_worker_or_makes_it_read(
    payload: Payload, role: Role, keys: KeyRing | None
) -> None:
    store = MemoryStore()

    async def handed_on() -> None:
        worker = converter(store, role, keys=keys)
        (decoded,) = await worker.payload_codec.decode([payload])  # type: ignore[union-attr]
        assert store.gets == 0
        await worker.encode([RawValue(decoded)])
        try:
            value = worker.payload_converter.from_payload(decoded)
        except (RuntimeError, ValueError):
            # The SDK's own words for what says that it is plain JSON, without claims, and is none.
            if says_claims(decoded) or decoded.metadata["encoding"] == b"json/claim":
                raise
            return
        await worker.encode([value])
        await worker.encode([{"inside": value}])

    run(handed_on())
    assert store.gets == 0


@settings(max_examples=300)
@given(payloads, rings)
def test_a_client_gets_a_value_or_is_told_by_an_error_of_ours(
    payload: Payload, keys: KeyRing | None
) -> None:
    store = MemoryStore()

    async def read() -> None:
        client = converter(store, "client", keys=keys)
        await client.payload_codec.decode([payload])  # type: ignore[union-attr]

    error = refusal(read())
    assert error is None or len(str(error)) < 1000
    assert store.bytes_read == 0


@given(documents | st.binary())
def test_what_is_read_as_a_claim_is_one_or_says_why_not(written: Any) -> None:
    claim = Claim.read(written)
    assert Claim.read(claim.as_json()) == claim
    assert Claim.read(json.loads(json.dumps(claim.as_json()))) == claim
    if claim.flaw is None:
        assert claim == Claim.from_json(written)
        assert claim.key == good["key"]
    else:
        assert isinstance(claim.flaw, str)


@settings(max_examples=300)
@given(documents, pointers)
def test_claims_in_made_up_values_survive_being_handed_on(document: Any, where: list[str]) -> None:
    payload = Payload(
        metadata={"encoding": b"json/plain", "claims": json.dumps(where).encode()},
        data=json.dumps(document).encode(),
    )
    used = data_converter().payload_converter
    value = used.from_payload(payload)
    again = used.from_payload(used.to_payload(value))
    assert list(claims_in(again)) == list(claims_in(value))
    assert repr(again) == repr(value)


@given(documents, pointers)
def test_everything_of_a_made_up_value_is_loaded_or_refused(
    document: Any, where: list[str]
) -> None:
    store = MemoryStore()
    metadata = {"encoding": "json/plain", "claims": json.dumps(where)}

    async def load() -> None:
        here = room(store)
        claim = await here.deposit(
            json.dumps(document).encode(), workflow_id="w", metadata=metadata
        )
        (loaded,) = await load_all(here, [claim.inside("a")])
        assert not list(claims_in(loaded))

    error = refusal(load())
    assert error is None or isinstance(error, ClaimInvalid | BlobMissing)
