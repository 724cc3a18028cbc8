"""The flows of the patterns page do the same with every value in the store as with none."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import timedelta
from typing import Any, cast

import pytest
from temporalio.client import Client, WorkflowFailureError, WorkflowHandle
from temporalio.exceptions import ApplicationError, CancelledError

from flowspec.values import JsonObject
from tests.patterns.page import patterns
from tests.server.support import Product, TemporalServer
from tests.stage import plan_of

_PATIENCE = 3.0
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
def both(
    temporal_server: TemporalServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Product, Product]]:
    """A product that keeps everything inline that it may, and one that keeps nothing inline."""
    made = [
        Product(
            address=temporal_server.address,
            folder=tmp_path_factory.mktemp("threshold"),
            settings={"CLAIM_CHECK_THRESHOLD": threshold},
        )
        for threshold in ("1MB", "1")
    ]
    try:
        for product in made:
            for pattern in patterns():
                for text in pattern.flows:
                    product.write_flow(plan_of(text).flow, text)
            product.start_worker()
        yield made[0], made[1]
    finally:
        for product in made:
            product.stop()


@pytest.mark.parametrize("text", FLOWS)
async def test_a_pattern_ends_or_waits_the_same(text: str, both: tuple[Product, Product]) -> None:
    if "AlreadyRunning" in text:  # a critical section: they would meet in it
        inline, claimed = await play(both[0], text), await play(both[1], text)
    else:
        inline, claimed = await asyncio.gather(*(play(product, text) for product in both))
    assert claimed == inline


async def play(product: Product, text: str) -> Any:
    """How a run of the flow ends; or what it waits for, if it does not end by itself."""
    client: Client = await product.client()
    plan = plan_of(text)
    handle = await client.start_workflow(
        "flow",
        {"flow": text, "input": some_input(plan.input)},
        id=f"{plan.flow}-{product.task_queue}",
        task_queue=product.task_queue,
        execution_timeout=timedelta(seconds=60),
    )
    try:
        async with asyncio.timeout(_PATIENCE):
            return ["completed", await handle.result()]
    except WorkflowFailureError as failure:
        return ended(failure)
    except TimeoutError:
        waiting = await waits(handle)
        await handle.terminate()
        return waiting


def some_input(schema: JsonObject | None) -> dict[str, Any]:
    """Something that fits, for each of the flow's inputs."""
    properties: dict[str, Any] = cast(Any, schema or {}).get("properties", {})
    return {name: _INPUTS[schema.get("type", "integer")] for name, schema in properties.items()}


def ended(failure: WorkflowFailureError) -> Any:
    if isinstance(failure.cause, CancelledError):
        return ["cancelled"]
    assert isinstance(failure.cause, ApplicationError)
    detail: dict[str, Any] = dict(failure.cause.details[0]) if failure.cause.details else {}
    return ["failed", failure.cause.type, failure.cause.message, detail]


async def waits(handle: WorkflowHandle[Any, Any]) -> Any:
    status = await handle.query("status")
    nodes = sorted((node["path"], node["state"]) for node in status["nodes"])
    waiting = sorted((wait["path"], wait["kind"]) for wait in status["waiting"])
    return ["waits", status["status"], nodes, waiting]
