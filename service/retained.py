"""What Temporal retains of a namespace, as the sweep has to know it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import timedelta

from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.workflowservice.v1 import (
    DescribeNamespaceRequest,
    DescribeScheduleRequest,
    DescribeWorkflowExecutionRequest,
)
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from claimcheck.errors import ClaimCheckError
from claimcheck.servers import note_server
from claimcheck.stores.contract import BlobStore
from service.errors import ServiceError
from service.runs.failures import mapped

__all__ = ["RetainedByTemporal", "namespace_id", "note_namespace"]

_AGAIN_AFTER = 60.0
_PAGE = 1000
_TIMEOUT = timedelta(seconds=30)


class RetainedByTemporal:
    """Asks the server itself; raises `ServiceError` if it does not tell everything."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def workflow_ids(self) -> AsyncIterator[str]:
        """Of all runs, open and closed; one id for each of its runs."""
        with mapped():
            async for run in self._client.list_workflows(page_size=_PAGE, rpc_timeout=_TIMEOUT):
                yield run.id

    async def scheduled_ids(self) -> AsyncIterator[str]:
        """The workflow ids in the actions of the schedules, paused ones too."""
        with mapped():
            schedules = await self._client.list_schedules(page_size=_PAGE, rpc_timeout=_TIMEOUT)
            async for schedule in schedules:
                if (id := await self._started_by(schedule.id)) is not None:
                    yield id

    async def _started_by(self, schedule_id: str) -> str | None:
        # The raw answer, for the SDK would decode the inputs as well. None for one that has been
        # deleted meanwhile.
        request = DescribeScheduleRequest(namespace=self._client.namespace, schedule_id=schedule_id)
        try:
            found = await self._client.workflow_service.describe_schedule(
                request, retry=True, timeout=_TIMEOUT
            )
        except RPCError as error:
            if error.status == RPCStatusCode.NOT_FOUND:
                return None
            raise
        return found.schedule.action.start_workflow.workflow_id or None

    async def is_retained(self, workflow_id: str) -> bool:
        """Whether there is a run of that id, which the index may not know yet."""
        request = DescribeWorkflowExecutionRequest(
            namespace=self._client.namespace,
            execution=WorkflowExecution(workflow_id=workflow_id),
        )
        with mapped():
            try:
                await self._client.workflow_service.describe_workflow_execution(
                    request, retry=True, timeout=_TIMEOUT
                )
            except RPCError as error:
                if error.status == RPCStatusCode.NOT_FOUND:
                    return False
                raise
        return True


async def namespace_id(client: Client) -> str:
    """What tells this namespace from those of the same name on other servers."""
    request = DescribeNamespaceRequest(namespace=client.namespace)
    with mapped():
        found = await client.workflow_service.describe_namespace(
            request, retry=True, timeout=_TIMEOUT
        )
    return found.namespace_info.id or client.namespace


async def note_namespace(store: BlobStore, client: Client, warn: Callable[[str], object]) -> None:
    """Note whose blobs these are, for the sweep; ends when it is done, whenever the store lets it.

    Until then the sweep deletes nothing, and nothing else needs it.
    """
    while True:
        try:
            await note_server(store, client.namespace, await namespace_id(client))
            return
        except ClaimCheckError as error:
            warn(f"the store of large values cannot be used; what needs it waits: {error}")
        except ServiceError as error:
            warn(f"it is not known yet whose the large values in the store are: {error}")
        await asyncio.sleep(_AGAIN_AFTER)
