"""Agents: what a flow may say of them, the loop they stand for, and what their model is told."""

from __future__ import annotations

from collections.abc import Coroutine, Mapping
from typing import Any

import pytest

from activities.agent import turns
from activities.agent.agent import TurnParams
from activities.agent.toolbox import Offered, Toolbox
from activities.attempt import Attempt
from activities.declaration import Acted
from activities.errors import NodeFailed
from activities.llm.chat import ChatParams, ChatResult
from flowspec.values import Json, JsonObject
from tests.stage import Played, Way, every_way, fails, play_text
from tests.unit.checking import checked, codes, messages, node_of
from tests.world import Fail, Handler

DESK = """\
flow: desk
input: {properties: {question: {type: string, default: "And in Linz?"}}}
nodes:
  answer:
    type: agent
    params:
      model: small
      system: Be brief
      prompt: ${input.question}
      budget: {steps: 4}
    tools:
      weather:
        type: log
        description: "Costs ${nothing} at all"
        parameters: {required: [city], properties: {city: {type: string}}}
        params: {message: "${call.city}", data: {at: "${index}", round: "${iteration}"}}
      ask:
        type: block
        description: Ask somebody
        parameters: {properties: {what: {}}}
        nodes:
          reach: {type: log, params: {message: "asked ${call.what}"}}
        output: {said: "${call.what}!"}
output: ${nodes.answer.output}
"""


def call(name: str, id: str = "", **arguments: Json) -> JsonObject:
    return {"id": id or f"{name}-1", "name": name, "arguments": {**arguments}}


def says(text: str = "", *calls: JsonObject, tokens: int = 10) -> ChatResult:
    usage: Any = {"input_tokens": tokens, "output_tokens": 1, "cached_tokens": 0, "calls": 1}
    message: Any = {"role": "assistant", "content": text}
    if calls:
        message["tool_calls"] = [*calls]
    stop: Any = "tool_calls" if calls else "end"
    return {
        "message": message,
        "text": text,
        "stop": stop,
        "model": "small",
        "usage": usage,
        "cost": None,
    }


def finished(coroutine: Coroutine[Any, Any, Any]) -> Any:
    """The result of a coroutine that waits for nothing."""
    try:
        coroutine.send(None)
    except StopIteration as ended:
        return ended.value
    raise AssertionError("it waits for something")


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[ChatParams]:
    """What the model is asked in these tests, where it answers without a server."""
    heard: list[ChatParams] = []

    async def chat(params: ChatParams, _: Attempt) -> ChatResult:
        heard.append(params)
        assert params.messages is not None
        turn = sum(message.role == "assistant" for message in params.messages)
        return SCRIPT[turn]

    monkeypatch.setattr(turns, "chat", chat)
    return heard


SCRIPT: list[ChatResult] = []


def take(params: JsonObject) -> Acted[Any]:
    attempt = Attempt(node="n", flow="f", run_id="r", key="k")
    took: Acted[Any] = finished(turns.take(TurnParams.model_validate(params), attempt))
    return took


def turn(argument: JsonObject) -> Any:
    params = argument["params"]
    assert isinstance(params, dict)
    try:
        took = take(params)
    except NodeFailed as failed:
        raise Fail(failed.error.name, failed.message, failed.details) from failed
    return took.output, took.action


def played(
    way: Way,
    *script: ChatResult,
    text: str = DESK,
    answers: Mapping[str, Handler] | None = None,
) -> Played:
    SCRIPT[:] = script
    given: JsonObject = {"question": "And in Linz?"}
    return play_text(text, way, given, answers={"agent.turn": turn, **(answers or {})})


def told(params: ChatParams) -> list[tuple[str, Any]]:
    """The last of what a model is told: what came of its calls."""
    assert params.messages is not None
    dumped = [message.model_dump(exclude_unset=True) for message in params.messages]
    return [(each["id"], each["content"]) for each in dumped if each["role"] == "tool"]


# -- the loop --------------------------------------------------------------------------------------


@every_way
def test_a_model_that_calls_nothing_has_answered(way: Way, asked: list[ChatParams]) -> None:
    run = played(way, says("Sunny"))
    output = run.finished.output
    assert isinstance(output, dict)
    assert (output["text"], output["steps"], output["stop"]) == ("Sunny", 1, "end")
    assert output["transcript"] == [
        {"role": "system", "content": "Be brief"},
        {"role": "user", "content": "And in Linz?"},
        {"role": "assistant", "content": "Sunny"},
    ]
    assert [tool.name for tool in asked[-1].tools] == ["weather", "ask"]
    assert asked[-1].tools[0].description == "Costs ${nothing} at all"
    assert run.calls == ["answer/answer_turn"]


