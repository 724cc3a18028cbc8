"""The scheduler on random graphs: it never gets stuck, loses a node or runs one twice."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from flowspec.plan import GraphPlan
from tests.property.graphs import graph_plans, walk

SEEDS = st.integers(0, 1_000_000)


@given(graph_plans(), SEEDS)
def test_every_node_ends_and_nothing_is_stuck(plan: GraphPlan, seed: int) -> None:
    assert set(walk(plan, seed).phases.values()) == {"ended"}


@given(graph_plans(), SEEDS)
def test_no_node_runs_twice_in_the_same_round(plan: GraphPlan, seed: int) -> None:
    assert all(count == 1 for count in walk(plan, seed).starts.values())


@given(graph_plans(), SEEDS)
def test_the_trace_is_the_same_when_revived_between_any_two_steps(
    plan: GraphPlan, seed: int
) -> None:
    assert walk(plan, seed).trace == walk(plan, seed, revive=True).trace


@given(graph_plans(), SEEDS, st.integers(1, 8), st.booleans())
def test_closing_at_any_moment_comes_to_rest(
    plan: GraphPlan, seed: int, moment: int, revive: bool
) -> None:
    closed = walk(plan, seed, revive=revive, close_after=moment)
    assert closed.trace == walk(plan, seed, close_after=moment).trace


_TRACES = """
import hashlib
from hypothesis import given, settings, Phase, HealthCheck
from hypothesis import strategies as st
from tests.property.graphs import graph_plans, walk
digest = hashlib.sha256()
@settings(max_examples=60, database=None, derandomize=True, phases=[Phase.generate],
          suppress_health_check=list(HealthCheck))
@given(graph_plans(), st.integers(0, 10**6))
def trace(plan, seed):
    digest.update("\\n".join(walk(plan, seed).trace).encode())
trace()
print(digest.hexdigest())
"""


def test_the_trace_is_the_same_under_two_hash_seeds() -> None:
    digests = [
        subprocess.run(
            [sys.executable, "-c", _TRACES],
            env={**os.environ, "PYTHONHASHSEED": seed},
            cwd=Path(__file__).parents[2],
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "4242")
    ]
    assert digests[0] == digests[1]
