"""`http.request` with forms that hold files, as a real server receives them."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable
from email.message import Message
from email.parser import BytesParser
from email.policy import HTTP
from typing import Any

import pytest
from temporalio.exceptions import ApplicationError

from activities.claims import Claims
from activities.http.request import HTTP_REQUEST
from claimcheck.claim import Claim
from claimcheck.stores import MemoryStore
from tests import attempts
from tests.server.support import Answer, HttpService, Product, Received

Send = Callable[..., Awaitable[dict[str, Any]]]


class Watched(MemoryStore):
    """Knows how often bytes were asked for as a whole."""

    def __init__(self) -> None:
        super().__init__()
        self.whole = 0

    async def get(self, key: str, *, limit: int) -> bytes:
        self.whole += 1
        return await super().get(key, limit=limit)


@pytest.fixture
def store() -> Watched:
    return Watched()


@pytest.fixture
def claims(store: Watched) -> Claims:
    return attempts.claims_in_memory(store)


@pytest.fixture
def send(claims: Claims, http_service: HttpService) -> Send:
    """Post these parts, as a worker does; gives the output."""
    http_service.on("POST", "/form", Answer(body={"ok": True}))

    async def perform(parts: Any, **params: Any) -> dict[str, Any]:
        asked = {"method": "POST", "url": f"{http_service.url}/form", "multipart": parts, **params}
        call = {"node": "call", "flow": "f", "run_id": "r", "key": "k", "params": asked}
        done = await attempts.perform(HTTP_REQUEST, call, claims=claims)
        assert isinstance(done["output"], dict)
        return done["output"]

    return perform


def received(got: Received) -> list[Message]:
    """The parts as the standard library reads them."""
    kind = got.headers["Content-Type"]
    form = BytesParser(policy=HTTP).parsebytes(f"Content-Type: {kind}\r\n\r\n".encode() + got.body)
    assert form.get_content_type() == "multipart/form-data"
    assert form.is_multipart()
    return list(form.iter_parts())


def seen(part: Message) -> tuple[Any, ...]:
    name = part.get_param("name", header="content-disposition")
    return name, part.get_filename(), part["content-type"], part.get_payload(decode=True)


async def kept(claims: Claims, data: bytes, **metadata: str) -> Claim:
    return await claims.cloakroom.deposit(
        data, workflow_id="test", metadata={"encoding": "binary/plain", **metadata}
    )


async def test_values_and_files_arrive_in_their_order(
    send: Send, claims: Claims, http_service: HttpService
) -> None:
    picture = await kept(claims, b"\x89PNG\r\n\x00", **{"content-type": "image/png"})
    await send(
        [
            {"name": "title", "value": "Grüße"},
            {"name": "n", "value": 7},
            {"name": "yes", "value": True},
            {"name": "meta", "value": "{}", "content_type": "application/json"},
            {"name": "picture", "file": picture, "filename": "p.png"},
            {"name": "notes", "file": "a,b\r\n", "filename": "n.csv", "content_type": "text/csv"},
            {"name": "data", "file": {"a": [1]}},
        ]
    )
    (got,) = http_service.requests
    assert int(got.headers["Content-Length"]) == len(got.body)
    assert [seen(part) for part in received(got)] == [
        ("title", None, None, "Grüße".encode()),
        ("n", None, None, b"7"),
        ("yes", None, None, b"true"),
        ("meta", None, "application/json", b"{}"),
        ("picture", "p.png", "image/png", b"\x89PNG\r\n\x00"),
        ("notes", "n.csv", "text/csv", b"a,b\r\n"),
        ("data", "data", "application/json", b'{"a":[1]}'),
    ]


async def test_a_large_file_is_not_loaded(
    send: Send, claims: Claims, store: Watched, http_service: HttpService
) -> None:
    data = os.urandom(5_000_000)
    claim = await kept(claims, data)
    await send([{"name": "file", "file": claim, "filename": "big"}])
    (part,) = received(http_service.requests[0])
    assert part.get_payload(decode=True) == data
    assert store.whole == 0


async def test_parts_that_are_put_away_as_a_whole_are_found(
    send: Send, claims: Claims, http_service: HttpService
) -> None:
    file = await kept(claims, b"\x00\x01")
    parts = await claims.cloakroom.deposit(
        b'[{"name": "a", "value": "1"}]', workflow_id="t", metadata={"encoding": "json/plain"}
    )
    await send(parts)
    await send([{"name": "b", "file": file}, {"name": "c", "value": "2"}])
    names = [[seen(part)[0] for part in received(got)] for got in http_service.requests]
    assert names == [["a"], ["b", "c"]]


async def test_names_cannot_break_out_of_their_header(
    send: Send, http_service: HttpService
) -> None:
    evil = 'x"; filename="y\r\nX-Evil: 1\r\n\r\n'
    await send([{"name": evil, "file": "content", "filename": evil}])
    (part,) = received(http_service.requests[0])
    assert "X-Evil" not in part
    assert part.get_payload(decode=True) == b"content"
    assert b'name="x%22; filename=%22y%0D%0AX-Evil: 1' in http_service.requests[0].body


async def test_a_form_is_sent_once_more_after_a_redirect(
    send: Send, http_service: HttpService
) -> None:
    http_service.on("POST", "/old", Answer(status=307, headers={"Location": "/form"}))
    parts = [{"name": "f", "file": "content"}]
    await send(parts, url=f"{http_service.url}/old", follow_redirects=True)
    first, second = http_service.requests
    assert first.body == second.body
    assert seen(received(second)[0])[3] == b"content"


@pytest.mark.parametrize(
    ("parts", "more", "message"),
    [
        ([], {}, "params.multipart"),
        ([{"name": "a"}], {}, "params.multipart.0: expected exactly one of value and file"),
        ([{"name": "a", "value": 1, "file": "b"}], {}, "expected exactly one of value and file"),
        ([{"name": "a", "value": 1, "filename": "b"}], {}, "expected filename only with file"),
        ([{"name": "", "value": 1}], {}, "params.multipart.0.name"),
        ([{"name": "a", "file": "b", "content_type": "a\r\nb"}], {}, "expected a content type"),
        ([{"name": "a", "file": "b"}], {"json": 1}, "expected one body"),
        (
            [{"name": "a", "file": "b"}],
            {"headers": {"content-type": "x/y"}},
            "expected no Content-Type header",
        ),
    ],
)
async def test_parts_that_do_not_fit_are_refused(
    send: Send, http_service: HttpService, parts: Any, more: dict[str, Any], message: str
) -> None:
    with pytest.raises(ApplicationError) as caught:
        await send(parts, **more)
    assert caught.value.type == "InvalidParams"
    assert message in str(caught.value)
    assert http_service.requests == []


# As shipped

FLOW = """\
flow: hand-on
input: {required: [url], properties: {url: {type: string}}}
nodes:
  get:
    type: http.request
    params: {url: "${input.url}/file", save: true}
    next: put
  put:
    type: http.request
    params:
      method: POST
      url: ${input.url}/form
      multipart:
        - {name: title, value: "${nodes.get.output.bytes} bytes"}
        - {name: file, file: "${nodes.get.output.body}", filename: report.bin}
output: ${nodes.put.output.json}
"""


def test_a_file_goes_from_one_service_to_a_form_of_another(
    product: Product, http_service: HttpService
) -> None:
    data = os.urandom(300_000)
    http_service.on("GET", "/file", Answer(body=data))
    http_service.on("POST", "/form", Answer(body={"ok": True}))
    flow = product.write_flow("hand-on", FLOW)
    done = product.cli_json("run", str(flow), "--set", f"url={http_service.url}", "--json")
    assert done["output"] == {"ok": True}, done
    title, file = received(http_service.requests[1])
    assert title.get_payload(decode=True) == b"300000 bytes"
    assert (file.get_filename(), file.get_payload(decode=True)) == ("report.bin", data)
