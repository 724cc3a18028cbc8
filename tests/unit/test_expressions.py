"""What expressions mean."""

from __future__ import annotations

import pytest

from flowspec.expressions import MissingValue, compile_condition, compile_expression
from flowspec.expressions.values import Value
from flowspec.values import Json, NeedsWorker, Opaque

SCOPE: dict[str, Value] = {
    "input": {
        "name": "Ada",
        "age": 36,
        "from": "London",
        "größe": 2,
        "content-type": "text",
        "tags": ["a", "b", "c"],
        "nothing": None,
        "people": [{"name": "Ada", "age": 36}, {"name": "Bo", "age": 20}],
        "key": "name",
    },
    "nodes": {
        "fetch": {"outcome": "success", "output": {"items": [1, 2, 3]}},
        "skipped": {"outcome": "skipped"},
    },
    "big": Opaque(),
}


def value_of(source: str) -> Value:
    return compile_expression(source).evaluate(SCOPE)


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("input.name", "Ada"),
        ('input["name"]', "Ada"),
        ("input[input.key]", "Ada"),
        ("input.from", "London"),
        ("input.größe", 2),
        ('input["content-type"]', "text"),
        ("input.tags[0]", "a"),
        ("input.tags[-1]", "c"),
        ("input.tags[1:]", ["b", "c"]),
        ("input.tags[:-1]", ["a", "b"]),
        ("input.tags[5:]", []),
        ("input.name[0]", "A"),
        ("input.name[1:3]", "da"),
        ("input . people [ 0 ] . age", 36),
        ('{"a": {"b": 1}}.a.b', 1),
        ("[[1], [2, 3]][1][0]", 2),
        ("[input.people][0][1].name", "Bo"),
    ],
)
def test_reads_parts_of_values(source: str, expected: Json) -> None:
    assert value_of(source) == expected


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("1 + 2 * 3", 7),
        ("(1 + 2) * 3", 9),
        ("7 // 2", 3),
        ("-7 // 2", -4),
        ("7.5 // 2", 3),
        ("7 % 4", 3),
        ("7 / 2", 3.5),
        ("4 / 2", 2.0),
        ("- input.age", -36),
        ("1e3", 1000.0),
        ('"a" + "b"', "ab"),
        ("[1] + [2]", [1, 2]),
        ("-9223372036854775807 - 1", -(2**63)),
    ],
)
def test_computes(source: str, expected: Json) -> None:
    result = value_of(source)
    assert (result, type(result)) == (expected, type(expected))


@pytest.mark.parametrize(
    "source",
    [
        "1 == 1.0",
        "[1, {'a': 2.0}] == [1.0, {'a': 2}]",
        '{"a": 1, "b": 2} == {"b": 2, "a": 1}',
        "true != 1",
        "false != 0",
        "[true] != [1]",
        '"1" != 1',
        "null == input.nothing",
        "1 < 2 <= 2 < 3",
        "not (1 < 2 < 2)",
        '"a" < "b"',
        "2 in [1, 2.0]",
        "true not in [1, 0]",
        '"d" in "Ada"',
        '"name" in input',
        '"x" not in input',
        "true or input.missing",
        "not (false and input.missing)",
        "not false and true",
        "input.age > 30 and input.name == 'Ada'",
    ],
)
def test_holds(source: str) -> None:
    assert value_of(source) is True


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("[x * 2 for x in nodes.fetch.output.items]", [2, 4, 6]),
        ("[x for x in [1, 2, 3] if x > 1 if x < 3]", [2]),
        ("[[x, y] for x in [1, 2] for y in [x, 10]]", [[1, 1], [1, 10], [2, 2], [2, 10]]),
        ("{p.name: p.age for p in input.people}", {"Ada": 36, "Bo": 20}),
        ("[k + str(v) for k, v in zip(['a', 'b'], [1, 2])]", ["a1", "b2"]),
        ("{e.key: e.value for e in items({'a': 1})}", {"a": 1}),
        ("[[x + y for x in [1, 2]] for y in [10, 20]]", [[11, 12], [21, 22]]),
        ("[item.age for item in input.people]", [36, 20]),
        ("[input.name for x in []]", []),
    ],
)
def test_goes_over_lists(source: str, expected: Json) -> None:
    assert value_of(source) == expected


def test_name_of_a_comprehension_ends_with_it() -> None:
    with pytest.raises(MissingValue, match="there is no 'x' here"):
        value_of("[[x for x in [1]], x]")


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("'yes' if input.age > 30 else input.missing", "yes"),
        ("default(input.missing, 1)", 1),
        ("default(input.nothing, 1)", 1),
        ("default(input.missing, input.nothing, input.age)", 36),
        ("default(input.name.first.second, null)", None),
        ("default(upper(input.missing), 'x')", "x"),
        ("default(first([]), 0)", 0),
        ("default(input.age, input.missing)", 36),
        ("has(input.nothing)", True),
        ("has(input.nothing.more)", False),
        ("has(input.tags[2])", True),
        ("has(input.tags[3])", False),
        ("has(input[input.missing])", False),
        ("has(nobody)", False),
        ("has(nodes.skipped.output.x)", False),
        ("get(input, 'people.1.name')", "Bo"),
        ("get(input, ['people', -1, 'name'])", "Bo"),
        ("get(input, 'people.9.name', 'none')", "none"),
        ("get(input.missing, 'a', 'none')", "none"),
        ("get({'a': null}, 'a', 1)", None),
    ],
)
def test_absent_values_can_be_provided_for(source: str, expected: Json) -> None:
    assert value_of(source) == expected


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        (r'"a\n\t\"\\\/\u00e9"', 'a\n\t"\\/é'),
        (r"'it\'s'", "it's"),
        (r'"\ud83d\ude00"', "😀"),
        ('"#{}[]()"', "#{}[]()"),
        ("'\"'", '"'),
    ],
)
def test_texts_are_json_texts(source: str, expected: str) -> None:
    assert value_of(source) == expected


