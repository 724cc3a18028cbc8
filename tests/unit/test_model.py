"""The shape of a flow document: what it may say, and what is said about the rest."""

from __future__ import annotations

import textwrap

import pytest

from flowspec.expressions import CONTEXT_NAMES
from flowspec.model import Cache, Edge, Flow, Graph, Node, Retry, Tolerance, parse_flow
from flowspec.names import CONTEXTS
from flowspec.problems import Path, Problem


def flow_of(text: str) -> Flow:
    parsed = parse_flow(textwrap.dedent(text))
    assert parsed.problems == ()
    assert parsed.flow is not None
    return parsed.flow


def node_of(keys: str) -> Node:
    return flow_of(f"flow: f\nnodes: {{a: {{type: noop, {keys}}}}}").nodes["a"]


def block_of(node: Node) -> Graph:
    assert node.graph is not None
    return node.graph


def problems_of(text: str) -> tuple[Problem, ...]:
    return parse_flow(textwrap.dedent(text)).problems


def in_node(keys: str) -> Problem:
    (problem,) = problems_of(f"flow: f\nnodes: {{a: {{type: noop, {keys}}}}}")
    return problem


def at_top(keys: str) -> Problem:
    (problem,) = problems_of(f"flow: f\nnodes: {{a: {{type: noop}}}}\n{keys}")
    return problem


def told(text: str) -> list[tuple[str, Path]]:
    return [(problem.code, problem.path) for problem in problems_of(text)]


def test_the_least_flow_has_a_name_and_a_node() -> None:
    flow = flow_of("flow: f\nnodes: {a: {type: noop}}")
    assert (flow.name, list(flow.nodes), flow.edges) == ("f", ["a"], ())
    assert (flow.input, flow.secrets, flow.vars, flow.labels) == (None, (), {}, {})
    assert (flow.timeout, flow.on_failure.running, flow.output) == (None, "cancel", None)


def test_every_key_of_a_flow_is_read() -> None:
    flow = flow_of("""
        flow: every-key_1
        description: All of them
        input: {required: [a], properties: {a: {type: string}}}
        secrets: [TOKEN, TOKEN_2]
        vars: {count: 0, names: []}
        defaults: {retry: 3, attempt_timeout: 1m, heartbeat: 5s, queue: gpu, priority: 2}
        labels: {team: "${input.a}"}
        nodes: {a: {type: noop}, b: {type: noop}}
        edges: [a -> b]
        output: {x: "${nodes.a.output}"}
        timeout: 1h
        on_failure: finish
    """)
    assert flow.input == {"required": ["a"], "properties": {"a": {"type": "string"}}}
    assert flow.secrets == ("TOKEN", "TOKEN_2")
    assert flow.vars == {"count": 0, "names": []}
    assert flow.defaults.retry == Retry(attempts=3)
    assert (flow.defaults.attempt_timeout, flow.defaults.heartbeat) == (60, 5)
    assert (flow.defaults.queue, flow.defaults.priority) == ("gpu", 2)
    assert flow.labels == {"team": "${input.a}"}
    assert flow.output == {"x": "${nodes.a.output}"}
    assert (flow.timeout, flow.on_failure.running) == (3600, "finish")
    assert flow.graph.on_failure == "finish"
    assert flow.graph.output == flow.output


def test_every_key_of_a_node_is_read() -> None:
    node = node_of("""
        title: "Hello ${input.a}", description: Says hello, params: {x: [1, null]}, join: any,
        when: "${input.a == 1}", foreach: "${input.names}",
        repeat: {while: vars.go, every: 2s, limit: unlimited}, retry: unlimited, timeout: 1m,
        attempt_timeout: 10s, heartbeat: 500ms, cache: 1d, undo: b, queue: gpu, priority: 5,
        execution: remote
    """)
    assert (node.id, node.path) == ("a", ("nodes", "a"))
    assert (node.type, node.title) == ("noop", "Hello ${input.a}")
    assert node.params == {"x": [1, None]}
    assert (node.join, node.when) == ("any", "${input.a == 1}")
    assert (node.timeout, node.attempt_timeout, node.heartbeat) == (60, 10, 0.5)
    assert node.cache == Cache(ttl="1d")  # type: ignore[arg-type]
    assert (node.undo, node.queue, node.priority, node.execution) == ("b", "gpu", 5, "remote")
    assert node.graph is None


