"""Decisions that come to a run which its worker has first to read from the history."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from temporalio.client import Client, WorkflowHandle, WorkflowUpdateFailedError
from temporalio.worker import Replayer

from activities.claims import FlowClaim
from claimcheck.payloads import data_converter
from tests.server.conftest import MakeProduct
from workflows.flow import FlowWorkflow

ASKS = """\
flow: asks
nodes:
  first: FIRST
  ask: {type: approval, params: {title: Well?, form: {properties: {n: {type: integer}}}}}
output: ${nodes.ask.output.action}
"""
QUIET = {
    "a signal": "{type: event, params: {name: go}, next: ask}",
    "a timer": "{type: wait, params: {for: 1s}, next: ask}",
}
"""What brings a run from one wait to the next."""

DECISION: dict[str, Any] = {"node": "ask", "action": "approved", "data": {"n": 7}}


@pytest.mark.parametrize("after", QUIET)
async def test_an_approval_is_decided_after_its_run_was_forgotten(
    after: str, make_product: MakeProduct
) -> None:
    product = make_product()
    worker = product.start_worker()
    client = await product.client()
    run = await client.start_workflow(
        "flow",
        {"flow": ASKS.replace("FIRST", QUIET[after])},
        id=f"decided {product.task_queue}",
        task_queue=product.task_queue,
    )
    if after == "a signal":
        await _waits(run, "first")
        await run.signal("go", 1)
    await _waits(run, "ask")
    worker.kill()
    product.start_worker()
    for wrong in ({"action": "maybe"}, {"data": {"n": "seven"}}, {"node": "first"}):
        with pytest.raises(WorkflowUpdateFailedError) as refused:
            await run.execute_update("complete", {**DECISION, **wrong})
        assert "NotAccepted" in str(refused.value.cause)
    await run.execute_update("complete", DECISION)
    assert await run.result() == "approved"
    await _replays(client, run.id)


async def _waits(run: WorkflowHandle[Any, Any], node: str) -> None:
    async with asyncio.timeout(60):
        while node not in [wait["path"] for wait in (await run.query("status"))["waiting"]]:
            await asyncio.sleep(0.05)


async def _replays(client: Client, id: str) -> None:
    replayer = Replayer(
        workflows=[FlowWorkflow], data_converter=data_converter(claim_type=FlowClaim)
    )
    await replayer.replay_workflow(await client.get_workflow_handle(id).fetch_history())
