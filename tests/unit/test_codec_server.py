"""The codec server, asked over ASGI: its protocol, what it shows, and whom it answers."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from typing import Any

import httpx2
import pytest
from google.protobuf.json_format import MessageToDict, ParseDict
from starlette.types import ASGIApp, Message, Scope
from temporalio.api.common.v1 import Payload

from claimcheck import codec_server, showing
from claimcheck.claim import Claim
from claimcheck.cloakroom import Cloakroom
from claimcheck.codec import ClaimCodec
from claimcheck.codec_server import Guard, codec_app
from claimcheck.errors import StoreUnavailable
from claimcheck.keyring import Key, KeyRing
from claimcheck.payloads import CLAIMS, HELD_BY, ValueConverter, reference_payload
from claimcheck.stores.memory import MemoryStore
from claimcheck.values import keep

NAMESPACE = "default"
UI = "http://localhost:8233"
KEYS = KeyRing(keys=(Key(id="k1", secret=bytes(range(32))),))

KILOBYTE = 1024
MEGABYTE = 1024 * KILOBYTE


class Silent(MemoryStore):
    """A store that is there and never answers."""

    async def get(self, key: str, *, limit: int) -> bytes:  # noqa: ARG002
        await asyncio.Event().wait()
        raise AssertionError


class Breaking(MemoryStore):
    """A store that goes away half-way."""

    async def read(self, key: str) -> AsyncGenerator[bytes]:
        pieces = super().read(key)
        yield await anext(pieces)
        yield await anext(pieces)
        raise StoreUnavailable("the store has gone away")


def _room(store: MemoryStore | None = None, *, keys: KeyRing | None = None) -> Cloakroom:
    # Without a cache, every reading goes to the store.
    return Cloakroom(store or MemoryStore(), namespace=NAMESPACE, keys=keys, cache_bytes=0)


def _app(room: Cloakroom, *, token: str | None = None) -> ASGIApp:
    return codec_app(room, Guard(namespace=NAMESPACE, origins=frozenset({UI}), token=token))


async def _ask(
    app: ASGIApp,
    path: str,
    *,
    body: bytes | str = b"{}",
    method: str = "POST",
    host: str = "127.0.0.1:8234",
    **headers: str,
) -> httpx2.Response:
    named = [
        (name.replace("_", "-").encode(), value.encode("latin-1"))
        for name, value in headers.items()
    ]
    transport = httpx2.ASGITransport(app=app)
    async with httpx2.AsyncClient(transport=transport, base_url=f"http://{host}") as client:
        return await client.request(method, path, content=body, headers=named)


async def _payloads(app: ASGIApp, path: str, *payloads: Payload) -> list[Payload]:
    body = json.dumps({"payloads": [MessageToDict(payload) for payload in payloads]})
    response = await _ask(app, path, body=body, x_namespace=NAMESPACE)
    assert response.status_code == 200, response.text
    assert response.headers["content-type"] == "application/json"
    return [ParseDict(each, Payload()) for each in response.json()["payloads"]]


async def _shown(app: ASGIApp, path: str, *payloads: Payload) -> list[Any]:
    return [json.loads(payload.data) for payload in await _payloads(app, path, *payloads)]


def _payload(value: Any) -> Payload:
    (payload,) = ValueConverter().to_payloads([value])
    return payload


def _text(size: int, mark: str = "x") -> str:
    """JSON of exactly that many bytes."""
    return mark * (size - 2)


async def _kept(room: Cloakroom, value: Any) -> Claim:
    return await keep(room, value, workflow_id="orders-1")


# -- decoding ------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/decode", "/default/decode", "/a/b/decode"])
async def test_what_a_reference_stands_for_is_shown_wherever_the_server_is_mounted(
    path: str,
) -> None:
    room = _room()
    claim = await _kept(room, {"name": "Ada"})
    shown = await _payloads(_app(room), path, reference_payload(claim))
    assert shown == [_payload({"name": "Ada"})]


async def test_as_many_payloads_come_back_as_came_and_in_their_order() -> None:
    room = _room()
    claim = await _kept(room, "second")
    shown = await _shown(
        _app(room), "/decode", _payload("first"), reference_payload(claim), _payload("third")
    )
    assert shown == ["first", "second", "third"]
    assert await _shown(_app(room), "/decode") == []


async def test_payloads_without_claims_come_back_as_they_came() -> None:
    odd = Payload(metadata={"encoding": b"binary/plain", "own": b"\xff\x00"}, data=b"\x00\xff")
    looks_like = _payload({"claim": 1, "key": "v1/a/b/" + "0" * 64, "size": 1})
    null = _payload(None)
    assert await _payloads(_app(_room()), "/decode", odd, looks_like, null) == [
        odd,
        looks_like,
        null,
    ]


async def test_the_bytes_and_metadata_of_any_payload_are_shown() -> None:
    room = _room()
    metadata = {"encoding": "binary/plain", "own": "\xff"}
    claim = await room.deposit(b"\x00\xff", workflow_id="orders-1", metadata=metadata)
    (shown,) = await _payloads(_app(room), "/decode", reference_payload(claim))
    assert shown.data == b"\x00\xff"
    assert dict(shown.metadata) == {"encoding": b"binary/plain", "own": b"\xff"}


async def test_claims_inside_a_value_are_replaced_by_what_they_stand_for() -> None:
    room = _room()
    inner = await _kept(room, {"deep": "est"})
    outer = await _kept(room, {"inner": inner, "list": [1, 2, 3, 4]})
    value = {
        "whole": outer,
        "part": outer.inside("inner"),
        "through": outer.inside("inner", "deep"),
        "slice": outer.inside("list", (1, 3)),
        "n": 12345678901234567890,
    }
    shown = await _shown(_app(room), "/decode", _payload(value))
    assert shown == [
        {
            "whole": {"inner": {"deep": "est"}, "list": [1, 2, 3, 4]},
            "part": {"deep": "est"},
            "through": "est",
            "slice": [2, 3],
            "n": 12345678901234567890,
        }
    ]


async def test_the_ui_is_left_references_and_shown_small_values_inside_others() -> None:
    room = _room()
    large = await _kept(room, _text(300 * KILOBYTE))
    small = await _kept(room, "small")
    value = {"small": small, "large": large}
    reference, shown = await _payloads(
        _app(room),
        "/decode?preserveStorageRefs=true",
        reference_payload(small),
        _payload(value),
    )
    assert reference == reference_payload(small)
    assert reference.external_payloads[0].size_bytes == small.size
    assert json.loads(shown.data) == {
        "small": "small",
        "large": {
            **large.as_json(),
            "note": f"too large to be shown here; get it with: flowrunner blobs get {large.key}",
        },
    }


async def test_a_value_that_is_too_large_is_told_of_in_its_place() -> None:
    room = _room()
    claim = await _kept(room, _text(2 * MEGABYTE + 1))
    told, beside = await _shown(
        _app(room), "/decode", reference_payload(claim), _payload("beside it")
    )
    assert told == {
        **claim.as_json(),
        "note": f"too large to be shown here; get it with: flowrunner blobs get {claim.key}",
    }
    assert beside == "beside it"


async def test_all_values_of_a_request_together_are_bounded() -> None:
    room = _room()
    claims = [await _kept(room, _text(2 * MEGABYTE, mark)) for mark in "abcdefghij"]
    shown = await _shown(_app(room), "/decode", *map(reference_payload, claims))
    assert [isinstance(each, str) for each in shown] == [True] * 8 + [False] * 2


async def test_a_small_payload_cannot_be_blown_up_by_claiming_one_value_many_times() -> None:
    room = _room()
    claim = await _kept(room, [_text(200 * KILOBYTE)])
    (shown,) = await _shown(_app(room), "/decode", _payload([claim.inside(0)] * 1000))
    assert sum(isinstance(each, str) for each in shown) == 10
    assert all("too large" in each["note"] for each in shown[10:])


async def test_claims_inside_claims_are_followed_only_so_far() -> None:
    room = _room()
    claim = await _kept(room, "the end")
    for _ in range(8):
        claim = await _kept(room, [claim])
    (shown,) = await _shown(_app(room), "/decode", _payload([claim]))
    levels = 0
    while isinstance(shown, list):
        (shown,) = shown
        levels += 1
    assert levels == 6
    assert shown["claim"] == 1


async def test_many_tiny_values_are_bounded_too() -> None:
    room = _room()
    claims = [await _kept(room, number) for number in range(2500)]
    (shown,) = await _shown(_app(room), "/decode", _payload(claims))
    assert shown[:100] == list(range(100))
    assert "too large" in shown[-1]["note"]


# -- what cannot be shown ------------------------------------------------------------------------


async def _missing(room: Cloakroom) -> Payload:
    claim = await _kept(room, "gone")
    await room.store.delete(claim.key)
    return reference_payload(claim)


async def _of_another_namespace(_: Cloakroom) -> Payload:
    key = f"v1/other/orders-1/{'0' * 64}"
    return reference_payload(Claim(key=key, size=3))


async def _with_a_false_size(room: Cloakroom) -> Payload:
    claim = await _kept(room, _text(MEGABYTE))
    return reference_payload(Claim(key=claim.key, size=10))


async def _with_a_path_for_a_key(_: Cloakroom) -> Payload:
    return reference_payload(Claim(key="v1/default/../../etc/passwd", size=3))


async def _encrypted_with_an_unknown_key(_: Cloakroom) -> Payload:
    codec = ClaimCodec(_room(keys=KEYS), role="replay")
    return (await codec.encode([_payload("secret")]))[0]


async def _encrypted_and_changed(room: Cloakroom) -> Payload:
    payload = await _encrypted_with_an_unknown_key(room)
    payload.data = payload.data[:-1] + bytes([payload.data[-1] ^ 1])
    return payload


async def _no_json_with_claims(_: Cloakroom) -> Payload:
    metadata = {"encoding": b"json/plain", CLAIMS: b'["/a"]'}
    return Payload(metadata=metadata, data=b'{"a": ')


async def _no_claim_at_all(_: Cloakroom) -> Payload:
    return Payload(metadata={"encoding": b"json/claim"}, data=b"\xff")


@pytest.mark.parametrize(
    ("bad", "told"),
    [
        (_missing, "cannot be shown"),
        (_of_another_namespace, "not for namespace 'default'"),
        (_with_a_false_size, "cannot be shown"),
        (_with_a_path_for_a_key, "is not the key of a blob"),
        (_encrypted_with_an_unknown_key, "k1"),
        (_encrypted_and_changed, "cannot be shown"),
        (_no_json_with_claims, "cannot be shown"),
        (_no_claim_at_all, "what stands for a claim is none"),
    ],
)
async def test_one_bad_payload_is_told_of_and_does_not_hide_the_others(bad: Any, told: str) -> None:
    room = _room()
    good = reference_payload(await _kept(room, "good"))
    shown = await _shown(_app(room), "/decode", await bad(room), good)
    assert told in shown[0]["note"]
    assert shown[1] == "good"


async def test_one_bad_claim_does_not_hide_the_others_in_a_value() -> None:
    room = _room()
    gone, good = await _kept(room, "gone"), await _kept(room, {"a": 1})
    await room.store.delete(gone.key)
    value = {"gone": gone, "good": good, "nowhere": good.inside("b")}
    (shown,) = await _shown(_app(room), "/decode?preserveStorageRefs=true", _payload(value))
    assert shown["good"] == {"a": 1}
    assert shown["gone"]["key"] == gone.key
    assert "cannot be shown" in shown["gone"]["note"]
    assert "a part that its value does not have" in shown["nowhere"]["note"]


async def test_a_store_that_does_not_answer_is_not_waited_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(showing, "_SECONDS", 0.05)
    room = _room(Silent())
    claim = await _kept(room, "never")
    told, beside = await _shown(_app(room), "/decode", reference_payload(claim), _payload("beside"))
    assert "the store has not answered in time" in told["note"]
    assert beside == "beside"


# -- encryption, and encoding --------------------------------------------------------------------


async def test_encrypted_payloads_are_decrypted_and_references_in_them_kept_or_resolved() -> None:
    room = _room(keys=KEYS)
    claim = await _kept(room, "in the store")
    sealed = await ClaimCodec(room, role="replay").encode(
        [_payload("inline"), reference_payload(claim)]
    )
    assert {payload.metadata["encoding"] for payload in sealed} == {b"binary/encrypted"}
    assert await _shown(_app(room), "/decode", *sealed) == ["inline", "in the store"]
    kept = await _payloads(_app(room), "/decode?preserveStorageRefs=true", *sealed)
    assert kept == [_payload("inline"), reference_payload(claim)]


async def test_encoding_encrypts_and_puts_nothing_into_the_store() -> None:
    room = _room(keys=KEYS)
    large = _payload(_text(MEGABYTE))
    (sealed,) = await _payloads(_app(room), "/encode?preserveStorageRefs=true", large)
    assert sealed.metadata["encoding"] == b"binary/encrypted"
    assert await _payloads(_app(room), "/decode", sealed) == [large]
    assert [blob async for blob in room.store.list_keys()] == []


async def test_encoding_without_keys_leaves_everything_as_it_is() -> None:
    room = _room()
    claim = await _kept(room, "theirs")
    held = _payload({"in": claim})
    held.metadata[HELD_BY] = b"somebody"
    given = [_payload(_text(MEGABYTE)), reference_payload(claim), held]
    before = [blob.key async for blob in room.store.list_keys()]
    assert await _payloads(_app(room), "/encode", *given) == given
    assert [blob.key async for blob in room.store.list_keys()] == before


# -- downloads -----------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [4, 5, 6, MEGABYTE + 1, 3 * MEGABYTE])
@pytest.mark.parametrize("keys", [None, KEYS], ids=["plain", "encrypted"])
async def test_a_download_is_the_very_bytes(size: int, keys: KeyRing | None) -> None:
    room = _room(keys=keys)
    claim = await _kept(room, _text(size))
    (reference,) = await ClaimCodec(room, role="replay").encode([reference_payload(claim)])
    (found,) = await _payloads(_app(room), "/download?preserveStorageRefs=true", reference)
    assert found == _payload(_text(size))


async def test_a_download_may_be_larger_than_a_piece_when_it_comes_out_of_memory() -> None:
    room = Cloakroom(MemoryStore(), namespace=NAMESPACE)
    claim = await _kept(room, _text(3 * MEGABYTE))
    await room.store.delete(claim.key)
    (found,) = await _payloads(_app(room), "/download", reference_payload(claim))
    assert found == _payload(_text(3 * MEGABYTE))


async def test_a_download_of_a_value_with_claims_in_it_is_put_together() -> None:
    room = _room()
    inner = await _kept(room, _text(3 * MEGABYTE))
    outer = await _kept(room, {"inner": inner})
    (found,) = await _payloads(_app(room), "/download", reference_payload(outer))
    assert json.loads(found.data) == {"inner": _text(3 * MEGABYTE)}


@pytest.mark.parametrize(
    ("bad", "status", "told"),
    [
        (_missing, 410, ""),
        (_of_another_namespace, 422, "not for namespace 'default'"),
        (_with_a_path_for_a_key, 422, "is not the key of a blob"),
        (_encrypted_with_an_unknown_key, 503, "k1"),
    ],
)
async def test_a_download_that_cannot_be_is_an_error_with_words(
    bad: Any, status: int, told: str
) -> None:
    room = _room()
    body = json.dumps({"payloads": [MessageToDict(await bad(room))]})
    response = await _ask(_app(room), "/download", body=body)
    assert response.status_code == status
    assert told in response.json()["message"]


async def test_what_is_no_reference_is_no_download() -> None:
    body = json.dumps({"payloads": [MessageToDict(_payload("all there is"))]})
    response = await _ask(_app(_room()), "/download", body=body)
    assert response.status_code == 422
    assert response.json()["message"].startswith("this payload is no reference")


async def test_a_download_too_large_for_a_browser_is_refused_before_anything_is_read() -> None:
    claim = Claim(key=f"v1/default/orders-1/{'0' * 64}", size=256 * MEGABYTE + 1)
    body = json.dumps({"payloads": [MessageToDict(reference_payload(claim))]})
    response = await _ask(_app(_room()), "/download", body=body)
    assert response.status_code == 413
    assert f"flowrunner blobs get {claim.key}" in response.json()["message"]


async def test_only_one_payload_is_downloaded_at_a_time() -> None:
    response = await _ask(_app(_room()), "/download", body='{"payloads": [{}, {}]}')
    assert response.status_code == 400


async def test_a_download_that_breaks_off_is_not_taken_for_whole() -> None:
    room = _room(Breaking())
    # Not compressible, so that it is stored in several pieces.
    noise = random.Random(7).randbytes(3 * MEGABYTE)
    claim = await room.deposit(noise, workflow_id="orders-1")
    body = json.dumps({"payloads": [MessageToDict(reference_payload(claim))]}).encode()
    sent = await _answers(_app(room), "/download", body)
    assert sent[0]["status"] == 200
    assert len(sent) > 1
    assert all(message["more_body"] for message in sent[1:])


async def _answers(app: ASGIApp, path: str, body: bytes) -> list[Message]:
    """What the application sends, piece by piece."""
    sent: list[Message] = []
    scope: Scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "method": "POST",
        "path": path,
        "query_string": b"",
        "headers": [(b"host", b"127.0.0.1:8234")],
    }

    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Message) -> None:
        sent.append(dict(message))

    await app(scope, receive, send)
    return sent


# -- whom it answers -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "host", ["127.0.0.1:8234", "localhost:8234", "LOCALHOST", "[::1]:8234", "127.0.0.2"]
)
async def test_this_machine_is_answered_by_its_own_names(host: str) -> None:
    assert (await _ask(_app(_room()), "/decode", host=host)).status_code == 200


@pytest.mark.parametrize(
    "host", ["evil.example:8234", "192.168.0.7", "127.0.0.1.evil.example", "localhost.evil.example"]
)
async def test_a_name_that_somebody_has_pointed_here_is_refused(host: str) -> None:
    response = await _ask(_app(_room()), "/decode", host=host)
    assert response.status_code == 403
    assert "is not this machine" in response.json()["message"]
    assert (await _ask(_app(_room()), "/health", host=host, method="GET")).status_code == 403


@pytest.mark.parametrize(
    "origin", ["https://evil.example", "http://localhost:8233.evil.example", "null", UI + "/"]
)
async def test_pages_from_elsewhere_are_refused_and_may_not_read_why(origin: str) -> None:
    for method in ("POST", "OPTIONS"):
        response = await _ask(_app(_room()), "/decode", method=method, origin=origin)
        assert response.status_code == 403
        assert "access-control-allow-origin" not in response.headers


async def test_the_ui_may_ask_what_it_asks() -> None:
    response = await _ask(
        _app(_room()),
        "/decode?preserveStorageRefs=true",
        method="OPTIONS",
        origin=UI,
        access_control_request_method="POST",
        access_control_request_headers="content-type,x-namespace",
    )
    assert response.status_code == 204
    assert response.headers["access-control-allow-origin"] == UI
    assert "POST" in response.headers["access-control-allow-methods"]
    allowed = response.headers["access-control-allow-headers"].lower().split(", ")
    assert {"content-type", "x-namespace", "authorization"} <= set(allowed)


@pytest.mark.parametrize(
    ("path", "method", "status", "headers"),
    [
        ("/decode", "POST", 200, {}),
        ("/decode", "POST", 403, {"x_namespace": "other"}),
        ("/decode", "GET", 405, {}),
        ("/nothing", "POST", 404, {}),
        ("/download", "POST", 400, {}),
    ],
)
async def test_the_ui_may_read_every_answer_errors_too(
    path: str, method: str, status: int, headers: Mapping[str, str]
) -> None:
    response = await _ask(_app(_room()), path, method=method, origin=UI, **headers)
    assert response.status_code == status
    assert response.headers["access-control-allow-origin"] == UI
    assert response.headers["vary"] == "Origin"
    assert response.headers["cache-control"] == "no-store"
    if status != 200:
        assert response.json()["message"]


async def test_another_namespace_is_refused_in_words() -> None:
    response = await _ask(_app(_room()), "/decode", x_namespace="other")
    assert response.status_code == 403
    assert response.json()["message"] == (
        "this codec server is for namespace 'default', not for 'other'"
    )


@pytest.mark.parametrize(
    ("authorization", "status"),
    [
        ("Bearer s3cret", 200),
        ("bearer s3cret", 200),
        ("Bearer other", 401),
        ("Bearer ", 401),
        ("Basic s3cret", 401),
        ("s3cret", 401),
        ("Bearer s3cret\xe9", 401),
    ],
)
async def test_with_a_token_only_who_has_it_is_answered(authorization: str, status: int) -> None:
    app = _app(_room(), token="s3cret")
    for path in ("/decode", "/encode"):
        response = await _ask(app, path, authorization=authorization, host="codec.example")
        assert response.status_code == status
        assert "s3cret" not in response.text


async def test_without_the_token_only_preflights_and_the_health_are_answered() -> None:
    app = _app(_room(), token="s3cret")
    assert (await _ask(app, "/decode")).status_code == 401
    assert (await _ask(app, "/download")).status_code == 401
    assert (await _ask(app, "/decode", method="OPTIONS", origin=UI)).status_code == 204
    assert (await _ask(app, "/health", method="GET")).status_code == 200
    assert (await _ask(app, "/decode", origin="https://evil.example")).status_code == 403


def test_a_guard_does_not_show_its_token() -> None:
    assert "s3cret" not in repr(Guard(namespace=NAMESPACE, token="s3cret"))


@pytest.mark.parametrize("path", ["/health", "/healthz"])
async def test_health_is_told(path: str) -> None:
    response = await _ask(_app(_room()), path, method="GET")
    assert response.status_code == 200
    assert response.json() == {"status": "ok", "namespace": NAMESPACE}


# -- what it does not take -----------------------------------------------------------------------


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b'["payloads"]',
        b"null",
        b"\xff",
        b'{"payloads": 3}',
        b'{"payloads": [{"data": "not base64!"}]}',
        b"[" * 100_000,
        b'{"payloads": [' * 5_000,
    ],
)
async def test_what_is_not_payloads_is_refused_in_words(body: bytes) -> None:
    response = await _ask(_app(_room()), "/decode", body=body)
    assert response.status_code == 400
    assert "Payloads" in response.json()["message"]


async def test_fields_that_newer_payloads_may_have_are_no_error() -> None:
    response = await _ask(_app(_room()), "/decode", body=b'{"payloads": [{"later": 1}], "x": 2}')
    assert response.json() == {"payloads": [{}]}


async def test_a_request_that_is_too_large_is_refused() -> None:
    response = await _ask(_app(_room()), "/decode", body=b" " * (16 * MEGABYTE + 1))
    assert response.status_code == 413


async def test_a_request_with_too_many_payloads_is_refused() -> None:
    body = json.dumps({"payloads": [{}] * 10_001})
    response = await _ask(_app(_room()), "/decode", body=body)
    assert response.status_code == 413


async def test_a_request_that_does_not_arrive_is_not_waited_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(codec_server, "_READ_SECONDS", 0.05)

    async def body() -> AsyncIterator[bytes]:
        yield b"{"
        await asyncio.Event().wait()

    transport = httpx2.ASGITransport(app=_app(_room()))
    async with httpx2.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
        response = await client.post("/decode", content=body())
    assert response.status_code == 408


async def test_more_callers_than_it_has_places_for_are_told_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(codec_server, "_WAIT_SECONDS", 0.05)
    monkeypatch.setattr(codec_server, "_AT_ONCE", 1)
    room = _room(Silent())
    app = _app(room)
    claim = await _kept(room, "never")
    body = json.dumps({"payloads": [MessageToDict(reference_payload(claim))]})
    monkeypatch.setattr(showing, "_SECONDS", 1.0)
    first, second = await asyncio.gather(
        _ask(app, "/decode", body=body), _ask(app, "/decode", body=body)
    )
    assert sorted([first.status_code, second.status_code]) == [200, 503]
    assert (await _ask(app, "/decode")).status_code == 200


async def test_an_error_nobody_foresees_says_nothing_of_its_inside(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("the inside")

    monkeypatch.setattr(codec_server, "_printed", broken)
    response = await _ask(_app(_room()), "/decode", origin=UI)
    assert response.status_code == 500
    assert "the inside" not in response.text
    assert response.headers["access-control-allow-origin"] == UI