@every_way
def test_every_turn_and_every_call_is_a_step_of_its_own(way: Way, asked: list[ChatParams]) -> None:
    run = played(
        way,
        says("", call("weather", "a", city="Linz"), call("weather", "b", city="Graz")),
        says("", call("ask", "c", what="why"), call("weather", "d", city="Wels")),
        says("Fine"),
    )
    assert sorted(run.calls) == sorted(
        [
            *("answer/answer_turn", "answer/weather.0", "answer/weather.1"),
            *("answer/answer_turn#2", "answer/weather#2.0", "answer/ask#2.0/reach"),
            "answer/answer_turn#3",
        ]
    )
    assert sorted(run.messages) == ["Graz", "Linz", "Wels", "asked why"]
    last = told(asked[-1])
    assert [each for each, _ in last] == ["a", "b", "c", "d"]
    assert last[2][1] == {"said": "why!"}
    assert last[1][1] == {"message": "Graz", "data": {"at": 1, "round": 1}}
    output = run.finished.output
    assert isinstance(output, dict)
    assert (output["text"], output["steps"]) == ("Fine", 3)
    assert output["usage"]["input_tokens"] == 30  # type: ignore[index,call-overload]


@every_way
def test_a_tool_that_fails_is_told_to_the_model(way: Way, asked: list[ChatParams]) -> None:
    run = played(
        way,
        says("", call("weather", "a", city="Linz"), call("weather", "b", city="Graz")),
        says("So so"),
        answers={"answer/weather.1": fails("Boom", "no weather in Graz")},
    )
    assert run.finished.status == "completed"
    assert dict(told(asked[-1]))["b"] == "Boom: no weather in Graz"
    assert dict(told(asked[-1]))["a"] == {"message": "Linz", "data": {"at": 0, "round": 1}}


@every_way
def test_a_call_that_cannot_be_made_is_told_at_once(way: Way, asked: list[ChatParams]) -> None:
    no_json: JsonObject = {"id": "c", "name": "weather", "arguments": None, "invalid": "{"}
    run = played(way, says("", call("weather", "a"), call("nothing", "b"), no_json), says("I see"))
    assert run.messages == []
    answers = dict(told(asked[-1]))
    assert "city" in answers["a"]
    assert answers["b"] == "there is no tool 'nothing'; there are weather, ask"
    assert answers["c"] == "the arguments are not a JSON object"
    assert run.calls == ["answer/answer_turn", "answer/answer_turn#2"]


@every_way
def test_an_agent_that_comes_to_no_end_fails_with_what_it_said(
    way: Way, asked: list[ChatParams]
) -> None:
    run = played(way, *[says("", call("weather", "a", city="Linz"))] * 9)
    assert run.error["type"] == "BudgetSpent"
    assert run.error["message"] == "no answer within its budget: steps 4 of 4"
    details = run.error["details"]
    assert isinstance(details, dict)
    assert details["budget"] == "steps"
    assert [one["role"] for one in details["transcript"]].count("tool") == 4  # type: ignore[union-attr,index,call-overload]
    assert len(asked) == 4


def test_the_budget_may_be_one_of_tokens(asked: list[ChatParams]) -> None:
    text = DESK.replace("steps: 4", "tokens: 100")
    run = played(Way(), *[says("", call("weather", "a", city="Linz"), tokens=59)] * 9, text=text)
    assert run.error["message"] == "no answer within its budget: tokens 120 of 100"
    assert len(asked) == 2


@every_way
def test_an_agent_in_a_foreach_has_a_conversation_for_each_item(
    way: Way, asked: list[ChatParams]
) -> None:
    text = DESK.replace("type: agent\n", "type: agent\n    foreach: [Linz, Graz]\n").replace(
        "prompt: ${input.question}", "prompt: In ${item}?"
    )
    run = played(way, says("", call("weather", "a", city="Wels")), says("Sunny"), text=text)
    outputs = run.finished.output
    assert isinstance(outputs, list)
    prompts = [output["transcript"][1]["content"] for output in outputs]  # type: ignore[index,call-overload]
    assert prompts == ["In Linz?", "In Graz?"]
    assert len(asked) == 4


SERVER = """\
flow: served
nodes:
  answer:
    type: agent
    params: {model: small, prompt: Go}
    tools:
      docs: {type: mcp.call, params: {url: "https://docs.example/mcp", allow: [find]}}
output: ${nodes.answer.output.text}
"""


@every_way
def test_all_tools_of_a_server_are_offered(way: Way, asked: list[ChatParams]) -> None:
    listed: JsonObject = {"tools": [{"name": "find.all", "description": "F", "parameters": {}}]}
    run = played(
        way,
        says("", call("docs_find_all", "a", what="x")),
        says("Found"),
        text=SERVER,
        answers={
            "mcp.tools": lambda _: listed,
            "mcp.call": lambda argument: {"did": argument["params"]},
        },
    )
    assert run.finished.output == "Found"
    assert run.calls[0] == "answer/docs_tools"
    assert run.call("answer/docs_tools").argument["params"] == {
        "url": "https://docs.example/mcp",
        "allow": ["find"],
    }
    assert [tool.name for tool in asked[0].tools] == ["docs_find_all"]
    did = dict(told(asked[-1]))["a"]["did"]
    assert did == {
        "url": "https://docs.example/mcp",
        "allow": ["find"],
        "tool": "find.all",
        "arguments": {"what": "x"},
    }


