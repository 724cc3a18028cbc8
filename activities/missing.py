"""What answers for node types that this worker does not have."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from temporalio import activity
from temporalio.common import RawValue
from temporalio.exceptions import ApplicationError

from activities.errors import NODE_TYPE_MISSING
from claimcheck.interceptor import takes_claims
from flowspec.catalogue import PluginTrouble

__all__ = ["MissingTypes"]


class MissingTypes:
    """Fails every activity of a name that nothing else here has.

    Another worker of the queue may have it, so the attempts that the flow allows are made.
    """

    def __init__(self, troubles: Sequence[PluginTrouble]) -> None:
        self._troubles = troubles

    @activity.defn(dynamic=True)
    @takes_claims
    async def perform(self, _arguments: Sequence[RawValue]) -> Any:
        info = activity.info()
        name = info.activity_type
        own = [trouble for trouble in self._troubles if trouble.node_type == name]
        whole = [trouble for trouble in self._troubles if trouble.node_type is None]
        why = f"this worker has no node type or activity {name!r}"
        if own or whole:
            why += f"; {'it may be ' if not own else ''}{(own or whole)[0]}"
        else:
            queue = f"every worker of the task queue {info.task_queue!r}"
            why += f"; install its plug-in for {queue}, and start those anew that run"
        told = {"node": info.activity_id, "attempt": info.attempt, "details": None}
        raise ApplicationError(why, told, type=NODE_TYPE_MISSING.name)
