"""Values and the claims in them: what is put away, what stays, and how all of it comes back."""

from __future__ import annotations

import asyncio
import json
import math
from typing import Any

import pytest
from pydantic_core import to_json

from claimcheck import values
from claimcheck.claim import JSON_METADATA, Claim
from claimcheck.cloakroom import Cloakroom
from claimcheck.errors import (
    BlobMissing,
    BlobTooLarge,
    ClaimCheckError,
    ClaimInvalid,
    StoreUnavailable,
)
from claimcheck.payloads import claims_in, write_json
from claimcheck.stores import MemoryStore
from claimcheck.values import all_or_none, keep, load, load_all, open_whole, skeleton, stow

LARGE = "x" * 2000
SHA = "0123456789abcdef" * 4


class Room(Cloakroom):
    """One with a store in memory, for the workflow `w`."""

    store: MemoryStore

    def __init__(self, threshold: int = 1000, **options: Any) -> None:
        store = options.pop("store", None) or MemoryStore()
        super().__init__(store, namespace="default", threshold=threshold, **options)

    def again(self, **options: Any) -> Room:
        """As another process sees it."""
        return Room(self.threshold, store=self.store, **options)

    async def stow(self, value: Any) -> Any:
        return await stow(self, value, workflow_id="w")

    async def keep(self, value: Any) -> Claim:
        return await keep(self, value, workflow_id="w")

    async def load(self, *given: Any) -> list[Any]:
        return await load_all(self, list(given))


def size(value: Any) -> int:
    return len(write_json(value)[0])


def claimed(value: Any) -> list[str]:
    return [pointer for pointer, _ in claims_in(value)]


# -- putting away ----------------------------------------------------------------------------------


async def test_what_is_small_stays_as_it_is() -> None:
    room, value = Room(), {"a": [1, 2, {"b": None}]}
    assert await room.stow(value) is value
    assert room.store.puts == 0


async def test_the_large_members_of_an_object_become_claims_and_the_small_ones_stay() -> None:
    room = Room()
    value = {"status": 200, "body": LARGE, "headers": {"a": "b"}, "rows": [LARGE]}
    stowed = await room.stow(value)
    assert claimed(stowed) == ["/body", "/rows"]
    assert (stowed["status"], stowed["headers"]) == (200, {"a": "b"})
    assert list(stowed) == list(value)
    assert value["body"] == LARGE
    assert await room.again().load(stowed) == [value]


async def test_large_members_are_looked_for_further_down() -> None:
    room = Room()
    value = {"a": {"b": {"c": LARGE, "n": 1}, "n": 2}, "n": 3}
    stowed = await room.stow(value)
    assert claimed(stowed) == ["/a/b/c"]
    assert await room.load(stowed) == [value]


async def test_what_is_large_without_large_members_is_put_away_as_a_whole() -> None:
    room = Room()
    for value in ({str(n): n for n in range(1000)}, [LARGE], [LARGE, {"a": 1}], LARGE):
        stowed = await room.stow(value)
        assert isinstance(stowed, Claim)
        assert await room.load(stowed) == [value]


async def test_very_deep_large_members_are_put_away_with_what_is_around_them() -> None:
    room = Room()
    value: Any = LARGE
    for name in "gfedcba":
        value = {name: value}
    assert claimed(await room.stow(value)) == ["/a/b/c/d"]


async def test_with_a_threshold_of_one_byte_everything_is_put_away() -> None:
    room = Room(threshold=1)
    stowed = await room.stow({"a": 1, "b": LARGE})
    assert isinstance(stowed, Claim)
    assert await room.load(stowed, await room.stow(12)) == [{"a": 1, "b": LARGE}, 12]


async def test_what_stays_is_no_larger_than_the_threshold_though_many_members_are_split() -> None:
    # Each of them could keep 900 bytes, but not all of them together.
    room = Room()
    value = {f"part-{n}": {"large": LARGE, "small": "s" * 900} for n in range(3)}
    stowed = await room.stow(value)
    assert size(stowed) <= room.threshold
    assert await room.again().load(stowed) == [value]
    medium = {f"part-{n}": {"large": LARGE, "small": "s" * 300} for n in range(2)}
    assert claimed(await room.stow(medium)) == ["/part-0/large", "/part-1"]


async def test_claims_in_a_value_are_counted_as_what_they_measure() -> None:
    room = Room()
    inner = await room.keep(LARGE)
    value = {"a": inner, "b": "small"}
    assert await room.stow(value) is value
    assert await room.again().load(value) == [{"a": LARGE, "b": "small"}]


async def test_claims_are_kept_inside_what_is_put_away() -> None:
    room = Room()
    inner = await room.keep(LARGE)
    stowed = await room.stow([inner, LARGE])
    assert isinstance(stowed, Claim)
    assert json.loads(stowed.metadata["claims"]) == ["/0"]
    assert await room.again().load(stowed) == [[LARGE, LARGE]]


