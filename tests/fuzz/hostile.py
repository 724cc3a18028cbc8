"""What nobody sends by mistake: real texts and values with edits, and values made to do harm."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any

from hypothesis import strategies as st

from flowspec.values import Json

__all__ = ["changed_json", "changed_text", "json_values", "nested"]

_TEXTS = [
    *("", "~", "a.b", "__class__", "__proto__", "$ref", "#/a", "${x}", "${", "$${a}", "}}", "../x"),
    *(
        "\ud800",
        "\x00",
        "\u202e",
        "é" * 30,
        "9" * 400,
        "1e999",
        "NaN",
        "-0",
        "null",
        "true",
        "x" * 5000,
    ),
    *(
        "2030-01-01T00:00:00Z",
        "99999w",
        "(" * 60,
        "[" * 60,
        "{" * 60,
        "'; drop table a; --",
        "json/claim",
    ),
]
_NUMBERS = [0, -1, 1, 2**31, 2**63, -(2**63) - 1, 10**400, 0.1, -0.0, 1e308, 5e-324]


def nested(depth: int) -> Json:
    value: Json = 1
    for level in range(depth):
        value = [value] if level % 2 else {"a": value}
    return value


_leaves: st.SearchStrategy[Any] = (
    st.none()
    | st.booleans()
    | st.sampled_from(_NUMBERS)
    | st.integers()
    | st.sampled_from(_TEXTS)
    | st.text(max_size=8)
    | st.just({"claim": 1, "key": "v1/default/w/" + "0" * 64, "size": 3})
    | st.sampled_from([60, 300]).map(nested)
)


def json_values(keys: Sequence[str] = ()) -> st.SearchStrategy[Json]:
    """Any JSON; with `keys`, objects have them more often than others."""
    names = st.sampled_from([*keys, *_TEXTS[:12]])
    return st.recursive(
        _leaves,
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(names, inner, max_size=5),
        max_leaves=10,
    )


@st.composite
def changed_json(draw: st.DrawFn, seeds: Sequence[Json]) -> Any:
    """One of the values with a few places taken out, put elsewhere, doubled or made to do harm."""
    value = _copy(seeds[draw(st.integers(0, len(seeds) - 1))])
    for _ in range(draw(st.integers(1, 4))):
        places = list(islice(_places(value, 0), _MOST_PLACES))
        if not places:
            return _copy(draw(json_values()))
        container, key = places[draw(st.integers(0, len(places) - 1))]
        match draw(st.integers(0, 4)):
            case 0 | 1:
                container[key] = _copy(draw(json_values()))
            case 2:
                del container[key]
            case 3:
                other, at = places[draw(st.integers(0, len(places) - 1))]
                container[key] = _copy(other[at])
            case _ if isinstance(container, list):
                container.append(_copy(draw(json_values())))
            case _:
                container[draw(st.sampled_from(_TEXTS))] = _copy(draw(json_values()))
    return value


_MOST_PLACES = 500
_DEEPEST = 20


def _copy(value: Json) -> Any:
    """What is changed must be nobody else's."""
    if isinstance(value, dict):
        return {key: _copy(entry) for key, entry in value.items()}
    return [_copy(entry) for entry in value] if isinstance(value, list) else value


def _places(value: Any, depth: int) -> Iterator[tuple[Any, Any]]:
    if depth > _DEEPEST or not isinstance(value, list | dict):
        return
    for key in list(value) if isinstance(value, dict) else range(len(value)):
        yield value, key
        yield from _places(value[key], depth + 1)


@st.composite
def changed_text(draw: st.DrawFn, seeds: Sequence[str], tokens: Sequence[str]) -> str:
    """One of the texts with a few pieces taken out, put in, doubled, or copied from elsewhere."""
    text = seeds[draw(st.integers(0, len(seeds) - 1))]
    for _ in range(draw(st.integers(1, 5))):
        at, length = draw(st.integers(0, len(text))), draw(st.integers(0, 30))
        source = draw(st.integers(0, len(text)))
        piece = {
            "put": draw(st.sampled_from(tokens)),
            "copy": text[source : source + length],
            "many": draw(st.sampled_from(tokens)) * draw(st.sampled_from([2, 60, 2000])),
            "none": "",
        }[draw(st.sampled_from(["put", "put", "copy", "none", "many"]))]
        keep = at if draw(st.booleans()) else at + length
        text = text[:at] + piece + text[keep:]
    return text[:200_000]
