"""How values become payloads: JSON with its keys in order, and YAML text as the CLI can send it."""

from __future__ import annotations

import dataclasses
from typing import Any

from pydantic_core import PydanticSerializationError, to_json
from temporalio.api.common.v1 import Payload
from temporalio.converter import (
    CompositePayloadConverter,
    DataConverter,
    DefaultPayloadConverter,
    EncodingPayloadConverter,
    JSONPlainPayloadConverter,
)

__all__ = ["OrderedJsonConverter", "ValueConverter", "YamlTextConverter", "data_converter"]


class YamlTextConverter(EncodingPayloadConverter):
    """Reads payloads of encoding `text/yaml` as their text; never writes any."""

    @property
    def encoding(self) -> str:
        return "text/yaml"

    def to_payload(self, value: Any) -> Payload | None:  # noqa: ARG002
        return None

    def from_payload(self, payload: Payload, type_hint: type | None = None) -> Any:  # noqa: ARG002
        return payload.data.decode()


class OrderedJsonConverter(JSONPlainPayloadConverter):
    """JSON whose objects keep the order of their keys; the SDK's own converter sorts them."""

    def to_payload(self, value: Any) -> Payload | None:
        try:
            data = to_json(value, inf_nan_mode="constants")
        except PydanticSerializationError:
            return super().to_payload(value)
        return Payload(metadata={"encoding": self.encoding.encode()}, data=data)


class ValueConverter(CompositePayloadConverter):
    """The SDK's own converters, with the two of this module in their places."""

    def __init__(self) -> None:
        own: list[EncodingPayloadConverter] = [
            OrderedJsonConverter() if isinstance(each, JSONPlainPayloadConverter) else each
            for each in DefaultPayloadConverter().converters.values()
        ]
        super().__init__(YamlTextConverter(), *own)


def data_converter() -> DataConverter:
    """The data converter of workers and clients."""
    return dataclasses.replace(DataConverter.default, payload_converter_class=ValueConverter)
