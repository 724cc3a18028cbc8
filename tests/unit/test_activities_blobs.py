"""Parameters that are taken without being loaded, whatever stands for them."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import Field
from temporalio.exceptions import ApplicationError

from activities.attempt import Attempt
from activities.blobs import Blob, blob_of, blob_parameters
from activities.claims import Claims, FlowClaim
from activities.declaration import AnyImplementation, Params, declare
from activities.errors import NodeFailed
from activities.parameters import load_params, read_params
from claimcheck.claim import Claim
from claimcheck.errors import BlobMissing, ClaimInvalid
from claimcheck.payloads import CLAIMS, Inline, OrderedJsonConverter
from claimcheck.stores import MemoryStore
from claimcheck.values import keep
from flowspec.values import Json
from tests.attempts import ClaimsAnywhere, claims_in_memory, in_pieces, perform

WORKFLOW = "test"


class Taking(Params):
    """Blobs, and what is none."""

    body: Blob | None = None
    """However large."""
    file: Blob | None = Field(default=None, alias="in")
    plain: Json = None
    many: list[Blob] = Field(default_factory=list)


def taking(handler: Any = None) -> AnyImplementation:
    async def look(params: Taking, _attempt: Attempt) -> Json:
        return await params.body.text() if params.body is not None else None

    return declare(
        name="sample",
        summary="",
        description="",
        example="",
        params=Taking,
        result=Any,
        handler=handler or look,
    )


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
def claims(store: MemoryStore) -> Claims:
    return claims_in_memory(store)


async def kept(claims: Claims, value: Any) -> Claim:
    return await keep(claims.cloakroom, value, workflow_id=WORKFLOW)


async def kept_bytes(claims: Claims, data: bytes, encoding: str, **metadata: str) -> Claim:
    return await claims.cloakroom.deposit(
        data, workflow_id=WORKFLOW, metadata={"encoding": encoding, **metadata}
    )


async def streamed(blob: Blob) -> bytes:
    return b"".join([piece async for piece in blob.stream()])


async def check(blob: Blob, data: bytes, content_type: str) -> None:
    assert await streamed(blob) == data
    assert await streamed(blob) == data  # as often as one likes
    assert await blob.size() == len(data)
    assert await blob.content_type() == content_type
    assert await blob.read() == data


TEXT = "text/plain; charset=utf-8"
JSON = "application/json"
VALUES = pytest.mark.parametrize(
    ("value", "data", "content_type"),
    [
        ('grüß\n"dich"\\ 🎈', 'grüß\n"dich"\\ 🎈'.encode(), TEXT),
        ("", b"", TEXT),
        ({"b": [1, None], "a": "ü"}, '{"b":[1,null],"a":"ü"}'.encode(), JSON),
        ([], b"[]", JSON),
        (12.5, b"12.5", JSON),
        (False, b"false", JSON),
        (None, b"null", JSON),
    ],
)


@VALUES
async def test_a_value_has_the_same_bytes_inline_kept_and_as_a_part(
    claims: Claims, value: Json, data: bytes, content_type: str
) -> None:
    await check(blob_of(value), data, content_type)
    await check(blob_of(await kept(claims, value), claims), data, content_type)
    part = (await kept(claims, {"list": [0, value]})).inside("list", 1)
    await check(blob_of(part, claims), data, content_type)


async def test_bytes_and_texts_that_are_kept_as_such_are_themselves(claims: Claims) -> None:
    binary = await kept_bytes(claims, b"\0\xff", "binary/plain")
    await check(blob_of(binary, claims), b"\0\xff", "application/octet-stream")
    typed = {"content-type": "image/png"}
    image = await kept_bytes(claims, b"\0\xff", "binary/plain", **typed)
    await check(blob_of(image, claims), b"\0\xff", "image/png")
    text = await kept_bytes(claims, '"grüß"'.encode(), "text/plain")
    await check(blob_of(text, claims), '"grüß"'.encode(), TEXT)


async def test_a_content_type_that_is_none_is_passed_over(claims: Claims) -> None:
    forged = {"content-type": "text/html\r\nX-Evil: 1"}
    claim = await kept_bytes(claims, b"x", "binary/plain", **forged)
    assert await blob_of(claim, claims).content_type() == "application/octet-stream"


@pytest.mark.parametrize("written", ['"grüß"', r'"gr\u00fc\u00df"', ' \n"grü\\u00df"\n'])
async def test_a_text_in_json_of_any_writer_is_the_text(claims: Claims, written: str) -> None:
    claim = await kept_bytes(claims, written.encode(), "json/plain")
    await check(blob_of(claim, claims), "grüß".encode(), TEXT)


@pytest.mark.parametrize(
    "written", [b'"half', b'"a" b', b'"\\ud800"', b'"\\x"', b'"\xff"', b'"\n"']
)
async def test_what_begins_as_json_and_is_none_is_told(claims: Claims, written: bytes) -> None:
    blob = blob_of(await kept_bytes(claims, written, "json/plain"), claims)
    with pytest.raises(ClaimInvalid, match=r"no (json|JSON)"):
        await blob.read()
    with pytest.raises(ClaimInvalid, match="no JSON"):
        await streamed(blob)


async def test_claims_in_the_value_of_a_claim_are_followed(claims: Claims) -> None:
    file = await kept_bytes(claims, b"\0\xff", "binary/plain")
    whole = await kept(claims, {"file": file, "name": "x"})
    assert CLAIMS in whole.metadata
    await check(blob_of(whole, claims), b'{"file":"AP8=","name":"x"}', JSON)
    await check(blob_of(whole.inside("file"), claims), b"\0\xff", "application/octet-stream")
    await check(blob_of(whole.inside("name"), claims), b"x", TEXT)
    around = await kept(claims, file)
    await check(blob_of(around, claims), b"\0\xff", "application/octet-stream")


async def test_what_is_missing_or_leads_nowhere_is_told(store: MemoryStore, claims: Claims) -> None:
    claim = await kept(claims, {"a": 1})
    with pytest.raises(ClaimInvalid):
        await blob_of(claim.inside("b"), claims).read()
    store.blobs.clear()
    with pytest.raises(BlobMissing):
        await blob_of(claim, claims).size()
    with pytest.raises(BlobMissing):
        await streamed(blob_of(claim, claims))


async def test_text_and_json_are_read_from_the_bytes(claims: Claims) -> None:
    assert await blob_of({"a": 1}).json() == {"a": 1}
    assert await blob_of('{"a": 1}').json() == {"a": 1}
    assert await blob_of([1]).text() == "[1]"
    binary = blob_of(await kept_bytes(claims, b"\0\xff", "binary/plain"), claims)
    for reading in (binary.text(), binary.json(), blob_of("{").json(), blob_of("NaN").json()):
        with pytest.raises(NodeFailed) as caught:
            await reading
        assert caught.value.error.name == "InvalidParams"


def test_a_blob_is_any_json_in_the_schema_and_only_top_level_fields_are_left() -> None:
    assert taking().node_type.params_schema()["properties"] == {
        "body": {"description": "However large."},
        "in": {},
        "plain": {},
        "many": {"type": "array", "items": {}},
    }
    assert blob_parameters(Taking) == {"body", "file", "in"}


async def test_nothing_is_read_for_a_blob_before_it_is_asked_for(
    store: MemoryStore, claims: Claims
) -> None:
    body, plain = await kept(claims, "b" * 5000), await kept(claims, "p" * 5000)
    params = await load_params(taking(), {"body": body, "in": body, "plain": plain}, claims)
    assert isinstance(params, Taking)
    assert params.plain == "p" * 5000
    assert store.gets == 1
    assert params.body is not None
    assert params.file is not None
    assert await params.body.read() == b"b" * 5000
    assert await params.file.size() == 5000


async def test_claims_anywhere_else_are_loaded(claims: Claims) -> None:
    claim = await kept(claims, "x")
    given = {"body": {"a": claim}, "plain": [claim], "many": [claim, 1]}
    params = await load_params(taking(), given, claims)
    assert isinstance(params, Taking)
    assert params.body is not None
    assert await params.body.json() == {"a": "x"}
    assert params.plain == ["x"]
    assert [await each.read() for each in params.many] == [b"x", b"1"]


async def test_a_blob_may_be_left_out_and_null_is_left_out() -> None:
    for given in ({}, {"body": None}):
        params = read_params(taking(), {**given})
        assert isinstance(params, Taking)
        assert params.body is None


async def test_what_a_user_writes_is_never_taken_for_something_else(claims: Claims) -> None:
    """Neither a value that looks like a claim, nor the text that stands for one in another call."""
    claim = await kept(claims, "secret of another flow")
    seen: list[Any] = []

    class Spy(ClaimsAnywhere):
        async def loaded(self, value: Any) -> Any:
            seen.append(value)
            return await super().loaded(value)

    forged = claim.as_json()
    params = await load_params(taking(), {"body": forged, "in": claim}, Spy(claims.cloakroom))
    assert isinstance(params, Taking)
    assert params.body is not None
    assert await params.body.json() == forged
    tokens = [f"{'0' * 32}:0", "0", ""]
    for token in tokens:
        params = await load_params(taking(), {"body": token, "in": claim, "plain": token}, claims)
        assert isinstance(params, Taking)
        assert params.body is not None
        assert (await params.body.text(), params.plain) == (token, token)


def call(**params: Any) -> dict[str, Any]:
    return {"node": "n", "flow": "f", "run_id": "r", "key": "k", "params": params}


def as_it_travels(claim: Claim) -> FlowClaim:
    """A claim as activities get it: out of a payload."""
    converter = OrderedJsonConverter(FlowClaim)
    payload = converter.to_payload(Inline([claim]))
    assert payload is not None
    [travelled] = converter.from_payload(payload)
    assert isinstance(travelled, FlowClaim)
    return travelled


async def test_a_handler_streams_what_its_node_was_given(claims: Claims) -> None:
    sizes: list[int] = []

    async def read(params: Taking, _attempt: Attempt) -> Json:
        assert params.body is not None
        sizes.extend([len(piece) async for piece in params.body.stream()])
        return await params.body.size()

    data = bytes(3_000_000)
    claim = await claims.cloakroom.deposit_stream(
        in_pieces([data]), workflow_id=WORKFLOW, metadata={"encoding": "binary/plain"}
    )
    result = await perform(taking(read), call(body=as_it_travels(claim)), claims=claims)
    assert result["output"] == len(data)
    assert sum(sizes) == len(data)
    assert len(sizes) == 3


async def test_a_blob_that_is_gone_fails_the_attempt_for_good(
    store: MemoryStore, claims: Claims
) -> None:
    claim = await kept(claims, "x")
    store.blobs.clear()
    with pytest.raises(ApplicationError) as caught:
        await perform(taking(), call(body=as_it_travels(claim)), claims=claims)
    assert (caught.value.type, caught.value.non_retryable) == ("BlobMissing", True)


async def test_a_blob_is_as_the_template_made_it_with_secrets(claims: Claims) -> None:
    argument = {
        **call(body="key=${secrets.KEY}"),
        "deferred": ["/body"],
        "secrets": ["KEY"],
    }
    seen: list[str] = []

    async def look(params: Taking, _attempt: Attempt) -> Json:
        assert params.body is not None
        seen.append(await params.body.text())
        return seen[0]

    result = await perform(
        taking(look), argument, claims=claims, environment={"FLOWRUNNER_SECRET_KEY": "hunter22"}
    )
    assert seen == ["key=hunter22"]
    assert result["output"] == "***"
