"""Node type `script.js`: its parameters, its result and its errors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from pydantic import AfterValidator, Field
from typing_extensions import TypedDict

from activities.attempt import Attempt
from activities.declaration import AnyImplementation, Params, declare
from activities.durations import Seconds
from activities.errors import EXTRA_MISSING
from flowspec.catalogue import ErrorType, RetryDefaults
from flowspec.values import Json

__all__ = [
    "INVALID_OUTPUT",
    "MEMORY_EXCEEDED",
    "NODE_TYPES",
    "OUTPUT_TOO_LARGE",
    "SCRIPT_CRASHED",
    "SCRIPT_FAILED",
    "SCRIPT_TIMEOUT",
    "ScriptOptions",
    "ScriptParams",
    "ScriptResult",
]

_LONGEST_TIME = 60.0
_MOST_OUTPUT = 100_000_000

SCRIPT_FAILED = ErrorType(
    name="ScriptFailed",
    permanent=True,
    meaning="The script cannot be read, threw an error, or waits for what never comes; the "
    "message says in which line",
)
SCRIPT_TIMEOUT = ErrorType(
    name="ScriptTimeout", permanent=True, meaning="The script took longer than its `time`"
)
MEMORY_EXCEEDED = ErrorType(
    name="MemoryExceeded", permanent=True, meaning="The script needed more than its `memory`"
)
OUTPUT_TOO_LARGE = ErrorType(
    name="OutputTooLarge",
    permanent=True,
    meaning="What the script returned is larger than `max_bytes`",
)
INVALID_OUTPUT = ErrorType(
    name="InvalidOutput",
    permanent=True,
    meaning="What the script returned is no JSON, such as nothing, NaN, a function or a circle",
)
SCRIPT_CRASHED = ErrorType(
    name="ScriptCrashed",
    permanent=False,
    meaning="The process the script ran in could not be started, or ended without an answer",
)


@dataclass(frozen=True, kw_only=True)
class ScriptOptions:
    """What the operator sets: the most bytes of memory that a script may ask for."""

    most_memory: int = 256 * 1024 * 1024


def _at_most_a_minute(seconds: float) -> float:
    if seconds > _LONGEST_TIME:
        raise ValueError("expected 60s at most")
    return seconds


class ScriptParams(Params):
    """What is run, and how much it may take."""

    code: str = Field(min_length=1, max_length=1_000_000)
    """The body of an `async` function of `input`, in strict mode: it may `await`, and what it
    returns is the value. A `${` of JavaScript's own is written `$${`."""
    input: Json = None
    """What the script finds as `input`. Write `${…}` here: in the code it is refused, for it would
    be read as a part of the script."""
    time: Annotated[Seconds, AfterValidator(_at_most_a_minute)] = Field(
        default="5s", validate_default=True
    )
    """How long it may take, 60 seconds at most."""
    memory: int = Field(default=64_000_000, ge=1_000_000)
    """How many bytes of memory it may take, its input included; no more than the worker's
    `FLOWRUNNER_SCRIPT_MEMORY`."""
    max_bytes: int = Field(default=10_000_000, ge=1, le=_MOST_OUTPUT)
    """How large the value may be, as JSON."""


class ScriptResult(TypedDict):
    """What came of it."""

    value: Annotated[Json, Field(description="What the script returned")]
    logs: Annotated[
        list[str],
        Field(description="What it wrote by `console.log`, line by line, 64 thousand characters"),
    ]


async def run(params: ScriptParams, attempt: Attempt) -> ScriptResult:
    from activities.script.running import ran

    return await ran(params, attempt)


SCRIPT_JS = declare(
    name="script.js",
    summary="Run JavaScript in a sandbox",
    description=(
        "The code is the body of an `async` function that is given `input` and returns the value. "
        "It has the language (ECMAScript 2025: promises, `Date`, `Math.random`, regular "
        "expressions, BigInt) and `console.log`, and nothing else: no network, no files, no "
        "modules, no timers, no secrets. It runs in a process of its own that is killed when it "
        "takes too long. Numbers are those of JavaScript: an integer beyond 2^53 arrives as a "
        "BigInt, and a BigInt is returned as an integer; 1.0 becomes 1. Of objects, keys that are "
        "whole numbers come first. Members that are `undefined` are left out as `JSON.stringify` "
        "leaves them out; NaN, functions, symbols, promises, maps and sets are refused."
    ),
    example="""\
flow: totals
input: {required: [orders], properties: {orders: {type: array}}}
nodes:
  sum:
    type: script.js
    params:
      input: ${input.orders}
      code: |
        const totals = {};
        for (const {customer, amount} of input) {
          totals[customer] = (totals[customer] ?? 0) + amount;
        }
        console.log(`$${Object.keys(totals).length} customers`);
        return totals;
output: ${nodes.sum.output.value}
""",
    params=ScriptParams,
    result=ScriptResult,
    handler=run,
    errors=(
        SCRIPT_FAILED,
        SCRIPT_TIMEOUT,
        MEMORY_EXCEEDED,
        OUTPUT_TOO_LARGE,
        INVALID_OUTPUT,
        SCRIPT_CRASHED,
        EXTRA_MISSING,
    ),
    tier="local",
    literal_params=("code",),
    retry=RetryDefaults(attempts=3),
    attempt_timeout=600,
)

NODE_TYPES: tuple[AnyImplementation, ...] = (SCRIPT_JS,)
