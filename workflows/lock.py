"""A lock that runs share: one run of this workflow for each name, as long as somebody wants it.

Runs ask and give back by signals, and are told by one; all of them may come twice. Whoever holds
the lock while others wait is looked after: a run that has ended holds nothing.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

from temporalio import workflow
from temporalio.common import RetryPolicy
from temporalio.exceptions import ActivityError, ApplicationError

from flowspec.sharing import Claimant, LockBook, read_claimant
from workflows.names import LOCK, LOCK_ASK, LOCK_CHECK, LOCK_GIVE_BACK, LOCK_GRANTED
from workflows.payloads import inline

__all__ = ["LockWorkflow"]

_LINGERS = 10.0
"""How long the last one's lock is kept at hand for the next."""

_FIRST_LOOK, _RAREST_LOOK = 1.0, 30.0
"""The pauses between two looks whether the holders still run, in seconds."""

_MOST_EVENTS = 4000


@workflow.defn(name=LOCK, sandboxed=False)
class LockWorkflow:
    @workflow.init
    def __init__(self, name: str, state: dict[str, Any] | None = None) -> None:
        self._name = name
        self._book = LockBook() if state is None else LockBook.load(state)
        self._changed = True
        self._pause = _FIRST_LOOK

    @workflow.run
    async def run(self, name: str, state: dict[str, Any] | None = None) -> None:  # noqa: ARG002
        look_at = workflow.time() + self._pause
        while True:
            self._changed = False
            await self._let_in()
            self._show()
            if self._changed:
                continue
            self._make_room()
            if not await self._something_happens(look_at):
                if self._book.is_idle:
                    return
                await self._look_after()
                look_at = workflow.time() + self._pause

    # -- what runs say -------------------------------------------------------------------------

    @workflow.signal(name=LOCK_ASK)
    def ask(self, asked: Any) -> None:
        claimant = read_claimant(asked)
        if claimant is None:  # anybody can send one: no reason to stop the lock
            workflow.logger.warning("who asks for lock %r is passed over: no claimant", self._name)
            return
        if not self._book.line:
            self._pause = _FIRST_LOOK
        held = self._book.ask(claimant)
        if held is not None:  # it may not have heard
            held.told = False
        self._changed = True

    @workflow.signal(name=LOCK_GIVE_BACK)
    def give_back(self, token: Any) -> None:
        if isinstance(token, str):
            self._book.leave(token)
        self._changed = True

    @workflow.query
    def state(self) -> Any:
        """Who holds the lock, and who waits for it, the first in the line first."""
        return inline(self._book.dump())

    # -- what they are told --------------------------------------------------------------------

    async def _let_in(self) -> None:
        self._book.let_in(workflow.time())
        entered = [each for each in self._book.holders.values() if not each.told]
        for each in entered:
            each.told = True
        await asyncio.gather(*(self._tell(each) for each in entered))

    async def _tell(self, holder: Claimant) -> None:
        """A run that cannot be told any more does not hold it."""
        grant = {"id": workflow.info().workflow_id, "token": holder.token, "until": holder.until}
        run = workflow.get_external_workflow_handle(holder.workflow_id)
        try:
            await run.signal(LOCK_GRANTED, inline(grant))
        except ApplicationError:
            self.give_back(holder.token)

    def _show(self) -> None:
        lines = [f"Lock **{self._name}**"]
        lines += [f"- held by `{each.token}`" for each in self._book.holders.values()]
        lines += [f"- waits: `{each.token}`" for each in self._book.line.values()]
        workflow.set_current_details("\n".join(lines))

    # -- time ----------------------------------------------------------------------------------

    def _make_room(self) -> None:
        info = workflow.info()
        if info.is_continue_as_new_suggested() or info.get_current_history_length() > _MOST_EVENTS:
            workflow.continue_as_new(args=[self._name, inline(self._book.dump())])

    async def _something_happens(self, look_at: float) -> bool:
        """False if the time has come to look around instead."""
        now = workflow.time()
        if self._book.is_idle:
            due: float | None = now + _LINGERS
        else:
            looks = [look_at] if self._book.line else []
            expiry = self._book.next_expiry
            due = min([*looks, *([] if expiry is None else [expiry])], default=None)
        timeout = None if due is None else max(0.0, due - now)
        try:
            await workflow.wait_condition(lambda: self._changed, timeout=timeout)
        except TimeoutError:
            return self._changed
        return True

    async def _look_after(self) -> None:
        """Take the lock from those whose time is over, and from runs that have ended."""
        self._book.expel(workflow.time())
        if not self._book.line or not self._book.holders:
            return
        holders = [
            {"token": each.token, "workflow_id": each.workflow_id, "run_id": each.run_id}
            for each in self._book.holders.values()
        ]
        try:
            gone: list[str] = await workflow.execute_local_activity(
                LOCK_CHECK,
                inline(holders),
                start_to_close_timeout=timedelta(seconds=30),
                retry_policy=RetryPolicy(maximum_attempts=2),
            )
        except ActivityError:
            gone = []  # another look will tell
        for token in gone:
            self._book.leave(token)
        self._pause = _FIRST_LOOK if gone else min(self._pause * 2, _RAREST_LOOK)
