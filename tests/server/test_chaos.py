"""The short form of `make chaos`: each main kind of fault once, while runs are under way."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.chaos.campaign import Campaign, Plan
from tests.s3 import S3Server

_KINDS = ("steps", "rounds", "saga", "shared", "large")
_LONG = ("freeze a worker for long",)


@pytest.mark.timeout(700)  # a run that does not end is told of after ten minutes
async def test_runs_come_to_their_end_through_every_kind_of_fault(
    tmp_path: Path, s3_server: S3Server
) -> None:
    plan = Plan(
        faults=12,
        seed=7,
        a_round=12,
        width=3,
        pause=0.3,
        patience=6,
        kinds=_KINDS,
        without=_LONG,
    )
    told: list[str] = []
    campaign = Campaign(plan=plan, folder=tmp_path, s3=s3_server, tell=told.append)
    await campaign.run()
    assert campaign.findings == [], "\n".join(told)
    assert len({struck.fault for struck in campaign.struck}) >= 9
    assert campaign.runs > plan.width
    assert campaign.effects > campaign.runs
