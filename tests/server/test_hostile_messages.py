"""Whoever can reach the namespace can tell runs, locks and rates anything: they go on."""

from __future__ import annotations

import asyncio
from functools import reduce
from typing import Any

import pytest
from temporalio.client import (
    Client,
    WithStartWorkflowOperation,
    WorkflowFailureError,
    WorkflowHandle,
    WorkflowUpdateFailedError,
)
from temporalio.common import WorkflowIDConflictPolicy

from tests.server.support import Product, asked, status_of

DEEP = reduce(lambda value, _: [value], range(400), list[Any]())
MALFORMED: list[Any] = [None, 5, "text", [], {}, {"token": ["a"]}, DEEP]

WAITS = """\
flow: waits-for-go
nodes:
  wait: {type: event, params: {name: go}, next: ask}
  ask:
    type: approval
    params: {title: Well?, form: {properties: {n: {type: integer}}}}
"""


@pytest.fixture
async def client(product: Product) -> Client:
    return await product.plain_client()


async def test_a_lock_passes_over_what_makes_no_sense(client: Client, product: Product) -> None:
    lock = await client.start_workflow(
        "flowrunner.lock",
        args=["told-nonsense"],
        id="flowrunner-lock/told-nonsense",
        task_queue=product.task_queue,
    )
    for nonsense in MALFORMED:
        await lock.signal("ask", nonsense)
        await lock.signal("give_back", nonsense)
    await lock.signal("ask", {"token": "me", "workflow_id": "nobody", "run_id": "r", "slots": "1"})
    assert await asked(lock, "state") == {"holders": [], "line": []}
    await lock.terminate()


@pytest.mark.parametrize("nonsense", MALFORMED)
async def test_a_rate_refuses_what_makes_no_sense(
    nonsense: Any, client: Client, product: Product
) -> None:
    start: WithStartWorkflowOperation[Any, Any] = WithStartWorkflowOperation(
        "flowrunner.rate",
        id="flowrunner-rate/told-nonsense",
        task_queue=product.task_queue,
        id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
    )
    with pytest.raises(WorkflowUpdateFailedError):
        await client.execute_update_with_start_workflow(
            "reserve", nonsense, start_workflow_operation=start
        )


async def test_a_run_goes_on_whatever_it_is_told(client: Client, product: Product) -> None:
    run = await client.start_workflow(
        "flow", {"flow": WAITS}, id="told-nonsense", task_queue=product.task_queue
    )
    for nonsense in MALFORMED:
        for signal in ("flowrunner.lock.granted", "nobody-waits", "flowrunner.pause.not"):
            await run.signal(signal, nonsense)
    await run.signal("go", DEEP)
    async with asyncio.timeout(60):
        while not await _asks(run):
            await asyncio.sleep(0.05)
    for nonsense in MALFORMED:
        with pytest.raises(WorkflowUpdateFailedError) as refused:
            await run.execute_update("complete", nonsense)
        assert "a bug in Flowrunner" not in str(refused.value.cause)
    decision = {"node": "ask", "action": "approved", "data": {"n": DEEP}}
    with pytest.raises(WorkflowUpdateFailedError) as refused:
        await run.execute_update("complete", decision)
    assert "nested too deeply" in str(refused.value.cause)
    await run.execute_update("complete", {**decision, "data": {"n": 1}})
    await run.result()


async def _asks(run: WorkflowHandle[Any, Any]) -> bool:
    status = await status_of(run)
    return any(wait["kind"] == "approval" for wait in status["waiting"])


async def test_arguments_that_make_no_sense_end_the_run_that_has_them(
    client: Client, product: Product
) -> None:
    for number, nonsense in enumerate(MALFORMED):
        with pytest.raises(WorkflowFailureError):
            await client.execute_workflow(
                "flow", nonsense, id=f"opened-with-nonsense-{number}", task_queue=product.task_queue
            )


async def test_a_flow_of_the_largest_mistakes_ends_as_a_failure(
    client: Client, product: Product
) -> None:
    keys = "\n".join(f"{letter * 40_000}: 1" for letter in "abcdefghij")
    with pytest.raises(WorkflowFailureError) as failed:
        await client.execute_workflow(
            "flow", f"flow: a\n{keys}\n", id="largest-mistakes", task_queue=product.task_queue
        )
    assert len(str(failed.value.cause)) < 20_000
