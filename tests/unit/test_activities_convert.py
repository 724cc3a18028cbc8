"""CSV, JSON and XML: what is read and written, and what is refused."""

from __future__ import annotations

import os
from typing import Any

import pytest

from activities.claims import Claims
from activities.convert.csv import CSV_READ, CSV_WRITE
from activities.convert.json import JSON_READ, JSON_WRITE
from activities.convert.xml import XML_READ, XML_WRITE
from claimcheck.claim import Claim
from tests import attempts
from tests.shaping import act, refused


async def kept(claims: Claims, data: bytes, content_type: str | None = None) -> Claim:
    metadata = {"encoding": "binary/plain"}
    if content_type:
        metadata["content-type"] = content_type
    return await claims.cloakroom.deposit(data, workflow_id="test", metadata=metadata)


# CSV


async def test_rows_are_objects_by_column() -> None:
    text = 'name,note\nAda,"a, ""b""\nc"\n\nKim,\n'
    assert await act(CSV_READ, content=text) == {
        "rows": [{"name": "Ada", "note": 'a, "b"\nc'}, {"name": "Kim", "note": ""}],
        "columns": ["name", "note"],
        "count": 2,
        "more": False,
    }


@pytest.mark.parametrize(
    ("params", "rows"),
    [
        ({"content": "a;b\n1;2", "delimiter": ";"}, [{"a": "1", "b": "2"}]),
        ({"content": "a\tb\n'1\t'\t2", "delimiter": "\t", "quote": "'"}, [{"a": "1\t", "b": "2"}]),
        ({"content": "1,2\n3,4", "header": False}, [["1", "2"], ["3", "4"]]),
        ({"content": "1,2", "header": False, "columns": ["x", "y"]}, [{"x": "1", "y": "2"}]),
        ({"content": "a,b,c\n1,2,3", "columns": ["c", "a"]}, [{"c": "3", "a": "1"}]),
        ({"content": "a,b\n1", "ragged": True}, [{"a": "1", "b": None}]),
        ({"content": "a\n1\n2\n3", "skip": 1, "limit": 1}, [{"a": "2"}]),
        ({"content": "\ufeffa\n1"}, [{"a": "1"}]),
        ({"content": "a\r\n1\r\n"}, [{"a": "1"}]),
        ({"content": ""}, []),
        (
            {"content": 'a\n1\n-1.5e2\n007\n1e999\ntrue\n""\n' + "9" * 30, "infer": True},
            [{"a": one} for one in (1, -150.0, "007", "1e999", True, None, "9" * 30)],
        ),
    ],
)
async def test_dialects(params: dict[str, Any], rows: list[Any]) -> None:
    assert (await act(CSV_READ, **params))["rows"] == rows


async def test_bytes_are_read_as_what_they_are_said_to_be() -> None:
    claims = attempts.claims_in_memory()
    rows = [{"a": "grüß €"}]
    for data, content_type, encoding in [
        ("a\ngrüß €".encode("windows-1252"), None, "windows-1252"),
        ("a\ngrüß €".encode("windows-1252"), "text/csv; charset=windows-1252", None),
        ("a\ngrüß €".encode("utf-16"), None, "utf-16"),
        ("\ufeffa\ngrüß €".encode(), "text/csv", None),
    ]:
        claim = await kept(claims, data, content_type)
        more: dict[str, Any] = {} if encoding is None else {"encoding": encoding}
        assert (await act(CSV_READ, claims, content=claim, **more))["rows"] == rows
    claim = await kept(claims, "a\ngrüß".encode("windows-1252"))
    assert "it is not utf-8" in await refused("InvalidCsv", CSV_READ, claims=claims, content=claim)


@pytest.mark.parametrize(
    ("params", "said"),
    [
        ({"content": "a,b\n1,2\n3"}, "line 3: expected 2 cells, found 1"),
        ({"content": "a\n1,2", "ragged": True}, "line 2: expected 1 cells, found 2"),
        ({"content": 'a\n"1'}, "line 2: unexpected end of data"),
        ({"content": 'a\n"1"x'}, "line 2:"),
        ({"content": "a,a\n1,2"}, "the column 'a' is there 2 times"),
        ({"content": "name\n1", "columns": ["nmae"]}, "did you mean 'name'?"),
    ],
)
async def test_what_is_no_csv_is_told_with_its_line(params: dict[str, Any], said: str) -> None:
    assert said in await refused("InvalidCsv", CSV_READ, **params)


