"""Sizes are read exactly, and what is nearly one is told as it should be written."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.settings.sizes import format_size, nearest_size, parse_size


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("0", 0),
        ("51200", 51_200),
        ("7B", 7),
        ("50KB", 51_200),
        ("1MB", 1_048_576),
        ("2GB", 2_147_483_648),
    ],
)
def test_a_size_is_a_number_with_or_without_a_unit(text: str, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "KB", "50kb", "50 KB", "1.5MB", "-1", "1e3", "٥", "5KB\n"])
def test_anything_else_is_no_size(text: str) -> None:
    with pytest.raises(ValueError, match="is not a size"):
        parse_size(text)


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("50kb", "50KB"),
        ("50K", "50KB"),
        ("50 KiB", "50KB"),
        (" 50KB ", "50KB"),
        ("1.5MB", "1536KB"),
        ("0.3KB", "307"),
        ("100 bytes", "100"),
        ("1g", "1GB"),
    ],
)
def test_what_is_nearly_a_size_is_told_as_one(text: str, meant: str) -> None:
    assert nearest_size(text) == meant
    parse_size(meant)


@pytest.mark.parametrize("text", ["", "much", "-5KB", "5 TB", "50KB", "5s"])
def test_nobody_guesses_what_a_size_was_meant_to_be(text: str) -> None:
    assert nearest_size(text) is None


@given(st.integers(min_value=0, max_value=10**15))
def test_a_size_for_people_has_at_most_seven_signs_and_a_unit(size: int) -> None:
    number, unit = format_size(size).split(" ")
    assert unit in ("B", "KB", "MB", "GB")
    assert parse_size(f"1{unit}") * float(number) == pytest.approx(size, rel=0.05)


def test_sizes_for_people_are_rounded() -> None:
    assert [format_size(size) for size in (0, 1023, 1024, 3_565_158, 5 * 1024**3)] == [
        "0 B",
        "1023 B",
        "1.0 KB",
        "3.4 MB",
        "5.0 GB",
    ]
