"""The guard against private addresses: real connections, real names, and a worker as shipped."""

from __future__ import annotations

import asyncio
import shutil
import socket
import ssl
import subprocess
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import httpcore2
import httpx2
import pytest
import structlog

from activities.addresses import AddressPolicy, read_rules
from activities.attempt import Attempt, Resources
from activities.errors import NodeFailed
from activities.http.client import ClientOpener, GuardedBackend
from activities.http.request import HTTP_REQUEST
from activities.parameters import read_params
from tests.server.conftest import MakeProduct
from tests.server.support import Answer, HttpService, free_port
from tests.server.test_http import raw_server

Names = Callable[..., list[Any]]


async def ask(allow: str = "", **params: Any) -> Any:
    """`http.request` on a worker that refuses private addresses but for `allow`."""
    async with Resources() as resources:
        attempt = Attempt(
            node="call",
            flow="f",
            run_id="r",
            key="k",
            resources=resources,
            addresses=AddressPolicy(allow=read_rules(allow)),
        )
        return await HTTP_REQUEST.handler(read_params(HTTP_REQUEST, params), attempt)


async def refused(asked: Awaitable[Any]) -> NodeFailed:
    with pytest.raises(NodeFailed) as caught:
        await asked
    assert caught.value.error.name == "AddressRefused", caught.value
    assert caught.value.error.permanent
    return caught.value


def names(monkeypatch: pytest.MonkeyPatch, **answers: list[str]) -> list[str]:
    """Have `NAME.test` resolve to each address in turn, and note every question."""
    real = socket.getaddrinfo
    asked: list[str] = []

    def resolve(host: Any, port: Any, *more: Any, **options: Any) -> Any:
        name = str(host).removesuffix(".test")
        if name not in answers:
            return real(host, port, *more, **options)
        asked.append(name)
        left = answers[name]
        found = left.pop(0) if len(left) > 1 else left[0]
        infos = [real(each, port, *more, **options) for each in found.split()]
        return [info for each in infos for info in each]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    return asked


def port_of(service: HttpService) -> int:
    return int(service.url.rpartition(":")[2])


@pytest.mark.parametrize(
    "host",
    [
        *("127.0.0.1", "localhost", "127.1", "2130706433", "0x7f000001", "0.0.0.0"),
        *("[::1]", "[::ffff:127.0.0.1]", "[::]", "LOCALHOST", "10.0.0.1", "169.254.169.254"),
        *("[64:ff9b::7f00:1]", "[fd00:ec2::254]"),
    ],
)
async def test_no_spelling_of_a_private_address_is_connected_to(
    http_service: HttpService, host: str
) -> None:
    failed = await refused(ask(url=f"http://{host}:{port_of(http_service)}/"))
    assert "FLOWRUNNER_HTTP_ALLOW" in failed.message
    assert isinstance(failed.details, dict)
    assert failed.details["port"] == port_of(http_service)
    assert http_service.requests == []


async def test_what_is_allowed_is_connected_to(http_service: HttpService) -> None:
    http_service.on("GET", "/a", Answer(body="here"))
    port = port_of(http_service)
    for allow in ("127.0.0.0/8", "127.0.0.1", f"127.0.0.1:{port}"):
        assert (await ask(allow, url=f"{http_service.url}/a"))["text"] == "here"
    await refused(ask(f"127.0.0.1:{port + 1}", url=f"{http_service.url}/a"))


async def test_a_name_with_one_private_address_among_others_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    names(monkeypatch, mixed=["93.184.216.34 10.0.0.7"])
    failed = await refused(ask(url="http://mixed.test/"))
    assert "'mixed.test' is 10.0.0.7, which is a private address" in failed.message


async def test_a_redirect_to_a_private_address_is_refused(
    http_service: HttpService, monkeypatch: pytest.MonkeyPatch
) -> None:
    names(monkeypatch, evil=["127.0.0.2"])
    port = port_of(http_service)
    for target in (f"http://evil.test:{port}/", "http://169.254.169.254/latest/meta-data/"):
        http_service.on("GET", "/a", Answer(status=302, headers={"Location": target}))
        await refused(ask("127.0.0.1", url=f"{http_service.url}/a", follow_redirects=True))
    assert http_service.asked == ["GET /a", "GET /a"]


