"""The results that the modifier `cache` keeps, with Temporal itself as the store.

An entry is a closed workflow of type `flowrunner.cache` whose result is the value and whose id
names it; it lasts as long as the namespace retains closed workflows.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import structlog
from temporalio import activity
from temporalio.client import Client, WorkflowExecutionStatus, WorkflowFailureError
from temporalio.common import WorkflowIDConflictPolicy, WorkflowIDReusePolicy
from temporalio.service import RPCError, RPCStatusCode

from activities.claims import Claims
from claimcheck.errors import ClaimCheckError
from claimcheck.interceptor import takes_claims
from claimcheck.payloads import Inline

__all__ = ["CACHE_GET", "CACHE_PUT", "CACHE_WORKFLOW", "ResultCache"]

CACHE_GET = "flowrunner.cache.get"
CACHE_PUT = "flowrunner.cache.put"
CACHE_WORKFLOW = "flowrunner.cache"

_logger = structlog.stdlib.get_logger(__name__)


class ResultCache:
    """Looks entries up and adds them. Trouble with it never fails a node: the node just runs."""

    def __init__(self, client: Client, claims: Claims) -> None:
        self._client = client
        self._claims = claims

    @activity.defn(name=CACHE_GET)
    async def get(self, call: dict[str, Any]) -> Any:
        """`{id, ttl}` → `{hit, value}`; an entry older than `ttl` seconds is none."""
        try:
            return await self._look_up(str(call["id"]), float(call["ttl"]))
        except RPCError as error:
            if error.status is not RPCStatusCode.NOT_FOUND:
                _logger.warning("cache not read", entry=call["id"], error=error.message)
        except WorkflowFailureError as error:
            _logger.warning("cache not read", entry=call["id"], error=str(error.cause))
        except ClaimCheckError as error:
            _logger.warning("cache not read", entry=call["id"], error=str(error))
        return _MISS

    async def _look_up(self, entry: str, ttl: float) -> Any:
        found = await self._client.get_workflow_handle(entry).describe()
        if found.status is not WorkflowExecutionStatus.COMPLETED or found.close_time is None:
            return _MISS
        if (datetime.now(UTC) - found.close_time).total_seconds() > ttl:
            return _MISS
        handle = self._client.get_workflow_handle(entry, run_id=found.run_id)
        return Inline({"hit": True, "value": await self._claims.opened(await handle.result())})

    @activity.defn(name=CACHE_PUT)
    @takes_claims
    async def put(self, argument: Any) -> None:
        """`{id, value}`; of two at once for the same entry one wins. What is claimed in the value
        stays claimed: the entry holds it as well."""
        entry = "?"
        try:
            call = await self._claims.opened(argument)
            entry = str(call["id"])
            await self._client.start_workflow(
                CACHE_WORKFLOW,
                Inline(call["value"]),
                id=entry,
                task_queue=activity.info().task_queue,
                id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE,
                id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
            )
        except (RPCError, ClaimCheckError) as error:
            _logger.warning("cache not written", entry=entry, error=str(error))


_MISS = Inline({"hit": False, "value": None})
