"""How values become payloads: JSON with its keys in order, YAML text as the CLI can send it, or
whatever a converter of somebody else's makes of them; and claims among all that."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, Self, cast

from pydantic_core import PydanticSerializationError, from_json, to_json
from temporalio.api.common.v1 import Payload
from temporalio.common import RawValue
from temporalio.converter import (
    CompositePayloadConverter,
    DataConverter,
    DefaultFailureConverter,
    DefaultFailureConverterWithEncodedAttributes,
    DefaultPayloadConverter,
    EncodingPayloadConverter,
    JSONPlainPayloadConverter,
    PayloadCodec,
    PayloadConverter,
    SerializationContext,
    WithSerializationContext,
)

from claimcheck.claim import Claim
from claimcheck.pointers import places, replaced_at

__all__ = [
    "CLAIMS",
    "HELD_BY",
    "HINT",
    "INLINE",
    "REFERENCE",
    "AroundConverter",
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
    "read_json",
    "reference_payload",
    "says_claims",
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
        if not isinstance(value, Claim) or value.means_json:
            return None  # then it is a JSON value with nothing but a claim in it
        return reference_payload(value)

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
        except (TypeError, ValueError):  # the SDK's own knows some more types
            return super().to_payload(value)
        payload = Payload(metadata={"encoding": self.encoding.encode()}, data=data)
        if found:
            payload.metadata[CLAIMS] = to_json(_pointers_to_claims(value, data, found))
        return payload

    def from_payload(self, payload: Payload, type_hint: type | None = None) -> Any:
        """Never fails for a payload that says that it has claims, whoever has written it: where
        it is read, a failure would keep the run from ever going on."""
        if CLAIMS not in payload.metadata:
            return super().from_payload(payload, type_hint)
        try:
            return json_of(payload, self._claim_type)
        except ValueError:
            flaw = "a payload that says that it has claims in it is no JSON"
            return self._claim_type(key="", size=0, flaw=flaw)


class ValueConverter(CompositePayloadConverter):
    """The SDK's own converters, with those of this module in their places."""

    def __init__(self, claim_type: type[Claim] = Claim) -> None:
        own: list[EncodingPayloadConverter] = [
            OrderedJsonConverter(claim_type)
            if isinstance(each, JSONPlainPayloadConverter)
            else each
            for each in DefaultPayloadConverter().converters.values()
        ]
        super().__init__(YamlTextConverter(), ClaimConverter(claim_type), *own)


class AroundConverter(PayloadConverter, WithSerializationContext):
    """A converter of somebody else's, to whom everything goes that has no claims in it."""

    def __init__(self, inner: Callable[[], PayloadConverter]) -> None:
        self._inner = inner()
        self._own = ValueConverter()

    def to_payloads(self, values: Sequence[Any]) -> list[Payload]:
        return [self._written(value) for value in values]

    def _written(self, value: Any) -> Payload:
        if isinstance(value, Claim):
            return self._own.to_payload(value)
        if isinstance(value, Inline):
            payload = self._written(value.value)
            payload.metadata[HINT] = INLINE
            return payload
        try:
            return self._inner.to_payload(value)
        except Exception:
            if isinstance(value, RawValue) or not _has_claims(value):
                raise
            return self._own.to_payload(value)

    def from_payloads(
        self, payloads: Sequence[Payload], type_hints: list[type] | None = None
    ) -> list[Any]:
        hints: list[Any] = type_hints or [None] * len(payloads)
        return [self._read(payload, hint) for payload, hint in zip(payloads, hints, strict=True)]

    def _read(self, payload: Payload, hint: Any) -> Any:
        own = payload.metadata.get("encoding") == REFERENCE.encode() or says_claims(payload)
        converter = self._own if own else self._inner
        return converter.from_payload(payload, hint)

    def with_context(self, context: SerializationContext) -> Self:
        if not isinstance(self._inner, WithSerializationContext):
            return self
        inner = self._inner.with_context(context)
        return self if inner is self._inner else type(self)(lambda: inner)


