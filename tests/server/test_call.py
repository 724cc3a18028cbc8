"""`call`: activities of a worker that has Temporal's SDK and nothing of ours."""

from __future__ import annotations

import asyncio
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from temporalio import activity
from temporalio.api.enums.v1 import EventType
from temporalio.client import WorkflowFailureError
from temporalio.exceptions import ApplicationError, CancelledError

from tests.project.markdown import ROOT, blocks
from tests.server.conftest import MakeProduct
from tests.server.foreign_worker import length
from tests.server.support import PATIENCE, Product, Running, clean_environment, until
from tests.server.test_claim_check_plugin import working
from tests.server.test_worker import failure, output, start

PROGRAM = Path(__file__).with_name("foreign_worker.py")


class Foreign(Running):
    """The other worker, and the queue it polls."""

    def __init__(self, address: str, folder: Path) -> None:
        self.queue = f"foreign-{uuid.uuid4().hex[:8]}"
        argv = [sys.executable, str(PROGRAM), address, self.queue]
        super().__init__("foreign", argv, env=clean_environment(), log=folder / "foreign.log")
        until(lambda: "ready" in self.output() or self.exit_code is not None, what="that worker")
        assert self.exit_code is None, self.output()


@pytest.fixture(scope="module")
def foreign(product: Product, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Foreign]:
    worker = Foreign(product.address, tmp_path_factory.mktemp("foreign"))
    try:
        yield worker
    finally:
        worker.stop()


def call_flow(queue: str, params: str, *, node: str = "", top: str = "") -> str:
    return f"""\
flow: calls
{top}
nodes:
  call:
    type: call
    queue: {queue}
    attempt_timeout: 10s
    params: {params}
{node}
output: ${{nodes.call.output}}
"""


async def called(product: Product, foreign: Foreign, params: str, node: str = "") -> Any:
    return await output(product, call_flow(foreign.queue, params, node=node))


async def refused(
    product: Product, foreign: Foreign, params: str, node: str = ""
) -> ApplicationError:
    return await failure(await start(product, call_flow(foreign.queue, params, node=node)))


async def test_the_activity_has_its_arguments_in_order_and_its_result_is_the_output(
    product: Product, foreign: Foreign
) -> None:
    params = "{activity: Join, args: [täxt, {z: 1, a: [true, 1.5]}, null]}"
    told = await called(product, foreign, params, "    timeout: 1m\n    heartbeat: 5s")
    assert told == {
        "first": "täxt",
        "keys": ["z", "a"],
        "third": None,
        "queue": foreign.queue,
        "attempt": 1,
        "timeouts": [60.0, 10.0, 5.0],
    }
    assert await called(product, foreign, "{activity: Nothing}") is None


async def test_what_is_sent_is_what_any_sdk_sends(product: Product, foreign: Foreign) -> None:
    text = call_flow(foreign.queue, "{activity: Join, args: [x, {b: 1, a: 2}, null]}")
    run = await start(product, text)
    await run.result()
    plain = (await product.plain_client()).get_workflow_handle(run.id)
    (scheduled,) = [
        event.activity_task_scheduled_event_attributes
        async for event in plain.fetch_history_events()
        if event.event_type == EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED
    ]
    assert scheduled.activity_type.name == "Join"
    assert [(dict(each.metadata), each.data) for each in scheduled.input.payloads] == [
        ({"encoding": b"json/plain"}, b'"x"'),
        ({"encoding": b"json/plain"}, b'{"b":1,"a":2}'),
        ({"encoding": b"binary/null"}, b""),
    ]


async def test_temporal_tries_again_and_the_last_error_is_the_nodes(
    product: Product, foreign: Foreign
) -> None:
    retry = "    retry: {attempts: 3, interval: 10ms}"
    assert await called(product, foreign, "{activity: Fail, args: [Declined, 3]}", retry) == 3
    error = await refused(product, foreign, "{activity: Fail, args: [Declined, 4]}", retry)
    assert error.type == "Declined"
    assert error.message == "node 'call' (call) failed after 3 attempts: no money"
    assert error.details[0]["details"] == {"node": "theirs", "attempt": 99}


async def test_an_error_named_under_never_ends_the_node(product: Product, foreign: Foreign) -> None:
    retry = "    retry: {attempts: 3, interval: 10ms, never: [Declined]}"
    error = await refused(product, foreign, "{activity: Fail, args: [Declined, 2]}", retry)
    assert (error.type, error.details[0]["attempt"]) == ("Declined", 1)
    assert await called(product, foreign, "{activity: Fail, args: [Busy, 2]}", retry) == 2


async def test_no_error_of_theirs_is_taken_for_one_of_ours(
    product: Product, foreign: Foreign
) -> None:
    error = await refused(product, foreign, "{activity: Fail, args: [NotStarted, 2]}")
    assert error.type == "NotStarted"


@pytest.mark.parametrize(
    ("what", "details"),
    [
        ("several", [1, "two"]),
        ("bytes", "left out: not JSON"),
        ("unknown", "left out: not JSON"),
        ("message", "left out: not JSON"),
        ("wrong", "left out: not JSON"),
    ],
)
async def test_details_that_cannot_be_read_do_not_break_the_run(
    product: Product, foreign: Foreign, what: str, details: Any
) -> None:
    error = await refused(product, foreign, f"{{activity: Break, args: [{what}]}}")
    assert (error.type, error.details[0]["details"]) == ("Broken", details)