def test_nodes_and_inputs_keep_the_order_of_the_document() -> None:
    flow = flow_of("flow: f\nnodes: {z: {type: noop}, a: {type: noop}, m: {type: noop}}")
    assert list(flow.nodes) == ["z", "a", "m"]


@pytest.mark.parametrize(
    ("next_", "edges"),
    [
        ("b", [("b", ("success",), ("next",))]),
        ("[b, c]", [("b", ("success",), ("next", 0)), ("c", ("success",), ("next", 1))]),
        ("{to: b, on: failure}", [("b", ("failure",), ("next",))]),
        ("[{to: b, on: [failure, timeout]}]", [("b", ("failure", "timeout"), ("next", 0))]),
        (
            "{approved: b, failure: [c, {to: d, when: x}]}",
            [
                ("b", ("approved",), ("next", "approved")),
                ("c", ("failure",), ("next", "failure", 0)),
                ("d", ("failure",), ("next", "failure", 1)),
            ],
        ),
        ("{always: {to: b, limit: 3}}", [("b", ("always",), ("next", "always"))]),
        ("[]", []),
    ],
)
def test_next_gives_the_same_edges_in_every_form(
    next_: str, edges: list[tuple[str, tuple[str, ...], Path]]
) -> None:
    flow = flow_of(f"flow: f\nnodes: {{a: {{type: noop, next: {next_}}}}}")
    found = [(edge.target, edge.on, edge.path) for edge in flow.edges]
    assert found == [(to, on, ("nodes", "a", *path)) for to, on, path in edges]
    assert {edge.source for edge in flow.edges} <= {"a"}


def test_edges_follow_next_and_keep_their_order() -> None:
    flow = flow_of("""
        flow: f
        nodes:
          a: {type: noop, next: [c, b]}
          b: {type: noop, next: c}
        edges:
          - b -> a -> d
          - {from: a, to: e, on: always, when: true}
          - {from: a, to: f, otherwise: true, limit: unlimited}
    """)
    assert [(edge.source, edge.target) for edge in flow.edges] == [
        *[("a", "c"), ("a", "b"), ("b", "c")],
        *[("b", "a"), ("a", "d"), ("a", "e"), ("a", "f")],
    ]
    assert flow.edges[3].path == flow.edges[4].path == ("edges", 0)
    assert flow.edges[5] == Edge(
        source="a", target="e", on=("always",), when=True, path=("edges", 1)
    )
    assert flow.edges[6] == Edge(
        source="a", target="f", otherwise=True, limit=None, limit_given=True, path=("edges", 2)
    )


def test_a_block_is_a_graph_of_its_own() -> None:
    flow = flow_of("""
        flow: f
        nodes:
          outer:
            type: block
            nodes:
              inner: {type: noop, next: deep}
              deep:
                type: block
                nodes: {bottom: {type: noop}}
            edges: [deep -> inner]
            output: ${nodes.inner.output}
            on_failure: finish
    """)
    outer = block_of(flow.nodes["outer"])
    assert (outer.path, outer.on_failure) == (("nodes", "outer"), "finish")
    assert outer.output == "${nodes.inner.output}"
    assert [(edge.source, edge.target, edge.path) for edge in outer.edges] == [
        ("inner", "deep", ("nodes", "outer", "nodes", "inner", "next")),
        ("deep", "inner", ("nodes", "outer", "edges", 0)),
    ]
    bottom = block_of(outer.nodes["deep"]).nodes["bottom"]
    assert bottom.path == ("nodes", "outer", "nodes", "deep", "nodes", "bottom")
    assert bottom.id == "bottom"


