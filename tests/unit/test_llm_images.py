"""Images that models look at."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import Any

import pytest

from activities.llm.chat import LLM_CHAT
from tests.attempts import claims_in_memory, perform, piece_by_piece
from tests.llm import Asked, Says, asked
from tests.shaping import refused

PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 20
ENCODED = base64.b64encode(PNG).decode()


@pytest.fixture
def model() -> Iterator[Asked]:
    with asked() as found:
        yield found


def looking_at(image: Any, **more: Any) -> list[Any]:
    parts = [{"type": "text", "text": "What is it?"}, {"type": "image", "image": image, **more}]
    return [{"role": "user", "content": parts}]


async def test_bytes_out_of_the_store_are_sent_along(model: Asked) -> None:
    model.says(Says(text="A cat"))
    claims = claims_in_memory()
    claim = await claims.cloakroom.deposit_stream(
        piece_by_piece(PNG, 1000), workflow_id="w", metadata={"encoding": "binary/plain"}
    )
    for via in (model.openai, model.anthropic):
        params = {**via, "messages": looking_at(claim)}
        call = {"node": "n", "flow": "f", "run_id": "r", "key": "k", "params": params}
        await perform(LLM_CHAT, call, claims=claims)
    first, second = (question["messages"][0]["content"][1] for question in model.questions)
    url = f"data:image/png;base64,{ENCODED}"
    assert first == {"type": "image_url", "image_url": {"url": url}}
    source = {"type": "base64", "media_type": "image/png", "data": ENCODED}
    assert second == {"type": "image", "source": source}


@pytest.mark.parametrize(
    ("head", "kind"),
    [
        (b"\xff\xd8\xff\xe0", "image/jpeg"),
        (b"GIF89a", "image/gif"),
        (b"RIFF1234WEBPVP8", "image/webp"),
    ],
)
async def test_what_it_is_is_seen_whatever_is_said(model: Asked, head: bytes, kind: str) -> None:
    data = base64.b64encode(head + bytes(100)).decode()
    for image in (data, f"data:image/png;base64,{data}"):
        await model.chat(Says(), via="anthropic", messages=looking_at(image))
        source = model.questions[-1]["messages"][0]["content"][1]["source"]
        assert source == {"type": "base64", "media_type": kind, "data": data}


async def test_what_is_not_known_is_what_is_said(model: Asked) -> None:
    data = base64.b64encode(b"something else").decode()
    await model.chat(Says(), messages=looking_at(data, media_type="image/heic"))
    await model.chat(Says(), messages=looking_at(f"data:image/avif;base64,{data}"))
    urls = [each["messages"][0]["content"][1]["image_url"]["url"] for each in model.questions]
    assert urls == [f"data:image/heic;base64,{data}", f"data:image/avif;base64,{data}"]


@pytest.mark.parametrize("via", ["openai", "anthropic"])
async def test_the_endpoint_fetches_urls(model: Asked, via: str) -> None:
    url = "https://example.com/a.png"
    await model.chat(Says(), via=via, messages=looking_at(url))
    part = model.questions[0]["messages"][0]["content"][1]
    assert (part.get("image_url") or part.get("source"))["url"] == url


@pytest.mark.parametrize(
    ("image", "said"),
    [
        ("cat.png", "expected the bytes of an image"),
        ("file:///etc/passwd", "expected the bytes of an image"),
        (base64.b64encode(b"%PDF-1.7 and more").decode(), "say in media_type"),
        ("A" * 27_000_000, "20,000,000 bytes at most"),
        ("", "say in media_type"),
    ],
    ids=["a name", "a file", "a PDF", "too large", "nothing"],
)
async def test_what_is_no_image_is_refused(image: str, said: str) -> None:
    told = await refused("InvalidParams", LLM_CHAT, model="m", messages=looking_at(image))
    assert said in told
    assert "params.messages.0.content.1" in told
