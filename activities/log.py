"""Node type `log`: a line in the worker's log."""

from __future__ import annotations

import json
from typing import Literal

from typing_extensions import TypedDict

from activities.attempt import Attempt
from activities.declaration import AnyImplementation, Params, declare
from flowspec.catalogue import RetryDefaults
from flowspec.values import Json

__all__ = ["NODE_TYPES", "LogParams", "LogResult"]

_LONGEST_LINE = 10_000
_SHOWN = 1_000

Level = Literal["debug", "info", "warning", "error"]


class LogParams(Params):
    """What to write."""

    message: str | int | float | bool
    """The line to write; a number or a boolean is written as JSON writes it."""
    level: Level = "info"
    """How serious it is."""
    data: Json = None
    """More to write beside it, as any JSON."""


class LogResult(TypedDict):
    """What was written."""

    message: str
    level: Level
    data: Json


async def write(params: LogParams, _attempt: Attempt) -> LogResult:
    """The node, the flow and the run are bound to every line of an attempt already."""
    import structlog

    logger = structlog.stdlib.get_logger("flowrunner.log")
    more = {} if params.data is None else {"data": _fitting(params.data)}
    message = params.message if isinstance(params.message, str) else json.dumps(params.message)
    logger.log(_LEVELS[params.level], _cut(message), **more)
    return {"message": message, "level": params.level, "data": params.data}


def _fitting(data: Json) -> Json:
    """What is too large for a line is shown by its beginning."""
    text = json.dumps(data, ensure_ascii=False)
    return data if len(text) <= _LONGEST_LINE else _cut(text)


def _cut(text: str) -> str:
    if len(text) <= _LONGEST_LINE:
        return text
    return f"{text[:_SHOWN]}… ({len(text):,} characters in all)"


_LEVELS: dict[Level, int] = {"debug": 10, "info": 20, "warning": 30, "error": 40}

LOG = declare(
    name="log",
    summary="Write a line to the worker's log",
    description=(
        "The line carries the flow, the run and the node. It is written where the worker runs, "
        "and again if the attempt is repeated; for something that must be kept, use the output. "
        "Of what is longer than 10,000 characters only the beginning is written."
    ),
    example="""\
flow: greet
input: {required: [name], properties: {name: {type: string}}}
nodes:
  hello: {type: log, params: {message: "Hello ${input.name}"}}
""",
    params=LogParams,
    result=LogResult,
    handler=write,
    tier="local",
    retry=RetryDefaults(attempts=3),
    attempt_timeout=5,
)

NODE_TYPES: tuple[AnyImplementation, ...] = (LOG,)
