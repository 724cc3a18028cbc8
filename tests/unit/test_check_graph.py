"""Edges, joins, loops, undo: what is wrong is found, at its place and once."""

from __future__ import annotations

import pytest

from tests.unit.checking import checked, codes, messages


def test_edges_to_nowhere_are_found_wherever_they_are_written() -> None:
    assert codes("""\
        flow: hello
        nodes:
          a: {type: noop, next: [b, x1, {to: x2}, {to: x3, on: failure}]}
          b: {type: noop, next: {success: x4, failure: [x5]}}
        edges:
          - a -> b -> x6
          - {from: x7, to: b, on: failure}
          - x8 -> b
        """) == [
        "FR301 3:29",
        "FR301 3:38",
        "FR301 3:48",
        "FR301 4:35",
        "FR301 4:49",
        "FR303 6:10",
        "FR301 6:15",
        "FR302 7:12",
        "FR302 8:5",
    ]


def test_a_misspelt_target_makes_no_other_problem() -> None:
    assert messages("""
        flow: hello
        nodes:
          a: {type: noop, next: bb}
          b: {type: noop, title: "${nodes.a.output}"}
        """) == ["there is no node 'bb'; did you mean 'b'?"]


@pytest.mark.parametrize(
    "nodes",
    [
        # each would be unreachable, endless, pointless or impossible without the misspelt edge
        "{s: {type: noop, next: aa}, a: {type: noop, next: b}, b: {type: noop, next: a}}",
        "{a: {type: noop, next: c}, b: {type: noop, next: cc}, c: {type: noop, join: 2}}",
        "{a: {type: noop, next: [{to: bb, when: true}, {to: c, otherwise: true}]}, "
        "c: {type: noop}}",
        "{s: {type: noop, next: aa}, a: {type: noop, next: [{to: b}]}, "
        "b: {type: noop, next: [{to: a, limit: 3}]}}",
    ],
)
def test_what_only_follows_from_a_misspelt_target_is_not_told(nodes: str) -> None:
    assert [code.split()[0] for code in codes(f"flow: hello\nnodes: {nodes}")] == ["FR301"]


@pytest.mark.parametrize(
    ("edges", "count"),
    [
        ("[{from: a, to: b, on: success}, {from: a, to: b, on: failure}]", 0),
        ("[{from: a, to: b}, {from: a, to: b, on: [failure, success]}]", 1),
        ("[{from: a, to: b, when: vars.x}, {from: a, to: b}]", 1),
        ("[a -> b, a -> b]", 1),
    ],
)
def test_two_edges_between_two_nodes_differ_in_their_outcomes(edges: str, count: int) -> None:
    found = codes(f"""
        flow: hello
        vars: {{x: true}}
        nodes:
          a: {{type: noop}}
          b: {{type: noop}}
        edges: {edges}
        """)
    assert [code.split()[0] for code in found] == ["FR303"] * count


def test_edges_stay_within_one_graph() -> None:
    assert messages("""
        flow: hello
        nodes:
          a: {type: noop, next: x}
          b:
            type: block
            nodes:
              x: {type: noop, next: a}
        """) == [
        "the node 'x' is inside the block 'b', and this edge is not; lead the edge to 'b'",
        "the node 'a' is outside the block 'b', and this edge is inside; lead an edge there "
        "from 'b'",
    ]


def test_one_circle_is_one_problem_with_all_that_hangs_on_it() -> None:
    assert messages("""
        flow: hello
        nodes:
          start: {type: noop}
          after: {type: noop}
          a: {type: noop, next: [b, after]}
          b: {type: noop, next: a}
          c: {type: noop, next: d}
          d: {type: noop, next: c}
        """) == [
        "no path leads to 'a' from a node that starts: it waits in a circle for itself (and with "
        "it 'after' and 'b'); lead an edge to it from a node that runs",
        "no path leads to 'c' from a node that starts: it waits in a circle for itself (and with "
        "it 'd'); lead an edge to it from a node that runs",
    ]


def test_a_flow_may_begin_with_a_loop_and_a_loop_may_be_in_a_loop() -> None:
    assert (
        messages("""
        flow: hello
        vars: {n: 0}
        nodes:
          a: {type: noop, next: b}
          b: {type: noop, next: [{to: b, when: vars.n < 2}, {to: c, otherwise: true}]}
          c: {type: noop, next: [{to: a, when: vars.n < 9, limit: unlimited}]}
        """)
        == []
    )


def test_a_loop_with_two_entries_names_them() -> None:
    assert messages("""
        flow: hello
        nodes:
          s: {type: noop, next: [a, c]}
          a: {type: noop, next: b}
          b: {type: noop, next: c}
          c: {type: noop, next: a}
        """) == [
        "the loop of a, b and c can be entered at a and c; let all edges from outside lead to "
        "one of them"
    ]


