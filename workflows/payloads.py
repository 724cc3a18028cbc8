"""Payloads of the interpreter's own: what the claim check must leave inline, and for whom else it
keeps something."""

from __future__ import annotations

from typing import Any

from pydantic_core import from_json, to_json
from temporalio import workflow
from temporalio.api.common.v1 import Payload
from temporalio.common import RawValue
from temporalio.exceptions import ApplicationError

from flowspec.values import Json, Opaque
from workflows.names import HELD_BY, HINT, INLINE

__all__ = ["held_by", "inline", "plain_json", "size_of"]

_CLAIM_BYTES = 250

_JSON = ("binary/null", "json/plain", "json/claim", "json/protobuf")
"""Encodings of what is JSON, or of a claim."""


def inline(value: Any) -> RawValue:
    """A payload that workflow code reads: it must not be put into the store as a whole."""
    payload = workflow.payload_converter().to_payload(value)
    payload.metadata[HINT] = INLINE
    return RawValue(payload)


def held_by(value: Any, workflow_id: str, *, stays: bool = False) -> RawValue:
    """A payload whose claims another workflow needs too; `stays` as in `inline`."""
    payload = workflow.payload_converter().to_payload(value)
    payload.metadata[HELD_BY] = workflow_id.encode()
    if stays:
        payload.metadata[HINT] = INLINE
    return RawValue(payload)


def plain_json(raw: RawValue, what: str) -> Json:
    """What somebody else has written, who may know nothing of us; claims stay claims.

    Raises `ApplicationError` of type `InvalidResult` for what is no JSON.
    """
    payload = raw.payload
    encoding = payload.metadata.get("encoding", b"").decode("utf-8", "replace")
    if encoding not in _JSON:
        raise _no_json(
            f"{what} is not JSON but of encoding {encoding!r}; let the activity return JSON, or "
            "give its worker the same codec as Flowrunner's"
        )
    if encoding == "json/protobuf":  # a message as JSON: of which type is nothing to a flow
        payload = Payload(metadata={"encoding": b"json/plain"}, data=payload.data)
    try:
        if encoding != "json/claim":
            from_json(payload.data or b"null", allow_inf_nan=False)
        value: Json = workflow.payload_converter().from_payload(payload)
    except ValueError as error:
        raise _no_json(f"{what} is not JSON: {error}") from None
    return value


def _no_json(message: str) -> ApplicationError:
    return ApplicationError(message, type="InvalidResult", non_retryable=True)


def size_of(value: Any) -> int:
    """About how many bytes it is as JSON."""
    return len(to_json(value, fallback=_stand_in))


def _stand_in(value: Any) -> str:
    if isinstance(value, Opaque):
        return "·" * (_CLAIM_BYTES // 2)
    raise TypeError(f"{type(value).__name__} is no JSON")
