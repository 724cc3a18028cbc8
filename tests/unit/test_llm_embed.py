"""`llm.embed`, and the function that others embed by."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from temporalio.exceptions import ApplicationError

from activities.llm.embed import LLM_EMBED
from tests.attempts import lasting
from tests.llm import Answer, Asked, asked, lasting_after, vector_of
from tests.shaping import act, refused


@pytest.fixture
def model() -> Iterator[Asked]:
    with asked() as found:
        yield found


async def test_every_text_gets_its_vector_in_its_place(model: Asked) -> None:
    texts = [f"text number {number}" for number in range(7)]
    done = await model.embed(input=texts, batch=3, price={"input": 2})
    assert done == {
        "vectors": [pytest.approx(vector_of(text)) for text in texts],
        "model": "m-1",
        "dimensions": 64,
        "usage": {"input_tokens": 21, "output_tokens": 0, "cached_tokens": 0, "calls": 3},
        "cost": pytest.approx(42 / 1_000_000),
    }
    assert [question["input"] for question in model.questions] == [texts[:3], texts[3:6], texts[6:]]


async def test_one_text_gets_one_vector_of_the_length_asked_for(model: Asked) -> None:
    done = await model.embed(input="a b", dimensions=8, extra={"user": "ann"})
    assert done["vectors"] == [pytest.approx(vector_of("a b", 8))]
    assert done["dimensions"] == 8
    assert model.questions == [{"model": "m-1", "input": ["a b"], "dimensions": 8, "user": "ann"}]


async def test_no_texts_need_no_asking(model: Asked) -> None:
    done = await model.embed(input=[])
    assert (done["vectors"], done["dimensions"], model.questions) == ([], 0, [])


async def test_it_tells_how_far_it_is_and_counts_what_went_before(model: Asked) -> None:
    spent = {"input_tokens": 9, "output_tokens": 0, "cached_tokens": 0, "calls": 1, "told": True}
    env = lasting_after(60, {"texts": 1, "of": 2, "spent": spent})
    beats: list[Any] = []
    env.on_heartbeat = lambda *details: beats.append(details[0])
    done = await act(LLM_EMBED, env=env, input=["a", "b"], batch=1, **model.openai)
    assert done["usage"]["input_tokens"] == 11
    assert [(beat["texts"], beat["of"]) for beat in beats] == [(1, 2), (2, 2)]


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"data": []}, "0 vectors for 2 texts"),
        ({"data": [{"index": 5, "embedding": [1]}, {"index": 0, "embedding": [1]}]}, "2 vectors"),
        (
            {"data": [{"index": 0, "embedding": [1]}, {"index": 1, "embedding": [1, 2]}]},
            "different lengths",
        ),
        ({"data": [{"index": 0, "embedding": "AAAA"}]}, "data.0.embedding"),
        ({"vectors": []}, "data: Field required"),
    ],
)
async def test_vectors_that_cannot_be_right_are_refused(model: Asked, body: Any, said: str) -> None:
    model.says(Answer(body=body))
    assert said in await refused("HttpInvalidResponse", LLM_EMBED, input=["a", "b"], **model.openai)


async def test_what_the_endpoint_refuses_is_told_as_by_chat(model: Asked) -> None:
    model.says(Answer(status=429, body={"error": {"message": "slow down"}}))
    with pytest.raises(ApplicationError) as caught:
        await act(LLM_EMBED, env=lasting(60), input="a", **model.openai)
    assert caught.value.type == "RateLimited"
    model.says()
    assert "401" in await refused(
        "AuthenticationFailed", LLM_EMBED, input="a", **{**model.openai, "api_key": "sk-wrong"}
    )


async def test_anthropic_makes_no_vectors() -> None:
    await refused("InvalidParams", LLM_EMBED, input="a", model="m", provider="anthropic")