def test_white_space_and_line_breaks_do_not_matter() -> None:
    assert value_of(" \n 1 +\n\t2\u00a0+ 3 ") == 6


def test_opaque_value_passes_whole() -> None:
    big = SCOPE["big"]
    assert value_of("big") is big
    assert value_of("[big, 1]") == [big, 1]
    assert value_of("{'a': big}") == {"a": big}
    assert value_of("big if true else 1") is big
    assert value_of("has(big)") is True
    assert value_of("[x for x in [big]]") == [big]
    assert value_of("first([big])") is big
    assert value_of("len([big, big])") == 2


class NeverNull(Opaque):
    """Known not to be null."""

    @property
    def may_be_null(self) -> bool:
        return False


def test_default_takes_an_opaque_value_only_if_it_is_known_not_to_be_null() -> None:
    known = NeverNull()
    source = compile_expression("default(input.none, first([big]), 1)")
    assert source.evaluate({"input": {"none": None}, "big": known}) is known
    with pytest.raises(NeedsWorker):
        source.evaluate({"input": {"none": None}, "big": Opaque()})


@pytest.mark.parametrize(
    "source",
    [
        "big.x",
        "big[0]",
        "big[1:]",
        "big == 1",
        "1 == big",
        "[big] == [1]",
        "big in [1]",
        "1 in big",
        "big in 'a'",
        "big + 1",
        "-big",
        "not big",
        "1 if big else 2",
        "big and true",
        "[x for x in big]",
        "[1 for a, b in [big]]",
        "{big: 1}",
        "input[big]",
        "len(big)",
        "str(big)",
        "to_json([big])",
        "unique([big])",
        "sum([big])",
        "flatten([big])",
        "jmes('a', big)",
        "jmes('a.b', {'a': big})",
        "jmes('length(a)', {'a': big})",
        "jmes('a', {'a': big})",
        "jmes('a || `1`', {'a': big})",
        "jmes('[*].a', [{'a': big}])",
        "jmes('[].a', [big])",
        "jmes('sum(@)', [1, big])",
        "jmes('not_null(a, `1`)', {'a': big})",
        "type_of(big)",
        "default(big.x, 1)",
        "has(big.x)",
        "get(big, 'x', 1)",
        "get({'a': big}, 'a.b', 1)",
        "sort([{'a': big}], 'a')",
        "big < 1",
    ],
)
def test_looking_inside_an_opaque_value_needs_the_worker(source: str) -> None:
    with pytest.raises(NeedsWorker):
        value_of(source)


def test_condition_is_true_or_false() -> None:
    assert compile_condition("input.age > 30").evaluate(SCOPE) is True
    assert compile_condition("${input.age > 40}").evaluate(SCOPE) is False
    assert compile_condition("  ${ input.age > 40 } ").evaluate(SCOPE) is False
    assert compile_condition(True).evaluate({}) is True
    assert compile_condition(False).evaluate({}) is False


def test_condition_over_an_opaque_value_needs_the_worker() -> None:
    with pytest.raises(NeedsWorker):
        compile_condition("big").evaluate(SCOPE)


def test_missing_value_names_the_path_and_what_is_there() -> None:
    with pytest.raises(MissingValue) as caught:
        value_of("input.people[0].nam")
    assert caught.value.path == "input.people[0].nam"
    assert str(caught.value) == (
        "input.people[0] has no \"nam\" (found keys: name, age); did you mean 'name'?"
    )
    assert caught.value.offset == 0


def test_missing_value_lists_five_keys_at_most() -> None:
    scope: dict[str, Value] = {"input": dict.fromkeys("abcdefg", 1)}
    with pytest.raises(MissingValue, match=r"found keys: a, b, c, d, e and 2 more\)$"):
        compile_expression("input.zzz").evaluate(scope)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("inputs.x", "there is no 'inputs' here (found: input, nodes, big); did you mean 'input'?"),
        (
            "nodes.skipped.output.x",
            "node 'skipped' has no output (its outcome is 'skipped'); guard the read: "
            "default(nodes.skipped.output, …), or … if has(nodes.skipped.output) else …",
        ),
        ("input.tags[7]", "input.tags has no position 7: it has 3 items, counted from 0"),
        (
            "input.tags.length",
            'input.tags is a list, which has no keys such as "length"; use len(…)',
        ),
        ("input.nothing.x", 'input.nothing is null, which has no keys such as "x"'),
        ("input.age[0]", "input.age is a number, which has no positions"),
        ("input[0]", 'input is an object, read by a text such as ["0"], not by a position'),
        ("get(input, 'people.0.nam')", 'has no "nam"'),
        ("[p.nam for p in input.people]", 'p has no "nam"'),
        ("sort(input.people, 'nam')", 'item 0 has no "nam"'),
    ],
)
def test_missing_value_teaches(source: str, message: str) -> None:
    with pytest.raises(MissingValue) as caught:
        value_of(source)
    assert message in str(caught.value)


def test_scope_may_be_any_mapping() -> None:
    from types import MappingProxyType

    scope: MappingProxyType[str, Value] = MappingProxyType({"input": {"a": 1}})
    assert compile_expression("default(input.b, input.a)").evaluate(scope) == 1