async def test_tables_are_read_in_parts() -> None:
    text = "n\n" + "".join(f"{number}\n" for number in range(100_001))
    assert "skip and limit" in await refused("ContentTooLarge", CSV_READ, content=text)
    claims = attempts.claims_in_memory()
    last = await act(CSV_READ, claims, content=text, skip=100_000, limit=10)
    assert (last["rows"], last["more"]) == ([{"n": "100000"}], False)
    assert (await act(CSV_READ, claims, content=text, limit=5))["more"] is True
    await refused("ContentTooLarge", CSV_READ, content="a\n" + "x" * 10_000_001)
    wide = ",".join("x" * 2000) + "\n"
    await refused("ContentTooLarge", CSV_READ, content=wide * 2501, header=False)


async def test_a_table_that_is_cut_short_in_the_store_is_not_read() -> None:
    claims = attempts.claims_in_memory()
    claim = await kept(claims, b"a\n" + os.urandom(3_000_000).hex("\n", 30).encode())
    store: Any = claims.cloakroom.store
    store.blobs[claim.key] = store.blobs[claim.key][:-20] + bytes(20)
    await refused("BlobDamaged", CSV_READ, claims=claims, content=claim, limit=1)


@pytest.mark.parametrize(
    ("params", "text"),
    [
        ({"rows": [{"a": 1, "b": "x"}, {"c": None, "b": True}]}, "a,b,c\n1,x,\n,true,\n"),
        ({"rows": [{"a": 1, "b": 2}], "columns": ["b"]}, "b\n2\n"),
        ({"rows": [[1, "x,y"], [[2], {"k": "ü"}]]}, '1,"x,y"\n[2],"{""k"": ""ü""}"\n'),
        ({"rows": [["a", "b"]], "columns": ["x", "y"], "delimiter": ";"}, "x;y\na;b\n"),
        ({"rows": [{"a": "x"}], "line_break": "crlf", "bom": True}, "\ufeffa\r\nx\r\n"),
        ({"rows": [{"a": "x"}], "header": False}, "x\n"),
        ({"rows": []}, ""),
        (
            {"rows": [["=1+1", "-5", "@x", -5]], "formulas": "escape"},
            "'=1+1,-5,'@x,-5\n",
        ),
    ],
)
async def test_rows_are_written(params: dict[str, Any], text: str) -> None:
    assert (await act(CSV_WRITE, **params))["text"] == text


async def test_rows_that_are_no_table_are_refused() -> None:
    assert "row 2" in await refused("NotATable", CSV_WRITE, rows=[[1], {"a": 1}])
    assert "row 1: expected 2 cells, found 1" in await refused(
        "NotATable", CSV_WRITE, rows=[[1]], columns=["a", "b"]
    )
    await refused("InvalidParams", CSV_WRITE, rows=[], delimiter='"')


# JSON


async def test_json_is_read_and_written() -> None:
    assert await act(JSON_READ, content='\ufeff{"a": [1.5, null]}') == {
        "value": {"a": [1.5, None]},
        "more": False,
    }
    lines = '{"a":1}\r\n\n[2]\n"x"'
    done = await act(JSON_READ, content=lines, lines=True)
    assert done == {"value": [{"a": 1}, [2], "x"], "more": False}
    done = await act(JSON_READ, content=lines, lines=True, skip=1, limit=1)
    assert done == {"value": [[2]], "more": True}
    value = [{"b": "ü", "a": 1}]
    assert await act(JSON_WRITE, value=value) == {"text": '[{"b":"ü","a":1}]'}
    assert await act(JSON_WRITE, value=value, lines=True, sort_keys=True) == {
        "text": '{"a":1,"b":"ü"}\n'
    }
    assert await act(JSON_WRITE, value={"a": 1}, indent=2) == {"text": '{\n  "a": 1\n}'}


async def test_what_is_no_json_is_told_with_its_place() -> None:
    assert "line 1 column 8" in await refused("InvalidJson", JSON_READ, content='{"a":1,}')
    assert "line 3 is not JSON" in await refused(
        "InvalidJson", JSON_READ, content="1\n\nx\n", lines=True
    )
    await refused("InvalidJson", JSON_READ, content="NaN")
    await refused("InvalidJson", JSON_READ, content="[" * 100_000)
    await refused("NotAList", JSON_WRITE, value={}, lines=True)
    await refused("InvalidParams", JSON_READ, content="1", skip=1)
    await refused("ContentTooLarge", JSON_READ, content="1\n" * 100_001, lines=True)
    await refused("ContentTooLarge", JSON_READ, content="1" * 10_000_001, lines=True)


