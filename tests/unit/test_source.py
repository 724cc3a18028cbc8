"""YAML read as JSON, with the place of everything."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import yaml

from flowspec import source as source_module
from flowspec.problems import FlowInvalid, Mark
from flowspec.source import MAX_BYTES, MAX_DEPTH, MAX_VALUES, read_damaged, read_yaml
from flowspec.values import Json


def codes(text: str) -> list[str]:
    return [problem.code for problem in read_damaged(text).problems]


def mapping(text: str) -> dict[str, Json]:
    data = read_yaml(text).data
    assert isinstance(data, dict)
    return data


def only_message(text: str) -> str:
    (problem,) = read_damaged(text).problems
    return problem.message


def place(text: str) -> tuple[int | None, int | None]:
    (problem,) = read_damaged(text).problems
    return problem.line, problem.column


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("no", "no"),
        ("Yes", "Yes"),
        ("on", "on"),
        ("off", "off"),
        ("y", "y"),
        ("true", True),
        ("False", False),
        ("tRUE", "tRUE"),
        ("null", None),
        ("~", None),
        ("", None),
        ("017", 17),
        ("0o17", 15),
        ("0x1F", 31),
        ("0b11", "0b11"),
        ("1_000", "1_000"),
        ("+5", 5),
        ("-0", 0),
        ("1:30", "1:30"),
        ("12:30:45", "12:30:45"),
        ("2030-01-02", "2030-01-02"),
        ("2030-01-02T03:04:05Z", "2030-01-02T03:04:05Z"),
        ("1.", 1.0),
        (".5", 0.5),
        ("1e3", 1000.0),
        ("-1.5E-2", -0.015),
        ("1.2.3", "1.2.3"),
        ("9223372036854775807", 2**63 - 1),
        ("-9223372036854775808", -(2**63)),
        ("'5'", "5"),
        ('"true"', "true"),
        ("'null'", "null"),
        ("=", "="),
        ("٣", "٣"),
    ],
)
def test_a_plain_scalar_is_read_by_the_core_rules_of_yaml_1_2(written: str, value: Json) -> None:
    (read,) = mapping(f"a: {written}").values()
    assert read == value
    assert type(read) is type(value)


def test_block_scalars_are_text_even_if_they_look_like_numbers() -> None:
    assert read_yaml("a: |-\n  5\nb: >\n  x\n  y\n").data == {"a": "5", "b": "x y\n"}


def test_on_is_a_key_like_any_other() -> None:
    assert read_yaml("on: success").data == {"on": "success"}


def test_every_key_and_value_knows_where_it_stands() -> None:
    source = read_yaml("flow: x\nnodes:\n  é: {type: noop, next: [b, c]}\n")
    assert source.locate_key(("nodes", "é", "next")) == Mark(line=3, column=19)
    assert source.locate(("nodes", "é", "next")) == Mark(line=3, column=25)
    assert source.locate(("nodes", "é", "next", 1)) == Mark(line=3, column=29)
    assert source.locate_key(("nodes", "é", "next", 1)) == Mark(line=3, column=29)


def test_a_place_that_is_not_there_is_the_nearest_one_around_it() -> None:
    source = read_yaml("nodes:\n  a: {type: noop}\n")
    assert source.locate(("nodes", "a", "retry", "attempts")) == Mark(line=2, column=6)
    assert source.locate(("nowhere",)) == Mark(line=1, column=1)


def test_a_byte_order_mark_and_windows_line_ends_are_no_problem() -> None:
    source = read_yaml("\ufeffa: 1\r\nb: 2\r\n")
    assert source.data == {"a": 1, "b": 2}
    assert source.locate(("b",)) == Mark(line=2, column=4)


def test_all_problems_are_found_at_once_and_in_order() -> None:
    text = (
        "a: &x 1\nb: *x\na: 2\nc: .nan\nd: !!int 5\ne: {<<: {f: 1}, 5: 6}\nf: 9999999999999999999\n"
    )
    problems = read_damaged(text).problems
    assert [(p.code, p.line) for p in problems] == [
        ("FR107", 1),
        ("FR107", 2),
        ("FR105", 3),
        ("FR110", 4),
        ("FR108", 5),
        ("FR109", 6),
        ("FR106", 6),
        ("FR111", 7),
    ]
    with pytest.raises(FlowInvalid) as caught:
        read_yaml(text)
    assert caught.value.problems == problems


def test_a_duplicate_key_names_the_line_of_the_first() -> None:
    assert only_message("x: 1\ny: 2\nx: 3") == "the key 'x' is already given in line 1; keep one"
    assert read_damaged("a: {x: 1, x: 2}").source is not None


def test_keys_are_compared_as_text() -> None:
    assert codes("a: 1\n'a': 2") == ["FR105"]
    assert codes("'5': 1\n5: 2") == ["FR106"]


@pytest.mark.parametrize("key", ["5", "1.5", "true", "null", "~", ".inf", "99999999999999999999"])
def test_a_key_that_yaml_reads_as_something_else_than_text_is_refused(key: str) -> None:
    (problem,) = read_damaged(f"{key}: x").problems
    assert (problem.code, problem.suggestion) == ("FR106", f'"{key}"')


@pytest.mark.parametrize("key", ["? [a]\n", "? {a: 1}\n", "*x "])
def test_a_key_that_is_not_a_scalar_is_refused_and_reading_goes_on(key: str) -> None:
    assert set(codes(f"{key}: b\nc: 1\nc: 2\n")) - {"FR107"} == {"FR106", "FR105"}


def test_a_template_in_double_braces_is_told_apart() -> None:
    assert 'a template is written "${…}"' in only_message("a: {{x}}")


@pytest.mark.parametrize("text", ["", "   \n\n", "# nothing\n", "---\n", "---\n...\n"])
def test_an_empty_document_is_told_as_such(text: str) -> None:
    assert codes(text) == ["FR103"]


def test_an_explicit_null_is_a_document() -> None:
    assert read_yaml("null").data is None
    assert read_yaml("''").data == ""


def test_a_second_document_is_refused_where_it_begins() -> None:
    assert codes("a: 1\n---\nb: 2\n") == ["FR104"]
    assert place("a: 1\n---\nb: 2\n") == (2, 1)
    assert codes("--- # one is fine\na: 1\n...\n") == []


@pytest.mark.parametrize("directive", ["%YAML 1.1", "%TAG ! tag:example.com,2000:"])
def test_directives_are_refused(directive: str) -> None:
    assert codes(f"{directive}\n---\na: 1\n") == ["FR108"]


def test_the_version_of_yaml_that_is_read_may_be_named() -> None:
    assert read_yaml("%YAML 1.2\n---\na: 1\n").data == {"a": 1}


def nested(depth: int) -> str:
    return "[" * depth + "]" * depth


def test_nesting_ends_at_the_limit_and_not_before() -> None:
    assert codes(nested(MAX_DEPTH)) == []
    assert codes(nested(MAX_DEPTH + 1)) == ["FR112"]
    assert codes("- " * (MAX_DEPTH + 1) + "x") == ["FR112"]


def test_a_hundred_thousand_levels_are_refused_without_harm() -> None:
    assert codes("[" * 100_000) == ["FR112"]
    assert codes("{a: " * 100_000) == ["FR112"]


def test_too_many_values_are_refused() -> None:
    assert codes("[" + "0," * MAX_VALUES + "]") == ["FR112"]
    assert codes("[" + "0," * (MAX_VALUES - 1) + "]") == []


def test_too_much_text_is_refused_by_its_size_in_bytes() -> None:
    assert codes("a: " + "x" * (MAX_BYTES - 3)) == []
    assert codes("a: " + "x" * (MAX_BYTES - 2)) == ["FR112"]
    assert codes("a: " + "ä" * (MAX_BYTES // 2)) == ["FR112"]


def test_an_integer_of_a_million_digits_is_refused_and_not_computed() -> None:
    (problem,) = read_damaged("a: " + "9" * 1_000_000).problems
    assert problem.code == "FR111"
    assert len(problem.message) < 300


@pytest.mark.parametrize("number", ["1e999", "-1e999", ".inf", "-.INF", "+.Inf", ".NaN"])
def test_numbers_json_has_not_are_refused(number: str) -> None:
    assert codes(f"a: {number}") == ["FR110"]


def test_a_forbidden_character_is_told_with_its_place() -> None:
    assert place("a: 1\nb: x\x00y") == (2, 5)
    assert codes("a: \ud800") == ["FR102"]
    assert codes("\x07" * 50) == ["FR102"] * 10


def test_the_number_of_problems_told_has_an_end() -> None:
    assert len(codes("[" + "*a, " * 5_000 + "]")) == 100


@pytest.mark.parametrize(
    ("text", "at", "says"),
    [
        ("a: {b: ${input.x}}", (1, 8), 'write "${input.x}"'),
        ("a:\n\tb: 1", (2, 1), "a tab is used for indentation"),
        ("type:noop\nb: 1", (1, 5), "write 'type: noop'"),
        ("title: Hello: you", (1, 13), "text with a colon and a space"),
        ("a: 'x", (1, 4), "never closed"),
        ("a: 'it's'", (1, 8), "goes on after the closing quote"),
        ("a: @x", (1, 4), "starts with an @"),
        ("a: `x`", (1, 4), "starts with a backquote"),
        ("a: %x", (1, 4), "starts with a %"),
        ("a: [1, 2", (1, 4), "the [ that opens here is never closed"),
        ("a: {b: 1", (1, 4), "the { that opens here is never closed"),
        ("a: [", (2, 1), "never closed"),
        ("a: {b: c]", (1, 9), "expected a comma or }"),
        (f"a: {{'{'k' * 1023}': 1}}", (1, 5), "a key can have at most 1,024 characters"),
        (f"a:\n  {'k' * 1025}: 1", (2, 3), "a key can have at most 1,024 characters"),
        ('a: "\\q"', (1, 5), "double the backslash"),
        ('a: "\\ud83d\\ude00"', (1, 7), "write the character itself"),
        ("a: 1\n  b: 2", (2, 3), "indented further than line 1"),
        ("a:\n  b: 1\n c: 2", (3, 2), "does not line up"),
        ("a:\n  b: 1\n  - c", (3, 3), "does not line up"),
        ("a: - b", (1, 4), "start on the line after the key"),
        ("a: |x\n  b", (1, 4), "the text starts on the next line"),
        ("a: *", (1, 4), "starts with * or &"),
        ("a: 1\nb c\n", (2, 1), "without a colon"),
        ("a: ]", (1, 4), "']' cannot stand here"),
        ("a: ? b", (1, 4), "starts with ? needs quotes"),
        ("%FOO 1\n---\na: 1", (1, 1), "starts with % needs quotes"),
    ],
)
def test_a_syntax_error_is_one_problem_that_says_what_to_change(
    text: str, at: tuple[int, int], says: str
) -> None:
    (problem,) = read_damaged(text).problems
    assert problem.code == "FR101"
    assert (problem.line, problem.column) == at
    assert says in problem.message


def test_what_was_found_before_a_syntax_error_is_told_too() -> None:
    assert codes("a: 1\na: 2\nb: [") == ["FR105", "FR101"]


def test_places_count_characters_and_not_bytes() -> None:
    assert place("é: ü x: 1") == (1, 7)
    assert place("é: '🎉🎉' x") == (1, 9)


@pytest.fixture
def pure_parser(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Any]:
    monkeypatch.setattr(source_module, "_Parser", yaml.SafeLoader)
    return read_yaml


def test_without_libyaml_the_same_is_read(pure_parser: Callable[[str], Any]) -> None:
    text = "a: 1\nb: [x, {c: no}]\nd: |\n  text\n"
    source = pure_parser(text)
    assert source.data == {"a": 1, "b": ["x", {"c": "no"}], "d": "text\n"}
    assert source.locate(("b", 1, "c")) == Mark(line=2, column=12)
    assert codes("a: [") == ["FR101"]
    assert codes("a: &x 1\nb: *x\na: 3\n") == ["FR107", "FR107", "FR105"]
    assert codes("") == ["FR103"]


@pytest.mark.parametrize("char", ["\x85", "\u2028", "\u2029"])
def test_what_ended_lines_in_older_yaml_is_a_character_like_any_other(char: str) -> None:
    source = read_yaml(
        f"plain: a{char}b\nquoted: 'a {char} b'\nblock: |\n  a{char}b\nlast: \U00010000\n"
    )
    assert source.data == {
        "plain": f"a{char}b",
        "quoted": f"a {char} b",
        "block": f"a{char}b\n",
        "last": "\U00010000",
    }
    assert source.locate(("last",)) == Mark(line=5, column=7)


def test_no_character_of_the_text_stands_in_for_another() -> None:
    assert mapping('a: "\u2028 \\U00010000"\nb: \U00010001') == {
        "a": "\u2028 \U00010000",
        "b": "\U00010001",
    }
