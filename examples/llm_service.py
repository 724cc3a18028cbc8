"""A language model that says what it is told to, for examples and tests.

    python -m examples.llm_service examples/sort-mail

plays `model.yaml` of that example, and its `service.yaml` if there is one, at the port its
`input.json` names. It speaks as OpenAI's chat completions and embeddings do, and as Anthropic's
messages. `model.yaml` is a list of answers, of which each question takes the next one and the
last is repeated: `{text: …}`, `{json: …}`, `{calls: [{name, arguments}]}`, or `{status, json}` for
an answer that is an error. Vectors are made of the words of a text, so that texts with the same
words are close to each other.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
import sys
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import yaml

from examples.service import DEFAULT_PORT, Answer, HttpService, Received, play, until_interrupted

__all__ = ["Model", "Says", "Speaks", "play_model", "vector_of"]

_DIMENSIONS = 64


@dataclass(frozen=True, kw_only=True)
class Says:
    """One answer. `calls` are `{name, arguments}` with `id` if it matters; arguments that are a
    text are sent as they are, JSON or not. `stop` is the reason in OpenAI's words."""

    text: str = ""
    calls: Sequence[dict[str, Any]] = ()
    stop: str | None = None
    refusal: str | None = None
    input_tokens: int = 10
    output_tokens: int = 5
    cached_tokens: int = 0
    delay: float = 0.0


Speaks: TypeAlias = Says | Answer | Callable[[Any], Says | Answer]


class Model:
    """Answers at `service` as both providers do, and remembers what it was asked.

    An answer may be a function of the request's JSON.
    """

    def __init__(self, service: HttpService, *answers: Speaks, key: str | None = None):
        self.questions: list[Any] = []
        self._answers = list(answers)
        self._key = key
        self._lock = threading.Lock()
        service.on("POST", "/v1/chat/completions", self._completion)
        service.on("POST", "/v1/messages", self._message)
        service.on("POST", "/v1/embeddings", self._embeddings)

    def says(self, *answers: Speaks) -> None:
        """What it answers from now on, one after the other; the last one is repeated."""
        self._answers = list(answers)

    def _next(self, request: Received, key: str) -> Says | Answer:
        if self._key is not None and key != self._key:
            return _failure(401, f"Incorrect API key provided: {key}")
        with self._lock:
            self.questions.append(request.json())
            if not self._answers:
                return _failure(500, "nothing to say")
            said = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        return said(request.json()) if callable(said) else said

    def _completion(self, request: Received) -> Answer:
        said = self._next(request, _header(request, "authorization").removeprefix("Bearer "))
        if isinstance(said, Answer):
            return said
        return Answer(body=_as_completion(said, request.json()["model"]), delay=said.delay)

    def _message(self, request: Received) -> Answer:
        said = self._next(request, _header(request, "x-api-key"))
        body = request.json()
        if isinstance(said, Answer):
            return said
        if "max_tokens" not in body or not _header(request, "anthropic-version"):
            return _failure(400, "max_tokens: Field required")
        forced = body.get("tool_choice", {}).get("name")
        return Answer(body=_as_message(said, body["model"], forced), delay=said.delay)

    def _embeddings(self, request: Received) -> Answer:
        said = self._next(request, _header(request, "authorization").removeprefix("Bearer "))
        if isinstance(said, Answer) and said.status != 500:
            return said
        body = request.json()
        texts, length = body["input"], body.get("dimensions", _DIMENSIONS)
        vectors = [
            {"object": "embedding", "index": index, "embedding": vector_of(text, length)}
            for index, text in enumerate(texts)
        ]
        used = sum(len(text.split()) for text in texts)
        usage = {"prompt_tokens": used, "total_tokens": used}
        return Answer(body={"data": vectors[::-1], "model": body["model"], "usage": usage})


def _header(request: Received, name: str) -> str:
    found = (value for key, value in request.headers.items() if key.lower() == name)
    return next(found, "")


def _failure(status: int, message: str) -> Answer:
    return Answer(status=status, body={"error": {"message": message, "type": "error"}})


def _as_completion(said: Says, model: str) -> Any:
    calls = [
        {
            "id": call.get("id", f"call_{number}"),
            "type": "function",
            "function": {"name": call["name"], "arguments": _text(call.get("arguments", {}))},
        }
        for number, call in enumerate(said.calls)
    ]
    message = {"role": "assistant", "content": said.text or None, "refusal": said.refusal}
    reason = said.stop or ("tool_calls" if calls else "stop")
    return {
        "object": "chat.completion",
        "model": model,
        "choices": [
            {
                "index": 0,
                "message": {**message, **({"tool_calls": calls} if calls else {})},
                "finish_reason": reason,
            }
        ],
        "usage": {
            "prompt_tokens": said.input_tokens,
            "completion_tokens": said.output_tokens,
            "prompt_tokens_details": {"cached_tokens": said.cached_tokens},
        },
    }


_REASONS = {"stop": "end_turn", "length": "max_tokens", "content_filter": "refusal"}


def _as_message(said: Says, model: str, forced: str | None) -> Any:
    """A text that is JSON goes into the tool that has to be used."""
    calls = list(said.calls)
    text = said.refusal or said.text
    if forced and not calls and said.refusal is None:
        calls, text = [{"name": forced, "arguments": json.loads(said.text)}], ""
    blocks: list[Any] = [{"type": "text", "text": text}] if text else []
    blocks += [
        {
            "type": "tool_use",
            "id": call.get("id", f"toolu_{number}"),
            "name": call["name"],
            "input": call.get("arguments", {}),
        }
        for number, call in enumerate(calls)
    ]
    reason = "refusal" if said.refusal else _REASONS.get(said.stop or "", "")
    return {
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": blocks,
        "stop_reason": reason or ("tool_use" if calls else "end_turn"),
        "usage": {
            "input_tokens": said.input_tokens - said.cached_tokens,
            "output_tokens": said.output_tokens,
            "cache_read_input_tokens": said.cached_tokens,
        },
    }


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def vector_of(text: str, length: int = _DIMENSIONS) -> list[float]:
    """The words of a text as a direction: each word adds to a place of its own."""
    vector = [0.0] * length
    for word in re.findall(r"\w+", text.lower()):
        place = int.from_bytes(hashlib.sha256(word.encode()).digest()[:4], "big")
        vector[place % length] += 1.0
    size = math.sqrt(sum(each * each for each in vector)) or 1.0
    return [each / size for each in vector]


def play_model(service: HttpService, script: Path) -> Model:
    """Let a model at the service answer as the YAML file `script` says."""
    return Model(service, *map(_read, yaml.safe_load(script.read_text(encoding="utf-8"))))


def _read(answer: dict[str, Any]) -> Says | Answer:
    if "status" in answer:
        headers = answer.get("headers", {})
        return Answer(status=answer["status"], body=answer.get("json"), headers=headers)
    if "json" in answer:
        return Says(text=json.dumps(answer["json"]))
    return Says(text=answer.get("text", ""), calls=answer.get("calls", ()))


def main() -> None:
    folder = Path(sys.argv[1]) if len(sys.argv) == 2 else Path()
    if not (script := folder / "model.yaml").is_file():
        sys.exit("usage: python -m examples.llm_service FOLDER_OF_AN_EXAMPLE_WITH_A_MODEL")
    with HttpService(DEFAULT_PORT) as service:
        play_model(service, script)
        if (more := folder / "service.yaml").is_file():
            play(service, more)
        print(f"{script} answers at {service.url}; Ctrl-C ends it", flush=True)
        until_interrupted()
        print(*service.asked, sep="\n")


if __name__ == "__main__":
    main()
