"""Payloads of the interpreter's own: what the claim check must leave inline, and for whom else it
keeps something."""

from __future__ import annotations

from typing import Any

from pydantic_core import to_json
from temporalio import workflow
from temporalio.common import RawValue

from flowspec.values import Opaque
from workflows.names import HELD_BY, HINT, INLINE

__all__ = ["held_by", "inline", "size_of"]

_CLAIM_BYTES = 250


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


def size_of(value: Any) -> int:
    """About how many bytes it is as JSON."""
    return len(to_json(value, fallback=_stand_in))


def _stand_in(value: Any) -> str:
    if isinstance(value, Opaque):
        return "·" * (_CLAIM_BYTES // 2)
    raise TypeError(f"{type(value).__name__} is no JSON")
