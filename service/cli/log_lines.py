"""What happened in a run, as lines for people."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING

from service.cli.progress import seconds
from service.settings.sizes import format_size

if TYPE_CHECKING:
    from flowspec.values import Json
    from service.runs.history import LogEntry

__all__ = ["log_line"]

_DATA_LENGTH = 200
_NODE_WIDTH = 14
_WHAT_WIDTH = 30
"""Wide enough for most; a line is printed before the next one is known."""

_WORDS = {
    "run.started": "run started",
    "run.resumed": "run goes on in a new history",
    "run.continued": "history grew long; the run continues in a new one",
    "run.completed": "run completed",
    "run.failed": "run failed",
    "run.cancelled": "run cancelled",
    "run.terminated": "run terminated",
    "run.timed_out": "run timed out",
    "run.cancel_requested": "cancel requested",
    "node.started": "started",
    "node.attempt_failed": "attempt failed",
    "node.succeeded": "succeeded",
    "node.failed": "failed",
    "node.timed_out": "timed out",
    "node.cancelled": "cancelled",
    "timer.started": "timer set",
    "timer.fired": "timer went off",
    "timer.cancelled": "timer no longer needed",
    "signal": "signal",
    "update.accepted": "decision",
    "update.failed": "decision failed",
    "flow.started": "sub-flow started",
    "flow.completed": "sub-flow completed",
    "flow.failed": "sub-flow failed",
    "flow.cancelled": "sub-flow cancelled",
    "flow.terminated": "sub-flow terminated",
    "flow.timed_out": "sub-flow timed out",
    "flow.not_started": "sub-flow not started",
    "flow.refused": "flow refused",
    "worker.failed": "the worker could not go on",
    "worker.lost": "worker lost",
}


def log_line(entry: LogEntry, started: datetime) -> str:
    """`10:11:02.123    +1.25 s  fetch  succeeded  http.request  …`"""
    clock = f"{entry.time:%H:%M:%S}.{entry.time.microsecond // 1000:03}"
    since = f"+{seconds((entry.time - started).total_seconds())}"
    words = _WORDS.get(entry.kind, entry.kind)
    what = f"{entry.node or '':<{_NODE_WIDTH}}  {words}" if entry.node else words
    facts = list(_facts(entry))
    return "  ".join([clock, f"{since:>10}", f"{what:<{_WHAT_WIDTH}}" if facts else what, *facts])


def _facts(entry: LogEntry) -> Iterator[str]:
    if entry.title and entry.title != entry.node:
        yield entry.title
    if entry.name and entry.kind != "update.accepted":
        yield entry.name
    if entry.type:
        yield entry.type
    if entry.attempt is not None and (entry.attempt > 1 or entry.kind == "node.attempt_failed"):
        yield f"attempt {entry.attempt}"
    if entry.seconds is not None:
        yield seconds(entry.seconds)
    if entry.bytes is not None and entry.kind != "run.started":
        yield format_size(entry.bytes)
    if entry.error:
        yield " ".join(entry.error.split())
    if entry.data is not None:
        yield _data(entry.data)


def _data(value: Json) -> str:
    import json

    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _DATA_LENGTH else f"{text[:_DATA_LENGTH]}…"
