"""How values become payloads: JSON with its keys in order and claims in it, and YAML text as the
CLI can send it."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from pydantic_core import PydanticSerializationError, from_json, to_json
from temporalio.api.common.v1 import Payload
from temporalio.converter import (
    CompositePayloadConverter,
    DataConverter,
    DefaultPayloadConverter,
    EncodingPayloadConverter,
    JSONPlainPayloadConverter,
    PayloadCodec,
)

from claimcheck.claim import Claim
from claimcheck.pointers import escape, replaced_at

__all__ = [
    "CLAIMS",
    "HELD_BY",
    "HINT",
    "INLINE",
    "REFERENCE",
    "ClaimConverter",
    "Inline",
    "OrderedJsonConverter",
    "ValueConverter",
    "YamlTextConverter",
    "claim_of",
    "claims_in",
    "data_converter",
    "flawed_payload",
    "json_of",
    "metadata_of",
    "payload_of",
    "reference_payload",
    "write_json",
]

REFERENCE = "json/claim"
"""The encoding of a payload that stands for another one, which is in the store."""

CLAIMS = "claims"
"""Metadata of a JSON payload: the JSON pointers to the claims in it, as a JSON list."""

HINT = "claim-check"
INLINE = b"inline"
"""Metadata and its value: whoever reads this payload must be able to without the store."""

HELD_BY = "held-by"
"""Metadata: the id of a workflow that needs the claims in this payload as well."""

_REFERENCE_TYPE = b"temporal.api.sdk.v1.ExternalStorageReference"
"""By this the Web UI knows that it can show a size and offer a download."""


@dataclasses.dataclass(frozen=True)
class Inline:
    """A value whose payload must stay inline; the values inside it may be claims."""

    value: Any


class YamlTextConverter(EncodingPayloadConverter):
    """Reads payloads of encoding `text/yaml` as their text; never writes any."""

    @property
    def encoding(self) -> str:
        return "text/yaml"

    def to_payload(self, value: Any) -> Payload | None:  # noqa: ARG002
        return None

    def from_payload(self, payload: Payload, type_hint: type | None = None) -> Any:  # noqa: ARG002
        return payload.data.decode()


class ClaimConverter(EncodingPayloadConverter):
    """A payload that is in the store, as its claim: nothing is read for it here."""

    def __init__(self, claim_type: type[Claim] = Claim) -> None:
        self._claim_type = claim_type

    @property
    def encoding(self) -> str:
        return REFERENCE

    def to_payload(self, value: Any) -> Payload | None:
        return reference_payload(value) if isinstance(value, Claim) else None

    def from_payload(self, payload: Payload, type_hint: type | None = None) -> Any:  # noqa: ARG002
        return claim_of(payload, self._claim_type)


class OrderedJsonConverter(JSONPlainPayloadConverter):
    """JSON whose objects keep the order of their keys; the SDK's own converter sorts them.

    Claims in it are noted in the metadata, so that nothing else is ever taken for one.
    """

    def __init__(self, claim_type: type[Claim] = Claim) -> None:
        super().__init__()
        self._claim_type = claim_type

    def to_payload(self, value: Any) -> Payload | None:
        if isinstance(value, Inline):
            payload = self.to_payload(value.value)
            if payload is not None:
                payload.metadata[HINT] = INLINE
            return payload
        try:
            data, found = write_json(value)
        except PydanticSerializationError:
            return super().to_payload(value)
        payload = Payload(metadata={"encoding": self.encoding.encode()}, data=data)
        if found:
            payload.metadata[CLAIMS] = to_json([pointer for pointer, _ in claims_in(value)])
        return payload

    def from_payload(self, payload: Payload, type_hint: type | None = None) -> Any:
        if CLAIMS not in payload.metadata:
            return super().from_payload(payload, type_hint)
        return json_of(payload, self._claim_type)


class ValueConverter(CompositePayloadConverter):
    """The SDK's own converters, with those of this module in their places."""

    claim_type: ClassVar[type[Claim]] = Claim

    def __init__(self) -> None:
        own: list[EncodingPayloadConverter] = [
            OrderedJsonConverter(self.claim_type)
            if isinstance(each, JSONPlainPayloadConverter)
            else each
            for each in DefaultPayloadConverter().converters.values()
        ]
        super().__init__(YamlTextConverter(), ClaimConverter(self.claim_type), *own)


def data_converter(
    codec: PayloadCodec | None = None, *, claim_type: type[Claim] = Claim
) -> DataConverter:
    """The data converter of workers and clients; claims come out of it as `claim_type`."""

    class Converter(ValueConverter):  # the SDK makes one without arguments, again and again
        pass

    Converter.claim_type = claim_type
    return dataclasses.replace(
        DataConverter.default, payload_converter_class=Converter, payload_codec=codec
    )


def write_json(value: Any) -> tuple[bytes, bool]:
    """The value as JSON, claims as they are written; whether there were any.

    Raises `PydanticSerializationError` for what is not JSON.
    """
    found = False

    def written(other: Any) -> Any:
        nonlocal found
        if not isinstance(other, Claim):
            raise TypeError(f"{type(other).__name__} cannot be written as JSON")
        found = True
        return other.as_json()

    return to_json(value, inf_nan_mode="constants", fallback=written), found


def claims_in(value: Any, pointer: str = "") -> Iterator[tuple[str, Claim]]:
    """The claims in a JSON value, with the JSON pointers to where they stand."""
    if isinstance(value, Claim):
        yield pointer, value
    elif isinstance(value, dict):
        for key, entry in value.items():
            yield from claims_in(entry, f"{pointer}/{escape(str(key))}")
    elif isinstance(value, list | tuple):
        for index, entry in enumerate(value):
            yield from claims_in(entry, f"{pointer}/{index}")


def json_of(payload: Payload, claim_type: type[Claim] = Claim) -> Any:
    """The value of a JSON payload with its claims as claims; what only looks like one is not."""
    value = from_json(payload.data)
    for pointer in _pointers(payload):
        value = replaced_at(value, pointer, claim_type.read)
    return value


def _pointers(payload: Payload) -> list[str]:
    try:
        pointers = json.loads(payload.metadata.get(CLAIMS, b"[]"))
    except ValueError:
        return []
    return [each for each in pointers if isinstance(each, str)] if type(pointers) is list else []


def reference_payload(claim: Claim) -> Payload:
    """The payload that stands for a value in the store: a contract."""
    payload = Payload(
        metadata={"encoding": REFERENCE.encode(), "messageType": _REFERENCE_TYPE},
        data=to_json(claim.as_json()),
    )
    payload.external_payloads.add(size_bytes=claim.size)
    return payload


def flawed_payload(flaw: str) -> Payload:
    """A payload that stands for nothing, and says why when it is asked for."""
    return Payload(metadata={"encoding": REFERENCE.encode()}, data=to_json({"flaw": flaw}))


def claim_of(payload: Payload, claim_type: type[Claim] = Claim) -> Claim:
    """The claim in a reference payload; a flawed one if it is not well written."""
    try:
        written = from_json(payload.data)
    except ValueError:
        written = None
    return claim_type.read(written)


def metadata_of(payload: Payload) -> dict[str, str]:
    """A payload's metadata as a claim keeps it: whatever bytes it has, and the same again in
    `payload_of`."""
    return {key: text.decode("latin-1") for key, text in payload.metadata.items()}


def payload_of(data: bytes, metadata: Mapping[str, str]) -> Payload:
    """The payload whose bytes and metadata these are."""
    written = {key: text.encode("latin-1", "replace") for key, text in metadata.items()}
    return Payload(metadata=written, data=data)
