"""What `signal`, `approve`, `cancel`, `pause` and `resume` do, and the word that it is done."""

from __future__ import annotations

import getpass
import sys
from dataclasses import dataclass

from claimcheck.cloakroom import DEFAULT_THRESHOLD
from flowspec.values import JsonObject
from flowspec.wording import did_you_mean, listed, nearest
from service.cli.context import handle_of
from service.cli.inputs import read_data
from service.cli.screen import note, print_json
from service.errors import InputWrong
from service.runs.steering import (
    Decision,
    cancel,
    decide,
    events_of_flow,
    only_approval,
    send_signal,
)
from service.settings import load_claim_check_settings

__all__ = ["Answer", "ask_to_cancel", "give_decision", "send_control", "send_event"]

_CONTROLS = {"pause": "asked to pause", "resume": "asked to go on"}


@dataclass(frozen=True, kw_only=True)
class Answer:
    """The command line of `approve`."""

    node: str | None
    action: str
    data: str | None
    settings: tuple[str, ...]
    by: str | None
    comment: str | None


async def send_event(
    workflow_id: str, name: str, *, data: str | None, settings: tuple[str, ...], json: bool
) -> None:
    if name in _CONTROLS:
        raise InputWrong(f"{name!r} is no event: use `flowrunner {name} {workflow_id}`")
    value = read_data(data, settings, sys.stdin)
    handle = await handle_of(workflow_id)
    # Asked before, for a run that has work to do answers late.
    events = await events_of_flow(handle)
    await send_signal(handle, name, value)
    _done({"workflow_id": workflow_id, "signal": name}, f"sent {name!r} to {workflow_id}", json)
    if events is not None and name not in events:
        note(f"{workflow_id} will not heed it: {_its_events(name, events)}")


def _its_events(name: str, events: frozenset[str]) -> str:
    if not events:
        return "its flow waits for no events"
    known = listed([repr(each) for each in sorted(events)], "and")
    return f"its flow waits for {known}{did_you_mean(nearest(name, sorted(events)))}"


async def give_decision(workflow_id: str, answer: Answer, *, json: bool) -> None:
    data = read_data(answer.data, answer.settings, sys.stdin)
    handle = await handle_of(workflow_id)
    node = answer.node or (await only_approval(handle)).path
    decision = Decision(
        node=node,
        action=answer.action,
        data=data,
        by=answer.by or _user(),
        comment=answer.comment,
    )
    # Whoever puts even small values into the store still has to be able to decide.
    limit = max(load_claim_check_settings().threshold, DEFAULT_THRESHOLD)
    accepted = await decide(handle, decision, limit=limit)
    told: JsonObject = {"workflow_id": workflow_id, **accepted}
    _done(told, f"{workflow_id}: {accepted.get('node', node)} is {answer.action}", json)


async def ask_to_cancel(workflow_id: str, *, json: bool) -> None:
    await cancel(await handle_of(workflow_id))
    words = f"{workflow_id} has been asked to end; see it with `flowrunner status {workflow_id}`"
    _done({"workflow_id": workflow_id, "signal": "cancel"}, words, json)


async def send_control(workflow_id: str, name: str, *, json: bool) -> None:
    await send_signal(await handle_of(workflow_id), name)
    words = f"{workflow_id} has been {_CONTROLS[name]}"
    _done({"workflow_id": workflow_id, "signal": name}, words, json)


def _user() -> str | None:
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # a container's user need not have a name
        return None


def _done(told: JsonObject, words: str, json: bool) -> None:
    if json:
        print_json(told)
    else:
        note(words)
