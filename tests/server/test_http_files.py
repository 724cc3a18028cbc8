"""`http.request` with bodies that are never held: to the object store, and from it."""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from temporalio.exceptions import ApplicationError

from activities.claims import Claims
from activities.http.request import HTTP_REQUEST
from claimcheck.claim import Claim
from claimcheck.stores import MemoryStore
from tests import attempts
from tests.server.conftest import MakeProduct
from tests.server.support import Answer, HttpService, Product, Received, Running
from tests.server.test_http import raw_server

Ask = Callable[..., Awaitable[dict[str, Any]]]


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
def claims(store: MemoryStore) -> Claims:
    return attempts.claims_in_memory(store)


@pytest.fixture
def ask(claims: Claims) -> Ask:
    """Perform `http.request` with these parameters, as a worker does; gives its output."""

    async def perform(claims: Claims = claims, **params: Any) -> dict[str, Any]:
        call = {"node": "call", "flow": "f", "run_id": "r", "key": "k", "params": params}
        env = attempts.lasting(60)
        done = await attempts.perform(HTTP_REQUEST, call, claims=claims, env=env)
        assert isinstance(done["output"], dict)
        return done["output"]

    return perform


async def failure(asked: Awaitable[Any], error: str) -> ApplicationError:
    with pytest.raises(ApplicationError) as caught:
        await asked
    assert caught.value.type == error, caught.value
    return caught.value


async def kept(claims: Claims, data: bytes, encoding: str, **metadata: str) -> Claim:
    return await claims.cloakroom.deposit(
        data, workflow_id="test", metadata={"encoding": encoding, **metadata}
    )


# Saving


@pytest.mark.parametrize(
    ("body", "kind", "seen"),
    [
        (b"\x00\xff", "application/octet-stream", "AP8="),
        ("grüß".encode(), "text/plain; charset=utf-8", "grüß"),
        (b'{"a": [1]}', "application/json", '{"a": [1]}'),
        (b"<a/>", "application/pdf", "PGEvPg=="),
        (b"", "text/plain", ""),
    ],
)
async def test_save_keeps_the_body_as_it_is(
    ask: Ask, claims: Claims, http_service: HttpService, body: bytes, kind: str, seen: str
) -> None:
    http_service.on("GET", "/file", Answer(body=body, headers={"Content-Type": kind}))
    result = await ask(url=f"{http_service.url}/file", save=True)
    assert result.keys() == {"status", "headers", "url", "body", "bytes"}
    assert (result["status"], result["bytes"]) == (200, len(body))
    assert await claims.cloakroom.redeem(result["body"]) == body
    assert await claims.loaded(result["body"]) == seen


async def test_a_body_without_a_type_is_bytes(ask: Ask, claims: Claims) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ntext")

    async with raw_server(serve) as address:
        result = await ask(url=f"http://{address}/", save=True)
    assert await claims.loaded(result["body"]) == "dGV4dA=="


async def test_compression_on_the_way_is_not_part_of_the_body(
    ask: Ask, claims: Claims, http_service: HttpService
) -> None:
    answer = Answer(body=gzip.compress(b"plain"), headers={"Content-Encoding": "gzip"})
    http_service.on("GET", "/file", answer)
    result = await ask(url=f"{http_service.url}/file", save=True)
    assert await claims.cloakroom.redeem(result["body"]) == b"plain"
    assert result["bytes"] == 5


async def test_an_error_is_not_saved(
    ask: Ask, store: MemoryStore, http_service: HttpService
) -> None:
    http_service.on("GET", "/file", Answer(status=404, body="no such file"))
    failed = await failure(ask(url=f"{http_service.url}/file", save=True), "HttpClientError")
    assert "no such file" in failed.message
    assert store.blobs == {}


