"""What Anthropic's API says."""

from __future__ import annotations

from pydantic import BaseModel
from pydantic_core import to_json

from activities.llm.chat import Stop
from activities.llm.dialect import ANSWER, Asked, Dialect, Reply, call_of
from activities.llm.endpoint import Spent
from activities.llm.messages import (
    AssistantMessage,
    ImagePart,
    Message,
    Part,
    SystemMessage,
    Tool,
    ToolMessage,
    text_of,
)
from flowspec.values import Json, JsonObject

__all__ = ["ANTHROPIC"]

_VERSION = "2023-06-01"
_MAX_TOKENS = 4096
"""Where nothing else is asked for: the API wants a number, and every model takes this one."""

_STOPS: dict[str, Stop] = {
    "end_turn": "end",
    "stop_sequence": "end",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tool_calls",
    "refusal": "refused",
}
_THOUGHTS = ("thinking", "redacted_thinking")


def _headers(key: str | None) -> dict[str, str]:
    return {"anthropic-version": _VERSION, **({} if key is None else {"x-api-key": key})}


def _body(asked: Asked) -> JsonObject:
    params = asked.params
    system = [text_of(each.content) for each in asked.messages if isinstance(each, SystemMessage)]
    body: JsonObject = {
        "model": params.model,
        "max_tokens": params.max_tokens or _MAX_TOKENS,
        "system": "\n\n".join(system) or None,
        "messages": _messages(asked.messages),
        "temperature": params.temperature,
        "stop_sequences": [*params.stop] or None,
        "tools": [_tool(each) for each in params.tools] or None,
        "tool_choice": _choice(params.tool_choice),
    }
    if asked.schema is not None:  # a tool it has to use is what all models and servers know
        body["tools"] = [{"name": ANSWER, "input_schema": asked.schema}]
        body["tool_choice"] = {"type": "tool", "name": ANSWER}
    return {name: value for name, value in body.items() if value is not None}


def _messages(messages: list[Message]) -> list[Json]:
    """In turns: what follows each other from one side is one message, as for tools it has to be."""
    turns: list[tuple[str, list[Json]]] = []
    for message in messages:
        if isinstance(message, SystemMessage):
            continue
        role = "assistant" if isinstance(message, AssistantMessage) else "user"
        if not turns or turns[-1][0] != role:
            turns.append((role, []))
        turns[-1][1].extend(_blocks(message))
    return [{"role": role, "content": blocks} for role, blocks in turns if blocks]


def _blocks(message: Message) -> list[Json]:
    """Of texts only those that are not empty, which the API refuses."""
    if isinstance(message, ToolMessage):
        failed: JsonObject = {"is_error": True} if message.failed else {}
        return [
            {"type": "tool_result", "tool_use_id": message.id, "content": message.text, **failed}
        ]
    content = message.content or []
    parts: list[Part] = []
    if not isinstance(content, str):
        parts.extend(content)
    texts: list[Json] = [{"type": "text", "text": content}] if isinstance(content, str) else []
    blocks = texts + [_part(part) for part in parts if isinstance(part, ImagePart) or part.text]
    if not isinstance(message, AssistantMessage):
        return blocks
    calls: list[Json] = [
        {
            "type": "tool_use",
            "id": call.id,
            "name": call.name,
            "input": {"invalid": call.invalid} if call.arguments is None else call.arguments,
        }
        for call in message.tool_calls
    ]
    return [*message.thinking, *blocks, *calls]


def _part(part: Part) -> JsonObject:
    if not isinstance(part, ImagePart):
        return {"type": "text", "text": part.text}
    if part.is_url:
        return {"type": "image", "source": {"type": "url", "url": part.image}}
    kind, data = part.kind_and_data
    return {"type": "image", "source": {"type": "base64", "media_type": kind, "data": data}}


def _tool(tool: Tool) -> JsonObject:
    about: JsonObject = {} if tool.description is None else {"description": tool.description}
    return {"name": tool.name, **about, "input_schema": {"type": "object", **tool.parameters}}


def _choice(choice: str | None) -> Json:
    if choice is None:
        return None
    kind = {"auto": "auto", "none": "none", "required": "any"}.get(choice)
    return {"type": kind} if kind else {"type": "tool", "name": choice}


class _Usage(BaseModel):
    input_tokens: int = 0
    output_tokens: int = 0
    cache_read_input_tokens: int | None = None
    cache_creation_input_tokens: int | None = None

    def spent(self) -> Spent:
        cached, written = self.cache_read_input_tokens or 0, self.cache_creation_input_tokens or 0
        return Spent(
            input_tokens=self.input_tokens + cached + written,
            output_tokens=self.output_tokens,
            cached_tokens=cached,
            calls=1,
        )


class _Block(BaseModel):
    type: str
    text: str = ""
    id: str = ""
    name: str = ""
    input: Json = None


class _Answer(BaseModel):
    content: list[dict[str, Json]]
    stop_reason: str | None = None
    model: str | None = None
    usage: _Usage | None = None


def _reply(body: Json, asked: Asked) -> Reply:
    answer = _Answer.model_validate(body)
    blocks = [_Block.model_validate(each) for each in answer.content]
    text = "".join(block.text for block in blocks if block.type == "text")
    calls = [each for each in blocks if each.type == "tool_use"]
    stop = _STOPS.get(answer.stop_reason or "end_turn", "other")
    if asked.schema is not None and calls:  # the tool was but a way to ask for the answer
        text, calls = to_json(calls[0].input).decode(), []
        stop = "end" if stop == "tool_calls" else stop
    return Reply(
        text=text,
        stop=stop,
        model=answer.model or asked.params.model,
        spent=answer.usage.spent() if answer.usage else Spent(calls=1, told=False),
        calls=[call_of(each.id, each.name, each.input) for each in calls],
        thinking=[each for each in answer.content if each.get("type") in _THOUGHTS],
    )


ANTHROPIC = Dialect(
    base_url="https://api.anthropic.com",
    path="v1/messages",
    headers=_headers,
    body=_body,
    reply=_reply,
)
