from __future__ import annotations

import pytest

from flowspec.drawing import dot, mermaid
from flowspec.plan import EdgePlan, GraphPlan, NodePlan, Plan, RepeatPlan


def node(id_: str, type_: str = "noop", **fields: object) -> NodePlan:
    return NodePlan(id=id_, type=type_, tier="inline", params={}, **fields)  # type: ignore[arg-type]


def plan(*nodes: NodePlan, edges: tuple[EdgePlan, ...] = ()) -> Plan:
    graph = GraphPlan(nodes=nodes, edges=edges, starts=(nodes[0].id,))
    return Plan(flow="demo", vars={}, labels={}, graph=graph)


BLOCK = plan(
    node("a"),
    node(
        "each",
        "block",
        graph=GraphPlan(
            nodes=(node("in1"), node("in2")),
            edges=(EdgePlan(source="in1", target="in2"),),
            starts=("in1",),
        ),
    ),
    node("z"),
    edges=(EdgePlan(source="a", target="each"), EdgePlan(source="each", target="z")),
)


def test_mermaid_shows_nodes_edges_and_what_the_edges_ask_for() -> None:
    drawn = mermaid(
        plan(
            node("get", "http.request", title="Get it"),
            node("end", join="any"),
            edges=(
                EdgePlan(source="get", target="end"),
                EdgePlan(source="get", target="end", on=("failure", "timeout")),
                EdgePlan(source="end", target="get", when="${vars.n < 3}", back=True),
                EdgePlan(source="get", target="end", on=("skipped",), otherwise=True),
            ),
        )
    )
    assert drawn == (
        "flowchart TD\n"
        '  n0["Get it<br/>get · http.request"]\n'
        '  n1["end<br/>noop · join any"]\n'
        "  n0 --> n1\n"
        '  n0 -->|"failure or timeout"| n1\n'
        '  n1 ==>|"back, when vars.n #60; 3"| n0\n'
        '  n0 -->|"skipped, otherwise"| n1\n'
    )


def test_mermaid_draws_a_block_as_a_subgraph_with_edges_to_it() -> None:
    assert mermaid(BLOCK) == (
        "flowchart TD\n"
        '  n0["a<br/>noop"]\n'
        '  subgraph n1["each<br/>block"]\n'
        '    n2["in1<br/>noop"]\n'
        '    n3["in2<br/>noop"]\n'
        "    n2 --> n3\n"
        "  end\n"
        '  n4["z<br/>noop"]\n'
        "  n0 --> n1\n"
        "  n1 --> n4\n"
    )


def test_dot_draws_a_block_as_a_cluster_and_ends_edges_at_its_border() -> None:
    drawn = dot(BLOCK)
    assert "subgraph cluster_n1 {" in drawn
    assert "n0 -> n2 [lhead=cluster_n1];" in drawn
    assert "n2 -> n4 [ltail=cluster_n1];" in drawn


def test_undo_is_a_dotted_arrow() -> None:
    undone = plan(node("a", undo="b"), node("b"))
    assert '  n0 -.->|"undo"| n1\n' in mermaid(undone)
    assert '  n0 -> n1 [label="undo", style=dotted];\n' in dot(undone)


@pytest.mark.parametrize(
    "hostile",
    ['"]; click n0 "javascript:x"', "<script>", "`x`", "a#quot;b", "a\nend", "${x}", "a\\"],
)
def test_no_text_of_the_flow_reaches_mermaid_as_markup(hostile: str) -> None:
    (line,) = [x for x in mermaid(plan(node("a", title=hostile))).splitlines() if "n0" in x]
    label = line.removeprefix('  n0["').removesuffix('<br/>a · noop"]')
    for mark in '"<>[]{}`$\\&':
        assert mark not in label
    assert "end" not in mermaid(plan(node("a", title=hostile))).splitlines()
    assert label.count("#") == label.count(";")


def test_dot_escapes_quotes_backslashes_and_entities() -> None:
    drawn = dot(plan(node("a", title='say "hi" \\N &lt;')))
    assert r'[label="say \"hi\" \\N &amp;lt;\na · noop"];' in drawn


def test_long_conditions_are_cut() -> None:
    condition = "input.x == '" + "y" * 200 + "'"
    drawn = mermaid(plan(node("a", when=condition)))
    assert "…" in drawn
    assert len(max(drawn.splitlines(), key=len)) < 200


def test_a_repeated_node_and_a_constant_condition_are_marked() -> None:
    repeat = RepeatPlan(condition=True, until=True)
    assert "noop · when false · repeat" in mermaid(plan(node("a", when=False, repeat=repeat)))
