"""Values with `${…}` in their texts."""

from __future__ import annotations

import copy

import pytest

from flowspec.expressions import (
    ExpressionError,
    MissingValue,
    compile_template,
    evaluate_at,
    problems_in,
    scope_for,
)
from flowspec.expressions.values import Value
from flowspec.values import Json, NeedsWorker, Opaque

SCOPE: dict[str, Value] = {
    "input": {"n": 3, "s": "Ada", "o": {"a": [1, None]}, "nothing": None, "t": True, "f": 1.5},
    "big": Opaque(),
}


def value_of(value: Json) -> Value:
    return compile_template(value).evaluate(SCOPE)


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ("plain", "plain"),
        ("", ""),
        ("${input.n}", 3),
        ("${ input.o }", {"a": [1, None]}),
        ("${input.nothing}", None),
        (" ${input.n}", " 3"),
        ("${input.s} is ${input.n}", "Ada is 3"),
        ("${input.t}/${input.f}/${input.o}", 'true/1.5/{"a":[1,null]}'),
        ("$${input.n}", "${input.n}"),
        ("$${a} ${input.n} $${b}", "${a} 3 ${b}"),
        ("${input.n}$${", "3${"),
        ("$$${input.n}", "$${input.n}"),
        ("$ {x} $5 $$ }", "$ {x} $5 $$ }"),
        ("${'$'}${input.n}", "$3"),
        ("${ {'a': {'b': '}'}}['a'] }", {"b": "}"}),
        ("${'${'}", "${"),
        (
            {"a": ["${input.n}", {"b": "x${input.n}"}], "c": None},
            {"a": [3, {"b": "x3"}], "c": None},
        ),
        ([1, True, None, 1.5], [1, True, None, 1.5]),
        ("${\n  input.n\n  + 1\n}", 4),
    ],
)
def test_template_gives(template: Json, expected: Json) -> None:
    result = value_of(template)
    assert (result, type(result)) == (expected, type(expected))


def test_constant_is_told() -> None:
    assert compile_template({"a": ["x", 1, "$${y}"]}).constant
    assert not compile_template({"a": ["x", "${1}"]}).constant


def test_null_inside_a_text_is_refused() -> None:
    with pytest.raises(ExpressionError) as caught:
        value_of({"a": "Hello ${input.nothing}!"})
    assert caught.value.at == ("a",)
    assert caught.value.offset == 8
    assert 'default(input.nothing, "")' in str(caught.value)


def test_error_says_in_which_text_it_happened() -> None:
    with pytest.raises(MissingValue) as caught:
        value_of({"a": ["${input.n}", "${1 + input.x}"]})
    assert (caught.value.at, caught.value.offset) == (("a", 1), 6)


def test_opaque_value_passes_whole_and_is_not_written_into_a_text() -> None:
    assert value_of({"a": "${big}"}) == {"a": SCOPE["big"]}
    with pytest.raises(NeedsWorker):
        value_of("x${big}")


def test_all_problems_are_found() -> None:
    found = problems_in(
        {"a": "${1 +} ${2 && 3} ${ok}", "b": ["${never", "${(1}"], "c": "${}", "k${x}": 1}
    )
    assert [(place, error.offset) for place, error in found] == [
        (("a",), 5),
        (("a",), 11),
        (("b", 0), 0),
        (("b", 1), 2),
        (("c",), 2),
        (("k${x}",), None),
    ]
    assert "never closed by }" in str(found[2][1])


@pytest.mark.parametrize(
    ("source", "offset", "words"),
    [
        ("${input.name and ${input.name}", 0, "this ${ is never closed by }"),
        ("Hi ${input.name, isn't it?", 3, "this ${ is never closed by }"),
        ("Hi ${input.name! You & me", 3, "this ${ is never closed by }"),
        ("Hi ${input.name) there", 3, "this ${ is never closed by }"),
        ("Hi ${input.name + 'x} there", 18, "its second ' is missing"),
        ("Hi ${ {'a': [1} }", 12, "'[' is closed by '}'"),
        ("${input.a + ${input.b}}", 12, "this ${ stands inside another"),
        ("${ {'a': ${input.b}} }", 9, "this ${ stands inside another: is the }"),
        ("${upper(input.a\n${upper(input.b} c", 16, "this ${ stands inside another: is the }"),
        ("${upper(input.a} and ${input.b}", 7, "'(' is never closed by ')'"),
    ],
)
def test_a_missing_brace_is_told_before_what_follows_it(
    source: str, offset: int, words: str
) -> None:
    ((_, error),) = problems_in(source)
    assert words in str(error)
    assert error.offset == offset


