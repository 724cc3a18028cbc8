"""Locks that runs share, with runs and workers that come and go."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from temporalio.client import Client, WorkflowFailureError, WorkflowHandle
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError, RPCStatusCode
from temporalio.worker import Replayer

from activities.claims import FlowClaim
from claimcheck.payloads import data_converter
from flowspec.sharing import lock_id
from tests.project.markdown import blocks
from tests.server.conftest import MakeProduct
from tests.server.support import (
    PATIENCE,
    Answer,
    HttpService,
    Product,
    Received,
    asked,
    start_temporal,
    status_of,
)
from workflows.flow import FlowWorkflow
from workflows.lock import LockWorkflow
from workflows.names import LOCK_ASK, LOCK_GRANTED

Handle = WorkflowHandle[Any, Any]

HOLDS = """\
flow: holds
input:
  required: [url, lock, who]
  properties: {url: {}, lock: {}, who: {}, waits: {default: false}}
nodes:
  inside:
    type: block
    lock: {name: "${input.lock}"MORE}
    nodes:
      enter:
        type: http.request
        params: {url: "${input.url}/enter?${input.who}"}
        next: [{to: go, when: input.waits}, {to: leave, otherwise: true}]
      go: {type: event, next: leave}
      leave: {type: http.request, params: {url: "${input.url}/leave?${input.who}"}, join: any}
output: ${nodes.inside.outcome}
"""


@dataclass
class Room:
    """Sees who goes in and out."""

    service: HttpService
    inside: list[str] = field(default_factory=list)
    order: list[str] = field(default_factory=list)
    most: int = 0
    guard: threading.Lock = field(default_factory=threading.Lock)

    def enter(self, got: Received) -> Answer:
        with self.guard:
            self.inside.append(got.query)
            self.order.append(got.query)
            self.most = max(self.most, len(self.inside))
        return Answer(body="in")

    def leave(self, got: Received) -> Answer:
        with self.guard:
            self.inside.remove(got.query)
        return Answer(body="out")


@dataclass(kw_only=True)
class Runs:
    """Starts runs that hold a lock of this test's own."""

    product: Product
    client: Client
    room: Room
    lock: str

    async def start(self, who: str, *, waits: bool = False, more: str = "") -> Handle:
        text = HOLDS.replace("MORE", f", {more}" if more else "")
        told = {"url": self.room.service.url, "lock": self.lock, "who": who, "waits": waits}
        return await self.client.start_workflow(
            "flow",
            {"flow": text, "input": told},
            id=f"{self.lock}-{who}",
            task_queue=self.product.task_queue,
            execution_timeout=timedelta(seconds=100),
        )

    async def book(self) -> dict[str, list[dict[str, Any]]]:
        handle = self.client.get_workflow_handle(lock_id(self.lock))
        try:
            book: dict[str, Any] = await asked(handle, "state")
        except RPCError as error:
            if error.status is not RPCStatusCode.NOT_FOUND:
                raise
            return {"holders": [], "line": []}
        return book

    async def in_line(self, count: int) -> None:
        await eventually(lambda: self._has_in_line(count))

    async def _has_in_line(self, count: int) -> bool:
        return len((await self.book())["line"]) == count

    async def entered(self, *who: str) -> None:
        await eventually(lambda: _known(self.room.order == list(who)))


async def _known(value: bool) -> bool:
    return value


