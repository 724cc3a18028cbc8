"""The worker as a process: settings, health, secrets, retries, stopping."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import signal
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
from temporalio.client import Client, WorkflowFailureError, WorkflowHandle
from temporalio.exceptions import ApplicationError, CancelledError

from tests.server.conftest import MakeProduct
from tests.server.support import (
    Answer,
    HttpService,
    Product,
    Received,
    Running,
    free_port,
    start_temporal,
    until,
)

SECRET = "s3cret/välue+42"


async def start(
    product: Product, flow: str, given: dict[str, Any] | None = None
) -> WorkflowHandle[Any, Any]:
    client = await product.client()
    return await client.start_workflow(
        "flow",
        {"flow": flow, "input": given or {}},
        id=f"test-{uuid.uuid4().hex[:12]}",
        task_queue=product.task_queue,
    )


async def output(product: Product, flow: str, given: dict[str, Any] | None = None) -> Any:
    return await asyncio.wait_for((await start(product, flow, given)).result(), 60)


async def failure(run: WorkflowHandle[Any, Any]) -> ApplicationError:
    with pytest.raises(WorkflowFailureError) as caught:
        await asyncio.wait_for(run.result(), 60)
    cause = caught.value.cause
    assert isinstance(cause, ApplicationError)
    return cause


def request_flow(url: str, *, params: str = "", node: str = "", top: str = "") -> str:
    return f"""\
flow: asking
{top}
nodes:
  ask:
    type: http.request
    params: {{url: "{url}"{params}}}
    {node}
