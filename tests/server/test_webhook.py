"""`webhook.send` against receivers that verify what they are sent, and count."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import threading
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from activities.addresses import AddressPolicy
from activities.attempt import Attempt, Resources
from activities.errors import NodeFailed
from activities.http.webhook import WEBHOOK_SEND
from activities.http.webhook_sending import message_id, signatures
from activities.parameters import read_params
from activities.redaction import Redactor
from tests.server.conftest import MakeProduct
from tests.server.support import Answer, HttpService, Received, free_port
from tests.server.test_http import raw_server

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
OLD = "an older secret"


@dataclass
class Receiver:
    """A service that takes a message once, by its id, and only with a good signature."""

    service: HttpService
    key: bytes = base64.b64decode(SECRET.removeprefix("whsec_"))
    answers: list[Answer] = field(default_factory=list)
    taken: dict[str, Any] = field(default_factory=dict)
    seen: list[Received] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def url(self) -> str:
        return f"{self.service.url}/hook"

    def receive(self, got: Received) -> Answer:
        with self.lock:
            self.seen.append(got)
            answer = self.answers.pop(0) if self.answers else Answer(body="thanks")
        headers = {name.lower(): value for name, value in got.headers.items()}
        identity, when = headers["webhook-id"], headers["webhook-timestamp"]
        signed = f"{identity}.{when}.".encode() + got.body
        wanted = base64.b64encode(hmac.new(self.key, signed, hashlib.sha256).digest()).decode()
        if f"v1,{wanted}" not in headers["webhook-signature"].split(" "):
            return Answer(status=400, body="bad signature")
        if abs(time.time() - int(when)) > 60:
            return Answer(status=400, body="too old")
        if 200 <= answer.status < 300:
            self.taken.setdefault(identity, got.json())
        return answer


@pytest.fixture
def receiver(http_service: HttpService) -> Receiver:
    found = Receiver(http_service)
    http_service.on("POST", "/hook", found.receive)
    return found


Send = Callable[..., Awaitable[Any]]


@pytest.fixture
async def send() -> Send:
    """Perform `webhook.send` with these parameters, as a worker does."""

    async def perform(*, key: str = "wf/r/tell", number: int = 1, **params: Any) -> Any:
        given = {"payload": {"type": "order.shipped"}, "secret": SECRET, **params}
        async with Resources() as resources:
            attempt = Attempt(
                node="tell",
                flow="f",
                run_id="r",
                key=key,
                number=number,
                resources=resources,
                addresses=AddressPolicy(guarded=False),
                redactor=Redactor([SECRET]),
            )
            return await WEBHOOK_SEND.handler(read_params(WEBHOOK_SEND, given), attempt)

    return perform


async def failure(sent: Awaitable[Any], name: str) -> NodeFailed:
    with pytest.raises(NodeFailed) as caught:
        await sent
    assert caught.value.error.name == name, caught.value
    declared = {error.name for error in WEBHOOK_SEND.node_type.errors}
    assert caught.value.error.name in declared
    return caught.value


def test_a_message_is_signed_as_the_specification_shows() -> None:
    """The example that the libraries of Standard Webhooks are tested with."""
    key = base64.b64decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    made = signatures(
        [key, b"x"], "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}'
    )
    first, second = made.split(" ")
    assert first == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
    assert second.startswith("v1,")
    assert second != first


async def test_a_receiver_that_verifies_takes_it_once(send: Send, receiver: Receiver) -> None:
    payload = {"type": "order.shipped", "data": {"name": "Ådne"}}
    result = await send(url=receiver.url, payload=payload)
    assert receiver.taken == {result["id"]: payload}
    assert result["id"] == message_id("wf/r/tell")
    assert (result["status"], result["answer"], result["attempt"]) == (200, "thanks", 1)
    assert abs(result["timestamp"] - time.time()) < 60
    assert receiver.seen[0].headers["Content-Type"] == "application/json"


async def test_the_id_is_that_of_the_node_of_the_run_for_every_attempt(
    send: Send, receiver: Receiver
) -> None:
    first = await send(url=receiver.url)
    again = await send(url=receiver.url, number=2)
    other = await send(url=receiver.url, key="wf/r/other")
    assert first["id"] == again["id"] != other["id"]
    assert len(receiver.seen) == 3
    assert len(receiver.taken) == 2


async def test_a_receiver_may_know_any_one_of_several_secrets(
    send: Send, receiver: Receiver
) -> None:
    for key in (base64.b64decode(SECRET.removeprefix("whsec_")), OLD.encode()):
        receiver.key = key
        await send(url=receiver.url, secret=[SECRET, OLD], key=str(key))
    assert len(receiver.taken) == 2


async def test_a_wrong_secret_is_not_a_success(send: Send, receiver: Receiver) -> None:
    failed = await failure(send(url=receiver.url, secret="another"), "HttpClientError")
    assert "bad signature" in failed.message
    assert receiver.taken == {}


@pytest.mark.parametrize(
    ("status", "error", "permanent"),
    [
        (301, "HttpUnexpectedStatus", True),
        (400, "HttpClientError", True),
        (404, "HttpClientError", True),
        (410, "WebhookGone", True),
        (408, "HttpTryLater", False),
        (425, "HttpTryLater", False),
        (429, "HttpTryLater", False),
        (500, "HttpServerError", False),
        (503, "HttpServerError", False),
    ],
)
async def test_what_is_no_2xx_is_a_failure(
    send: Send, receiver: Receiver, status: int, error: str, permanent: bool
) -> None:
    receiver.answers = [Answer(status=status, headers={"Retry-After": "7"})]
    failed = await failure(send(url=receiver.url), error)
    assert failed.error.permanent is permanent
    assert failed.retry_after == (None if error == "WebhookGone" else 7)
    assert receiver.taken == {}


async def test_every_2xx_is_a_success_whatever_its_body(send: Send, receiver: Receiver) -> None:
    for status, body in ((201, b"\xff\x00"), (202, "x" * 5000), (204, None)):
        headers = {"Content-Type": "application/json"}
        receiver.answers = [Answer(status=status, body=body, headers=headers)]
        result = await send(url=receiver.url)
        assert result["status"] == status
        assert len(result["answer"]) <= 2048


async def test_redirects_are_not_followed(send: Send, receiver: Receiver) -> None:
    receiver.answers = [Answer(status=307, headers={"Location": "/elsewhere"})]
    await failure(send(url=receiver.url), "HttpRedirect")
    assert receiver.service.asked == ["POST /hook"]


async def test_nobody_there_and_nobody_answering_are_tried_again(send: Send) -> None:
    failed = await failure(send(url=f"http://127.0.0.1:{free_port()}/"), "HttpNetworkError")
    assert not failed.error.permanent

    async def wait(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        await reader.read(-1)

    async with raw_server(wait) as address:
        late = await failure(send(url=f"http://{address}/", timeout="100ms"), "HttpTimeout")
    assert not late.error.permanent


async def test_an_answer_that_breaks_off_after_it_was_accepted_is_no_failure(send: Send) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\npart")
        await writer.drain()

    async with raw_server(serve) as address:
        assert (await send(url=f"http://{address}/"))["status"] == 200


async def test_a_connection_that_breaks_before_the_answer_is_no_success(send: Send) -> None:
    async def serve(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")

    async with raw_server(serve) as address:
        await failure(send(url=f"http://{address}/"), "HttpNetworkError")


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"secret": "whsec_no base64!"}, "not the base64 of a key"),
        ({"secret": "whsec_"}, "not the base64 of a key"),
        ({"secret": []}, "params.secret"),
        ({"secret": ""}, "params.secret"),
        ({"headers": {"Webhook-Id": "x"}}, "'Webhook-Id' is set by the node itself"),
        ({"headers": {"X": "a\nb"}}, "line break"),
    ],
)
async def test_parameters_that_do_not_fit_are_refused(
    send: Send, receiver: Receiver, params: dict[str, Any], message: str
) -> None:
    failed = await failure(send(url=receiver.url, **params), "InvalidParams")
    assert message in failed.message
    assert receiver.seen == []


async def test_private_addresses_are_refused_as_for_any_request(receiver: Receiver) -> None:
    given: Any = {"url": receiver.url, "payload": 1, "secret": SECRET}
    async with Resources() as resources:
        attempt = Attempt(node="n", flow="f", run_id="r", key="k", resources=resources)
        sent = WEBHOOK_SEND.handler(read_params(WEBHOOK_SEND, given), attempt)
        await failure(sent, "AddressRefused")
    assert receiver.seen == []


async def test_a_receiver_that_tells_the_key_does_not_get_it_into_the_result(
    send: Send, receiver: Receiver
) -> None:
    receiver.answers = [Answer(status=400, body=f"key {SECRET.removeprefix('whsec_')} is bad")]
    failed = await failure(send(url=receiver.url), "HttpClientError")
    told = json.dumps([failed.message, failed.details])
    assert "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw" not in told


# As shipped

FLOW = """\
flow: shipped
input: {required: [url], properties: {url: {type: string}}}
secrets: [WEBHOOK_SECRET]
nodes:
  tell:
    type: webhook.send
    retry: {attempts: 4, interval: 100ms, factor: 1}
    params:
      url: ${input.url}
      payload: {type: order.shipped, data: {order: "7"}}
      secret: ${secrets.WEBHOOK_SECRET}
