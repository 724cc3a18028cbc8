"""What an execution is started with: a flow, or what an earlier one left, or a shard."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from temporalio import workflow
from temporalio.common import RawValue
from temporalio.exceptions import ApplicationError

from flowspec.machine import SHARD_ARGUMENT
from flowspec.opening import OpeningWrong, read_opening
from flowspec.values import Json, JsonObject, NeedsWorker, Opaque
from workflows.names import CONTINUED
from workflows.packing import unpack

__all__ = ["Beginning", "read_beginning", "value_of"]


@dataclass(frozen=True, kw_only=True)
class Beginning:
    """`request` for the resolver; `hidden` if it holds the input, which cannot be read here."""

    request: JsonObject
    input: Json = None
    hidden: bool = False
    continued: JsonObject | None = None
    shard: JsonObject | None = None


def read_beginning(workflow_type: str, arguments: Sequence[RawValue]) -> Beginning:
    """Understand the arguments; raises `ApplicationError` for what makes no sense."""
    values = [value_of(raw) for raw in arguments]
    first = values[0] if values else None
    if isinstance(first, dict):
        if isinstance(first.get(CONTINUED), dict):
            return Beginning(request={}, continued=_left(first[CONTINUED]))  # type: ignore[arg-type]
        if isinstance(first.get(SHARD_ARGUMENT), dict):
            return Beginning(request={}, shard=first[SHARD_ARGUMENT])  # type: ignore[arg-type]
    try:
        opening = read_opening(workflow_type, values)
    except OpeningWrong as error:
        raise _refused(str(error)) from None
    except NeedsWorker:
        return Beginning(request={"arguments": values}, hidden=True)
    if _holds_claim(opening.input):
        return Beginning(request={**opening.source, "input": opening.input}, hidden=True)
    return Beginning(request=opening.source, input=opening.input)


def _left(packed: JsonObject) -> JsonObject:
    try:
        return unpack(packed)
    except ValueError as error:
        raise _refused(f"what an earlier execution left cannot be read: {error}") from None


def value_of(raw: RawValue) -> Json:
    """Raises `ApplicationError` if the payload is not what it says."""
    try:
        value: Json = workflow.payload_converter().from_payload(raw.payload)
    except Exception as error:
        raise _refused(f"a payload cannot be read: {error}") from None
    return value


def _holds_claim(value: object) -> bool:
    if isinstance(value, dict):
        return any(_holds_claim(entry) for entry in value.values())
    if isinstance(value, list):
        return any(_holds_claim(entry) for entry in value)
    return isinstance(value, Opaque)


def _refused(message: str) -> ApplicationError:
    return ApplicationError(message, type="InputInvalid", non_retryable=True)
