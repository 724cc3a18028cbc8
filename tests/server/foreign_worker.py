"""A worker of somebody else's: Temporal's SDK and nothing of ours.

`python foreign_worker.py ADDRESS TASK_QUEUE`, and `ready` is printed once it polls.
"""

from __future__ import annotations

import asyncio
import sys
from datetime import timedelta
from typing import Any

from temporalio import activity
from temporalio.api.common.v1 import Payload
from temporalio.client import Client
from temporalio.common import RawValue
from temporalio.exceptions import ApplicationError
from temporalio.worker import Worker

_SOON = timedelta(seconds=0.2)


@activity.defn(name="Join")
async def join(first: str, second: dict[str, Any], third: None) -> dict[str, Any]:
    info = activity.info()
    return {
        "first": first,
        "keys": list(second),
        "third": third,
        "queue": info.task_queue,
        "attempt": info.attempt,
        "timeouts": [
            span.total_seconds() if span else None
            for span in (
                info.schedule_to_close_timeout,
                info.start_to_close_timeout,
                info.heartbeat_timeout,
            )
        ],
    }


@activity.defn(name="Nothing")
async def nothing() -> None: ...


@activity.defn(name="Fail")
async def fail(type: str, attempts: int) -> int:
    """Until the attempt of that number."""
    number = activity.info().attempt
    if number >= attempts:
        return number
    raise ApplicationError("no money", {"node": "theirs", "attempt": 99}, type=type)


@activity.defn(name="Break")
async def break_(what: str) -> None:
    details: dict[str, list[Any]] = {
        "bytes": [b"\xff"],
        "several": [1, "two"],
        "unknown": [RawValue(_payload("their/own", "?"))],
        "message": [RawValue(_payload("json/protobuf", '{"cents": 5}'))],
        "wrong": [RawValue(_payload("json/plain", "{nonsense"))],
    }
    raise ApplicationError("broken", *details[what], type="Broken", non_retryable=True)


@activity.defn(name="Raw")
async def raw(encoding: str, data: str) -> RawValue:
    return RawValue(_payload(encoding, data))


def _payload(encoding: str, data: str) -> Payload:
    return Payload(metadata={"encoding": encoding.encode()}, data=data.encode())


@activity.defn(name="Hang")
async def hang() -> str:
    try:
        while True:
            activity.heartbeat()
            await asyncio.sleep(0.1)
    except asyncio.CancelledError:
        print("hang was cancelled", flush=True)
        raise


@activity.defn(name="Length")
async def length(text: str) -> int:
    return len(text)


async def main(address: str, task_queue: str) -> None:
    client = await Client.connect(address)
    activities: list[Any] = [join, nothing, fail, break_, raw, hang, length]
    async with Worker(
        client,
        task_queue=task_queue,
        activities=activities,
        max_heartbeat_throttle_interval=_SOON,
        default_heartbeat_throttle_interval=_SOON,
    ):
        print("ready", flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2]))
