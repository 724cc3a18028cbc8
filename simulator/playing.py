"""Playing a run from its start to its end, with what is said to it on the way."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, cast

from flowspec.machine import Finished, Machine
from flowspec.plan import Plan
from flowspec.sharing import lock_id
from flowspec.values import Json, JsonObject
from simulator.run import Run, start_run
from simulator.trace import Ended, Played
from simulator.world import EPOCH, Scene, World

__all__ = ["Cue", "Held", "play"]

_MOST_NODES = 500


@dataclass(frozen=True, kw_only=True)
class Cue:
    """Something said to the run, `at` seconds after its start.

    `name` is the signal, or the approval's node or path; `value` what comes along.
    """

    at: float
    kind: Literal["signal", "approve", "cancel", "pause", "resume"]
    name: str | None = None
    value: Json = None
    action: str | None = None
    by: str | None = None
    comment: str | None = None


@dataclass(frozen=True, kw_only=True)
class Held:
    """A lock that somebody else holds for so many seconds."""

    lock: str
    until: float


def play(
    scene: Scene,
    plan: Plan,
    input: Json,
    *,
    start: float = EPOCH,
    cues: Sequence[Cue] = (),
    held: Sequence[Held] = (),
) -> Played:
    """Raises `Unmocked`, `MockWrong` and `NeverEnds`, with what was seen until then lost."""
    played = Played(flow=plan.flow, began=start, at=start)
    world = World(scene, played)
    for each in held:
        _hold(world, each)

    def told(finished: Finished) -> None:
        played.at = world.now
        played.ended = Ended(status=finished.status, output=finished.output, error=finished.error)

    world.open_ids[plan.flow] = None
    run = start_run(world, plan, input, id=plan.flow, told=told)
    for cue in cues if run is not None else ():
        _expect(world, run, cue)
    world.go_on()
    if run is not None:
        played.standing = cast("list[JsonObject]", run.machine.status(_MOST_NODES)["nodes"])
        if played.ended.status == "waiting":
            played.at = world.now
            played.ended = run.standing
    return played


def _hold(world: World, held: Held) -> None:
    lock, token = lock_id(held.lock), "somebody else"
    world.shared.hold(lock, token=token)
    world.at(
        world.now + held.until,
        lambda: world.grant(world.shared.let_go(lock, token=token, now=world.now)),
    )


def _expect(world: World, run: Run | None, cue: Cue) -> None:
    assert run is not None
    world.at(
        world.played.began + cue.at, lambda: run.say(lambda machine: _say(world, machine, cue))
    )


def _say(world: World, machine: Machine, cue: Cue) -> None:
    match cue.kind:
        case "signal":
            if not machine.signal(cue.name or "", cue.value):
                _note(world, f"no node of this flow waits for the signal {cue.name!r}")
        case "approve":
            _approve(world, machine, cue)
        case "cancel":
            machine.cancel(str(cue.value or "the run was cancelled"))
        case "pause":
            machine.pause()
        case "resume":
            machine.resume()


def _approve(world: World, machine: Machine, cue: Cue) -> None:
    decision: JsonObject = {"node": cue.name, "action": cue.action}
    decision |= {"by": cue.by, "comment": cue.comment, "data": cue.value}
    objection = machine.objection(decision)
    if objection is not None:
        _note(world, f"the decision of {cue.name!r} is not accepted: {objection}")
    else:
        machine.complete(decision)


def _note(world: World, text: str) -> None:
    world.played.notes.append(text)
