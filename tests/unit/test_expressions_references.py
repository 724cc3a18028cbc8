"""What an expression is seen to read, and the scope that is enough for it."""

from __future__ import annotations

from typing import Any

import pytest

from flowspec.expressions import (
    FUNCTIONS,
    compile_condition,
    compile_expression,
    compile_template,
    scope_for,
    unknown_names,
)
from flowspec.expressions.values import Value
from flowspec.values import Opaque


def paths(source: str) -> list[tuple[str | int, ...]]:
    return [reference.path for reference in compile_expression(source).references]


def unguarded(source: str) -> list[str]:
    references = compile_expression(source).references
    return [".".join(map(str, r.path)) for r in references if not r.guarded]


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("1", []),
        ("input.a.b", [("input", "a", "b")]),
        ("nodes['a'].output[0].x", [("nodes", "a", "output", 0, "x")]),
        ("nodes.a.output[-1]", [("nodes", "a", "output", -1)]),
        ("input.a[input.k].b", [("input", "a"), ("input", "k")]),
        ("input.a[1:vars.n].b", [("input", "a"), ("vars", "n")]),
        ("nodes[vars.n]", [("nodes",), ("vars", "n")]),
        ("[x.a + item.b for x in input.l if x.c]", [("item", "b"), ("input", "l")]),
        ("[item.a for item in input.l]", [("input", "l")]),
        ("[y for x in input.l for y in x.m]", [("input", "l")]),
        ("[[item for item in [1]], item.z]", [("item", "z")]),
        ("{input.k: input.v}", [("input", "k"), ("input", "v")]),
        ("input.class.größe", [("input", "class", "größe")]),
        ("has(input.a)", [("input", "a")]),
        ("jmes('x.y', nodes.a.output)", [("nodes", "a", "output")]),
    ],
)
def test_reads(source: str, expected: list[tuple[str | int, ...]]) -> None:
    assert paths(source) == expected


def test_reference_says_where_it_stands() -> None:
    [first, second] = compile_expression("  input.a + nodes['b'].output[0]").references
    assert (first.offset, first.length) == (2, 7)
    assert (second.offset, second.length) == (12, 20)


@pytest.mark.parametrize(
    "source",
    [
        "has(nodes.a.output)",
        "default(nodes.a.output.x, 1)",
        "default(upper(nodes.a.output.x), 1)",
        "default(nodes.a.output, nodes.b.output, 1)",
        "get(nodes.a.output, 'x', 1)",
        "nodes.a.output.x if has(nodes.a.output) else 1",
        "nodes.a.output if has(nodes.a.output.x) else 1",
        "1 if not has(nodes.a.output) else nodes.a.output",
        "has(nodes.a.output) and nodes.a.output.x > 1",
        "not has(nodes.a.output) or nodes.a.output.x > 1",
        "has(nodes.a.output) and has(vars.x) and nodes.a.output == vars.x",
        "nodes.a.output if has(nodes.a.output) and has(vars.x) else 1",
        "1 if not has(nodes.a.output) or not has(vars.x) else nodes.a.output + vars.x",
        "[nodes.a.output for x in [1] if has(nodes.a.output)]",
        "(nodes.a.output if has(nodes.a.output) else 1) if true else 2",
    ],
)
def test_provided_for(source: str) -> None:
    assert unguarded(source) == []


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("nodes.a.output", ["nodes.a.output"]),
        ("default(1, nodes.a.output)", ["nodes.a.output"]),
        ("default(nodes.a.output, nodes.b.output)", ["nodes.b.output"]),
        ("get(nodes.a.output, 'x')", ["nodes.a.output"]),
        ("get(nodes.a.output, 'x', nodes.b.output)", ["nodes.b.output"]),
        ("1 if has(nodes.a.output) else nodes.a.output", ["nodes.a.output"]),
        ("nodes.a.output if has(nodes.b.output) else 1", ["nodes.a.output"]),
        ("nodes.a.output if has(nodes.a) else 1", ["nodes.a.output"]),
        ("nodes.a.output > 1 and has(nodes.a.output)", ["nodes.a.output"]),
        ("has(nodes.a.output) or nodes.a.output > 1", ["nodes.a.output"]),
        ("nodes.a.output if has(nodes.a.output) or true else 1", ["nodes.a.output"]),
        (
            "nodes.a.output if nodes.a.outcome == 'success' else nodes.a.error",
            ["nodes.a.outcome", "nodes.a.error"],
        ),
        (
            "nodes.a.error.type if nodes.a.outcome == 'failure' else 1",
            ["nodes.a.outcome"],
        ),
        ("1 if 'success' != nodes.a.outcome else nodes.a.output.x", ["nodes.a.outcome"]),
        (
            "nodes.a.output if nodes.a.outcome == 'skipped' else 1",
            ["nodes.a.output", "nodes.a.outcome"],
        ),
        (
            "nodes.b.output if nodes.a.outcome == 'success' else 1",
            ["nodes.b.output", "nodes.a.outcome"],
        ),
    ],
)
def test_not_provided_for(source: str, expected: list[str]) -> None:
    assert unguarded(source) == expected