@pytest.mark.parametrize(
    ("encoding", "data", "told"),
    [
        ("json/plain", "[1, NaN]", "what 'Raw' returned is not JSON: "),
        ("json/plain", "{nonsense", "what 'Raw' returned is not JSON: "),
        ("binary/plain", "x", "what 'Raw' returned is not JSON but of encoding 'binary/plain'"),
        ("their/own", "x", "what 'Raw' returned is not JSON but of encoding 'their/own'"),
    ],
)
async def test_a_result_that_is_no_json_is_told(
    product: Product, foreign: Foreign, encoding: str, data: str, told: str
) -> None:
    params = f"{{activity: Raw, args: [{encoding}, '{data}']}}"
    error = await refused(product, foreign, params)
    assert error.type == "InvalidResult"
    assert told in error.message


async def test_a_message_of_protobuf_written_as_json_is_its_json(
    product: Product, foreign: Foreign
) -> None:
    params = "{activity: Raw, args: [json/protobuf, '{\"cents\": 5}']}"
    assert await called(product, foreign, params) == {"cents": 5}


async def test_a_cancellation_reaches_an_activity_that_beats(
    product: Product, foreign: Foreign
) -> None:
    text = call_flow(foreign.queue, "{activity: Hang}", node="    timeout: 5m").replace("10s", "5m")
    run = await start(product, text)
    client = await product.client()

    async def hangs() -> bool:
        told = await client.get_workflow_handle(run.id).describe()
        return any(each.state == 2 for each in told.raw_description.pending_activities)

    async with asyncio.timeout(PATIENCE):
        while not await hangs():
            await asyncio.sleep(0.05)
    await run.cancel()
    with pytest.raises(WorkflowFailureError) as ended:
        await asyncio.wait_for(run.result(), PATIENCE)
    assert isinstance(ended.value.cause, CancelledError)
    until(lambda: "hang was cancelled" in foreign.output(), what="the activity's end")


async def test_a_queue_that_nobody_polls_ends_with_the_nodes_timeout(product: Product) -> None:
    text = call_flow("nobody-polls-this", "{activity: Join}", node="    timeout: 1s")
    error = await failure(await start(product, text))
    assert error.type == "Timeout"


async def test_a_value_in_the_store_is_sent_plainly_up_to_256_kb(
    make_product: MakeProduct, foreign: Foreign
) -> None:
    product = make_product(CLAIM_CHECK_THRESHOLD="1KB")
    product.start_worker()
    top = "input: {required: [text], properties: {text: {type: string}}}"
    text = call_flow(foreign.queue, '{activity: Length, args: ["${input.text}"]}', top=top)
    assert await output(product, text, {"text": "x" * 200_000}) == 200_000
    error = await failure(await start(product, text, {"text": "x" * 300_000}))
    assert error.type == "TooLarge"
    assert "its arguments measure 300,004 bytes; at most 262,144 are possible" in error.message
    assert "With `claims: true` they go through the object store" in error.message
    error = await failure(await start(product, text, {"text": "x" * 2_000_000}))
    assert error.type == "TooLarge"
    assert "args[0] measures 2,000,002 bytes" in error.message


async def test_a_worker_with_the_claim_checks_plugin_gets_large_arguments(
    make_product: MakeProduct,
) -> None:
    product = make_product(CLAIM_CHECK_THRESHOLD="1KB")
    product.start_worker()
    client = await product.client()
    async with working(client, activities=[length], workflows=[]) as queue:
        top = "input: {required: [text], properties: {text: {type: string}}}"
        params = '{activity: Length, args: ["${input.text}"], claims: true}'
        text = call_flow(queue, params, top=top)
        assert await output(product, text, {"text": "x" * 3_000_000}) == 3_000_000


def test_without_the_keys_nobody_can_read_what_is_encrypted(
    make_product: MakeProduct, foreign: Foreign
) -> None:
    """With keys every payload is encrypted, these as well: as with any codec of Temporal's."""
    product = make_product(CLAIM_CHECK_KEYS="k1:" + "A" * 43 + "=")
    product.start_worker()
    product.write_flow("calls", call_flow(foreign.queue, "{activity: Length, args: [x]}"))
    ended = product.cli_json("run", "calls", "--json")
    assert "Failed decoding arguments" in ended["error"]["message"]


async def test_what_the_guide_shows_works(product: Product) -> None:
    """Its worker has Temporal's SDK and the guide's activity, and polls another queue."""
    page = ROOT / "docs" / "howto" / "call-existing-activities.md"
    (code,) = (block.text for block in blocks("python") if block.page == page)
    (flow,) = (block.text for block in blocks("yaml") if block.page == page)
    shown: dict[str, Any] = {"activity": activity, "ApplicationError": ApplicationError}
    exec(compile(code, str(page), "exec", dont_inherit=True), shown)
    client = await product.plain_client()
    async with working(client, activities=[shown["charge_card"]], workflows=[]) as queue:
        flow = flow.replace("queue: payments", f"queue: {queue}")
        refusal = "default(nodes.sorry.output.message, '')"
        flow += f"output: ${{default(nodes.thank.output.message, {refusal})}}\n"
        paid = await output(product, flow, {"order": "o-7", "cents": 500})
        assert paid == "paid: r-o-7"
        refused = await output(product, flow, {"order": "o-8", "cents": 200_000})
        assert refused == "not paid: CardDeclined: over the limit"
