"""The tools of an agent, as its model knows them and as the flow does."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict

from flowspec.jsonschemas import violations
from flowspec.values import Json, JsonObject

__all__ = ["Offered", "Toolbox", "shortened"]

_LONGEST_NAME = 64
_NO_WORD = re.compile(r"[^A-Za-z0-9_-]")
_MOST_SHOWN = 5


class Offered(BaseModel):
    """A tool as its server or the flow describes it."""

    model_config = ConfigDict(strict=True, frozen=True)

    name: str = ""
    description: str = ""
    parameters: JsonObject


@dataclass(frozen=True, kw_only=True)
class _Tool:
    """`node` is the node of the flow that performs it, `of_server` its name at an MCP server."""

    node: str
    of_server: str | None
    offered: Offered

    def argument(self, given: JsonObject) -> JsonObject:
        """What the node reads as `call`."""
        return given if self.of_server is None else {"tool": self.of_server, "arguments": given}


class Toolbox:
    """All tools by the name that the model knows them by, which every API takes."""

    def __init__(self, tools: Mapping[str, Offered], servers: Mapping[str, list[Offered]]) -> None:
        self._tools = {
            node: _Tool(node=node, of_server=None, offered=offered)
            for node, offered in tools.items()
        }
        for node, listed in servers.items():
            for offered in listed:
                name = self._free(f"{node}_{_NO_WORD.sub('_', offered.name)}")
                self._tools[name] = _Tool(node=node, of_server=offered.name, offered=offered)

    def _free(self, name: str) -> str:
        """The name, or one like it that no other tool has."""
        name = short = name[:_LONGEST_NAME]
        number = 1
        while name in self._tools:
            number += 1
            name = f"{short[: _LONGEST_NAME - len(str(number)) - 1]}_{number}"
        return name

    def described(self) -> list[JsonObject]:
        """As a model is told of them."""
        return [
            {
                "name": name,
                "description": tool.offered.description,
                "parameters": _schema(tool.offered.parameters),
            }
            for name, tool in self._tools.items()
        ]

    def objection(self, name: str, arguments: Json) -> str | None:
        """Why a call cannot be made, in words for the model."""
        tool = self._tools.get(name)
        if tool is None:
            return f"there is no tool {name!r}; there are {', '.join(self._tools) or 'none'}"
        if not isinstance(arguments, dict):
            return "the arguments are not a JSON object"
        found = violations(_schema(tool.offered.parameters), arguments)
        told = [f"{'.'.join(map(str, each.path)) or 'arguments'}: {each.message}" for each in found]
        return "; ".join(told[:_MOST_SHOWN]) or None

    def call(self, name: str, arguments: JsonObject) -> tuple[str, JsonObject]:
        """The node that performs a call nothing is to be said against, and what it is given."""
        tool = self._tools[name]
        return tool.node, tool.argument(arguments)


def _schema(parameters: JsonObject) -> JsonObject:
    """`parameters` says of an object what it has; that it is one goes without saying."""
    return {"type": "object", "properties": {}, **parameters}


def shortened(value: Json, limit: int) -> Json:
    """What a tool gave, or the beginning of it where it is too long for a model."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    if len(text) <= limit:
        return value
    return f"{text[:limit]}… (shortened: {len(text):,} characters in all)"
