"""Runs started one after the other, attended to as people would, until nobody wants more.

Everything here goes on through faults: what a dead server or worker did not answer is asked again.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from random import Random
from typing import Any, TypeVar

from temporalio.client import (
    Client,
    WorkflowFailureError,
    WorkflowHandle,
    WorkflowUpdateFailedError,
    WorkflowUpdateRPCTimeoutOrCancelledError,
)
from temporalio.common import WorkflowIDReusePolicy
from temporalio.exceptions import ApplicationError, CancelledError, WorkflowAlreadyStartedError
from temporalio.service import RPCError, RPCStatusCode

from claimcheck import ClaimCheckError
from tests.chaos.checks import Ended
from tests.chaos.signs import Event, seen
from tests.chaos.workload import KINDS, Run

__all__ = ["Traffic"]

T = TypeVar("T")
Handle = WorkflowHandle[Any, Any]

_CALL = 8.0
_RESTS = Event("TIMER_STARTED")


@dataclass(kw_only=True)
class Traffic:
    """Runs on one task queue. Every run has a number of its own, on which all it does depends."""

    client: Client
    task_queue: str
    url: str
    random: Random
    kinds: tuple[str, ...] = tuple(KINDS)
    patience: float = 600.0
    """How long a run may take; a fault that a workflow task dies of costs it ten seconds."""
    ended: list[Ended] = field(default_factory=list)
    open: dict[str, asyncio.Task[None]] = field(default_factory=dict)
    _numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def next(self, kind: str | None = None) -> Run:
        """A run that has not been started."""
        number = next(self._numbers)
        often = [KINDS[each].often for each in self.kinds]
        drawn = kind or self.random.choices(self.kinds, often)[0]
        return Run(kind=drawn, id=f"{self.task_queue}-{drawn}-{number}", n=7 + 1000 * number)

    def start(self, run: Run) -> None:
        """Let it run; it is in `ended` once it has ended."""
        self.open[run.id] = asyncio.create_task(self._see_through(run))

    @asynccontextmanager
    async def flowing(self, width: int) -> AsyncIterator[None]:
        """Always so many runs inside the block, and none at its end."""
        flow = asyncio.create_task(self._flow(width))
        try:
            yield
        finally:
            flow.cancel()
            with suppress(asyncio.CancelledError):
                await flow
            await asyncio.gather(*self.open.values())

    async def _flow(self, width: int) -> None:
        while True:
            if len(self.open) < width:
                self.start(self.next())
            await asyncio.sleep(0.1)

    async def _see_through(self, run: Run) -> None:
        try:
            async with asyncio.timeout(self.patience):
                handle = await insisting(lambda: self._started(run))
                attending = asyncio.create_task(self._attend(run, handle))
                try:
                    ended = await insisting(lambda: _outcome(run, handle))
                    for child in KINDS[run.kind].expected(run).children:
                        await insisting(self.client.get_workflow_handle(child).result)
                finally:
                    attending.cancel()
                    with suppress(asyncio.CancelledError):
                        await attending
        except TimeoutError:
            ended = Ended(run=run, status=None)
        self.ended.append(ended)
        del self.open[run.id]

    async def _started(self, run: Run) -> Handle:
        given = {"url": self.url, "n": run.n}
        with suppress(WorkflowAlreadyStartedError):
            await self.client.start_workflow(
                run.kind,
                given,
                id=run.id,
                task_queue=self.task_queue,
                id_reuse_policy=WorkflowIDReusePolicy.REJECT_DUPLICATE,
            )
        return self.client.get_workflow_handle(run.id)

    async def _attend(self, run: Run, handle: Handle) -> None:
        """What people do: send what is waited for, decide, cancel."""
        kind = KINDS[run.kind]
        signals = list(kind.signals(run).items())
        # In any order, so that a run waits, and continues as new, while it holds later ones.
        for name, told in self.random.sample(signals, len(signals)):
            await asyncio.sleep(self.random.uniform(0, 0.3))
            await insisting(partial(handle.signal, name, told))
        if kind.approves is not None:
            await insisting(lambda: _approved(handle, run))
        if kind.cancels is not None:
            await seen(self.client, run.id, _RESTS)
            await insisting(handle.cancel)


async def _approved(handle: Handle, run: Run) -> None:
    """Asked again under the same id, so that it is decided once; refused until it is waited for."""
    decision = {"action": "approved", "by": "chaos", "data": {"token": run.n}}
    while True:
        with suppress(WorkflowUpdateFailedError):
            await handle.execute_update("complete", decision, id="decision")
            return
        await asyncio.sleep(0.2)


async def _outcome(run: Run, handle: Handle) -> Ended:
    try:
        return Ended(run=run, status="completed", output=await handle.result())
    except WorkflowFailureError as error:
        cause = error.cause
        if isinstance(cause, CancelledError):
            return Ended(run=run, status="cancelled")
        if isinstance(cause, ApplicationError) and cause.details:
            told = cause.details[0]
            output = {"type": told.get("type"), "message": told.get("message")}
            return Ended(run=run, status="failed", output=output)
        return Ended(run=run, status="failed", output=repr(cause))
    except ClaimCheckError as error:  # its output is not where it should be
        return Ended(run=run, status="failed", output=repr(error))


async def insisting(call: Callable[[], Awaitable[T]]) -> T:
    """The answer, however often it takes to ask: a call that is not answered is made again."""
    while True:
        try:
            async with asyncio.timeout(_CALL):
                return await call()
        except (TimeoutError, WorkflowUpdateRPCTimeoutOrCancelledError) as error:
            task = asyncio.current_task()
            if task is not None and task.cancelling():  # an update tells that as its own error
                raise asyncio.CancelledError from error
            continue
        except RPCError as error:
            if error.status in (RPCStatusCode.INVALID_ARGUMENT, RPCStatusCode.PERMISSION_DENIED):
                raise
        await asyncio.sleep(0.2)
