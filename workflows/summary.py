"""A run's current details: the few lines of Markdown that Temporal's UI and CLI show."""

from __future__ import annotations

from typing import Any, cast

from flowspec.values import JsonObject

__all__ = ["markdown"]

_MARKS = {
    "running": "▶",
    "success": "✔",
    "failure": "✘",
    "skipped": "–",
    "cancelled": "⊘",
}


def markdown(status: JsonObject) -> str:
    """The status, its waits first, for it is those that people look for."""
    lines = [f"**{status['flow']}** `{status['version']}` is {status['status']}"]
    waiting = cast("list[dict[str, Any]]", status["waiting"])
    if waiting:
        lines += ["", *(f"- waits: {_wait(wait)}" for wait in waiting)]
    nodes = cast("list[dict[str, Any]]", status["nodes"])
    if nodes:
        lines += ["", *(f"- {_node(node)}" for node in nodes)]
    if status["truncated"]:
        lines.append(f"- and {status['truncated']} more")
    return "\n".join(lines)


def _wait(wait: dict[str, Any]) -> str:
    what = {
        "approval": "a decision",
        "event": f"signal `{wait.get('name')}`",
        "timer": "time",
        "lock": f"lock `{wait.get('name')}`",
    }[wait["kind"]]
    title = f" – {wait['title']}" if wait.get("title") else ""
    until = f", until {wait['until']}" if wait.get("until") else ""
    return f"`{wait['path']}` for {what}{title}{until}"


def _node(node: dict[str, Any]) -> str:
    mark = _MARKS.get(node["state"], "?")
    title = f" {node['title']}" if node.get("title") else ""
    count = f" {node['done']}/{node['total']}" if node.get("total") is not None else ""
    error = f": {node['error']['type']}: {node['error']['message']}" if node.get("error") else ""
    return f"{mark} `{node['path']}`{title}{count}{error}"
