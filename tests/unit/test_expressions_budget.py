"""Short texts cannot cost much: hostile ones end as ordinary errors."""

from __future__ import annotations

import pytest

from flowspec.expressions import (
    BudgetExceeded,
    ExpressionError,
    compile_expression,
    compile_template,
)
from flowspec.expressions.values import Value
from flowspec.values import Json


def _nested(levels: int) -> Json:
    value: Json = 1
    for _ in range(levels):
        value = [value]
    return value


SCOPE: dict[str, Value] = {
    "text": "xy" * 500_000,
    "list": list(range(90_000)),
    "deep": _nested(5_000),
    "other": _nested(5_000),
}


def _bomb(levels: int) -> str:
    source = "[1]"
    for _ in range(levels):
        source = f"[[x, x] for x in {source}]"
    return source


@pytest.mark.parametrize(
    "source",
    [
        "[i for i in range(99999)]",
        "[[j for j in range(400)] for i in range(400)]",
        _bomb(24),
        f"to_json({_bomb(24)})",
        f"{_bomb(24)} == {_bomb(24)}",
        f"unique({_bomb(24)})",
        "[text for i in range(9000)]",
        "[text + 'x' for i in range(9000)]",
        "[upper(text) for i in range(9000)]",
        "[title(text) for i in range(9000)]",
        "[text[1:] for i in range(9000)]",
        "['z' in text for i in range(9000)]",
        "[get(text, text, 1) for i in range(9000)]",
        "replace(text, 'x', text)",
        "join([text, text], '')",
        "text + text",
        "pad_left('', 99999999999, 'x')",
        "range(99999999999)",
        "flatten([list, list])",
        "split(text, 'x')",
        "replace_all(text, 'x', 'y')",
        "matches(text, '(x|y)*((x|y){9,99}){9}z|x')",
        "extract_all(text, '(?:(?:x|y)*x(?:x|y){14}z)|x')",
        "[matches('a', 'a{' + str(i) + '}b{1000}') for i in range(900)]",
        "jmes('" + " | ".join(["[@,@]"] * 30) + "', 1)",
        "jmes('" + " | ".join(["[@,@][]"] * 30) + "', [1])",
        "jmes('" + " | ".join(["[@,@]"] * 30) + " | to_string(@)', 1)",
        "deep == other",
        "to_json(deep)",
        "unique([deep])",
        "[deep]",
    ],
)
def test_too_much_work_is_refused(source: str) -> None:
    with pytest.raises(BudgetExceeded):
        compile_expression(source).evaluate(SCOPE)


@pytest.mark.parametrize(
    "source",
    [
        "(" * 2_000 + "1" + ")" * 2_000,
        "[" * 4_000,
        "-" * 4_000 + "1",
        "not " * 1_000 + "true",
        "1" + " + 1" * 1_000,
        "1" + " if true else 1" * 250,
        "x" + "[y]" * 1_000,
        "1" * 4_000,
        "'" + "a" * 5_000 + "'",
        "{'a': " * 60 + "1" + "}" * 60,
        "upper(" * 60 + "'a'" + ")" * 60,
        "jmes('" + "!" * 900 + "a', 1)",
        "jmes('a" + "[*]" * 600 + "', 1)",
        "jmes('a" + " == a" * 300 + "', 1)",
        'json("' + "[" * 4_000 + '")',
        "matches('a', '" + "(" * 900 + ")" * 900 + "')",
    ],
)
def test_deep_or_long_source_is_an_ordinary_error(source: str) -> None:
    with pytest.raises(ExpressionError):
        compile_expression(source).evaluate({"x": 1, "y": 0})


def test_expression_at_its_limits_still_works() -> None:
    assert compile_expression("(" * 50 + "1" + ")" * 50).evaluate({}) == 1
    assert compile_expression("1" + " + 1" * 90).evaluate({}) == 91
    assert compile_expression("len(range(90000))").evaluate({}) == 90_000
    assert compile_expression("len(sort(range(30000)))").evaluate({}) == 30_000
    assert compile_expression("len([i for i in range(20000)])").evaluate({}) == 20_000


def test_whole_value_passes_whatever_its_size() -> None:
    huge = {"text": "x" * 3_000_000, "list": list(range(300_000))}
    template = compile_template({"a": "${value}", "b": "${value.text}"})
    result = template.evaluate({"value": huge})  # type: ignore[dict-item]
    assert isinstance(result, dict)
    assert result["a"] is huge


def test_texts_of_a_template_share_one_budget() -> None:
    heavy = "${len([i for i in range(9000)])}"
    assert compile_template([heavy]).evaluate({}) == [9_000]
    with pytest.raises(BudgetExceeded):
        compile_template([heavy] * 10).evaluate({})


def test_budget_message_says_what_to_do() -> None:
    with pytest.raises(BudgetExceeded, match=r"100,000 steps; work on fewer items"):
        compile_expression("[i for i in range(99999)]").evaluate({})
