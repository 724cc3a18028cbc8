"""Flows, expressions and plans that were written to do harm."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from activities.catalogue import catalogue
from flowspec.check import check
from flowspec.codes import CODES
from flowspec.expressions import ExpressionError, compile_expression, compile_template
from flowspec.machine import Machine, Program
from flowspec.plan import Plan, PlanInvalid, dump_plan, load_plan
from flowspec.values import Json
from tests.applications import EXAMPLES
from tests.fuzz.hostile import changed_json, changed_text, json_values
from tests.patterns.page import patterns

FLOWS = [path.read_text(encoding="utf-8") for path in sorted(EXAMPLES.glob("*.yaml"))]
FLOWS += [text for pattern in patterns() for text in pattern.flows]
FLOWS += [entry.example for entry in CODES.values() if len(entry.example) < 5_000]
YAML = [
    "\n",
    "  ",
    ": ",
    "- ",
    "{",
    "}",
    "[",
    "]",
    ",",
    "'",
    '"',
    "|",
    ">",
    "&a ",
    "*a",
    "!t ",
    "#",
]
YAML += [
    "---\n",
    "<<: ",
    "? ",
    "null",
    "${",
    "}",
    "nodes:",
    "next: ",
    "foreach: ",
    "type: ",
    "\ud800",
]
PLANS = [dump_plan(plan) for plan in (check(text, catalogue()).plan for text in FLOWS) if plan]

EXPRESSIONS = [
    "input.a.b[0] + 1",
    "[x.a for x in input.list if x.a > 2 and not x.b]",
    "{k.name: k.value for k in entries(input.object)}",
    "default(input.x, 'none') if has(input.y) else upper(input.z)",
    "replace(input.text, '(a+)+$', 'b') == format_date(run.started, '%Y')",
    "jmes('a[?b > `1`].c | [0]', input) or range(10)[2:5]",
    "sort(input.list, 'a')[-1] in unique(input.list)",
    "sum([1, 2.5]) * 3 // 2 % 7 - -1",
    "join(split(input.text, ','), '-') + base64(input.text)",
]
TOKENS = [
    *"()[]{},:.+-*/%<>=!'\"\\",
    "==",
    " and ",
    " or ",
    " not ",
    " in ",
    " if ",
    " else ",
    " for x in ",
]
TOKENS += [
    "input",
    "range(100000)",
    "upper(",
    "9" * 30,
    "__class__",
    "lambda: ",
    "${",
    "1e308",
    "\ud800",
]
TOKENS += ["* 99999", "[0]", ".a", "split(", "match('(x+)*', ", "now()", "'\\u0000'", "(((((("]
SCOPE: dict[str, Any] = {
    "input": {
        "a": {"b": [1, 2]},
        "list": [{"a": n, "b": n % 2} for n in range(50)],
        "object": {"a": 1, "b": [2]},
        "text": "a,b" * 200,
        "x": None,
        "z": "é",
    },
    "run": {"started": "2030-03-17T17:46:40.000Z"},
    "nodes": {},
    "vars": {},
}


@settings(max_examples=60)
@given(changed_text(FLOWS, YAML))
def test_a_document_is_planned_or_refused_with_places(text: str) -> None:
    checked = check(text, catalogue())
    assert (checked.plan is None) == bool([p for p in checked.problems if p.severity == "error"])
    for problem in checked.problems:
        assert problem.line is None or problem.line >= 1
    if checked.plan is not None:
        assert load_plan(dump_plan(checked.plan)).hash == checked.plan.hash


@settings(max_examples=150)
@given(changed_text(EXPRESSIONS, TOKENS))
def test_an_expression_gives_json_within_its_budget_or_an_ordinary_error(text: str) -> None:
    with suppress(ExpressionError):
        value = compile_expression(text).evaluate(SCOPE)
        assert len(json.dumps(value)) < 100_000_000
    with suppress(ExpressionError):
        compile_template({"a": [text, f"x ${{{text}}}"]}).evaluate(SCOPE)


@settings(max_examples=60)
@given(changed_json(PLANS), json_values(["a", "text"]))
def test_a_plan_from_elsewhere_is_refused_or_takes_a_bounded_step(told: Json, given: Json) -> None:
    """Whoever can start runs in the namespace can hand one to a run that goes on."""
    with suppress(PlanInvalid):
        _advance(load_plan(told), given)


def _advance(plan: Plan, given: Json) -> None:
    """What a plan that no checker made can at worst do is end its own run, as a bug of ours: an
    exception, in no time and with no memory to speak of."""
    run: Any = {"id": "r", "workflow_id": "w", "flow": plan.flow, "version": "1", "started": "x"}
    with suppress(Exception):
        machine = Machine.start(Program(plan), run=run, input=given, now=1_900_000_000.0)
        for _ in range(20):
            machine.advance(1_900_000_000.0)
            machine.take()
            json.dumps(machine.status(10))


@settings(max_examples=60)
@given(st.sampled_from(PLANS), json_values(["a", "items", "text", "n"]))
def test_no_input_stops_the_machine_of_a_checked_flow(told: Json, given: Json) -> None:
    plan = load_plan(told)
    run: Any = {"id": "r", "workflow_id": "w", "flow": plan.flow, "version": "1", "started": "x"}
    machine = Machine.start(Program(plan), run=run, input=given, now=1_900_000_000.0)
    for _ in range(20):
        machine.advance(1_900_000_000.0)
        machine.take()
