"""What is refused, where, and what the author is told to write instead."""

from __future__ import annotations

import pytest

from flowspec.expressions import ExpressionError, compile_condition, compile_expression


def refusal(source: str) -> ExpressionError:
    with pytest.raises(ExpressionError) as caught:
        compile_expression(source).evaluate({"input": {"n": 3, "s": "x"}})
    assert "\n" not in str(caught.value)
    return caught.value


@pytest.mark.parametrize(
    ("source", "offset", "message"),
    [
        ("a && b", 2, "write 'and' instead of &&"),
        ("a || b", 2, "write 'or' instead of ||"),
        ("!a", 0, "write 'not' instead of !"),
        ("a === b", 2, "write == instead of ==="),
        ("a ? b : c", 2, "write 'b if a else c'"),
        ("a?.b", 1, "default(a.b, null)"),
        ("a ?? b", 2, "default(a, b)"),
        ("2 ** 3", 2, "there is no **"),
        ("1 << 2", 2, "no bit shifts"),
        ("a & b", 2, "write 'and'"),
        ("a = 1", 2, "write == to compare"),
        ("(a := 1)", 3, "an expression changes nothing"),
        ("lambda x: x", 0, "[x.a for x in list]"),
        ("a is null", 2, "write == to compare"),
        ('f"a"', 0, "without 'f' before it"),
        ('r"a"', 0, "without 'r' before it"),
        ("[*a]", 1, "join lists with +"),
        ("len(*a)", 4, "join lists with +"),
        ("__import__", 0, "names with __ are not read"),
        ("input.__class__", 6, '["__class__"]'),
        ("True", 0, "write true instead of True"),
        ("None", 0, "write null instead of None"),
        ("class", 0, 'x["class"]'),
        ("await x", 0, "waits for nothing"),
        ("input.s.upper()", 8, "write upper(input.s)"),
        ("input.s.split(',')", 8, "write split(input.s, ',')"),
        ("input.s.strip()", 8, "use trim(…)"),
        ("input.s.fly()", 8, "call a function instead"),
        ("(1)(2)", 0, "only functions can be called"),
        ("now()", 0, "use run.started"),
        ("lenn(input.s)", 0, "did you mean 'len'?"),
        ("fly(1)", 0, "there is no function 'fly'"),
        ("len()", 0, 'it is len(value), for example len("four")'),
        ("upper(1, 2)", 0, "does not take 2 arguments"),
        ("upper(1)", 6, "needs a text as text, this is a number; str()"),
        ("round(1, digits == 2)", 9, "there is no 'digits'"),
        ("3d", 0, 'a duration is a text: "3d"'),
        ("017", 0, "write 17"),
        ("0x10", 0, "neither a number"),
        ("1_000", 0, "neither a number"),
        (".5", 1, "0.5"),
        ("1.", 0, "1.0"),
        ("input.list.0", 11, "[0]"),
        ("1e999", 0, "too large"),
        ("9223372036854775808", 0, "64 bits"),
        ("1, 2", 0, "[a, b]"),
        ("{1}", 0, "one pair of braces"),
        ("(x for x in a)", 0, "[… for x in list]"),
        ("{**a}", 1, "merge(a, b)"),
        ("a[1:2:3]", 6, "[from:to]"),
        ("[x for x.y in a]", 7, "stands a name"),
        ("[1 for input in a]", 7, "'input' is taken"),
        ("[1 for a, a in b]", 10, "'a' is taken"),
        ("[1 for true in b]", 7, "stands a name"),
        ("{1: 2}", 1, "keys of an object are texts"),
        ("{input.n: 2}", 1, "use str(…)"),
        ('"abc', 0, "never closed"),
        (r'"\d"', 0, r"write \\d"),
        (r'"\ud83d"', 0, "half a character"),
        ('"a" "b"', 4, "join them with +"),
        ("a b", 0, "is missing in 'a b'"),
        ("a +", 3, "ends too early"),
        ("", 0, "is empty"),
        (" \n ", 0, "is empty"),
        ("[1, 2", 0, "'[' is never closed by ']'"),
        ("(1]", 0, "'(' is closed by ']'"),
        ("1)", 1, "')' closes nothing"),
        ("1) + (2", 1, "')' closes nothing"),
        ("1 if true", 0, "'if' needs an 'else'"),
        ("input.s # why", 8, "no comments"),
        ("$input", 0, "without $"),
        ("a; b", 1, "one expression stands alone"),
        ("a\x00b", 1, "means nothing here"),
        ("has(1)", 4, "asks about a path"),
        ('matches("a", "(")', 13, "RE2"),
        ('matches("a", "\\b")', 13, "backspace"),
        ('jmes("a[", {})', 5, "cannot be read"),
        ('add_time(input.s, "3 foo")', 18, "1h30m"),
        ('start_of(input.s, "moth")', 18, "did you mean 'month'?"),
        ('format_time(input.s, "%Q")', 21, "%Y"),
        ('hash("a", "sha257")', 10, "did you mean 'sha256'?"),
        ("not 1", 4, "a condition is true or false, this is a number"),
        ("len(input.s) and true", 0, "this is a number"),
        ("1 if [] else 2", 5, "len(x) > 0"),
        ("[x for x in [1] if 'a']", 19, "this is text"),
    ],
)
def test_refuses_and_teaches(source: str, offset: int, message: str) -> None:
    error = refusal(source)
    assert message in str(error)
    assert error.offset == offset


