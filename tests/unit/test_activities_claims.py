"""Claims where flows handle values."""

from __future__ import annotations

from typing import Any

import pytest

from activities.claims import FlowClaim
from claimcheck.claim import Claim
from claimcheck.codec import ClaimCodec
from claimcheck.errors import ClaimInvalid
from claimcheck.payloads import data_converter
from claimcheck.values import keep
from flowspec.values import Opaque
from tests.attempts import claims_in_memory


def claim(encoding: str = "json/plain", size: int = 100, **more: Any) -> FlowClaim:
    key = f"v1/default/w/{'0' * 64}"
    return FlowClaim(key=key, size=size, metadata={"encoding": encoding}, **more)


@pytest.mark.parametrize(
    ("it", "may_be_null"),
    [
        (claim(), False),
        (claim(size=4), True),
        (claim(at=("a",)), True),
        (claim("binary/plain", 0), False),
        (claim("text/plain", 4), False),
        (FlowClaim(key="", size=0, flaw="forged"), True),
    ],
)
def test_a_claim_may_be_for_null_unless_that_is_out_of_the_question(
    it: FlowClaim, may_be_null: bool
) -> None:
    assert it.may_be_null is may_be_null


async def test_a_claim_for_null_in_a_claim_may_be_null() -> None:
    claims = claims_in_memory()
    around = await keep(
        claims.cloakroom, await keep(claims.cloakroom, None, workflow_id="w"), workflow_id="w"
    )
    assert around.size > 4
    assert FlowClaim.read(around.as_json()).may_be_null


def test_a_part_of_a_claim_is_one_for_flows_as_well() -> None:
    part = claim().part(1, 3)
    assert isinstance(part, Opaque)
    assert part.at == ((1, 3),)
    assert part.part(0).at == ((1, 3), 0)


@pytest.mark.parametrize(
    ("data", "encoding", "seen"),
    [
        (b'{"a":1}', "json/plain", {"a": 1}),
        (b"text", "text/plain", "text"),
        (b"\0\xff", "binary/plain", "AP8="),
    ],
)
async def test_what_a_flow_gives_out_is_json_to_every_client(
    data: bytes, encoding: str, seen: Any
) -> None:
    claims = claims_in_memory()
    kept = await claims.cloakroom.deposit(data, workflow_id="w", metadata={"encoding": encoding})
    worker = data_converter(ClaimCodec(claims.cloakroom, role="worker"), claim_type=FlowClaim)
    client = data_converter(ClaimCodec(claims.cloakroom, role="client"))
    given_out = await worker.encode([FlowClaim.read(kept.as_json())])
    assert await client.decode(given_out) == [seen]
    [handed_on] = await worker.decode(given_out)
    assert isinstance(handed_on, FlowClaim)
    assert handed_on == kept


async def test_bytes_of_other_programs_stay_bytes() -> None:
    claims = claims_in_memory()
    client = data_converter(ClaimCodec(claims.cloakroom, role="client", workflow_id="w"))
    worker = data_converter(ClaimCodec(claims.cloakroom, role="worker"))
    payloads = await client.encode([b"\xff" * 5000])
    [handed_on] = await worker.decode(payloads)
    assert isinstance(handed_on, Claim)
    assert await client.decode(await worker.encode([handed_on])) == [b"\xff" * 5000]


async def test_claims_deep_inside_of_each_other_are_given_up() -> None:
    claims = claims_in_memory()
    inner: Any = 1
    for _ in range(25):
        inner = await keep(claims.cloakroom, inner, workflow_id="w")
    with pytest.raises(ClaimInvalid, match="deep at most"):
        await claims.followed(inner)
