"""`llm.chat`: what is asked, what is answered, and what goes wrong."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from typing import Any

import pytest
from temporalio.exceptions import ApplicationError

from activities.addresses import AddressPolicy
from activities.attempt import Attempt, Resources
from activities.errors import NodeFailed
from activities.llm.chat import LLM_CHAT, ChatParams, chat
from activities.llm.dialect import url_at
from tests.attempts import lasting, perform
from tests.llm import Answer, Asked, Says, asked, lasting_after
from tests.shaping import act, refused

BOTH = ("openai", "anthropic")
CALL = {"id": "c1", "name": "weather", "arguments": {"city": "Rome"}}
TOOL = {"name": "weather", "description": "The weather", "parameters": {"type": "object"}}


@pytest.fixture
def model() -> Iterator[Asked]:
    with asked() as found:
        yield found


@pytest.mark.parametrize("via", BOTH)
async def test_an_answer_says_what_was_said_and_what_was_used(model: Asked, via: str) -> None:
    said = Says(text="Hi!", input_tokens=100, output_tokens=20, cached_tokens=60)
    price = {"input": 2.0, "cached_input": 0.5, "output": 10.0}
    done = await model.chat(said, via=via, price=price)
    assert done == {
        "message": {"role": "assistant", "content": "Hi!"},
        "text": "Hi!",
        "stop": "end",
        "model": getattr(model, via)["model"],
        "usage": {"input_tokens": 100, "output_tokens": 20, "cached_tokens": 60, "calls": 1},
        "cost": pytest.approx((40 * 2 + 60 * 0.5 + 20 * 10) / 1_000_000),
    }


async def test_without_a_price_there_is_no_cost(model: Asked) -> None:
    assert (await model.chat(Says(text="Hi")))["cost"] is None


async def test_usage_nobody_tells_costs_nobody_knows(model: Asked) -> None:
    body = {"choices": [{"message": {"content": "Hi"}}]}
    done = await model.chat(Answer(body=body), price={"input": 1, "output": 1})
    assert (done["text"], done["stop"], done["model"], done["cost"]) == ("Hi", "end", "m-1", None)


async def test_what_openai_is_asked(model: Asked) -> None:
    await model.chat(
        Says(),
        system="Be brief.",
        temperature=0.5,
        max_tokens=9,
        seed=3,
        stop=["END"],
        tools=[TOOL],
        tool_choice="weather",
        extra={"top_k": 4},
    )
    assert model.questions == [
        {
            "model": "m-1",
            "messages": [
                {"role": "system", "content": "Be brief."},
                {"role": "user", "content": "Hello?"},
            ],
            "max_tokens": 9,
            "temperature": 0.5,
            "seed": 3,
            "stop": ["END"],
            "tools": [{"type": "function", "function": TOOL}],
            "tool_choice": {"type": "function", "function": {"name": "weather"}},
            "top_k": 4,
        }
    ]


async def test_what_anthropic_is_asked(model: Asked) -> None:
    await model.chat(
        Says(),
        via="anthropic",
        system="Be brief.",
        temperature=0.5,
        stop=["END"],
        tools=[TOOL],
        tool_choice="required",
        extra={"top_k": 4},
    )
    assert model.questions == [
        {
            "model": "c-1",
            "max_tokens": 4096,
            "system": "Be brief.",
            "messages": [{"role": "user", "content": [{"type": "text", "text": "Hello?"}]}],
            "temperature": 0.5,
            "stop_sequences": ["END"],
            "tools": [
                {
                    "name": "weather",
                    "description": "The weather",
                    "input_schema": {"type": "object"},
                }
            ],
            "tool_choice": {"type": "any"},
            "top_k": 4,
        }
    ]


async def test_openais_own_models_get_the_limit_by_its_new_name() -> None:
    from activities.llm.dialect import Asked as Question
    from activities.llm.openai import OPENAI

    def names(**params: Any) -> set[str]:
        given = ChatParams(model="m", prompt="x", max_tokens=5, **params)
        return set(OPENAI.body(Question(params=given, messages=[])))

    assert "max_completion_tokens" in names()
    assert "max_completion_tokens" in names(base_url="https://x.openai.azure.com/openai/v1")
    assert "max_tokens" in names(base_url="https://openai.com.example.org/v1")


async def test_a_prompt_is_a_template_only_with_data(model: Asked) -> None:
    await model.chat(Says(), prompt="{{a}}", data={"a": "{{b}}"}, system="for {{a}}")
    await model.chat(Says(), prompt="{{a}}")
    first, second = model.questions
    assert [each["content"] for each in first["messages"]] == ["for {{b}}", "{{b}}"]
    assert second["messages"][0]["content"] == "{{a}}"
    await model.refused("InvalidTemplate", prompt="{{a}}", data={})


CONVERSATION = [
    {"role": "system", "content": [{"type": "text", "text": "Be brief."}]},
    {"role": "user", "content": "Rome and Oslo?"},
    {
        "role": "assistant",
        "content": "",
        "tool_calls": [CALL, {"id": "c2", "name": "weather", "arguments": None, "invalid": "{"}],
    },
    {"role": "tool", "id": "c1", "content": {"sky": "blue"}},
    {"role": "tool", "id": "c2", "content": "no JSON", "failed": True},
    {"role": "user", "content": [{"type": "text", "text": "And?"}, {"type": "text", "text": ""}]},
]


async def test_a_conversation_in_the_words_of_openai(model: Asked) -> None:
    await model.chat(Says(), messages=CONVERSATION)
    [question] = model.questions

    def call(identity: str, arguments: str) -> Any:
        function = {"name": "weather", "arguments": arguments}
        return {"id": identity, "type": "function", "function": function}

    assert question["messages"] == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Rome and Oslo?"},
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [call("c1", '{"city":"Rome"}'), call("c2", "{")],
        },
        {"role": "tool", "tool_call_id": "c1", "content": '{"sky":"blue"}'},
        {"role": "tool", "tool_call_id": "c2", "content": "It failed: no JSON"},
        {
            "role": "user",
            "content": [{"type": "text", "text": "And?"}, {"type": "text", "text": ""}],
        },
    ]


async def test_a_conversation_in_the_words_of_anthropic(model: Asked) -> None:
    await model.chat(Says(), via="anthropic", messages=CONVERSATION, system="You are Ann.")
    [question] = model.questions
    assert question["system"] == "You are Ann.\n\nBe brief."
    assert question["messages"] == [
        {"role": "user", "content": [{"type": "text", "text": "Rome and Oslo?"}]},
        {
            "role": "assistant",
            "content": [
                {"type": "tool_use", "id": "c1", "name": "weather", "input": {"city": "Rome"}},
                {"type": "tool_use", "id": "c2", "name": "weather", "input": {"invalid": "{"}},
            ],
        },
        {
            "role": "user",
            "content": [
                {"type": "tool_result", "tool_use_id": "c1", "content": '{"sky":"blue"}'},
                {
                    "type": "tool_result",
                    "tool_use_id": "c2",
                    "content": "no JSON",
                    "is_error": True,
                },
                {"type": "text", "text": "And?"},
            ],
        },
    ]


@pytest.mark.parametrize("via", BOTH)
async def test_what_the_model_wants_done_can_be_told_back_to_it(model: Asked, via: str) -> None:
    done = await model.chat(Says(text="Look:", calls=[CALL]), via=via, tools=[TOOL])
    assert done["stop"] == "tool_calls"
    assert done["message"] == {"role": "assistant", "content": "Look:", "tool_calls": [CALL]}
    answer = {"role": "tool", "id": "c1", "content": "sunny"}
    messages = [{"role": "user", "content": "Rome?"}, done["message"], answer]
    last = await model.chat(Says(text="Sunny."), via=via, messages=messages, tools=[TOOL])
    assert (last["text"], last["stop"]) == ("Sunny.", "end")


@pytest.mark.parametrize(
    ("arguments", "call"),
    [
        ("{not json", {"arguments": None, "invalid": "{not json"}),
        ("[1]", {"arguments": None, "invalid": "[1]"}),
        ("x" * 5000, {"arguments": None, "invalid": "x" * 2000}),
        ("", {"arguments": {}}),
    ],
)
async def test_arguments_that_are_no_object_are_told_and_no_failure(
    model: Asked, arguments: str, call: dict[str, Any]
) -> None:
    said = Says(calls=[{"id": "c", "name": "weather", "arguments": arguments}])
    done = await model.chat(said, tools=[TOOL])
    assert done["message"]["tool_calls"] == [{"id": "c", "name": "weather", **call}]
    again = [{"role": "user", "content": "?"}, done["message"]]
    assert (await model.chat(Says(text="ok"), messages=again))["text"] == "ok"


async def test_thoughts_that_anthropic_seals_go_back_first(model: Asked) -> None:
    thought = {"type": "thinking", "thinking": "hm", "signature": "s"}
    blocks = [thought, {"type": "text", "text": "Hi"}]
    usage = {"input_tokens": 1, "output_tokens": 2, "cache_creation_input_tokens": 3}
    body = {"content": blocks, "stop_reason": "end_turn", "usage": usage}
    done = await model.chat(Answer(body=body), via="anthropic")
    assert done["message"]["thinking"] == [thought]
    assert done["usage"]["input_tokens"] == 4
    await model.chat(Says(), via="anthropic", messages=[done["message"]])
    assert model.questions[-1]["messages"] == [{"role": "assistant", "content": blocks}]


@pytest.mark.parametrize("via", BOTH)
@pytest.mark.parametrize(
    ("said", "stop"),
    [
        (Says(text="cut", stop="length"), "length"),
        (Says(refusal="I will not."), "refused"),
    ],
)
async def test_why_an_answer_ended(model: Asked, via: str, said: Says, stop: str) -> None:
    done = await model.chat(said, via=via)
    assert done["stop"] == stop
    assert done["text"]


async def test_servers_that_call_a_tool_and_say_they_have_ended_are_understood(
    model: Asked,
) -> None:
    done = await model.chat(Says(calls=[CALL], stop="stop"), tools=[TOOL])
    assert done["stop"] == "tool_calls"


@pytest.mark.parametrize(
    ("base", "path", "url"),
    [
        ("http://a/v1", "chat/completions", "http://a/v1/chat/completions"),
        ("http://a/v1/", "chat/completions", "http://a/v1/chat/completions"),
        ("http://a/x?api-version=1", "embeddings", "http://a/x/embeddings?api-version=1"),
        ("http://a", "v1/messages", "http://a/v1/messages"),
        ("http://a/v1/", "v1/messages", "http://a/v1/messages"),
    ],
)
def test_the_base_url_is_taken_as_the_providers_libraries_take_it(
    base: str, path: str, url: str
) -> None:
    assert url_at(base, path) == url


# -- what goes wrong ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "message", "error", "final"),
    [
        (401, "Incorrect API key", "AuthenticationFailed", True),
        (403, "not your model", "AuthenticationFailed", True),
        (402, "pay", "QuotaExceeded", True),
        (429, "insufficient_quota", "QuotaExceeded", True),
        (400, "Your credit balance is too low", "QuotaExceeded", True),
        (429, "context window per minute", "RateLimited", False),
        (529, "Overloaded", "RateLimited", False),
        (503, "loading", "HttpServerError", False),
        (400, "This model's maximum context length is 8 tokens", "ContextTooLong", True),
        (400, "prompt is too long: 9 tokens > 8 maximum", "ContextTooLong", True),
        (413, "request_too_large", "ContextTooLong", True),
        (400, "triggering Azure's content management policy", "ContentRefused", True),
        (400, "temperature is unknown", "InvalidRequest", True),
        (404, "The model does not exist", "InvalidRequest", True),
    ],
)
@pytest.mark.parametrize("via", BOTH)
async def test_what_the_endpoint_refuses(
    model: Asked, via: str, status: int, message: str, error: str, final: bool
) -> None:
    body = {"type": "error", "error": {"message": message}}
    failed = await model.refused(error, Answer(status=status, body=body), via=via)
    assert failed.non_retryable is final
    assert failed.message.endswith(f" answered {status}: {message}")


async def test_a_rate_limit_is_waited_for_as_long_as_it_says(model: Asked) -> None:
    later = Answer(status=429, headers={"Retry-After": "77"}, body={})
    model.says(later)
    params = {"prompt": "?", **model.openai}
    call = {"node": "n", "flow": "f", "run_id": "r", "key": "k", "params": params}
    with pytest.raises(ApplicationError) as caught:
        await perform(LLM_CHAT, {**call, "retry": {"attempts": 3, "interval": 1}})
    delay = caught.value.next_retry_delay
    assert delay is not None
    assert delay.total_seconds() >= 77


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("<html>", "no JSON object"),
        ([1], "no JSON object"),
        ({"choices": []}, "choices: "),
        ({"choices": [{"message": {"content": 5}}]}, "choices.0.message.content"),
    ],
)
async def test_what_is_no_answer_names_the_base_url(model: Asked, body: Any, said: str) -> None:
    failed = await model.refused("HttpInvalidResponse", Answer(body=body))
    assert said in failed.message
    assert "base_url" in failed.message


async def test_broken_json_is_no_answer(model: Asked) -> None:
    broken = Answer(body=b'{"choices": [', headers={"Content-Type": "application/json"})
    await model.refused("HttpInvalidResponse", broken)


@pytest.mark.parametrize(
    ("code", "error"), [(429, "RateLimited"), (400, "InvalidRequest"), ("x", "HttpServerError")]
)
async def test_an_error_may_hide_behind_a_success(model: Asked, code: Any, error: str) -> None:
    hidden = Answer(body={"error": {"code": code, "message": "upstream"}})
    failed = await model.refused(error, hidden)
    assert "upstream" in failed.message


async def test_redirects_are_not_followed(model: Asked) -> None:
    moved = Answer(status=307, headers={"Location": "https://elsewhere.example/v1"})
    failed = await model.refused("HttpRedirect", moved)
    assert "https://elsewhere.example/v1" in failed.message
    assert len(model.service.requests) == 1


async def test_an_answer_may_take_so_long(model: Asked) -> None:
    began = time.monotonic()
    failed = await model.refused("HttpTimeout", Says(delay=5), timeout="200ms")
    assert time.monotonic() - began < 3
    assert not failed.non_retryable


async def test_nobody_there_is_tried_again(model: Asked) -> None:
    failed = await model.refused("HttpNetworkError", base_url="http://127.0.0.1:1/v1")
    assert not failed.non_retryable


async def test_private_addresses_are_guarded(model: Asked) -> None:
    async with Resources() as resources:
        guarded = Attempt(
            node="n",
            flow="f",
            run_id="r",
            key="k",
            resources=resources,
            addresses=AddressPolicy(guarded=True),
        )
        for via in BOTH:
            params = ChatParams(prompt="?", **getattr(model, via))
            with pytest.raises(NodeFailed, match="FLOWRUNNER_HTTP_ALLOW") as caught:
                await chat(params, guarded)
            assert caught.value.error.name == "AddressRefused"
    assert model.service.requests == []


async def test_cancelling_ends_the_question_at_once(model: Asked) -> None:
    model.says(Says(delay=3))
    env = lasting(60)
    asking = asyncio.create_task(act(LLM_CHAT, env=env, prompt="?", **model.openai))
    while not model.questions:
        await asyncio.sleep(0.01)
    began = time.monotonic()
    env.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    assert time.monotonic() - began < 1


async def test_the_key_is_sent_and_told_nobody(model: Asked) -> None:
    failed = await model.refused("AuthenticationFailed", Says(), api_key="sk-wrong-key")
    assert model.service.requests[0].headers["Authorization"] == "Bearer sk-wrong-key"
    told = await refused(
        "InvalidParams", LLM_CHAT, **{**model.openai, "prompt": "?", "api_key": "a\nb"}
    )
    assert "api_key" in told
    assert "a\nb" not in told
    assert "Incorrect API key" in failed.message


async def test_the_same_question_has_the_same_idempotency_key(model: Asked) -> None:
    await model.chat(Says(text="a"), prompt="one")
    await model.chat(Says(text="b"), prompt="one")
    await model.chat(Says(text="c"), prompt="two")
    first, second, third = (each.headers["Idempotency-Key"] for each in model.service.requests)
    assert first == second != third


@pytest.mark.parametrize(
    ("params", "said"),
    [
        ({}, "expected exactly one of messages and prompt"),
        ({"prompt": "?", "messages": [{"role": "user", "content": "?"}]}, "expected exactly one"),
        ({"messages": [{"role": "user", "content": "?"}], "data": 1}, "data only with prompt"),
        ({"messages": [{"role": "me", "content": "?"}]}, "messages.0: expected a role: system,"),
        ({"messages": [{"role": "user"}]}, "params.messages.0.content: is missing"),
        (
            {"messages": [{"role": "user", "content": [{"type": "sound"}]}]},
            "content.0: expected a type: text or image",
        ),
        ({"messages": [{"role": "tool", "content": "?"}]}, "params.messages.0.id: is missing"),
        ({"prompt": "?", "tool_choice": "auto"}, "tool_choice only with tools"),
        ({"prompt": "?", "tools": [TOOL], "tool_choice": "x"}, "one of weather, auto, none"),
        ({"prompt": "?", "tools": [TOOL, TOOL]}, "tools of different names"),
        ({"prompt": "?", "provider": "anthropic", "seed": 1}, "Anthropic takes none"),
        ({"prompt": "?", "extra": {"stream": True}}, "not streamed"),
    ],
)
async def test_what_cannot_be_asked(params: dict[str, Any], said: str) -> None:
    assert said in await refused("InvalidParams", LLM_CHAT, model="m", **params)


async def test_what_attempts_before_have_spent_counts(model: Asked) -> None:
    spent = {"input_tokens": 7, "output_tokens": 1, "cached_tokens": 0, "calls": 2, "told": True}
    env = lasting_after(60, {"spent": spent})
    beats: list[Any] = []
    env.on_heartbeat = lambda *details: beats.append(details[0])
    model.says(Says(text="Hi", input_tokens=3, output_tokens=1))
    done = await act(LLM_CHAT, env=env, prompt="?", **model.openai)
    used = {"input_tokens": 10, "output_tokens": 2, "cached_tokens": 0, "calls": 3}
    assert done["usage"] == used
    assert beats[-1] == {"spent": {**used, "told": True}}
