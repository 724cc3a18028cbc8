"""`llm.chat` with `schema`: answers that fit, are mended, or fail."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.llm import Answer, Asked, Says, asked

CLOSED: dict[str, Any] = {
    "type": "object",
    "required": ["age"],
    "additionalProperties": False,
    "properties": {"age": {"type": "integer"}},
}
GOOD, BAD = Says(text='{"age": 5}'), Says(text='{"age": "five"}')
BOTH = ("openai", "anthropic")


@pytest.fixture
def model() -> Iterator[Asked]:
    with asked() as found:
        yield found


@pytest.mark.parametrize("via", BOTH)
@pytest.mark.parametrize("structured", ["native", "prompt"])
async def test_an_answer_that_fits_is_given_as_json(
    model: Asked, via: str, structured: str
) -> None:
    done = await model.chat(GOOD, via=via, schema=CLOSED, structured=structured)
    assert done["json"] == {"age": 5}
    assert json.loads(done["text"]) == {"age": 5}
    assert done["message"] == {"role": "assistant", "content": done["text"]}
    assert done["stop"] == "end"


async def test_openai_is_asked_by_its_own_means(model: Asked) -> None:
    await model.chat(GOOD, schema=CLOSED)
    [question] = model.questions
    schema = {"name": "answer", "schema": CLOSED, "strict": True}
    assert question["response_format"] == {"type": "json_schema", "json_schema": schema}
    assert len(question["messages"]) == 1


@pytest.mark.parametrize(
    "schema",
    [
        {**CLOSED, "additionalProperties": True},
        {**CLOSED, "required": []},
        {**CLOSED, "properties": {"age": {"type": "integer", "minimum": 3}}},
        {**CLOSED, "properties": {"age": {"anyOf": [{"type": "object"}, {"type": "integer"}]}}},
    ],
)
async def test_openai_is_not_held_to_what_it_cannot_keep_to(model: Asked, schema: Any) -> None:
    await model.chat(GOOD, schema=schema)
    assert "strict" not in model.questions[0]["response_format"]["json_schema"]


async def test_anthropic_is_asked_by_a_tool(model: Asked) -> None:
    await model.chat(GOOD, via="anthropic", schema=CLOSED)
    [question] = model.questions
    assert question["tools"] == [{"name": "answer", "input_schema": CLOSED}]
    assert question["tool_choice"] == {"type": "tool", "name": "answer"}


@pytest.mark.parametrize(
    "params",
    [
        {"structured": "prompt", "schema": CLOSED},
        {"via": "anthropic", "structured": "prompt", "schema": CLOSED},
        {"via": "anthropic", "schema": CLOSED, "tools": [{"name": "weather"}]},
    ],
)
async def test_others_are_asked_in_words(model: Asked, params: Any) -> None:
    assert (await model.chat(GOOD, system="Hm.", **params))["json"] == {"age": 5}
    [question] = model.questions
    system = question.get("system") or question["messages"][0]["content"]
    assert system.startswith("Hm.\n\n")
    assert json.dumps(CLOSED, separators=(",", ":")) in system
    assert "response_format" not in question
    assert "tool_choice" not in question


async def test_schemas_of_other_values_are_asked_for_in_words(model: Asked) -> None:
    said = Says(text="[1, 2]")
    done = await model.chat(said, schema={"type": "array", "items": {"type": "integer"}})
    assert done["json"] == [1, 2]
    assert "response_format" not in model.questions[0]


@pytest.mark.parametrize(
    "text",
    [
        'Sure!\n```json\n{"age": 5}\n```\nAnything else?',
        '```\n{"age": 5}\n```',
        '<think>{"age": 6}</think>\n{"age": 5}',
        ' {"age": 5} \n',
    ],
)
async def test_what_stands_around_the_json_does_not_matter(model: Asked, text: str) -> None:
    assert (await model.chat(Says(text=text), schema=CLOSED, repair=0))["json"] == {"age": 5}


@pytest.mark.parametrize("via", BOTH)
async def test_an_answer_that_does_not_fit_is_sent_back(model: Asked, via: str) -> None:
    price = {"input": 1, "output": 1}
    done = await model.chat(BAD, GOOD, via=via, schema=CLOSED, price=price)
    assert done["json"] == {"age": 5}
    assert done["usage"] == {
        "input_tokens": 20,
        "output_tokens": 10,
        "cached_tokens": 0,
        "calls": 2,
    }
    assert done["cost"] == pytest.approx(30 / 1_000_000)
    first, second = model.questions
    assert second["messages"][: len(first["messages"])] == first["messages"]
    answer, question = second["messages"][-2:]
    assert json.loads(_text(answer)) == {"age": "five"}
    assert "age: expected a whole number" in _text(question)
    keys = [request.headers["Idempotency-Key"] for request in model.service.requests]
    assert keys[0] != keys[1]


def _text(message: Any) -> str:
    content = message["content"]
    return str(content if isinstance(content, str) else content[0]["text"])


async def test_after_so_many_times_it_fails_with_what_is_wrong(model: Asked) -> None:
    long = Says(text=json.dumps({"age": "x" * 5000}))
    price = {"input": 1, "output": 1}
    failed = await model.refused("InvalidOutput", BAD, long, schema=CLOSED, repair=1, price=price)
    assert failed.non_retryable
    details = failed.details[0].value["details"]
    assert len(details["text"]) == 2000
    assert "age: expected a whole number" in details["problems"][0]
    assert details["usage"]["calls"] == 2
    assert details["cost"] == pytest.approx(30 / 1_000_000)
    assert len(model.questions) == 2


async def test_an_answer_that_is_no_json_is_sent_back(model: Asked) -> None:
    assert (await model.chat(Says(text="five"), GOOD, schema=CLOSED))["json"] == {"age": 5}
    assert "it is no JSON" in model.questions[1]["messages"][-1]["content"]


@pytest.mark.parametrize("via", BOTH)
async def test_an_answer_that_was_cut_off_is_not_asked_for_again(model: Asked, via: str) -> None:
    cut = Says(text='{"age": 5}', stop="length")
    failed = await model.refused("InvalidOutput", cut, via=via, schema=CLOSED)
    assert "max_tokens" in failed.message
    assert len(model.questions) == 1


@pytest.mark.parametrize("via", BOTH)
async def test_a_model_that_refuses_is_not_asked_again(model: Asked, via: str) -> None:
    no = Says(refusal="I will not.")
    failed = await model.refused("ContentRefused", no, via=via, schema=CLOSED)
    assert "I will not." in failed.message
    assert len(model.questions) == 1


@pytest.mark.parametrize("via", BOTH)
async def test_tools_come_before_the_answer(model: Asked, via: str) -> None:
    call = {"id": "c1", "name": "weather", "arguments": {}}
    tools = [{"name": "weather"}]
    done = await model.chat(Says(calls=[call]), via=via, schema=CLOSED, tools=tools)
    assert done["stop"] == "tool_calls"
    assert done["message"]["tool_calls"] == [call]
    assert "json" not in done


async def test_an_endpoint_without_schemas_is_told_the_way_out(model: Asked) -> None:
    body = {"error": {"message": "unknown field response_format"}}
    failed = await model.refused("InvalidRequest", Answer(status=400, body=body), schema=CLOSED)
    assert "structured: prompt" in failed.message


async def test_a_schema_that_is_none_is_refused_before_anything_is_asked(model: Asked) -> None:
    failed = await model.refused("InvalidSchema", GOOD, schema={"type": "objekt"})
    assert "schema.type" in failed.message
    assert model.questions == []
