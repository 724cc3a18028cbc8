"""What an expectation says of a value."""

from __future__ import annotations

from typing import Any

import pytest

from simulator.matching import ABSENT, differences, matcher_problem


@pytest.mark.parametrize(
    ("expected", "found"),
    [
        ({"a": 1}, {"a": 1.0, "b": 2}),
        ({"a": {"b": []}}, {"a": {"b": [], "c": 1}}),
        ([{"a": 1}, 2], [{"a": 1, "b": 2}, 2]),
        ({"$equals": {"a": 1}}, {"a": 1}),
        ({"$contains": "own"}, "down"),
        ({"$contains": {"a": 1}}, [{"a": 1, "b": 2}, 3]),
        ({"$matches": "^d.w"}, "down"),
        ({"a": {"$absent": True}}, {}),
        ({"a": {"$present": True}}, {"a": None}),
        ({"$length": 2}, [1, 2]),
        ({"$not": {"$contains": 3}}, [1, 2]),
        ({"$any": [1, 2]}, 2),
        (None, None),
    ],
)
def test_it_fits(expected: Any, found: Any) -> None:
    assert list(differences(expected, found, "x")) == []


@pytest.mark.parametrize(
    ("expected", "found", "where"),
    [
        ({"a": {"b": 1}}, {"a": {"b": 2}}, "x.a.b"),
        ({"a": 1}, {}, "x.a"),
        ([1, 2], [1, 3], "x[1]"),
        ([1], [1, 2], "x"),
        (True, 1, "x"),
        (None, ABSENT, "x"),
        ({"$equals": {"a": 1}}, {"a": 1, "b": 2}, "x"),
        ({"$contains": "up"}, "down", "x"),
        ({"$contains": 3}, [1, 2], "x"),
        ({"$matches": "^own"}, "down", "x"),
        ({"a": {"$absent": True}}, {"a": None}, "x.a"),
        ({"a": {"$present": True}}, {}, "x.a"),
        ({"$length": 3}, [1, 2], "x"),
        ({"$not": {"a": 1}}, {"a": 1, "b": 2}, "x"),
        ({"$any": [1, 2]}, 3, "x"),
    ],
)
def test_it_does_not_fit(expected: Any, found: Any, where: str) -> None:
    assert [each.where for each in differences(expected, found, "x")] == [where]


@pytest.mark.parametrize(
    ("expected", "path"),
    [
        ({"a": {"$contain": 1}}, ("a", "$contain")),
        ({"a": [{"$length": 1, "b": 2}]}, ("a", 0, "$length")),
        ({"$matches": "("}, ("$matches",)),
    ],
)
def test_what_only_looks_like_a_matcher_is_told(expected: Any, path: tuple[Any, ...]) -> None:
    found = matcher_problem(expected)
    assert found is not None
    assert found[0] == path


def test_inside_equals_nothing_is_a_matcher() -> None:
    assert matcher_problem({"$equals": {"$ref": 1, "b": 2}}) is None
