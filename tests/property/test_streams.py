"""What goes by in pieces comes out the same however it was cut."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from activities.convert.json_text import begins_text, decoded_text
from activities.redaction import BLOT, Redactor
from tests.attempts import in_pieces

Streaming = Callable[[AsyncIterator[bytes]], AsyncIterator[bytes]]

texts = st.text(st.one_of(st.characters(exclude_categories=["Cs"]), st.sampled_from('\\"u/\n🎈d8')))
cuts = st.lists(st.integers(0, 500), max_size=20)


def streamed(through: Streaming, data: bytes, places: list[int]) -> bytes:
    ends = [0, *sorted(min(place, len(data)) for place in places), len(data)]
    pieces = [data[start:stop] for start, stop in pairwise(ends)]

    async def collect() -> bytes:
        return b"".join([piece async for piece in through(in_pieces(pieces))])

    return asyncio.run(collect())


@given(texts, st.booleans(), cuts)
def test_a_json_text_is_decoded_as_json_does_it(
    text: str, ascii_only: bool, places: list[int]
) -> None:
    written = json.dumps(text, ensure_ascii=ascii_only).encode()
    assert begins_text(written)
    assert streamed(decoded_text, written, places) == text.encode()


@given(st.text(st.sampled_from('\\"u0dD8cC1x\n ')), cuts)
def test_what_is_no_json_text_is_refused_as_json_does_it(text: str, places: list[int]) -> None:
    written = f'"{text}"'
    try:
        expected = json.loads(written).encode()
    except ValueError:
        with pytest.raises(ValueError, match=r"JSON|expected|control|escape|surrogate|invalid"):
            streamed(decoded_text, written.encode(), places)
    else:
        assert streamed(decoded_text, written.encode(), places) == expected


@given(
    st.lists(st.sampled_from(["hunter22", "hunter2", "hunt", "er22", "x", "ü", " "]), min_size=1),
    st.sets(st.sampled_from(["hunter22", "hunter2", "er22x", "üü", "xx xx"])),
    st.integers(1, 60),
    st.integers(1, 400),
)
def test_secrets_are_blotted_out_as_from_the_whole(
    words: list[str], secrets: set[str], times: int, piece: int
) -> None:
    text = "".join(words) * times
    data = text.encode()
    redactor = Redactor(secrets)
    found = streamed(redactor.stream, data, list(range(0, len(data), piece)))
    assert found.decode() == redactor.text(text)
    assert BLOT not in text
