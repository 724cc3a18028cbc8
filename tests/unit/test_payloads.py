"""Values on their way through Temporal: nothing about them changes, their order included, and
claims are found in whatever they stand."""

from __future__ import annotations

import dataclasses
import json
import pickle
from datetime import UTC, datetime
from typing import Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict
from temporalio.api.common.v1 import Payload
from temporalio.common import RawValue
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.converter import (
    CompositePayloadConverter,
    DataConverter,
    DefaultFailureConverterWithEncodedAttributes,
    DefaultPayloadConverter,
    EncodingPayloadConverter,
    PayloadConverter,
)

from claimcheck.claim import Claim
from claimcheck.payloads import (
    CLAIMS,
    HINT,
    INLINE,
    Inline,
    data_converter,
    metadata_of,
    payload_of,
    read_json,
    write_json,
)
from flowspec.values import Json

SHA = "0123456789abcdef" * 4
CLAIM = Claim(key=f"v1/default/w/{SHA}", size=5)
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.text()
    | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


def converter() -> PayloadConverter:
    return data_converter().payload_converter


def around(given: DataConverter) -> PayloadConverter:
    return data_converter(around=given).payload_converter


@given(JSON)
def test_a_value_comes_back_as_it_was_in_its_order(value: Json) -> None:
    again = converter().from_payload(converter().to_payload(value))
    assert json.dumps(again) == json.dumps(value)


def test_yaml_text_comes_as_text() -> None:
    payload = Payload(metadata={"encoding": b"text/yaml"}, data="flow: a\n# é".encode())
    assert converter().from_payload(payload) == "flow: a\n# é"


@pytest.mark.parametrize("text", [b"[1, 2]", b'{"b": 1, "a": 2}'])
def test_json_as_other_clients_write_it_is_read(text: bytes) -> None:
    payload = Payload(metadata={"encoding": b"json/plain"}, data=text)
    assert converter().from_payload(payload) == json.loads(text)


# -- where claims stand ----------------------------------------------------------------------------


@dataclasses.dataclass
class Order:
    id: str
    document: Any


class Model(BaseModel):
    model_config = ConfigDict(arbitrary_types_allowed=True)
    document: Claim
    more: Any


class Pair(NamedTuple):
    first: Any
    second: Any


WITH_CLAIMS: dict[str, tuple[Any, Any]] = {
    "an object": ({"a/b": {"~": CLAIM}}, {"a/b": {"~": CLAIM}}),
    "a list": ([1, [CLAIM], CLAIM], [1, [CLAIM], CLAIM]),
    "a tuple": ((CLAIM, 1), [CLAIM, 1]),
    "a named tuple": (Pair(1, CLAIM), [1, CLAIM]),
    "a set": ({CLAIM}, [CLAIM]),
    "a dataclass": (Order("x", CLAIM), {"id": "x", "document": CLAIM}),
    "a dataclass in a list in a dataclass": (
        Order("x", [Order("y", CLAIM)]),
        {"id": "x", "document": [{"id": "y", "document": CLAIM}]},
    ),
    "a model": (
        Model(document=CLAIM, more={"a": CLAIM}),
        {"document": CLAIM, "more": {"a": CLAIM}},
    ),
    "an object whose names are numbers": (
        {1: CLAIM, 2: {3: CLAIM}},
        {"1": CLAIM, "2": {"3": CLAIM}},
    ),
    "a dataclass beside what looks like a claim": (
        [Order("x", CLAIM), CLAIM.as_json()],
        [{"id": "x", "document": CLAIM}, CLAIM.as_json()],
    ),
    "a value with half a pair of surrogates": (
        {"a": "\ud800", "b": CLAIM},
        {"a": "\ud800", "b": CLAIM},
    ),
}


@pytest.mark.parametrize(("value", "read"), WITH_CLAIMS.values(), ids=WITH_CLAIMS.keys())
@pytest.mark.parametrize("of", ["ours", "the SDK's", "pydantic's"])
def test_claims_are_found_wherever_they_stand(value: Any, read: Any, of: str) -> None:
    used = {
        "ours": converter(),
        "the SDK's": around(DataConverter.default),
        "pydantic's": around(pydantic_data_converter),
    }[of]
    payload = used.to_payload(value)
    assert CLAIMS in payload.metadata
    assert used.from_payload(payload) == read
    inline = used.to_payload(Inline(value))
    assert inline.metadata[HINT] == INLINE
    assert used.from_payload(inline) == read


