"""Agents on the shipped worker, with a model that says what it is told to, over HTTP."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path

import pytest

from activities.agent.agent import AGENT, AGENT_TURN
from examples.llm_service import Model, Says
from tests.mcp_server import serving
from tests.server.conftest import MakeProduct
from tests.server.support import Answer, HttpService, Product, Received, until

FLOW = """\
flow: {name}
input: {{required: [service], properties: {{service: {{type: string}}}}}}
secrets: [LLM_KEY]
nodes:
  answer:
    type: agent
    title: Weather desk
    params:
      base_url: ${{input.service}}/v1
      model: small
      api_key: ${{secrets.LLM_KEY}}
      prompt: How is it in Linz and Graz?
      price: {{input: 1, output: 2}}
    timeout: 2m
    tools:
      weather:
        type: http.request
        description: The weather of a city
        parameters: {{required: [city], properties: {{city: {{type: string}}}}}}
        params: {{url: "${{input.service}}/weather/${{call.city}}"}}
        heartbeat: 2s
      decide:
        type: approval
        description: Ask a person
        parameters: {{required: [question], properties: {{question: {{type: string}}}}}}
        params: {{title: "${{call.question}}"}}
output: ${{nodes.answer.output}}
"""
KEY = "sk-test-1234"


def weather(service: HttpService, city: str, answer: Answer | None = None) -> None:
    service.on("GET", f"/weather/{city}", answer or Answer(body={"city": city, "degrees": 21}))


def calls(*cities: str) -> Says:
    return Says(calls=[{"name": "weather", "arguments": {"city": city}} for city in cities])


async def test_an_agent_answers_with_what_its_tools_gave_it(
    make_product: MakeProduct, http_service: HttpService
) -> None:
    product = make_product(FLOWRUNNER_SECRET_LLM_KEY=KEY)
    product.write_flow("desk", FLOW.format(name="desk"))
    product.start_worker()
    model = Model(http_service, calls("Linz", "Graz"), Says(text="Fine"), key=KEY)
    weather(http_service, "Linz")
    weather(http_service, "Graz", Answer(status=404, body="no such city"))
    done = product.cli_json("run", "desk", "--json", "--set", f"service={http_service.url}")
    assert done["status"] == "completed", done
    output = done["output"]
    assert (output["text"], output["steps"]) == ("Fine", 2)
    assert output["usage"]["input_tokens"] == 20
    assert output["cost"] == pytest.approx((20 * 1 + 10 * 2) / 1_000_000)
    told = {each["tool_call_id"]: each["content"] for each in model.questions[1]["messages"][-2:]}
    assert '"degrees":21' in told["call_0"].replace(" ", "")
    assert "404" in told["call_1"]
    status = product.cli("status", done["workflow_id"]).stdout
    tolerated = next(line for line in status.splitlines() if "weather" in line)
    assert tolerated.strip().startswith("! ")
    assert "1 of 2 items failed; " in tolerated
    assert "weather.1: HttpClientError: " in tolerated


async def test_the_example_of_the_reference_runs(
    make_product: MakeProduct, http_service: HttpService
) -> None:
    product = make_product(FLOWRUNNER_SECRET_OPENAI_KEY=KEY)
    text = AGENT.example.replace("https://weather.example/v1", f"{http_service.url}/weather")
    here = f"model: gpt-5-mini\n      base_url: {http_service.url}/v1"
    product.write_flow("weather-desk", text.replace("model: gpt-5-mini", here))
    product.start_worker()
    called = {"name": "forecast", "arguments": {"city": "Linz"}}
    Model(http_service, Says(calls=[called]), Says(text="Sunny in Linz"), key=KEY)
    weather(http_service, "Linz")
    done = product.cli_json("run", "weather-desk", "--json", "--set", "question=Linz?")
    assert done["output"] == "Sunny in Linz", done
    turn = AGENT_TURN.node_type.example
    here = f"model: llama3, base_url: '{http_service.url}/v1', api_key: {KEY}"
    product.write_flow("one-turn", turn.replace("model: llama3", here))
    assert product.cli_json("run", "one-turn", "--json")["output"] == "Sunny in Linz"


async def test_no_answer_is_paid_for_twice_when_the_worker_is_killed(
    make_product: MakeProduct, http_service: HttpService
) -> None:
    product = make_product(FLOWRUNNER_SECRET_LLM_KEY=KEY)
    product.write_flow("crashing", FLOW.format(name="crashing"))
    worker = product.start_worker()
    model = Model(http_service, calls("Linz"), calls("Graz"), Says(text="Fine"), key=KEY)
    reached, go_on = threading.Event(), threading.Event()

    def slowly(_: Received) -> Answer:
        reached.set()
        go_on.wait(60)
        return Answer(body={"degrees": 20})

    weather(http_service, "Linz")
    http_service.on("GET", "/weather/Graz", slowly)
    client = await product.client()
    run = await client.start_workflow(
        "crashing", {"service": http_service.url}, id="crash", task_queue=product.task_queue
    )
    await asyncio.to_thread(until, reached.is_set, what="the second call of a tool")
    worker.kill()
    go_on.set()
    product.start_worker()
    output = await run.result()
    assert output["text"] == "Fine"
    assert len(model.questions) == 3
    assert http_service.asked.count("GET /weather/Linz") == 1


async def test_a_person_may_be_a_tool(make_product: MakeProduct, http_service: HttpService) -> None:
    product = make_product(FLOWRUNNER_SECRET_LLM_KEY=KEY)
    product.write_flow("asking", FLOW.format(name="asking"))
    product.start_worker()
    question = {"name": "decide", "arguments": {"question": "Shall it rain?"}}
    model = Model(http_service, Says(calls=[question]), Says(text="As you say"), key=KEY)
    client = await product.client()
    run = await client.start_workflow(
        "asking", {"service": http_service.url}, id="asking", task_queue=product.task_queue
    )
    await asyncio.to_thread(
        until, lambda: _waits(product, "asking", "Shall it rain?"), what="the question"
    )
    assert product.cli("approve", "asking", "--action", "rejected").returncode == 0
    assert (await run.result())["text"] == "As you say"
    assert "rejected" in model.questions[1]["messages"][-1]["content"]


SERVED = """\
flow: served
input: {required: [service, docs], properties: {service: {}, docs: {}}}
nodes:
  answer:
    type: agent
    params: {base_url: "${input.service}/v1", model: small, prompt: What is two and three?}
    tools:
      sums: {type: mcp.call, params: {url: "${input.docs}", allow: [add]}}
output: ${nodes.answer.output.text}
"""


async def test_the_tools_of_a_real_mcp_server_are_tools_of_an_agent(
    product: Product, http_service: HttpService, tmp_path: Path
) -> None:
    called = {"name": "sums_add", "arguments": {"a": 2, "b": 3}}
    model = Model(http_service, Says(calls=[called]), Says(text="Five"))
    client = await product.client()
    with serving(tmp_path) as served:
        given = {"service": http_service.url, "docs": served.url}
        run = await client.start_workflow(
            "flow", {"flow": SERVED, "input": given}, id="served", task_queue=product.task_queue
        )
        assert await run.result() == "Five"
    assert [tool["function"]["name"] for tool in model.questions[0]["tools"]] == ["sums_add"]
    assert "5" in model.questions[1]["messages"][-1]["content"]


def _waits(product: Product, run: str, title: str) -> bool:
    return title in product.cli("status", run).stdout