async def test_of_a_claim_that_is_put_away_it_is_noted_who_holds_it() -> None:
    room = Room()
    other = await keep(room, LARGE, workflow_id="other")
    await room.keep({"theirs": other, "mine": await room.keep(1)})
    notes = [key for key in room.store.blobs if "held-by" in key]
    assert [note.rpartition("/")[0] for note in notes] == ["v1/default/other/held-by/w"]


async def test_a_value_that_is_no_json_is_refused_and_nothing_put() -> None:
    room = Room()
    for value in (object(), {"a": LARGE, "b": object()}):
        with pytest.raises(ValueError, match="serializ"):
            await room.stow(value)
    assert room.store.puts == 0


async def test_a_skeleton_has_claims_for_parts_of_the_same_blob() -> None:
    room = Room()
    value = {"status": 200, "response": {"body": LARGE, "n": 1}}
    claim = await room.keep(value)
    shown = skeleton(claim, value, room.threshold)
    assert shown == {
        "status": 200,
        "response": {"body": claim.inside("response", "body"), "n": 1},
    }
    room = room.again()
    assert await room.load(shown) == [value]
    assert room.store.gets == 1


def test_the_skeleton_of_what_cannot_be_split_is_its_claim() -> None:
    claim = Claim(key=f"v1/default/w/{SHA}", size=4000, at=("a",))
    assert skeleton(claim, [LARGE, LARGE], 1000) == claim
    assert skeleton(claim, [1], 1000) == [1]


# -- putting back ----------------------------------------------------------------------------------


async def test_values_without_claims_are_given_back_as_they_are() -> None:
    value = {"claim": 1, "key": f"v1/default/w/{SHA}", "size": 3}
    room = Room()
    (loaded,) = await room.load(value)
    assert loaded is value
    assert room.store.gets == 0


async def test_what_only_looks_like_a_claim_stays_what_it_is_in_a_blob_too() -> None:
    room = Room()
    real = await room.keep("secret")
    value = {"mine": real.as_json(), "list": [real.as_json()], "really": real}
    claim = await room.keep(value)
    (loaded,) = await room.again().load({"outer": claim})
    assert loaded["outer"] == {
        "mine": real.as_json(),
        "list": [real.as_json()],
        "really": "secret",
    }


async def test_each_blob_is_read_once_for_all_claims_of_it() -> None:
    room = Room()
    claim = await room.keep({"a": list(range(1000)), "b": 2})
    room = room.again(cache_bytes=0)
    loaded = await room.load([claim, claim], claim, claim.inside("a", 7), claim.inside("a", (0, 2)))
    assert loaded[2:] == [7, [0, 1]]
    assert room.store.gets == 1


async def test_parts_are_parsed_once_and_kept_for_the_next_load() -> None:
    room = Room()
    claim = await room.keep([{"n": n} for n in range(100)])
    room = room.again()
    assert await room.load(claim.inside(5)) == [{"n": 5}]
    room._blobs.add = None  # type: ignore[assignment,method-assign]
    room._blobs.get = None  # type: ignore[assignment,method-assign]
    assert await room.load(claim.inside(6), claim.inside((0, 1))) == [{"n": 6}, [{"n": 0}]]
    assert room.store.gets == 1


@pytest.mark.parametrize("at", [(), ("rows",), ("rows", 0), ("rows", (0, 2))])
async def test_nobody_sees_what_another_one_has_done_to_a_value(at: tuple[Any, ...]) -> None:
    room = Room()
    whole = await room.keep({"rows": [{"n": 1}, {"n": 2}]})
    claim = whole.inside(*at)
    first, second = await room.load(claim, claim)
    before = to_json(first)
    _spoil(first)
    assert to_json(second) == before
    assert [to_json(value) for value in await room.load(claim)] == [before]
    assert await room.load(whole) == [{"rows": [{"n": 1}, {"n": 2}]}]


async def test_nobody_sees_what_another_one_has_done_to_a_value_with_claims_in_it() -> None:
    room = Room()
    inner = await room.keep([1])
    whole = await room.keep({"rows": [{"inner": inner}, {"plain": [1]}]})
    for part in (whole.inside("rows"), whole.inside("rows", 1), whole.inside("rows", 0, "inner")):
        (first,) = await room.load(part)
        before = to_json(first)
        _spoil(first)
        assert [to_json(value) for value in await room.load(part)] == [before]


def _spoil(value: Any) -> None:
    for entry in value.values() if isinstance(value, dict) else value:
        if isinstance(entry, dict | list):
            _spoil(entry)
    value.clear()


