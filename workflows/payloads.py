"""How values become payloads: JSON, and YAML text as the Temporal CLI can send it."""

from __future__ import annotations

import dataclasses
from typing import Any

from temporalio.api.common.v1 import Payload
from temporalio.converter import (
    CompositePayloadConverter,
    DataConverter,
    DefaultPayloadConverter,
    EncodingPayloadConverter,
)

__all__ = ["FlowPayloadConverter", "YamlTextConverter", "data_converter"]


class YamlTextConverter(EncodingPayloadConverter):
    """Reads payloads of encoding `text/yaml` as their text; never writes any."""

    @property
    def encoding(self) -> str:
        return "text/yaml"

    def to_payload(self, value: Any) -> Payload | None:  # noqa: ARG002
        return None

    def from_payload(self, payload: Payload, type_hint: type | None = None) -> Any:  # noqa: ARG002
        return payload.data.decode()


class FlowPayloadConverter(CompositePayloadConverter):
    """The SDK's own converters, after the one for YAML."""

    def __init__(self) -> None:
        default = DefaultPayloadConverter()
        super().__init__(YamlTextConverter(), *default.converters.values())


def data_converter() -> DataConverter:
    """The data converter of worker and clients."""
    return dataclasses.replace(DataConverter.default, payload_converter_class=FlowPayloadConverter)
