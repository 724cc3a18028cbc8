"""What is written is read again as it was, and no template takes more than its budget."""

from __future__ import annotations

import io
from contextlib import suppress
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from activities.convert.csv import CsvReadParams, CsvWriteParams
from activities.convert.csv_tables import read_table, write_table
from activities.convert.xml import XmlWriteParams
from activities.convert.xml_trees import read_tree
from activities.convert.xml_trees import written as written_xml
from activities.errors import NodeFailed
from activities.shaping.mustache import TemplateError, TemplateTooLarge, render

CELLS = st.text(st.characters(codec="utf-8") | st.sampled_from(list("\"',;\t\r\n =")), max_size=12)


@settings(max_examples=200)
@given(
    rows=st.integers(1, 4).flatmap(
        lambda width: st.lists(
            st.lists(CELLS, min_size=width, max_size=width), min_size=1, max_size=6
        )
    ),
    delimiter=st.sampled_from([",", ";", "\t", "|", " "]),
    line_break=st.sampled_from(["lf", "crlf"]),
    bom=st.booleans(),
)
def test_a_table_is_read_as_it_was_written(
    rows: list[list[str]], delimiter: str, line_break: str, bom: bool
) -> None:
    dialect: dict[str, Any] = {"delimiter": delimiter, "quote": '"'}
    first = CsvWriteParams(rows=rows, line_break=line_break, bom=True, **dialect)  # type: ignore[arg-type]
    text = write_table(first)["text"]
    if not bom and not text.startswith("\ufeff\ufeff"):
        text = text.removeprefix("\ufeff")
    reading = CsvReadParams(content="", header=False, **dialect)  # type: ignore[arg-type]
    read = read_table(io.BytesIO(text.encode()), "utf-8", reading)
    assert read["rows"] == rows


NAMES = st.from_regex(r"[A-Za-z_][A-Za-z0-9_.-]{0,5}", fullmatch=True)
TEXTS = st.text(
    st.characters(codec="utf-8", exclude_categories=("Cc", "Cs"), exclude_characters="\ufffe\uffff")
    | st.sampled_from(list("<>&\"'\r\n\t")),
    min_size=1,
    max_size=10,
)


def _elements(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    values = inner | st.lists(inner, min_size=2, max_size=3)
    attributes = st.dictionaries(NAMES.map(lambda name: f"@{name}"), TEXTS, max_size=2)
    children = st.dictionaries(NAMES, values, min_size=1, max_size=3)
    bare = st.builds(lambda one, other: {**one, **other}, attributes, children)
    some = st.dictionaries(NAMES.map(lambda name: f"@{name}"), TEXTS, min_size=1, max_size=2)
    texts = st.builds(lambda one, text: {**one, "#text": text}, some, TEXTS)
    return bare | texts


@settings(max_examples=200)
@given(name=NAMES, value=st.recursive(st.none() | TEXTS, _elements, max_leaves=10))
def test_xml_is_read_as_it_was_written(name: str, value: Any) -> None:
    text = written_xml(XmlWriteParams(value={name: value}))
    assert read_tree(io.BytesIO(text.encode()), "utf-8", frozenset()) == {name: value}


@given(data=st.binary(max_size=60) | st.text("<>/a&;!?'\"= []", max_size=60).map(str.encode))
def test_whatever_comes_as_xml_is_read_or_refused(data: bytes) -> None:
    with suppress(NodeFailed):
        read_tree(io.BytesIO(data), None, frozenset())


PARTS = st.sampled_from(
    ["{{", "}}", "{{#l}}", "{{/l}}", "{{^l}}", "{{.}}", "{{l}}", "{{{t}}}", "\n", " ", "x", "{{!"]
)


@settings(max_examples=300)
@given(
    template=st.lists(PARTS, max_size=40).map("".join),
    data=st.fixed_dictionaries({"l": st.lists(st.integers(), max_size=4), "t": st.text()}),
)
def test_whatever_comes_as_a_template_is_filled_or_refused(template: str, data: Any) -> None:
    with suppress(TemplateError, TemplateTooLarge):
        render(template, data, is_html=True, missing="empty")


@given(text=st.text(max_size=50))
def test_what_data_holds_is_never_read_as_a_template(text: str) -> None:
    assert render("{{{a}}}", {"a": text}, is_html=True) == text
    shown = render("{{a}}", {"a": text}, is_html=True)
    assert not {"<", ">", '"', "'"} & set(shown)
