"""Plays of the node types that ask models."""

from __future__ import annotations

import asyncio
import atexit
import shutil
import tempfile
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Final

from flowspec.values import JsonObject
from tests.server.plays.play import Plays, S, Setup
from tests.server.support import Answer, HttpService, Received

__all__ = ["PLAYS", "SETTINGS"]

_FOLDER: Final = Path(tempfile.mkdtemp(prefix="plays-"))
atexit.register(shutil.rmtree, _FOLDER, ignore_errors=True)
_VECTORS: Final = _FOLDER / "vectors.db"

SETTINGS: Final[Mapping[str, str]] = {"FLOWRUNNER_VECTORS": f"sqlite://{_VECTORS}"}
"""What a worker needs for them."""

_KEYS: Final = ("Authorization", "X-Api-Key", "x-api-key")


def _said(request: Received) -> str:
    return " ".join(request.headers.get(name, "") for name in _KEYS)


def _chatting(request: Received) -> Answer:
    message = {"role": "assistant", "content": f"you are {_said(request)}"}
    body = {"model": _said(request), "choices": [{"message": message, "finish_reason": "stop"}]}
    return Answer(body=body)


def _messaging(request: Received) -> Answer:
    content = [{"type": "text", "text": f"you are {_said(request)}"}]
    return Answer(body={"model": _said(request), "content": content, "stop_reason": "end_turn"})


def _embedding(request: Received) -> Answer:
    return Answer(body={"model": _said(request), "data": [{"index": 0, "embedding": [1.0]}]})


def _refusing(request: Received) -> Answer:
    return Answer(status=401, body={"error": {"message": f"wrong: {_said(request)}"}})


def _failing(request: Received) -> Answer:
    return Answer(status=503, body=f"down for {_said(request)}")


def _echoing(stack: ExitStack) -> HttpService:
    """Endpoints that say the key back, in answers and in errors."""
    service = stack.enter_context(HttpService())
    for base, answers in (
        ("/v1", (_chatting, _messaging, _embedding)),
        ("/no/v1", (_refusing,) * 3),
        ("/down/v1", (_failing,) * 3),
    ):
        paths = ("chat/completions", "messages", "embeddings")
        for path, answer in zip(paths, answers, strict=True):
            service.on("POST", f"{base}/{path}", answer)
    return service


def _everywhere(service: HttpService, params: JsonObject) -> Plays:
    def at(base: str) -> JsonObject:
        return {"model": "m", "api_key": S, **params, "base_url": base}

    nowhere = at("http://127.0.0.1:1/v1")
    fail = (at(f"{service.url}/no/v1"), at(f"{service.url}/down/v1"), nowhere)
    return Plays(succeed=(at(f"{service.url}/v1"),), fail=fail)


def _chat(stack: ExitStack, folder: Path) -> Plays:
    del folder
    service = _echoing(stack)
    openai = _everywhere(service, {"prompt": "?"})
    anthropic = _everywhere(service, {"prompt": "?", "provider": "anthropic"})
    schema: JsonObject = {"type": "object"}
    unfit: JsonObject = {**openai.succeed[0], "schema": schema, "structured": "prompt"}
    return Plays(
        succeed=(*openai.succeed, *anthropic.succeed), fail=(*openai.fail, *anthropic.fail, unfit)
    )


def _prompted(stack: ExitStack, folder: Path) -> Plays:
    del folder
    return _everywhere(_echoing(stack), {"prompt": "?"})


def _embed(stack: ExitStack, folder: Path) -> Plays:
    del folder
    return _everywhere(_echoing(stack), {"input": "?"})


def _rag(params: Callable[[str], JsonObject]) -> Setup:
    def plays(stack: ExitStack, folder: Path) -> Plays:
        endpoint = _everywhere(_echoing(stack), {})

        def asking(every: tuple[JsonObject, ...]) -> tuple[JsonObject, ...]:
            return tuple(
                {"collection": "c", "embedding": each, **params(f"{folder} {number}?")}
                for number, each in enumerate(every, len(every))
            )

        with ThreadPoolExecutor(1) as thread:  # for there may be a loop in this one
            thread.submit(asyncio.run, _index_something()).result()
        return Plays(succeed=asking(endpoint.succeed), fail=asking(endpoint.fail))

    return plays


async def _index_something() -> None:
    """What the flow of the plays is to find."""
    from activities.rag.contract import Document, Filled, MadeBy
    from activities.rag.sqlite import SqliteVectorStore

    document = Document(id="d", fingerprint="", metadata={})
    async with SqliteVectorStore(_VECTORS) as store:
        made_by = MadeBy(model="m", dimensions=1)
        filled = Filled(document=document, passages=[])
        await store.put('["default", "flow", "leaks"]', "c", made_by, [filled])


PLAYS: Mapping[str, Setup] = {
    "agent": _prompted,
    "agent.turn": _prompted,
    "llm.chat": _chat,
    "llm.embed": _embed,
    "rag.index": _rag(lambda text: {"documents": [{"id": text, "text": text}]}),
    "rag.search": _rag(lambda text: {"query": text}),
}
