"""The input of a run on the command line: JSON, files, single values."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from flowspec.values import Json, JsonObject
from service.cli.inputs import read_data, read_input
from service.errors import InputWrong

NOTHING = io.StringIO("")


def _error(given: str | None, *settings: str) -> str:
    with pytest.raises(InputWrong) as caught:
        read_input(given, settings, NOTHING)
    return str(caught.value)


def test_nothing_given_is_none() -> None:
    assert read_input(None, (), NOTHING) is None


def test_json_is_read() -> None:
    assert read_input('{"name": "Ada", "n": 1}', (), NOTHING) == {"name": "Ada", "n": 1}


def test_a_json_file_is_read(tmp_path: Path) -> None:
    (tmp_path / "in.json").write_text('{"name": "Ada"}', encoding="utf-8")
    assert read_input(f"@{tmp_path}/in.json", (), NOTHING) == {"name": "Ada"}


def test_a_yaml_file_is_read(tmp_path: Path) -> None:
    (tmp_path / "in.yaml").write_text("name: Ada\non: no\n", encoding="utf-8")
    assert read_input(f"@{tmp_path}/in.yaml", (), NOTHING) == {"name": "Ada", "on": "no"}


def test_standard_input_is_read() -> None:
    assert read_input("@-", (), io.StringIO('{"name": "Ada"}')) == {"name": "Ada"}


@pytest.mark.parametrize(
    ("setting", "expected"),
    [
        ("name=Ada", {"name": "Ada"}),
        ("n=3", {"n": 3}),
        ("n=3.5", {"n": 3.5}),
        ("yes=true", {"yes": True}),
        ("none=null", {"none": None}),
        ('text="3"', {"text": "3"}),
        ("list=[1, 2]", {"list": [1, 2]}),
        ("empty=", {"empty": ""}),
        ("phone=0123", {"phone": "0123"}),
        ("number=NaN", {"number": "NaN"}),
        ("equation=a=b", {"equation": "a=b"}),
        ("a.b.c=1", {"a": {"b": {"c": 1}}}),
    ],
)
def test_a_single_value_is_json_if_it_reads_as_that_else_text(
    setting: str, expected: dict[str, Json]
) -> None:
    assert read_input(None, [setting], NOTHING) == expected


def test_single_values_are_added_to_the_input() -> None:
    given = read_input('{"who": {"name": "Ada"}, "n": 1}', ["who.age=36", "n=2"], NOTHING)
    assert given == {"who": {"name": "Ada", "age": 36}, "n": 2}


def test_single_values_go_together() -> None:
    assert read_input(None, ["a.x=1", "a.y=2"], NOTHING) == {"a": {"x": 1, "y": 2}}


def test_what_is_not_json_is_told_with_its_place() -> None:
    assert _error("{name: Ada}") == (
        "--input is not JSON: Expecting property name enclosed in double quotes at line 1 "
        "column 2\nGive JSON in quotes, a file as @FILE, or single values with --set key=value."
    )


def test_a_key_given_twice_is_told() -> None:
    assert _error('{"a": 1, "a": 2}') == "--input: the key 'a' is there twice"


def test_numbers_that_json_does_not_have_are_told() -> None:
    assert _error('{"a": NaN}') == "--input: NaN is not JSON"


def test_endless_nesting_is_told() -> None:
    assert _error("[" * 100_000) == "--input: it is nested too deeply"


def test_an_input_that_is_no_object_is_told() -> None:
    assert _error("[1]") == (
        '--input: a flow\'s input is an object such as {"name": "Ada"}; found a list'
    )


def test_a_file_that_is_not_there_is_told() -> None:
    assert _error("@/nowhere.json") == (
        "--input: the file '/nowhere.json' cannot be read: No such file or directory"
    )


def test_a_broken_file_is_told_by_its_name(tmp_path: Path) -> None:
    (tmp_path / "in.json").write_text("{", encoding="utf-8")
    assert f"--input from '{tmp_path}/in.json' is not JSON" in _error(f"@{tmp_path}/in.json")


def test_a_broken_yaml_file_is_told_with_line_and_column(tmp_path: Path) -> None:
    (tmp_path / "in.yaml").write_text("a: 1\na: 2\n", encoding="utf-8")
    assert _error(f"@{tmp_path}/in.yaml").startswith(f"{tmp_path}/in.yaml:2:1: FR")


@pytest.mark.parametrize("setting", ["name", "=x", "a..b=1", ".a=1"])
def test_a_setting_without_key_or_value_is_told(setting: str) -> None:
    assert _error(None, setting) == (
        f"--set: found {setting!r}, expected key=value, for example name=Ada"
    )


def test_a_setting_into_what_is_no_object_is_told() -> None:
    assert _error(None, "a=1", "a.b=2") == "--set: 'a.b' goes into 'a', which is a number"


def test_data_may_be_any_json() -> None:
    assert read_data("[1, 2]", (), NOTHING) == [1, 2]
    assert read_data('"yes"', (), NOTHING) == "yes"


def test_single_values_cannot_be_added_to_data_that_is_no_object() -> None:
    with pytest.raises(InputWrong, match="--set adds to an object; --data gives a list"):
        read_data("[1]", ["a=1"], NOTHING)


WANTS: JsonObject = {
    "properties": {
        "zip": {"type": "string"},
        "perhaps": {"type": ["string", "null"]},
        "either": {"type": ["string", "number"]},
        "count": {"type": "integer"},
        "open": {},
        "labels": {"type": "object", "additionalProperties": {"type": "string"}},
        "who": {"properties": {"phone": {"type": "string"}}},
    }
}


@pytest.mark.parametrize(
    ("setting", "expected"),
    [
        ("zip=12345", {"zip": "12345"}),
        ("zip=01234", {"zip": "01234"}),
        ("zip=true", {"zip": "true"}),
        ("zip=[1]", {"zip": "[1]"}),
        ('zip="12345"', {"zip": "12345"}),
        ("perhaps=null", {"perhaps": None}),
        ("perhaps=1.50", {"perhaps": "1.50"}),
        ("either=1", {"either": 1}),
        ("count=1", {"count": 1}),
        ("count=x", {"count": "x"}),
        ("open=1", {"open": 1}),
        ("unknown=1", {"unknown": 1}),
        ("labels.year=2026", {"labels": {"year": "2026"}}),
        ("who.phone=0049", {"who": {"phone": "0049"}}),
        ("who.phone=49", {"who": {"phone": "49"}}),
    ],
)
def test_a_value_is_text_where_the_flow_wants_text(setting: str, expected: Json) -> None:
    assert read_input(None, [setting], NOTHING, schema=WANTS) == expected


def test_an_input_in_json_is_taken_as_it_is() -> None:
    assert read_input('{"zip": 1}', (), NOTHING, schema=WANTS) == {"zip": 1}
