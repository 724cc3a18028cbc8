"""What OpenAI's API says, and every server that speaks like it."""

from __future__ import annotations

from urllib.parse import urlsplit

from pydantic import BaseModel, Field
from pydantic_core import to_json

from activities.llm.chat import Stop
from activities.llm.dialect import ANSWER, Asked, Dialect, Reply, call_of
from activities.llm.endpoint import Spent
from activities.llm.messages import (
    AssistantMessage,
    ImagePart,
    Message,
    Part,
    Tool,
    ToolMessage,
    UserMessage,
    text_of,
)
from flowspec.values import Json, JsonObject

__all__ = ["BASE_URL", "OPENAI", "OpenAiUsage", "headers"]

BASE_URL = "https://api.openai.com/v1"

_STOPS: dict[str, Stop] = {
    "stop": "end",
    "length": "length",
    "tool_calls": "tool_calls",
    "content_filter": "refused",
}
_STRICT = frozenset(
    ("type", "properties", "required", "additionalProperties", "items", "anyOf", "enum", "const"),
).union(("title", "description"))
"""Keywords that OpenAI can keep to; another makes it refuse the request."""


def headers(key: str | None) -> dict[str, str]:
    return {} if key is None else {"Authorization": f"Bearer {key}"}


def _body(asked: Asked) -> JsonObject:
    params = asked.params
    body: JsonObject = {
        "model": params.model,
        "messages": [_message(each) for each in asked.messages],
        _limit_name(params.base_url): params.max_tokens,
        "temperature": params.temperature,
        "seed": params.seed,
        "stop": [*params.stop] or None,
        "tools": [_tool(each) for each in params.tools] or None,
        "tool_choice": _choice(params.tool_choice),
        "response_format": _format(asked.schema),
    }
    return {name: value for name, value in body.items() if value is not None}


def _limit_name(base_url: str | None) -> str:
    """OpenAI's newer models refuse the old name, and other servers may not know the new one."""
    host = urlsplit(base_url or BASE_URL).hostname or ""
    is_openai = host.endswith((".openai.com", ".openai.azure.com"))
    return "max_completion_tokens" if is_openai else "max_tokens"


def _message(message: Message) -> JsonObject:
    if isinstance(message, ToolMessage):
        text = f"It failed: {message.text}" if message.failed else message.text
        return {"role": "tool", "tool_call_id": message.id, "content": text}
    if isinstance(message, UserMessage):
        parts = message.content
        content: Json = parts if isinstance(parts, str) else [_part(each) for each in parts]
        return {"role": "user", "content": content}
    text = text_of(message.content)
    if not isinstance(message, AssistantMessage) or not message.tool_calls:
        return {"role": message.role, "content": text}
    calls: list[Json] = [
        {
            "id": call.id,
            "type": "function",
            "function": {
                "name": call.name,
                "arguments": call.invalid
                if call.arguments is None
                else to_json(call.arguments).decode(),
            },
        }
        for call in message.tool_calls
    ]
    return {"role": "assistant", "content": text or None, "tool_calls": calls}


def _part(part: Part) -> JsonObject:
    if isinstance(part, ImagePart):
        return {"type": "image_url", "image_url": {"url": part.url}}
    return {"type": "text", "text": part.text}


def _tool(tool: Tool) -> JsonObject:
    about: JsonObject = {} if tool.description is None else {"description": tool.description}
    function: JsonObject = {"name": tool.name, **about, "parameters": tool.parameters}
    return {"type": "function", "function": function}


def _choice(choice: str | None) -> Json:
    if choice in (None, "auto", "none", "required"):
        return choice
    return {"type": "function", "function": {"name": choice}}


def _format(schema: JsonObject | None) -> Json:
    if schema is None:
        return None
    strict: JsonObject = {"strict": True} if _can_be_strict(schema) else {}
    return {"type": "json_schema", "json_schema": {"name": ANSWER, "schema": schema, **strict}}


def _can_be_strict(schema: Json) -> bool:
    """Whether OpenAI can make sure that the answer fits: every object is closed, and has all."""
    if not isinstance(schema, dict) or not schema.keys() <= _STRICT:
        return False
    properties, alternatives = schema.get("properties", {}), schema.get("anyOf", [])
    if not isinstance(properties, dict) or not isinstance(alternatives, list):
        return False
    required = schema.get("required", [])
    has_all = isinstance(required, list) and set(properties) == {*map(str, required)}
    is_object = "object" in str(schema.get("type")) or "properties" in schema
    if is_object and not (has_all and schema.get("additionalProperties") is False):
        return False
    inner = [*properties.values(), *alternatives, *([schema["items"]] if "items" in schema else [])]
    return all(_can_be_strict(each) for each in inner)


class _Function(BaseModel):
    name: str
    arguments: Json = None


class _Call(BaseModel):
    id: str | None = None
    function: _Function


class _Text(BaseModel):
    text: str = ""


class _Message(BaseModel):
    content: str | list[_Text] | None = None
    refusal: str | None = None
    tool_calls: list[_Call] | None = None


class _Choice(BaseModel):
    message: _Message
    finish_reason: str | None = None


class _Details(BaseModel):
    cached_tokens: int | None = None


class OpenAiUsage(BaseModel):
    """What was used for one answer."""

    prompt_tokens: int = 0
    completion_tokens: int = 0
    prompt_tokens_details: _Details | None = None

    def spent(self) -> Spent:
        details = self.prompt_tokens_details or _Details()
        return Spent(
            input_tokens=self.prompt_tokens,
            output_tokens=self.completion_tokens,
            cached_tokens=details.cached_tokens or 0,
            calls=1,
        )


class _Answer(BaseModel):
    choices: list[_Choice] = Field(min_length=1)
    model: str | None = None
    usage: OpenAiUsage | None = None


def _reply(body: Json, asked: Asked) -> Reply:
    answer = _Answer.model_validate(body)
    choice = answer.choices[0]
    message = choice.message
    calls = [
        call_of(call.id or f"call_{number}", call.function.name, call.function.arguments)
        for number, call in enumerate(message.tool_calls or [])
    ]
    return Reply(
        text=message.refusal or _text(message.content),
        stop=_stop(choice, bool(calls)),
        model=answer.model or asked.params.model,
        spent=answer.usage.spent() if answer.usage else Spent(calls=1, told=False),
        calls=calls,
    )


def _text(content: str | list[_Text] | None) -> str:
    if isinstance(content, list):
        return "".join(each.text for each in content)
    return content or ""


def _stop(choice: _Choice, has_calls: bool) -> Stop:
    if choice.message.refusal:
        return "refused"
    found = _STOPS.get(choice.finish_reason or "stop", "other")
    return "tool_calls" if has_calls and found in ("end", "other") else found


OPENAI = Dialect(
    base_url=BASE_URL, path="chat/completions", headers=headers, body=_body, reply=_reply
)
