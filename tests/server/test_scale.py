"""A wide `foreach` with real workers: what it leaves in histories, however many items there are.

Nothing here is measured in seconds; `benchmarks/scale.py` does that, at full size.
"""

from __future__ import annotations

import asyncio
import uuid
from contextlib import suppress
from typing import Any

import pytest
from temporalio.api.enums.v1 import EventType
from temporalio.client import Client, WorkflowExecutionStatus, WorkflowFailureError, WorkflowHandle
from temporalio.service import RPCError

from benchmarks.looking import chain
from tests.server.support import PATIENCE, Product, status_of

ITEMS = 5_000

WIDE = """\
flow: wide
input: {required: [items], properties: {items: {type: array}}}
nodes:
  each:
    type: block
    foreach: {in: "${input.items}", concurrency: 100, tolerate: TOLERATE}
    nodes:
      check: {type: noop, next: [{to: bad, when: item % 1000 == 7}, {to: good, otherwise: true}]}
      bad: {type: fail, params: {type: Boom, message: "no ${item}"}}
      good: {type: noop}
    output: {item: "${item}", text: "${join(range(100), ' ')}"}
output:
  count: ${len(nodes.each.output)}
  some: "${[nodes.each.output[n] == null for n in [6, 7, 1007, 4007, 4999]]}"
  last: ${nodes.each.output[4999].item}
  error: "${default(nodes.each.error, null)}"
"""

WAITING = """\
flow: waits
nodes:
  each:
    type: block
    foreach: {in: "${range(4000)}", concurrency: 100}
    nodes: {rest: {type: wait, params: {for: 1h}}}
"""


async def started(
    product: Product, client: Client, flow: str, given: dict[str, Any]
) -> WorkflowHandle[Any, Any]:
    return await client.start_workflow(
        "flow",
        {"flow": flow, "input": given},
        id=f"scale-{uuid.uuid4().hex[:8]}",
        task_queue=product.task_queue,
    )


async def until_resting(shard: WorkflowHandle[Any, Any]) -> None:
    while True:
        with suppress(RPCError):  # it has not been started yet
            if (await status_of(shard))["waiting"]:
                return
        await asyncio.sleep(0.1)


async def test_five_thousand_outputs_stay_out_of_the_run_and_failures_are_told(
    product: Product,
) -> None:
    client = await product.client()
    flow = WIDE.replace("TOLERATE", "5")
    handle = await started(product, client, flow, {"items": list(range(ITEMS))})
    async with asyncio.timeout(60):
        output = await handle.result()
    assert (output["count"], output["last"]) == (ITEMS, ITEMS - 1)
    assert output["some"] == [False, True, True, True, False]
    assert output["error"]["message"] == f"5 of {ITEMS} items failed"
    failed = output["error"]["details"]["failed"]
    assert [each["index"] for each in failed] == [7, 1007, 2007, 3007, 4007]
    [parent] = await chain(client, handle.id)
    assert parent.events < 80
    assert parent.size < 100_000, "1.5 MB of outputs are elsewhere"


LABORIOUS = """\
flow: laborious
vars: {text: ""}
nodes:
  write:
    type: set
    params: {text: "${join(range(6000), 'and')}"}
    next: [{to: write, when: iteration < 199}, {to: end, otherwise: true}]
  end: {type: noop}
output: ${len(vars.text)}
"""


async def test_a_run_with_more_to_work_out_than_a_task_has_time_for_takes_several(
    product: Product,
) -> None:
    client = await product.client()
    handle = await started(product, client, LABORIOUS, {})
    async with asyncio.timeout(PATIENCE):
        assert await handle.result() == len("and".join(map(str, range(6000))))
    events = [event.event_type async for event in handle.fetch_history_events()]
    assert EventType.EVENT_TYPE_WORKFLOW_TASK_FAILED not in events
    assert EventType.EVENT_TYPE_WORKFLOW_TASK_TIMED_OUT not in events


async def test_shards_that_together_fail_too_often_fail_the_node(product: Product) -> None:
    client = await product.client()
    flow = WIDE.replace("TOLERATE", "2")
    handle = await started(product, client, flow, {"items": list(range(ITEMS))})
    with pytest.raises(WorkflowFailureError) as caught:
        async with asyncio.timeout(60):
            await handle.result()
    assert "Boom" in str(caught.value.cause)


async def test_shards_run_side_by_side_and_are_cancelled_with_their_run(product: Product) -> None:
    client = await product.client()
    handle = await started(product, client, WAITING, {})
    shards = [client.get_workflow_handle(f"{handle.id}/each~shard{n}") for n in range(4)]
    async with asyncio.timeout(PATIENCE):
        await asyncio.gather(*(until_resting(shard) for shard in shards))
    [node] = (await status_of(handle))["nodes"]
    assert (node["done"], node["total"]) == (0, 4000)
    assert [len((await status_of(shard))["waiting"]) for shard in shards] == [25] * 4, "100 in all"
    await handle.cancel()
    with pytest.raises(WorkflowFailureError):
        async with asyncio.timeout(PATIENCE):
            await handle.result()
    states = [(await shard.describe()).status for shard in shards]
    assert states == [WorkflowExecutionStatus.CANCELED] * 4
