"""JSON Schemas that people write: sound or not, what fits them, what is filled in."""

from __future__ import annotations

from typing import cast

import pytest

from flowspec.jsonschemas import (
    EndlessDefaults,
    check_input,
    dotted,
    fill_defaults,
    input_schema_problems,
    schema_problems,
    violations,
)
from flowspec.values import Json, JsonObject, NeedsWorker, Opaque

ORDER: JsonObject = {
    "required": ["sku"],
    "properties": {
        "sku": {"type": "string", "description": "Which article"},
        "amount": {"type": "integer", "minimum": 1, "default": 1},
        "address": {
            "type": "object",
            "required": ["zip"],
            "additionalProperties": False,
            "properties": {"zip": {"type": "string"}, "country": {"default": "de"}},
        },
    },
}


def only(schema: Json, value: Json) -> str:
    (violation,) = violations(schema, value)
    return violation.message


@pytest.mark.parametrize(
    ("schema", "value", "message"),
    [
        ({"type": "string"}, 5, 'expected text, found the number 5; write "5"'),
        ({"type": "string"}, True, 'expected text, found true; write "true"'),
        ({"type": "integer"}, "5", "expected a whole number, found the text '5'; write 5"),
        ({"type": "integer"}, 1.5, "expected a whole number, found the number 1.5"),
        ({"type": "integer"}, True, "expected a whole number, found true"),
        ({"type": "boolean"}, "yes", "expected true or false, found the text 'yes'; write true"),
        ({"type": "array"}, "a", "expected a list, found the text 'a'; write [a]"),
        ({"type": "object"}, None, "expected a mapping, found nothing (null)"),
        ({"type": ["null", "string"]}, 5, 'expected text or null, found the number 5; write "5"'),
        ({"enum": ["red", "green"]}, "gren", "found the text 'gren'; did you mean 'green'?"),
        ({"enum": ["a", 1, None]}, 2, "expected a, 1 or null, found the number 2"),
        ({"const": 5}, 6, "expected 5, found the number 6"),
        ({"pattern": "^[a-z]+$"}, "A", "expected text that matches ^[a-z]+$, found the text 'A'"),
        ({"minimum": 1}, 0, "expected a number of at least 1, found the number 0"),
        ({"maximum": 1}, 2, "expected a number of at most 1, found the number 2"),
        ({"exclusiveMinimum": 1}, 1, "expected a number over 1, found the number 1"),
        ({"exclusiveMaximum": 1}, 1, "expected a number under 1, found the number 1"),
        ({"multipleOf": 5}, 7, "expected a multiple of 5, found the number 7"),
        ({"minLength": 1}, "", "expected text that is not empty, found empty text"),
        ({"minLength": 3}, "ab", "expected at least 3 characters, found the text 'ab'"),
        ({"maxLength": 1}, "ab", "expected at most 1 characters, found the text 'ab'"),
        ({"minItems": 1}, [], "expected a list that is not empty, found an empty list"),
        ({"maxItems": 1}, [1, 2], "expected at most 1 entries, found a list"),
        ({"uniqueItems": True}, [1, 1], "expected a list without repetitions, found a list"),
        ({"contains": {"type": "string"}}, [1], "expected a list with more entries"),
        ({"minProperties": 1}, {}, "expected a mapping that is not empty"),
        ({"maxProperties": 1}, {"a": 1, "b": 2}, "expected at most 1 keys, found a mapping"),
        ({"not": {"type": "string"}}, "x", "expected no such value here"),
        (False, 1, "expected no such value here"),
        ({"format": "email"}, "x", "expected an email address such as ann@example.com"),
        ({"format": "date-time"}, "x", "expected a date and time such as"),
        ({"format": "duration-text"}, "30", "expected a duration such as 30s"),
        ({"propertyNames": {"pattern": "^a"}}, {"b": 1}, "the key 'b' is not allowed: expected"),
        ({"dependentRequired": {"a": ["b"]}}, {"a": 1}, "'b' is missing"),
        ({"oneOf": [{"minimum": 1}, {"maximum": 9}]}, 5, "exactly one of the alternatives"),
    ],
)
def test_a_violation_says_what_was_found_and_what_is_expected(
    schema: Json, value: Json, message: str
) -> None:
    assert message in only(schema, value)


