"""`http.request` against real servers on loopback: what is sent, and what an answer means."""

from __future__ import annotations

import asyncio
import base64
import gzip
import json
import shutil
import ssl
import subprocess
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from email.utils import formatdate
from pathlib import Path
from time import time
from typing import Any
from urllib.parse import parse_qsl

import pytest

from activities.addresses import AddressPolicy
from activities.attempt import Attempt, Resources
from activities.errors import NodeFailed
from activities.http.request import HTTP_REQUEST, HttpResult
from activities.parameters import read_params
from activities.redaction import BLOT
from flowspec.values import Json
from tests.server.support import PATIENCE, Answer, HttpService, Received, free_port

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
Ask = Callable[..., Awaitable[HttpResult]]


@pytest.fixture
async def ask() -> AsyncIterator[Ask]:
    """Perform `http.request` with these parameters, as a worker does."""
    async with Resources() as resources:

        async def perform(**params: Json) -> HttpResult:
            read = read_params(HTTP_REQUEST, params)
            result = await HTTP_REQUEST.handler(read, _attempt(resources))
            assert isinstance(result, dict)
            return result

        yield perform


def _attempt(resources: Resources) -> Attempt:
    return Attempt(
        node="call",
        flow="f",
        run_id="r",
        key="wf-1/r/call",
        resources=resources,
        addresses=AddressPolicy(guarded=False),
    )


