"""`http.request` with OAuth 2 client credentials, against a token server that checks and counts."""

from __future__ import annotations

import asyncio
import base64
import json
import threading
from collections.abc import Awaitable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, unquote_plus

import pytest

from activities.addresses import AddressPolicy, read_rules
from activities.attempt import Attempt, Resources
from activities.errors import NodeFailed
from activities.http.auth import OAuth2
from activities.http.exchange import exchange
from activities.http.request import HTTP_REQUEST
from activities.http.tokens import Tokens
from activities.parameters import read_params
from activities.redaction import Redactor
from tests.server.conftest import MakeProduct
from tests.server.support import Answer, HttpService, Received, free_port

CLIENT = {"client_id": "my:app", "client_secret": "s%cret value"}
SAYS_JSON = {"Content-Type": "application/json"}


@dataclass
class TokenServer:
    """Gives out numbered tokens to the one client it knows; `/api` takes those still good."""

    service: HttpService
    life: Any = 3600
    answer: Answer | None = None
    delay: float = 0.0
    forms: list[dict[str, str]] = field(default_factory=list)
    good: set[str] = field(default_factory=set)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def give(self, got: Received) -> Answer:
        form = dict(parse_qsl(got.body.decode()))
        with self.lock:
            self.forms.append(form)
            number = len(self.forms)
        if self.answer is not None:
            return self.answer
        if _client_of(got, form) != (CLIENT["client_id"], CLIENT["client_secret"]):
            return Answer(status=401, body={"error": "invalid_client"})
        self.good.add(f"token-number-{number}")
        body = {"access_token": f"token-number-{number}", "token_type": "Bearer"}
        if self.life is not None:
            body["expires_in"] = self.life
        return Answer(body=body, delay=self.delay)

    def api(self, got: Received) -> Answer:
        token = got.headers.get("Authorization", "").removeprefix("Bearer ")
        return Answer(status=200 if token in self.good else 401, body=f"{token} {got.body!r}")

    def auth(self, **more: Any) -> dict[str, Any]:
        return {"oauth2": {"token_url": f"{self.service.url}/token", **CLIENT, **more}}


def _client_of(got: Received, form: dict[str, str]) -> tuple[str, str]:
    if "Authorization" not in got.headers:
        return form["client_id"], form["client_secret"]
    pair = base64.b64decode(got.headers["Authorization"].removeprefix("Basic ")).decode()
    name, _, secret = pair.partition(":")
    return unquote_plus(name), unquote_plus(secret)


@pytest.fixture
def server(http_service: HttpService) -> TokenServer:
    found = TokenServer(http_service)
    http_service.on("POST", "/token", found.give)
    http_service.on("GET", "/api", found.api)
    http_service.on("PUT", "/api", found.api)
    return found


class Worker:
    """Attempts that share what a worker's attempts share."""

    def __init__(self, resources: Resources, addresses: AddressPolicy) -> None:
        self.resources = resources
        self.addresses = addresses

    async def ask(self, redactor: Redactor | None = None, **params: Any) -> Any:
        read = read_params(HTTP_REQUEST, params)
        return await HTTP_REQUEST.handler(read, self.attempt(redactor))

    def attempt(self, redactor: Redactor | None = None) -> Attempt:
        return Attempt(
            node="call",
            flow="f",
            run_id="r",
            key="k",
            resources=self.resources,
            addresses=self.addresses,
            redactor=redactor or Redactor(),
        )


@pytest.fixture
async def worker() -> Any:
    async with Resources() as resources:
        yield Worker(resources, AddressPolicy(guarded=False))


async def failure(asked: Awaitable[Any], name: str) -> NodeFailed:
    with pytest.raises(NodeFailed) as caught:
        await asked
    assert caught.value.error.name == name, caught.value
    assert name in {error.name for error in HTTP_REQUEST.node_type.errors}
    return caught.value


async def test_a_token_is_fetched_once_and_kept(worker: Worker, server: TokenServer) -> None:
    for _ in range(3):
        result = await worker.ask(url=f"{server.service.url}/api", auth=server.auth())
        assert result["text"] == "token-number-1 b''"
    assert server.forms == [{"grant_type": "client_credentials"}]