async def eventually(holds: Callable[[], Any]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not await holds():
            await asyncio.sleep(0.05)


@pytest.fixture
def room(http_service: HttpService) -> Room:
    room = Room(http_service)
    http_service.on("GET", "/enter", room.enter)
    http_service.on("GET", "/leave", room.leave)
    return room


@pytest.fixture
async def runs(product: Product, room: Room, request: pytest.FixtureRequest) -> Runs:
    lock = f"{request.node.name}, {product.task_queue}"
    return Runs(product=product, client=await product.client(), room=room, lock=lock)


@pytest.mark.parametrize(
    "settings",
    [{}, {"CLAIM_CHECK_THRESHOLD": "1"}],
    ids=["plain", "claimed"],
)
async def test_runs_hold_a_lock_one_after_the_other_in_the_order_they_came(
    make_product: MakeProduct, room: Room, settings: dict[str, str]
) -> None:
    product = make_product(**settings)
    product.start_worker()
    lock = f"in order {product.task_queue}"
    runs = Runs(product=product, client=await product.client(), room=room, lock=lock)
    first = await runs.start("first", waits=True)
    await runs.entered("first")
    later = []
    for count, who in enumerate(("second", "third"), 1):
        later.append(await runs.start(who))
        await runs.in_line(count)
    status = await status_of(later[0])
    assert status["status"] == "waiting"
    assert [(wait["kind"], wait["name"]) for wait in status["waiting"]] == [("lock", lock)]
    await first.signal("go")
    assert await asyncio.gather(*(run.result() for run in (first, *later))) == ["success"] * 3
    assert room.order == ["first", "second", "third"]
    assert room.most == 1
    await replayed(runs.client, lock_id(lock), *(run.id for run in later))


async def replayed(client: Client, *ids: str) -> None:
    """The histories are such that a worker that has forgotten everything goes on from them."""
    kinds = [FlowWorkflow, LockWorkflow]
    replayer = Replayer(workflows=kinds, data_converter=data_converter(claim_type=FlowClaim))
    for id in ids:
        await replayer.replay_workflow(await client.get_workflow_handle(id).fetch_history())


async def test_of_a_semaphore_no_more_than_its_slots_are_taken(runs: Runs) -> None:
    started = [await runs.start(str(n), waits=True, more="slots: 2") for n in range(5)]
    await runs.in_line(3)
    assert len(runs.room.inside) <= 2
    for run in started:
        await run.signal("go")
    assert await asyncio.gather(*(run.result() for run in started)) == ["success"] * 5
    assert runs.room.most == 2


async def test_a_lock_goes_to_the_next_when_its_holder_is_terminated(runs: Runs) -> None:
    first = await runs.start("first", waits=True)
    await runs.entered("first")
    waiting, third = await runs.start("second"), await runs.start("third")
    await runs.in_line(2)
    await waiting.terminate()
    await first.terminate()
    assert await third.result() == "success"
    assert runs.room.order == ["first", "third"]


async def test_who_is_cancelled_while_it_waits_leaves_the_line(runs: Runs) -> None:
    first = await runs.start("first", waits=True)
    await runs.entered("first")
    second = await runs.start("second")
    await runs.in_line(1)
    await second.cancel()
    with pytest.raises(WorkflowFailureError):
        await second.result()
    await runs.in_line(0)
    await first.cancel()
    with pytest.raises(WorkflowFailureError):
        await first.result()
    assert await (await runs.start("third")).result() == "success"
    assert runs.room.order == ["first", "third"]


async def test_a_node_fails_that_waits_for_longer_than_it_may(runs: Runs) -> None:
    first = await runs.start("first", waits=True)
    await runs.entered("first")
    impatient = await runs.start("second", more="wait: 100ms")
    assert await _error_of(impatient) == "LockTimeout"
    await first.terminate()
    assert runs.room.order == ["first"]


async def test_a_node_fails_that_holds_for_longer_than_it_may(runs: Runs) -> None:
    first = await runs.start("first", waits=True, more="expires: 3s")
    await runs.entered("first")
    second = await runs.start("second")
    assert await _error_of(first) == "LockExpired"
    assert await second.result() == "success"
    assert runs.room.order == ["first", "second"]


async def _error_of(run: WorkflowHandle[Any, Any]) -> str | None:
    with pytest.raises(WorkflowFailureError) as caught:
        await run.result()
    assert isinstance(caught.value.cause, ApplicationError)
    return caught.value.cause.type


async def test_a_lock_is_held_across_a_crash_of_the_worker(
    make_product: MakeProduct, room: Room
) -> None:
    product = make_product()
    worker = product.start_worker()
    lock = f"crash {product.task_queue}"
    runs = Runs(product=product, client=await product.client(), room=room, lock=lock)
    first = await runs.start("first", waits=True)
    await runs.entered("first")
    second = await runs.start("second")
    await runs.in_line(1)
    worker.kill()
    product.start_worker()
    assert [each["workflow_id"] for each in (await runs.book())["holders"]] == [first.id]
    await first.signal("go")
    assert await second.result() == "success"
    assert room.order == ["first", "second"]


async def test_what_a_dead_worker_asked_for_is_not_held_by_two(
    make_product: MakeProduct, room: Room
) -> None:
    """It has asked for a run, which has the lock, and died before Temporal knew of that: the run
    hears that it has the lock before it has begun to ask."""
    product = make_product()
    lock = f"dead {product.task_queue}"
    runs = Runs(product=product, client=await product.client(), room=room, lock=lock)
    first = await runs.start("first")
    token = f"{first.id}/{first.first_execution_run_id}/inside"
    asked = {"token": token, "workflow_id": first.id, "run_id": first.first_execution_run_id}
    await runs.client.start_workflow(
        LockWorkflow.run,
        args=[lock],
        id=lock_id(lock),
        task_queue=product.task_queue,
        start_signal=LOCK_ASK,
        start_signal_args=[asked],
    )
    await first.signal(LOCK_GRANTED, {"id": lock_id(lock), "token": token, "until": None})
    others = [await runs.start(who) for who in ("second", "third")]
    product.start_worker()
    assert [await run.result() for run in (first, *others)] == ["success"] * 3
    assert sorted(room.order) == ["first", "second", "third"]
    assert room.most == 1
    await replayed(runs.client, first.id, lock_id(lock))


MOVES = """\
flow: moves
nodes:
  inside:
    type: block
    lock: LOCK
    nodes:
      go: {type: event, next: say}
      say: {type: log, params: {message: "${iteration}"}, next: rest}
      rest: {type: wait, params: {for: 20ms}, next: [{to: say, when: iteration < 8}]}
output: ${nodes.inside.outcome}
"""


async def test_runs_and_locks_continue_as_new_and_nobody_loses_his_place(
    tmp_path: Path, room: Room
) -> None:
    """The server suggests it after so few events that everybody moves several times."""
    (tmp_path / "server").mkdir()
    soon = ("--dynamic-config-value", "limit.historyCount.suggestContinueAsNew=20")
    with start_temporal(tmp_path / "server", *soon) as server:
        product = Product(address=server.address, folder=tmp_path / "product")
        product.start_worker()
        try:
            client = await product.client()
            runs = Runs(product=product, client=client, room=room, lock="moves")
            moving = await client.start_workflow(
                "flow",
                {"flow": MOVES.replace("LOCK", "moves")},
                id="moving",
                task_queue=product.task_queue,
            )
            await eventually(lambda: _holds(runs, "moving"))
            names = [str(n) for n in range(6)]
            for count, who in enumerate(names, 1):
                await runs.start(who)
                await runs.in_line(count)
            await moving.signal("go")
            assert await moving.result() == "success"
            last = client.get_workflow_handle(f"moves-{names[-1]}")
            assert await last.result() == "success"
            assert room.order == names
            assert room.most == 1
            for id in (moving.id, lock_id("moves")):
                query = f"WorkflowId = '{id}' AND ExecutionStatus = 'ContinuedAsNew'"
                assert [run async for run in client.list_workflows(query)]
        finally:
            product.stop()


async def _holds(runs: Runs, workflow_id: str) -> bool:
    return [each["workflow_id"] for each in (await runs.book())["holders"]] == [workflow_id]


async def test_logs_and_list_leave_out_the_keeping_of_books(runs: Runs) -> None:
    run = await runs.start("alone")
    assert await run.result() == "success"
    logged = runs.product.cli("logs", run.id).stdout
    assert "inside/enter" in logged
    assert "~" not in logged
    listed = runs.product.cli_json("list", "--json", "--limit", "1000")
    found = [each["workflow_id"] for each in listed]
    assert run.id in found
    assert not [id for id in found if id.startswith("flowrunner-")]


def shown(name: str) -> str:
    """A flow of the documentation."""
    return next(each.text for each in blocks("yaml") if each.text.startswith(f"flow: {name}\n"))


async def test_the_flows_of_the_documentation_run_and_a_holder_can_be_expelled(
    runs: Runs,
) -> None:
    client, queue = runs.client, runs.product.task_queue
    for name, told in (("deploy", {"env": "staging"}), ("render", {"scenes": [1, 2, 3]})):
        flow = {"flow": shown(name), "input": told}
        await client.execute_workflow("flow", flow, id=f"{queue}-{name}", task_queue=queue)
    await runs.start("first", waits=True)
    await runs.entered("first")
    second = await runs.start("second")
    await runs.in_line(1)
    at = ("--workflow-id", lock_id(runs.lock))
    seen = runs.product.temporal("workflow", "query", *at, "--type", "state").stdout
    (holder,) = (await runs.book())["holders"]
    assert holder["token"] in seen
    token = json.dumps(holder["token"])
    sent = runs.product.temporal("workflow", "signal", *at, "--name", "give_back", "--input", token)
    assert sent.returncode == 0, sent.stderr
    assert await second.result() == "success"
