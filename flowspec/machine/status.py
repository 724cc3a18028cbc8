"""The status of a run, small enough to be asked for often."""

from __future__ import annotations

from itertools import islice
from typing import cast

from flowspec.machine.inline import iso
from flowspec.machine.state import RunState
from flowspec.values import Json, JsonObject

__all__ = ["brief", "glance_of", "status_of"]

_LONGEST_MESSAGE = 500


def status_of(state: RunState, phase: str, limit: int) -> JsonObject:
    records = [record for frame in state.records.values() for record in frame.values()]
    shown = [_shown(record) for record in _most_telling(records, limit)]
    return _status(state, phase, limit, shown, len(records))


def glance_of(state: RunState, phase: str, limit: int) -> JsonObject:
    """Of its nodes what is known stands as it is, moments as numbers: it is made at every step."""
    records = state.records
    active = [records[run.frame][run.node] for run in islice(state.runs.values(), limit)]
    return _status(state, phase, limit, active, len(state.runs))


def _status(
    state: RunState, phase: str, limit: int, shown: list[JsonObject], total: int
) -> JsonObject:
    return {
        "flow": state.run["flow"],
        "version": state.run["version"],
        "status": phase,
        "started": state.run["started"],
        "paused": state.paused,
        "nodes": [*shown],
        "truncated": total - len(shown),
        "waiting": [*islice(state.waits.values(), limit)],
    }


def _most_telling(records: list[JsonObject], limit: int) -> list[JsonObject]:
    """Those that run or failed before those that are simply done, else in order."""
    if len(records) <= limit:
        return records
    dull = ("success", "skipped")
    ranked = sorted(range(len(records)), key=lambda i: (records[i]["state"] in dull, -i))
    return [records[index] for index in sorted(ranked[:limit])]


def _shown(record: JsonObject) -> JsonObject:
    shown: JsonObject = {key: value for key, value in record.items() if value not in (None, "")}
    for moment in ("started", "ended"):
        value = shown.get(moment)
        if isinstance(value, int | float):
            shown[moment] = iso(value)
    return shown


def brief(result: JsonObject) -> Json:
    """What people need to see of a result's error; the whole of it is in the history.

    Of a node that succeeded though items of it failed, that is the `first` of them too.
    """
    error = result.get("error")
    if not isinstance(error, dict):
        return None
    told: JsonObject = {
        "type": error["type"],
        "message": _shortened(error["message"]),
        "attempt": error["attempt"],
    }
    if result["outcome"] == "success":
        first = cast("dict[str, list[JsonObject]]", error["details"])["failed"][0]
        told["first"] = {**first, "message": _shortened(first["message"])}
    return told


def _shortened(message: Json) -> str:
    text = str(message)
    return text if len(text) <= _LONGEST_MESSAGE else f"{text[:_LONGEST_MESSAGE]}…"