async def test_a_name_that_changes_its_address_is_connected_to_where_it_was_looked_at(
    http_service: HttpService, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second answer would lead to a service that may not be reached."""
    http_service.on("GET", "/a", Answer(body="the allowed one"))
    port = port_of(http_service)

    async def forbidden(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nforbidden")

    asked = names(monkeypatch, rebind=["127.0.0.1", "127.0.0.2"])
    async with await asyncio.start_server(forbidden, "127.0.0.2", port):
        result = await ask("127.0.0.1/32", url=f"http://rebind.test:{port}/a")
        assert result["text"] == "the allowed one"
        assert asked == ["rebind"]
        assert http_service.requests[0].headers["Host"] == f"rebind.test:{port}"
        await refused(ask("127.0.0.1/32", url=f"http://rebind.test:{port}/a"))
        assert asked == ["rebind", "rebind"]


async def test_encryption_is_with_the_name_and_not_with_the_address(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    told: list[str | None] = []
    context, certificate = _certificate(tmp_path, "secure.test")
    context.sni_callback = lambda _socket, name, _context: told.append(name)
    names(monkeypatch, secure=["127.0.0.1"])
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        await writer.drain()

    async with raw_server(serve, context) as address:
        port = address.rpartition(":")[2]
        result = await ask("127.0.0.1", url=f"https://secure.test:{port}/")
    assert result["text"] == "ok"
    assert told == ["secure.test"]


def _certificate(folder: Path, name: str) -> tuple[ssl.SSLContext, Path]:
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("needs the openssl command to make a certificate")
    key, cert = folder / "key.pem", folder / "cert.pem"
    make = [openssl, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1"]
    make += ["-subj", f"/CN={name}", "-addext", f"subjectAltName=DNS:{name}"]
    subprocess.run([*make, "-keyout", str(key), "-out", str(cert)], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    return context, cert


async def test_proxies_of_the_environment_do_not_connect_for_a_guarded_client(
    monkeypatch: pytest.MonkeyPatch, http_service: HttpService
) -> None:
    http_service.on("GET", "/", Answer(body="by proxy"))
    monkeypatch.setenv("HTTP_PROXY", http_service.url)
    monkeypatch.setenv("NO_PROXY", "")
    with structlog.testing.capture_logs() as logs:
        await refused(ask(url="http://127.0.0.1:1/"))
    assert http_service.requests == []
    assert logs[0]["proxies"] == ["http"]
    assert "FLOWRUNNER_HTTP_PRIVATE=allow" in logs[0]["event"]
    async with ClientOpener(policy=AddressPolicy(guarded=False))() as client:
        assert isinstance(client, httpx2.AsyncClient)
        assert (await client.get("http://example.invalid/")).status_code == 404
    assert len(http_service.requests) == 1


# Connecting


async def test_the_first_address_that_answers_is_taken(http_service: HttpService) -> None:
    policy = AddressPolicy(guarded=False)
    port = port_of(http_service)
    for addresses in (["127.0.0.1", "127.0.0.2"], ["127.0.0.2", "127.0.0.1"]):
        backend = GuardedBackend(policy, resolve=_always(addresses))
        stream = await backend.connect_tcp("x.test", port, timeout=5)
        assert stream.get_extra_info("server_addr")[0] == "127.0.0.1"
        await stream.aclose()


async def test_no_address_that_answers_is_a_failure_to_connect() -> None:
    backend = GuardedBackend(AddressPolicy(guarded=False), resolve=_always(["127.0.0.1"] * 2))
    with pytest.raises(httpcore2.ConnectError):
        await backend.connect_tcp("x.test", free_port(), timeout=5)


async def test_a_name_that_is_not_found_is_a_network_error() -> None:
    with pytest.raises(NodeFailed) as caught:
        await ask(url="http://nobody.invalid/")
    assert caught.value.error.name == "HttpNetworkError"
    assert "nobody.invalid" in caught.value.message


async def test_looking_up_a_name_counts_as_connecting() -> None:
    async def never(_host: str, _port: int) -> list[str]:
        await asyncio.Event().wait()
        return []

    backend = GuardedBackend(AddressPolicy(), resolve=never)
    with pytest.raises(httpcore2.ConnectTimeout):
        await backend.connect_tcp("x.test", 80, timeout=0.05)


def _always(addresses: list[str]) -> Callable[[str, int], Awaitable[list[str]]]:
    async def resolve(_host: str, _port: int) -> list[str]:
        return addresses

    return resolve


# As shipped

CALL = """\
flow: call
input: {required: [url], properties: {url: {type: string}}}
nodes:
  call: {type: http.request, retry: 3, params: {url: "${input.url}"}}
output: ${nodes.call.output.text}
"""


def test_a_worker_refuses_private_addresses_unless_it_is_told_otherwise(
    make_product: MakeProduct, http_service: HttpService
) -> None:
    http_service.on("GET", "/a", Answer(body="hello"))
    product = make_product(FLOWRUNNER_HTTP_PRIVATE="")
    flow = product.write_flow("call", CALL)
    given = f'{{"url": "{http_service.url}/a"}}'
    arguments = ("run", str(flow), "--input", given, "--json")
    worker = product.start_worker()
    shown = product.cli(*arguments)
    assert shown.returncode != 0
    assert "AddressRefused" in shown.stdout + shown.stderr
    assert http_service.requests == []
    worker.stop()
    product.start_worker(FLOWRUNNER_HTTP_ALLOW=f"127.0.0.1:{port_of(http_service)}")
    assert product.cli_json(*arguments)["output"] == "hello"


def test_a_list_that_cannot_be_read_keeps_a_worker_from_starting(
    make_product: MakeProduct,
) -> None:
    product = make_product(FLOWRUNNER_HTTP_ALLOW="10.0.0.1/8")
    done = product.cli("worker")
    assert done.returncode != 0
    assert "FLOWRUNNER_HTTP_ALLOW: 10.0.0.1/8 has host bits set" in done.stderr
