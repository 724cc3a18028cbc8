"""Running a script in a child, and making its answer a result or an error."""

from __future__ import annotations

import json
import re
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from activities.aside import aside
from activities.attempt import Attempt
from activities.errors import INVALID_PARAMS, NodeFailed, needing_extra
from activities.script.pool import Broken, Late, ScriptPool, open_pool
from activities.script.script import (
    INVALID_OUTPUT,
    MEMORY_EXCEEDED,
    OUTPUT_TOO_LARGE,
    SCRIPT_CRASHED,
    SCRIPT_FAILED,
    SCRIPT_TIMEOUT,
    ScriptOptions,
    ScriptParams,
    ScriptResult,
)
from flowspec.durations import format_duration
from flowspec.values import Json

__all__ = ["ran"]

_GRACE = 0.5
"""Seconds in which a child notices by itself that time is up, which keeps its logs."""
_BESIDE = 1_000_000
"""Bytes of an answer beside the value."""
_MAY_BE_BIG = re.compile(r"\d{16}")


async def ran(params: ScriptParams, attempt: Attempt) -> ScriptResult:
    library = _library()
    options = attempt.options.get(ScriptOptions)
    if params.memory > options.most_memory:
        raise NodeFailed(
            INVALID_PARAMS,
            f"the parameters do not fit script.js: params.memory: this worker allows "
            f"{options.most_memory} bytes (FLOWRUNNER_SCRIPT_MEMORY), found {params.memory}",
        )
    pool = await attempt.resources.get(open_pool)
    request = await aside(lambda: _request(params), over=params.input)
    data = await _asked(pool, library, options, params, request)
    answer = await aside(lambda: _read(data), over=data)
    if answer.get("outcome") == "value":
        return {"value": answer.get("value"), "logs": _logs(answer)}
    raise _failure(answer, params)


def _library() -> Path:
    """The folder of the package the child needs, which is not loaded here."""
    with needing_extra("script"):
        found = find_spec("quickjs")
        if found is None or found.origin is None:
            raise ModuleNotFoundError("No module named 'quickjs'", name="quickjs-ng")
    return Path(found.origin).parents[1]


def _request(params: ScriptParams) -> bytes:
    script = json.dumps({"code": params.code, "input": params.input}, allow_nan=False)
    limits = {
        "time": params.time,
        "memory": params.memory,
        "max_bytes": params.max_bytes,
        "big": _MAY_BE_BIG.search(script) is not None,
    }
    return f"{json.dumps(limits)}\n{script}".encode()


async def _asked(
    pool: ScriptPool, library: Path, options: ScriptOptions, params: ScriptParams, request: bytes
) -> bytes:
    try:
        return await pool.ask(
            library,
            options.most_memory,
            request,
            seconds=params.time + _GRACE,
            most=params.max_bytes + _BESIDE,
        )
    except Late:
        return b'{"outcome": "timeout"}'
    except Broken as error:
        raise NodeFailed(SCRIPT_CRASHED, str(error)) from error


def _read(data: bytes) -> dict[str, Any]:
    """The answer of a child, which a script may have had its hands on."""
    try:
        answer = json.loads(data)
    except (ValueError, RecursionError):
        answer = None
    if isinstance(answer, dict):
        return answer
    return {"outcome": "unfit", "message": "it is nested too deeply, or no JSON at all"}


def _failure(answer: dict[str, Any], params: ScriptParams) -> NodeFailed:
    said = _plain(answer.get("message"))
    line = answer.get("line")
    where = f" (line {line})" if isinstance(line, int) else ""
    error, message = {
        "timeout": (
            SCRIPT_TIMEOUT,
            f"the script took longer than {format_duration(params.time)}{where}; "
            "give it less to do, or more `time`",
        ),
        "memory": (
            MEMORY_EXCEEDED,
            f"the script needs more than {params.memory:,} bytes{where}; "
            "give it less to do, or more `memory`",
        ),
        "large": (
            OUTPUT_TOO_LARGE,
            f"the script returned {said} bytes of JSON, which is over max_bytes: "
            f"{params.max_bytes:,}",
        ),
        "unfit": (INVALID_OUTPUT, f"what the script returned is no JSON: {said}"),
        "stuck": (
            SCRIPT_FAILED,
            "the script waits for a promise that nothing settles: there are no timers, and "
            "nothing from outside comes in",
        ),
    }.get(str(answer.get("outcome")), (SCRIPT_FAILED, f"{said}{where}"))
    details: Json = {"line": line if isinstance(line, int) else None, "logs": [*_logs(answer)]}
    return NodeFailed(error, message, details=details)


def _logs(answer: dict[str, Any]) -> list[str]:
    found = answer.get("logs")
    return [_plain(line) for line in found] if isinstance(found, list) else []


def _plain(text: object) -> str:
    """Without halves of characters, which nobody could write down."""
    return str(text or "").encode("utf-8", "replace").decode()