async def test_a_claim_with_other_metadata_does_not_change_how_others_read_the_blob() -> None:
    room = Room()
    claim = await room.keep({"a": {"claim": 1}, "b": [1, 2]})
    forged = [
        Claim(key=claim.key, size=claim.size, metadata={"encoding": "text/plain"}, at=((0, 3),)),
        Claim(key=claim.key, size=claim.size, metadata={"encoding": "binary/plain"}, at=((0, 4),)),
        Claim(
            key=claim.key,
            size=claim.size,
            metadata={**JSON_METADATA, "claims": '["/b"]'},
            at=("a",),
        ),
    ]
    text, base64, object_, good = await room.load(*forged, claim.inside("b", 1))
    assert (text, base64, object_, good) == ('{"a', "eyJh", {"claim": 1}, 2)
    assert await room.load(claim.inside("b", 1)) == [2]


@pytest.mark.parametrize(
    ("encoding", "data", "value"),
    [
        ("json/plain", b'{"b":1,"a":2}', {"b": 1, "a": 2}),
        ("json/protobuf", b'{"name":"x"}', {"name": "x"}),
        ("text/yaml", "flow: é".encode(), "flow: é"),
        ("binary/plain", b"\x00\xff", "AP8="),
        ("binary/null", b"", None),
        ("application/unheard-of", b"\xff", "/w=="),
        ("", b"\xff", "/w=="),
    ],
)
async def test_every_encoding_has_its_place_in_json(
    encoding: str, data: bytes, value: object
) -> None:
    room = Room()
    metadata = {"encoding": encoding} if encoding else {}
    claim = await room.deposit(data, workflow_id="w", metadata=metadata)
    assert await load(room.again(), claim) == value


@pytest.mark.parametrize(
    ("encoding", "data"),
    [("json/plain", b"{"), ("json/plain", b"\xff"), ("json/protobuf", b""), ("text/yaml", b"\xff"),
     ("json/plain", b"[" * 100_000)],
)  # fmt: skip
async def test_a_value_that_is_not_what_its_claim_says_is_refused(
    encoding: str, data: bytes
) -> None:
    room = Room()
    claim = await room.deposit(data, workflow_id="w", metadata={"encoding": encoding})
    for use in (load(room, claim), load(room, claim.inside(0))):
        with pytest.raises(ClaimInvalid, match=encoding):
            await use


@pytest.mark.parametrize(
    "text",
    ['"\\ud83d"', '{"a\\udc00":1}', "[1e400,-0.0,NaN,-Infinity]", "[" * 300 + "]" * 300,
     "1" * 4000, '{"a":1,"a":2}', '"\\u0000"'],
    ids=lambda text: text[:20],
)  # fmt: skip
async def test_odd_json_comes_through(text: str) -> None:
    room = Room()
    claim = await room.deposit(text.encode(), workflow_id="w")
    wrapped = await room.deposit(f'{{"in":{text}}}'.encode(), workflow_id="w")
    expected = json.dumps(json.loads(text))
    loaded = await room.again().load(claim, [claim], wrapped.inside("in"))
    assert json.dumps(loaded) == json.dumps([json.loads(text)] * 1)[:-1] + (
        f", [{expected}], {expected}]"
    )


async def test_a_text_with_half_a_pair_of_surrogates_is_put_away_and_comes_back() -> None:
    room = Room()
    value = {"broken": "\ud83d" * 1000, "n": 1}
    stowed = await room.stow(value)
    assert claimed(stowed) == ["/broken"]
    assert await room.again().load(stowed) == [value]


async def test_no_number_changes() -> None:
    room = Room(threshold=1)
    value = [0.1, 1e300, -0.0, 2**70, math.inf]
    (loaded,) = await room.again().load(await room.stow(value))
    assert repr(loaded) == repr(value)


async def test_a_whole_is_opened_and_the_claims_in_it_stay() -> None:
    class Special(Claim):
        __slots__ = ()

    room = Room()
    inner = await room.keep(LARGE)
    claim = await room.keep({"a": inner, "b": 1})
    opened = await open_whole(room, claim, Special)
    assert opened == {"a": inner, "b": 1}
    assert type(opened["a"]) is Special
    assert await open_whole(room, claim.inside("b"), Special) == 1
    assert await open_whole(room, [inner], Special) == [inner]
    text = await room.deposit(b"text", workflow_id="w", metadata={"encoding": "text/plain"})
    assert await open_whole(room, text, Special) == "text"
    broken = await room.deposit(b"{", workflow_id="w")
    with pytest.raises(ClaimInvalid):
        await open_whole(room, broken, Special)


async def test_a_part_is_found_through_the_claims_on_the_way() -> None:
    room = Room()
    innermost = await room.keep([{"x": [1, 2, 3]}])
    inner = await room.keep({"b": innermost})
    claim = await room.keep({"a": inner})
    assert await room.again().load(claim.inside("a", "b", 0, "x", (1, 3))) == [[2, 3]]


