"""What shows that a run has come to some moment.

Either its history, which is followed as it grows, or the ledger, which holds back the answer to
an effect until whoever waits for it has done what it wanted.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from temporalio.api.enums.v1 import EventType
from temporalio.client import Client
from temporalio.service import RPCError

from tests.chaos.ledger import Ledger

__all__ = ["Event", "Held", "at_work", "expecting", "seen"]


@dataclass(frozen=True)
class Event:
    """The first event of this type, after so many others, that names `about`: a step, as a rule."""

    type: str
    about: str = ""
    beyond: int = 0

    def of(self, run: str) -> str:
        """The run whose moment it is."""
        return run


@dataclass(frozen=True)
class Held:
    """The effect of this step has reached the ledger and is not answered yet.

    It is of the run itself, or of the sub-flow whose id is the run's with `run` at its end.
    """

    step: str
    run: str = ""

    def of(self, run: str) -> str:
        """The run whose moment it is."""
        return f"{run}{self.run}"


@asynccontextmanager
async def expecting(
    sign: Event | Held, run: str, client: Client, ledger: Ledger, *, patience: float
) -> AsyncIterator[Callable[[], Awaitable[bool]]]:
    """Gives what waits for the sign, for so many seconds, and says whether it came.

    Enter before the run is started. What the ledger held back goes on when the block ends.
    """
    if isinstance(sign, Event):
        yield lambda: _in_time(seen(client, run, sign), patience)
        return
    with ledger.hold(sign.of(run), sign.step) as hold:

        async def arrived() -> None:
            while not hold.arrived.is_set():
                await asyncio.sleep(0.005)

        yield lambda: _in_time(arrived(), patience)


async def _in_time(waited: Awaitable[Any], patience: float) -> bool:
    try:
        async with asyncio.timeout(patience):
            await waited
    except TimeoutError:
        return False
    return True


async def seen(client: Client, run: str, sign: Event) -> None:
    """Return once the event is in the history of the run, which may not have started yet.

    Never returns if the run ends without.
    """
    while True:
        try:
            if await _found(client, run, sign):
                return
        except RPCError:  # there is no such run yet, or no server
            pass
        await asyncio.sleep(0.02)


async def at_work(client: Client, run: str) -> int | None:
    """The process that performs an activity of the run, or else its last workflow task."""
    try:
        async with asyncio.timeout(1):
            told = await client.get_workflow_handle(run).describe()
            pending = told.raw_description.pending_activities
            names = [each.last_worker_identity for each in pending if each.last_worker_identity]
            names = names or await _deciders(client, run)
    except (RPCError, TimeoutError):
        return None
    number = names[-1].partition("@")[0] if names else ""
    return int(number) if number.isdecimal() else None


async def _deciders(client: Client, run: str) -> list[str]:
    events = client.get_workflow_handle(run).fetch_history_events()
    return [
        event.workflow_task_started_event_attributes.identity
        async for event in events
        if _type(event) == "WORKFLOW_TASK_STARTED"
    ]


async def _found(client: Client, run: str, sign: Event) -> bool:
    scheduled: dict[int, str] = {}
    handle = client.get_workflow_handle(run)
    async for event in handle.fetch_history_events(wait_new_event=True):
        begun = event.activity_task_scheduled_event_attributes
        if begun.activity_id:
            scheduled[event.event_id] = begun.activity_id
        if event.event_id <= sign.beyond or _type(event) != sign.type:
            continue
        if not sign.about or sign.about in _names(event, scheduled):
            return True
    return False


def _type(event: Any) -> str:
    return EventType.Name(event.event_type).removeprefix("EVENT_TYPE_")


def _names(event: Any, scheduled: dict[int, str]) -> str:
    """Everything the event says, and of which activity it is."""
    ended = event.activity_task_completed_event_attributes.scheduled_event_id
    said: bytes = event.SerializeToString()
    return f"{scheduled.get(ended, '')} {said.decode('latin-1')}"
