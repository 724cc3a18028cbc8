"""What a flow becomes and how it runs does not depend on how a process hashes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.timeout(300)
def test_two_hash_seeds_give_the_same_plans_problems_steps_and_states() -> None:
    running = [_traces(seed) for seed in ("1", "2")]
    (one, said), (other, too) = (each.communicate(timeout=280) for each in running)
    assert [each.returncode for each in running] == [0, 0], said + too
    assert one.splitlines() == other.splitlines()
    assert len(one) > 100_000, "there is too little to compare"


def _traces(seed: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "tests.property.traces"],
        env={**os.environ, "PYTHONHASHSEED": seed},
        cwd=Path(__file__).parents[2],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