# XML


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("<a/>", {"a": None}),
        ("<a> x </a>", {"a": " x "}),
        ("<a b='1'/>", {"a": {"@b": "1"}}),
        ("<a b='1'>x</a>", {"a": {"@b": "1", "#text": "x"}}),
        ("<a>\n <b>1</b>\n <b>2</b>\n</a>", {"a": {"b": ["1", "2"]}}),
        ("<a><b/><c/><b>2</b></a>", {"a": {"b": [None, "2"], "c": None}}),
        ("<a>x<b/>y</a>", {"a": {"b": None, "#text": "xy"}}),
        ("<a><![CDATA[<&]]>&amp;&#65;<!-- no --><?no no?></a>", {"a": "<&&A"}),
        ("<n:a xmlns:n='u'><n:b/></n:a>", {"n:a": {"@xmlns:n": "u", "n:b": None}}),
        ("\ufeff<?xml version='1.0' encoding='iso-8859-1'?><a>ü</a>", {"a": "ü"}),
    ],
)
async def test_xml_is_read(text: str, value: Any) -> None:
    assert await act(XML_READ, content=text) == {"value": value}


async def test_elements_can_be_lists_in_any_case() -> None:
    text = "<a><b>1</b><c/></a>"
    assert await act(XML_READ, content=text, lists=["b", "a"]) == {
        "value": {"a": {"b": ["1"], "c": None}}
    }


async def test_xml_in_bytes_is_read_as_it_says() -> None:
    claims = attempts.claims_in_memory()
    text = "<?xml version='1.0' encoding='windows-1252'?><a>ü €</a>"
    claim = await kept(claims, text.encode("windows-1252"), "application/xml")
    assert await act(XML_READ, claims, content=claim) == {"value": {"a": "ü €"}}
    claim = await kept(claims, text.encode(), "text/xml; charset=utf-8")
    assert await act(XML_READ, claims, content=claim) == {"value": {"a": "ü €"}}


LAUGHS = "<!DOCTYPE a [<!ENTITY b 'x'><!ENTITY c '&b;&b;&b;&b;&b;&b;&b;&b;'>]><a>&c;</a>"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (LAUGHS, "line 1, column 13: a document type"),
        ("<!DOCTYPE a SYSTEM 'file:///etc/passwd'><a/>", "a document type"),
        ("<a>\n<b></a>", "line 2, column 6: mismatched tag"),
        ("<a>&x;</a>", "undefined entity"),
        ("", "no element found"),
        ("<a/><b/>", "junk after document element"),
        ("<a b='1' b='2'/>", "duplicate attribute"),
        ("<a>" * 81 + "</a>" * 81, "more than 80 deep"),
    ],
)
async def test_xml_that_is_not_safe_or_not_well_formed_is_refused(text: str, said: str) -> None:
    assert said in await refused("InvalidXml", XML_READ, content=text)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({"a": None}, "<a/>"),
        ({"a": {"@x": 1, "@y": "\"'<\n", "#text": "<&>"}}, ""),
        ({"a": {"b": [1, True, {"c": "x"}]}}, "<a><b>1</b><b>true</b><b><c>x</c></b></a>"),
        ({"a": {"#text": "t", "b": None}}, "<a>t<b/></a>"),
        ({"a": {"b": []}}, "<a/>"),
    ],
)
async def test_xml_is_written(value: Any, text: str) -> None:
    done = await act(XML_WRITE, value=value, declaration=False)
    if text:
        assert done == {"text": text}
    again = await act(XML_READ, content=done["text"])
    assert (await act(XML_WRITE, value=again["value"], declaration=False)) == done


async def test_xml_can_be_indented() -> None:
    value = {"a": {"b": ["1", {"c": None}], "d": {"#text": "t", "e": None}}}
    assert await act(XML_WRITE, value=value, indent=2) == {
        "text": '<?xml version="1.0" encoding="UTF-8"?>\n'
        "<a>\n  <b>1</b>\n  <b>\n    <c/>\n  </b>\n  <d>t<e/></d>\n</a>"
    }


@pytest.mark.parametrize(
    "value",
    [
        {"a b": 1},
        {"a": {"x><script": 1}},
        {"a": {"@": 1}},
        {"a": {"@x": {}}},
        {"a": {"#text": [1]}},
        {"a": "\0"},
        {"a": "\ufffe"},
        {"a": [1]},
        {"a": {"b": [[1]]}},
    ],
)
async def test_a_value_that_xml_cannot_have_is_refused(value: Any) -> None:
    await refused("NotXml", XML_WRITE, value=value)


async def test_values_that_are_too_deep_for_xml_are_refused() -> None:
    value: Any = None
    for _ in range(90):
        value = {"a": value}
    await refused("NotXml", XML_WRITE, value=value)
