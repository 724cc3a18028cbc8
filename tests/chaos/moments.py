"""The moments at which a fault strikes: before, during and after every kind of step.

What shows that a moment has come is a sign, in the history of a run or in the ledger.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from tests.chaos.ledger import HOOK
from tests.chaos.signs import Event, Held

__all__ = ["MOMENTS", "Moment"]

Phase: TypeAlias = Literal["before", "during", "after"]
Sign: TypeAlias = Event | Held


@dataclass(frozen=True)
class Moment:
    """Before, during or after this kind of step, in a run of this flow."""

    step: str
    phase: Phase
    flow: str
    sign: Sign

    def __str__(self) -> str:
        return f"{self.phase} {self.step}"


_SCHEDULED, _COMPLETED = "ACTIVITY_TASK_SCHEDULED", "ACTIVITY_TASK_COMPLETED"
_PLAN = 5
"""The event that holds the plan, which names every node."""
_CHILD = "START_CHILD_WORKFLOW_EXECUTION_INITIATED", "CHILD_WORKFLOW_EXECUTION_STARTED"
_CHILD_DONE = "CHILD_WORKFLOW_EXECUTION_COMPLETED"


_SIGNS: dict[tuple[str, str], tuple[Sign, Sign, Sign]] = {
    ("start", "items"): (
        Event("WORKFLOW_EXECUTION_STARTED"),
        Event("WORKFLOW_TASK_STARTED"),
        Event("MARKER_RECORDED"),
    ),
    ("inline", "steps"): (
        Event(_COMPLETED, "far"),
        Event("WORKFLOW_TASK_STARTED", beyond=10),
        Event("TIMER_STARTED"),
    ),
    ("local", "steps"): (
        Event("WORKFLOW_TASK_STARTED"),
        Held("near"),
        Event("MARKER_RECORDED", "near", _PLAN),
    ),
    ("remote", "steps"): (Event(_SCHEDULED, "far"), Held("far"), Event(_COMPLETED, "far")),
    ("wait", "steps"): (Event(_COMPLETED, "far"), Event("TIMER_STARTED"), Event("TIMER_FIRED")),
    ("event", "steps"): (
        Event("TIMER_FIRED"),
        Event("WORKFLOW_EXECUTION_SIGNALED"),
        Event("WORKFLOW_EXECUTION_UPDATE_ACCEPTED"),
    ),
    ("approval", "steps"): (
        Event("WORKFLOW_EXECUTION_SIGNALED"),
        Event("WORKFLOW_EXECUTION_UPDATE_ACCEPTED"),
        Event("WORKFLOW_EXECUTION_UPDATE_COMPLETED"),
    ),
    ("block", "steps"): (Event(_SCHEDULED, "left"), Held("left"), Event(_COMPLETED, "right")),
    ("webhook", "steps"): (
        Event(_SCHEDULED, "hook"),
        Held("webhook"),
        Event(_COMPLETED, "hook"),
    ),
    ("callback", "steps"): (
        Event(_SCHEDULED, "~on_complete"),
        Held(HOOK),
        Event(_COMPLETED, "~on_complete"),
    ),
    ("foreach", "items"): (
        Event(_SCHEDULED, "each"),
        Held("item-6"),
        Event(_SCHEDULED, "note"),
    ),
    ("block foreach", "items"): (
        Event("TIMER_STARTED"),
        Held("block-2"),
        Event(_COMPLETED, "note"),
    ),
    ("loop", "rounds"): (
        Event(_COMPLETED, "note"),
        Held("round-2"),
        Event(_SCHEDULED, "count#3"),
    ),
    ("kept", "rounds"): (
        Event(_SCHEDULED, "count"),
        Event(_SCHEDULED, "list"),
        Event(_COMPLETED, "list"),
    ),
    ("continue", "rounds"): (
        Event("WORKFLOW_TASK_STARTED", beyond=50),
        Event("WORKFLOW_EXECUTION_CONTINUED_AS_NEW"),
        Held("round-5"),
    ),
    ("repeat", "rounds"): (Held("poll-1"), Held("poll-2"), Held("poll-3")),
    ("sub-flow", "family"): (
        Event(_CHILD[0], "one"),
        Held("note", run=".one"),
        Event(_CHILD_DONE),
    ),
    ("sub-flow foreach", "family"): (
        Event(_CHILD[1], ".0"),
        Held("note", run=".1"),
        Event(_CHILD_DONE, ".2"),
    ),
    ("sub-flow not awaited", "family"): (
        Event(_CHILD[0], "stray"),
        Event(_CHILD[1], "stray"),
        Held("note", run=".stray"),
    ),
    ("retry", "saga"): (Event(_SCHEDULED, "flaky"), Held("flaky"), Event(_COMPLETED, "flaky")),
    ("failure edge", "saga"): (
        Event(_SCHEDULED, "refused"),
        Held("refused"),
        Event("ACTIVITY_TASK_FAILED"),
    ),
    ("undo", "saga"): (
        Event(_SCHEDULED, "uninstead"),
        Held("uninstead"),
        Event(_COMPLETED, "unflaky"),
    ),
    ("cancel", "stopped"): (
        Event("WORKFLOW_EXECUTION_CANCEL_REQUESTED"),
        Held("unmake"),
        Event(_COMPLETED, "unmake"),
    ),
    ("lock", "shared"): (
        Event("UPSERT_WORKFLOW_SEARCH_ATTRIBUTES"),
        Event("MARKER_RECORDED", "lock.ask"),
        Held("enter"),
    ),
    ("lock given back", "shared"): (
        Held("leave"),
        Event(_COMPLETED, "leave"),
        Event(_SCHEDULED, "slowly"),
    ),
    ("rate", "shared"): (
        Event(_COMPLETED, "leave"),
        Event("MARKER_RECORDED", "rate", _PLAN),
        Held("slowly"),
    ),
    ("cache", "shared"): (
        Event(_COMPLETED, "slowly"),
        Event(_SCHEDULED, "kept"),
        Event("WORKFLOW_EXECUTION_COMPLETED"),
    ),
    ("large value", "large"): (
        Event(_SCHEDULED, "rows"),
        Held("send"),
        Event("MARKER_RECORDED", "pick", _PLAN),
    ),
    ("sharded foreach", "wide"): (Event(_CHILD[0]), Event(_CHILD[1]), Event(_CHILD_DONE)),
}
"""By kind of step and flow: the signs of before, during and after."""

_PHASES: tuple[Phase, ...] = ("before", "during", "after")
MOMENTS: tuple[Moment, ...] = tuple(
    Moment(step, phase, flow, sign)
    for (step, flow), signs in _SIGNS.items()
    for phase, sign in zip(_PHASES, signs, strict=True)
)