def test_template_reference_says_in_which_text_it_stands() -> None:
    template = compile_template({"a": [1, "x ${input.a}"], "b": "${vars.b}${vars.c}"})
    assert [(r.path, r.at, r.offset) for r in template.references] == [
        (("input", "a"), ("a", 1), 4),
        (("vars", "b"), ("b",), 2),
        (("vars", "c"), ("b",), 11),
    ]
    assert template.references_at(["/b"]) == template.references[1:]


def test_condition_reference_counts_from_the_beginning_of_its_text() -> None:
    [reference] = compile_condition("${ input.a == 1 }").references
    assert reference.offset == 3


def test_unknown_names_are_found_with_a_suggestion() -> None:
    references = compile_expression("imput.a + upper + photo.b + input.c").references
    found = unknown_names(references, {"input", "photo"})
    assert [(r.path[0], e.offset) for r, e in found] == [("imput", 0), ("upper", 10)]
    assert str(found[0][1]) == (
        "there is no name 'imput' here (names: input, photo); did you mean 'input'?"
    )
    assert str(found[1][1]) == f"'upper' is a function; call it: {FUNCTIONS['upper'].signature}"


OPAQUE: Any = Opaque()
SCOPE: dict[str, Value] = {
    "input": {"a": {"b": 1, "c": 2}, "l": [{"x": 1}, {"x": 2}], "n": None},
    "vars": {"v": 1},
    "nodes": {
        "n": {"output": OPAQUE, "outcome": "success"},
        "m": {"output": 1},
        "s": {"outcome": "skipped"},
    },
}


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("1", {}),
        ("input.a.b", {"input": {"a": {"b": 1}}}),
        ("input.a.b + input.a.c", {"input": {"a": {"b": 1, "c": 2}}}),
        ("[input.a, input.a.b]", {"input": {"a": {"b": 1, "c": 2}}}),
        ("[input.a.b, input.a]", {"input": {"a": {"b": 1, "c": 2}}}),
        ("input.l[1].x", {"input": {"l": [{"x": 1}, {"x": 2}]}}),
        ("has(input.z.y)", {"input": {}}),
        ("has(other.z)", {}),
        ("default(input.n.y, 1)", {"input": {"n": None}}),
        ("keys(vars)", {"vars": {"v": 1}}),
        ("nodes.n.outcome", {"nodes": {"n": {"outcome": "success"}}}),
    ],
)
def test_scope_for_references_is_the_least(source: str, expected: dict[str, Value]) -> None:
    expression = compile_expression(source)
    least = scope_for(expression.references, SCOPE)
    assert least == expected
    assert expression.evaluate(least) == expression.evaluate(SCOPE)


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("input.z + input.n", {"input": {"a": None, "l": None, "n": None}}),
        ("input.a.z", {"input": {"a": {"b": None, "c": None}}}),
        ("nodes.m.output.x", {"nodes": {"m": {"output": 1}}}),
        ("nodes.s.output.x", {"nodes": {"s": {"outcome": "skipped"}}}),
        ("nodes.n.output.x", {"nodes": {"n": {"output": OPAQUE}}}),
    ],
)
def test_where_something_is_missing_the_names_beside_it_are_kept(
    source: str, expected: dict[str, Value]
) -> None:
    references = compile_expression(source).references
    assert scope_for(references, SCOPE) == expected


def test_scope_for_takes_opaque_values_whole() -> None:
    references = compile_expression("nodes.n.output.x.y").references
    least = scope_for(references, SCOPE)
    assert least == {"nodes": {"n": {"output": OPAQUE}}}
