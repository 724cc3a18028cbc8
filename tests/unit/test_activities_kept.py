"""Results that are produced without being held, and what of them may get into the store."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from pydantic import BaseModel
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment
from typing_extensions import TypedDict

from activities.attempt import Attempt
from activities.blobs import CONTENT_TYPE, Kept
from activities.claims import Claims
from activities.declaration import AnyImplementation, Params, declare
from activities.redaction import Redactor
from claimcheck.claim import Claim
from claimcheck.errors import ClaimInvalid
from claimcheck.stores import MemoryStore
from flowspec.values import Json
from tests.attempts import (
    AwayAtFirst,
    claims_in_memory,
    in_pieces,
    lasting,
    perform,
    piece_by_piece,
)

SECRET = "hunter22"
ENVIRONMENT = {"FLOWRUNNER_SECRET_KEY": SECRET}


class Nothing(Params):
    """One parameter, for a secret."""

    key: str = ""


class File(TypedDict):
    name: str
    body: Kept


class Modelled(BaseModel):
    files: list[Kept]


Making = Callable[[Attempt], Any]


def node(make: Making, result: Any = Any) -> AnyImplementation:
    async def handle(_params: Nothing, attempt: Attempt) -> Any:
        return await make(attempt)

    return declare(
        name="sample",
        summary="",
        description="",
        example="",
        params=Nothing,
        result=result,
        handler=handle,
    )


CALL: dict[str, Any] = {
    "node": "n",
    "flow": "f",
    "run_id": "r",
    "key": "k",
    "params": {"key": "${secrets.KEY}"},
    "deferred": ["/key"],
    "secrets": ["KEY"],
}


async def output(
    make: Making,
    claims: Claims,
    result: Any = Any,
    env: ActivityEnvironment | None = None,
) -> Any:
    done = await perform(node(make, result), CALL, claims=claims, environment=ENVIRONMENT, env=env)
    return done["output"]


def keeping(*pieces: bytes, **how: Any) -> Making:
    async def make(attempt: Attempt) -> Kept:
        return await attempt.keep(in_pieces(pieces), **how)

    return make


@pytest.fixture
def claims() -> Claims:
    return claims_in_memory()


async def test_what_is_kept_stands_in_the_result_as_a_claim_however_small(claims: Claims) -> None:
    async def make(attempt: Attempt) -> Json:
        kept = await attempt.keep(in_pieces([b"a", b"bc"]))
        assert kept.size == 3
        found: Any = {"files": [{"body": kept}], "n": 1}
        return found  # type: ignore[no-any-return]

    found = await output(make, claims)
    claim = found["files"][0]["body"]
    assert isinstance(claim, Claim)
    assert found == {"files": [{"body": claim}], "n": 1}
    assert await claims.cloakroom.redeem(claim) == b"abc"
    assert claim.key.startswith("v1/default/test/"), "its owner is the workflow of the node"


async def test_a_result_may_be_nothing_but_what_is_kept(claims: Claims) -> None:
    assert isinstance(await output(keeping(b"x"), claims), Claim)


async def test_results_with_types_hold_what_is_kept(claims: Claims) -> None:
    async def typed(attempt: Attempt) -> File:
        return {"name": "a", "body": await attempt.keep(in_pieces([b"x"]))}

    async def modelled(attempt: Attempt) -> Modelled:
        return Modelled(files=[await attempt.keep(in_pieces([b"y"]))])

    assert isinstance((await output(typed, claims, File))["body"], Claim)
    assert isinstance((await output(modelled, claims, Modelled))["files"][0], Claim)
    assert node(typed, File).node_type.output_schema()["properties"] == {
        "name": {"type": "string"},
        "body": {},
    }


async def test_a_result_that_is_not_what_was_declared_still_fails(claims: Claims) -> None:
    async def wrong(attempt: Attempt) -> Any:
        return {"name": await attempt.keep(in_pieces([b"x"])), "body": "text"}

    async def no_json(attempt: Attempt) -> Any:
        return {"kept": await attempt.keep(in_pieces([b"x"])), "other": object()}

    for make, result in ((wrong, File), (no_json, Any)):
        with pytest.raises(ApplicationError) as caught:
            await output(make, claims, result)
        assert caught.value.type == "InvalidResult"


@pytest.mark.parametrize(
    ("data", "how", "seen"),
    [
        (b"text", {}, "dGV4dA=="),
        (b"\xff\0", {"content_type": "image/png"}, "/wA="),
        ("grüß".encode(), {"content_type": "text/plain"}, "grüß"),
        (b'{"a":1}', {"content_type": "application/problem+json"}, '{"a":1}'),
        (b"<a/>", {"content_type": "Application/XML ; charset=utf-8"}, "<a/>"),
        ("grüß".encode("latin-1"), {"content_type": "text/plain"}, "Z3L83w=="),
        ("gruß".encode("utf-16"), {"content_type": "text/plain"}, "//5nAHIAdQDfAA=="),
        (b"", {"content_type": "text/plain"}, ""),
        (b'{"a":1}', {"as_json": True}, {"a": 1}),
    ],
)
async def test_expressions_see_text_json_or_base64(
    claims: Claims, data: bytes, how: dict[str, Any], seen: Json
) -> None:
    claim = await output(keeping(data[:3], data[3:], **how), claims)
    assert await claims.cloakroom.redeem(claim) == data
    assert await claims.loaded({"body": claim}) == {"body": seen}


async def test_its_type_stays_with_it_without_secrets(claims: Claims) -> None:
    claim = await output(keeping(b"x", content_type=f"text/html; x={SECRET}"), claims)
    assert claim.metadata == {"encoding": "text/plain", CONTENT_TYPE: "text/html; x=***"}


async def test_json_that_is_not_even_text_is_refused_and_other_is_found_out(
    claims: Claims,
) -> None:
    with pytest.raises(ApplicationError, match="not even UTF-8") as caught:
        await output(keeping(b"\xff", as_json=True), claims)
    assert caught.value.type == "InvalidResult"
    claim = await output(keeping(b"{", as_json=True), claims)
    with pytest.raises(ClaimInvalid):
        await claims.loaded(claim)


async def test_a_secret_never_enters_the_store(claims: Claims) -> None:
    token = base64.b64encode(f"user:{SECRET}".encode()).decode()
    data = f"a {SECRET} b {token} c {SECRET}".encode() + b"\0" + SECRET.encode("utf-16-be")
    for size in (1, 2, 3, 5, 8, 13, len(data)):

        async def make(attempt: Attempt, size: int = size) -> Kept:
            return await attempt.keep(piece_by_piece(data, size))

        kept = await claims.cloakroom.redeem(await output(make, claims))
        assert kept.startswith(b"a *** b ")
        assert kept.endswith(b"c ***\0" + "***".encode("utf-16-be"))
        assert token[8:-4].encode() not in kept


async def test_a_text_concealed_while_it_goes_on_is_blotted_from_then_on(claims: Claims) -> None:
    async def make(attempt: Attempt) -> Kept:
        async def pieces() -> AsyncIterator[bytes]:
            yield b"open sesame, "
            attempt.conceal("sesame")
            yield b"open sesame"

        return await attempt.keep(pieces())

    assert await claims.cloakroom.redeem(await output(make, claims)) == b"open ***, open ***"


async def test_without_secrets_bytes_go_through_as_they_come() -> None:
    pieces = [b"a", b"b"]
    assert [piece async for piece in Redactor().stream(in_pieces(pieces)) if piece] == pieces


async def test_secrets_as_long_as_keys_are_found_as_well() -> None:
    key = "-----BEGIN PRIVATE KEY-----\n" + "QUJD+/4=\n" * 300 + "-----END PRIVATE KEY-----\n"
    data = b"x" * 70_000 + key.encode() + b"y" * 70_000 + key.encode()
    stream = Redactor([key]).stream(piece_by_piece(data, 1000))
    found = b"".join([piece async for piece in stream])
    assert found == b"x" * 70_000 + b"***" + b"y" * 70_000 + b"***"


async def test_what_the_handler_fails_with_while_it_streams_is_the_failure(
    claims: Claims,
) -> None:
    async def make(attempt: Attempt) -> Kept:
        async def pieces() -> AsyncIterator[bytes]:
            yield b"x"
            raise KeyError("colour")

        return await attempt.keep(pieces())

    with pytest.raises(ApplicationError, match="KeyError: 'colour'"):
        await output(make, claims)
    store = claims.cloakroom.store
    assert isinstance(store, MemoryStore)
    assert store.blobs == {}


async def test_what_has_been_received_is_not_lost_because_the_store_is_away() -> None:
    claims = claims_in_memory(AwayAtFirst(1))
    received = 0

    async def make(attempt: Attempt) -> Kept:
        nonlocal received
        received += 1
        return await attempt.keep(in_pieces([b"once only"]))

    claim = await asyncio.wait_for(output(make, claims, env=lasting(60)), 10)
    assert await claims.cloakroom.redeem(claim) == b"once only"
    assert received == 1
