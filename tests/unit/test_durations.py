"""Lengths of time as people write them."""

from __future__ import annotations

import re

import pytest

from flowspec.durations import (
    DURATION_PATTERN,
    LONGEST,
    DurationInvalid,
    format_duration,
    parse_duration,
)

WRITTEN = [
    ("500ms", 0.5),
    ("30s", 30),
    ("5m", 300),
    ("1h30m", 5400),
    ("3d", 259_200),
    ("2w", 1_209_600),
    ("1w2d3h4m5s6ms", 788_645.006),
    ("1.5h", 5400),
    ("0s", 0),
    ("PT30S", 30),
    ("P3D", 259_200),
    ("P2W", 1_209_600),
    ("P1DT12H", 129_600),
    ("PT0.5S", 0.5),
]


@pytest.mark.parametrize(("written", "seconds"), WRITTEN)
def test_a_duration_is_read_in_seconds(written: str, seconds: float) -> None:
    assert parse_duration(written) == seconds
    assert re.match(DURATION_PATTERN, written)


@pytest.mark.parametrize(
    ("written", "instead"),
    [
        (30, "30s"),
        (1.5, "1.5s"),
        ("30", "30s"),
        ("90 seconds", "1m30s"),
        ("1 hour and 5 min", "1h5m"),
        ("5 M", "5m"),
        ("1:30", "1h30m"),
        ("00:00:45", "45s"),
        ("1h1d", "1d1h"),
    ],
)
def test_what_is_clearly_meant_is_suggested_and_is_a_duration(
    written: object, instead: str
) -> None:
    with pytest.raises(DurationInvalid) as refused:
        parse_duration(written)
    assert refused.value.suggestion == instead
    parse_duration(instead)


@pytest.mark.parametrize(
    "written",
    ["", "s", "P", "PT", "P1DT", "-3s", "3 fortnights", "5x", "٣s", "1m30", "30s ", "1e3s", -5],
)
def test_anything_else_is_refused(written: object) -> None:
    with pytest.raises(DurationInvalid):
        parse_duration(written)


@pytest.mark.parametrize("value", [None, True, [], {}])
def test_a_duration_is_text(value: object) -> None:
    with pytest.raises(DurationInvalid, match="text such as"):
        parse_duration(value)


def test_months_and_years_are_refused_with_the_reason() -> None:
    with pytest.raises(DurationInvalid, match="differ in length"):
        parse_duration("P1M")
    with pytest.raises(DurationInvalid, match="differ in length"):
        parse_duration("P1Y2D")
    assert parse_duration("PT1M") == 60


def test_a_template_is_refused_with_the_reason() -> None:
    with pytest.raises(DurationInvalid, match="fixed when the flow is written"):
        parse_duration("${input.wait}")


def test_a_hundred_years_is_the_most() -> None:
    assert parse_duration("36500d") == LONGEST
    for beyond in ("36501d", "999999999999999w"):
        with pytest.raises(DurationInvalid, match="at most 100 years"):
            parse_duration(beyond)


@pytest.mark.parametrize(
    ("seconds", "written"),
    [
        (0, "0s"),
        (0.5, "500ms"),
        (90, "1m30s"),
        (86_400, "1d"),
        (7 * 86_400, "1w"),
        (8 * 86_400, "8d"),
        (788_645.006, "9d3h4m5s6ms"),
        (0.0001, "0s"),
    ],
)
def test_a_duration_is_written_as_short_as_can_be(seconds: float, written: str) -> None:
    assert format_duration(seconds) == written


@pytest.mark.parametrize(("written", "seconds"), WRITTEN)
def test_what_is_written_is_read_back(written: str, seconds: float) -> None:
    assert parse_duration(format_duration(parse_duration(written))) == seconds
