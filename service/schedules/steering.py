"""Telling a schedule what to do: start a run now, or those of a time that is over; pause, go on."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from google.protobuf.timestamp_pb2 import Timestamp
from temporalio.api.workflowservice.v1 import ListScheduleMatchingTimesRequest
from temporalio.client import Client, ScheduleBackfill, ScheduleDescription

from flowspec.moments import MomentInvalid, ZoneUnknown, in_zone, read_moment, zone_named
from flowspec.schedules import Overlap
from service.errors import InputWrong, RequestRefused
from service.schedules.errors import mapped_schedule
from service.schedules.looking import StartedRun, describe, started_by
from service.schedules.wanted import overlap_named

__all__ = ["Period", "backfill", "delete", "pause", "read_period", "resume", "trigger"]

_TIMEOUT = timedelta(seconds=30)
_LONGEST_WAIT = 10.0
_ASK_EVERY = 0.1
_MOST_AT_ONCE = 1000
"""So many starts Temporal lists, and so many a schedule keeps waiting."""


@dataclass(frozen=True, kw_only=True)
class Period:
    """Both ends belong to it."""

    begin: datetime
    end: datetime


async def pause(client: Client, id: str, note: str) -> None:
    with mapped_schedule(id):
        await client.get_schedule_handle(id).pause(note=note, rpc_timeout=_TIMEOUT)


async def resume(client: Client, id: str, note: str) -> None:
    with mapped_schedule(id):
        await client.get_schedule_handle(id).unpause(note=note, rpc_timeout=_TIMEOUT)


async def delete(client: Client, id: str) -> None:
    """Its runs stay, and those that are open go on."""
    with mapped_schedule(id):
        await client.get_schedule_handle(id).delete(rpc_timeout=_TIMEOUT)


async def trigger(client: Client, id: str, overlap: Overlap | None) -> StartedRun | None:
    """Start a run now; None if it waits for the end of one that is open.

    Raises `RequestRefused` if none is started, for then one that is open keeps it from that.
    """
    before = await describe(client, id)
    policy = overlap_named(overlap) if overlap else None
    with mapped_schedule(id):
        await client.get_schedule_handle(id).trigger(overlap=policy, rpc_timeout=_TIMEOUT)
    for _ in range(int(_LONGEST_WAIT / _ASK_EVERY)):
        now = await describe(client, id)
        if (run := _newer(before, now)) is not None:
            return run
        if now.info.num_actions_skipped_overlap > before.info.num_actions_skipped_overlap:
            raise RequestRefused(_skipped(id, now))
        if now.raw_description.info.buffer_size > before.raw_description.info.buffer_size:
            return None
        await asyncio.sleep(_ASK_EVERY)
    raise RequestRefused(
        f"Temporal has not started a run of schedule {id!r}.\n"
        "It starts no more than one in a second, for their ids tell them apart by that: try again."
    )


def _newer(before: ScheduleDescription, now: ScheduleDescription) -> StartedRun | None:
    known = [run.run_id for run in started_by(before)]
    return next((run for run in started_by(now) if run.run_id not in known), None)


def _skipped(id: str, now: ScheduleDescription) -> str:
    newest = next(iter(started_by(now)), None)
    run = f" ({newest.workflow_id})" if newest else ""
    return (
        f"nothing was started: a run of schedule {id!r} is still open{run}, and its overlap policy "
        "is skip.\nStart one all the same with --overlap allow_all, or after it with "
        "--overlap buffer_one."
    )


async def read_period(client: Client, id: str, begin: str, end: str) -> Period:
    """From the command line; times without a zone are those of the schedule's.

    Raises `InputWrong`, `ScheduleNotFound`.
    """
    found = await describe(client, id)
    try:
        zone = zone_named(found.schedule.spec.time_zone_name or "UTC")
    except ZoneUnknown:
        zone = UTC
    try:
        begins, ends = (in_zone(read_moment(text), zone) for text in (begin, end))
    except MomentInvalid as error:
        raise InputWrong(str(error)) from error
    if begins > ends:
        raise InputWrong(f"--from {begin} is later than --to {end}")
    return Period(begin=begins, end=ends)


async def backfill(client: Client, id: str, period: Period, overlap: Overlap) -> int:
    """Start the runs of a time that is over, as if it passed now; gives how many there are.

    Raises `InputWrong` if there are none, or too many.
    """
    # Temporal leaves out what falls on the very beginning.
    begin = period.begin - timedelta(milliseconds=1)
    count = await _count(client, id, begin, period.end)
    if count == 0:
        raise InputWrong(f"schedule {id!r} has no times in between: see `flowrunner schedule show`")
    if count >= _MOST_AT_ONCE:
        raise InputWrong(
            f"schedule {id!r} has {_MOST_AT_ONCE} times or more in between: do it in parts"
        )
    wanted = ScheduleBackfill(start_at=begin, end_at=period.end, overlap=overlap_named(overlap))
    with mapped_schedule(id):
        await client.get_schedule_handle(id).backfill(wanted, rpc_timeout=_TIMEOUT)
    return count


async def _count(client: Client, id: str, begin: datetime, end: datetime) -> int:
    request = ListScheduleMatchingTimesRequest(namespace=client.namespace, schedule_id=id)
    request.start_time.CopyFrom(_timestamp(begin))
    request.end_time.CopyFrom(_timestamp(end))
    with mapped_schedule(id):
        found = await client.workflow_service.list_schedule_matching_times(
            request, timeout=_TIMEOUT
        )
    return len(found.start_time)


def _timestamp(moment: datetime) -> Timestamp:
    stamp = Timestamp()
    stamp.FromDatetime(moment)
    return stamp
