"""The scheduler's finer points, each on the smallest graph that shows it."""

from __future__ import annotations

from flowspec.graph import analyse
from flowspec.plan import EdgePlan, GraphPlan, NodePlan
from flowspec.routes import Graph
from flowspec.scheduler import Cancel, Outcome, Ready, Scheduler

SUCCESS = Outcome(name="success")
CANCELLED = Outcome(name="cancelled")


def _scheduler(nodes: str, *edges: EdgePlan, race: str = "") -> Scheduler:
    shape = analyse(nodes.split(), [(edge.source, edge.target) for edge in edges])
    marked = [
        EdgePlan(source=edge.source, target=edge.target, on=edge.on, back=back)
        for edge, back in zip(edges, shape.back, strict=True)
    ]
    plans = tuple(
        NodePlan(
            id=name,
            type="noop",
            tier="inline",
            params={},
            join="race" if name == race else "all",
            races=shape.races(name) if name == race else (),
        )
        for name in nodes.split()
    )
    plan = GraphPlan(nodes=plans, edges=tuple(marked), starts=shape.starts, loops=shape.loops)
    return Scheduler(Graph(plan))


def _edge(source: str, target: str, on: str = "success") -> EdgePlan:
    return EdgePlan(source=source, target=target, on=(on,))


def test_a_race_inside_a_loop_is_run_again_in_every_round() -> None:
    scheduler = _scheduler(
        "h a b c",
        *(_edge("h", "a"), _edge("h", "b"), _edge("a", "c"), _edge("b", "c"), _edge("c", "h")),
        race="c",
    )
    assert scheduler.begin() == (Ready("h"),)
    for number in (1, 2, 3):
        assert scheduler.iteration("c") == number
        assert scheduler.ended("h", SUCCESS).steps == (Ready("a"), Ready("b"))
        assert scheduler.ended("a", SUCCESS).steps == (Ready("c"), Cancel("b"))
        assert scheduler.ended("b", CANCELLED).steps == ()
        assert scheduler.ended("c", SUCCESS).steps == (Ready("h"),)


def test_a_race_that_is_won_ends_a_loop_that_runs_only_for_it() -> None:
    scheduler = _scheduler(
        "poll quick first",
        *(_edge("poll", "poll"), _edge("poll", "first", "go"), _edge("quick", "first")),
        race="first",
    )
    scheduler.begin()
    assert scheduler.ended("quick", SUCCESS).steps == (Ready("first"), Cancel("poll"))
    assert scheduler.ended("poll", SUCCESS).steps == ()
    assert scheduler.phase("poll") == "ended"


def test_closing_follows_no_backward_edge() -> None:
    scheduler = _scheduler("a b", _edge("a", "b"), _edge("b", "a", "cancelled"))
    scheduler.begin()
    scheduler.ended("a", SUCCESS)
    assert scheduler.close(cancel=True) == (Cancel("b"),)
    assert scheduler.ended("b", CANCELLED).steps == ()
    assert scheduler.at_rest
