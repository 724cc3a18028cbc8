"""The payloads of a history, wherever in its events they are."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from temporalio.api.common.v1 import Payload

__all__ = ["payloads_of"]


def payloads_of(message: Any) -> Iterator[Payload]:
    """Every payload anywhere in a protobuf message."""
    if isinstance(message, Payload):
        yield message
        return
    for field, value in message.ListFields():
        if field.message_type is None:
            continue
        if field.message_type.GetOptions().map_entry:
            value = [each for each in value.values() if hasattr(each, "ListFields")]
        for entry in [value] if hasattr(value, "ListFields") else value:
            yield from payloads_of(entry)