def test_a_missing_key_is_told_at_the_mapping_with_its_description() -> None:
    (violation,) = violations(ORDER, {})
    assert (violation.kind, violation.path, violation.expected) == ("missing", (), "sku")
    assert violation.message == "'sku' is missing: Which article"
    wrapped: JsonObject = {
        "required": ["a"],
        "properties": {"a": {"description": "Which\n article"}},
    }
    assert only(wrapped, {}) == "'a' is missing: Which article"


def test_an_unknown_key_is_told_at_the_key_with_what_was_meant() -> None:
    (violation,) = violations(ORDER, {"sku": "a", "address": {"zip": "1", "contry": "fr"}})
    assert (violation.kind, violation.path) == ("unknown", ("address", "contry"))
    assert violation.message == "unknown key 'contry'; did you mean 'country'?"


def test_a_misspelt_key_is_not_told_as_missing_too() -> None:
    (violation,) = violations(ORDER, {"sku": "a", "address": {"zpi": "1"}})
    assert violation.kind == "unknown"


def test_an_unknown_key_that_resembles_nothing_gets_the_list_of_keys() -> None:
    schema: Json = {"properties": {"a": {}, "b": {}}, "additionalProperties": False}
    assert only(schema, {"xyz": 1}) == "unknown key 'xyz'; the keys are a and b"
    closed: Json = {"additionalProperties": False}
    assert [v.path for v in violations(closed, {"a": 1, "b": 2})] == [("a",), ("b",)]
    assert only(closed, {"xyz": 1}) == "unknown key 'xyz'; none is taken here"


def test_all_violations_are_told() -> None:
    found = violations(ORDER, {"sku": 5, "amount": 0, "address": {"zip": 1, "x": 2}})
    assert [(v.kind, v.path) for v in found] == [
        ("type", ("sku",)),
        ("value", ("amount",)),
        ("type", ("address", "zip")),
        ("unknown", ("address", "x")),
    ]


def test_of_alternatives_by_type_the_types_are_told() -> None:
    schema: Json = {"anyOf": [{"type": "string"}, {"type": "integer"}, {"type": "null"}]}
    assert only(schema, []) == "expected text, a whole number or null, found an empty list"
    assert only({"anyOf": [{"const": 1}, {"enum": ["a", "b"]}]}, 2).startswith("expected 1 or a")


def test_of_alternatives_the_one_that_is_meant_is_told() -> None:
    schema: Json = {
        "oneOf": [
            {"type": "string"},
            {"type": "object", "required": ["x"], "properties": {"x": {"type": "integer"}}},
        ]
    }
    assert only(schema, {}) == "'x' is missing"
    (violation,) = violations(schema, {"x": "5"})
    assert violation.path == ("x",)


def test_of_several_close_alternatives_the_closest_is_told() -> None:
    branch = {"type": "object", "additionalProperties": False}
    schema = cast(
        Json,
        {
            "anyOf": [
                {**branch, "properties": {"a": {"type": "integer"}}},
                {**branch, "properties": {"b": {}}, "required": ["b", "c"]},
            ]
        },
    )
    assert only(schema, {"a": "x"}).endswith("(the closest of several alternatives)")


def test_what_is_in_a_hole_is_taken_to_fit() -> None:
    schema: Json = {
        "properties": {
            "count": {"type": "integer"},
            "kind": {"enum": ["a", "b"]},
            "either": {"oneOf": [{"type": "integer"}, {"type": "object", "required": ["z"]}]},
            "name": {"type": "string"},
        }
    }
    value: Json = {"count": "${x}", "kind": "${x}", "either": {"y": "${x}"}, "name": 5}
    holes = [("count",), ("kind",), ("either", "y")]
    assert [v.path for v in violations(schema, value, holes=holes)] == [("name",)]
    assert len(violations(schema, value)) == 4


def test_a_hole_does_not_hide_what_is_wrong_beside_it() -> None:
    schema: Json = {"required": ["b"], "properties": {"a": {}}, "additionalProperties": False}
    found = violations(schema, {"a": "${x}", "c": 1}, holes=[("a",)])
    assert {v.kind for v in found} == {"missing", "unknown"}


def test_references_stay_inside_the_schema() -> None:
    schema: Json = {
        "properties": {"tree": {"$ref": "#/$defs/node"}},
        "$defs": {
            "node": {
                "type": "object",
                "properties": {"children": {"type": "array", "items": {"$ref": "#/$defs/node"}}},
                "additionalProperties": False,
            }
        },
    }
    assert schema_problems(schema) == []
    (violation,) = violations(schema, {"tree": {"children": [{"childen": []}]}})
    assert violation.message == "unknown key 'childen'; did you mean 'children'?"