# -- values that are meant to hurt -----------------------------------------------------------------


async def test_a_claim_that_leads_nowhere_is_refused() -> None:
    room = Room()
    claim = await room.keep({"a": [1]})
    for at in (("b",), ("a", 1), ("a", "x"), ((0, 1),)):
        with pytest.raises(ClaimInvalid, match="does not have"):
            await load(room, claim.inside(*at))


async def test_a_small_value_that_claims_a_large_one_many_times_is_refused_before_it_hurts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(values, "MOST_IN_MEMORY", 10_000_000)
    room = Room()
    claim = await room.keep("x" * 1_000_000)
    listed = await room.keep(["y" * 100_000] * 10)
    room = room.again()
    assert len(await room.load(*[claim] * 9)) == 9
    for many in (
        [claim] * 10,
        [[claim] * 5, {"a": [claim] * 5}],
        [claim.inside((0, 999_999))] * 10,
        [listed.inside((0, 10))] * 10,
        [listed.inside(n % 10) for n in range(100)],
    ):
        with pytest.raises(BlobTooLarge, match="together"):
            await room.load(*many)
    assert room.store.gets == 2


async def test_many_large_values_are_refused_before_they_are_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(values, "MOST_IN_MEMORY", 10_000_000)
    room = Room()
    many = [Claim(key=f"v1/default/w/{n:064x}", size=1_000_000) for n in range(1000)]
    for claims in (many, [claim.inside("a") for claim in many]):
        room.store.gets = 0
        with pytest.raises(BlobTooLarge):
            await room.load(claims)
        assert room.store.gets <= 9


async def test_claims_that_multiply_from_value_to_value_are_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(values, "MOST_IN_MEMORY", 10_000_000)
    room = Room()
    claim = await room.keep("x")
    for _ in range(6):
        claim = await room.keep([claim] * 10)
    with pytest.raises(BlobTooLarge):
        await room.load(claim)
    assert room.store.gets <= 7


async def test_a_chain_of_claims_is_followed_only_so_far() -> None:
    room = Room()
    claim = await room.keep("end")
    for _ in range(20):
        claim = await room.keep([claim])
    loaded = (await room.load(claim))[0]
    assert json.dumps(loaded) == "[" * 20 + '"end"' + "]" * 20
    with pytest.raises(ClaimInvalid, match="deep"):
        await room.load(await room.keep([claim]))


async def test_what_is_nested_too_deeply_to_look_for_claims_is_refused() -> None:
    room = Room()
    inner = await room.keep(1)
    text = to_json(inner.as_json()).decode()
    deep = await room.deposit(
        ("[" * 900 + text + "]" * 900).encode(),
        workflow_id="w",
        metadata={**JSON_METADATA, "claims": json.dumps(["/0" * 900])},
    )
    for use in (load(room, deep), load(room, deep.inside(0)), room.load([deep])):
        with pytest.raises(ClaimCheckError):
            await use


async def test_flawed_claims_keep_their_own_flaws() -> None:
    room = Room()
    flawed = [Claim(key="", size=0, flaw=flaw) for flaw in ("one", "two")]
    for claim in flawed:
        with pytest.raises(ClaimInvalid, match=str(claim.flaw)):
            await room.load({"in": claim})
    with pytest.raises(ClaimInvalid, match="one"):
        await room.load(flawed[0].inside("a"))


# -- together --------------------------------------------------------------------------------------


async def test_if_one_value_is_missing_nothing_is_left_running() -> None:
    class Slow(MemoryStore):
        async def get(self, key: str, *, limit: int) -> bytes:  # noqa: ARG002
            if key.endswith(SHA):
                raise BlobMissing("gone")
            await asyncio.Event().wait()
            raise AssertionError

    room = Room(store=Slow())
    slow = await Room(store=room.store).keep("slow")
    with pytest.raises(BlobMissing):
        await room.load(slow, [slow, slow.inside("a")], Claim(key=f"v1/default/w/{SHA}", size=1))
    # The download itself goes on, for others may wait for it.
    (download,) = asyncio.all_tasks() - {asyncio.current_task()}
    download.cancel()
    await asyncio.wait([download])


async def test_a_failure_of_several_things_at_once_keeps_its_cause() -> None:
    async def fail() -> None:
        raise StoreUnavailable("away") from OSError("no route")

    with pytest.raises(StoreUnavailable) as failed:
        await all_or_none([fail(), fail()])
    assert isinstance(failed.value.__cause__, OSError)


async def test_several_things_at_once_come_back_in_their_order() -> None:
    async def after(turns: int) -> int:
        for _ in range(turns):
            await asyncio.sleep(0)
        return turns

    assert await all_or_none(after(turns) for turns in (3, 1, 2)) == [3, 1, 2]
