"""What a run does on a real Temporal server: failures, sizes, sub-flows, pauses, attributes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any, cast

import pytest
from temporalio.client import Client, WorkflowFailureError, WorkflowHandle
from temporalio.exceptions import ApplicationError, CancelledError

from claimcheck import Inline
from tests.server.support import PATIENCE, Product, TemporalServer, status_of

Handle = WorkflowHandle[Any, Any]


class Runs:
    """Starts flows with Temporal's plain client and looks at them."""

    def __init__(self, product: Product, client: Client) -> None:
        self.product = product
        self.client = client

    async def start(self, flow: str, input: Any = None, *, id: str) -> Handle:
        return await self.client.start_workflow(
            "flow",
            {"flow": flow, "input": input or {}},
            id=id,
            task_queue=self.product.task_queue,
            execution_timeout=timedelta(seconds=60),
        )

    async def result(self, flow: str, input: Any = None, *, id: str) -> Any:
        return await (await self.start(flow, input, id=id)).result()

    async def failure(self, flow: str, input: Any = None, *, id: str) -> ApplicationError:
        with pytest.raises(WorkflowFailureError) as caught:
            await self.result(flow, input, id=id)
        assert isinstance(caught.value.cause, ApplicationError)
        return caught.value.cause

    @staticmethod
    async def status(handle: Handle) -> dict[str, Any]:
        return await status_of(handle)

    async def until(self, handle: Handle, holds: Callable[[dict[str, Any]], bool]) -> None:
        async with asyncio.timeout(PATIENCE):
            while not holds(await self.status(handle)):
                await asyncio.sleep(0.02)


_WAYS = {
    "cached": {},
    "uncached": {"FLOWRUNNER_MAX_CACHED_WORKFLOWS": "0"},
    "claimed": {"CLAIM_CHECK_THRESHOLD": "1"},
}


@pytest.fixture(scope="module", params=_WAYS)
def way(
    request: pytest.FixtureRequest,
    temporal_server: TemporalServer,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Product]:
    """A worker as shipped, one that replays every run from its beginning at every step, and one
    that keeps every value in the store, however small."""
    product = Product(
        address=temporal_server.address,
        folder=tmp_path_factory.mktemp("interpreter"),
        settings=_WAYS[request.param],
    )
    try:
        product.start_worker()
        yield product
    finally:
        product.stop()


@pytest.fixture
async def runs(way: Product) -> Runs:
    return Runs(way, await way.client())


async def test_a_failed_run_names_node_type_message_and_attempts(runs: Runs) -> None:
    flow = """\
flow: refused
nodes:
  call:
    type: http.request
    params: {url: "http://127.0.0.1:1/nothing"}
    retry: {attempts: 2, interval: 10ms}
"""
    failure = await runs.failure(flow, id="refused-1")
    assert failure.type == "HttpNetworkError"
    assert failure.message.startswith("node 'call' (http.request) failed after 2 attempts: ")
    detail = failure.details[0]
    assert detail["node"] == "call"
    assert detail["attempt"] == 2
    assert detail["attempts"] == 2


async def test_an_unknown_kind_of_node_is_refused_with_its_place(runs: Runs) -> None:
    failure = await runs.failure("flow: bad\nnodes:\n  a: {type: nop}\n", id="bad-1")
    assert failure.type == "FlowInvalid"
    assert "3:" in failure.message
    assert "noop" in failure.message


async def test_an_input_that_does_not_fit_is_refused(runs: Runs) -> None:
    flow = """\
flow: typed
input: {required: [n], properties: {n: {type: integer}}}
nodes: {a: {type: noop}}
"""
    failure = await runs.failure(flow, {"n": "one"}, id="typed-1")
    assert failure.type == "InputInvalid"
    assert "n" in failure.message


async def test_arguments_larger_than_temporal_takes_reach_their_node(runs: Runs) -> None:
    flow = """\
flow: large
input: {required: [text], properties: {text: {type: string}}}
nodes:
  double: {type: log, params: {message: two, data: ["${input.text}", "${input.text}"]}}
output: ${len(nodes.double.output.data[1])}
"""
    assert await runs.result(flow, {"text": "x" * 1_100_000}, id="large-1") == 1_100_000


async def test_many_large_arguments_at_once_are_spread_over_tasks(runs: Runs) -> None:
    flow = """\
flow: spread
input: {required: [text], properties: {text: {type: string}}}
nodes:
  each: {type: log, foreach: [1, 2, 3, 4, 5, 6], params: {message: "${input.text}", level: debug}}
output: ${len(nodes.each.output)}
"""
    assert await runs.result(flow, {"text": "x" * 900_000}, id="spread-1") == 6