def test_foreach_in_short_and_in_full() -> None:
    short = node_of('foreach: "${input.names}"').foreach
    assert short is not None
    assert (short.items, short.name, short.concurrency) == ("${input.names}", "item", 10)
    assert (short.tolerate, short.batch) == (Tolerance(), None)
    full = node_of('foreach: {in: [1, 2], as: n, concurrency: 1000, tolerate: "2.5%", batch: 5}')
    assert full.foreach is not None
    assert (full.foreach.items, full.foreach.name) == ([1, 2], "n")
    assert full.foreach.tolerate == Tolerance(amount=2.5, percent=True)
    assert (full.foreach.concurrency, full.foreach.batch) == (1000, 5)
    listed = node_of("foreach: [a, b]").foreach
    assert listed is not None
    assert listed.items == ["a", "b"]
    mapped = node_of("foreach: {in: {a: 1}, tolerate: 3}").foreach
    assert mapped is not None
    assert (mapped.items, mapped.tolerate) == ({"a": 1}, Tolerance(amount=3))


def test_repeat_has_one_condition_and_knows_which() -> None:
    until = node_of("repeat: {until: nodes.a.output.done}").repeat
    assert until is not None
    assert (until.condition, until.is_until) == ("nodes.a.output.done", True)
    assert (until.every, until.limit) == (0, 1000)
    while_ = node_of("repeat: {while: false, limit: unlimited}").repeat
    assert while_ is not None
    assert (while_.condition, while_.is_until, while_.limit) == (False, False, None)


def test_retry_tells_what_was_written_from_what_was_not() -> None:
    retry = node_of("retry: {attempts: 2, only: [Timeout]}").retry
    assert retry is not None
    assert retry.model_fields_set == {"attempts", "only"}
    defaults = Retry(attempts=9, interval="5s")  # type: ignore[arg-type]
    assert retry.over(defaults) == Retry(attempts=2, interval="5s", only=["Timeout"])  # type: ignore[arg-type]
    assert retry.over(None) is retry


def test_join_takes_a_word_or_a_number() -> None:
    assert [node_of(f"join: {join}").join for join in ("all", "any", "race", 3)] == [
        *("all", "any", "race"),
        3,
    ]