def test_a_schema_that_is_none_is_refused_by_the_validator() -> None:
    with pytest.raises(ValueError, match="not a usable JSON Schema"):
        violations({"type": "text"}, 1)


def test_a_hostile_pattern_takes_no_time() -> None:
    assert violations({"pattern": "^(a+)+$"}, "a" * 50_000 + "b")


@pytest.mark.parametrize(
    ("schema", "value", "filled"),
    [
        ({"properties": {"a": {"default": 1}}}, {}, {"a": 1}),
        ({"properties": {"a": {"default": 1}}}, {"a": 2}, {"a": 2}),
        ({"properties": {"a": {"default": 1}}}, {"a": None}, {"a": None}),
        ({"properties": {"a": {"default": None}}}, {}, {"a": None}),
        ({"properties": {"a": {"properties": {"b": {"default": 1}}}}}, {}, {}),
        ({"properties": {"a": {"properties": {"b": {"default": 1}}}}}, {"a": {}}, {"a": {"b": 1}}),
        (
            {"properties": {"a": {"default": {}, "properties": {"b": {"default": 1}}}}},
            {},
            {"a": {"b": 1}},
        ),
        ({"items": {"properties": {"a": {"default": 1}}}}, [{}, {"a": 2}], [{"a": 1}, {"a": 2}]),
        ({"prefixItems": [{"properties": {"a": {"default": 1}}}]}, [{}, {}], [{"a": 1}, {}]),
        (
            {"additionalProperties": {"properties": {"a": {"default": 1}}}},
            {"x": {}},
            {"x": {"a": 1}},
        ),
        (
            {"$ref": "#/$defs/d", "$defs": {"d": {"properties": {"a": {"default": 1}}}}},
            {},
            {"a": 1},
        ),
        ({"allOf": [{"properties": {"a": {"default": 1}}}]}, {}, {"a": 1}),
        ({"anyOf": [{"properties": {"a": {"default": 1}}}]}, {}, {}),
        (
            {"properties": {"a": {"$ref": "#/$defs/d"}}, "$defs": {"d": {"default": 1}}},
            {},
            {"a": 1},
        ),
        (True, {"a": 1}, {"a": 1}),
        ({"properties": {"a": {"default": 1}}}, "text", "text"),
    ],
)
def test_defaults_are_filled_in_where_they_surely_count(
    schema: Json, value: Json, filled: Json
) -> None:
    assert fill_defaults(schema, value) == filled


def test_filling_in_changes_neither_the_value_nor_the_schema() -> None:
    schema: JsonObject = {"properties": {"a": {"default": []}, "b": {"default": {}}}}
    given: JsonObject = {"c": {}}
    filled = fill_defaults(schema, given)
    assert isinstance(filled, dict)
    cast("list[Json]", filled["a"]).append(1)
    assert given == {"c": {}}
    assert fill_defaults(schema, given) == {"c": {}, "a": [], "b": {}}


@pytest.mark.parametrize("names", [["a"], ["a", "b"]])
def test_defaults_that_contain_themselves_are_refused(names: list[str]) -> None:
    schema: JsonObject = {"properties": {name: {"$ref": "#", "default": {}} for name in names}}
    with pytest.raises(EndlessDefaults):
        fill_defaults(schema, {})
    assert [problem.code for problem in schema_problems(schema)] == ["FR216"]


def test_inclusions_that_double_at_each_step_are_no_trap() -> None:
    schema: JsonObject = {"allOf": [{"$ref": "#"}, {"$ref": "#"}, {"allOf": [{"$ref": "#"}]}]}
    assert fill_defaults(schema, {"a": 1}) == {"a": 1}


