"""What a run leaves for its next execution comes out as it went in, or is refused in words."""

from __future__ import annotations

import base64
import uuid
import zlib
from typing import Any

import pytest

from flowspec.values import Opaque
from workflows import packing
from workflows.packing import pack, unpack


@pytest.fixture(autouse=True)
def _mark(monkeypatch: pytest.MonkeyPatch) -> None:
    """Temporal gives one only inside a run."""
    monkeypatch.setattr("temporalio.workflow.uuid4", lambda: uuid.UUID(int=7))


def test_claims_stay_beside_what_is_packed_and_come_back_to_their_places() -> None:
    first, second = Opaque(), Opaque()
    value: Any = {"a": [1, first, {"b": second, "c": "text ü 🎉"}], "d": None, "e": first}
    packed: Any = pack(value)
    assert packed["claims"] == [first, second, first]
    assert isinstance(packed["packed"], str)
    assert unpack(packed) == value


def test_texts_that_look_as_if_they_stood_for_claims_stay_texts() -> None:
    value: Any = {"a": "claim 0", "b": "claim 00000000-0000-0000-0000-000000000008 0"}
    assert unpack(pack(value)) == value


def test_it_is_much_smaller() -> None:
    value: Any = {f"node{number}": {"status": "success", "round": 1} for number in range(1000)}
    assert len(str(pack(value))) * 5 < len(str(value))


def test_what_is_not_packed_is_left_alone() -> None:
    value: Any = {"plan": {}, "state": {}}
    assert unpack(value) is value


def _zipped(text: bytes) -> str:
    return base64.b64encode(zlib.compress(text)).decode()


@pytest.mark.parametrize(
    "forged",
    [
        {"packed": None},
        {"packed": "?"},
        {"packed": "AAAA", "mark": "m", "claims": []},
        {"packed": _zipped(b"{")[:-8], "mark": "m", "claims": []},
        {"packed": _zipped(b"{"), "mark": "m", "claims": []},
        {"packed": _zipped(b'{"a": "m0"}'), "mark": "m", "claims": []},
        {"packed": _zipped(b'{"a": "mx"}'), "mark": "m", "claims": []},
        {"packed": _zipped(b'{"a": "m0"}'), "mark": "m", "claims": None},
        {"packed": _zipped(b"{}")},
    ],
)
def test_what_nobody_packed_is_refused(forged: Any) -> None:
    with pytest.raises(ValueError) as refused:  # noqa: PT011
        unpack(forged)
    assert str(refused.value)


def test_nobody_can_have_memory_filled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packing, "_MOST", 1000)
    long: Any = {"packed": _zipped(b"[1" + b",1" * 500 + b"]"), "mark": "m", "claims": []}
    with pytest.raises(ValueError, match="over 1,000 bytes"):
        unpack(long)