@asynccontextmanager
async def raw_server(serve: Serve, tls: ssl.SSLContext | None = None) -> AsyncGenerator[str]:
    """A TCP server that does whatever `serve` does with each connection; gives its host:port."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await serve(reader, writer)
        except ConnectionError:
            pass  # the client hung up: some tests want just that
        finally:
            writer.close()

    server = await asyncio.start_server(handle, "127.0.0.1", 0, ssl=tls)
    async with server:
        yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}"


def _answers(head: str, body: bytes = b"") -> Serve:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        text = head.replace("\n", "\r\n") + f"\r\nContent-Length: {len(body)}\r\n\r\n"
        writer.write(text.encode() + body)
        await writer.drain()

    return serve


def _echo(request: Received) -> Answer:
    return Answer(
        body={
            "method": request.method,
            "query": parse_qsl(request.query, keep_blank_values=True),
            "headers": {name.lower(): value for name, value in request.headers.items()},
            "body": request.body.decode(),
        }
    )


@pytest.fixture
def echo(http_service: HttpService) -> HttpService:
    for method in ("GET", "POST", "PUT", "PATCH", "DELETE"):
        http_service.on(method, "/echo", _echo)
    return http_service


async def failure(attempt: Awaitable[Any], name: str) -> NodeFailed:
    with pytest.raises(NodeFailed) as caught:
        await attempt
    assert caught.value.error.name == name, caught.value
    declared = {error.name for error in HTTP_REQUEST.node_type.errors}
    assert caught.value.error.name in declared
    return caught.value


# What is sent


async def test_get_gives_status_headers_json_and_url(ask: Ask, http_service: HttpService) -> None:
    http_service.on("GET", "/a", Answer(body={"id": 7}, headers={"X-Two": "2"}))
    result = await ask(url=f"{http_service.url}/a")
    assert result["status"] == 200
    assert result["json"] == {"id": 7}
    assert result["headers"]["x-two"] == "2"
    assert result["url"] == f"{http_service.url}/a"
    assert not {"text", "body_base64"} & result.keys()


async def test_query_is_added_to_that_of_the_url_and_lists_repeat(
    ask: Ask, echo: HttpService
) -> None:
    result = await ask(
        url=f"{echo.url}/echo?kept=1", query={"tag": ["a", "b&c"], "n": 3, "yes": True, "no": None}
    )
    query = [("kept", "1"), ("tag", "a"), ("tag", "b&c"), ("n", "3"), ("yes", "true")]
    assert sent(result)["query"] == [list(pair) for pair in query]


async def test_json_body_is_sent_with_its_type(ask: Ask, echo: HttpService) -> None:
    got = sent(await ask(method="PUT", url=f"{echo.url}/echo", json={"name": "Ådne", "n": [1]}))
    assert json.loads(got["body"]) == {"name": "Ådne", "n": [1]}
    assert got["headers"]["content-type"] == "application/json"


async def test_a_null_json_body_is_a_body(ask: Ask, echo: HttpService) -> None:
    assert sent(await ask(method="PUT", url=f"{echo.url}/echo", json=None))["body"] == "null"


async def test_form_body_is_urlencoded(ask: Ask, echo: HttpService) -> None:
    got = sent(await ask(method="PUT", url=f"{echo.url}/echo", form={"a": "x y", "b": [1, True]}))
    assert parse_qsl(got["body"]) == [("a", "x y"), ("b", "1"), ("b", "true")]
    assert got["headers"]["content-type"] == "application/x-www-form-urlencoded"


async def test_text_body_keeps_the_content_type_that_is_given(ask: Ask, echo: HttpService) -> None:
    url = f"{echo.url}/echo"
    plain = sent(await ask(method="PUT", url=url, body="hi"))
    assert (plain["body"], plain["headers"]["content-type"]) == ("hi", "text/plain; charset=utf-8")
    xml = sent(await ask(method="PUT", url=url, body="<a/>", headers={"content-type": "text/xml"}))
    assert xml["headers"]["content-type"] == "text/xml"


async def test_auth_in_each_of_its_forms(ask: Ask, echo: HttpService) -> None:
    url = f"{echo.url}/echo"
    basic = sent(await ask(url=url, auth={"basic": {"username": "ann", "password": "p:w"}}))
    assert basic["headers"]["authorization"] == "Basic " + base64.b64encode(b"ann:p:w").decode()
    bearer = sent(await ask(url=url, auth={"bearer": "tok"}))
    assert bearer["headers"]["authorization"] == "Bearer tok"
    header = sent(await ask(url=url, auth={"api_key": {"name": "X-Key", "value": "k"}}))
    assert header["headers"]["x-key"] == "k"
    key: Json = {"name": "key", "value": "k&k", "in": "query"}
    query = sent(await ask(url=url, auth={"api_key": key}))
    assert query["query"] == [["key", "k&k"]]


async def test_post_and_patch_carry_the_idempotency_key_unless_given(
    ask: Ask, echo: HttpService
) -> None:
    url = f"{echo.url}/echo"
    assert sent(await ask(method="POST", url=url))["headers"]["idempotency-key"] == "wf-1/r/call"
    assert sent(await ask(method="PATCH", url=url))["headers"]["idempotency-key"] == "wf-1/r/call"
    assert "idempotency-key" not in sent(await ask(method="PUT", url=url))["headers"]
    given = await ask(method="POST", url=url, headers={"idempotency-KEY": "mine"})
    assert sent(given)["headers"]["idempotency-key"] == "mine"


async def test_cookies_are_not_kept_between_requests(ask: Ask, echo: HttpService) -> None:
    echo.on("GET", "/login", Answer(body="in", headers={"Set-Cookie": "session=1; Path=/"}))
    login = await ask(url=f"{echo.url}/login")
    assert "set-cookie" not in login["headers"]
    assert "cookie" not in sent(await ask(url=f"{echo.url}/echo"))["headers"]


def sent(result: HttpResult) -> dict[str, Any]:
    got = result["json"]
    assert isinstance(got, dict)
    return dict(got)


# What an answer means


@pytest.mark.parametrize(
    ("status", "error", "permanent"),
    [
        (400, "HttpClientError", True),
        (404, "HttpClientError", True),
        (408, "HttpTryLater", False),
        (425, "HttpTryLater", False),
        (429, "HttpTryLater", False),
        (500, "HttpServerError", False),
        (503, "HttpServerError", False),
        (304, "HttpUnexpectedStatus", True),
    ],
)
async def test_a_status_decides_whether_to_try_again(
    ask: Ask, http_service: HttpService, status: int, error: str, permanent: bool
) -> None:
    http_service.on("GET", "/s", Answer(status=status, body={"why": "because"}))
    failed = await failure(ask(url=f"{http_service.url}/s?page=2"), error)
    assert failed.error.permanent is permanent
    assert failed.message.startswith(f"GET {http_service.url}/s answered {status}")
    assert isinstance(failed.details, dict)
    assert failed.details["status"] == status
    assert failed.details["url"] == f"{http_service.url}/s"
    if status != 304:
        assert failed.details["body"] == '{"why": "because"}'


async def test_expect_makes_other_statuses_a_success(ask: Ask, http_service: HttpService) -> None:
    http_service.on("GET", "/gone", Answer(status=404, body={"gone": True}))
    result = await ask(url=f"{http_service.url}/gone", expect=["2xx", 404])
    assert (result["status"], result["json"]) == (404, {"gone": True})


async def test_a_good_status_that_expect_leaves_out_fails(
    ask: Ask, http_service: HttpService
) -> None:
    http_service.on("GET", "/a", Answer(status=202))
    await failure(ask(url=f"{http_service.url}/a", expect=[200]), "HttpUnexpectedStatus")


async def test_retry_after_in_seconds_and_as_a_date_is_handed_on(
    ask: Ask, http_service: HttpService
) -> None:
    url = f"{http_service.url}/busy"
    http_service.on("GET", "/busy", Answer(status=503, headers={"Retry-After": "17"}))
    assert (await failure(ask(url=url), "HttpServerError")).retry_after == 17
    date = formatdate(time() + 100, usegmt=True)
    http_service.on("GET", "/busy", Answer(status=429, headers={"Retry-After": date}))
    after = (await failure(ask(url=url), "HttpTryLater")).retry_after
    assert after is not None
    assert 90 < after <= 100


@pytest.mark.parametrize("value", ["soon", "-5", "", "²", formatdate(0, usegmt=True)])
async def test_a_retry_after_that_makes_no_sense_is_passed_over(ask: Ask, value: str) -> None:
    serve = _answers(f"HTTP/1.1 503 Busy\nRetry-After: {value}".rstrip())
    async with raw_server(serve) as address:
        failed = await failure(ask(url=f"http://{address}/"), "HttpServerError")
    assert failed.retry_after is None


async def test_only_the_beginning_of_an_errors_body_is_kept(
    ask: Ask, http_service: HttpService
) -> None:
    http_service.on("GET", "/e", Answer(status=500, body="x" * 100_000))
    failed = await failure(ask(url=f"{http_service.url}/e"), "HttpServerError")
    assert isinstance(failed.details, dict)
    assert failed.details["body"] == "x" * 2048
    assert len(failed.message) < 400


# The body


async def test_text_binary_and_empty_bodies(ask: Ask, http_service: HttpService) -> None:
    http_service.on("GET", "/text", Answer(body="grüß dich"))
    http_service.on("GET", "/binary", Answer(body=b"\x00\xff"))
    http_service.on("DELETE", "/empty", Answer(status=204))
    url = http_service.url
    assert (await ask(url=f"{url}/text")).get("text") == "grüß dich"
    assert (await ask(url=f"{url}/binary")).get("body_base64") == "AP8="
    empty = await ask(method="DELETE", url=f"{url}/empty")
    assert (empty["status"], empty.get("text")) == (204, "")


async def test_an_empty_json_body_is_absent_rather_than_an_error(ask: Ask) -> None:
    serve = _answers("HTTP/1.1 200 OK\nContent-Type: application/json")
    async with raw_server(serve) as address:
        result = await ask(url=f"http://{address}/")
    assert "json" not in result
    assert result["text"] == ""


async def test_text_in_another_character_set_is_read_by_it(ask: Ask) -> None:
    body = "grüß".encode("latin-1")
    serve = _answers("HTTP/1.1 200 OK\nContent-Type: text/plain; charset=iso-8859-1", body)
    async with raw_server(serve) as address:
        assert (await ask(url=f"http://{address}/")).get("text") == "grüß"


@pytest.mark.parametrize("body", [b'{"a": 1', b"<html>", b"\xff\xfe", b"[NaN]", b"[" * 10_000])
async def test_json_that_is_none_is_a_permanent_error(ask: Ask, body: bytes) -> None:
    serve = _answers("HTTP/1.1 200 OK\nContent-Type: application/json; charset=utf-8", body)
    async with raw_server(serve) as address:
        failed = await failure(ask(url=f"http://{address}/"), "HttpInvalidResponse")
    assert failed.error.permanent
    assert "says it is JSON and is not" in failed.message


async def test_compressed_body_is_unpacked(ask: Ask) -> None:
    body = gzip.compress(b'{"packed": true}')
    head = "HTTP/1.1 200 OK\nContent-Type: application/json\nContent-Encoding: gzip"
    async with raw_server(_answers(head, body)) as address:
        assert (await ask(url=f"http://{address}/")).get("json") == {"packed": True}


async def test_damaged_compression_is_a_permanent_error(ask: Ask) -> None:
    head = "HTTP/1.1 200 OK\nContent-Type: application/json\nContent-Encoding: gzip"
    async with raw_server(_answers(head, b"not gzip")) as address:
        await failure(ask(url=f"http://{address}/"), "HttpInvalidResponse")


async def test_body_over_max_bytes_is_refused_without_being_read_whole(ask: Ask) -> None:
    written = 0

    async def endless(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal written
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\n")
        while written < 50_000_000:
            writer.write(b"x" * 65536)
            await writer.drain()
            written += 65536

    async with raw_server(endless) as address:
        failed = await failure(ask(url=f"http://{address}/", max_bytes=100_000), "ResponseTooLarge")
        assert failed.error.permanent
        assert "max_bytes: 100000" in failed.message
    assert written < 20_000_000


async def test_compressed_bomb_is_refused(ask: Ask) -> None:
    head = "HTTP/1.1 200 OK\nContent-Type: text/plain\nContent-Encoding: gzip"
    bomb = gzip.compress(bytes(50_000_000))
    async with raw_server(_answers(head, bomb)) as address:
        await failure(ask(url=f"http://{address}/"), "ResponseTooLarge")


# Trouble


async def test_nothing_listening_is_transient(ask: Ask) -> None:
    failed = await failure(ask(url=f"http://127.0.0.1:{free_port()}/"), "HttpNetworkError")
    assert not failed.error.permanent


async def test_a_connection_that_is_reset_is_transient(ask: Ask) -> None:
    async def reset(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.transport.abort()

    async with raw_server(reset) as address:
        await failure(ask(url=f"http://{address}/"), "HttpNetworkError")


async def test_a_body_cut_short_is_transient(ask: Ask) -> None:
    async def short(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
        await writer.drain()

    async with raw_server(short) as address:
        await failure(ask(url=f"http://{address}/"), "HttpNetworkError")


async def test_an_answer_that_is_not_http_is_transient(ask: Ask) -> None:
    async with raw_server(_answers("220 mail.example ESMTP")) as address:
        await failure(ask(url=f"http://{address}/"), "HttpNetworkError")


async def silent(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
    await reader.read(-1)


async def test_each_timeout_names_itself(ask: Ask) -> None:
    async with raw_server(silent) as address:
        url = f"http://{address}/"
        part = await failure(ask(url=url, timeouts={"read": "50ms"}), "HttpTimeout")
        assert "no progress in 50ms (timeouts.read)" in part.message
        whole = await failure(ask(url=url, timeouts={"total": "50ms"}), "HttpTimeout")
        assert "took longer than 50ms" in whole.message
        assert not whole.error.permanent


async def test_a_body_that_trickles_for_ever_ends_by_the_total(ask: Ask) -> None:
    async def trickle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\n")
        while not writer.is_closing():
            writer.write(b".")
            await writer.drain()
            await asyncio.sleep(0.01)

    async with raw_server(trickle) as address:
        await failure(ask(url=f"http://{address}/", timeouts="100ms"), "HttpTimeout")


async def test_cancelling_the_attempt_closes_the_connection(ask: Ask) -> None:
    reached, closed = asyncio.Event(), asyncio.Event()

    async def wait(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        reached.set()
        await reader.read(-1)
        closed.set()

    async with raw_server(wait) as address:
        task = asyncio.ensure_future(ask(url=f"http://{address}/"))
        await asyncio.wait_for(reached.wait(), PATIENCE)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await asyncio.wait_for(closed.wait(), PATIENCE)


async def test_a_certificate_nobody_vouches_for_is_a_permanent_error(
    ask: Ask, tmp_path: Path
) -> None:
    async with raw_server(_answers("HTTP/1.1 200 OK"), _self_signed(tmp_path)) as address:
        failed = await failure(ask(url=f"https://{address}/"), "HttpTlsError")
    assert failed.error.permanent
    assert "not trusted" in failed.message


def _self_signed(folder: Path) -> ssl.SSLContext:
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("needs the openssl command to make a certificate")
    key, cert = folder / "key.pem", folder / "cert.pem"
    make = [openssl, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1"]
    make += ["-subj", "/CN=127.0.0.1", "-keyout", str(key), "-out", str(cert)]
    subprocess.run(make, check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    return context


@pytest.mark.parametrize(
    "url", ["ftp://host/x", "/relative", "host.example/x", "http://", "http://[::1", "file:///etc"]
)
async def test_a_url_that_is_none_is_a_permanent_error(ask: Ask, url: str) -> None:
    assert (await failure(ask(url=url), "HttpInvalidUrl")).error.permanent


async def test_credentials_in_the_url_are_refused_and_not_repeated(ask: Ask) -> None:
    failed = await failure(ask(url="http://ann:hunter22@host.example/"), "HttpInvalidUrl")
    assert "auth: {basic:" in failed.message
    assert "hunter22" not in failed.message


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"json": 1, "body": "b"}, "params: expected one body, found json and body"),
        ({"auth": {}}, "params.auth: expected exactly one of basic, bearer, api_key and oauth2"),
        ({"headers": {"X": "a\nb"}}, "line break"),
        ({"headers": {"X Y": "a"}}, "'X Y' is not a header's name"),
        ({"auth": {"bearer": "a\r\nX: b"}}, "line break"),
        ({"auth": {"bearer": "a"}, "headers": {"authorization": "b"}}, "found both"),
        ({"timeouts": 10}, "params.timeouts"),
        ({"timeouts": {"connect": "10"}}, "params.timeouts.connect"),
        ({"expect": ["2x"]}, "params.expect.0"),
        ({"metod": "GET"}, "params.metod: there is no such parameter"),
    ],
)
async def test_parameters_that_do_not_fit_are_told_by_place(
    ask: Ask, params: dict[str, Json], message: str
) -> None:
    failed = await failure(ask(**{"url": "http://127.0.0.1:1/", **params}), "InvalidParams")
    assert message in failed.message


# Redirects


async def test_a_redirect_is_an_error_that_names_the_way_unless_followed(
    ask: Ask, http_service: HttpService
) -> None:
    http_service.on("GET", "/old", Answer(status=302, headers={"Location": "/new"}))
    http_service.on("GET", "/new", Answer(body={"new": True}))
    failed = await failure(ask(url=f"{http_service.url}/old"), "HttpRedirect")
    assert "follow_redirects: true" in failed.message
    followed = await ask(url=f"{http_service.url}/old", follow_redirects=True)
    assert followed["json"] == {"new": True}
    assert followed["url"] == f"{http_service.url}/new"


async def test_redirects_in_a_circle_end(ask: Ask, http_service: HttpService) -> None:
    http_service.on("GET", "/a", Answer(status=302, headers={"Location": "/b"}))
    http_service.on("GET", "/b", Answer(status=302, headers={"Location": "/a"}))
    failed = await failure(ask(url=f"{http_service.url}/a", follow_redirects=True), "HttpRedirect")
    assert "more than 5 times" in failed.message
    assert len(http_service.requests) == 6


@pytest.mark.parametrize("to", ["ftp://127.0.0.1/", "file:///etc/passwd", "http://a:b@127.0.0.1/"])
async def test_a_redirect_to_anything_but_plain_http_is_not_followed(
    ask: Ask, http_service: HttpService, to: str
) -> None:
    http_service.on("GET", "/a", Answer(status=302, headers={"Location": to}))
    await failure(ask(url=f"{http_service.url}/a", follow_redirects=True), "HttpRedirect")


async def test_what_is_meant_for_one_origin_is_not_sent_to_another(
    ask: Ask, echo: HttpService
) -> None:
    with HttpService() as first:
        first.on("GET", "/a", Answer(status=302, headers={"Location": f"{echo.url}/echo"}))
        result = await ask(
            url=f"{first.url}/a",
            headers={"X-Custom-Token": "t", "Cookie": "c=1", "Accept": "text/x"},
            auth={"bearer": "tok"},
            follow_redirects=True,
        )
        assert dict(first.requests[0].headers)["Authorization"] == "Bearer tok"
    headers = sent(result)["headers"]
    assert headers["accept"] == "text/x"
    assert not {"x-custom-token", "cookie", "authorization"} & headers.keys()


async def test_a_body_follows_a_redirect_only_within_the_origin(
    ask: Ask, echo: HttpService
) -> None:
    echo.on("PUT", "/here", Answer(status=307, headers={"Location": "/echo"}))
    followed = await ask(method="PUT", url=f"{echo.url}/here", json={"a": 1}, follow_redirects=True)
    assert sent(followed)["body"] == '{"a": 1}'
    with HttpService() as first:
        first.on("PUT", "/a", Answer(status=307, headers={"Location": f"{echo.url}/echo"}))
        asked = ask(method="PUT", url=f"{first.url}/a", json={"a": 1}, follow_redirects=True)
        assert "another origin" in (await failure(asked, "HttpRedirect")).message


async def test_a_body_of_untold_length_follows_no_redirect_to_another_origin(
    ask: Ask, echo: HttpService
) -> None:
    async def redirect(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n0\r\n\r\n")
        writer.write(f"HTTP/1.1 307 There\r\nLocation: {echo.url}/echo\r\n".encode())
        writer.write(b"Content-Length: 0\r\n\r\n")
        await writer.drain()

    async with raw_server(redirect) as address:
        asked = ask(
            method="PUT",
            url=f"http://{address}/",
            json={"a": 1},
            headers={"Transfer-Encoding": "chunked"},
            follow_redirects=True,
        )
        assert "another origin" in (await failure(asked, "HttpRedirect")).message


# Secrets


async def test_credentials_made_from_parameters_are_concealed(http_service: HttpService) -> None:
    http_service.on("GET", "/e", lambda got: Answer(status=400, body=f"{got.query} {got.headers}"))
    async with Resources() as resources:
        auths: list[Json] = [
            {"basic": {"username": "a", "password": "b"}},
            {"api_key": {"name": "k", "value": "topsecret", "in": "query"}},
        ]
        for auth in auths:
            attempt = _attempt(resources)
            params = read_params(HTTP_REQUEST, {"url": f"{http_service.url}/e", "auth": auth})
            failed = await failure(HTTP_REQUEST.handler(params, attempt), "HttpClientError")
            told = json.dumps([failed.message, failed.details])
            assert BLOT in told
            assert "topsecret" not in told
            assert base64.b64encode(b"a:b").decode() not in told


async def test_one_client_serves_all_requests(ask: Ask) -> None:
    connections = 0

    async def keep(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        while await reader.readuntil(b"\r\n\r\n"):
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
            await writer.drain()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await keep(reader, writer)
        except asyncio.IncompleteReadError:
            return

    async with raw_server(serve) as address:
        for _ in range(3):
            assert (await ask(url=f"http://{address}/")).get("text") == "ok"
        assert connections == 1