def test_first_problem_is_raised_with_its_place() -> None:
    with pytest.raises(ExpressionError) as caught:
        compile_template({"a": {"b": "x ${1 +}"}})
    assert (caught.value.at, caught.value.offset) == (("a", "b"), 7)
    assert problems_in({"a": "${1}"}) == []


def test_template_too_deep_is_refused() -> None:
    deep: Json = "${1}"
    for _ in range(5_000):
        deep = [deep]
    with pytest.raises(ExpressionError, match="nested deeper"):
        compile_template(deep)


def test_partial_evaluation_leaves_what_needs_the_worker_standing() -> None:
    template: dict[str, Json] = {
        "url": "https://x/${input.n}",
        "headers": {"Authorization": "Bearer ${secrets.T} $${x}", "a/b~c": ["${big.x}"]},
        "body": "${big}",
        "optional": "${default(secrets.U, 'x')}",
    }
    value, standing = compile_template(template).evaluate_partially(SCOPE)
    assert value == {**template, "url": "https://x/3", "body": SCOPE["big"]}
    assert standing == ["/headers/Authorization", "/headers/a~1b~0c/0", "/optional"]


def test_what_stood_is_evaluated_later_and_nothing_else() -> None:
    template = compile_template({"a": "${input.s}", "b": ["x ${secrets.T}"], "c": "${secrets.T}"})
    scope: dict[str, Value] = {"input": {"s": "${1 + 1}"}}
    value, standing = template.evaluate_partially(scope)
    assert value == {"a": "${1 + 1}", "b": ["x ${secrets.T}"], "c": "${secrets.T}"}
    before = copy.deepcopy(value)
    later: dict[str, Value] = {"secrets": {"T": "${2}"}}
    assert evaluate_at(value, standing, later) == {
        "a": "${1 + 1}",
        "b": ["x ${2}"],
        "c": "${2}",
    }
    assert value == before


def test_whole_value_can_stand() -> None:
    value, standing = compile_template("${secrets.T}").evaluate_partially({})
    assert (value, standing) == ("${secrets.T}", [""])
    assert evaluate_at("${secrets.T}", standing, {"secrets": {"T": "t"}}) == "t"


def test_scope_for_what_stands_is_enough_for_it() -> None:
    template = compile_template({"a": "${input.s}", "b": "${big.x + input.n}"})
    _, standing = template.evaluate_partially(SCOPE)
    scope = scope_for(template.references_at(standing), SCOPE)
    assert scope == {"big": SCOPE["big"], "input": {"n": 3}}
    scope["big"] = {"x": 1}
    later = evaluate_at({"a": "Ada", "b": "${big.x + input.n}"}, standing, scope)
    assert later == {"a": "Ada", "b": 4}


def test_unavailable_names_can_be_chosen() -> None:
    template = compile_template(["${secrets.T}", "${input.n}"])
    value, standing = template.evaluate_partially(
        {"secrets": {"T": "t"}, "input": {"n": 1}}, frozenset({"input"})
    )
    assert (value, standing) == (["t", "${input.n}"], ["/1"])


@pytest.mark.parametrize("pointer", ["/x", "/a/3", "/a/-", "/a/0/b", "/n"])
def test_pointer_to_no_template_is_refused(pointer: str) -> None:
    with pytest.raises(ExpressionError):
        evaluate_at({"a": ["${1}"], "n": 1}, [pointer], {})


def test_mistake_met_later_says_where() -> None:
    with pytest.raises(ExpressionError) as caught:
        evaluate_at({"a": ["${secrets.X}"]}, ["/a/0"], {"secrets": {}})
    assert caught.value.at == ("a", 0)
