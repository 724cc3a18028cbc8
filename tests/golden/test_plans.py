"""The plan is a contract: the same flow gives the same bytes, today and in later releases."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from activities.catalogue import catalogue
from flowspec.check import check
from flowspec.plan import Plan, PlanInvalid, canonical, dump_plan, load_plan

ROOT = Path(__file__).parents[2]
KEPT = Path(__file__).parent / "plans"
NAMES = ["onboarding", "order-saga", "paging-loop", "fan-out", "fastest-mirror"]


def _plan(name: str) -> Plan:
    text = (ROOT / "examples" / f"{name}.yaml").read_text(encoding="utf-8")
    plan = check(text, catalogue()).plan
    assert plan is not None
    return plan


@pytest.mark.parametrize("name", NAMES)
def test_a_flow_gives_the_plan_it_always_gave(name: str) -> None:
    """A plan of an example that was changed is renewed; one that changed by itself is a bug."""
    kept = (KEPT / f"{name}.json").read_text(encoding="utf-8")
    assert canonical(dump_plan(_plan(name))) + "\n" == kept


@pytest.mark.parametrize("name", NAMES)
def test_a_plan_read_back_is_the_same_plan(name: str) -> None:
    plan = _plan(name)
    again = load_plan(dump_plan(plan))
    assert again == plan
    assert again.hash == plan.hash


def test_the_bytes_do_not_depend_on_the_hash_seed() -> None:
    code = "from tests.golden.test_plans import _plan, NAMES; print([_plan(n).hash for n in NAMES])"
    printed = [
        subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONHASHSEED": seed},
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "77")
    ]
    assert printed[0] == printed[1]


def test_a_plan_of_another_format_or_with_more_in_it_is_refused() -> None:
    plan = dump_plan(_plan("onboarding"))
    with pytest.raises(PlanInvalid, match="format 2 is not known here"):
        load_plan({**plan, "format": 2})
    with pytest.raises(PlanInvalid, match="extra"):
        load_plan({**plan, "extra": 1})
