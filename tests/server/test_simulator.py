"""What is simulated is what Temporal does: flows made by chance, run in both."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import pytest
from temporalio import activity
from temporalio.api.enums.v1 import EventType
from temporalio.client import Client, WorkflowHandle
from temporalio.exceptions import ApplicationError
from temporalio.worker import Worker

from activities.catalogue import catalogue
from service.runs.looking import outcome_of
from simulator.answers import read_mocks
from simulator.playing import play
from simulator.trace import Performed, Played
from simulator.world import Scene
from tests.generated_flows import CHILD, QUEUE, GeneratedFlow, generated_flow, plan_if_valid
from tests.server.support import Product, status_of

FLOWS = 300
AT_ONCE = 40
MOST_ORDERS = 400
"""So many orders of what happens at one moment are tried to find the one that was."""

Trace = dict[str, Any]


@activity.defn(name="Answer")
async def answer(script: list[dict[str, Any]]) -> Any:
    """As told, attempt by attempt; the last holds on."""
    number = activity.info().attempt
    step = script[min(number, len(script)) - 1]
    if "error" in step:
        permanent = bool(step.get("permanent"))
        raise ApplicationError("as told", type=step["error"], non_retryable=permanent)
    for _ in range(int(10 * step.get("seconds", 0))):
        activity.heartbeat()
        await asyncio.sleep(0.1)
    return step.get("value")


@asynccontextmanager
async def _answering(client: Client) -> AsyncGenerator[None]:
    worker = Worker(
        client,
        task_queue=QUEUE,
        activities=[answer],
        max_heartbeat_throttle_interval=timedelta(seconds=0.1),
        default_heartbeat_throttle_interval=timedelta(seconds=0.1),
    )
    async with worker:
        yield


# -- what happened ---------------------------------------------------------------------------------


def _simulated(flow: GeneratedFlow, seed: int | None) -> Trace:
    """With a seed, everything takes a little longer than it should, by chance."""
    chance = random.Random(seed)
    child = plan_if_valid(CHILD)
    assert child is not None
    scene = Scene(
        catalogue=catalogue(),
        flows={"child": child},
        mocks=read_mocks(flow.mocks),
        assume=True,
        late=(lambda: 0.0) if seed is None else (lambda: _lateness(chance)),
    )
    played = play(scene, flow.plan, {})
    calls = [each for each in played.performed if each.type == "call"]
    return {
        "status": played.ended.status,
        "output": played.ended.output,
        "error": _error(played.ended.error),
        "nodes": _nodes(played.standing),
        "calls": _calls(map(_call, calls)),
        "children": sorted(_children(played)),
    }


def _lateness(chance: random.Random) -> float:
    """Up to what a busy machine takes to start another run."""
    return chance.choice([0.0, 0.001, 0.01, 0.1, 0.3, 3.0]) * chance.random()


def _call(call: Performed) -> tuple[str, str, int]:
    outcome = "success" if call.outcome == "success" else call.outcome
    return call.path, outcome, len(call.attempts) if outcome != "cancelled" else 0


def _children(played: Played) -> list[str]:
    return [each.path for each in played.performed if each.type == "flow"]


def _calls(calls: Any) -> list[tuple[str, str, int]]:
    return sorted(calls)


def _error(error: Any) -> Any:
    return None if error is None else [error["type"], error["node"], error["attempt"]]


def _nodes(standing: Any) -> Any:
    return sorted(
        (
            node["path"],
            node["state"],
            node.get("action"),
            node.get("iteration"),
            None if "error" not in node else [node["error"]["type"], node["error"]["attempt"]],
        )
        for node in standing
    )


async def _real(client: Client, handle: WorkflowHandle[Any, Any], flow: GeneratedFlow) -> Trace:
    outcome = await outcome_of(client, handle, flow=flow.name)
    status = await status_of(handle)
    error = outcome.error
    asked = None if error is None or outcome.status == "cancelled" else error.as_json()
    calls, children = await _history(handle)
    return {
        "status": outcome.status,
        "output": outcome.output,
        "error": _error(asked),
        "nodes": _nodes(status["nodes"]),
        "calls": _calls(calls),
        "children": sorted(children),
    }


_ENDS = {
    EventType.EVENT_TYPE_ACTIVITY_TASK_COMPLETED: "success",
    EventType.EVENT_TYPE_ACTIVITY_TASK_FAILED: "failure",
    EventType.EVENT_TYPE_ACTIVITY_TASK_TIMED_OUT: "failure",
    EventType.EVENT_TYPE_ACTIVITY_TASK_CANCELED: "cancelled",
}


async def _history(
    handle: WorkflowHandle[Any, Any],
) -> tuple[list[tuple[str, str, int]], list[str]]:
    """The activities of the other worker, each with its end and attempts; and other runs."""
    ids: dict[int, str] = {}
    attempts: Counter[int] = Counter()
    calls: list[tuple[str, str, int]] = []
    children: list[str] = []
    async for event in handle.fetch_history_events():
        if event.event_type == EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED:
            scheduled = event.activity_task_scheduled_event_attributes
            if scheduled.activity_type.name == "Answer":
                ids[event.event_id] = scheduled.activity_id
        elif event.event_type == EventType.EVENT_TYPE_ACTIVITY_TASK_STARTED:
            started = event.activity_task_started_event_attributes
            attempts[started.scheduled_event_id] = started.attempt
        elif event.event_type in _ENDS:
            ended = getattr(event, str(event.WhichOneof("attributes")))
            number, outcome = ended.scheduled_event_id, _ENDS[event.event_type]
            if number in ids:
                # A busy machine may not begin a call within its timeout: it is told as begun.
                tries = max(attempts[number], 1) if outcome != "cancelled" else 0
                calls.append((ids[number], outcome, tries))
        elif event.event_type == EventType.EVENT_TYPE_START_CHILD_WORKFLOW_EXECUTION_INITIATED:
            child = event.start_child_workflow_execution_initiated_event_attributes
            children.append(child.workflow_id.partition("/")[2])
    return calls, children


# -- the same --------------------------------------------------------------------------------------


def _unlike(flow: GeneratedFlow, real: Trace) -> str | None:
    """None if some order of what happens at once makes the simulation go as the run went."""
    first = _simulated(flow, None)
    if first == real:
        return None
    if any(_simulated(flow, seed) == real for seed in range(MOST_ORDERS)):
        return None
    told = [
        f"{key}:\n  run        {real[key]}\n  simulation {first[key]}"
        for key in real
        if real[key] != first[key]
    ]
    return "\n".join([flow.text, *told])


@pytest.mark.timeout(600)
async def test_several_hundred_flows_go_as_they_are_simulated(product: Product) -> None:
    flows = [generated_flow(seed) for seed in range(FLOWS)]
    product.write_flow("child", CHILD)
    for flow in flows:
        product.write_flow(flow.name, flow.text)
    client = await product.client()
    limit = asyncio.Semaphore(AT_ONCE)

    async def run(flow: GeneratedFlow, again: str = "") -> Trace:
        async with limit:
            handle = await client.start_workflow(
                flow.name, {}, id=f"simulated-{flow.name}{again}", task_queue=product.task_queue
            )
            return await _real(client, handle, flow)

    async with _answering(client):
        traces = await asyncio.gather(*map(run, flows))
        unlike: list[str] = []
        for flow, trace in zip(flows, traces, strict=True):
            # On a busy machine things may be later than any that were tried: once more, by itself.
            if _unlike(flow, trace) and (told := _unlike(flow, await run(flow, again="-again"))):
                unlike.append(told)
    assert not unlike, f"{len(unlike)} of {FLOWS}:\n\n" + "\n\n".join(unlike[:3])
    statuses = Counter(trace["status"] for trace in traces)
    assert min(statuses["completed"], statuses["failed"]) > FLOWS / 10, "all much the same"
