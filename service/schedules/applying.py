"""Bringing Temporal's schedules to what the documents of flows say."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal, TypeAlias

from temporalio.client import (
    Client,
    ScheduleDescription,
    ScheduleState,
    ScheduleUpdate,
    ScheduleUpdateInput,
)

from claimcheck.payloads import Inline
from flowspec.values import JsonObject
from service.errors import InputWrong, ScheduleNotFound
from service.schedules.errors import mapped_schedule
from service.schedules.facts import Change, changes, facts_of, facts_wanted
from service.schedules.looking import describe, is_ours, list_schedules
from service.schedules.wanted import MEMO, Wanted

__all__ = ["Action", "Outlook", "Step", "perform", "plan_steps"]

Action: TypeAlias = Literal["create", "update", "keep", "delete"]


@dataclass(frozen=True, kw_only=True)
class Step:
    """What becomes of one schedule; `wanted` is None for one that goes."""

    action: Action
    id: str
    wanted: Wanted | None = None
    changes: tuple[Change, ...] = ()

    def as_json(self) -> JsonObject:
        return {
            "id": self.id,
            "action": self.action,
            "changes": [change.as_json() for change in self.changes],
        }


@dataclass(frozen=True, kw_only=True)
class Outlook:
    """When a schedule starts its next run; None for never."""

    next: datetime | None
    paused: bool


async def plan_steps(
    client: Client, wanted: Sequence[Wanted], *, flows: Sequence[str], prune: bool
) -> list[Step]:
    """What there is to be done; with `prune`, schedules of `flows` that nobody wants go.

    Raises `InputWrong` if a schedule of that id is not ours.
    """
    steps = [await _step(client, each) for each in wanted]
    if prune:
        kept = [step.id for step in steps]
        listed = await list_schedules(client)
        steps += [
            Step(action="delete", id=each.id)
            for each in listed
            if each.flow in flows and each.id not in kept
        ]
    return steps


async def perform(client: Client, step: Step) -> Outlook | None:
    """Do it; gives how what then is there stands, None if nothing is."""
    handle = client.get_schedule_handle(step.id)
    if step.wanted is None:
        with mapped_schedule(step.id):
            await handle.delete()
        return None
    if step.action == "create":
        await _create(client, step.wanted)
    elif step.action == "update":
        with mapped_schedule(step.id):
            await handle.update(_Updater(step.wanted))
    found = await describe(client, step.id)
    times = found.info.next_action_times
    return Outlook(next=times[0] if times else None, paused=found.schedule.state.paused)


async def _step(client: Client, wanted: Wanted) -> Step:
    try:
        found = await describe(client, wanted.id)
    except ScheduleNotFound:
        return Step(action="create", id=wanted.id, wanted=wanted)
    if not is_ours(found):
        raise InputWrong(
            f"there is a schedule {wanted.id!r} already that Flowrunner has not made.\n"
            f"Delete it first, with `flowrunner schedule delete {wanted.id}`, or rename the one in "
            "the flow."
        )
    told = await _changes(client, found, wanted)
    return Step(
        action="update" if told else "keep", id=wanted.id, wanted=wanted, changes=tuple(told)
    )


async def _changes(client: Client, found: ScheduleDescription, wanted: Wanted) -> list[Change]:
    paused = found.schedule.state.paused
    return changes(await facts_of(client, found), facts_wanted(wanted, paused=paused))


async def _create(client: Client, wanted: Wanted) -> None:
    written = wanted.written
    state = ScheduleState(note=written.note, paused=bool(written.paused))
    memo = {MEMO: Inline({"flow": wanted.flow, "name": wanted.name})}
    with mapped_schedule(wanted.id):
        await client.create_schedule(wanted.id, wanted.as_temporal(state), memo=memo)


@dataclass(frozen=True)
class _Updater:
    """Puts what is wanted in the place of what there is, and leaves the rest of its state."""

    wanted: Wanted

    def __call__(self, given: ScheduleUpdateInput) -> ScheduleUpdate:
        state, written = given.description.schedule.state, self.wanted.written
        note = written.note if "note" in facts_wanted(self.wanted, paused=state.paused) else None
        paused = state.paused if written.paused is None else written.paused
        kept = replace(state, paused=paused, note=state.note if note is None else note)
        return ScheduleUpdate(schedule=self.wanted.as_temporal(kept))
