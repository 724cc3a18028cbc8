"""Runs recorded with every release go on in this one: their histories replay."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest
from temporalio.client import WorkflowHistory
from temporalio.worker import Replayer

from claimcheck.payloads import data_converter
from workflows.cache import CacheEntry
from workflows.flow import FlowWorkflow
from workflows.lock import LockWorkflow
from workflows.rate import RateWorkflow

HISTORIES = sorted((Path(__file__).parent / "histories").glob("*/*.json"))


def _replayer() -> Replayer:
    kinds = [FlowWorkflow, CacheEntry, LockWorkflow, RateWorkflow]
    return Replayer(workflows=kinds, data_converter=data_converter())


def test_there_are_histories_of_a_release() -> None:
    assert HISTORIES


@pytest.mark.parametrize("path", HISTORIES, ids=lambda p: f"{p.parent.name}-{p.stem}")
def test_a_recorded_run_replays(path: Path) -> None:
    history = WorkflowHistory.from_json(path.stem, path.read_text())
    asyncio.run(_replayer().replay_workflow(history))


def test_a_history_that_asks_for_something_else_is_noticed() -> None:
    """The replay itself must be able to fail."""
    path = next(path for path in HISTORIES if path.stem == "fails")
    changed = json.loads(path.read_text().replace('"call"', '"other"'))
    history = WorkflowHistory.from_json("changed", json.dumps(changed))
    with pytest.raises(Exception, match=r"[Nn]ondetermin"):
        asyncio.run(_replayer().replay_workflow(history))
