"""Runs recorded with every release go on in this one: their histories replay."""

from __future__ import annotations

import asyncio
import gzip
import json
from dataclasses import replace
from pathlib import Path

import pytest
from temporalio.client import WorkflowHistory
from temporalio.worker import Replayer

from activities.claims import FlowClaim
from claimcheck.cloakroom import Cloakroom
from claimcheck.codec import ClaimCodec
from claimcheck.payloads import data_converter
from claimcheck.stores import MemoryStore
from workflows.cache import CacheEntry
from workflows.flow import FlowWorkflow
from workflows.lock import LockWorkflow
from workflows.rate import RateWorkflow
from workflows.reading import reads_whatever

HISTORIES = sorted((Path(__file__).parent / "histories").glob("*/*.json*"))


def _replayer() -> Replayer:
    """As the worker is made, save that whatever is in a store stays there."""
    kinds = [FlowWorkflow, CacheEntry, LockWorkflow, RateWorkflow]
    codec = ClaimCodec(Cloakroom(MemoryStore(), namespace="default"), role="replay")
    converter = data_converter(codec, claim_type=FlowClaim)
    failures = reads_whatever(converter.failure_converter_class)
    return Replayer(
        workflows=kinds,
        namespace="default",
        data_converter=replace(converter, failure_converter_class=failures),
    )


def _recorded(path: Path) -> str:
    data = path.read_bytes()
    return (gzip.decompress(data) if path.suffix == ".gz" else data).decode()


def test_there_are_histories_of_a_release() -> None:
    assert HISTORIES


@pytest.mark.parametrize("path", HISTORIES, ids=lambda p: f"{p.parent.name}-{p.name}")
def test_a_recorded_run_replays(path: Path) -> None:
    recorded = json.loads(_recorded(path))
    begun = recorded["events"][0]["workflowExecutionStartedEventAttributes"]
    history = WorkflowHistory.from_json(begun["workflowId"], recorded)
    asyncio.run(_replayer().replay_workflow(history))


def test_a_history_that_asks_for_something_else_is_noticed() -> None:
    """The replay itself must be able to fail."""
    path = next(path for path in HISTORIES if path.stem == "fails")
    changed = json.loads(_recorded(path).replace('"call"', '"other"'))
    history = WorkflowHistory.from_json("changed", json.dumps(changed))
    with pytest.raises(Exception, match=r"[Nn]ondetermin"):
        asyncio.run(_replayer().replay_workflow(history))