output: ${{nodes.ask.output.json}}
"""


async def history(run: WorkflowHandle[Any, Any]) -> str:
    return (await run.fetch_history()).to_json()


def get(address: str, path: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(f"http://{address}{path}", timeout=5) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


# Starting


@pytest.mark.parametrize(
    ("settings", "exit_code", "message"),
    [
        ({"FLOWRUNNER_MAX_CONCURRENT_ACTIVITIES": "many"}, 2, "MAX_CONCURRENT_ACTIVITIES"),
        ({"FLOWRUNNER_TASK_QUEUES": "x"}, 2, "did you mean FLOWRUNNER_TASK_QUEUE?"),
        ({"FLOWRUNNER_METRICS_ADDRESS": "localhost:1"}, 2, "FLOWRUNNER_METRICS_ADDRESS"),
        ({"TEMPORAL_ADDRESS": "127.0.0.1:1"}, 3, "flowrunner dev"),
        ({"TEMPORAL_NAMESPACE": "nowhere"}, 3, "namespace create"),
    ],
)
def test_a_worker_that_cannot_start_says_why_in_one_clear_error(
    make_product: MakeProduct, settings: dict[str, str], exit_code: int, message: str
) -> None:
    product = make_product(**settings)
    with pytest.raises(AssertionError, match="ended at once"):
        product.start_worker()
    [worker] = product.workers
    assert worker.exit_code == exit_code
    assert message in worker.output()
    assert "Traceback" not in worker.output()


def test_health_address_in_use_is_a_clear_error(own_product: Product) -> None:
    own_product.start_worker()
    taken = f"127.0.0.1:{_port_of_health(own_product)}"
    done = own_product.cli("worker", FLOWRUNNER_HEALTH_ADDRESS=taken)
    assert done.returncode == 2
    assert f"FLOWRUNNER_HEALTH_ADDRESS: {taken} cannot be listened on" in done.stderr


def _port_of_health(product: Product) -> int:
    environment = _environment_of(product.workers[0])
    return int(environment["FLOWRUNNER_HEALTH_ADDRESS"].rpartition(":")[2])


def _environment_of(process: Running) -> dict[str, str]:
    with open(f"/proc/{process.pid}/environ", encoding="utf-8") as file:
        return dict(pair.split("=", 1) for pair in file.read().split("\0") if "=" in pair)


def test_health_answers_by_path(own_product: Product) -> None:
    own_product.start_worker()
    address = f"127.0.0.1:{_port_of_health(own_product)}"
    assert get(address, "/healthz") == (200, "live\n")
    assert get(address, "/readyz") == (200, "ready\n")
    assert get(address, "/other")[0] == 404


async def test_the_history_says_which_release_took_each_step(make_product: MakeProduct) -> None:
    product = make_product()
    product.start_worker()
    run = await start(product, "flow: one\nnodes:\n  a: {type: noop}\n")
    await asyncio.wait_for(run.result(), 60)
    steps = [
        event.workflow_task_completed_event_attributes.worker_version.build_id
        async for event in run.fetch_history_events()
        if event.HasField("workflow_task_completed_event_attributes")
    ]
    assert {*steps} == {f"flowrunner {version('flowrunner')}"}


async def test_metrics_are_offered_to_prometheus(own_product: Product) -> None:
    address = f"127.0.0.1:{free_port()}"
    own_product.start_worker(FLOWRUNNER_METRICS_ADDRESS=address)
    await output(own_product, "flow: x\nnodes: {a: {type: log, params: {message: hi}}}\n")
    await asyncio.to_thread(
        until,
        lambda: "temporal_workflow_completed" in get(address, "/metrics")[1],
        what="the figure of ended runs",
    )


async def test_missing_search_attributes_are_told_once_and_runs_go_on(
    make_product: MakeProduct,
) -> None:
    namespace = f"bare-{uuid.uuid4().hex[:8]}"
    product = make_product(TEMPORAL_NAMESPACE=namespace)
    made = product.temporal(
        "operator", "namespace", "create", namespace, "--address", product.address
    )
    assert made.returncode == 0, made.stderr
    worker = await asyncio.to_thread(product.start_worker)
    [warning] = [line for line in _log(worker) if "search attributes" in line["event"]]
    assert (
        f"temporal operator search-attribute create --namespace {namespace} --name FlowName "
        "--type Keyword --name FlowVersion --type Keyword --name FlowStatus --type Keyword "
        "--name FlowLabels --type KeywordList" in warning["event"]
    )
    client = await Client.connect(product.address, namespace=namespace)
    result = await client.execute_workflow(
        "flow",
        "flow: x\nnodes: {a: {type: log, params: {message: hi}}}\noutput: done\n",
        id="bare",
        task_queue=product.task_queue,
    )
    assert result == "done"


def _log(worker: Running) -> list[dict[str, Any]]:
    return [json.loads(line) for line in worker.output().splitlines() if line.startswith("{")]


async def test_log_lines_carry_flow_run_node_and_attempt(own_product: Product) -> None:
    worker = await asyncio.to_thread(own_product.start_worker)
    flow = 'flow: talk\nnodes: {say: {type: log, params: {message: "Hello ${input.name}"}}}\n'
    run = await start(
        own_product,
        f"{flow}input: {{required: [name], properties: {{name: {{}}}}}}\n",
        {"name": "A"},
    )
    await run.result()
    [line] = [line for line in _log(worker) if line["event"] == "Hello A"]
    assert (line["flow"], line["node"], line["attempt"]) == ("talk", "say", 1)
    assert line["run"] == run.first_execution_run_id


# Flows by name


async def test_a_flow_by_name_is_read_when_a_run_starts(own_product: Product) -> None:
    await asyncio.to_thread(own_product.start_worker)
    client = await own_product.client()

    async def run(name: str) -> Any:
        return await client.execute_workflow(
            name, id=f"named-{uuid.uuid4().hex[:8]}", task_queue=own_product.task_queue
        )

    text = "flow: greeting\nnodes: {a: {type: noop}}\noutput: first\n"
    own_product.write_flow("greeting", text)
    assert await run("greeting") == "first"
    own_product.write_flow("greeting", text.replace("first", "second"))
    assert await run("greeting") == "second"
    own_product.write_flow("broken", "flow: broken\nnodes: {a: {type: nop}}\n")
    assert await run("greeting") == "second"
    with pytest.raises(WorkflowFailureError) as caught:
        await run("broken")
    broken = caught.value.cause
    assert isinstance(broken, ApplicationError)
    assert broken.type == "FlowInvalid"
    assert "broken.yaml:2:" in broken.message
    assert "noop" in broken.message
    assert broken.details[0]["problems"][0]["line"] == 2
    with pytest.raises(WorkflowFailureError) as caught:
        await run("greting")
    missing = caught.value.cause
    assert isinstance(missing, ApplicationError)
    assert missing.type == "FlowNotFound"
    assert "did you mean 'greeting'" in missing.message


# Requests


def _echo(request: Received) -> Answer:
    headers = {name.lower(): value for name, value in request.headers.items()}
    return Answer(body={"headers": headers, "query": request.query})


async def test_a_secret_reaches_the_server_and_nothing_else(
    make_product: MakeProduct, http_service: HttpService
) -> None:
    product = make_product(FLOWRUNNER_SECRET_TOKEN=SECRET, FLOWRUNNER_LOG_LEVEL="debug")
    worker = await asyncio.to_thread(product.start_worker)
    http_service.on("GET", "/echo", _echo)
    http_service.on("GET", "/refuse", lambda r: Answer(status=400, body=_echo(r).body))
    secretive = (
        ', headers: {X-Token: "${secrets.TOKEN}"}, query: {t: "${secrets.TOKEN}"}'
        ', auth: {basic: {username: ann, password: "${secrets.TOKEN}"}}'
    )
    top = "secrets: [TOKEN]"
    good = await start(product, request_flow(f"{http_service.url}/echo", params=secretive, top=top))
    answer = await good.result()
    assert answer["headers"]["x-token"] == "***"
    bad = await start(
        product, request_flow(f"{http_service.url}/refuse", params=secretive, top=top)
    )
    error = await failure(bad)
    assert error.type == "HttpClientError"
    received = http_service.requests[0].headers
    basic = base64.b64encode(f"ann:{SECRET}".encode()).decode()
    assert {k.lower(): v for k, v in received.items()}["authorization"] == f"Basic {basic}"
    told = [await history(good), await history(bad), worker.output(), json.dumps(answer)]
    for text in told:
        payloads = _decoded_payloads(text)
        for form in (SECRET, "s3cret", basic, base64.b64encode(SECRET.encode()).decode()):
            assert form not in text
            assert form not in payloads


def _decoded_payloads(history_json: str) -> str:
    """Everything in a history that is base64, as the text it stands for."""
    found: list[str] = []

    def walk(value: Any) -> None:
        if isinstance(value, dict):
            for key, inner in value.items():
                if key == "data" and isinstance(inner, str):
                    found.append(base64.b64decode(inner).decode("utf-8", "replace"))
                walk(inner)
        elif isinstance(value, list):
            for inner in value:
                walk(inner)

    if history_json.startswith("{") and '"events"' in history_json:
        walk(json.loads(history_json))
    return "\n".join(found)


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({}, "SecretMissing", "FLOWRUNNER_SECRET_TOKEN"),
        (
            {"FLOWRUNNER_SECRET_TOKEN": SECRET, "FLOWRUNNER_SECRETS_ALLOWED": "OTHER"},
            "SecretRefused",
            "FLOWRUNNER_SECRETS_ALLOWED",
        ),
    ],
)
async def test_a_secret_the_worker_does_not_give_fails_the_node_and_names_the_variable(
    make_product: MakeProduct, settings: dict[str, str], error: str, message: str
) -> None:
    product = make_product(**settings)
    await asyncio.to_thread(product.start_worker)
    params = ', headers: {X-Token: "${secrets.TOKEN}"}'
    flow = request_flow("http://127.0.0.1:1/", params=params, top="secrets: [TOKEN]")
    failed = await failure(await start(product, flow))
    assert failed.type == error
    assert "node 'ask' (http.request) failed" in failed.message
    assert message in failed.message


async def test_a_busy_server_is_asked_again_not_before_it_says(
    product: Product, http_service: HttpService
) -> None:
    times: list[float] = []

    def busy(_: Received) -> Answer:
        times.append(time.monotonic())
        if len(times) == 1:
            return Answer(status=503, headers={"Retry-After": "2"})
        return Answer(body={"ok": True})

    http_service.on("GET", "/busy", busy)
    flow = request_flow(f"{http_service.url}/busy", node="retry: {interval: 10ms}")
    assert await output(product, flow) == {"ok": True}
    assert times[1] - times[0] >= 2


async def test_a_client_error_is_not_tried_again_and_a_server_error_as_often_as_allowed(
    product: Product, http_service: HttpService
) -> None:
    http_service.on("GET", "/gone", Answer(status=410, body={"why": "moved out"}))
    http_service.on("GET", "/down", Answer(status=500))
    gone = await failure(await start(product, request_flow(f"{http_service.url}/gone")))
    assert (gone.type, gone.details[0]["attempt"]) == ("HttpClientError", 1)
    assert gone.details[0]["details"]["status"] == 410
    assert "moved out" in gone.details[0]["details"]["body"]
    retry = "retry: {attempts: 3, interval: 10ms}"
    down = await failure(await start(product, request_flow(f"{http_service.url}/down", node=retry)))
    assert (down.type, down.details[0]["attempt"]) == ("HttpServerError", 3)
    assert http_service.asked == ["GET /gone"] + ["GET /down"] * 3


async def test_every_attempt_carries_the_same_idempotency_key(
    product: Product, http_service: HttpService
) -> None:
    answers = [Answer(status=500), Answer(body={})]
    http_service.on("POST", "/pay", lambda _: answers.pop(0))
    flow = request_flow(
        f"{http_service.url}/pay", params=", method: POST", node="retry: {interval: 10ms}"
    )
    for _ in range(2):
        answers[:] = [Answer(status=500), Answer(body={})]
        await output(product, flow)
    keys = [request.headers["Idempotency-Key"] for request in http_service.requests]
    assert keys[0] == keys[1]
    assert keys[2] == keys[3]
    assert keys[0] != keys[2]


async def test_an_answer_too_large_for_a_payload_of_temporal_comes_through(
    product: Product, http_service: HttpService
) -> None:
    http_service.on("GET", "/big", Answer(body=["x" * 5_000_000]))
    flow = request_flow(f"{http_service.url}/big")
    assert await output(product, flow) == ["x" * 5_000_000]
    assert http_service.asked == ["GET /big"]


async def test_cancelling_a_run_reaches_a_request_that_is_under_way(
    product: Product, http_service: HttpService
) -> None:
    http_service.on("GET", "/slow", Answer(delay=20))
    run = await start(product, request_flow(f"{http_service.url}/slow"))
    await asyncio.to_thread(until, lambda: bool(http_service.requests), what="the request")
    begun = time.monotonic()
    await run.cancel()
    with pytest.raises(WorkflowFailureError) as caught:
        await asyncio.wait_for(run.result(), 60)
    assert isinstance(caught.value.cause, CancelledError)
    assert time.monotonic() - begun < 12


async def test_a_cached_node_asks_once_for_two_runs_and_again_when_the_time_is_up(
    product: Product, http_service: HttpService
) -> None:
    count = iter(range(1, 100))
    http_service.on("GET", "/rate", lambda _: Answer(body={"n": next(count)}))
    flow = request_flow(f"{http_service.url}/rate", node="cache: 1h")
    assert await output(product, flow) == {"n": 1}
    assert await output(product, flow) == {"n": 1}
    assert await output(product, flow.replace("cache: 1h", "cache: 1ms")) == {"n": 2}


# Stopping


async def test_a_stopping_worker_lets_its_node_finish_and_says_that_it_is_not_ready(
    own_product: Product, http_service: HttpService
) -> None:
    release = _gate(http_service, "/slow")
    worker = await asyncio.to_thread(own_product.start_worker)
    address = f"127.0.0.1:{_port_of_health(own_product)}"
    run = await start(own_product, request_flow(f"{http_service.url}/slow"))
    await asyncio.to_thread(until, lambda: bool(http_service.requests), what="the request")
    os.kill(worker.pid, signal.SIGTERM)
    stopping = (503, "stopping\n")
    await asyncio.to_thread(until, lambda: get(address, "/readyz") == stopping, what="a 503")
    assert get(address, "/healthz")[0] == 200
    release()
    await asyncio.to_thread(until, lambda: worker.exit_code is not None, what="the worker's end")
    assert worker.exit_code == 0
    await asyncio.to_thread(own_product.start_worker)
    assert await run.result() == {"slow": True}
    assert http_service.asked == ["GET /slow"]
    assert "Traceback" not in worker.output()


def _gate(service: HttpService, path: str) -> Callable[[], None]:
    """Requests to `path` are answered once the function that is given back was called."""
    import threading

    opened = threading.Event()

    def wait(_: Received) -> Answer:
        opened.wait(30)
        return Answer(body={"slow": True})

    service.on("GET", path, wait)
    return opened.set


async def test_a_node_that_outlasts_the_grace_is_handed_to_another_worker(
    own_product: Product, http_service: HttpService
) -> None:
    release = _gate(http_service, "/slow")
    worker = await asyncio.to_thread(own_product.start_worker, FLOWRUNNER_SHUTDOWN_GRACE="500ms")
    flow = request_flow(f"{http_service.url}/slow", node="retry: {interval: 10ms}")
    run = await start(own_product, flow)
    await asyncio.to_thread(until, lambda: bool(http_service.requests), what="the request")
    begun = time.monotonic()
    assert await asyncio.to_thread(worker.stop) == 0
    assert time.monotonic() - begun < 10
    release()
    await asyncio.to_thread(own_product.start_worker)
    assert await run.result() == {"slow": True}
    assert http_service.asked == ["GET /slow"] * 2


async def test_a_second_signal_ends_a_stopping_worker_at_once(
    own_product: Product, http_service: HttpService
) -> None:
    release = _gate(http_service, "/slow")
    worker = await asyncio.to_thread(own_product.start_worker)
    await start(own_product, request_flow(f"{http_service.url}/slow"))
    await asyncio.to_thread(until, lambda: bool(http_service.requests), what="the request")
    os.kill(worker.pid, signal.SIGTERM)
    log = "worker stopping"
    await asyncio.to_thread(until, lambda: log in worker.output(), what="the first signal")
    begun = time.monotonic()
    assert await asyncio.to_thread(worker.stop) != 0
    assert time.monotonic() - begun < 5
    release()


async def test_a_stopping_worker_does_not_wait_for_a_server_that_says_nothing(
    tmp_path: Path,
) -> None:
    data = tmp_path / "temporal"
    data.mkdir()
    with start_temporal(data) as server:
        product = Product(address=server.address, folder=tmp_path / "product")
        worker = product.start_worker(FLOWRUNNER_SHUTDOWN_GRACE="1s")
        os.kill(server.process.pid, signal.SIGSTOP)
        try:
            assert worker.stop(seconds=25) == 1  # half a minute is what its calls may take
        finally:
            os.kill(server.process.pid, signal.SIGCONT)
    assert "which does not answer" in worker.output()
