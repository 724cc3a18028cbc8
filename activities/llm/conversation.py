"""Asking a model in a conversation, until its answer fits what was asked for."""

from __future__ import annotations

import re
from functools import partial

from pydantic_core import from_json, to_json

from activities.aside import aside
from activities.attempt import Attempt
from activities.errors import NodeFailed
from activities.llm.anthropic import ANTHROPIC
from activities.llm.asking import ask, read
from activities.llm.chat import Answer, ChatParams, ChatResult
from activities.llm.dialect import Asked, Dialect, Reply, url_at
from activities.llm.endpoint import Spent
from activities.llm.errors import CONTENT_REFUSED, INVALID_OUTPUT
from activities.llm.messages import (
    AssistantMessage,
    Message,
    SystemMessage,
    UserMessage,
)
from activities.llm.openai import OPENAI
from activities.shaping.template import TemplateParams, fill
from activities.shaping.validate import INVALID_SCHEMA
from flowspec.jsonschemas import dotted, schema_problems, violations
from flowspec.values import Json, JsonObject

__all__ = ["converse"]

_TOLD = 10
_SHOWN = 2_000
_THOUGHTS = re.compile(r"\s*<think>.*?</think>", re.DOTALL)
_FENCED = re.compile(r"```\w*\s*\n(.*?)```", re.DOTALL)
_INSTRUCTION = (
    "Answer with one JSON value and nothing else: no explanation, no code fence. "
    "It has to fit this JSON Schema:\n"
)
_AGAIN = (
    "That answer does not fit the JSON Schema:\n{problems}\n"
    "Answer again, with the corrected JSON value and nothing else."
)


async def converse(params: ChatParams, attempt: Attempt) -> ChatResult:
    """The answer. Each one counts in the usage, those of attempts before as well."""
    _check_schema(params.schema_)
    asked = await _opening(params, attempt)
    spent = Spent.of_progress(attempt.progress)
    left = params.repair
    while True:
        reply = await _reply(asked, attempt)
        spent += reply.spent
        attempt.heartbeat(spent.progress())
        if params.schema_ is None or reply.stop == "tool_calls":
            return _result(reply, spent, params)
        _check_ended(reply, spent, params)
        value, problems = await aside(partial(_judged, params, reply.text), over=reply.text)
        if not problems:
            return {**_result(reply, spent, params), "json": value}
        if left == 0:
            raise _invalid(reply, problems, spent, params)
        left -= 1
        asked = _again(asked, reply, problems)


def _check_schema(schema: JsonObject | None) -> None:
    if schema is not None and (wrong := schema_problems(schema)):
        told: list[Json] = [f"{dotted(('schema', *one.path))}: {one.message}" for one in wrong]
        message = "; ".join(str(one) for one in told[:3])
        raise NodeFailed(INVALID_SCHEMA, message, details={"problems": told})


async def _opening(params: ChatParams, attempt: Attempt) -> Asked:
    """The question as it is first asked."""
    system = [] if params.system is None else [await _filled(params.system, params, attempt)]
    messages = params.messages
    if messages is None:
        prompt = await _filled(params.prompt or "", params, attempt)
        messages = [UserMessage(role="user", content=prompt)]
    schema = params.schema_
    is_native = schema is not None and _asks_natively(params, schema)
    if schema is not None and not is_native:
        system.append(_INSTRUCTION + to_json(schema).decode())
    whole: list[Message] = [SystemMessage(role="system", content="\n\n".join(system))]
    return Asked(
        params=params,
        messages=(whole if system else []) + messages,
        schema=schema if is_native else None,
    )


async def _filled(text: str, params: ChatParams, attempt: Attempt) -> str:
    if not params.has_data:
        return text
    return (await fill(TemplateParams(template=text, data=params.data), attempt))["text"]


def _asks_natively(params: ChatParams, schema: JsonObject) -> bool:
    """Providers keep to schemas of objects; Anthropic does by a tool, so not beside others."""
    is_possible = schema.get("type") == "object"
    uses_tools = params.provider == "anthropic" and bool(params.tools)
    return params.structured == "native" and is_possible and not uses_tools


async def _reply(asked: Asked, attempt: Attempt) -> Reply:
    params = asked.params
    dialect: Dialect = ANTHROPIC if params.provider == "anthropic" else OPENAI
    url = url_at(params.base_url or dialect.base_url, dialect.path)
    body = await aside(lambda: {**dialect.body(asked), **params.extra}, over=asked)
    found = await ask(params, url, dialect.headers(params.api_key), body, attempt)
    return await read(url, found, lambda answer: dialect.reply(answer, asked))


def _result(reply: Reply, spent: Spent, params: ChatParams) -> ChatResult:
    message: Answer = {"role": "assistant", "content": reply.text}
    if reply.calls:
        message["tool_calls"] = [*reply.calls]
    if reply.thinking:
        message["thinking"] = [*reply.thinking]
    return {
        "message": message,
        "text": reply.text,
        "stop": reply.stop,
        "model": reply.model,
        "usage": spent.usage(),
        "cost": spent.cost(params.price),
    }


def _check_ended(reply: Reply, spent: Spent, params: ChatParams) -> None:
    """Only a whole answer can fit, and only one that the model wants to give."""
    if reply.stop == "refused":
        details = _details(reply, [], spent, params)
        said = " ".join(reply.text[:200].split())
        raise NodeFailed(CONTENT_REFUSED, f"the model refuses to answer: {said}", details=details)
    if reply.stop == "length":
        cut = "the answer was cut off: raise max_tokens, or ask for less"
        raise NodeFailed(INVALID_OUTPUT, cut, details=_details(reply, [cut], spent, params))


def _judged(params: ChatParams, text: str) -> tuple[Json, list[str]]:
    """The JSON in an answer, and what is wrong with it."""
    try:
        value = _json_in(text)
    except ValueError as error:
        return None, [f"it is no JSON: {error}"]
    found = violations(params.schema_, value)
    return value, [f"{dotted(one.path)}: {one.message}".removeprefix(": ") for one in found]


def _json_in(text: str) -> Json:
    """Also of a model that thinks aloud first, or puts a fence around it."""
    text = text[found.end() :] if (found := _THOUGHTS.match(text)) else text
    try:
        value: Json = from_json(text, allow_inf_nan=False)
    except ValueError:
        fenced = _FENCED.search(text)
        if fenced is None:
            raise
        value = from_json(fenced[1], allow_inf_nan=False)
    return value


def _again(asked: Asked, reply: Reply, problems: list[str]) -> Asked:
    listed = "\n".join(f"- {each}" for each in problems[:_TOLD])
    answer = AssistantMessage(role="assistant", content=reply.text or "(nothing)")
    question = UserMessage(role="user", content=_AGAIN.format(problems=listed))
    return Asked(
        params=asked.params, messages=[*asked.messages, answer, question], schema=asked.schema
    )


def _invalid(reply: Reply, problems: list[str], spent: Spent, params: ChatParams) -> NodeFailed:
    more = f" (and {len(problems) - 3} more)" if len(problems) > 3 else ""
    return NodeFailed(
        INVALID_OUTPUT,
        f"the answer does not fit the schema, asked {params.repair + 1} times: "
        f"{'; '.join(problems[:3])}{more}",
        details=_details(reply, problems, spent, params),
    )


def _details(reply: Reply, problems: list[str], spent: Spent, params: ChatParams) -> JsonObject:
    return {
        "problems": [*problems],
        "text": reply.text[:_SHOWN],
        "usage": {**spent.usage()},  # type: ignore[dict-item]
        "cost": spent.cost(params.price),
    }