@pytest.mark.parametrize(
    ("schema", "path", "says"),
    [
        ({"type": "text"}, ("type",), "did you mean 'string'?"),
        ({"type": "int"}, ("type",), "did you mean 'integer'?"),
        ({"type": ["string", "nul"]}, ("type", 1), "did you mean 'null'?"),
        ({"properties": {"a": 5}}, ("properties", "a"), "expected a JSON Schema"),
        ({"properties": {"a": None}}, ("properties", "a"), "expected a JSON Schema"),
        ({"requird": ["a"]}, ("requird",), "did you mean 'required'?"),
        ({"name": {"type": "string"}}, ("name",), "it goes under 'properties'"),
        (
            {"properties": {"a": {"required": True}}},
            ("properties", "a", "required"),
            "stands beside `properties`",
        ),
        ({"format": "e-mail"}, ("format",), "did you mean 'email'?"),
        ({"format": "colour"}, ("format",), "nothing would be checked"),
        ({"pattern": "(?=a)b"}, ("pattern",), "no look-around"),
        ({"pattern": "("}, ("pattern",), "is not a regular expression"),
        ({"patternProperties": {"(": {}}}, ("patternProperties", "("), "not a regular expression"),
        ({"minimum": "1"}, ("minimum",), "expected a number, found the text '1'"),
        ({"minLength": -1}, ("minLength",), "expected a number of at least 0"),
        ({"items": [{"type": "string"}]}, ("items",), "expected a JSON Schema"),
        ({"enum": "a"}, ("enum",), "expected a list"),
        ({"$schema": "http://json-schema.org/draft-07/schema#"}, ("$schema",), "draft 2020-12"),
    ],
)
def test_a_schema_that_is_none_is_told_where(schema: Json, path: object, says: str) -> None:
    (problem,) = schema_problems(schema)
    assert (problem.code, problem.path) == ("FR214", path)
    assert says in problem.message


@pytest.mark.parametrize(
    "schema",
    [
        {"$ref": "https://example.com/a.json"},
        {"$ref": "a.json#/b"},
        {"$ref": "#name"},
        {"$ref": "https://json-schema.org/draft/2020-12/schema"},
        {"$ref": "#/$defs/missing"},
        {"$dynamicRef": "other"},
        {"properties": {"a": {"$id": "https://example.com/"}}},
    ],
)
def test_a_reference_out_of_the_schema_is_refused(schema: Json) -> None:
    assert [problem.code for problem in schema_problems(schema)] == ["FR215"]


def test_what_is_data_inside_a_schema_is_not_taken_for_schema() -> None:
    schema: Json = {
        "$id": "https://example.com/person.schema.json",
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "enum": [{"$ref": "https://example.com"}],
        "default": {"$ref": "https://example.com"},
        "examples": [{"type": "text"}],
        "properties": {"$ref": {"type": "string"}, "required": {"type": "boolean"}},
        "x-hint": "anything",
    }
    assert schema_problems(schema) == []


def test_all_problems_of_a_schema_are_told() -> None:
    schema: Json = {
        "properties": {"a": {"type": "text"}, "b": {"minimum": "x"}, "c": {"formt": "email"}},
        "required": "a",
    }
    assert {problem.path for problem in schema_problems(schema)} == {
        ("properties", "a", "type"),
        ("properties", "b", "minimum"),
        ("properties", "c", "formt"),
        ("required",),
    }


def test_a_default_is_checked_in_the_place_where_it_counts() -> None:
    schema: Json = {
        "properties": {"a/b": {"$ref": "#/$defs/x~0y", "default": {"n": "1"}}},
        "$defs": {"x~y": {"properties": {"n": {"type": "integer"}}}},
    }
    (problem,) = schema_problems(schema)
    assert (problem.code, problem.path) == ("FR216", ("properties", "a/b", "default", "n"))


def test_a_default_that_needs_other_defaults_to_fit_does_fit() -> None:
    inner: JsonObject = {"required": ["b"], "properties": {"b": {"default": 1}}, "default": {}}
    assert schema_problems({"properties": {"a": inner}}) == []


def test_the_input_of_a_flow_is_a_mapping() -> None:
    assert input_schema_problems({"type": "object"}) == []
    (problem,) = input_schema_problems({"type": "array", "items": {"type": "text"}})
    assert "always a mapping" in problem.message


def problems_of(schema: JsonObject | None, value: Json) -> list[tuple[str, str]]:
    _, problems = check_input(schema, value)
    return [(problem.code, problem.message) for problem in problems]


def test_input_that_fits_comes_back_with_its_defaults() -> None:
    filled, problems = check_input(ORDER, {"sku": "a", "address": {"zip": "1"}})
    assert problems == ()
    assert filled == {"sku": "a", "address": {"zip": "1", "country": "de"}, "amount": 1}


def test_no_input_is_an_empty_one() -> None:
    assert check_input(None, None) == ({}, ())
    assert check_input(None, {}) == ({}, ())
    assert check_input({"properties": {"a": {"default": 1}}}, None) == ({"a": 1}, ())
    assert problems_of(ORDER, None) == [("FR701", "input: 'sku' is missing: Which article")]


