"""Decisions that come to a run which its worker has first to read from the history."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from temporalio.api.enums.v1 import EventType
from temporalio.client import (
    Client,
    WorkflowHandle,
    WorkflowUpdateFailedError,
)
from temporalio.worker import Replayer

from activities.claims import FlowClaim
from claimcheck.payloads import data_converter
from tests.server.conftest import MakeProduct
from tests.server.support import status_of
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


QUIETER = {
    "a signal": "{type: event, params: {name: go}, next: ask}",
    "a timer": "{type: event, params: {name: go}, timeout: 3s, next: {success: ask, timeout: ask}}",
}


@pytest.mark.parametrize("after", QUIETER)
async def test_an_approval_is_decided_after_a_quiet_time(
    after: str, make_product: MakeProduct
) -> None:
    """Of the second of two workflow tasks in which a run asks for nothing, a worker that reads it
    anew is told in one breath with the decision, and of the decision first."""
    product = make_product()
    worker = product.start_worker()
    client = await product.client()
    run = await client.start_workflow(
        "flow",
        {"flow": ASKS.replace("FIRST", QUIETER[after])},
        id=f"decided quietly {product.task_queue}",
        task_queue=product.task_queue,
    )
    await _waits(run, "first", "ask")  # three seconds are not long
    await run.signal("nobody-waits-for-it", 1)
    await _is_quiet(run)
    if after == "a signal":
        await run.signal("go", 1)
    await _waits(run, "ask")
    await _is_quiet(run)
    worker.kill()
    product.start_worker()
    await run.execute_update("complete", DECISION)
    assert await run.result() == "approved"
    await _replays(client, run.id)


LATE = """\
flow: late
nodes:
  first:
    type: approval
    params: {title: Well?}
    timeout: 3s
    next: {timeout: second, approved: go}
  second: {type: approval, params: {title: And you?}, next: {approved: go}}
  go: {type: wait, params: {for: 1s}}
output: ${default(nodes.second.output.by, "nobody")}
"""


async def test_a_decision_that_comes_too_late_is_refused_to_a_run_that_is_read_anew(
    make_product: MakeProduct,
) -> None:
    product = make_product()
    worker = product.start_worker()
    client = await product.client()
    run = await client.start_workflow(
        "flow", {"flow": LATE}, id=f"late {product.task_queue}", task_queue=product.task_queue
    )
    await _waits(run, "first", "second")  # three seconds are not long
    await run.signal("nobody-waits-for-it", 1)
    await _is_quiet(run)
    await _waits(run, "second")
    await _is_quiet(run)
    worker.kill()
    product.start_worker()
    with pytest.raises(WorkflowUpdateFailedError) as refused:
        await run.execute_update("complete", {"node": "first", "action": "approved"})
    assert "waiting: 'second'" in str(refused.value.cause)
    decision = {"node": "second", "action": "approved", "by": "Ada"}
    await run.execute_update("complete", decision)
    assert await run.result() == "Ada"
    await _replays(client, run.id)


async def _waits(run: WorkflowHandle[Any, Any], *nodes: str) -> None:
    """It waits at one of these."""
    async with asyncio.timeout(60):
        while not {wait["path"] for wait in (await status_of(run))["waiting"]} & set(nodes):
            await asyncio.sleep(0.05)


async def _replays(client: Client, id: str) -> None:
    replayer = Replayer(
        workflows=[FlowWorkflow], data_converter=data_converter(claim_type=FlowClaim)
    )
    await replayer.replay_workflow(await client.get_workflow_handle(id).fetch_history())


async def _is_quiet(run: WorkflowHandle[Any, Any]) -> None:
    """Nothing that it was told is still to be taken up."""
    over = (
        EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED,
        EventType.EVENT_TYPE_WORKFLOW_PROPERTIES_MODIFIED,
    )
    async with asyncio.timeout(60):
        while (await run.fetch_history()).events[-1].event_type not in over:
            await asyncio.sleep(0.05)
