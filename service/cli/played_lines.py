"""A run that was played, in lines for people and as JSON for programs."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

from flowspec.durations import format_duration
from flowspec.values import Json, JsonObject
from service.cli.screen import visible
from simulator.trace import NodeEnd, Performed, Played

__all__ = ["MARKS", "as_json", "lasted", "played_lines"]

MARKS = {
    "success": ("✔", "green"),
    "failure": ("✘", "red"),
    "cancelled": ("⊘", "yellow"),
    "skipped": ("–", "dim"),
    "running": ("▶", "cyan"),
}
_LONGEST = 400

Line = tuple[str, str]
"""Text, and the style it is shown in."""


def lasted(seconds: float) -> str:
    return format_duration(round(seconds, 3))


def played_lines(played: Played, *, calls: bool) -> Iterator[Line]:
    """What ran, when, and how it ended; with `calls` what others were told and answered."""
    ends = _by_path(played)
    for _, path in played.begun:
        end = ends[path].pop(0) if ends.get(path) else None
        yield _node_line(path, end, played)
        for call in _calls_of(path, played):
            if call.path != path or len(call.attempts) > 1:
                yield from _attempts(call, played)
            if calls:
                yield from _told(call)
    for call in played.performed:
        if call.path.startswith("~"):
            yield _call_line(call, played)
            yield from _told(call) if calls else ()


def _by_path(played: Played) -> dict[str, list[NodeEnd]]:
    ends: dict[str, list[NodeEnd]] = {}
    for end in played.nodes:
        if end.started is not None:
            ends.setdefault(end.path, []).append(end)
    return ends


def _calls_of(path: str, played: Played) -> list[Performed]:
    """Those of the node itself: its items and attempts, and not of what is inside of it."""
    own = re.compile(rf"{re.escape(path)}(?:[.#~][^/]*)?")
    return [call for call in played.performed if own.fullmatch(call.path)]


def _node_line(path: str, end: NodeEnd | None, played: Played) -> Line:
    if end is None:
        return f"{'':>10}  ▶ {path}  is still running", "cyan"
    mark, style = MARKS[end.outcome]
    assert end.started is not None
    took = end.ended - end.started
    words = [f"{lasted(end.started - played.began):>10}  {mark} {path}"]
    action, error = end.result.get("action"), end.result.get("error")
    if end.undo:
        words.append("undo")
    if isinstance(action, str):
        words.append(action)
    if isinstance(error, dict):
        words.append(f"{error['type']}: {error['message']}")
    if took:
        words.append(f"({lasted(took)})")
    return visible("  ".join(words)), style


def _attempts(call: Performed, played: Played) -> Iterator[Line]:
    for attempt in call.attempts:
        error = attempt.error
        mark, style = MARKS["success" if error is None else "failure"]
        number = f"attempt {attempt.number}" if len(call.attempts) > 1 else ""
        name = call.path if call.path != call.name else ""
        what = "" if error is None else f"{error['type']}: {error['message']}"
        words = "  ".join(word for word in (name, number, what) if word)
        began = lasted(attempt.started - played.began)
        yield visible(f"{began:>10}    {mark} {words}"), style


def _call_line(call: Performed, played: Played) -> Line:
    mark, style = MARKS[call.outcome]
    return visible(f"{lasted(call.started - played.began):>10}  {mark} {call.path}"), style


def _told(call: Performed) -> Iterator[Line]:
    yield visible(f"{'':>14}{call.type} {_short(call.params)}"), "dim"
    if call.outcome == "success":
        how = "assumed, for nothing says what it answers" if call.assumed else ""
        style = "yellow" if call.assumed else "dim"
        yield visible(f"{'':>14}→ {_short(call.output)}{'  (' + how + ')' if how else ''}"), style


def _short(value: Json) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"


# -- for programs ----------------------------------------------------------------------------------


def as_json(played: Played) -> JsonObject:
    return {
        "flow": played.flow,
        "status": played.ended.status,
        "output": played.ended.output,
        "error": played.ended.error,
        "waiting": [wait["path"] for wait in played.ended.waiting],
        "took": round(played.took, 3),
        "path": list[Json](played.path),
        "undone": list[Json](played.undone),
        "nodes": [_node_json(node, played) for node in played.nodes],
        "calls": [_call_json(call, played) for call in played.performed],
    }


def _node_json(node: NodeEnd, played: Played) -> JsonObject:
    began = None if node.started is None else round(node.started - played.began, 3)
    return {
        "path": node.path,
        "outcome": node.outcome,
        "action": node.result.get("action"),
        "error": node.result.get("error"),
        "began": began,
        "ended": round(node.ended - played.began, 3),
    }


def _call_json(call: Performed, played: Played) -> JsonObject:
    return {
        "path": call.path,
        "type": call.type,
        "params": call.params,
        "outcome": call.outcome,
        "output": call.output,
        "error": call.error,
        "attempts": len(call.attempts),
        "began": round(call.started - played.began, 3),
        "assumed": call.assumed,
    }