async def test_everything_asked_for_reaches_the_token_server(
    worker: Worker, server: TokenServer
) -> None:
    auth = server.auth(
        scopes=["read", "write"],
        audience="https://api.example",
        resource="https://r.example",
        more={"tenant": "t1"},
        send_credentials="body",
    )
    await worker.ask(url=f"{server.service.url}/api", auth=auth)
    assert server.forms == [
        {
            "grant_type": "client_credentials",
            "scope": "read write",
            "audience": "https://api.example",
            "resource": "https://r.example",
            "tenant": "t1",
            **CLIENT,
        }
    ]


async def test_other_parameters_are_another_token(worker: Worker, server: TokenServer) -> None:
    for more in ({}, {"scopes": ["a"]}, {"audience": "b"}, {"send_credentials": "body"}, {}):
        await worker.ask(url=f"{server.service.url}/api", auth=server.auth(**more))
    assert len(server.forms) == 4


async def test_attempts_at_once_share_one_fetch(worker: Worker, server: TokenServer) -> None:
    server.delay = 0.2
    url, auth = f"{server.service.url}/api", server.auth()
    results = await asyncio.gather(*(worker.ask(url=url, auth=auth) for _ in range(10)))
    assert [result["status"] for result in results] == [200] * 10
    assert len(server.forms) == 1


async def test_who_stops_waiting_does_not_stop_the_fetch_for_others(
    worker: Worker, server: TokenServer
) -> None:
    server.delay = 0.3
    url, auth = f"{server.service.url}/api", server.auth()
    first = asyncio.ensure_future(worker.ask(url=url, auth=auth))
    while not server.forms:
        await asyncio.sleep(0.01)
    second = asyncio.ensure_future(worker.ask(url=url, auth=auth))
    await asyncio.sleep(0)
    first.cancel()
    assert (await second)["status"] == 200
    assert len(server.forms) == 1


@pytest.mark.parametrize(
    ("life", "passed", "fetches"),
    [
        (3600, 3500.0, 1),
        (3600, 3541.0, 2),
        ("100", 89.0, 1),
        ("100", 91.0, 2),
        (None, 200.0, 1),
        (None, 299.0, 2),
        ("nonsense", 299.0, 2),
        (0, 0.0, 2),
    ],
)
async def test_a_token_is_not_used_near_the_end_of_its_life(
    worker: Worker, server: TokenServer, life: Any, passed: float, fetches: int
) -> None:
    server.life = life
    now = 1000.0
    tokens = Tokens(clock=lambda: now)
    asked = OAuth2.model_validate(server.auth()["oauth2"])
    await tokens.get(asked, worker.attempt(), exchange)
    now += passed
    await tokens.get(asked, worker.attempt(), exchange)
    assert len(server.forms) == fetches


async def test_a_token_that_is_taken_no_longer_is_renewed_once(
    worker: Worker, server: TokenServer
) -> None:
    url, auth = f"{server.service.url}/api", server.auth()
    await worker.ask(url=url, auth=auth)
    server.good.clear()
    again = await worker.ask(method="PUT", url=url, auth=auth, body="the body")
    assert again["status"] == 200
    assert again["text"].endswith("b'the body'")
    assert server.service.asked == [
        *("POST /token", "GET /api"),
        *("PUT /api", "POST /token", "PUT /api"),
    ]


async def test_a_service_that_takes_no_token_is_not_asked_for_ever(
    worker: Worker, server: TokenServer
) -> None:
    server.service.on("GET", "/never", Answer(status=401, body="no"))
    url, auth = f"{server.service.url}/never", server.auth()
    await failure(worker.ask(url=url, auth=auth), "HttpClientError")
    assert server.service.asked == ["POST /token", "GET /never"]
    await failure(worker.ask(url=url, auth=auth), "HttpClientError")
    assert server.service.asked[2:] == ["GET /never", "POST /token", "GET /never"]