# -- what a flow may say ---------------------------------------------------------------------------


def agent(rest: str) -> str:
    return f"""\
flow: f
nodes:
  answer:
    type: agent
    params: {{model: m, prompt: p}}
{rest}
"""


CITY = "type: log, parameters: {properties: {city: {type: string}}}"


@pytest.mark.parametrize(
    ("rest", "code", "words"),
    [
        ("    tools: {a: {type: noop, next: b}, b: {type: noop}}", "FR210", "a tool has no 'next'"),
        ("    tools: {a: {type: noop, foreach: [1]}}", "FR210", "a tool has no 'foreach'"),
        ("    tools: {answer: {type: noop}}", "FR208", "already used"),
        ("    tools: {answer_turn: {type: noop}}", "FR208", "the agent 'answer' has a step"),
        ("    nodes: {a: {type: noop}}", "FR210", "only a block has 'nodes'"),
        ("  other: {type: noop, tools: {a: {type: noop}}}", "FR210", "only an agent has 'tools'"),
        ("    tools: {a: {type: nop}}", "FR501", "did you mean 'noop'"),
        ("    tools: {a: {type: noop, params: {x: 1}}}", "FR502", "noop"),
        ("    tools: {a: {type: log, params: {message: '${call.x + }'}}}", "FR401", ""),
        ("    tools: {a: {type: log, params: {message: '${cal.x}'}}}", "FR402", "cal"),
        (
            f"    tools: {{a: {{{CITY}, params: {{message: '${{call.ctiy}}'}}}}}}",
            "FR408",
            "'city'?",
        ),
        ("    tools: {a: {type: log, params: {message: '${call.x}'}}}", "FR408", "add it to"),
        ("    tools: {a: {type: noop, parameters: {type: nothing}}}", "FR214", "nothing"),
        ("    tools: {a: {type: http.request, params: {url: x}}}", "FR502", "begins with http://"),
        ("    cache: 5s", "FR505", "cache"),
        ("    retry: {only: [Nothing]}", "FR508", "agent never ends with the error 'Nothing'"),
    ],
)
def test_what_is_wrong_with_an_agent_is_told_where_it_stands(
    rest: str, code: str, words: str
) -> None:
    found = checked(agent(rest)).problems
    assert [problem.code for problem in found] == [code]
    assert words in found[0].message
    assert found[0].line == 6


def test_parameters_of_an_agent_are_told_once() -> None:
    text = agent("").replace("prompt: p", "promt: p")
    assert codes(text) == ["FR502 5:24"]
    text = agent("").replace("prompt: p", 'prompt: "${inptu.x}"')
    assert len(messages(text)) == 1


def test_what_a_tool_gives_is_read_by_the_model_alone() -> None:
    text = agent("    tools: {a: {type: noop}}") + "output: ${nodes.a.output}\n"
    assert messages(text) == ["'a' is a tool of the agent 'answer', and read by its model alone"]


def test_how_often_to_try_again_is_said_of_each_turn() -> None:
    plan = node_of(agent("    retry: 7\n    heartbeat: 5s\n    queue: gpu"), "answer")
    assert plan.graph is not None
    turn = plan.graph.nodes[0]
    assert (turn.retry.attempts, turn.heartbeat, turn.queue) == (7, 5, "gpu")


def test_what_an_agent_gives_is_known() -> None:
    text = agent("") + "output: ${nodes.answer.output.txt}\n"
    assert "did you mean 'text'" in messages(text)[0]


def test_a_secret_of_an_agent_is_one_that_is_used() -> None:
    text = agent("").replace("prompt: p", "prompt: p, api_key: '${secrets.KEY}'")
    assert messages(text.replace("nodes:", "secrets: [KEY]\nnodes:")) == []
    text = agent("").replace("prompt: p", "prompt: '${secrets.KEY}'")
    assert codes(text.replace("nodes:", "secrets: [KEY]\nnodes:"))[0].startswith("FR602")


# -- tools -----------------------------------------------------------------------------------------


def test_tools_have_names_that_every_endpoint_takes() -> None:
    servers = {"s": [Offered(name=name, parameters={}) for name in ("a.b", "a/b", "ü" * 90)]}
    names = [tool["name"] for tool in Toolbox({}, servers).described()]
    assert names[:2] == ["s_a_b", "s_a_b_2"]
    assert len(str(names[2])) == 64


def test_what_a_tool_gives_is_shortened_for_the_model(asked: list[ChatParams]) -> None:
    text = DESK.replace("budget:", "longest_result: 100\n      budget:")
    played(
        Way(),
        says("", call("weather", "a", city="L" * 500)),
        says("Long"),
        text=text,
    )
    content = dict(told(asked[-1]))["a"]
    assert content.startswith('{"message": "LLL')
    assert content.endswith("characters in all)")
    assert len(content) < 160
