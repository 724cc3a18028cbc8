"""The flows of the patterns page do the same with every value in the store, and replayed from the
beginning at every step, as with none and cached."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from datetime import timedelta
from typing import Any, cast

import pytest
from temporalio.client import (
    Client,
    WorkflowExecutionStatus,
    WorkflowFailureError,
    WorkflowHandle,
)
from temporalio.exceptions import ApplicationError, CancelledError

from flowspec.values import JsonObject
from tests.patterns.page import patterns
from tests.server.support import Product, TemporalServer, status_of
from tests.stage import plan_of

_A_WHILE = 2.5
_PATIENCE = 50.0
Handle = WorkflowHandle[Any, Any]
_INPUTS: dict[str, Any] = {
    "integer": 3,
    "number": 2.5,
    "string": "1s",
    "boolean": True,
    "array": [1, 2, 3],
    "object": {"a": 1},
}

FLOWS = [
    pytest.param(text, id=f"wcp-{pattern.number}-{index}")
    for pattern in patterns()
    for index, text in enumerate(pattern.flows)
]


@pytest.fixture(scope="module")
def products(
    temporal_server: TemporalServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Product, Product, Product]]:
    """A product that keeps everything inline that it may, one that keeps nothing inline, and one
    that keeps nothing in memory either, from one step of a run to the next."""
    in_memory = {"FLOWRUNNER_MAX_CACHED_WORKFLOWS": "1000"}  # in `make uncached`, too
    everything = {**in_memory, "CLAIM_CHECK_THRESHOLD": "1MB"}
    nothing_inline = {**in_memory, "CLAIM_CHECK_THRESHOLD": "1"}
    nothing = {**nothing_inline, "FLOWRUNNER_MAX_CACHED_WORKFLOWS": "0"}
    made = [
        Product(
            address=temporal_server.address,
            folder=tmp_path_factory.mktemp("threshold"),
            settings=settings,
        )
        for settings in (everything, nothing_inline, nothing)
    ]
    try:
        for product in made:
            for pattern in patterns():
                for text in pattern.flows:
                    product.write_flow(plan_of(text).flow, text)
            product.start_worker()
        yield made[0], made[1], made[2]
    finally:
        for product in made:
            product.stop()


@pytest.mark.parametrize("text", FLOWS)
async def test_a_pattern_ends_or_waits_the_same(
    text: str, products: tuple[Product, Product, Product]
) -> None:
    """Without a cache Temporal's SDK may lose a workflow task to a local activity of another run,
    which is why runs that start others, at the same time, are in memory."""
    both = products[0], products[1] if "type: flow" in text else products[2]
    if "AlreadyRunning" in text:  # a critical section: only its end does not say who came first
        inline, claimed = [await (await start(product, text)).result() for product in both]
    else:
        inline, claimed = await outcomes(*[await start(product, text) for product in both])
    assert claimed == inline


async def start(product: Product, text: str) -> Handle:
    client: Client = await product.client()
    plan = plan_of(text)
    return await client.start_workflow(
        "flow",
        {"flow": text, "input": some_input(plan.input)},
        id=f"{plan.flow}-{product.task_queue}",
        task_queue=product.task_queue,
        execution_timeout=timedelta(seconds=60),
    )


async def outcomes(*runs: Handle) -> list[Any]:
    """How the runs of a flow end; or what they wait for, once that is the same for all of them,
    and for a while."""
    until, since, before = time.monotonic() + _PATIENCE, 0.0, None
    while True:
        found, now = [await outcome(run) for run in runs], time.monotonic()
        if found != before:
            before, since = found, now
        rest = now > since + _A_WHILE and all(each == found[0] for each in found)
        waiting = [run for run, each in zip(runs, found, strict=True) if each[0] == "waits"]
        if rest or not waiting or now > until:
            for run in waiting:
                await run.terminate()
            return found
        await asyncio.sleep(0.2)


async def outcome(run: Handle) -> Any:
    """What it waits for, as long as it has not ended."""
    if (await run.describe()).status is WorkflowExecutionStatus.RUNNING:
        return await waits(run)
    try:
        return ["completed", await run.result()]
    except WorkflowFailureError as failure:
        return ended(failure)


def some_input(schema: JsonObject | None) -> dict[str, Any]:
    """Something that fits, for each of the flow's inputs."""
    properties: dict[str, Any] = cast(Any, schema or {}).get("properties", {})
    return {name: some_value(schema) for name, schema in properties.items()}


def some_value(schema: dict[str, Any]) -> Any:
    if schema.get("type") == "array" and "items" in schema:
        return [some_value(schema["items"])] * 3
    return schema["enum"][0] if "enum" in schema else _INPUTS[schema.get("type", "integer")]


def ended(failure: WorkflowFailureError) -> Any:
    if isinstance(failure.cause, CancelledError):
        return ["cancelled"]
    assert isinstance(failure.cause, ApplicationError)
    detail: dict[str, Any] = dict(failure.cause.details[0]) if failure.cause.details else {}
    return ["failed", failure.cause.type, failure.cause.message, detail]


async def waits(handle: Handle) -> Any:
    status = await status_of(handle)
    nodes = sorted((node["path"], node["state"]) for node in status["nodes"])
    waiting = sorted((wait["path"], wait["kind"]) for wait in status["waiting"])
    return ["waits", status["status"], nodes, waiting]
