"""The plan of a flow without errors: every default filled in, the same bytes every time."""

from __future__ import annotations

from flowspec.plan import CachePlan, ForeachPlan, RepeatPlan, RetryPlan, dump_plan, load_plan
from tests.unit.checking import node_of, plan_of

WHOLE = """
    flow: everything
    description: All there is
    input: {required: [x], properties: {x: {type: integer}}}
    secrets: [TOKEN]
    vars: {n: 0}
    labels: {team: "${input.x}"}
    timeout: 1h
    on_failure: finish
    defaults: {retry: {attempts: 5, interval: 2s}, queue: fast, priority: 2, heartbeat: 10s}
    nodes:
      get:
        type: http.request
        title: Get ${input.x}
        params: {url: "https://x", headers: {a: "${secrets.TOKEN}"}}
        retry: {interval: 90s, jitter: 0.5, only: [Timeout]}
        foreach: {in: "${[1, 2]}", as: n, concurrency: 3, tolerate: 10%, batch: 2}
        cache: {key: "${n}", ttl: 1d}
        timeout: 5m
        undo: back
        next: tell
      tell: {type: log, params: {message: x}, cache: 1h, next: [{to: get, when: vars.n > 3}]}
      wait: {type: wait, params: {for: 1s}, repeat: {while: "vars.n < 2", every: 1s, limit: 5}}
      again:
        type: block
        retry: unlimited
        repeat: {until: true}
        nodes: {x: {type: noop, next: y}, y: {type: noop}}
        output: 1
      back: {type: noop}
      one: {type: noop, next: race}
      two: {type: noop, next: race}
      race: {type: noop, join: race}
    output: {a: "${nodes.race.output}"}
"""


def test_a_node_has_its_own_settings_over_those_of_the_flow_over_those_of_its_type() -> None:
    get = node_of(WHOLE, "get")
    assert get.retry == RetryPlan(
        attempts=5, interval=90.0, factor=2.0, max_interval=90.0, jitter=0.5, only=("Timeout",)
    )
    assert (get.tier, get.queue, get.priority, get.heartbeat) == ("remote", "fast", 2, 10.0)
    assert get.timeout == 300.0
    assert get.attempt_timeout is not None
    assert get.cache == CachePlan(key="${n}", ttl=86400.0)
    assert get.undo == "back"
    assert get.foreach == ForeachPlan(
        items="${[1, 2]}", name="n", concurrency=3, tolerate=10, tolerate_percent=True, batch=2
    )


def test_defaults_of_the_flow_reach_only_what_they_mean_something_for() -> None:
    tell, wait = node_of(WHOLE, "tell"), node_of(WHOLE, "wait")
    assert (tell.tier, tell.queue, tell.priority, tell.heartbeat) == ("local", None, None, None)
    assert tell.retry.attempts == 5
    assert tell.cache == CachePlan(key=None, ttl=3600.0)
    assert (wait.tier, wait.queue, wait.priority, wait.heartbeat) == ("inline", None, None, None)
    assert wait.retry == RetryPlan()
    assert wait.repeat == RepeatPlan(condition="vars.n < 2", until=False, every=1.0, limit=5)


def test_a_block_has_its_own_graph_and_is_tried_again_only_if_it_says_so() -> None:
    again = node_of(WHOLE, "again")
    assert again.retry == RetryPlan(attempts=None)
    assert again.graph is not None
    assert [node.id for node in again.graph.nodes] == ["x", "y"]
    assert [(edge.source, edge.target) for edge in again.graph.edges] == [("x", "y")]
    assert again.graph.output == 1


def test_the_graph_is_resolved() -> None:
    graph = plan_of(WHOLE).graph
    assert graph.starts == ("get", "wait", "again", "one", "two")
    assert [(e.source, e.target, e.back) for e in graph.edges] == [
        ("get", "tell", False),
        ("tell", "get", True),
        ("one", "race", False),
        ("two", "race", False),
    ]
    assert [loop.members for loop in graph.loops] == [("get", "tell")]
    assert node_of(WHOLE, "race").races == ("one", "two")
    assert graph.on_failure == "finish"


def test_the_same_flow_gives_the_same_plan_and_its_layout_does_not_matter() -> None:
    plan = plan_of(WHOLE)
    assert load_plan(dump_plan(plan)) == plan
    assert plan_of(WHOLE).hash == plan.hash
    assert plan_of("# a comment\n" + WHOLE.replace("1h", "60m")).hash == plan.hash
    assert plan_of(WHOLE.replace("limit: 5", "limit: 6")).hash != plan.hash
