"""Somebody's ordinary Temporal program, which knows nothing of any claim check."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from temporalio import activity, workflow
from temporalio.common import RetryPolicy
from temporalio.exceptions import ApplicationError

LIMITS: dict[str, Any] = {
    "start_to_close_timeout": timedelta(seconds=60),
    "retry_policy": RetryPolicy(
        initial_interval=timedelta(milliseconds=10), maximum_attempts=20, backoff_coefficient=1
    ),
}


@dataclass
class Line:
    number: int
    text: str


@dataclass
class Report:
    title: str
    lines: list[Line]


@dataclass
class Summary:
    title: str
    count: int
    first: Line
    note: str


@dataclass
class Digest:
    summary: Summary
    size: int
    title_from_object: str
    heard: int


@activity.defn
async def make_report(title: str, size: int) -> Report:
    return Report(title, [Line(number, "x" * 80) for number in range(size // 100)])


@activity.defn
async def summarize(report: Report, note: str) -> Summary:
    assert isinstance(report, Report)
    assert isinstance(report.lines[0], Line)
    return Summary(report.title, len(report.lines), report.lines[0], note)


@activity.defn
async def render(report: Report) -> bytes:
    return "\n".join(line.text for line in report.lines).encode()


@activity.defn
def measure(data: bytes) -> int:
    """Runs in a thread, or in another process."""
    assert isinstance(data, bytes)
    return len(data)


@activity.defn
async def title_of(given: dict[str, Any]) -> str:
    title: str = given["report"]["title"]
    return title


@activity.defn
async def count(texts: list[str]) -> int:
    return sum(len(text) for text in texts)


@activity.defn
async def twice(text: str) -> str:
    return text * 2


@activity.defn
async def resume() -> list[int]:
    """Fails at first, and goes on from what it had told then."""
    told = activity.info().heartbeat_details
    if not told:
        activity.heartbeat(["x" * 200_000], 7)
        raise ApplicationError("again")
    return [len(told[0][0]), told[1]]


@activity.defn
async def fail(size: int) -> None:
    raise ApplicationError("no", {"reason": "x" * size}, type="Refused", non_retryable=True)


ACTIVITIES = [make_report, summarize, render, measure, title_of, count, twice, resume, fail]


@workflow.defn
class MakeReport:
    """Hands large values from one activity to another."""

    def __init__(self) -> None:
        self._heard: list[Any] = []

    @workflow.run
    async def run(self, title: str, length: int, note: str) -> Digest:
        report = await workflow.execute_activity(make_report, args=[title, length], **LIMITS)
        summary, data = await asyncio.gather(
            workflow.execute_activity(summarize, args=[report, note], **LIMITS),
            workflow.execute_local_activity(render, report, **LIMITS),
        )
        size = await workflow.execute_activity(measure, data, **LIMITS)
        from_object = await workflow.execute_activity(title_of, {"report": report}, **LIMITS)
        await workflow.wait_condition(lambda: len(self._heard) == 2)
        heard = await workflow.execute_activity(count, [*self._heard, "w" * length], **LIMITS)
        return Digest(summary, size, from_object, heard)

    @workflow.signal
    def hear(self, text: str) -> None:
        self._heard.append(text)

    @workflow.update
    async def reply(self, text: str) -> str:
        self._heard.append(text)
        return text

    @workflow.query
    def last(self) -> str:
        text: str = self._heard[-1]
        return text


@workflow.defn
class Parent:
    """Starts a child with a large value, is given one by it, and goes on as another run."""

    @workflow.run
    async def run(self, text: str, again: bool) -> str:
        if again:
            workflow.continue_as_new(args=[text, False])
        given: str = await workflow.execute_child_workflow(
            Child.run, text, id=f"{workflow.info().workflow_id}-child"
        )
        assert await workflow.execute_activity(count, [given], **LIMITS) > 0
        return given


@workflow.defn
class Child:
    @workflow.run
    async def run(self, text: str) -> str:
        return await workflow.execute_activity(twice, text, **LIMITS)


@workflow.defn
class Troubled:
    @workflow.run
    async def run(self, what: str) -> list[int]:
        if what == "resume":
            return await workflow.execute_activity(resume, **LIMITS)
        await workflow.execute_activity(fail, 300_000, **LIMITS)
        return []


WORKFLOWS = [MakeReport, Parent, Child, Troubled]
