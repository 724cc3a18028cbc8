"""Rates that runs share: they start no more often than they may, all of them together."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from temporalio.client import Client
from temporalio.worker import Replayer

from activities.claims import FlowClaim
from claimcheck.payloads import data_converter
from flowspec.sharing import rate_id
from tests.server.conftest import MakeProduct
from tests.server.support import Answer, HttpService, Product
from workflows.flow import FlowWorkflow
from workflows.rate import RateWorkflow

CALLS = """\
flow: calls
input: {required: [url, rate], properties: {url: {}, rate: {}}}
nodes:
  call:
    type: http.request
    rate: {name: "${input.rate}", limit: 3, per: 1s}
    foreach: {in: [1, 2, 3, 4, 5], concurrency: 5}
    params: {url: "${input.url}/"}
output: ${len(nodes.call.output)}
"""


async def called(product: Product, client: Client, service: HttpService, count: int) -> list[str]:
    """The ids of so many runs at once, once all have ended."""
    service.on("GET", "/", Answer(body="ok"))
    told = {"url": service.url, "rate": product.task_queue}
    ids = [f"{product.task_queue}-{n}" for n in range(count)]
    runs = [
        client.execute_workflow(
            "flow", {"flow": CALLS, "input": told}, id=id, task_queue=product.task_queue
        )
        for id in ids
    ]
    assert await asyncio.gather(*runs) == [5] * count
    return ids


async def test_runs_that_share_a_rate_keep_to_it_together(
    make_product: MakeProduct, http_service: HttpService
) -> None:
    product = make_product(CLAIM_CHECK_THRESHOLD="1")
    product.start_worker()
    client = await product.client()
    ids = await called(product, client, http_service, 2)
    moments = sorted([moment for id in ids for moment in await scheduled(client, id)])
    assert len(moments) == 10
    # What Temporal is asked to start is a little later than its moment, not earlier.
    assert all(later - earlier > 0.8 for earlier, later in zip(moments, moments[3:], strict=False))
    kinds = [FlowWorkflow, RateWorkflow]
    replayer = Replayer(workflows=kinds, data_converter=data_converter(claim_type=FlowClaim))
    for id in (*ids, rate_id(product.task_queue)):
        await replayer.replay_workflow(await client.get_workflow_handle(id).fetch_history())


async def scheduled(client: Client, id: str) -> list[float]:
    """When the requests of a run were scheduled."""
    history: Any = json.loads((await client.get_workflow_handle(id).fetch_history()).to_json())
    found = []
    for event in history["events"]:
        told = event.get("activityTaskScheduledEventAttributes")
        if told and told["activityType"]["name"] == "http.request":
            found.append(_seconds(event["eventTime"]))
    return found


def _seconds(text: str) -> float:
    from datetime import datetime

    return datetime.fromisoformat(text[:26].rstrip("Z") + "+00:00").timestamp()


async def test_the_log_of_a_run_says_nothing_of_reservations(
    product: Product, http_service: HttpService
) -> None:
    client = await product.client()
    (id,) = await called(product, client, http_service, 1)
    logged = product.cli("logs", id).stdout
    assert "call.4" in logged
    assert "rate" not in logged