async def test_activity_ids_are_node_ids_and_titles_are_summaries(runs: Runs) -> None:
    flow = """\
flow: named
nodes:
  first: {type: log, execution: remote, title: The first, params: {message: one}, next: loop}
  loop:
    type: log
    execution: remote
    params: {message: "round ${iteration}"}
    next: {success: {to: loop, when: iteration < 2}}
"""
    handle = await runs.start(flow, id="named-1")
    await handle.result()
    history = await handle.fetch_history()
    scheduled = [
        event
        for event in history.events
        if event.HasField("activity_task_scheduled_event_attributes")
    ]
    ids = [e.activity_task_scheduled_event_attributes.activity_id for e in scheduled]
    assert ids == ["first", "loop", "loop#2"]
    summary = scheduled[0].user_metadata.summary
    claimed = "CLAIM_CHECK_THRESHOLD" in runs.product.settings
    assert claimed or b"The first" in summary.data  # one byte and more is in the store, too


async def test_sub_flows_are_runs_of_their_own(runs: Runs) -> None:
    runs.product.write_flow(
        "square",
        """\
flow: square
input: {required: [n], properties: {n: {type: integer}}}
nodes: {a: {type: noop}}
output: ${input.n * input.n}
""",
    )
    flow = """\
flow: squares
nodes:
  each: {type: flow, foreach: [1, 2, 3], params: {flow: square, input: {n: "${item}"}}}
output: ${nodes.each.output}
"""
    assert await runs.result(flow, id="squares-1") == [1, 4, 9]
    child = runs.client.get_workflow_handle("squares-1/each.2")
    assert await child.result() == 9


async def test_a_failing_sub_flow_fails_its_node_with_the_childs_error(runs: Runs) -> None:
    runs.product.write_flow(
        "sour",
        "flow: sour\nnodes: {a: {type: fail, params: {type: Sour, message: no lemons}}}\n",
    )
    flow = """\
flow: parent
nodes:
  child: {type: flow, params: {flow: sour}, next: {failure: handled}}
  handled: {type: noop}
output: ${default(nodes.child.error.type, null)}
"""
    assert await runs.result(flow, id="parent-1") == "Sour"


async def test_a_paused_run_starts_nothing_until_it_is_resumed(runs: Runs) -> None:
    flow = """\
flow: pausable
nodes:
  go: {type: event, next: after}
  after: {type: log, params: {message: hello}}
output: ${nodes.after.output.message}
"""
    handle = await runs.start(flow, id="pausable-1")
    await runs.until(handle, lambda s: bool(s["waiting"]))
    await handle.signal("pause")
    await handle.signal("go", 1)
    await runs.until(
        handle, lambda s: any(n["id"] == "go" and n["state"] == "success" for n in s["nodes"])
    )
    status = await runs.status(handle)
    assert status["status"] == "paused"
    assert [node["id"] for node in status["nodes"]] == ["go"]
    await handle.signal("resume")
    assert await handle.result() == "hello"


async def test_a_run_paused_before_its_first_node_starts_nothing(runs: Runs) -> None:
    flow = "flow: early\nnodes: {a: {type: log, params: {message: hello}}}\n"
    handle = await runs.client.start_workflow(
        "flow",
        {"flow": flow},
        id="early-1",
        task_queue=runs.product.task_queue,
        start_signal="pause",
    )
    await runs.until(handle, lambda s: bool(s["paused"]))
    assert (await runs.status(handle))["nodes"] == []
    await handle.signal("resume")
    await handle.result()


async def test_signals_before_their_node_are_kept_in_order(runs: Runs) -> None:
    flow = """\
flow: ordered
nodes:
  hold: {type: event, params: {name: begin}, next: first}
  first: {type: event, params: {name: data}, next: second}
  second: {type: event, params: {name: data}}
output: ["${nodes.first.output}", "${nodes.second.output}"]
"""
    handle = await runs.start(flow, id="ordered-1")
    for value in ("a", "b"):
        await handle.signal("data", value)
    await handle.signal("nobody waits for this")
    await handle.signal("begin")
    assert await handle.result() == ["a", "b"]


async def test_cancelling_runs_cancelled_edges_and_undo_then_ends_cancelled(runs: Runs) -> None:
    flow = """\
flow: tidy
nodes:
  take: {type: log, params: {message: took}, undo: give, next: hold}
  hold: {type: wait, params: {for: 1h}, next: {cancelled: tell}}
  tell: {type: log, params: {message: told}}
  give: {type: log, params: {message: gave back}}
"""
    handle = await runs.start(flow, id="tidy-1")
    await runs.until(handle, lambda s: bool(s["waiting"]))
    await handle.cancel()
    with pytest.raises(WorkflowFailureError) as caught:
        await handle.result()
    assert isinstance(caught.value.cause, CancelledError)
    states = {node["id"]: node["state"] for node in (await runs.status(handle))["nodes"]}
    assert states == {
        "take": "success",
        "hold": "cancelled",
        "tell": "success",
        "give": "success",
    }


