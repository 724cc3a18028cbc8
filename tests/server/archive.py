"""Somebody's Temporal program that makes use of claims."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from temporalio import activity, workflow
from temporalio.common import RawValue, RetryPolicy

from claimcheck import Claim, Inline, takes_claims

LIMITS: dict[str, Any] = {
    "start_to_close_timeout": timedelta(seconds=60),
    "retry_policy": RetryPolicy(
        initial_interval=timedelta(milliseconds=10), maximum_attempts=20, backoff_coefficient=1
    ),
}


@dataclasses.dataclass
class Entry:
    name: str
    text: Any


@activity.defn
async def write(size: int) -> str:
    return "x" * size


@activity.defn
async def claim_itself(text: Claim) -> list[Any]:
    return [type(text).__name__, text.size]


@activity.defn
async def claim_or_text(text: Claim | str) -> str:
    return type(text).__name__


@activity.defn
async def claims_within(texts: list[Claim], filling: str = "") -> list[Any]:
    return [len(filling), *(type(text).__name__ for text in texts)]


@activity.defn
@takes_claims
async def marked(given: dict[str, Any]) -> list[str]:
    return [type(given["text"]).__name__, type(given["small"]).__name__]


@activity.defn
async def entry_size(entry: Entry) -> int:
    assert isinstance(entry, Entry)
    return len(entry.text)


@activity.defn
async def raw_size(raw: RawValue) -> int:
    return len(raw.payload.data)


@activity.defn(dynamic=True)
async def anything(args: Sequence[RawValue]) -> list[int]:
    converter = activity.payload_converter()
    return [len(converter.from_payload(raw.payload, str)) for raw in args]


class Shelf:
    """An activity that is an object."""

    @activity.defn(name="shelve")
    async def shelve(self, entry: Entry, copies: int = 2) -> int:
        assert isinstance(entry, Entry | dict)
        return copies


@activity.defn
async def inline_text(size: int) -> Any:
    return Inline("x" * size)


ACTIVITIES = [
    write, claim_itself, claim_or_text, claims_within, marked, entry_size, raw_size, anything,
    Shelf().shelve, inline_text,
]  # fmt: skip


@workflow.defn
class Archive:
    @workflow.run
    async def run(self, size: int) -> dict[str, Any]:
        text: Any = await workflow.execute_activity(write, size, **LIMITS)
        assert isinstance(text, Claim)
        return {
            "seen": [type(text).__name__, text.size],
            "claim itself": await workflow.execute_activity(claim_itself, text, **LIMITS),
            "large": await workflow.execute_activity(claim_or_text, text, **LIMITS),
            "small": await workflow.execute_activity(claim_or_text, "text", **LIMITS),
            "within": await workflow.execute_activity(claims_within, args=[[text, text]], **LIMITS),
            "within a large list": await workflow.execute_activity(
                claims_within, args=[[text] * 2000, text], **LIMITS
            ),
            "marked": await workflow.execute_activity(
                marked, args=[{"text": text, "small": "text"}], **LIMITS
            ),
            "dataclass": await workflow.execute_activity(entry_size, Entry("a", text), **LIMITS),
            "raw": await workflow.execute_activity(raw_size, args=[text], **LIMITS),
            "dynamic": await workflow.execute_activity("unheard-of", args=[text, "abc"], **LIMITS),
            "method": await workflow.execute_activity("shelve", Entry("a", text), **LIMITS),
            "inline": len(await workflow.execute_activity(inline_text, 100_000, **LIMITS)),
            "text": text,
            "entry": Entry("b", text),
        }


@workflow.defn
class HandOn:
    """Hands on whatever it is given, by signals too."""

    def __init__(self) -> None:
        self._given: list[Any] = []

    @workflow.run
    async def run(self, given: Any) -> list[str]:
        await workflow.wait_condition(lambda: len(self._given) > 0)
        for each in (given, *self._given):
            await workflow.execute_activity(write_down, each, **LIMITS)
        return ["done"]

    @workflow.signal
    def take(self, given: Any) -> None:
        self._given.append(given)


@activity.defn
async def write_down(given: Any) -> int:
    return len(str(given))


WORKFLOWS = [Archive, HandOn]
ACTIVITIES.append(write_down)
