"""Lists kept in parts are joined, each part once in memory."""

from __future__ import annotations

from typing import Any

import pytest

from claimcheck import joining
from claimcheck.claim import Claim
from claimcheck.cloakroom import Cloakroom
from claimcheck.errors import BlobTooLarge, ClaimInvalid
from claimcheck.joining import join
from claimcheck.stores import MemoryStore
from claimcheck.values import keep, load, open_whole


@pytest.fixture
def room() -> Cloakroom:
    return Cloakroom(MemoryStore(), namespace="default", threshold=1000)


async def joined(room: Cloakroom, parts: list[Any]) -> Claim:
    return await join(room, parts, workflow_id="parent")


async def test_parts_here_and_elsewhere_become_one_list(room: Cloakroom) -> None:
    there = await keep(room, [{"a": "ü"}, None, [3]], workflow_id="child")
    empty = await keep(room, [], workflow_id="child")
    claim = await joined(room, [[], [1, "x"], empty, there, [], [2.5]])
    assert await load(room, claim) == [1, "x", {"a": "ü"}, None, [3], 2.5]
    assert claim.key.startswith("v1/default/parent/")
    assert claim.metadata == {"encoding": "json/plain"}


@pytest.mark.parametrize("parts", [[], [[]], [[], []]])
async def test_nothing_joined_is_an_empty_list(room: Cloakroom, parts: list[Any]) -> None:
    assert await load(room, await joined(room, parts)) == []


async def test_claims_among_the_items_stay_claims_and_lead_where_they_led(room: Cloakroom) -> None:
    large = await keep(room, "x" * 2000, workflow_id="child/1")
    other = await keep(room, {"y": ["z"]}, workflow_id="child/2")
    first = await keep(room, [1, large, {"in": [other]}], workflow_id="child/1")
    claim = await joined(room, [[0, 0], first, [{"again": large}]])
    opened = await open_whole(room, claim, Claim)
    assert opened == [0, 0, 1, large, {"in": [other]}, {"again": large}]
    whole = [0, 0, 1, "x" * 2000, {"in": [{"y": ["z"]}]}, {"again": "x" * 2000}]
    assert await load(room, claim) == whole
    assert await load(room, claim.inside(4, "in", 0, "y")) == ["z"]
    held = [entry.key async for entry in room.store.list_keys("v1/default/child%2F2/")]
    assert any("held-by/parent" in key for key in held)


async def test_the_same_parts_are_the_same_blob(room: Cloakroom) -> None:
    assert await joined(room, [[1], [2]]) == await joined(room, [[1, 2]])


async def test_a_part_that_is_no_list_is_refused(room: Cloakroom) -> None:
    claim = await keep(room, {"a": 1}, workflow_id="child")
    with pytest.raises(ClaimInvalid, match="a part of a list is none itself"):
        await joined(room, [[1], claim])


async def test_too_many_claims_among_the_items_are_refused(
    room: Cloakroom, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(joining, "MOST_POINTERS", 20)
    claim = await keep(room, "x", workflow_id="child")
    assert await load(room, await joined(room, [[claim, claim]])) == ["x", "x"]
    with pytest.raises(BlobTooLarge, match="6 of the items of this list are large values"):
        await joined(room, [[claim] * 6])
