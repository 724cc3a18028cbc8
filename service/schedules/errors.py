"""Temporal's errors about schedules, in this package's words."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from temporalio.client import ScheduleAlreadyRunningError
from temporalio.service import RPCError, RPCStatusCode

from service.errors import InputWrong, ScheduleNotFound
from service.runs.failures import mapped

__all__ = ["mapped_schedule"]


@contextmanager
def mapped_schedule(id: str) -> Iterator[None]:
    """As `mapped`, for one schedule; raises `ScheduleNotFound`."""
    try:
        with mapped():
            try:
                yield
            except RPCError as error:
                if error.status == RPCStatusCode.NOT_FOUND:
                    raise ScheduleNotFound.of(id) from error
                raise
    except ScheduleAlreadyRunningError as error:
        raise InputWrong(
            f"somebody else has created schedule {id!r} at this moment: run the command again"
        ) from error
