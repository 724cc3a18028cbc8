"""What a run is started with: a name or YAML text, an input, or what an earlier run left."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from temporalio import workflow
from temporalio.common import RawValue
from temporalio.exceptions import ApplicationError

from flowspec.machine import SHARD_ARGUMENT
from flowspec.values import Json, JsonObject
from workflows.names import CONTINUED, FLOW_TYPE

__all__ = ["Opening", "read_opening"]


@dataclass(frozen=True, kw_only=True)
class Opening:
    """`source` for the resolver (`{name}` or `{text}`) and an input, or `continued`, or `shard`."""

    source: JsonObject
    input: Json = None
    continued: JsonObject | None = None
    shard: JsonObject | None = None


def read_opening(workflow_type: str, arguments: Sequence[RawValue]) -> Opening:
    """Understand the arguments of a run; raises `ApplicationError` for what makes no sense."""
    converter = workflow.payload_converter()
    values: list[Any] = [converter.from_payload(raw.payload) for raw in arguments]
    first = values[0] if values else None
    if isinstance(first, dict) and CONTINUED in first:
        return Opening(source={}, continued=first[CONTINUED])
    if isinstance(first, dict) and SHARD_ARGUMENT in first:
        return Opening(source={}, shard=first[SHARD_ARGUMENT])
    if workflow_type != FLOW_TYPE:
        if len(values) > 1:
            raise _refuse(f"flow {workflow_type!r} takes one argument, its input")
        return Opening(source={"name": workflow_type}, input={} if first is None else first)
    return _inline(first, values[1:])


def _inline(first: Any, rest: list[Any]) -> Opening:
    if isinstance(first, str):
        flow, given = first, rest[0] if rest else None
    elif isinstance(first, dict) and isinstance(first.get("flow"), str):
        unknown = [key for key in first if key not in ("flow", "input")]
        if unknown:
            raise _refuse(f"unknown key {unknown[0]!r} beside `flow` and `input`")
        flow, given = first["flow"], first.get("input", rest[0] if rest else None)
    else:
        raise _refuse(
            "a run of type `flow` is started with YAML text, or with "
            "{flow: <YAML text or a flow's name>, input: {…}}"
        )
    source: JsonObject = {"text": flow} if "\n" in flow or ":" in flow else {"name": flow.strip()}
    return Opening(source=source, input={} if given is None else given)


def _refuse(message: str) -> ApplicationError:
    return ApplicationError(message, type="InputInvalid", non_retryable=True)
