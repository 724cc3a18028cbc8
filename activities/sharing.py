"""How runs reach what they share: the workflows that keep the books of locks and rates.

Locks are asked for by signals, which nobody waits for, so that a local activity may send them
however busy the worker is. A reservation has an answer that a workflow gives, so it is asked for
by an activity that holds no place for workflow tasks meanwhile.
"""

from __future__ import annotations

import hashlib
from typing import Any

from temporalio import activity
from temporalio.client import Client, WithStartWorkflowOperation
from temporalio.common import WorkflowIDConflictPolicy
from temporalio.service import RPCError, RPCStatusCode

from claimcheck.payloads import Inline

__all__ = ["Sharing"]

_LOCK, _LOCK_ASK, _LOCK_GIVE_BACK = "flowrunner.lock", "ask", "give_back"
_RATE, _RATE_RESERVE = "flowrunner.rate", "reserve"


class Sharing:
    def __init__(self, client: Client) -> None:
        self._client = client

    @activity.defn(name="flowrunner.lock.ask")
    async def ask(self, wanted: dict[str, Any]) -> None:
        """`{id, name, token, slots, expires}`: get into the line."""
        info = activity.info()
        claimant = {
            "token": wanted["token"],
            "workflow_id": info.workflow_id,
            "run_id": info.workflow_run_id,
            "slots": wanted["slots"],
            "expires": wanted["expires"],
        }
        await self._client.start_workflow(
            _LOCK,
            args=[Inline(wanted["name"])],
            id=wanted["id"],
            task_queue=info.task_queue,
            id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
            start_signal=_LOCK_ASK,
            start_signal_args=[Inline(claimant)],
            static_summary=f"lock {wanted['name']}",
        )

    @activity.defn(name="flowrunner.lock.return")
    async def give_back(self, held: dict[str, Any]) -> None:
        """`{id, token}`: give it back, or leave the line."""
        lock = self._client.get_workflow_handle(held["id"])
        try:
            await lock.signal(_LOCK_GIVE_BACK, Inline(held["token"]))
        except RPCError as error:
            if error.status is not RPCStatusCode.NOT_FOUND:  # nobody keeps it any more
                raise

    @activity.defn(name="flowrunner.lock.check")
    async def check(self, holders: list[dict[str, Any]]) -> Any:
        """The tokens of those whose runs have ended."""
        return Inline([each["token"] for each in holders if await self._has_ended(each)])

    async def _has_ended(self, holder: dict[str, Any]) -> bool:
        """A run that has moved on lives in another execution, of the same first one."""
        latest = self._client.get_workflow_handle(holder["workflow_id"])
        held = self._client.get_workflow_handle(holder["workflow_id"], run_id=holder["run_id"])
        try:
            now = await latest.describe()
            if now.close_time is not None:
                return True
            if now.run_id == holder["run_id"]:
                return False
            return _first(now) != _first(await held.describe())
        except RPCError as error:
            if error.status is RPCStatusCode.NOT_FOUND:
                return True
            raise

    @activity.defn(name="flowrunner.rate.reserve")
    async def reserve(self, wanted: dict[str, Any]) -> Any:
        """`{id, key, count, limit, per}` → `{moments}`; the same for the same key."""
        start: WithStartWorkflowOperation[Any, Any] = WithStartWorkflowOperation(
            _RATE,
            id=wanted["id"],
            task_queue=activity.info().task_queue,
            id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
        )
        asked = {name: wanted[name] for name in ("count", "limit", "per")}
        answer = await self._client.execute_update_with_start_workflow(
            _RATE_RESERVE,
            Inline(asked),
            start_workflow_operation=start,
            id=hashlib.sha256(wanted["key"].encode()).hexdigest(),
        )
        return Inline(answer)


def _first(described: Any) -> str:
    return str(described.raw_description.workflow_execution_info.first_run_id)