@pytest.mark.parametrize(
    ("source", "offset", "message"),
    [
        ("1 + (2 / (input.n - 3))", 5, "divides by zero"),
        ("1 // 0", 0, "divides by zero"),
        ("1 % 0", 0, "divides by zero"),
        ("9223372036854775807 + 1", 0, "64 bits"),
        ("1e308 * 10", 0, "too large"),
        ('"a" + input.n', 0, "+ cannot join text and number; str()"),
        ("input + input", 0, "merge(a, b)"),
        ("input.s * 2", 0, "* needs two numbers"),
        ("true + 1", 0, "boolean and number"),
        ("-input.s", 0, "a sign stands before a number, this is text"),
        ("1 < 'a'", 0, "these are number and text"),
        ("[1] < [2]", 0, "two numbers or two texts"),
        ("1 in 2", 0, "not into number"),
        ("1 in 'a'", 0, "not for number"),
        ("input.n and true", 0, "a condition is true or false, this is a number"),
        ("input.s[true]", 0, "boolean cannot stand in […]"),
        ("input.s['a':]", 0, "needs whole numbers, this is text"),
        ("[x for x in input]", 12, "use keys(x), values(x) or items(x)"),
        ("[k for k, v in items(input)]", 15, "e.key and e.value"),
        ("[k for k, v in [[1]]]", 15, "2 names after 'for' meet a list of 1 items"),
        ("upper(input.n)", 0, "needs a text as text"),
        ("[upper(x) for x in [input.n]]", 1, "needs a text as text"),
        ("int('x')", 0, "a whole number, such as 42"),
        ("int('1_0')", 0, "a whole number"),
        ("float('nan')", 0, "holds a number"),
        ("bool('yes')", 0, "true or false"),
        ("json('{')", 0, "cannot read the text"),
        ("json('1e999')", 0, "not finite"),
        ("unbase64('_w')", 0, "not UTF-8"),
        ("zip([1], [])", 0, "same length"),
        ("sort([1, 'a'])", 0, "number and text"),
        ("join([null], '')", 0, "null has no text"),
        ("replace_all('a', 'a', '\\\\1')", 0, "group number up to 0"),
        ("parse_time('2026-02-30')", 0, "no such time"),
        ("add_time('9999-12-31', '2d')", 0, "years 1 to 9999"),
        ("at_offset('2026-01-01', 'Europe/Berlin')", 24, "offset from UTC"),
        ("first([])", 0, "default(first(…), null)"),
        ("jmes('sort(@)', [1, 'a'])", 0, "a kind that its function does not take"),
        ("jmes('nope(@)', [1])", 0, "nope"),
    ],
)
def test_mistakes_met_while_evaluating_teach(source: str, offset: int, message: str) -> None:
    error = refusal(source)
    assert message in str(error)
    assert error.offset == offset


def test_no_message_quotes_a_value() -> None:
    secret = "hunter2-hunter2"
    sources = ["int(s)", "float(s)", "bool(s)", "parse_time(s)", "json(s)", "s + 1", "unbase64(s)"]
    sources += ["s.x", "[k for k in s]", "hash('a', s)", "add_time('2026-01-01', s)", "-s", "not s"]
    sources += ["matches('a', s + '(')", "jmes(s + '[', 1)", "start_of('2026-01-01', s)"]
    sources += ["jmes('abs(@)', s)", "format_time('2026-01-01', '%' + s)", "s < 1", "s[true]"]
    for source in sources:
        with pytest.raises(ExpressionError) as caught:
            compile_expression(source).evaluate({"s": secret})
        assert "hunter2" not in str(caught.value), source


@pytest.mark.parametrize(
    ("source", "offset", "message"),
    [
        ("${input.n} > 1", 10, "a condition is one expression"),
        ("${input.n", 0, "never closed"),
        ("${input.n; isn't it", 0, "never closed"),
        ("input.n > ${1}", 10, "without $"),
        ("'success'", 0, "this is text; compare"),
        ("  ${ 'success' }", 5, "this is text; compare"),
        ("[x for x in input.l]", 0, "this is a list"),
        ("input.n + 1", 0, "true or false"),
        ("${ 1 && 2 }", 5, "write 'and'"),
    ],
)
def test_condition_that_cannot_be_one_is_refused_before_a_run(
    source: str, offset: int, message: str
) -> None:
    with pytest.raises(ExpressionError) as caught:
        compile_condition(source)
    assert message in str(caught.value)
    assert caught.value.offset == offset


def test_condition_that_turns_out_to_be_none_is_refused_in_a_run() -> None:
    with pytest.raises(ExpressionError, match="this is a number; compare, for example x > 0"):
        compile_condition("${input.n}").evaluate({"input": {"n": 1}})


def test_offset_counts_characters_not_bytes() -> None:
    assert refusal('"😀é" + größe && 1').offset == 13
