"""Values on their way through Temporal: nothing about them changes, their order included."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from temporalio.api.common.v1 import Payload

from claimcheck.payloads import data_converter
from flowspec.values import Json

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.text()
    | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@given(JSON)
def test_a_value_comes_back_as_it_was_in_its_order(value: Json) -> None:
    converter = data_converter().payload_converter
    again = converter.from_payload(converter.to_payload(value))
    assert json.dumps(again) == json.dumps(value)


def test_yaml_text_comes_as_text() -> None:
    payload = Payload(metadata={"encoding": b"text/yaml"}, data="flow: a\n# é".encode())
    assert data_converter().payload_converter.from_payload(payload) == "flow: a\n# é"


@pytest.mark.parametrize("text", [b"[1, 2]", b'{"b": 1, "a": 2}'])
def test_json_as_other_clients_write_it_is_read(text: bytes) -> None:
    payload = Payload(metadata={"encoding": b"json/plain"}, data=text)
    assert data_converter().payload_converter.from_payload(payload) == json.loads(text)
