"""What is set in Temporal's SDK, which has no option for it, is there."""

from __future__ import annotations

from temporalio.client import Client
from temporalio.worker import Worker

from service.patience import be_patient
from tests.server.support import TemporalServer
from workflows.flow import FlowWorkflow


async def test_a_workflow_may_compute_for_longer_than_two_seconds(
    temporal_server: TemporalServer,
) -> None:
    client = await Client.connect(temporal_server.address)
    worker = Worker(client, task_queue="nobody-polls-it", workflows=[FlowWorkflow])
    assert worker._workflow_worker is not None
    assert worker._workflow_worker._deadlock_timeout_seconds == 2
    be_patient(worker)
    assert worker._workflow_worker._deadlock_timeout_seconds == 8
    async with worker:
        pass