@pytest.mark.parametrize(
    ("keys", "code", "says"),
    [
        ("tittle: x", "FR201", "unknown key 'tittle'; did you mean 'title'?"),
        ("if: x", "FR201", "did you mean 'when'?"),
        ("url: x", "FR201", "what a node type takes goes under 'params'"),
        ("next: {to: b, wen: x}", "FR201", "did you mean 'when'?"),
        ("retry: {attemps: 3}", "FR201", "did you mean 'attempts'?"),
        ("cache: {keys: x, ttl: 1s}", "FR201", "unknown key 'keys'; did you mean 'key'?"),
        ("foreach: {as: x}", "FR202", "'in' is missing"),
        ("cache: {key: x}", "FR202", "'ttl' is missing"),
        ("next: {on: failure}", "FR202", "'to' is missing"),
        ("title: 5", "FR203", 'title: expected text, found the number 5; write "5"'),
        ("params: [a]", "FR203", "params: expected a mapping, found a list"),
        ("params: null", "FR203", "params: expected a mapping, found nothing (null)"),
        ("timeout: null", "FR203", "the key has no value"),
        ("retry: true", "FR203", "retry: expected how often"),
        ("retry: {attempts: true}", "FR203", "attempts: expected a whole number"),
        ("priority: 2.0", "FR203", "priority: expected a whole number from 1 to 5"),
        ("join: true", "FR203", "join: expected all, any, race or"),
        ("when: 5", "FR203", "when: expected a condition"),
        ("when: ''", "FR203", "when: expected a condition"),
        ("foreach: 5", "FR203", "foreach: expected a list"),
        ("undo: 5", "FR203", "undo: expected a node's id"),
        ("next: 5", "FR203", "next: expected a node's id"),
        ("next: {}", "FR203", "next: expected a node's id"),
        ("next: {to: [b, c]}", "FR203", "to: expected a node's id, found a list"),
        ("next: {to: b, otherwise: yes}", "FR203", "otherwise: expected true or false"),
        ("next: {to: b, on: []}", "FR203", "on: expected an outcome"),
        ("priority: 0", "FR204", "priority: expected a whole number from 1 to 5, found 0"),
        ("join: first", "FR204", "join: expected all, any, race or"),
        ("join: al", "FR204", "did you mean 'all'?"),
        ("join: 0", "FR204", "join: expected all, any, race or"),
        ("execution: inline", "FR204", "execution: expected local or remote, found 'inline'"),
        ("foreach: names", "FR204", "in: expected a list"),
        ("foreach: {in: [], concurrency: 1001}", "FR204", "from 1 to 1000, found 1001"),
        ("foreach: {in: [], tolerate: 101%}", "FR204", "tolerate: expected how many"),
        ("foreach: {in: [], tolerate: -1}", "FR204", "tolerate: expected how many"),
        ("foreach: {in: [], batch: 0}", "FR204", "batch: expected a whole number of at least 1"),
        ("retry: 0", "FR204", "attempts: expected a whole number of at least 1, or unlimited"),
        ("retry: {factor: 0.5}", "FR204", "factor: expected a number of at least 1"),
        ("retry: {jitter: 1.5}", "FR204", "jitter: expected a number from 0 to 1"),
        ("retry: {interval: 0s}", "FR204", "interval: expected a duration longer than nothing"),
        ("timeout: 0s", "FR204", "timeout: expected a duration longer than nothing"),
        ("next: {to: b, limit: 0}", "FR204", "limit: expected a whole number of at least 1"),
        ("foreach: {in: [], as: 5x}", "FR205", "'5x' cannot be an item's name"),
        ("next: first step", "FR205", "for example 'first_step'"),
        ("next: {a b: c}", "FR205", "cannot be an outcome or action"),
        ("queue: a b", "FR205", "cannot be a task queue"),
        ("queue: '${input.q}'", "FR205", "cannot be a task queue"),
        ("foreach: {in: [], as: input}", "FR206", "already means something"),
        ("foreach: {in: [], as: if}", "FR206", "already means something"),
        ("timeout: 30", "FR207", "timeout: the number 30 lacks a unit; write 30s"),
        ("timeout: soon", "FR207", "durations look like 30s, 5m or 1h30m"),
        ("cache: 5", "FR207", "ttl: the number 5 lacks a unit; write 5s"),
        ("output: x", "FR210", "only a block has 'output'"),
        ("repeat: {until: x, while: y}", "FR212", "this one has both"),
        ("repeat: {every: 1s}", "FR212", "this one has neither"),
        ("next: {to: b, when: x, otherwise: true}", "FR212", "not both"),
        ("next: {failure: {to: b, on: timeout}}", "FR212", "remove `on`"),
        ("next: {to: b, on: [failure, failure]}", "FR213", "'failure' is listed twice"),
        ("retry: {only: [A, A]}", "FR213", "'A' is listed twice"),
    ],
)
def test_a_wrong_key_of_a_node_is_told(keys: str, code: str, says: str) -> None:
    problem = in_node(keys)
    assert problem.code == code
    assert says in problem.message
    assert problem.path[:2] == ("nodes", "a")


