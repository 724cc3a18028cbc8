"""What a run that was played has against what was expected of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import cast

from flowspec.durations import format_duration, parse_duration
from flowspec.values import Json, JsonObject
from simulator.matching import ABSENT, Absent, Difference, differences
from simulator.trace import NodeEnd, Performed, Played

__all__ = ["judge"]

_EXACT = 0.0005


def judge(expect: JsonObject, played: Played) -> list[Difference]:
    """Empty if all is as expected."""
    return [*_ending(expect, played), *_paths(expect, played), *_nodes(expect, played)]


# -- the run ---------------------------------------------------------------------------------------


def _ending(expect: JsonObject, played: Played) -> Iterator[Difference]:
    ended = played.ended
    usual = "failed" if "error" in expect else "completed"
    yield from differences(expect.get("status", usual), ended.status, "status")
    if ended.status == "failed" and "error" not in expect and expect.get("status") != "failed":
        yield Difference(where="error", words="none", found=ended.error)
    if "output" in expect:
        found: Json | Absent = ended.output if ended.status == "completed" else ABSENT
        yield from differences(expect["output"], found, "output")
    if "error" in expect:
        found = ended.error if ended.error is not None else ABSENT
        yield from differences(expect["error"], found, "error")
    yield from _duration(expect, "took", played.took, "")
    for note in played.notes:
        yield Difference(where="at", words="what is said to be taken", found=note)


def _duration(
    expect: JsonObject, key: str, found: float | None, where: str
) -> Iterator[Difference]:
    if key not in expect:
        return
    expected = parse_duration(expect[key])
    if found is None or abs(found - expected) > _EXACT:
        told = ABSENT if found is None else format_duration(found)
        yield Difference(where=f"{where}{key}", expected=expect[key], found=told)


def _paths(expect: JsonObject, played: Played) -> Iterator[Difference]:
    if "path" in expect:
        expected = cast("list[str]", expect["path"])
        inside = any("/" in step for step in expected)
        found = [step for step in played.path if inside or "/" not in step]
        yield from _same_paths("path", expected, found)
    if "undone" in expect:
        yield from _same_paths("undone", cast("list[str]", expect["undone"]), played.undone)
    if "waiting" in expect:
        waiting = [str(wait["path"]) for wait in played.ended.waiting]
        yield from _same_paths("waiting", cast("list[str]", expect["waiting"]), waiting)
    for name in cast("list[str]", expect.get("not_run", [])):
        if any(_began(node) for node in _ends(name, played)):
            yield Difference(where=f"not_run: {name}", words="that it does not run", found="it ran")


def _same_paths(where: str, expected: Sequence[str], found: Sequence[str]) -> Iterator[Difference]:
    if list(expected) != list(found):
        yield Difference(where=where, expected=list[Json](expected), found=list[Json](found))


# -- nodes -----------------------------------------------------------------------------------------


def _nodes(expect: JsonObject, played: Played) -> Iterator[Difference]:
    for name, expected in cast(JsonObject, expect.get("nodes", {})).items():
        where = f"nodes.{name}"
        short: JsonObject = {"outcome": expected}
        wanted = expected if isinstance(expected, dict) else short
        yield from _node(wanted, _seen(name, played), where)


@dataclass(frozen=True, kw_only=True)
class _Seen:
    facts: JsonObject
    began: float | None
    took: float | None


def _node(expected: JsonObject, seen: _Seen, where: str) -> Iterator[Difference]:
    for key, value in expected.items():
        if key not in ("began", "took"):
            yield from differences(value, seen.facts.get(key, ABSENT), f"{where}.{key}")
    yield from _duration(expected, "began", seen.began, f"{where}.")
    yield from _duration(expected, "took", seen.took, f"{where}.")


def _seen(name: str, played: Played) -> _Seen:
    """What became of a node at last, or of one of its items."""
    ends = _ends(name, played)
    calls = [each for each in played.performed if name in (each.path, each.name)]
    facts: JsonObject = {"runs": sum(map(_began, ends)) if ends else len(calls)}
    began: float | None = None
    took: float | None = None
    if calls:
        facts |= _of_call(calls[-1])
        began, took = _times(calls[-1], played)
    if ends:
        last = next((end for end in reversed(ends) if _began(end)), ends[-1])
        facts |= last.result
        if last.started is not None:
            began, took = last.started - played.began, last.ended - last.started
    return _Seen(facts=facts, began=began, took=took)


def _ends(name: str, played: Played) -> list[NodeEnd]:
    return [node for node in played.nodes if name in (node.path, node.name)]


def _began(node: NodeEnd) -> bool:
    return node.started is not None and node.outcome != "skipped"


def _of_call(call: Performed) -> JsonObject:
    facts: JsonObject = {"params": call.params, "outcome": call.outcome}
    if call.attempts:
        facts["attempts"] = len(call.attempts)
    if call.outcome == "success":
        facts["output"] = call.output
    if call.action is not None:
        facts["action"] = call.action
    if call.error is not None:
        facts["error"] = call.error
    return facts


def _times(call: Performed, played: Played) -> tuple[float, float | None]:
    took = None if call.ended is None else call.ended - call.started
    return call.started - played.began, took
