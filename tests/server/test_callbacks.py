"""Runs that tell of their end, to receivers that are there, late, or not at all."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
from temporalio.client import WorkflowFailureError, WorkflowHandle
from temporalio.exceptions import ApplicationError, CancelledError

from tests.server.conftest import MakeProduct
from tests.server.support import PATIENCE, Answer, HttpService, Product, Received, status_of

KEY = "a key nobody knows"
FLOW = """\
flow: tells
input: {required: [url, how], properties: {url: {}, how: {}, size: {default: 1}}}
secrets: [HOOK_KEY]
defaults: {retry: {interval: 10ms}}
on_complete: {url: "${input.url}/well", secret: "${secrets.HOOK_KEY}"}
on_failure: {url: "${input.url}/bad", secret: "${secrets.HOOK_KEY}"}
nodes:
  begin:
    type: noop
    next: [{to: bad, when: input.how == 'bad'}, {to: hold, when: input.how == 'hold'}]
  bad: {type: fail, params: {type: Bad, message: "no"}}
  hold: {type: event}
output: ${range(input.size)}
"""


@dataclass
class Receiver:
    """Takes what is signed, in the order it comes."""

    service: HttpService
    answers: list[int] = field(default_factory=list)
    events: list[Any] = field(default_factory=list)
    ids: list[str] = field(default_factory=list)

    def receive(self, got: Received) -> Answer:
        headers = {name.lower(): value for name, value in got.headers.items()}
        told = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + got.body
        signed = base64.b64encode(hmac.new(KEY.encode(), told, hashlib.sha256).digest()).decode()
        if headers["webhook-signature"] != f"v1,{signed}":
            return Answer(status=400)
        self.ids.append(headers["webhook-id"])
        status = self.answers.pop(0) if self.answers else 200
        if status == 200:
            self.events.append(got.json())
        return Answer(status=status)


@pytest.fixture
def receiver(http_service: HttpService) -> Receiver:
    found = Receiver(http_service)
    for path in ("/well", "/bad"):
        http_service.on("POST", path, found.receive)
    return found


Handle = WorkflowHandle[Any, Any]


@dataclass
class Runs:
    product: Product
    receiver: Receiver

    async def start(self, how: str, *, answers: Sequence[int] = (), **more: Any) -> Handle:
        self.receiver.answers[:] = answers
        client = await self.product.client()
        told = {"url": self.receiver.service.url, "how": how, **more}
        return await client.start_workflow(
            "flow",
            {"flow": FLOW, "input": told},
            id=f"{self.product.task_queue}-{how}",
            task_queue=self.product.task_queue,
        )


@pytest.fixture
def runs(make_product: MakeProduct, receiver: Receiver) -> Runs:
    product = make_product(FLOWRUNNER_SECRET_HOOK_KEY=KEY)
    product.start_worker()
    return Runs(product, receiver)


async def test_a_run_tells_its_output_however_large_to_a_receiver_that_is_down_at_first(
    runs: Runs,
) -> None:
    run = await runs.start("well", answers=[503, 503], size=30_000)
    output = await run.result()
    (event,) = runs.receiver.events
    assert (event["type"], event["flow"]) == ("flow.completed", "tells")
    assert event["output"] == output == list(range(30_000))
    assert event["run"] == {"id": run.id, "run_id": run.first_execution_run_id}
    assert event["started"] < event["ended"]
    assert len(runs.receiver.ids) == 3
    assert len(dict.fromkeys(runs.receiver.ids)) == 1


async def test_a_receiver_that_never_takes_it_does_not_change_how_a_run_ended(runs: Runs) -> None:
    run = await runs.start("bad", answers=[400])
    with pytest.raises(WorkflowFailureError) as caught:
        await run.result()
    assert isinstance(caught.value.cause, ApplicationError)
    assert caught.value.cause.type == "Bad"
    assert runs.receiver.events == []
    status = await status_of(run)
    (told,) = [node for node in status["nodes"] if node["path"] == "~on_failure"]
    assert (told["state"], told["error"]["type"]) == ("failure", "HttpClientError")
    shown = runs.product.cli("status", run.id).stdout
    assert "~on_failure" in shown
    logged = runs.product.cli("logs", run.id).stdout
    assert "~on_failure" in logged
    assert KEY not in logged + shown + runs.product.workers[0].output()


async def test_a_run_tells_that_it_failed_or_was_cancelled(runs: Runs) -> None:
    for how, type in (("bad", "flow.failed"), ("hold", "flow.cancelled")):
        run = await runs.start(how)
        if how == "hold":
            async with asyncio.timeout(PATIENCE):
                while not (await status_of(run))["waiting"]:
                    await asyncio.sleep(0.05)
            await run.cancel(reason="enough")
        with pytest.raises(WorkflowFailureError) as caught:
            await run.result()
        assert isinstance(caught.value.cause, CancelledError) == (how == "hold")
        event = runs.receiver.events.pop()
        assert event["type"] == type
        assert event["error"]["type"] == {"bad": "Bad", "hold": "Cancelled"}[how]