async def test_search_attributes_find_runs(runs: Runs) -> None:
    flow = """\
flow: findable
input: {required: [team], properties: {team: {type: string}}}
labels: {team: "${input.team}"}
nodes: {hold: {type: event}}
"""
    handle = await runs.start(flow, {"team": "hr"}, id="findable-1")
    query = "FlowName = 'findable' AND FlowStatus = 'waiting' AND FlowLabels = 'team=hr'"
    async with asyncio.timeout(PATIENCE):
        while not [found async for found in runs.client.list_workflows(query)]:
            await asyncio.sleep(0.05)
    await handle.signal("hold")
    await handle.result()


async def test_timeouts_of_attempt_node_and_run(runs: Runs) -> None:
    flow = """\
flow: late
timeout: 20s
nodes:
  hold: {type: event, timeout: 50ms, next: {timeout: block}}
  block:
    type: block
    timeout: 50ms
    nodes: {rest: {type: wait, params: {for: 1h}}}
    next: {failure: end}
  end: {type: noop}
output: ["${default(nodes.hold.error.type, 0)}", "${default(nodes.block.error.type, 0)}"]
"""
    assert await runs.result(flow, id="late-1") == ["Timeout", "Timeout"]
    overall = "flow: overall\ntimeout: 50ms\nnodes: {rest: {type: wait, params: {for: 1h}}}\n"
    failure = await runs.failure(overall, id="late-2")
    assert failure.type == "Timeout"


@pytest.mark.parametrize("tier", ["local", "remote"])
async def test_a_timeout_tells_of_no_more_attempts_than_there_were(runs: Runs, tier: str) -> None:
    talks: list[asyncio.Task[Any]] = []

    async def say_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        talks.append(cast("asyncio.Task[Any]", asyncio.current_task()))
        await reader.read()  # until it hangs up
        writer.close()
        await writer.wait_closed()

    server = await asyncio.start_server(say_nothing, "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()
    ask = (
        f"type: http.request, execution: {tier}, params: {{url: 'http://{host}:{port}'}}, "
        "retry: {attempts: 2, interval: 10ms}"
    )
    flow = f"""\
flow: hangs
nodes:
  at_once: {{{ask}, timeout: 300ms, next: {{timeout: each}}}}
  each: {{{ask}, attempt_timeout: 100ms, next: {{timeout: end}}}}
  end: {{type: noop}}
output:
  - ${{default(nodes.at_once.error.attempt, 0)}}
  - ${{default(nodes.each.error.attempt, 0)}}
"""
    async with server:
        assert await runs.result(flow, id=f"hangs-{tier}") == [1, 2]
        await asyncio.wait_for(asyncio.gather(*talks), PATIENCE)


async def test_a_wide_foreach_runs_in_shards_and_keeps_the_history_small(runs: Runs) -> None:
    flow = """\
flow: wide
nodes:
  each:
    type: block
    foreach: {in: "${range(2500)}", concurrency: 100}
    nodes: {double: {type: noop}}
    output: ${item * 2}
output: ${sum(nodes.each.output)}
"""
    handle = await runs.start(flow, id="wide-1")
    assert await handle.result() == sum(2 * n for n in range(2500))
    assert len((await handle.fetch_history()).events) < 60


async def test_a_bug_in_the_interpreter_ends_the_run_instead_of_hanging(runs: Runs) -> None:
    """A state no release ever wrote stands for whatever the interpreter cannot cope with."""
    forged = {"plan": {"format": 1}, "state": {}, "search_attributes": False, "shown_status": ""}
    plan = {
        "format": 1,
        "flow": "a",
        "vars": {},
        "labels": {},
        "graph": {"nodes": [], "starts": []},
    }
    for continued, kind in (
        (forged, "PlanInvalid"),
        ({**forged, "plan": plan, "state": {"schedulers": {}, "nonsense": 1}}, "InterpreterError"),
    ):
        handle = await runs.client.start_workflow(
            "flow",
            Inline({"flowrunner/continued": continued}),
            id=f"forged-{kind}",
            task_queue=runs.product.task_queue,
            execution_timeout=timedelta(seconds=30),
        )
        with pytest.raises(WorkflowFailureError) as caught:
            await handle.result()
        assert isinstance(caught.value.cause, ApplicationError)
        assert caught.value.cause.type == kind


async def test_a_failure_too_large_for_temporal_still_ends_the_run(runs: Runs) -> None:
    flow = """\
flow: loud
input: {required: [text], properties: {text: {type: string}}}
nodes: {cry: {type: fail, params: {message: "${input.text}", details: "${input.text}"}}}
"""
    failure = await runs.failure(flow, {"text": "x" * 1_000_000}, id="loud-1")
    assert failure.type == "Failed"
    assert len(failure.message) < 5_000
    assert failure.details[0]["node"] == "cry"


async def test_an_output_larger_than_temporal_takes_comes_back_whole(runs: Runs) -> None:
    flow = """\
flow: heavy
input: {required: [text], properties: {text: {type: string}}}
nodes: {a: {type: noop}}
output: ["${input.text}", "${input.text}"]
"""
    text = "x" * 1_100_000
    assert await runs.result(flow, {"text": text}, id="heavy-1") == [text, text]
