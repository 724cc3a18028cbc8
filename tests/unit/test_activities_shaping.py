"""`transform`, `template` and `validate`: what they make, and what they refuse."""

from __future__ import annotations

import time
from contextlib import suppress
from typing import Any

import pytest

from activities.shaping.mustache import TemplateError, TemplateTooLarge, render
from activities.shaping.template import TEMPLATE
from activities.shaping.transform import TRANSFORM
from activities.shaping.validate import VALIDATE
from tests import attempts
from tests.shaping import act, refused

PEOPLE = [{"name": "Ada", "age": 36}, {"name": "Kim", "age": 12}]


async def test_a_query_finds_what_it_asks_for_in_the_value() -> None:
    done = await act(TRANSFORM, value=PEOPLE, jmespath="[?age > `18`].name")
    assert done == {"value": ["Ada"]}
    assert await act(TRANSFORM, value=PEOPLE, jmespath="[9]") == {"value": None}
    assert await act(TRANSFORM, value=PEOPLE) == {"value": PEOPLE}


async def test_a_query_may_look_at_more_than_an_expression() -> None:
    numbers = [{"n": number} for number in range(300_000)]
    claims = attempts.claims_in_memory()
    done = await act(TRANSFORM, claims, value=numbers, jmespath="sum([].n)")
    assert done == {"value": sum(range(300_000))}


async def test_a_query_that_cannot_be_read_is_told_with_its_place() -> None:
    assert "at character 5" in await refused("InvalidQuery", TRANSFORM, value=[], jmespath="a.b[*}")
    assert "nofun" in await refused("InvalidQuery", TRANSFORM, value=[], jmespath="nofun(@)")
    await refused("InvalidQuery", TRANSFORM, value={"a": 1}, jmespath="length(a)")


async def test_a_query_that_makes_much_of_little_ends() -> None:
    doubling = " | ".join(["{a: @, b: @}"] * 30)
    await refused("TooMuchWork", TRANSFORM, value="x" * 100, jmespath=doubling)
    pairs = " | ".join(["[@, @][]"] * 22)
    await refused("TooMuchWork", TRANSFORM, value=[1], jmespath=pairs)


@pytest.mark.parametrize(
    ("template", "data", "text"),
    [
        ("Hello {{name}}!", {"name": "Ada"}, "Hello Ada!"),
        ("{{ a.b.c }}", {"a": {"b": {"c": 1.5}}}, "1.5"),
        ("{{t}} {{n}}|{{f}}", {"t": True, "n": None, "f": False}, "true |false"),
        ("{{#l}}<{{.}}>{{/l}}", {"l": [1, "b"]}, "<1><b>"),
        ("{{#l}}{{n}}{{o}} {{/l}}", {"l": [{"n": 1}, {"n": 2}], "o": "!"}, "1! 2! "),
        ("{{#o}}{{x}}{{/o}}", {"o": {"x": 1}, "x": 2}, "1"),
        ("{{#a}}yes{{/a}}{{^a}}no{{/a}}", {"a": []}, "no"),
        ("{{#a}}yes{{/a}}{{^a}}no{{/a}}", {}, "no"),
        ("{{#a}}yes{{/a}}{{^a}}no{{/a}}", {"a": 0}, "yes"),
        ("a{{! not this }}b", {}, "ab"),
        ("{{{a}}} {{&a}} {{a}}", {"a": "<"}, "< < <"),
        ("begin\n  {{#a}}\nx\n{{/a}}\nend", {"a": True}, "begin\nx\nend"),
        ("| {{#a}} x {{/a}}\n", {"a": True}, "|  x \n"),
        ("{{! alone }}\r\nx", {}, "x"),
        ("{ {a} } }}", {}, "{ {a} } }}"),
    ],
)
async def test_templates(template: str, data: Any, text: str) -> None:
    assert await act(TEMPLATE, template=template, data=data) == {"text": text}