def test_a_flow_without_input_takes_none() -> None:
    ((code, message),) = problems_of(None, {"a": 1, "b": 2})
    assert code == "FR705"
    assert "'a' and 'b'" in message


@pytest.mark.parametrize("value", [[], "text", 5, False])
def test_input_is_a_mapping(value: Json) -> None:
    assert [code for code, _ in problems_of(ORDER, value)] == ["FR706"]
    assert [code for code, _ in problems_of(None, value)] == ["FR706"]


def test_problems_of_input_name_the_place_as_expressions_do() -> None:
    value: Json = {"sku": 5, "amount": 0, "address": {"zip": "1", "x y": 2}, "list": "x"}
    schema: JsonObject = {**ORDER, "additionalProperties": {"type": "integer"}}
    assert problems_of(schema, value) == [
        ("FR703", 'input.sku: expected text, found the number 5; write "5"'),
        ("FR704", "input.amount: expected a number of at least 1, found the number 0"),
        ("FR702", "input.address: unknown key 'x y'; the keys are zip and country"),
        ("FR703", "input.list: expected a whole number, found the text 'x'"),
    ]


def test_unknown_input_is_refused_with_what_was_meant() -> None:
    assert problems_of(ORDER, {"sku": "a", "ammount": 2}) == [
        ("FR702", "input: unknown input 'ammount'; did you mean 'amount'?")
    ]
    assert problems_of(ORDER, {"skuu": "a"}) == [
        ("FR702", "input: unknown input 'skuu'; did you mean 'sku'?")
    ]


def test_a_misspelt_name_does_not_take_the_place_of_one_that_is_given() -> None:
    ((_, message),) = problems_of(ORDER, {"sku": "a", "skuu": "b"})
    assert message.endswith("the flow takes sku, amount and address")


@pytest.mark.parametrize(
    "open_",
    [
        {"additionalProperties": True},
        {"additionalProperties": {"type": "integer"}},
        {"unevaluatedProperties": True},
        {"patternProperties": {"^x": {}}},
        {"allOf": [{"properties": {"extra": {}}}]},
        {"$ref": "#/$defs/d", "$defs": {"d": {"properties": {"extra": {}}}}},
        {"if": {"required": ["sku"]}, "then": {"properties": {"extra": {}}}},
    ],
)
def test_what_a_schema_lets_in_is_let_in(open_: JsonObject) -> None:
    assert problems_of({**ORDER, **open_}, {"sku": "a", "extra": 1}) == []


def test_names_in_a_nested_schema_are_not_names_of_inputs() -> None:
    assert [code for code, _ in problems_of(ORDER, {"sku": "a", "zip": 1})] == ["FR702"]


def test_an_input_that_is_kept_elsewhere_has_to_be_checked_by_a_worker() -> None:
    kept = cast(Json, Opaque())
    for value in (kept, {"sku": kept}, {"sku": "a", "address": [kept]}):
        with pytest.raises(NeedsWorker):
            check_input(ORDER, cast(Json, value))


def test_paths_are_written_as_expressions_spell_them() -> None:
    assert dotted(("input", "a", 0, "b c", "d")) == "input.a[0]['b c'].d"


def test_a_bare_number_where_a_duration_belongs_is_told_to_take_a_unit() -> None:
    schema: Json = {"properties": {"for": {"type": "string", "format": "duration-text"}}}
    found = violations(schema, {"for": 10})[0]
    assert found.message == (
        "expected a duration such as 30s, 5m or 3d, found the number 10; write 10s"
    )


@pytest.mark.parametrize(
    "schema",
    [
        {"required": ["a"], "additionalProperties": True},
        {"required": ["a"], "patternProperties": {"^a": {}}},
        {"required": ["a"], "allOf": [{"properties": {"a": {}}}]},
        {"required": ["a"], "properties": {"a": {}}},
    ],
)
def test_a_required_name_that_a_run_may_give_is_no_problem(schema: JsonObject) -> None:
    assert input_schema_problems(schema) == []


def _nested(depth: int) -> Json:
    value: Json = 0
    for _ in range(depth):
        value = [value]
    return value


@pytest.mark.parametrize(
    ("value", "word"),
    [("\ud800", "half a character"), (_nested(300), "deep")],
)
def test_a_value_that_no_schema_can_be_asked_about_is_told_so(value: Json, word: str) -> None:
    (violation,) = violations({"type": "object"}, value)
    assert word in violation.message