def test_what_is_no_json_is_refused_as_the_sdk_refuses_it() -> None:
    for used in (converter(), around(DataConverter.default)):
        for value in (object(), [CLAIM, object()]):
            with pytest.raises(TypeError, match="not JSON serializable"):
                used.to_payload(value)


def test_what_the_sdk_knows_more_of_is_written_as_it_does() -> None:
    class Old:
        def dict(self) -> dict[str, int]:
            return {"a": 1}

    assert converter().from_payload(converter().to_payload(Old())) == {"a": 1}


@pytest.mark.parametrize(
    "value", [float("nan"), "\ud800", [[[[[]]]]] * 3, 2**64, {"b": 1, "a": [None]}]
)
def test_json_is_written_and_read_whatever_is_in_it(value: Any) -> None:
    data, claims = write_json(value)
    assert claims == 0
    assert repr(read_json(data)) == repr(value)


def test_json_is_written_and_read_however_deep_it_is() -> None:
    value: Any = 1
    for _ in range(400):
        value = [value]
    assert read_json(write_json(value)[0]) == value


def test_metadata_keep_every_byte() -> None:
    payload = Payload(metadata={"encoding": b"x", "any": bytes(range(256))}, data=b"data")
    assert payload_of(payload.data, metadata_of(payload)) == payload
    assert json.loads(json.dumps(metadata_of(payload))) == metadata_of(payload)


# -- beside a converter of somebody else's ---------------------------------------------------------


class Reversed(EncodingPayloadConverter):
    """Writes texts from their end."""

    @property
    def encoding(self) -> str:
        return "text/reversed"

    def to_payload(self, value: Any) -> Payload | None:
        if not isinstance(value, str):
            return None
        return Payload(metadata={"encoding": b"text/reversed"}, data=value[::-1].encode())

    def from_payload(self, payload: Payload, type_hint: type | None = None) -> Any:  # noqa: ARG002
        return payload.data.decode()[::-1]


class Odd(CompositePayloadConverter):
    def __init__(self) -> None:
        super().__init__(Reversed(), *DefaultPayloadConverter().converters.values())


ODD = DataConverter(
    payload_converter_class=Odd,
    failure_converter_class=DefaultFailureConverterWithEncodedAttributes,
)
WHEN = datetime(2026, 11, 21, 15, 10, tzinfo=UTC)


@pytest.mark.parametrize("given", [DataConverter.default, pydantic_data_converter, ODD])
@pytest.mark.parametrize(
    "value",
    [None, b"\x00", "text", {"b": 1, "a": WHEN}, Order("x", [1]), [1.5, {"claim": 1}], {1, 2}],
)
def test_what_has_no_claims_is_written_to_the_letter_as_it_was_before(
    given: DataConverter, value: Any
) -> None:
    payload = around(given).to_payload(value)
    assert payload == given.payload_converter.to_payload(value)
    assert around(given).from_payload(payload) == given.payload_converter.from_payload(payload)


def test_types_are_read_as_they_were_before() -> None:
    class Line(BaseModel):
        at: datetime

    used = around(pydantic_data_converter)
    payload = used.to_payload([Line(at=WHEN)])
    assert used.from_payload(payload, list[Line]) == [Line(at=WHEN)]
    (order,) = around(DataConverter.default).from_payloads(
        around(DataConverter.default).to_payloads([Order("x", 1)]), [Order]
    )
    assert order == Order("x", 1)


def test_a_claim_is_one_beside_any_converter() -> None:
    used = around(ODD)
    payload = used.to_payload(CLAIM)
    assert payload.metadata["encoding"] == b"json/claim"
    assert used.from_payload(payload) == CLAIM
    assert used.from_payload(payload, str) == CLAIM
    assert used.from_payload(payload, RawValue).payload == payload
    assert used.to_payload(RawValue(payload)) == payload


def test_failures_are_converted_as_they_were_before() -> None:
    assert (
        data_converter(around=ODD).failure_converter_class
        is DefaultFailureConverterWithEncodedAttributes
    )


@pytest.mark.parametrize("made", [data_converter(), data_converter(around=ODD)])
def test_a_converter_can_be_made_in_another_process(made: DataConverter) -> None:
    again = pickle.loads(pickle.dumps(made.payload_converter_class))()
    assert again.from_payload(again.to_payload(["x", CLAIM])) == ["x", CLAIM]


def test_claims_come_out_as_what_flows_know_them_as() -> None:
    class Special(Claim):
        __slots__ = ()

    used = data_converter(claim_type=Special).payload_converter
    whole, inside = (used.from_payload(used.to_payload(value)) for value in (CLAIM, [CLAIM]))
    assert [type(claim) for claim in (whole, inside[0])] == [Special, Special]