@pytest.mark.parametrize(
    ("answer", "error", "message"),
    [
        (
            Answer(status=401, body={"error": "invalid_client"}),
            "HttpTokenRefused",
            "invalid_client",
        ),
        (Answer(status=400, body={"error": "invalid_scope"}), "HttpTokenRefused", "invalid_scope"),
        (Answer(body={"token": "x"}), "HttpTokenRefused", "without an access_token"),
        (Answer(body={"access_token": "a\nb"}), "HttpTokenRefused", "without an access_token"),
        (Answer(body="hello"), "HttpTokenRefused", "without an access_token"),
        (
            Answer(body={"access_token": "abcdefgh", "token_type": "mac"}),
            "HttpTokenRefused",
            "of type 'mac'",
        ),
        (
            Answer(body=b"{", headers={"Content-Type": "application/json"}),
            "HttpTokenRefused",
            "JSON",
        ),
        (Answer(status=302, headers={"Location": "/x"}), "HttpTokenRefused", "302"),
        (Answer(status=503, headers={"Retry-After": "9"}), "HttpTokenUnavailable", "503"),
        (Answer(status=429), "HttpTokenUnavailable", "429"),
    ],
)
async def test_no_token_is_told_apart_from_no_answer(
    worker: Worker, server: TokenServer, answer: Answer, error: str, message: str
) -> None:
    server.answer = answer
    asked = worker.ask(url=f"{server.service.url}/api", auth=server.auth())
    failed = await failure(asked, error)
    assert message in failed.message
    assert "abcdefgh" not in failed.message
    assert failed.error.permanent is (error == "HttpTokenRefused")
    assert failed.retry_after == (9 if answer.status == 503 else None)
    assert server.service.asked == ["POST /token"]


async def test_a_token_server_that_is_away_or_private_is_told(server: TokenServer) -> None:
    url = f"{server.service.url}/api"
    async with Resources() as resources:
        worker = Worker(resources, AddressPolicy(allow=read_rules("127.0.0.1")))
        away = server.auth(token_url=f"http://127.0.0.1:{free_port()}/token")
        failed = await failure(worker.ask(url=url, auth=away), "HttpTokenUnavailable")
        assert not failed.error.permanent
        private = server.auth(token_url="http://169.254.169.254/token")
        await failure(worker.ask(url=url, auth=private), "AddressRefused")


async def test_the_token_is_blotted_out_of_whatever_comes_back(
    worker: Worker, server: TokenServer
) -> None:
    server.service.on(
        "GET", "/tell", lambda got: Answer(status=400, body=got.headers["Authorization"])
    )
    redactor = Redactor()
    asked = worker.ask(redactor, url=f"{server.service.url}/tell", auth=server.auth())
    failed = await failure(asked, "HttpClientError")
    assert "token-number-1" not in json.dumps([failed.message, failed.details])
    assert redactor.text("token-number-1") == "***"


async def test_the_token_does_not_go_to_another_origin(worker: Worker, server: TokenServer) -> None:
    with HttpService() as other:
        other.on("GET", "/x", lambda got: Answer(body=str("Authorization" in got.headers)))
        location = {"Location": f"{other.url}/x"}
        server.service.on("GET", "/away", Answer(status=302, headers=location))
        url = f"{server.service.url}/away"
        result = await worker.ask(url=url, auth=server.auth(), follow_redirects=True)
    assert result["text"] == "False"


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"more": {"scope": "x"}}, "'scope' has a parameter of its own"),
        ({"scopes": ["a b"]}, "params.auth.oauth2.scopes.0"),
        ({"client_secret": ""}, "params.auth.oauth2.client_secret"),
    ],
)
async def test_parameters_that_do_not_fit_are_refused(
    worker: Worker, server: TokenServer, more: dict[str, Any], message: str
) -> None:
    asked = worker.ask(url=f"{server.service.url}/api", auth=server.auth(**more))
    assert message in (await failure(asked, "InvalidParams")).message


# As shipped

FLOW = """\
flow: many
input: {required: [url], properties: {url: {type: string}}}
secrets: [CLIENT_SECRET]
nodes:
  all:
    type: block
    foreach: ${range(10)}
    nodes:
      call:
        type: http.request
        params:
          url: ${input.url}/api
          auth:
            oauth2:
              token_url: ${input.url}/token
              client_id: my:app
              client_secret: ${secrets.CLIENT_SECRET}
    output: ${nodes.call.output.text}
output: ${nodes.all.output}
"""


def test_the_runs_of_a_worker_share_a_token_that_nobody_sees(
    make_product: MakeProduct, server: TokenServer
) -> None:
    product = make_product(FLOWRUNNER_SECRET_CLIENT_SECRET=CLIENT["client_secret"])
    flow = product.write_flow("many", FLOW)
    product.start_worker()
    arguments = ("run", str(flow), "--set", f"url={server.service.url}", "--json")
    for _ in range(2):
        done = product.cli_json(*arguments)
        assert done["output"] == ["*** b''"] * 10, done
    assert len(server.forms) == 1
