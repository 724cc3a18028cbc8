"""A rate that runs share: one run of this workflow for each name, as long as starts count.

Runs reserve starts by an update, and are told the moments at once; they wait by themselves.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from temporalio import workflow
from temporalio.exceptions import ApplicationError

from flowspec.sharing import RateBook, Reservation, read_reservation
from workflows.names import RATE, RATE_RESERVE
from workflows.payloads import inline

__all__ = ["RateWorkflow"]

_LINGERS = 10.0
"""How long it stays at hand once no start counts any more, in seconds."""

_MOST_RESERVED = 1000
"""Temporal takes 2,000 updates of one execution."""


@workflow.defn(name=RATE, sandboxed=False)
class RateWorkflow:
    @workflow.init
    def __init__(self, state: dict[str, Any] | None = None) -> None:
        self._book = RateBook() if state is None else RateBook.load(state)
        self._since = workflow.time()
        self._reserved = 0

    @workflow.run
    async def run(self, state: dict[str, Any] | None = None) -> None:  # noqa: ARG002
        while not self._is_full():
            left = max(self._book.ends, self._since) + _LINGERS - workflow.time()
            if left <= 0:
                return
            with suppress(TimeoutError):
                await workflow.wait_condition(self._is_full, timeout=left)
        workflow.continue_as_new(inline(self._book.dump()))

    def _is_full(self) -> bool:
        suggested = workflow.info().is_continue_as_new_suggested()
        return suggested or self._reserved >= _MOST_RESERVED

    @workflow.update(name=RATE_RESERVE)
    def reserve(self, wanted: Any) -> Any:
        """`{count, limit, per}` → `{moments}`, each in seconds since 1970."""
        self._reserved += 1
        return inline({"moments": self._book.reserve(workflow.time(), **_read(wanted))})

    @reserve.validator
    def _check(self, wanted: Any) -> None:
        """Anybody can ask; what makes no sense must not stand in the history."""
        _read(wanted)


def _read(wanted: Any) -> Reservation:
    reservation = read_reservation(wanted)
    if isinstance(reservation, str):
        raise ApplicationError(reservation, type="InvalidParams", non_retryable=True)
    return reservation
