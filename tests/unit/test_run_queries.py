"""Asking a run: who tells that no worker answers, and when it is only asked again.

The server drops a question under load at most; so the client's side of it is stood in for.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any, cast

import pytest
from temporalio.client import WorkflowHandle
from temporalio.service import RPCError, RPCStatusCode

from service.errors import NoWorker
from service.runs.looking import query

CANCELLED = RPCError("context canceled", RPCStatusCode.CANCELLED, b"")
NO_POLLER = RPCError("no poller seen", RPCStatusCode.FAILED_PRECONDITION, b"")
LOST = RPCError("gone", RPCStatusCode.UNAVAILABLE, b"")


class Asked:
    """A run that is asked: what comes of it each time, the last for ever."""

    id = "asked"

    def __init__(self, *answers: str | RPCError) -> None:
        self.answers = list(answers)
        self.times: list[timedelta] = []

    async def query(self, name: str, *, rpc_timeout: timedelta) -> str:
        self.times.append(rpc_timeout)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, RPCError):
            raise answer
        return f"{name}: {answer}"


async def _ask(run: Asked, seconds: float = 5) -> Any:
    handle = cast("WorkflowHandle[Any, Any]", run)
    return await query(handle, "status", within=timedelta(seconds=seconds))


async def test_what_the_server_drops_is_asked_again() -> None:
    run = Asked(CANCELLED, CANCELLED, "well")
    assert await _ask(run) == "status: well"
    first, *_, last = run.times
    assert len(run.times) == 3
    assert last < first <= timedelta(seconds=5), "all of it within the time that there is"


async def test_nobody_answers_within_the_time() -> None:
    run = Asked(CANCELLED)
    with pytest.raises(NoWorker, match="'asked'"):
        await _ask(run, 0.5)
    assert len(run.times) > 1


async def test_a_question_has_some_time_however_late_it_is() -> None:
    run = Asked("well")
    assert await _ask(run, 0) == "status: well"
    assert run.times > [timedelta()]


async def test_that_nobody_polls_is_not_asked_twice() -> None:
    run = Asked(NO_POLLER)
    with pytest.raises(NoWorker):
        await _ask(run)
    assert len(run.times) == 1


async def test_another_error_is_left_as_it_is() -> None:
    run = Asked(LOST)
    with pytest.raises(RPCError) as raised:
        await _ask(run)
    assert raised.value is LOST
    assert len(run.times) == 1