async def test_a_body_cut_short_is_not_saved(ask: Ask, store: MemoryStore) -> None:
    async def short(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
        await writer.drain()

    async with raw_server(short) as address:
        await failure(ask(url=f"http://{address}/", save=True), "HttpNetworkError")
    assert store.blobs == {}


async def test_a_body_that_is_too_large_for_memory_is_told_how_to_be_had(
    ask: Ask, store: MemoryStore, http_service: HttpService
) -> None:
    http_service.on("GET", "/file", Answer(body=bytes(2000)))
    url = f"{http_service.url}/file"
    failed = await failure(ask(url=url, max_bytes=1000), "ResponseTooLarge")
    assert failed.message.endswith("or keep it in the object store with save: true")
    failed = await failure(ask(url=url, max_bytes=1000, save=True), "ResponseTooLarge")
    assert failed.message.endswith("raise max_bytes")
    assert store.blobs == {}
    failed = await failure(ask(url=url, max_bytes=300_000_000), "InvalidParams")
    assert "save: true" in failed.message
    assert (await ask(url=url, max_bytes=300_000_000, save=True))["bytes"] == 2000


async def test_answers_of_several_megabytes_are_read_unless_told_otherwise(
    ask: Ask, claims: Claims, http_service: HttpService
) -> None:
    value = [{"id": number, "name": "x" * 100} for number in range(40_000)]
    http_service.on("GET", "/json", Answer(body=value))
    result = await ask(url=f"{http_service.url}/json")
    assert isinstance(result["json"], Claim)
    assert result["json"].size > 4_000_000
    assert await claims.loaded(result["json"]) == value


async def test_a_secret_that_the_server_sends_back_is_not_saved(
    claims: Claims, http_service: HttpService
) -> None:
    answer = Answer(body=b"\0" * 100_000 + b"token: hunter22!")
    http_service.on("GET", "/file", answer)
    params = {
        "url": f"{http_service.url}/file",
        "headers": {"X-Token": "${secrets.TOKEN}"},
        "save": True,
    }
    call = {"node": "call", "flow": "f", "run_id": "r", "key": "k", "params": params}
    secret = {"deferred": ["/headers/X-Token"], "secrets": ["TOKEN"]}
    environment = {"FLOWRUNNER_SECRET_TOKEN": "hunter22"}
    done = await attempts.perform(
        HTTP_REQUEST, {**call, **secret}, claims=claims, environment=environment
    )
    assert http_service.requests[0].headers["X-Token"] == "hunter22"
    saved = await claims.cloakroom.redeem(done["output"]["body"])
    assert saved == b"\0" * 100_000 + b"token: ***!"


async def test_the_time_for_the_exchange_ends_with_it_not_with_the_store(
    ask: Ask, http_service: HttpService
) -> None:
    away = attempts.claims_in_memory(attempts.AwayAtFirst(2))  # for more than half a second
    http_service.on("GET", "/file", Answer(body=b"x"))
    result = await ask(away, url=f"{http_service.url}/file", save=True, timeouts="400ms")
    assert result["bytes"] == 1


# Sending


@pytest.fixture
def received(http_service: HttpService) -> list[Received]:
    http_service.on("PUT", "/copy", Answer(body="ok"))
    return http_service.requests


@pytest.mark.parametrize(
    ("body", "data", "kind"),
    [
        ("hi", b"hi", "text/plain; charset=utf-8"),
        ({"a": 1}, b'{"a":1}', "application/json"),
        ("", b"", "text/plain; charset=utf-8"),
    ],
)
async def test_a_body_is_sent_as_what_it_is(
    ask: Ask,
    http_service: HttpService,
    received: list[Received],
    body: Any,
    data: bytes,
    kind: str,
) -> None:
    await ask(method="PUT", url=f"{http_service.url}/copy", body=body)
    [got] = received
    assert (got.body, got.headers["Content-Type"]) == (data, kind)
    assert got.headers["Content-Length"] == str(len(data))
    assert "Transfer-Encoding" not in got.headers


async def test_a_body_out_of_the_store_is_sent_as_what_was_saved(
    ask: Ask, claims: Claims, http_service: HttpService, received: list[Received]
) -> None:
    sent = [
        (await kept(claims, b"\0\xff" * 999, "binary/plain"), "application/octet-stream"),
        (await kept(claims, b"\0", "binary/plain", **{"content-type": "image/png"}), "image/png"),
        (await kept(claims, b'"gr\\u00fc\\u00df"', "json/plain"), "text/plain; charset=utf-8"),
        (await kept(claims, b"[1, 2]", "json/plain"), "application/json"),
    ]
    for claim, _ in sent:
        await ask(method="PUT", url=f"{http_service.url}/copy", body=claim)
    assert [got.headers["Content-Type"] for got in received] == [kind for _, kind in sent]
    assert [got.body for got in received] == [
        b"\0\xff" * 999,
        b"\0",
        "grüß".encode(),
        b"[1, 2]",
    ]
    assert all(got.headers["Content-Length"] == str(len(got.body)) for got in received)
    own = {"content-TYPE": "text/csv"}
    await ask(method="PUT", url=f"{http_service.url}/copy", body=sent[0][0], headers=own)
    assert received[-1].headers["content-TYPE"] == "text/csv"


async def test_a_body_out_of_the_store_follows_a_redirect_within_the_origin_alone(
    ask: Ask, claims: Claims, http_service: HttpService, received: list[Received]
) -> None:
    claim = await kept(claims, b"x" * 3000, "binary/plain")
    http_service.on("PUT", "/old", Answer(status=307, headers={"Location": "/copy"}))
    await ask(method="PUT", url=f"{http_service.url}/old", body=claim, follow_redirects=True)
    assert [got.body for got in received] == [b"x" * 3000] * 2
    with HttpService() as first:
        there = {"Location": f"{http_service.url}/copy"}
        first.on("PUT", "/old", Answer(status=307, headers=there))
        asked = ask(method="PUT", url=f"{first.url}/old", body=claim, follow_redirects=True)
        assert "another origin" in (await failure(asked, "HttpRedirect")).message


async def test_a_body_that_is_gone_or_damaged_is_never_sent_as_if_it_were_whole(
    ask: Ask, store: MemoryStore, claims: Claims, http_service: HttpService
) -> None:
    http_service.on("PUT", "/copy", Answer(body="ok"))
    url = f"{http_service.url}/copy"
    claim = await kept(claims, os.urandom(3_000_000), "binary/plain")
    blob = store.blobs[claim.key]
    store.blobs[claim.key] = blob[:-100] + bytes(100)
    await failure(ask(method="PUT", url=url, body=claim), "BlobDamaged")
    del store.blobs[claim.key]
    await failure(ask(method="PUT", url=url, body=claim), "BlobMissing")
    assert [got.body for got in http_service.requests if len(got.body) == 3_000_000] == []


# Through the product

MIRROR = """\
flow: mirror
input: {required: [base], properties: {base: {type: string}}}
nodes:
  get:
    type: http.request
    params: {url: "${input.base}/file", save: true}
    next: put
  put:
    type: http.request
    params: {method: PUT, url: "${input.base}/copy", body: "${nodes.get.output.body}"}
output: {bytes: "${nodes.get.output.bytes}", seen: "${nodes.put.output.json}"}
"""

_SIZE = 100_000_000
_PIECE = 1_000_000


@pytest.fixture
async def files() -> Any:
    """A service for files of `_SIZE` bytes that holds none of them."""
    piece = os.urandom(_PIECE)
    whole = hashlib.sha256()
    for _ in range(_SIZE // _PIECE):
        whole.update(piece)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
        if head.startswith("get"):
            writer.write(f"HTTP/1.1 200 OK\r\nContent-Length: {_SIZE}\r\n\r\n".encode())
            for _ in range(_SIZE // _PIECE):
                writer.write(piece)
                await writer.drain()
            return
        left = int(head.split("content-length: ")[1].split("\r\n")[0])
        got = hashlib.sha256()
        while left and (data := await reader.read(min(left, _PIECE))):
            got.update(data)
            left -= len(data)
        answer = f'{{"whole": {str(got.digest() == whole.digest()).lower()}}}'
        writer.write(
            b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
            + f"Content-Length: {len(answer)}\r\n\r\n{answer}".encode()
        )
        await writer.drain()

    async with raw_server(serve) as address:
        yield f"http://{address}"


async def test_a_file_goes_through_the_store_without_being_held(
    make_product: MakeProduct, files: str
) -> None:
    product = make_product(CLAIM_CHECK_CACHE="1MB")
    worker = product.start_worker()
    product.write_flow("mirror", MIRROR)
    before = _memory(worker, forget_peak=True)
    arguments = ("run", "mirror", "--json", "--set", f"base={files}")
    ended = await asyncio.to_thread(product.cli_json, *arguments)
    assert ended["status"] == "completed", ended
    assert ended["output"] == {"bytes": _SIZE, "seen": {"whole": True}}
    grown = _memory(worker) - before
    assert grown < _SIZE // 2, f"the worker took {grown:,} bytes"


SEEING = """\
flow: seeing
input: {required: [base], properties: {base: {type: string}}}
nodes:
  text: {type: http.request, params: {url: "${input.base}/json", save: true}, next: bytes}
  bytes: {type: http.request, params: {url: "${input.base}/bytes", save: true}}
output:
  text: ${nodes.text.output.body}
  value: ${json(nodes.text.output.body).a}
  bytes: ${nodes.bytes.output.body}
"""


@pytest.mark.parametrize("name", ["text", "bytes"])
def test_expressions_and_clients_see_text_as_text_and_bytes_as_base64(
    product: Product, http_service: HttpService, name: str
) -> None:
    http_service.on("GET", "/json", Answer(body={"a": 1}))
    http_service.on("GET", "/bytes", Answer(body=b"\0\xff"))
    base = f"base={http_service.url}"
    product.write_flow("seeing", SEEING)
    ended = product.cli_json("run", "seeing", "--json", "--set", base)
    assert ended["output"] == {"text": '{"a": 1}', "value": 1, "bytes": "AP8="}
    whole = SEEING.partition("output:")[0] + f"output: ${{nodes.{name}.output.body}}\n"
    product.write_flow("seeing", whole)
    again = product.cli_json("run", "seeing", "--json", "--set", base)
    assert again["output"] == ended["output"][name]


def _memory(process: Running, *, forget_peak: bool = False) -> int:
    """The most memory the process has had, from now on if the peak is to be forgotten."""
    if forget_peak:
        Path(f"/proc/{process.pid}/clear_refs").write_text("5")
    status = Path(f"/proc/{process.pid}/status").read_text()
    [line] = [line for line in status.splitlines() if line.startswith("VmHWM:")]
    return int(line.split()[1]) * 1024
