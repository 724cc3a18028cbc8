"""The page on speed says what the last results say, and the flows that were measured are sound."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from activities.catalogue import catalogue
from benchmarks.by_hand import BY_HAND
from benchmarks.compare import Case
from benchmarks.page import PAGE, RESULTS, speed_page
from benchmarks.shapes import CHILD, SHAPES, WAITING, Shape, Tier
from benchmarks.speed import FULL, QUICK
from flowspec.check import check

ROOT = Path(__file__).parents[2]
SMALL = {case.flow: case for case in QUICK.cases + FULL.cases if case.nodes <= 10}


def test_the_page_is_the_one_of_the_results() -> None:
    results = json.loads((ROOT / RESULTS).read_text(encoding="utf-8"))
    assert (ROOT / PAGE).read_text(encoding="utf-8") == speed_page(results)


def test_the_results_are_those_of_all_cases() -> None:
    results = json.loads((ROOT / RESULTS).read_text(encoding="utf-8"))
    told = [(c["shape"], c["tier"], c["nodes"], c["at_once"]) for c in results["cases"]]
    assert told == [(c.shape, c.tier, c.nodes, c.at_once) for c in FULL.cases]


@pytest.mark.parametrize("case", SMALL.values(), ids=SMALL.keys())
def test_every_flow_that_is_measured_is_valid(case: Case) -> None:
    assert check(case.text, catalogue()).problems == ()


@pytest.mark.parametrize("shape", [CHILD, WAITING], ids=lambda shape: shape.title)
@pytest.mark.parametrize("tier", ["local", "remote"])
def test_the_other_flows_are_valid(shape: Shape, tier: Tier) -> None:
    assert check(shape.text("x", 2, tier), catalogue()).problems == ()


def test_every_shape_has_its_twin_by_hand() -> None:
    written = {each.__name__ for each in BY_HAND}
    assert {shape.by_hand for shape in (*SHAPES.values(), CHILD, WAITING)} == written
