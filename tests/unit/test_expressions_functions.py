"""What the functions promise beyond their examples."""

from __future__ import annotations

import pytest

from flowspec.expressions import FUNCTIONS, Function, compile_expression
from flowspec.expressions.values import Value
from flowspec.values import Json


def value_of(source: str, **scope: Value) -> Value:
    return compile_expression(source).evaluate(scope)


@pytest.mark.parametrize("function", FUNCTIONS.values(), ids=lambda function: function.name)
def test_example_gives_what_it_says(function: Function) -> None:
    result = value_of(function.example)
    assert (result, type(result)) == (function.example_result, type(function.example_result))


@pytest.mark.parametrize("function", FUNCTIONS.values(), ids=lambda function: function.name)
def test_function_is_documented_and_its_example_calls_it(function: Function) -> None:
    assert function.doc.endswith(".")
    assert function.name + "(" in function.example
    assert function.signature.startswith(function.name + "(")


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("title(\"don't STOP  me\")", "Don't Stop  Me"),
        ('split(" a  b ")', ["a", "b"]),
        ('lines("a\\r\\nb\\n\\nc")', ["a", "b", "", "c"]),
        ('lines("")', []),
        ('join([], "-")', ""),
        ('pad_left("abc", 2)', "abc"),
        ('pad_left("abc", -9223372036854775807)', "abc"),
        ("contains([1, 2.0], 2)", True),
        ('extract("abc", "b")', "b"),
        ('extract("abc", "x?(b)(c)")', "b"),
        ('default(extract("abc", "x"), null)', None),
        ('extract_all("", "a*")', [""]),
        ('replace_all("aXbX", "X", "\\\\\\\\")', "a\\b\\"),
        ('replace_all("abc", "(a)|(b)", "<\\\\1\\\\2>")', "<a><b>c"),
        ('replace_all("äöü", "ö", "o")', "äoü"),
        ("round(2.5)", 3),
        ("round(-2.5)", -3),
        ("round(0.125, 2)", 0.13),
        ("round(7)", 7),
        ("floor(-0.5)", -1),
        ("ceil(-0.5)", 0),
        ("sum([])", 0),
        ('max(["a", "b"])', "b"),
        ("format_number(1234567.891)", "1,234,568"),
        ('format_number(1234.5, 1, "")', "1234.5"),
        ('format_number(1234.5, 1, " ")', "1 234.5"),
        ("int(-2.7)", -2),
        ('int(" 42 ")', 42),
        ('float("1e3")', 1000.0),
        ("float(2)", 2.0),
        ("str(true)", "true"),
        ("str(1.50)", "1.5"),
        ('str({"a": [1, null]})', '{"a":[1,null]}'),
        ('[type_of(x) for x in [null, true, 1, 1.5, "a", [], {}]]'.replace("'", '"'),
         ["null", "boolean", "number", "number", "text", "list", "object"]),
        ("sort([])", []),
        ("sort([2, 1.5, 1])", [1, 1.5, 2]),
        ('sort(["b", "B", "a"])', ["B", "a", "b"]),
        ("unique([1, true, 1.0, [1], [1.0], null])", [1, True, [1], None]),
        ('unique([{"a": 1, "b": 2}, {"b": 2, "a": 1}])', [{"a": 1, "b": 2}]),
        ('unique([{"id": 1, "n": 1}, {"id": 1, "n": 2}], "id")', [{"id": 1, "n": 1}]),
        ("range(2, 5)", [2, 3, 4]),
        ("range(5, 2)", []),
        ("index_of([1, 2], 3)", None),
        ("all([])", True),
        ("any([])", False),
        ('group_by([{"n": 1}, {"n": 2}], "n")', {"1": [{"n": 1}], "2": [{"n": 2}]}),
        ('merge({"a": 1}, {"b": 2}, {"a": 3})', {"a": 3, "b": 2}),
        ('parse_time("2026-11-21")', "2026-11-21T00:00:00Z"),
        ('parse_time("2026-11-21T09:30")', "2026-11-21T09:30:00Z"),
        ('parse_time("2026-11-21 09:30:00.250+0100")', "2026-11-21T09:30:00.250000+01:00"),
        ('parse_time("Sat, 21 Nov 2026 09:30:00 +0000", "%a, %d %b %Y %H:%M:%S %z")',
         "2026-11-21T09:30:00Z"),
        ('parse_time("11/21/2026 12:05 am", "%m/%d/%Y %I:%M %p")', "2026-11-21T00:05:00Z"),
        ('format_time("2026-11-21T21:05:09+02:00", "%A %a %B %b %I:%M:%S %p %z 100%%")',
         "Saturday Sat November Nov 09:05:09 PM +02:00 100%"),
        ('add_time("2026-11-21T00:00:00Z", "-1m")', "2026-11-20T23:59:00Z"),
        ('add_time("2026-11-21T00:00:00+05:30", "PT1H")', "2026-11-21T01:00:00+05:30"),
        ('diff_seconds("2026-11-21T00:00:01Z", "2026-11-21T00:00:00.500Z")', -0.5),
        ('start_of("2026-11-21T01:30:00+02:00", "day")', "2026-11-21T00:00:00+02:00"),
        ('start_of("2026-11-22T01:30:00Z", "week")', "2026-11-16T00:00:00Z"),
        ("from_epoch(0.5)", "1970-01-01T00:00:00.500000Z"),
        ("from_epoch(-1)", "1969-12-31T23:59:59Z"),
        ('unbase64("aGVsbG8")', "hello"),
        ('unbase64("w7zDvw==")', "üÿ"),
        ('hash("")', "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
        ('url_decode("a+b%20c")', "a+b c"),
        ('jmes("[?a == `true`].b", [{"a": 1, "b": 1}, {"a": true, "b": 2}])', [2]),
        ('jmes("missing", {})', None),
        ("jmes(\"contains(@, 'a')\", ['a'])", True),
        ("jmes('to_number(@)', 'nan')", None),
    ],
)  # fmt: skip
def test_gives(source: str, expected: Json) -> None:
    result = value_of(source)
    assert (result, type(result)) == (expected, type(expected))


def test_stable_id_never_changes() -> None:
    assert value_of('stable_id("")') == "d133fdf1-e935-54ef-b0a6-d2e1063ae5d6"


def test_text_with_half_a_character_is_an_ordinary_error() -> None:
    for source in ("hash(s)", "base64(s)", "url_encode(s)", "stable_id(s)", "matches(s, 'a')"):
        with pytest.raises(Exception, match="half a character"):
            value_of(source, s="\ud800")


def test_sort_is_stable_and_leaves_its_list_alone() -> None:
    people: Json = [{"n": "b", "k": 1}, {"n": "a", "k": 1}, {"n": "c", "k": 0}]
    before = [dict(p) for p in people if isinstance(p, dict)] if isinstance(people, list) else []
    assert value_of('[p.n for p in sort(people, "k")]', people=people) == ["c", "b", "a"]
    assert people == before
