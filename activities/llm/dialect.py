"""What is asked and answered in the words of each provider, and of none."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from pydantic_core import from_json

from activities.llm.chat import Call, ChatParams, Stop
from activities.llm.endpoint import Spent
from activities.llm.messages import Message
from flowspec.values import Json, JsonObject

__all__ = ["ANSWER", "Asked", "Dialect", "Reply", "call_of", "url_at"]

ANSWER: Final = "answer"
"""What a structured answer is called where it has to have a name."""

_LONGEST_INVALID = 2_000


@dataclass(frozen=True, kw_only=True)
class Asked:
    """One question. `schema` is given if the endpoint itself is to keep to it."""

    params: ChatParams
    messages: list[Message]
    schema: JsonObject | None = None


@dataclass(frozen=True, kw_only=True)
class Reply:
    """One answer."""

    text: str
    stop: Stop
    model: str
    spent: Spent
    calls: list[Call] = field(default_factory=list)
    thinking: list[JsonObject] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True)
class Dialect:
    """How one provider is spoken to. `reply` raises ValueError for what is no answer of it."""

    base_url: str
    path: str
    headers: Callable[[str | None], dict[str, str]]
    body: Callable[[Asked], JsonObject]
    reply: Callable[[Json, Asked], Reply]


def call_of(identity: str, name: str, arguments: Json) -> Call:
    """A tool call as flows read it; the model may have written anything."""
    found = arguments
    if isinstance(arguments, str):
        try:
            found = from_json(arguments, allow_inf_nan=False) if arguments.strip() else {}
        except ValueError:
            found = None
    if isinstance(found, dict):
        return {"id": identity, "name": name, "arguments": found}
    invalid = str(arguments)[:_LONGEST_INVALID]
    return {"id": identity, "name": name, "arguments": None, "invalid": invalid}


def url_at(base: str, path: str) -> str:
    """The address of `path` below a base, which may have a query, or end as the path begins."""
    where, mark, query = base.partition("?")
    first = path.partition("/")[0]
    where = where.rstrip("/").removesuffix(f"/{first}")
    return f"{where}/{path}{mark}{query}"