async def test_html_shows_what_comes_from_outside_as_text() -> None:
    data = {"name": """<b> & "it's" {{x}}"""}
    done = await act(TEMPLATE, template="<i>{{name}}</i>{{{name}}}", data=data, format="html")
    shown = "<i>&lt;b&gt; &amp; &quot;it&#x27;s&quot; {{x}}</i>"
    assert done["text"] == shown + data["name"]


@pytest.mark.parametrize(
    ("template", "said"),
    [
        ("ok\n  {{a}}", "line 2, column 3: 'a' is missing in the data"),
        ("{{l}}", "line 1, column 1: 'l' is a list; go into it with {{#l}}"),
        ("x {{#l}}", "line 1, column 3: the section 'l' is not closed"),
        ("{{/l}}", "there is no section 'l' to close"),
        ("{{#l}}{{#m}}{{/l}}", "expected {{/m}} before 'l'"),
        ("{{a", "the tag is not closed"),
        ("{{{a}}", "the tag is not closed; }}} is missing"),
        ("{{> part}}", "there are no partials"),
        ("{{=<% %>=}}", "the delimiters cannot be changed"),
        ("{{a b}}", "a tag holds a name"),
        ("{{#a}}" * 51, "50 deep at most"),
    ],
)
async def test_a_template_that_cannot_be_filled_is_told_with_its_place(
    template: str, said: str
) -> None:
    assert said in await refused("InvalidTemplate", TEMPLATE, template=template, data={"l": [1]})


async def test_names_that_are_missing_can_be_allowed() -> None:
    done = await act(TEMPLATE, template="[{{a}}{{b.c}}]", missing="empty")
    assert done == {"text": "[]"}


async def test_a_template_that_would_never_end_ends() -> None:
    data = {"l": [0] * 100}
    nested = "{{#l}}" * 10 + "{{/l}}" * 10
    await refused("TextTooLarge", TEMPLATE, template=nested, data=data)
    long = {"l": [0] * 1000, "t": "x" * 100_000}
    await refused("TextTooLarge", TEMPLATE, template="{{#l}}{{t}}{{/l}}", data=long)


@pytest.mark.parametrize(
    "template",
    ["{{#a}}{{/a}}" * 80_000, "{{" * 500_000, " " * 999_000 + "{{#a}}", "{{!}}" * 200_000],
)
def test_reading_a_template_takes_time_in_proportion_to_its_length(template: str) -> None:
    begun = time.process_time()
    with suppress(TemplateError, TemplateTooLarge):
        render(template, {}, is_html=False)
    assert time.process_time() - begun < 5


SCHEMA = {"type": "object", "required": ["id"], "properties": {"n": {"type": "integer"}}}


async def test_a_value_that_fits_is_valid() -> None:
    call = {"node": "n", "flow": "f", "run_id": "r", "key": "k"}
    params = {"value": {"id": 1}, "schema": SCHEMA}
    done = await attempts.perform(VALIDATE, {**call, "params": params})
    assert done == {"output": {"valid": True, "problems": []}, "action": "valid"}
    params = {"value": {"n": "x"}, "schema": SCHEMA, "on_invalid": "continue"}
    done = await attempts.perform(VALIDATE, {**call, "params": params})
    assert done["action"] == "invalid"
    assert done["output"] == {
        "valid": False,
        "problems": [
            {"path": "", "message": "'id' is missing", "keyword": "required"},
            {
                "path": "n",
                "message": "expected a whole number, found the text 'x'",
                "keyword": "type",
            },
        ],
    }


async def test_a_value_that_does_not_fit_fails_with_every_problem() -> None:
    said = await refused("Invalid", VALIDATE, value={"n": "x"}, schema=SCHEMA)
    assert "n: expected a whole number" in said
    assert "'id' is missing" in said


async def test_a_schema_that_is_none_is_told_where() -> None:
    wrong = {"properties": {"n": {"type": "intger"}}}
    said = await refused("InvalidSchema", VALIDATE, value={}, schema=wrong)
    assert said.startswith("schema.properties.n.type:")
    assert "did you mean 'integer'?" in said
    fetched = {"$ref": "http://127.0.0.1:1/schema.json"}
    await refused("InvalidSchema", VALIDATE, value={}, schema=fetched)