@pytest.mark.parametrize(
    ("keys", "code", "says"),
    [
        ("ouput: x", "FR201", "did you mean 'output'?"),
        ("steps: {}", "FR201", "did you mean 'nodes'?"),
        ("defaults: {queues: x}", "FR201", "did you mean 'queue'?"),
        ("defaults: {params: {}}", "FR201", "the keys here are retry, attempt_timeout"),
        ("edges: [{from: a}]", "FR202", "'to' is missing"),
        ("edges: [{to: a}]", "FR202", "'from' is missing"),
        ("description:", "FR203", "description: expected text, found nothing (null)"),
        ("secrets: TOKEN", "FR203", "secrets: expected a list"),
        ("labels: {team: 5}", "FR203", 'team: expected text, found the number 5; write "5"'),
        ("edges: a -> b", "FR203", "edges: expected a list of edges"),
        ("edges: [5]", "FR203", "edges: expected `a -> b`"),
        ("on_failure: stop", "FR204", "on_failure: expected cancel or finish"),
        ("secrets: [token]", "FR205", "cannot be a secret's name"),
        ("vars: {a-b: 1}", "FR205", "cannot be a variable"),
        ("labels: {a=b: x}", "FR205", "cannot be a label"),
        ("edges: [a -> ]", "FR211", "write `from -> to`"),
        ("edges: [a → b]", "FR211", "write 'a -> b'"),
        ("edges: [a --> b]", "FR211", "write 'a -> b'"),
        ("secrets: [A, A]", "FR213", "'A' is listed twice"),
        ("input: {type: string}", "FR214", "always a mapping"),
        ("input: {name: {type: string}}", "FR214", "it goes under 'properties'"),
        ("input: {properties: {a: {$ref: '#/$defs/b'}}}", "FR215", "nothing at '#/$defs/b'"),
        ("input: {properties: {a: {minimum: 1, default: 0}}}", "FR216", "would be refused"),
    ],
)
def test_a_wrong_key_of_a_flow_is_told(keys: str, code: str, says: str) -> None:
    problem = at_top(keys)
    assert problem.code == code
    assert says in problem.message


@pytest.mark.parametrize("name", ["flow", "flowrunner", "flowrunner.resolve", "5x", "a b", "ä"])
def test_a_flow_has_a_name_that_can_be_a_workflow_type(name: str) -> None:
    (problem,) = problems_of(f"flow: {name}\nnodes: {{a: {{type: noop}}}}")
    assert problem.code in ("FR205", "FR206")


@pytest.mark.parametrize("text", ["hello", "[a]", "5", "null", "true"])
def test_a_flow_is_a_mapping(text: str) -> None:
    (problem,) = problems_of(text)
    assert (problem.code, problem.line, problem.column) == ("FR203", 1, 1)


def test_a_node_is_a_mapping() -> None:
    (problem,) = problems_of("flow: f\nnodes:\n  a: type:noop\n")
    assert problem.message == "a: expected a mapping, found the text 'type:noop'"
    (problem,) = problems_of("flow: f\nnodes: {a: {type:noop}}")
    assert "write 'type: noop'" in problem.message


def test_what_was_found_is_what_stands_at_the_place() -> None:
    assert in_node("next: [b, {to: c, limit: 0}]").found == "the number 0"
    assert at_top("edges: [a -> b, a => b]").found == "the text 'a => b'"
    assert at_top("vars: {a-b: 1}").found == "the text 'a-b'"


def test_a_missing_key_is_told_at_what_lacks_it() -> None:
    (problem,) = problems_of("flow: f\nnodes:\n  a:\n    title: x\n")
    assert (problem.code, problem.line, problem.column) == ("FR202", 3, 3)
    assert problem.message == "'type' is missing (what the node does)"


def test_a_misspelt_key_is_not_told_as_missing_too() -> None:
    assert told("flow: f\nnodes: {a: {tpye: noop}}") == [("FR201", ("nodes", "a", "tpye"))]
    assert told("flwo: f\nnodes: {a: {type: noop}}") == [("FR201", ("flwo",))]


def test_keys_are_told_at_the_key_and_values_at_the_value() -> None:
    text = "flow: f\nnodes:\n  a: {type: noop, tittle: x, priority: 9}\n  b c: {type: noop}\n"
    assert [(p.code, p.line, p.column) for p in problems_of(text)] == [
        ("FR201", 3, 19),
        ("FR204", 3, 40),
        ("FR205", 4, 3),
    ]


def test_ids_are_unique_in_the_whole_document() -> None:
    text = """\
        flow: f
        nodes:
          a: {type: block, nodes: {b: {type: noop}, a: {type: noop}}}
          c: {type: block, nodes: {b: {type: noop}}}
    """
    assert told(text) == [
        ("FR208", ("nodes", "a", "nodes", "a")),
        ("FR208", ("nodes", "c", "nodes", "b")),
    ]


