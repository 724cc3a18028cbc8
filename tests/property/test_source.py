"""Any JSON survives YAML, and no text does harm."""

from __future__ import annotations

import json
from typing import Literal

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from flowspec.model import parse_flow
from flowspec.problems import FlowInvalid, Path
from flowspec.source import read_damaged, read_yaml
from flowspec.values import Json

WORDS = st.sampled_from(
    ["on", "no", "null", "~", "1:30", "017", "0x1f", "2030-01-01", "<<", "=", "*a", "${x}", "a: b"]
)
SURROGATES: tuple[Literal["Cs"], ...] = ("Cs",)
PRINTABLE = st.characters(exclude_categories=("Cs", "Cc"), exclude_characters="\ufffe\uffff")
TEXT = st.text(PRINTABLE, max_size=12) | WORDS
ESCAPED = st.text(st.characters(exclude_categories=SURROGATES, max_codepoint=0xFFFF)) | WORDS


def values(text: st.SearchStrategy[str]) -> st.SearchStrategy[Json]:
    scalars = (
        st.none()
        | st.booleans()
        | st.integers(-(2**63), 2**63 - 1)
        | st.floats(allow_nan=False, allow_infinity=False)
        | text
    )
    keys = text.filter(lambda key: len(json.dumps(key)) <= 1024)  # YAML takes no longer ones
    return st.recursive(
        scalars,
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys, inner, max_size=4),
        max_leaves=20,
    )


@given(values(ESCAPED))
def test_json_with_escapes_is_read_as_itself(value: Json) -> None:
    assert read_yaml(json.dumps(value)).data == value


@given(values(TEXT))
def test_json_as_people_write_it_is_read_as_itself(value: Json) -> None:
    assert read_yaml(json.dumps(value, ensure_ascii=False, indent=2)).data == value


def block(value: Json, indent: str = "") -> str:
    """Block style, as a person would write it."""
    if isinstance(value, dict) and value:
        entries = [(f"{json.dumps(k, ensure_ascii=False)}:", v) for k, v in value.items()]
    elif isinstance(value, list) and value:
        entries = [("-", v) for v in value]
    else:
        return f" {json.dumps(value, ensure_ascii=False)}\n"
    lines = (f"{indent}{head}{block(inner, indent + '  ')}" for head, inner in entries)
    return "\n" + "".join(lines)


@given(st.dictionaries(TEXT, values(TEXT), min_size=1, max_size=4))
@example({"a\u2028b": {"c": "d \u2029 e\x85"}})
def test_block_style_is_read_as_what_was_written(value: dict[str, Json]) -> None:
    source = read_yaml(block(value))
    assert source.data == value
    assert isinstance(source.data, dict)
    assert list(source.data) == list(value)
    assert set(source.marks) == set(_paths(value, ()))


def _paths(value: Json, path: Path) -> list[Path]:
    found = [path]
    if isinstance(value, dict):
        for key, inner in value.items():
            found += _paths(inner, (*path, key))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            found += _paths(inner, (*path, index))
    return found


YAMLISH = st.lists(
    st.sampled_from(
        [
            *(
                "a",
                "b: ",
                "- ",
                "\n",
                "\n  ",
                "\t",
                "{",
                "}",
                "[",
                "]",
                ",",
                ": ",
                "? ",
                "&x ",
                "*x",
            ),
            *("!t ", "'", '"', "|", ">", "%", "@", "#", "---", "...", "<<", "5", ".inf", "${x}"),
            *("\\", "\ud800", "\x00", "\ufeff", "\u2028", "é", "🎉", "flow: f\nnodes:\n  a: "),
        ]
    ),
    max_size=30,
).map("".join)


@given(st.text(max_size=200) | YAMLISH)
@example("\ufeff")
@example("a: b\ufeff\n\ufeff")
def test_any_text_is_read_or_refused_with_a_place(text: str) -> None:
    reading = read_damaged(text)
    assert (reading.source is not None) or reading.problems
    last = text.count("\n") + text.count("\r") + 3
    for problem in reading.problems:
        assert problem.line is not None
        assert 1 <= problem.line <= last
    if reading.problems:
        with pytest.raises(FlowInvalid):
            read_yaml(text)
    else:
        json.dumps(read_yaml(text).data, allow_nan=False)


KEYS = st.sampled_from(
    [
        *("flow", "nodes", "edges", "next", "type", "block", "noop", "input", "output", "vars"),
        *("secrets", "labels", "defaults", "retry", "foreach", "repeat", "cache", "in", "to"),
        *("from", "on", "when", "until", "ttl", "attempts", "timeout", "a", "properties", "$ref"),
        *("params", "join", "undo", "queue", "otherwise", "limit", "description", "title"),
    ]
)
MESSY = st.recursive(
    KEYS | st.none() | st.booleans() | st.integers(-1, 3) | st.sampled_from(["30s", "${x}", "#/a"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=5),
    max_leaves=25,
)


@given(MESSY, MESSY, st.dictionaries(KEYS, MESSY, max_size=4))
def test_any_document_is_parsed_or_refused_in_our_own_words(
    nodes: Json, input: Json, more: dict[str, Json]
) -> None:
    document = {"flow": "f", **more, "nodes": {"a": nodes, "b": {"type": "noop", **more}}}
    parsed = parse_flow(json.dumps({**document, "input": input}))
    assert parsed.problems or parsed.flow is not None
    for problem in parsed.problems:
        assert problem.line is not None
        for foreign in ("Input should", "pydantic", "another value", "instance of", "ctx"):
            assert foreign not in problem.message