def data_converter(
    codec: PayloadCodec | None = None,
    *,
    claim_type: type[Claim] = Claim,
    around: DataConverter | None = None,
    sealed_failures: bool = False,
) -> DataConverter:
    """The data converter of workers and clients; claims come out of it as `claim_type`.

    With `around`, that one's values, types and failures stay as they are. With `sealed_failures`
    the texts of errors are payloads too, which the codec encrypts.
    """
    made: Callable[[], PayloadConverter] = (
        partial(_itself, ValueConverter(claim_type))
        if around is None
        else partial(AroundConverter, around.payload_converter_class)
    )
    given = around or DataConverter.default
    if sealed_failures and given.failure_converter_class is DefaultFailureConverter:
        given = dataclasses.replace(
            given, failure_converter_class=DefaultFailureConverterWithEncodedAttributes
        )
    return dataclasses.replace(
        given,
        # What the SDK calls to make one; and it sends it to other processes, as no class could be
        # that is made here.
        payload_converter_class=cast(type[PayloadConverter], made),
        payload_codec=codec,
    )


def _itself(converter: ValueConverter) -> ValueConverter:
    """It keeps nothing, so that one is enough; the SDK asks for one several times a step."""
    return converter


def write_json(value: Any) -> tuple[bytes, int]:
    """The value as JSON, claims as they are written; how many there were.

    Raises `ValueError` or `TypeError` for what is not JSON.
    """
    return _write_json(value, Claim.as_json)


def _write_json(value: Any, as_json: Callable[[Claim], Any]) -> tuple[bytes, int]:
    found = 0

    def written(other: Any) -> Any:
        nonlocal found
        if not isinstance(other, Claim):
            raise TypeError(f"{type(other).__name__} cannot be written as JSON")
        found += 1
        return as_json(other)

    try:
        return to_json(value, inf_nan_mode="constants", fallback=written), found
    except PydanticSerializationError as error:
        found = 0
        try:  # half a pair of surrogates in a text, or what is nested very deeply
            return json.dumps(value, separators=(",", ":"), default=written).encode(), found
        except (TypeError, ValueError, RecursionError):
            raise error from None


def read_json(data: bytes) -> Any:
    """Raises `ValueError` for what is not JSON."""
    try:
        return from_json(data)
    except ValueError as error:
        try:  # half a pair of surrogates in a text, or what is nested very deeply
            return json.loads(data.decode())
        except (ValueError, RecursionError):
            raise error from None


def _has_claims(value: Any) -> bool:
    try:
        return write_json(value)[1] > 0
    except (TypeError, ValueError):
        return False


def _pointers_to_claims(value: Any, data: bytes, count: int) -> list[str]:
    """Where the claims of a value stand in the JSON it is written as.

    What is not made of lists and objects alone, but of dataclasses and the like, is written once
    more with a mark for each claim: a text that cannot be in the JSON, for it is its hash.
    """
    pointers = [pointer for pointer, _ in claims_in(value)]
    if len(pointers) == count:
        return pointers
    mark = hashlib.sha256(data).hexdigest()
    marked = read_json(_write_json(value, lambda _: mark)[0])
    return [pointer for pointer, _ in places(marked, lambda entry: entry == mark)]


def claims_in(value: Any) -> Iterator[tuple[str, Claim]]:
    """The claims in a JSON value, with the JSON pointers to where they stand."""
    return places(value, lambda entry: isinstance(entry, Claim))


def says_claims(payload: Payload) -> bool:
    """Whether it is JSON that says that it has claims in it."""
    return CLAIMS in payload.metadata and payload.metadata.get("encoding") == b"json/plain"


def json_of(payload: Payload, claim_type: type[Claim] = Claim) -> Any:
    """The value of a JSON payload with its claims as claims; what only looks like one is not.

    Raises `ValueError` if it is no JSON.
    """
    value = read_json(payload.data)
    for pointer in _pointers(payload):
        value = replaced_at(value, pointer, claim_type.read)
    return value


def _pointers(payload: Payload) -> list[str]:
    """Each of them once: one who writes many could keep every reader busy."""
    try:
        pointers = from_json(payload.metadata.get(CLAIMS, b"[]"))
    except ValueError:
        return []
    texts = (each for each in pointers if isinstance(each, str)) if type(pointers) is list else ()
    return list(dict.fromkeys(texts))


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