@pytest.mark.parametrize(
    ("join", "on", "problem"),
    [
        ("2", "success", None),
        ("any", "success", None),
        ("3", "success", "'c' waits for 3 edges, but at most 2 edges can be taken to it"),
        ("2", "failure", None),
        ("3", "failure", "'c' waits for 3 edges, but at most 2 edges can be taken to it"),
        ("3", "always", None),
    ],
)
def test_a_join_asks_for_no_more_edges_than_can_be_taken(
    join: str, on: str, problem: str | None
) -> None:
    extra = f", {{to: c, on: {on}}}" if on != "success" else ""
    found = messages(f"""
        flow: hello
        nodes:
          a: {{type: noop, next: [c{extra}]}}
          b: {{type: noop, next: c}}
          c: {{type: noop, join: {join}}}
        """)
    assert found == ([] if problem is None else [problem])


def test_edges_that_close_a_loop_do_not_count_for_a_join() -> None:
    assert messages("""
        flow: hello
        nodes:
          a: {type: noop, next: b}
          b: {type: noop, join: 2, next: c}
          c: {type: noop, next: [{to: b, when: false}]}
        """) == ["'b' waits for 2 edges, but at most 1 edge can be taken to it"]


@pytest.mark.parametrize(
    ("sibling", "is_wrong"),
    [
        ("{to: c, when: vars.x}", False),
        ("{to: c, when: vars.x, on: always}", False),
        ("{to: c, when: vars.x, on: failure}", True),
        ("{to: c}", True),
    ],
)
def test_otherwise_needs_a_condition_beside_it(sibling: str, is_wrong: bool) -> None:
    found = codes(f"""\
        flow: hello
        vars: {{x: true}}
        nodes:
          a: {{type: noop, next: [{{to: b, otherwise: true}}, {sibling}]}}
          b: {{type: noop}}
          c: {{type: noop}}
        """)
    assert found == (["FR309 4:34"] if is_wrong else [])


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (
            "{type: approval, params: {actions: [yes, no]}, next: {approved: z}}",
            "'a' never ends with 'approved': approval gives yes and no",
        ),
        (
            "{type: noop, next: {succes: z}}",
            "'a' never ends with 'succes': noop gives no actions; did you mean 'success'?",
        ),
        (
            "{type: noop, next: [{to: z, on: [failure, done]}]}",
            "'a' never ends with 'done': noop gives no actions",
        ),
        ("{type: return, next: z}", "nothing comes after 'a': return ends its graph; remove it"),
        (
            "{type: fail, params: {message: x}, next: z}",
            "'a' never succeeds: fail only fails; write `on: failure`",
        ),
    ],
)
def test_an_edge_waits_only_for_what_its_node_gives(source: str, message: str) -> None:
    (found,) = messages(f"""
        flow: hello
        nodes:
          a: {source}
          z: {{type: noop}}
        """)
    assert found.startswith(message.removesuffix(" remove it"))


def test_an_action_that_is_misspelt_makes_no_other_problem() -> None:
    assert messages("""
        flow: hello
        nodes:
          a: {type: approval, next: {aproved: b, rejected: c}}
          b: {type: noop, next: d}
          c: {type: noop, next: d}
          d: {type: noop}
        output: ${nodes.d.output}
        """) == [
        "'a' never ends with 'aproved': approval gives approved and rejected; did you mean "
        "'approved'?"
    ]


def test_actions_that_only_a_run_knows_are_not_judged() -> None:
    assert (
        messages("""
        flow: hello
        input: {required: [choices], properties: {choices: {type: array}}}
        nodes:
          a: {type: approval, params: {actions: "${input.choices}"}, next: {whatever: z}}
          z: {type: noop}
        """)
        == []
    )


@pytest.mark.parametrize(
    ("nodes", "message"),
    [
        ("{a: {type: noop, undo: a}}", "'a' cannot undo 'a': it is the same node"),
        (
            "{a: {type: noop, undo: u}, u: {type: noop, undo: v}, v: {type: noop}}",
            "'u' cannot undo 'a': it has an undo itself; use a block for several steps",
        ),
        (
            "{a: {type: noop, undo: u}, b: {type: block, nodes: {u: {type: noop}}}}",
            "'u' cannot undo 'a': it is in another graph; move it beside the node it undoes",
        ),
        (
            "{a: {type: noop, undo: u}, u: {type: noop, next: z}, z: {type: noop}}",
            "'u' cannot undo 'a': it has edges; an undo runs by itself when the run fails",
        ),
        ("{a: {type: noop, undo: uu}, b: {type: noop}}", "there is no node 'uu'"),
    ],
)
def test_an_undo_is_a_node_apart(nodes: str, message: str) -> None:
    assert messages(f"flow: hello\nnodes: {nodes}") == [message]


def test_one_node_may_undo_several() -> None:
    found = checked("""
        flow: hello
        nodes:
          a: {type: noop, undo: u, next: b}
          b: {type: noop, undo: u}
          u: {type: noop, title: "${default(nodes.b.output, 1)}"}
        """)
    assert found.problems == ()
    assert found.plan is not None
    assert found.plan.graph.starts == ("a",)
