"""Playing the flows of the page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from flowspec.values import JsonObject
from tests.patterns.page import patterns
from tests.stage import (
    Cue,
    Played,
    Way,
    cancel,
    decide,
    every_way,
    plan_of,
    play_plans,
    refuse,
    signal,
)
from tests.world import Handler

__all__ = ["Cue", "Way", "cancel", "decide", "every_way", "play", "refuse", "signal"]


def play(
    number: int,
    way: Way,
    input: JsonObject | None = None,
    *,
    flow: str | None = None,
    slow: Sequence[str] = (),
    script: Sequence[Cue] = (),
    answers: Mapping[str, Handler] | None = None,
) -> Played:
    """Play the flow of a pattern, as the page shows it, to its end."""
    pattern = next(pattern for pattern in patterns() if pattern.number == number)
    plans = [plan_of(text) for text in pattern.flows]
    return play_plans(plans, way, input, flow=flow, slow=slow, script=script, answers=answers)
