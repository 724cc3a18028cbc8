"""Performing node types without a worker: those that need nothing but their parameters."""

from __future__ import annotations

import asyncio
from typing import Any

import structlog

from activities import log
from activities.attempt import Attempt
from activities.convert import csv, json, xml
from activities.declaration import AnyImplementation
from activities.errors import INTERNAL_ERROR, NodeFailed
from activities.parameters import read_params
from activities.redaction import Redactor
from activities.results import ResultWriter
from activities.shaping import template, transform, validate
from flowspec.values import JsonObject

__all__ = ["rehearse"]

_NEEDS_NOTHING = (
    *log.NODE_TYPES,
    *transform.NODE_TYPES,
    *template.NODE_TYPES,
    *validate.NODE_TYPES,
    *csv.NODE_TYPES,
    *json.NODE_TYPES,
    *xml.NODE_TYPES,
)


_KNOWN = {each.node_type.name: each for each in _NEEDS_NOTHING}


def rehearse(type: str, params: JsonObject) -> JsonObject | NodeFailed | None:
    """`{output, action}` or how it failed; None for a type that needs more. Must be called
    outside of any event loop."""
    implementation = _KNOWN.get(type)
    return None if implementation is None else asyncio.run(_performed(implementation, params))


async def _performed(
    implementation: AnyImplementation, params: JsonObject
) -> JsonObject | NodeFailed:
    attempt = Attempt(node="", flow="", run_id="", key="")
    try:
        read: Any = read_params(implementation, params)
        with structlog.testing.capture_logs():  # lines of nobody's worker
            returned = await implementation.handler(read, attempt)
        return ResultWriter(implementation).write(returned, redactor=Redactor())
    except NodeFailed as failed:
        return failed
    except Exception as error:
        return NodeFailed(INTERNAL_ERROR, f"{type(error).__name__}: {error}")