def test_a_graph_has_nodes() -> None:
    assert told("flow: f\nnodes: {}") == [("FR209", ("nodes",))]
    text = "flow: f\nnodes: {a: {type: block, nodes: {}}, b: {type: block}}"
    assert told(text) == [("FR209", ("nodes", "a", "nodes")), ("FR202", ("nodes", "b"))]


def test_all_problems_are_told_at_once() -> None:
    text = """\
        flow: flow
        secrets: [x]
        timeout: 5
        nodes:
          a: {type: noop, tile: x, next: [{to: b, on: a b}, 5]}
          b:
            type: block
            nodes:
              c: {type: 5, retry: {attempts: 0, factor: x}}
              d: {}
        edges: [a => b, {form: a, to: b}]
        extra: 1
    """
    assert told(text) == [
        ("FR206", ("flow",)),
        ("FR205", ("secrets", 0)),
        ("FR207", ("timeout",)),
        ("FR201", ("nodes", "a", "tile")),
        ("FR205", ("nodes", "a", "next", 0, "on")),
        ("FR203", ("nodes", "a", "next", 1)),
        ("FR203", ("nodes", "b", "nodes", "c", "type")),
        ("FR204", ("nodes", "b", "nodes", "c", "retry", "attempts")),
        ("FR203", ("nodes", "b", "nodes", "c", "retry", "factor")),
        ("FR202", ("nodes", "b", "nodes", "d")),
        ("FR211", ("edges", 0)),
        ("FR201", ("edges", 1, "form")),
        ("FR201", ("extra",)),
    ]


def test_problems_of_reading_and_of_shape_are_told_together() -> None:
    text = "flow: f\nflow: g\nnodes: {a: {type: noop, tile: x, title: *x}}"
    assert [code for code, _ in told(text)] == ["FR105", "FR201", "FR107"]
    assert parse_flow(text).flow is None


def test_what_could_not_be_read_is_not_told_twice() -> None:
    assert told("flow: f\nnodes: {a: *x}") == [("FR107", ("nodes", "a"))]


def test_a_flow_with_problems_is_no_flow_but_its_source_is_there() -> None:
    for text in ("flow: f\nnodes: {}", "flow: f\nflow: g\nnodes: {a: {type: noop}}"):
        parsed = parse_flow(text)
        assert parsed.problems
        assert parsed.flow is None
        assert parsed.source is not None
    assert parse_flow("flow: [").source is None


def test_a_node_may_be_called_like_a_key() -> None:
    flow = flow_of("""
        flow: f
        nodes:
          retry: {type: noop, next: nodes}
          nodes: {type: block, nodes: {edges: {type: noop, retry: 2}}}
    """)
    assert list(flow.nodes) == ["retry", "nodes"]
    assert told("flow: f\nnodes: {retry: {type: noop, titel: x}}") == [
        ("FR201", ("nodes", "retry", "titel"))
    ]


def test_no_item_can_hide_a_context() -> None:
    assert {*CONTEXTS, "item"} >= CONTEXT_NAMES


def test_a_thousand_nodes_are_parsed_completely() -> None:
    nodes = "".join(
        f"  n{i}: {{type: noop, title: 'Node {i}', retry: 3, timeout: 30s, next: n{i + 1}}}\n"
        for i in range(1000)
    )
    flow = flow_of(f"flow: big\nnodes:\n{nodes}")
    assert len(flow.nodes) == len(flow.edges) == 1000


def test_the_number_of_problems_told_has_an_end() -> None:
    keys = ", ".join(f"k{i}: 1" for i in range(5_000))
    assert len(problems_of(f"flow: f\nnodes: {{a: {{type: noop, {keys}}}}}")) == 100


def test_a_long_list_of_names_costs_no_more_than_it_is_long() -> None:
    names = ", ".join(f"A{i}" for i in range(90_000))
    flow = flow_of(f"flow: f\nnodes: {{a: {{type: noop}}}}\nsecrets: [{names}]")
    assert len(flow.secrets) == 90_000
