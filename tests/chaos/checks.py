"""What must hold once all runs of a round have ended. Every check gives what is wrong, in words."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from tests.chaos.ledger import Effect
from tests.chaos.workload import KINDS, Expected, Run, Status

__all__ = ["Ended", "log_findings", "round_findings"]

_SHORT = 300

_LOST_CONNECTIONS = re.compile(
    r"connect|Connect|transport|Unavailable|UNAVAILABLE|timed out|Timeout|TimeoutError|deadline"
    r"|RPCError|RpcError|broken pipe|StoreUnavailable|NotStarted|shutting down|ServerDisconnected"
)
_TROUBLE = re.compile(
    r"Traceback \(most recent|TMPRL1100|[Nn]ondeterminism|InterpreterError|InternalError"
    r"|was never awaited|was destroyed but it is pending|never retrieved|ResourceWarning"
)


@dataclass(frozen=True, kw_only=True)
class Ended:
    """How a run ended: `output` is that of a completed run, or type and message of its error.

    `status` None is a run that had not ended when nobody waited any longer.
    """

    run: Run
    status: Status | None
    output: Any = None


def round_findings(
    ended: Sequence[Ended], effects: Sequence[Effect], kept: Mapping[str, Any]
) -> list[str]:
    """All that is wrong with a round: with its runs, its effects, and what is in the store."""
    expected = {each.run.id: KINDS[each.run.kind].expected(each.run) for each in ended}
    return [
        *_ends(ended, expected),
        *_effects_happened(expected, effects),
        *_nothing_foreign(expected, effects),
        *_one_key(effects),
        *_in_order(expected, effects),
        *_apart(ended, effects),
        *_kept_once(expected, kept),
    ]


def _ends(ended: Iterable[Ended], expected: Mapping[str, Expected]) -> Iterator[str]:
    for each in ended:
        wanted = expected[each.run.id]
        if each.status is None:
            yield f"{each.run.id} has not ended"
        elif (each.status, each.output) != (wanted.status, wanted.output):
            yield (
                f"{each.run.id} ended as {each.status} with {_short(each.output)}, "
                f"not as {wanted.status} with {_short(wanted.output)}"
            )


def _effects_happened(expected: Mapping[str, Expected], effects: Iterable[Effect]) -> Iterator[str]:
    seen = {(effect.run, effect.step) for effect in effects}
    for wanted in expected.values():
        for run, step in wanted.effects:
            if (run, step) not in seen:
                yield f"{run}: the effect {step!r} never happened"


def _nothing_foreign(expected: Mapping[str, Expected], effects: Iterable[Effect]) -> Iterator[str]:
    wanted = {place: n for one in expected.values() for place, n in one.effects.items()}
    for effect in effects:
        place = (effect.run, effect.step)
        if place not in wanted:
            yield f"{effect.run}: nobody asked for the effect {effect.step!r}"
        elif effect.n != wanted[place]:
            yield (
                f"{effect.run}: the effect {effect.step!r} came with {_short(effect.n)}, "
                f"not with {_short(wanted[place])}"
            )


def _one_key(effects: Iterable[Effect]) -> Iterator[str]:
    """A receiver that passes over keys it has had sees each effect once, and misses none."""
    keys: dict[tuple[str, str], set[str]] = defaultdict(set)
    owners: dict[str, set[tuple[str, str]]] = defaultdict(set)
    for effect in effects:
        keys[effect.run, effect.step].add(effect.key)
        owners[effect.key].add((effect.run, effect.step))
    for (run, step), used in keys.items():
        if "" in used:
            yield f"{run}: the effect {step!r} came without a key"
        elif len(used) > 1:
            yield f"{run}: the effect {step!r} came under {len(used)} keys: {sorted(used)}"
    for key, places in owners.items():
        if key and len(places) > 1:
            yield f"one key for several effects: {key!r} for {sorted(places)}"


def _in_order(expected: Mapping[str, Expected], effects: Sequence[Effect]) -> Iterator[str]:
    first = _first(effects)
    for id, wanted in expected.items():
        for before, after in pairwise(wanted.ordered):
            places = first.get((id, before)), first.get((id, after))
            if None not in places and places[0] > places[1]:  # type: ignore[operator]
                yield f"{id}: {after!r} happened before {before!r}"


def _apart(ended: Iterable[Ended], effects: Sequence[Effect]) -> Iterator[str]:
    """No run enters the lock while another one is inside."""
    first = _first(effects)
    inside = sorted(
        (first[each.run.id, "enter"], first[each.run.id, "leave"], each.run.id)
        for each in ended
        if (each.run.id, "enter") in first and (each.run.id, "leave") in first
    )
    for (_, left, one), (entered, _, other) in pairwise(inside):
        if entered < left:
            yield f"{other} had the lock before {one} gave it back"


def _kept_once(expected: Mapping[str, Expected], kept: Mapping[str, Any]) -> Iterator[str]:
    for wanted in expected.values():
        for one in wanted.kept:
            if kept.get(one.key) != one.value:
                yield f"{one.key} holds {_short(kept.get(one.key))}, not {_short(one.value)}"


def _first(effects: Sequence[Effect]) -> dict[tuple[str, str], int]:
    found: dict[tuple[str, str], int] = {}
    for place, effect in enumerate(effects):
        found.setdefault((effect.run, effect.step), place)
    return found


def log_findings(name: str, lines: Iterable[str]) -> list[str]:
    """Lines of a worker's log that tell of more than a lost connection."""
    return [
        f"{name}: {line.strip()[:600]}"
        for line in lines
        if _TROUBLE.search(line) and not _LOST_CONNECTIONS.search(line)
    ]


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= _SHORT else f"{text[:_SHORT]}… ({len(text):,} characters)"