output: ${nodes.tell.output}
"""


def test_a_run_succeeds_exactly_if_the_receiver_took_the_message(
    make_product: MakeProduct, receiver: Receiver
) -> None:
    product = make_product(FLOWRUNNER_SECRET_WEBHOOK_SECRET=SECRET)
    flow = product.write_flow("shipped", FLOW)
    product.start_worker()
    arguments = ("run", str(flow), "--set", f"url={receiver.url}", "--json")

    receiver.answers = [Answer(status=503), Answer(status=429)]
    sent = product.cli_json(*arguments)["output"]
    assert (sent["status"], sent["attempt"]) == (200, 3)
    assert receiver.taken == {sent["id"]: {"type": "order.shipped", "data": {"order": "7"}}}
    assert {each.headers["webhook-id"] for each in receiver.seen} == {sent["id"]}

    receiver.answers = [Answer(status=503)] * 4
    never = product.cli_json(*arguments)
    assert (never["status"], never["error"]["type"]) == ("failed", "HttpServerError")
    assert len(receiver.seen) == 3 + 4

    receiver.answers = [Answer(status=410)]
    gone = product.cli_json(*arguments)
    assert (gone["status"], gone["error"]["type"]) == ("failed", "WebhookGone")
    assert len(receiver.seen) == 3 + 4 + 1
    assert len(receiver.taken) == 1
    assert "MfKQ9r8GKYqr" not in json.dumps([sent, never, gone])
