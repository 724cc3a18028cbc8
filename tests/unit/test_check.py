"""The whole check: everything at once, each mistake once."""

from __future__ import annotations

from time import process_time

import pytest

from activities.catalogue import catalogue
from flowspec.check import check
from tests.unit.checking import checked, codes

BROKEN = """\
flow: hello
tittle: Hello
input: {properties: {name: {type: string}}}
nodes:
  a: {type: noop, next: bb, timeout: 5}
  b: {type: htp.request}
  c: {titel: x, type: log, params: {mesage: "${input.nme}"}}
  d: {type: noop, title: "${nodes.e.output} ${1 +}"}
  e: 5
output: ${vars.x}
"""


def test_a_mistake_in_the_shape_hides_no_other_mistake() -> None:
    assert codes(BROKEN) == [
        "FR201 2:1",
        "FR301 5:25",
        "FR207 5:38",
        "FR501 6:13",
        "FR201 7:7",
        "FR502 7:37",
        "FR404 7:48",
        "FR401 8:50",
        "FR203 9:6",
        "FR406 10:11",
    ]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        # what a cut-out part would have declared is not called unknown
        ("input: 5\nnodes: {a: {type: noop, title: '${input.x}'}}", ["FR203"]),
        ("vars: [x]\nnodes: {a: {type: set, params: {x: '${vars.y}'}}}", ["FR203"]),
        ("secrets: T\nnodes: {a: {type: noop, when: secrets.T}}", ["FR203", "FR602"]),
        ("nodes: {a: {type: noop, next: {to: b, n: 1}}, b: {type: noop, next: a}}", ["FR201"]),
        ("nodes: {a: {type: noop, foreach: 5, title: '${item} ${url}'}}", ["FR203"]),
        ("nodes: {a: {type: 5, params: {x: 1}, next: {maybe: b}}, b: {type: noop}}", ["FR203"]),
        ("nodes: {a: {next: {maybe: b}}, b: {type: noop}}", ["FR202"]),
        ("nodes: {a: {type: noop, timeout: 1}}\nedges: [a -> b]", ["FR207", "FR301"]),
        ("nodes: {a: {type: noop}}\nedges: 5\noutput: '${nodes.a.otput}'", ["FR203", "FR408"]),
        ("nodes: {a: {type: noop}, a: {type: noop}}\noutput: '${nodes.b.output}'", None),
        ("inptu: {}\nnodes: {a: {type: noop, title: '${input.x}'}}", ["FR201"]),
        ("nodes: {a: {type: log, parms: {message: x}}}", ["FR201"]),
        (
            "nodes: {a: {type: noop, nxt: b}, b: {type: noop, title: '${nodes.a.output}'}}",
            ["FR201"],
        ),
        ("nodes: {a: {type: noop, forech: [1], title: '${item}'}}", ["FR201"]),
        ("nodes: 5", ["FR203"]),
        ("secrets: [A, A]\nnodes: {a: {type: noop}}", ["FR213"]),
    ],
)
def test_one_mistake_is_one_problem(text: str, found: list[str] | None) -> None:
    given = sorted(code.split()[0] for code in codes(f"flow: hello\n{text}\n"))
    assert given == (found if found is not None else ["FR105", "FR407"])


def test_without_a_name_the_rest_is_checked() -> None:
    assert codes("nodes: {a: {type: noo}}") == ["FR202 1:1", "FR501 1:19"]


@pytest.mark.parametrize("text", ["", "5", "[]", "a: b: c", "flow: [", "\x00"])
def test_what_is_no_flow_has_problems_and_no_plan(text: str) -> None:
    found = check(text, catalogue())
    assert found.problems
    assert found.plan is None


@pytest.mark.parametrize(
    ("file", "warned"),
    [
        ("hello.yaml", False),
        ("flows/hello.yml", False),
        ("C:\\flows\\hello.yaml", False),
        ("-", False),
        (None, False),
        ("order.yaml", True),
        ("hello/order.yml", True),
    ],
)
def test_a_file_is_called_as_its_flow(file: str | None, warned: bool) -> None:
    found = check("flow: hello\nnodes: {a: {type: noop}}", catalogue(), file_name=file)
    assert [(p.code, p.severity) for p in found.problems] == [("FR314", "warning")] * warned
    assert found.plan is not None


def test_an_error_keeps_a_flow_from_being_planned_but_not_from_being_read() -> None:
    found = checked("flow: hello\nnodes: {a: {type: noop, next: b}}")
    assert found.plan is None
    assert found.flow is not None
    assert found.flow.name == "hello"


def test_a_thousand_nodes_are_checked_in_two_seconds() -> None:
    lines = ["flow: large", "nodes:"]
    for number in range(1000):
        layer = number // 10
        targets = [f"n{place}" for place in range(layer * 10 + 10, layer * 10 + 20) if place < 1000]
        read = f"${{nodes.n{layer * 10 - 10}.output.message}}" if layer else "first"
        lines.append(f"  n{number}: {{type: log, params: {{message: '{read}'}}, next: {targets}}}")
    began = process_time()
    found = check("\n".join(lines), catalogue())
    assert process_time() - began < 2
    assert found.problems == ()
    assert found.plan is not None
